"""What policy files say of operators, of all files together."""

from proxy.config.load import load_policies

SLO = "{name: a, sli: success, objective: 0.99}"
ALERTS = "alerts: {receivers: []}"


def test_lists_of_all_files_are_one(folder):
    """In the order of the files."""
    folder.write(f"slos: [{SLO}]", "10.yaml")
    folder.write(f"slos: [{SLO.replace('a,', 'b,')}]", "20.yaml")
    found = load_policies(folder.path)
    assert [each.name for each in found.slos] == ["a", "b"]
    assert (found.mirrors, found.alerts.receivers) == ((), ())


def test_a_name_is_of_one_of_a_kind(folder):
    """An SLO and a policy may share it."""
    assert folder.load(f"slos: [{SLO}]\npolicies: [{{name: a}}]").slos
    folder.write(f"slos: [{SLO}]", "00.yaml")
    (error,) = folder.errors(f"slos: [{SLO}]")
    assert error == "p.yaml:1:15: slos[0].name: an SLO of this name stands at 00.yaml:1 already"


def test_who_is_told_stands_once(folder):
    """In one file."""
    folder.write(ALERTS, "00.yaml")
    (error,) = folder.errors(ALERTS)
    assert error.startswith("p.yaml:1:1: alerts: it stands at 00.yaml:1 already")
