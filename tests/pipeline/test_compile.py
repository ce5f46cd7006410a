"""From what policies say to what runs."""

import pytest

from proxy.call import Call, Effect
from proxy.keys import InFlightKey
from tests.fakes import run
from tests.tables import GATEWAY, Desk, post, request

BREAKER = "breaker: {consecutive: 2, open: {base: 60s, jitter: 0}}"
READ = "policies: [{name: r, effect: read}]"


def policy(sections: str) -> str:
    """One policy with these sections."""
    return f"policies: [{{name: p, effect: read, {sections}}}]"


# --- what is in flight ---


def test_a_refused_call_has_a_rule_and_is_in_flight_until_its_record() -> None:
    """A check refuses after the pipeline has taken the call on, as a guard would."""
    desk, call = Desk(policy("deny: {}")), post("search")
    pipeline = desk.pipeline(call)
    refusal = run(pipeline(call)).refusal
    assert refusal is not None
    assert refusal.code == "denied"
    assert (call.rule.version, call.flight) == (desk.table.version, pipeline.flight)
    assert pipeline.flight.now == 1


def test_calls_of_one_tool_are_counted_together() -> None:
    """In the keep, for whoever shows it, whichever table their pipeline is of."""
    desk = Desk("", 200, 200)
    again = Desk(READ, 200, keep=desk.keep)
    one, other = desk.pipeline(post("search")), again.pipeline(post("search"))
    for pipeline in (one, other):
        run(pipeline(post("search")))
    flight = dict(desk.keep.items())[InFlightKey("", "gateway", "search")]
    assert (one.flight is flight, other.flight is flight, flight.now) == (True, True, 2)
    assert not flight.idle
    assert desk.pipeline(post("other")).flight.idle


def test_a_shadow_never_repeats() -> None:
    """A wrapper acts; there is no verdict of it to be counted."""
    desk = Desk("policies: [{name: p, effect: read, mode: shadow, retry: {}}]", 503)
    assert desk.codes(1) == ["503"]


def test_retry_runs_as_written() -> None:
    """End to end through the compiled pipeline."""
    desk = Desk(policy("retry: {attempts: 2, backoff: {base: 1ms}}"), 503, 200)
    assert desk.codes(1) == ["200"]


def test_permits_are_those_of_the_policy_that_gave_the_limit() -> None:
    """Another one that says how many may wait does not part them."""
    desk = Desk(
        "policies:\n"
        "  - {name: all, bulkhead: {limit: 1, per: [rule]}}\n"
        "  - {name: one, match: {tool: other}, bulkhead: {queue: 0}}",
        200,
    )
    first, second = post("search"), post("other")
    run(desk.pipeline(first)(first))
    refusal = run(desk.pipeline(second)(second)).refusal
    assert refusal is not None
    assert (refusal.code, refusal.policy) == ("bulkhead_full", "all")


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
    rule = desk.pipeline(post("search")).rule
    told = b"holdfast-policy: b@%b\r\n" % desk.table.version.encode()
    assert (rule.version, rule.told, rule.minimal) == (desk.table.version, told, False)
    assert rule.plain == (
        b"holdfast-origin: upstream\r\nholdfast-attempts: 1\r\nholdfast-outcome: ok\r\n" + told
    )


def test_every_call_has_the_rule_of_its_pipeline() -> None:
    """What is said of it needs nothing else."""
    desk, call = Desk(READ, 200), post("search")
    pipeline = desk.pipeline(call)
    desk.call(call)
    assert call.rule is pipeline.rule


def test_without_a_policy_no_rule_is_named() -> None:
    """There is none."""
    pipeline = Desk().pipeline(post("search"))
    assert (pipeline.rule.told, pipeline.policies) == (b"", ())
    assert b"holdfast-policy" not in pipeline.rule.plain


def test_minimal_headers_say_only_the_origin() -> None:
    """The id of the call comes before it, call by call."""
    minimal = GATEWAY.replace("tools}", "tools, holdfast: {headers: minimal}}")
    rule = Desk(mounts=minimal).pipeline(post("search")).rule
    assert (rule.plain, rule.minimal) == (b"holdfast-origin: upstream\r\n", True)


# --- what one section says to the stages of another ---


@pytest.mark.parametrize(
    ("sections", "statuses"),
    [
        ("retry: {}", ["500"]),
        ("retry: {}, idempotency: {}", ["200"]),
        ("retry: {}, idempotency: {inject: false}", ["500"]),
        ("retry: {}, idempotency: {mode: shadow}", ["500"]),
        ("retry: {safe: never_executed}, idempotency: {}", ["500"]),
    ],
)
def test_a_write_with_a_key_is_repeated(sections: str, statuses: list[str]) -> None:
    """To have the section is to say that the upstream honours keys; without one it is not safe."""
    text = f"policies: [{{name: p, effect: write, {sections}}}]"
    assert Desk(text, 500, 200).codes(1) == statuses


def test_a_402_that_passes_leaves_nobody_alone() -> None:
    """`on_402: stop` sets a cool-down; to a price the next call may come with the money."""
    assert Desk(policy("retry: {}"), 402).codes(2) == ["402", "rate_limited"]
    assert Desk(policy("retry: {on_402: pass}"), 402, 200).codes(2) == ["402", "200"]
    assert Desk(policy("breaker: {}"), 402).codes(2) == ["402", "rate_limited"]
