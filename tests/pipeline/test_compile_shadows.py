"""Shadow mode, from the file to the counter."""

import pytest

from proxy.admin.health import Health
from proxy.keys import CircuitKey
from proxy.observe.metrics import Metrics
from tests.fakes import FakeClock
from tests.tables import Desk, post

BREAKER = "breaker: {consecutive: 2, open: {base: 60s, jitter: 0}}"
SHADOW = f"policies: [{{name: s, mode: shadow, {BREAKER}}}]"
REFUSED = ("circuit_open", "s", "false")


def test_a_shadow_breaker_counts_and_never_refuses() -> None:
    """Once its circuit is open every call is a refusal that was not made; all are sent."""
    desk = Desk(SHADOW, *[500] * 6)
    assert desk.codes(6) == ["500"] * 6
    assert desk.shadowed == {REFUSED: 4}
    assert len(desk.upstream.attempts) == 6


def test_the_metric_says_that_it_was_not_enforced() -> None:
    """`holdfast_refusals_total{enforced="false"}`, as it is scraped."""
    desk = Desk(SHADOW, *[500] * 5)
    desk.codes(5)
    metrics = Metrics(desk.keep, Health())
    families = {family.metric.name: family for family in metrics.read()}
    refusals = families["holdfast_refusals_total"]
    assert refusals.metric.labels == ("code", "policy", "enforced")
    assert refusals.rows == {REFUSED: 3}
    assert families["holdfast_breaker_state"].rows == {}  # a shadow's circuit holds nobody up
    assert families["holdfast_breaker_transitions_total"].rows == {}


def test_a_shadow_has_counters_of_its_own() -> None:
    """What it saw does not count when it is enforced at last, nor the other way round."""
    clock = FakeClock()
    shadow = Desk(SHADOW, *[500] * 4, clock=clock)
    shadow.codes(4)
    in_force = SHADOW.replace("mode: shadow", "mode: enforce")
    enforced = Desk(in_force, 500, 500, clock=clock, keep=shadow.keep)
    assert enforced.codes(3) == ["500", "500", "circuit_open"]
    again = Desk(SHADOW, 200, clock=clock, keep=shadow.keep)
    assert again.codes(1) == ["200"]
    assert again.shadowed == {REFUSED: 3}  # its circuit was open all the time


def test_a_shadow_beside_what_is_enforced_changes_nothing_of_it() -> None:
    """A stricter breaker is tried out: the enforced one goes on as if it were not there."""
    text = f"""
policies:
  - {{name: p, effect: read, {BREAKER.replace("2", "4")}}}
  - {{name: s, mode: shadow, breaker: {{consecutive: 2}}}}
"""
    desk = Desk(text, *[500] * 4)
    assert desk.codes(5) == ["500"] * 4 + ["circuit_open"]
    assert desk.shadowed == {REFUSED: 2}  # calls 3 and 4; the fifth was refused before it was asked


def test_a_shadow_circuit_recovers_by_calls_that_were_sent_anyway() -> None:
    """When its open time is over the next calls are its probes."""
    clock = FakeClock()
    desk = Desk(SHADOW, *[500] * 3, *[200] * 4, clock=clock)
    desk.codes(3)
    clock.advance(61.0)
    assert desk.codes(4) == ["200"] * 4
    assert desk.shadowed == {REFUSED: 1}


def test_a_shadow_deadline_limits_nothing() -> None:
    """The call and its attempt keep all the time there is."""
    desk = Desk("policies: [{name: s, mode: shadow, timeout: {total: 2s, attempt: 1s}}]", 200)
    call = post("search")
    desk.call(call)
    assert call.deadline == float("inf")
    assert desk.upstream.attempts[0].deadline == float("inf")


def test_the_effect_of_a_shadow_is_for_shadows_alone() -> None:
    """An enforced retry does not repeat a write that a shadow policy calls a read."""
    text = """
policies:
  - {name: r, retry: {attempts: 2, backoff: {base: 1ms}}}
  - {name: s, mode: shadow, effect: read}
"""
    assert Desk(text, 503).codes(1) == ["503"]


@pytest.mark.parametrize(
    ("count", "shadowed"), [("", {REFUSED: 1}), (", count: [timeout]", {})], ids=["same", "other"]
)
def test_both_breakers_of_a_tool_count_each_answer_once(
    count: str, shadowed: dict[tuple[str, ...], int]
) -> None:
    """The enforced one opens at exactly `consecutive`, whatever counts for the one in shadow."""
    text = f"""
policies:
  - {{name: p, effect: read, breaker: {{consecutive: 4, rate: 1, min_calls: 100}}}}
  - {{name: s, mode: shadow, breaker: {{consecutive: 3, rate: 1, min_calls: 100{count}}}}}
"""
    desk = Desk(text, *[500] * 4)
    assert desk.codes(2) == ["500"] * 2
    circuit = dict(desk.keep.items())[CircuitKey("", "gateway", "search")]
    assert (circuit.window.calls, circuit.window.failures) == (2, 2)
    assert desk.codes(4) == ["500", "500", "circuit_open", "circuit_open"]
    assert desk.shadowed == shadowed
