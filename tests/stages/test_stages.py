"""The order of stages."""

from typing import Any

import pytest

from proxy.attempt import Attempt
from proxy.counts import Counts
from proxy.pipeline.guard import AttemptGuard
from proxy.refusal import Refusal
from proxy.reply import Reply
from proxy.stage import Site
from proxy.stages import BACKUPS, BUDGETS, DOMAIN, IN_FORCE, ORDER, SECTIONS, TYPES
from proxy.stages.breaker import Breaker
from proxy.stages.rate_limit import RateLimit
from proxy.stages.timeout import Timeout
from proxy.state.circuit_rules import Open
from proxy.units import Rate, Seconds
from tests.fakes import (
    FakeClock,
    ScriptedUpstream,
    decided,
    make_attempt,
    make_call,
    make_ground,
    make_reply,
    make_target,
)


def test_every_section_has_a_stage() -> None:
    """What can be written down does something; and what does something can be written down."""
    # What a call costs is charged by the gate of budgets.
    assert {name for entry in ORDER for name in entry.sections} | {"cost"} == TYPES.keys()
    assert IN_FORCE.keys() - SECTIONS.keys() == {DOMAIN}  # it comes with the agent
    assert TYPES.keys() - IN_FORCE.keys() == {BACKUPS, BUDGETS}  # with the upstream; with money


def test_stages_stand_where_their_kind_can() -> None:
    """Phase after phase; one maker, the last of what is for a link; gates alone in an attempt."""
    phases = [entry.phase for entry in ORDER]
    assert phases == sorted(phases, key=["call", "link", "attempt"].index)
    (maker,) = (entry for entry in ORDER if entry.kind == "maker")
    assert [entry for entry in ORDER if entry.phase == "link"][-1] is maker
    assert maker.otherwise is not None
    assert {entry.kind for entry in ORDER if entry.phase == "attempt"} == {"gate"}


def test_sections_have_defaults_for_everything() -> None:
    """A section that is present, even empty, is on."""
    for section in SECTIONS.values():
        section()


def gates(clock: FakeClock) -> list[Any]:
    """All gates of an attempt, as they stand around one sending."""
    ground = make_ground(clock)
    sections = {name: section() for name, section in TYPES.items()}
    sections["timeout"] = Timeout(total=Seconds(9.0), attempt=Seconds(5.0))
    sections["breaker"] = Breaker(
        consecutive=1, keys=("tool",), open=Open(base=Seconds(1.0), jitter=0.0)
    )
    sections["rate_limit"] = RateLimit(rate=Rate("6/m"), burst=1)
    entries = [entry for entry in ORDER if entry.phase == "attempt"]
    site = Site(make_target(), ground, "p")
    built = (entry.build(sections.get(next(iter(entry.sections), "")), site) for entry in entries)
    return [gate for gate in built if gate is not None]


def told(gates: list[Any], attempt: Attempt, reply: Reply) -> None:
    """What came of an attempt reaches each gate."""
    for gate in gates:
        gate.committed(attempt, reply)


async def asked(gates: list[Any], attempt: Attempt, clock: FakeClock) -> Refusal | None:
    """The first refusal, with everything waited for, before an upstream that is well."""
    upstream = ScriptedUpstream(200)
    guard = AttemptGuard(gates, [], upstream, decided, clock, Counts(()))
    return (await guard(attempt)).refusal


async def test_an_open_circuit_refuses_before_anything_waits() -> None:
    """A cool-down is on as well; nobody waits for a call that would not be sent."""
    clock = FakeClock()
    all_gates = gates(clock)
    told(all_gates, make_attempt(started=clock.now()), make_reply(429, {b"retry-after": b"3"}))
    told(all_gates, make_attempt(started=clock.now()), make_reply(500))
    refusal = await asked(all_gates, make_attempt(started=clock.now(), of=2), clock)
    assert refusal is not None
    assert (refusal.code, clock.slept) == ("circuit_open", [])


async def test_waiting_does_not_eat_an_attempts_own_time() -> None:
    """Its share begins when the cool-down is over."""
    clock = FakeClock()
    all_gates = gates(clock)
    told(all_gates, make_attempt(started=clock.now()), make_reply(429, {b"retry-after": b"3"}))
    attempt = make_attempt(started=clock.now(), of=2)
    assert await asked(all_gates, attempt, clock) is None
    assert clock.slept != []
    assert attempt.deadline == clock.now() + 5.0


async def test_a_turn_is_not_taken_before_the_cool_down_is_over() -> None:
    """A turn is for the moment of sending: those who waited together do not go together."""
    clock = FakeClock()
    all_gates = gates(clock)
    told(all_gates, make_attempt(started=clock.now()), make_reply(429, {b"retry-after": b"3"}))
    assert await asked(all_gates, make_attempt(started=clock.now()), clock) is None
    began = clock.now()
    refusal = await asked(all_gates, make_attempt(started=began), clock)
    assert refusal is not None
    assert refusal.code == "rate_limited"
    assert refusal.retry_after == pytest.approx(10.0)


async def test_a_turn_of_what_is_not_sent_is_free_again() -> None:
    """Gates behind refuse what has no time left."""
    clock = FakeClock()
    all_gates = gates(clock)
    late = make_attempt(make_call(deadline=clock.now()), started=clock.now())
    for _ in range(3):
        refusal = await asked(all_gates, late, clock)
        assert refusal is not None
        assert refusal.code == "deadline_exceeded"


async def test_a_probe_is_taken_only_by_what_is_sent() -> None:
    """One that has no time left is refused first, and the next may try."""
    clock = FakeClock()
    all_gates = gates(clock)
    told(all_gates, make_attempt(started=clock.now()), make_reply(500))
    clock.advance(1.5)
    late = make_call(deadline=clock.now())
    refusal = await asked(all_gates, make_attempt(late, started=clock.now()), clock)
    assert refusal is not None
    assert refusal.code == "deadline_exceeded"
    assert await asked(all_gates, make_attempt(started=clock.now()), clock) is None
