"""From what policies say to what runs. Shadow mode, from the file to the counter."""

from typing import Any

import pytest

from proxy.admin.health import Health
from proxy.call import Call, Effect
from proxy.observe.metrics import Metrics
from proxy.pipeline.commit import Commit
from proxy.pipeline.guard import AttemptGuard, CallChecks, CallGuard
from proxy.stages.retry import Once, Repeat
from proxy.wire.body import Body
from tests.fakes import FakeClock, make_reply
from tests.tables import GATEWAY, Desk, post, request

BREAKER = "breaker: {consecutive: 2, open: {base: 60s, jitter: 0}}"
SHADOW = f"policies: [{{name: s, mode: shadow, {BREAKER}}}]"
REFUSED = ("circuit_open", "s", "false")


def stages(text: str) -> list[Any]:
    """What a call goes through, outermost first."""
    found: list[Any] = []
    at: Any = Desk(text).pipeline(post("search")).handle
    while at is not None:
        found.append(getattr(at, "__self__", at))  # a wrapper's handle is a bound method
        at = getattr(found[-1], "_inner", None)
    return found


def chain(text: str) -> list[type]:
    """What kinds they are."""
    return [type(stage) for stage in stages(text)]


def policy(sections: str) -> str:
    """One policy with these sections."""
    return f"policies: [{{name: p, effect: read, {sections}}}]"


def test_what_is_not_configured_is_not_there() -> None:
    """Without policies a call is sent once, and nobody is asked."""
    assert chain("") == [Once, Commit]


@pytest.mark.parametrize(
    ("sections", "kinds"),
    [
        ("timeout: {total: 5s}", [CallChecks, Once, AttemptGuard, Commit]),
        ("retry: {}", [Repeat, AttemptGuard, Commit]),
        ("breaker: {}", [Once, AttemptGuard, Commit]),
        (
            "timeout: {total: 5s}, retry: {}, breaker: {}",
            [CallChecks, Repeat, AttemptGuard, Commit],
        ),
        ("timeout: {total: 5s, mode: shadow}", [CallGuard, Once, AttemptGuard, Commit]),
        ("retry: {mode: shadow}", [Once, AttemptGuard, Commit]),
        ("retry: {mode: off}", [Once, Commit]),
    ],
)
def test_sections_bring_their_stages(sections: str, kinds: list[type]) -> None:
    """Gates of the call, the wrapper, gates of attempts, the commit: in this order."""
    assert chain(policy(sections)) == kinds


def test_a_shadow_never_repeats() -> None:
    """A wrapper acts; there is no verdict of it to be counted."""
    desk = Desk("policies: [{name: p, effect: read, mode: shadow, retry: {}}]", 503)
    assert desk.codes(1) == ["503"]


def test_retry_runs_as_written() -> None:
    """End to end through the compiled pipeline."""
    desk = Desk(policy("retry: {attempts: 2, backoff: {base: 1ms}}"), 503, 200)
    assert desk.codes(1) == ["200"]


def test_a_breaker_opens_as_written() -> None:
    """Two failures, then nothing is sent; its name is on the refusal."""
    desk = Desk(policy(BREAKER), 500, 500)
    assert desk.codes(4) == ["500", "500", "circuit_open", "circuit_open"]
    refusal = desk.call().refusal
    assert refusal is not None
    assert refusal.policy == "p"


# --- the effect, and what is said in answers ---


@pytest.mark.parametrize(
    ("text", "call", "effect"),
    [
        ("", post("search"), Effect.WRITE),
        ("", request("GET", "/x"), Effect.READ),
        ("policies: [{name: p, effect: idempotent}]", post("search"), Effect.IDEMPOTENT),
        ("policies: [{name: p, effect: write}]", request("GET", "/x"), Effect.WRITE),
        ("policies: [{name: p, mode: shadow, effect: read}]", post("search"), Effect.WRITE),
    ],
)
def test_a_policy_knows_the_effect_better(text: str, call: Call, effect: Effect) -> None:
    """Than what the protocol assumes; every call of the pipeline gets it."""
    desk = Desk(text, 200)
    assert desk.pipeline(call).effect is effect
    desk.call(call)
    assert (call.effect, call.finishes_alone) == (effect, effect is Effect.WRITE)


def test_what_every_plain_success_says() -> None:
    """Made once, not on each call; the rule is the last policy, with the version of all."""
    desk = Desk("policies: [{name: a, timeout: {total: 1s}}, {name: b, effect: read}]")
    pipeline = desk.pipeline(post("search"))
    rule = b"holdfast-policy: b@%b\r\n" % desk.table.version.encode()
    assert pipeline.told == rule
    assert pipeline.at_once == (
        b"holdfast-origin: upstream\r\nholdfast-attempts: 1\r\nholdfast-outcome: ok\r\n" + rule
    )


def test_without_a_policy_no_rule_is_named() -> None:
    """There is none."""
    pipeline = Desk().pipeline(post("search"))
    assert (pipeline.told, pipeline.policies) == (b"", ())
    assert b"holdfast-policy" not in pipeline.at_once


def test_minimal_headers_say_only_the_origin() -> None:
    """The id of the call comes before it, call by call."""
    minimal = GATEWAY.replace("tools}", "tools, holdfast: {headers: minimal}}")
    pipeline = Desk(mounts=minimal).pipeline(post("search"))
    assert (pipeline.at_once, pipeline.minimal) == (b"holdfast-origin: upstream\r\n", True)


# --- shadow mode ---


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


# --- what is held until its result is known ---


@pytest.mark.parametrize(
    ("sections", "held"),
    [("retry: {}", True), ("breaker: {}", True), ("timeout: {total: 5s}", False)],
)
def test_answers_are_held_where_somebody_wants_their_result(sections: str, held: bool) -> None:
    """Only then; a shadow as well, or it would count results that it will not see in force."""
    for mode in ("enforce", "shadow"):
        commit = stages(f"policies: [{{name: p, effect: read, mode: {mode}, {sections}}}]")[-1]
        assert commit._hold is held


def test_a_stream_is_never_held() -> None:
    """Its head is its commit."""
    stream = make_reply(200, {b"content-type": b"text/event-stream"}, body=Body())
    assert Desk(policy("retry: {}"), stream).codes(1) == ["200"]
