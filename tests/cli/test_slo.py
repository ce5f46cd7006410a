"""`holdfast slo`: which commands there are."""


def test_help_has_an_example_and_the_exit_codes(holdfast):
    """Of the group itself, which shows objectives."""
    ran = holdfast("slo", "--help")
    assert ran.code == 0
    assert "holdfast slo --json" in ran.out
    assert "Exit codes:" in ran.out


def test_a_word_too_many_is_wrong_usage(holdfast):
    """As with every command."""
    assert holdfast("slo", "nonsense").code == 64
