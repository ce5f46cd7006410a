"""proxy/cli/slo.py"""


def test_help_names_what_there_is(holdfast):
    """Also where no sub-command is given, which is wrong usage."""
    ran = holdfast("slo")

    assert ran.code == 64
    assert "rules" in ran.err
