"""proxy/lab/trials/play.py."""

import pytest

from proxy.lab.trials.play import Unplayable
from tests.lab.trials.scene import POLICIES, played


def test_a_call_that_goes_well():
    """As a proxy would have recorded it."""
    outcome = played("call: {upstream: gateway, tool: get_x}")
    record = outcome.record

    assert (record.decision, record.outcome, record.executed, record.code) == (
        "allow",
        "ok",
        "yes",
        "",
    )
    assert (outcome.status, outcome.took, outcome.shadow) == (200, 0.0, ())
    assert len(record.attempts) == 1


def test_a_read_is_repeated():
    """On the clock of the test; it has waited in between."""
    outcome = played("call: {upstream: gateway, tool: get_x}\n    upstream: [connect]")

    assert [attempt.result for attempt in outcome.record.attempts] == ["failure", "success"]
    assert outcome.took > 0


def test_a_failure_is_told_in_our_words():
    """As the agent gets it."""
    outcome = played("call: {upstream: gateway, tool: pay}\n    upstream: disconnect")

    assert (outcome.status, outcome.record.code) == (502, "upstream_disconnected")
    assert (outcome.record.outcome, outcome.record.executed) == ("failed", "unknown")


def test_calls_before_are_made_through_the_pipeline():
    """What came of them counts."""
    text = "call: {upstream: gateway, tool: pay}\n    state: {calls: [500, disconnect]}"

    assert played(text).record.code == "circuit_open"
    assert played(text.replace("[500, disconnect]", "2")).record.outcome == "ok"


def test_circuits_are_open_for_as_long_as_their_policy_says():
    """Then the call is the probe."""
    text = (
        "call: {upstream: gateway, tool: pay}\n    state: {circuits: {gateway/pay: open}, wait: %s}"
    )

    assert played(text % "8s").record.code == "circuit_open"
    assert played(text % "9s").record.outcome == "ok"


def test_a_circuit_may_be_half_open():
    """One call may try; if it fails, it is open again."""
    text = "call: {upstream: gateway, tool: pay}\n    state: {circuits: {gateway: half_open}}"

    assert played(text).record.outcome == "ok"


def test_an_upstream_may_have_asked_to_be_left_alone():
    """The call waits where that fits its time."""
    text = "call: {upstream: gateway, tool: pay}\n    state: {throttled: {gateway/pay: %s}}"

    assert played(text % "10s").took >= 10.0
    assert played(text % "60s").record.code == "rate_limited"


def test_calls_in_flight_are_not_answered():
    """They were there before the call, and are over with the test."""
    outcome = played("call: {upstream: gateway, tool: pay}\n    state: {in_flight: 5}")

    assert outcome.record.outcome == "ok"
    assert outcome.record.id == "test"


def test_shadows_are_heard():
    """Only those of the call itself."""
    text = "call: {upstream: gateway, tool: get_x}\n    state: {calls: %s}"

    assert played(text % "[500]").shadow == ("circuit_open",)
    assert played(text % "1").shadow == ()


def test_a_call_that_cannot_be_read_is_refused():
    """As it would be."""
    outcome = played("call: {upstream: gateway, tool: pay, path: /v1/other}\n    state: {calls: 1}")

    assert (outcome.record.code, outcome.status) == ("ambiguous_call", 400)


@pytest.mark.parametrize(
    ("text", "path", "why"),
    [
        ("call: {tool: pay}", "call", "upstream: must be one of"),
        ("call: {upstream: other, tool: pay}", "call", "a tool of plain HTTP is"),
        (
            "call: {upstream: gateway}\n    state: {circuits: {gatewy: open}}",
            "state.circuits.gatewy",
            "no upstream has this name; known: gateway, other",
        ),
        (
            "call: {upstream: gateway}\n    upstreams: {x: 200}",
            "upstreams.x",
            "no upstream has this name",
        ),
    ],
)
def test_what_cannot_be_played(text, path, why):
    """The key that is at fault, and why."""
    with pytest.raises(Unplayable) as caught:
        played(text)

    assert caught.value.path == path
    assert why in caught.value.why


