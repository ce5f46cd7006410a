"""Which calls leave a trace, and what their gates say.

tests/test_gateway_traces.py has their way.
"""

from typing import Any

import pytest

from proxy.call import Effect, Risk, Unrecorded
from proxy.config.places import ConfigError
from proxy.refusal import Refusal
from proxy.stage import Ground, Section, Site, Trackless
from proxy.stages.audit import Audit, IntentFirst, RecordFirst, ShadowIntent, Takes
from tests.fakes import (
    FakeClock,
    FakeTrail,
    make_attempt,
    make_call,
    make_ground,
    make_target,
    settled,
)
from tests.tables import load

TRACED = [(Effect.WRITE, Risk.LOW), (Effect.READ, Risk.HIGH), (Effect.IDEMPOTENT, Risk.CRITICAL)]
PLAIN = [(Effect.READ, Risk.MEDIUM), (Effect.IDEMPOTENT, Risk.LOW)]


def site(
    effect: Effect = Effect.WRITE,
    risk: Risk = Risk.MEDIUM,
    unrecorded: Unrecorded = Unrecorded.DENY,
    ground: Ground | None = None,
) -> Site:
    """Of a policy `p`."""
    target = make_target(effect, risk=risk, unrecorded=unrecorded)
    return Site(target, ground or make_ground(), "p")


@pytest.mark.parametrize(("effect", "risk"), TRACED + PLAIN)
def test_writes_and_what_is_risky_leave_a_trace(effect: Effect, risk: Risk) -> None:
    """At both ends, without any policy; no stage is there for other calls."""
    traced = (effect, risk) in TRACED
    found = (
        IntentFirst.usual(Section(), site(effect, risk)),
        IntentFirst.build(Audit(), site(effect, risk)),
        RecordFirst.build(Section(), site(effect, risk)),
    )
    assert [stage is not None for stage in found] == [traced] * 3


@pytest.mark.parametrize(("effect", "risk"), [TRACED[0], PLAIN[0]])
def test_a_policy_may_say_which_intents_are_written(effect: Effect, risk: Risk) -> None:
    """That changes nothing about records."""
    at = site(effect, risk)
    assert IntentFirst.build(Audit(intent="always"), at) is not None
    assert IntentFirst.build(Audit(intent="never"), at) is None
    assert (RecordFirst.build(Audit(intent="never"), at) is None) is (effect is Effect.READ)


@pytest.mark.parametrize(
    ("audit", "said"),
    [
        ("payload: some", "payload: expected full, none or redacted"),
        ("redact: [a.b]", "redact is for payload: redacted"),
        ("{payload: full, redact: [a.b]}", "redact is for payload: redacted"),
        ("{payload: redacted, redact: ['a[']}", "redact: "),
    ],
)
def test_what_cannot_be_meant_is_an_error(audit: str, said: str) -> None:
    """A path that is none, or one that nothing would look for."""
    audit = audit if audit.startswith("{") else f"{{{audit}}}"
    with pytest.raises(ConfigError, match=said):
        load(f"policies: [{{name: p, audit: {audit}}}]")


def test_payloads_are_taken_where_a_policy_keeps_them() -> None:
    """Else there is no stage; a shadow keeps nothing."""
    shadow = make_ground(shadow=True)
    assert Takes.build(Audit(), site()) is None
    assert Takes.build(Audit(payload="full"), site(ground=shadow)) is None
    for mode in ("redacted", "full"):
        found = Takes.build(Audit(payload=mode), site())
        assert found is not None
        assert found.says(make_call()).note == f"keeps the payload, {mode}"


def test_each_call_is_taken_as_its_policy_wishes() -> None:
    """Rules are made once for a policy, however many kinds of calls it has."""
    asked: list[Any] = []

    class Keeping(FakeTrail):
        def taking(self, call: Any, wish: Any) -> Any:
            asked.append(wish)
            return "taking"

    section = Audit(payload="redacted", redact=("input.ssn",))
    ground = make_ground(trail=Keeping())
    calls = [make_call(), make_call()]
    for call in calls:
        found = Takes.build(section, site(ground=ground))
        assert found is not None
        found.admit(call)
    taking: list[Any] = [call.taking for call in calls]
    assert taking == ["taking", "taking"]
    first, second = asked
    assert first.rules is second.rules
    assert (first.mode, first.limit, first.cuts) == ("redacted", first.rules.largest, False)
    assert first.rules.secret("ssn")


async def verdict(gate: IntentFirst, trail: FakeTrail, call: Any, *says: bool) -> Refusal | None:
    """What it says to an attempt, when the trail has said this."""
    found: Any = gate.admit(make_attempt(call))
    if found is None or isinstance(found, Refusal):
        return found
    for durable in says:
        await trail.says(durable)
    answer: Refusal | None = await found
    return answer


async def test_an_intent_says_what_is_about_to_happen() -> None:
    """And carries the call's id, by which its record ends it."""
    trail = FakeTrail()
    gate = IntentFirst(site(risk=Risk.HIGH, ground=make_ground(trail=trail)))
    assert await verdict(gate, trail, make_call(tool="pay", agent="ann"), True) is None
    (intent,) = trail.entries
    assert (intent.type, intent.id, intent.agent, intent.tool) == (
        "call.intent",
        "c1",
        "ann",
        "pay",
    )
    assert (intent.effect, intent.risk) == ("write", "high")


