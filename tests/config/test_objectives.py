"""SLOs as they stand in the set: what can never fire, and what asks for what no record has."""

# ruff: noqa: E501 -- messages stand on one line, as people see them
import pytest

from proxy.config.objectives import MOST, beyond
from proxy.config.places import Place, Problem
from proxy.observe.slo.objective import FACTS

DAY = 86_400.0
LOW = "9 over 30m and 2m (page); 4.8 over 3h and 15m (page); 3 over 1d and 2h (ticket); 1 over 3d and 6h (ticket)"


def slo(text: str, share: float = 0.99) -> str:
    return f"slos: [{{name: a, sli: success, objective: {share}, {text}}}]"


def test_an_alert_that_can_never_fire_is_an_error(folder):
    """With the nearest one that can, and the set that fits."""
    text = slo("alerts: [{burn: 3, long: 1h, short: 5m}, {burn: 14.4, long: 1h, short: 5m}]", 0.9)
    assert folder.errors(text) == [
        "p.yaml:1:96: slos[0].alerts[1].burn: it can never fire: 14.4 times the budget of 0.9 are "
        "144 % of all events, and more than all cannot be bad. Up to 9 can; without alerts these "
        f"are told: {LOW}"
    ]


@pytest.mark.parametrize(("share", "burn"), [(0.9, 10), (0.95, 20), (0.99, 100)])
def test_all_of_all_is_never_more(folder, share, burn):
    """A burn that only all events together reach: more than it is none."""
    assert (
        "can never fire"
        in folder.errors(slo(f"alerts: [{{burn: {burn}, long: 1h, short: 5m}}]", share))[0]
    )
    assert folder.load(slo(f"alerts: [{{burn: {burn * 0.99}, long: 1h, short: 5m}}]", share)).slos


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("alerts: [{burn: 2, long: 5m, short: 1h}]", "slos[0].alerts[0].long: expected at least short, which is 1h"),
        ("alerts: [{burn: 2, long: 1h, short: 30s}]", "slos[0].alerts[0].short: expected at least 1m"),
        ("window: 1d, alerts: [{burn: 2, long: 3d, short: 1h}]", "slos[0].alerts[0].long: expected at most the SLO's own window, 1d"),
        ("window: 30s", "slos[0].window: expected at least 1m"),
        ("per: task, idle: 0s", "slos[0].idle: expected more than 0s"),
        ("match: {upstream: nobody}", "slos[0].match.upstream: no upstream has this name: nobody"),
        ("match: {layer: tools}", "slos[0].match.layer: no such layer: tools; did you mean tool?"),
    ],
)  # fmt: skip
def test_says_what_is_wrong(folder, text, message):
    """Where it stands."""
    (error,) = folder.errors(slo(text))
    assert error.endswith(message)


@pytest.mark.parametrize(
    ("key", "value"), [("path", "/x"), ("stream", "true"), ("when", "tool == 'x'")]
)
def test_what_no_record_has_cannot_be_asked_for(folder, key, value):
    """Nothing would be counted, and that would look well."""
    (error,) = folder.errors(
        slo(f'match: {{{key}: "{value}"}}' if key != "stream" else "match: {stream: true}")
    )
    assert error.endswith(
        f"slos[0].match.{key}: an SLO cannot ask for it, for no record has it; use {', '.join(FACTS)}"
    )


@pytest.mark.parametrize("key", FACTS)
def test_what_a_record_has_can(folder, key):
    """Each of them."""
    assert folder.load(slo(f'match: {{{key}: "*"}}')).slos


def test_an_objective_for_which_the_usual_alerts_cannot_fire_is_told(folder):
    """What is told instead. Who writes alerts, or asks for enough, hears nothing."""
    assert folder.warnings(slo("window: 30d", 0.9)) == [
        "p.yaml:1:43: slos[0].objective: the usual alerts could not fire, for more than all events "
        f"cannot be bad: told are {LOW}; each by 90% bad events, and 50% over 5m at once"
    ]
    assert folder.warnings(slo("window: 30d", 0.95)) == []
    assert folder.warnings(slo("alerts: [{burn: 3, long: 1h, short: 5m}]", 0.9)) == []


def test_what_does_nothing_is_told(folder):
    """Only tasks end by a tool, or idle; and a match that nothing meets counts nothing."""
    found = folder.warnings(slo('terminal_tools: [x], idle: 5m, match: {tool: ["x", "!x"]}'))
    assert [warning.split(": ", 2)[1] for warning in found] == [
        *("slos[0].terminal_tools", "slos[0].idle", "slos[0].match.tool")
    ]
    assert folder.warnings(slo("terminal_tools: [x], idle: 5m, per: task")) == []


def test_there_are_so_many_at_most(folder):
    """For each takes memory."""
    lines = [f"  - {{name: n{number}, sli: success, objective: 0.99}}" for number in range(MOST)]
    assert len(folder.load("\n".join(["slos:", *lines])).slos) == MOST
    lines.append("  - {name: more, sli: success, objective: 0.99}")
    (error,) = folder.errors("\n".join(["slos:", *lines]))
    assert error == f"p.yaml:{MOST + 2}:12: slos[{MOST}].name: at most {MOST} SLOs can be counted"


def test_who_looks_back_farther_than_the_journal_is_told(folder):
    """The snapshot remembers; only where it is lost that matters."""
    loaded = folder.load(slo("window: 90d"))
    assert list(beyond(loaded.slos, 90 * DAY)) == []
    (found,) = beyond(loaded.slos, 30 * DAY)
    assert found == Problem(Place(loaded.slos[0].place), "slos.a.window", found.message)
    assert (
        "its window of 90d is longer than the journal is kept (audit.retention: 30d)"
        in found.message
    )


def test_an_alert_that_cannot_be_read_is_said_once(folder):
    """And the others are not judged: where they stand cannot be known."""
    (error,) = folder.errors(slo("alerts: [{burn: 2000, long: 1h, short: 5m}]"))
    assert "slos[0].alerts[0].burn: expected a number" in error
