"""proxy/cli/slo_import.py"""

import pytest
from hypothesis import given as supposing
from hypothesis import strategies as st

from proxy.cli.slo_openslo import Documents
from proxy.cli.slo_sloth import taken
from proxy.cli.slo_taken import Lost, written
from proxy.config.load import load_policies

KEYS = (
    "name", "objective", "sli", "events", "raw", "alerting", "page_alert", "disable", "labels",
    "service", "indicator", "indicatorRef", "timeWindow", "duration", "objectives", "target",
    "targetPercent", "spec", "alertPolicies", "conditions", "condition", "threshold", "query",
    "lookbackWindow", "severity", "thresholdMetric", "ratioMetric", "displayName", "metadata",
)  # fmt: skip

SLOTH = """
version: prometheus/v1
service: pay
slos:
  - name: availability
    objective: 99.9
    sli: {events: {error_query: 'errors[{{.window}}]', total_query: 'all[{{.window}}]'}}
    alerting: {name: Pay, ticket_alert: {disable: true}}
"""


@pytest.fixture
def given(here):
    """Writes the file to be read."""

    def write(text):
        (here / "slos.yml").write_text(text)
        return "slos.yml"

    return write


def loaded(here, text):
    """The SLOs of a text, as the proxy reads them, by name."""
    (here / "policies").mkdir(exist_ok=True)
    (here / "policies" / "u.yaml").write_text("upstreams: {gateway: {url: http://127.0.0.1:9}}")
    (here / "policies" / "s.yaml").write_text(text)
    return {each.name: each for each in load_policies(here / "policies").slos}


def test_what_is_printed_is_a_policy_file(holdfast, given, here):
    """With the objective, the window and the alerts that there were."""
    ran = holdfast("slo", "import", given(SLOTH))

    slo = loaded(here, ran.out)["availability"]
    assert (slo.sli, slo.objective, slo.window) == ("success", 0.999, 30 * 86_400.0)
    assert [burn.factor for burn in slo.burns if not burn.outage] == [14.4, 6]
    assert ran.code == 0


def test_it_counts_nothing_before_it_is_filled_in(holdfast, given, here):
    """An SLO of all calls would be met by calls that it never meant."""
    ran = holdfast("slo", "import", given(SLOTH))

    slo = loaded(here, ran.out)["availability"]
    assert slo.match.keys == {"tool"}
    assert not slo.match.holds({"tool": "get_balance"})
    assert "# say for which calls it is" in ran.out
    assert "slos.yml: availability: say for which calls it is" in ran.err
    assert "#   error_query: errors[{{.window}}]" in ran.out


def test_who_says_for_which_calls_has_it_filled_in(holdfast, given, here):
    """All of the file are for the same ones."""
    ran = holdfast(
        "slo", "import", given(SLOTH), "--match", "tool=pay*", "--match", "upstream=gateway"
    )

    slo = loaded(here, ran.out)["availability"]
    assert slo.match.holds({"tool": "payment", "upstream": "gateway"})
    assert "say for which" not in ran.out + ran.err


def test_what_cannot_be_said_is_told(holdfast, given, here):
    """The others are printed, and the exit code says that not all are."""
    more = "  - {name: perfect, objective: 100}\n  - {name: availability, objective: 99}\n"
    ran = holdfast("slo", "import", given(SLOTH + more))

    assert ran.code == 1
    assert list(loaded(here, ran.out)) == ["availability"]
    assert "slos.yml: perfect: is not taken over: its objective is 100;" in ran.err
    assert "availability: is not taken over: another one of this name" in ran.err


def test_both_tools_in_one_file(holdfast, given, here):
    """Documents one after the other."""
    of_openslo = (
        "---\napiVersion: openslo/v1\nkind: SLO\nmetadata: {name: other}\n"
        "spec: {objectives: [{target: 0.95}], timeWindow: [{duration: 4w, isRolling: true}]}\n"
    )
    ran = holdfast("slo", "import", given(SLOTH + of_openslo))

    found = loaded(here, ran.out)
    assert found["other"].window == 28 * 86_400.0
    assert list(found) == ["other", "availability"]


OPENSLO = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: odd}
spec:
  objectives: [{targetPercent: "99.999"}]
  alertPolicies: [{spec: {conditions: [
    {spec: {severity: page, condition: {threshold: 2000, lookbackWindow: 5m}}}
  ]}}]
"""


def test_alerts_that_would_not_load_are_the_usual_ones(holdfast, given, here):
    """Ours have limits that theirs do not have; it is said."""
    ran = holdfast("slo", "import", given(OPENSLO))

    assert ran.code == 0
    assert len(loaded(here, ran.out)["odd"].burns) > 1
    assert (
        "odd: its alerts are left out, and the usual ones are there: slos[0].alerts[0]" in ran.err
    )


def test_what_would_not_load_is_lost(holdfast, given, here):
    """What is printed always does."""
    query = 'took_seconds_bucket{le="1234567890123456"}'
    ran = holdfast("slo", "import", given(SLOTH.replace("errors[{{.window}}]", query)))

    assert ran.code == 1
    assert loaded(here, ran.out) == {}
    assert "availability: is not taken over: slos[0].threshold" in ran.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is no YAML"),
        ("a: 1", "expected apiVersion: openslo/v1 or version: prometheus/v1"),
        ("apiVersion: openslo/v1alpha\nkind: SLO", ", found openslo/v1alpha"),
        ("version: prometheus/v1\nslos: []", "there is no SLO in it"),
        ("version: prometheus/v1\nslos: 7", "slos: expected a list, found 7"),
        ("- 1\n", "expected apiVersion"),
        ("\x00", "is no YAML"),
        ("{a: " * 3000, "nested too deep"),
        ("#" * (1 << 20) + "\n", "is larger than 1 MiB"),
    ],
)
def test_files_that_are_none_of_these(holdfast, given, text, said):
    """What was found and what is expected; nothing is printed."""
    ran = holdfast("slo", "import", given(text))

    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_a_file_that_is_not_there(holdfast, here):
    """Its name is said."""
    ran = holdfast("slo", "import", "none.yml")

    assert (ran.code, ran.err) == (
        2,
        "holdfast: none.yml: cannot be read: No such file or directory\n",
    )


@pytest.mark.parametrize("wrong", ["path=/x", "tool", "tool="])
def test_a_match_that_an_slo_does_not_have(holdfast, given, wrong):
    """The keys that there are, and what was found."""
    ran = holdfast("slo", "import", given(SLOTH), "--match", wrong)

    assert ran.code == 64
    assert f"found {wrong!r}" in ran.err


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("28d"),
    lambda inside: (
        st.lists(inside, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inside, max_size=4)
    ),
    max_leaves=8,
)


@supposing(st.sampled_from(["openslo", "sloth", "resource"]), ANYTHING, ANYTHING)
def test_whatever_stands_in_a_file_is_said(kind, metadata, spec):
    """Each entry is taken over or lost, with a reason; nothing ends in a traceback."""
    if kind == "openslo":
        document = {"kind": "SLO", "metadata": metadata, "spec": spec}
        found = list(Documents([document]).taken())
    else:
        document = {"spec": {"slos": [spec]}} if kind == "resource" else {"slos": [spec]}
        found = list(taken(document))
    assert all(each.why for each in found if isinstance(each, Lost))
    assert written(found, "f", {"tool": "t"}).startswith("# Made of f")