async def test_a_later_sending_has_the_same_intent() -> None:
    """It waits only where that is not durable yet."""
    trail = FakeTrail()
    gate = IntentFirst(site(ground=make_ground(trail=trail)))
    call, clock = make_call(), FakeClock()
    asked: list[Any] = [gate.admit(make_attempt(call)) for _ in range(2)]
    stays, leaves = (clock.spawn(each) for each in asked)
    await settled()
    leaves.cancel()  # the other one still gets to know
    await settled()
    await trail.says(True)
    assert (stays.result(), leaves.cancelled()) == (None, True)
    assert gate.admit(make_attempt(call)) is None
    assert len(trail.entries) == 1


@pytest.mark.parametrize("unrecorded", Unrecorded)
async def test_a_journal_that_is_known_not_to_be_well_is_not_waited_for(
    unrecorded: Unrecorded,
) -> None:
    """What is refused leaves no intent; what goes on leaves one that may still be written."""
    trail = FakeTrail("full")
    ground = make_ground(trail=trail)
    gate, call = IntentFirst(site(unrecorded=unrecorded, ground=ground)), make_call()
    refusal = await verdict(gate, trail, call)
    denied = unrecorded is Unrecorded.DENY
    assert (refusal is not None, len(trail.entries)) == (denied, 0 if denied else 1)
    if refusal is not None:
        assert (refusal.code, refusal.policy) == ("journal_unavailable", "p")
        assert (refusal.kind.status, refusal.retryable, refusal.executed) == (503, True, "no")
    assert gate._missed._counts.rows == ({} if denied else {("intent",): 1})


async def test_what_need_not_be_durable_is_counted_where_it_is_not() -> None:
    """The call does not wait for it, nor is it refused."""
    trail = FakeTrail()
    gate = IntentFirst(site(unrecorded=Unrecorded.ALLOW, ground=make_ground(trail=trail)))
    assert await verdict(gate, trail, make_call(), False) is None
    assert gate._missed._counts.rows == {("intent",): 1}


async def test_a_link_that_must_leave_a_trace_binds_the_call() -> None:
    """By its own upstream's policies, where those of the call do not ask for it."""
    trail = FakeTrail()
    gate, call = IntentFirst(site(ground=make_ground(trail=trail))), make_call()
    assert await verdict(gate, trail, call, True) is None
    assert call.lasting is not None
    own = make_call(lasting=lambda: None)
    before = own.lasting
    _ = await verdict(gate, trail, own, True)
    assert own.lasting is before


async def test_the_end_waits_for_what_was_noted() -> None:
    """Not where the journal is known not to be well; either way it is counted."""
    trail = FakeTrail()
    gate, call = RecordFirst(site(ground=make_ground(trail=trail))), make_call()
    gate.admit(call)
    assert call.lasting is not None
    for durable in (True, False):
        assert call.lasting() is trail.waiting[0]
        await trail.says(durable)
    left: Any = call.lasting()
    left.cancel()
    await settled()
    assert gate._missed._counts.rows == {("record",): 1}
    trail.state = trail.state._replace(kind="stuck")
    assert call.lasting() is None
    assert gate._missed._counts.rows == {("record",): 2}


async def test_without_a_journal_nothing_waits() -> None:
    """Tests and trials of policies need no disk."""
    gate, call = IntentFirst(site(ground=make_ground(trail=Trackless()))), make_call()
    assert gate.admit(make_attempt(call)) is None
    assert call.lasting is not None
    assert call.lasting() is None


def test_they_say_what_they_wait_for() -> None:
    """And what the journal's trouble means."""
    for kind, code in (("ok", ""), ("full", "journal_unavailable")):
        at = site(ground=make_ground(trail=FakeTrail(kind)))
        intent, record = IntentFirst(at).says(make_call()), RecordFirst(at).says(make_call())
        assert ("full" in intent.note, "full" in record.note) == (bool(code), bool(code))
        assert ("" if intent.refusal is None else intent.refusal.code) == code
        assert record.refusal is None


async def test_a_shadow_waits_for_nothing() -> None:
    """It says whom the journal's trouble would have stopped, where a policy has the section."""
    trail = FakeTrail("stuck")
    at = site(ground=make_ground(shadow=True, trail=trail))
    gate = IntentFirst.build(Audit(), at)
    assert isinstance(gate, ShadowIntent)
    refusal = gate.admit(make_attempt(make_call()))
    assert refusal is not None
    trail.state = trail.state._replace(kind="ok")
    assert gate.admit(make_attempt(make_call())) is None
    assert trail.entries == []
    assert IntentFirst.usual(Section(), at) is None
    assert RecordFirst.build(Section(), at) is None


def test_a_call_that_passes_once_more_is_taken_once() -> None:
    """Or what was seen of it by then would be lost."""

    class Kept(Trackless):
        def taking(self, call: Any, wish: Any) -> Any:
            return object()

    stage = Takes.build(Audit(payload="full"), Site(make_target(), make_ground(trail=Kept())))
    assert stage is not None
    call = make_call()
    stage.admit(call)
    first: Any = call.taking
    stage.admit(call)
    assert call.taking is first