def test_a_call_that_would_wait_for_ever():
    """No policy limits its time."""
    endless = POLICIES.replace("timeout: {total: 45s}, ", "")
    with pytest.raises(Unplayable, match="no policy limits its time"):
        played("call: {upstream: gateway, tool: pay}\n    upstream: timeout", endless)


def test_other_upstreams_have_scripts_of_their_own():
    """By their names; the call's own is not asked for."""
    outcome = played("call: {upstream: other, path: /a}\n    upstreams: {gateway: 503}")

    assert outcome.record.outcome == "ok"


def one(section, **more):
    """A policy with one section, and another upstream beside."""
    extra = "".join(f", {name}: {value}" for name, value in more.items())
    return f"""
upstreams:
  gateway: {{url: 'http://h', protocol: tools}}
  spare: {{url: 'http://h', protocol: tools, path: /spare}}
policies:
  - {{name: p, timeout: {{total: 9s}}, {section}{extra}}}
"""


PAY = "call: {upstream: gateway, tool: pay}\n    "


def test_a_rate_is_used_up_by_calls_before():
    """At one moment; time brings it back."""
    rate = one("rate_limit: {rate: 10/s, burst: 10}")

    assert played(PAY + "state: {calls: 9}", rate).record.outcome == "ok"
    assert played(PAY + "state: {calls: 10}", rate).record.code == "rate_limited"
    assert played(PAY + "state: {calls: 10, wait: 1s}", rate).record.outcome == "ok"


def test_permits_are_taken_by_calls_in_flight():
    """A place in the queue is waited for, as long as the policy says."""
    permits = one("bulkhead: {limit: 2, queue: 1, max_wait: 3s}")
    waited = played(PAY + "state: {in_flight: 2}", permits)

    assert played(PAY + "state: {in_flight: 1}", permits).took == 0.0
    assert (waited.record.code, round(waited.took, 3)) == ("bulkhead_full", 3.0)
    full = played(PAY + "state: {in_flight: 3}", permits)
    assert (full.record.code, full.took) == ("bulkhead_full", 0.0)


def test_another_upstream_may_answer():
    """It has a script of its own."""
    chain = one("fallback: [{upstream: spare}]")
    found = played(PAY + "upstream: connect\n    upstreams: {spare: 201}", chain)

    assert (found.record.outcome, found.record.served_by, found.record.tier) == (
        "fallback",
        "spare",
        1,
    )
    assert found.status == 201


def test_an_answer_may_be_kept_from_a_call_before():
    """Then nothing is sent."""
    shelf = one("cache: {max_age: 5m}", effect="read")
    found = played(PAY + "state: {calls: 1}\n    upstream: 500", shelf)

    assert (found.status, len(found.record.attempts)) == (200, 0)
    assert played(PAY + "state: {calls: 1, wait: 6m}\n    upstream: 500", shelf).status == 500


def test_conditions_are_asked_of_the_input():
    """As of a real call's."""
    denied = one("deny: {}", match="{when: 'double(input.amount) > 5.0'}")
    call = "call: {upstream: gateway, tool: pay, input: {amount: %s}}"

    assert played(call % "9", denied).record.code == "denied"
    assert played(call % "1", denied).record.outcome == "ok"
    circuits = "\n    state: {circuits: {gateway: open}}"
    assert played(call % "1" + circuits, denied).record.outcome == "ok"  # it has no breaker


def test_bulkheads_are_told_by_the_agent():
    """Who is in one shares its permits and its circuits."""
    core = one("breaker: {}") + "bulkheads: [{name: core, agents: [ann], limit: 1, queue: 0}]\n"

    assert played(PAY + "state: {in_flight: 1}", core).record.code == "bulkhead_full"
    assert played(PAY + "state: {circuits: {gateway: open}}", core).record.code == "circuit_open"
    other = "call: {upstream: gateway, tool: pay, agent: bob}\n    state: {in_flight: 1}"
    assert played(other, core).record.outcome == "ok"
