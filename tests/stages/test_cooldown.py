"""Leaving a throttled upstream alone."""

import asyncio
import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.attempt import Attempt
from proxy.counts import Counts
from proxy.keys import QuietKey
from proxy.pipeline.guard import AttemptGuard
from proxy.refusal import Refusal
from proxy.reply import Reply
from proxy.stage import Ground, Site
from proxy.stages.cooldown import QUOTA, CoolDown
from proxy.stages.retry import Retry
from tests.fakes import (
    FakeClock,
    ScriptedUpstream,
    Turn,
    decided,
    make_attempt,
    make_call,
    make_ground,
    make_reply,
    make_target,
    run,
)


def gate(ground: Ground, tool: str = "search") -> CoolDown:
    """The gate of a tool."""
    return CoolDown(Retry(), Site(make_target(tool=tool), ground, "polite"))


def throttled(seconds: float = 5.0, **more: Any) -> Reply:
    """An upstream that asks to be left alone for so long."""
    return make_reply(429, {b"retry-after-ms": b"%d" % (seconds * 1000)}, **more)


def attempt(clock: FakeClock, left: float = 45.0) -> Attempt:
    """One of a call with so many seconds left."""
    return make_attempt(make_call(deadline=clock.now() + left), started=clock.now())


def cooled(seconds: float = 5.0, **more: Any) -> tuple[CoolDown, FakeClock]:
    """A gate that was just told."""
    clock = FakeClock()
    made = gate(make_ground(clock))
    made.committed(attempt(clock), throttled(seconds, **more))
    return made, clock


async def verdict(made: CoolDown, subject: Attempt) -> Refusal | None:
    """Its verdict, waited for if need be."""
    answer = made.admit(subject)
    return await answer if inspect.isawaitable(answer) else answer


def test_nothing_is_asked_of_an_upstream_that_never_throttled() -> None:
    """Attempts go at once, and good answers change nothing."""
    clock = FakeClock()
    made = gate(make_ground(clock))
    made.committed(attempt(clock), make_reply(200, {b"retry-after": b"9"}))
    made.committed(attempt(clock), make_reply(429))
    assert made.admit(attempt(clock)) is None


@pytest.mark.parametrize("shadow", [False, True])
def test_it_hears_of_commits_and_is_not_settled(shadow: bool) -> None:
    """It takes nothing of an attempt; what one of them learned holds from its commit on."""
    clock = FakeClock()
    made = gate(make_ground(clock, shadow=shadow))
    gates: list[Any] = [made]
    asked = ([], gates) if shadow else (gates, [])
    guard = AttemptGuard(*asked, ScriptedUpstream(throttled()), decided, clock, Counts(()))
    reply = run(guard(attempt(clock)))
    assert (reply.status, reply.finishers) == (429, [])
    assert isinstance(made.admit(attempt(clock, left=1.0)), Refusal)


def guarded(made: CoolDown, clock: FakeClock) -> AttemptGuard:
    """It, before an upstream that is well."""
    return AttemptGuard([made], [], ScriptedUpstream(200), decided, clock, Counts(()))


async def test_a_call_that_can_wait_does() -> None:
    """It goes on when the time is over, a little later by chance; that is waiting for others."""
    made, clock = cooled(5.0)
    subject = attempt(clock)
    assert (await guarded(made, clock)(subject)).status == 200
    assert 5.0 <= clock.slept[0] <= 5.5
    assert subject.call.waited == pytest.approx(clock.slept[0])
    assert subject.started == clock.now()


def test_a_call_that_cannot_wait_is_told_how_long_it_takes() -> None:
    """`rate_limited`, with what is left."""
    made, clock = cooled(5.0)
    clock.advance(1.0)
    refusal = made.admit(attempt(clock, left=4.05))
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.policy, refusal.scope) == ("rate_limited", "polite", "tool")
    assert refusal.retry_after == pytest.approx(4.0)
    assert refusal.retryable
    assert clock.slept == []


@pytest.mark.parametrize(("seconds", "waits"), [(29.0, True), (31.0, False)])
def test_a_call_without_a_deadline_waits_half_a_minute_at_most(seconds: float, waits: bool) -> None:
    """Nobody waits for an hour because no limit was written down."""
    made, clock = cooled(seconds)
    answer = run(verdict(made, attempt(clock, left=float("inf"))))
    assert (answer is None) is waits


def test_chance_does_not_push_a_call_over_its_deadline() -> None:
    """Where there is room for the wait but not for more, it waits no longer than asked."""
    made, clock = cooled(5.0)
    assert run(verdict(made, attempt(clock, left=5.12))) is None
    assert clock.slept == [5.0]


@given(st.lists(st.floats(0.1, 1000), min_size=1, max_size=10))
def test_it_is_only_ever_extended(waits: list[float]) -> None:
    """Of all that was asked for, the latest end counts."""
    clock = FakeClock()
    made = gate(make_ground(clock))
    latest = 0.0
    for seconds in waits:
        made.committed(attempt(clock), throttled(seconds))
        latest = max(latest, clock.now() + int(seconds * 1000) / 1000)
        clock.advance(0.5)
    refusal = made.admit(attempt(clock, left=0.0))
    left = latest - clock.now()
    assert (
        (refusal is None)
        if left <= 0
        else (isinstance(refusal, Refusal) and refusal.retry_after == left)
    )


def test_who_waits_sees_that_it_was_extended() -> None:
    """A second throttling during the wait is waited for as well, or refused."""
    made, clock = cooled(5.0)
    subject = attempt(clock, left=8.0)
    waiting = made.admit(subject)
    assert inspect.isawaitable(waiting)
    made.committed(attempt(clock), throttled(30.0))
    refusal = run(_awaited(waiting))
    assert isinstance(refusal, Refusal)
    made, clock = cooled(5.0)
    waiting = made.admit(attempt(clock))
    assert inspect.isawaitable(waiting)
    made.committed(attempt(clock), throttled(30.0))
    assert run(_awaited(waiting)) is None
    assert len(clock.slept) == 2


async def _awaited(answer: Any) -> Any:
    return await answer


def test_a_used_up_quota_is_not_waited_for() -> None:
    """Refused at once, not to be repeated, for five minutes unless the upstream says when."""
    clock = FakeClock()
    made = gate(make_ground(clock))
    made.committed(attempt(clock), make_reply(402))
    refusal = made.admit(attempt(clock, left=3600.0))
    assert isinstance(refusal, Refusal)
    assert (refusal.retry_after, refusal.retryable, refusal.step) == (QUOTA, False, "ask_owner")
    clock.advance(QUOTA)
    assert made.admit(attempt(clock)) is None


def test_it_is_each_tools_own_and_outlives_a_reload() -> None:
    """Another gate of the same tool knows of it, another tool does not."""
    clock = FakeClock()
    ground = make_ground(clock)
    gate(ground).committed(attempt(clock), throttled(60.0))
    assert isinstance(gate(ground).admit(attempt(clock)), Refusal)
    assert gate(ground, "deposit").admit(attempt(clock)) is None


def test_it_makes_room_when_it_is_over() -> None:
    """An entry of the keep may be forgotten when nobody has to wait for it any more."""
    clock = FakeClock()
    ground = make_ground(clock)
    gate(ground).committed(attempt(clock), throttled(60.0))
    quiet = dict(ground.keep.items())[QuietKey("", "gateway", "search")]
    assert not quiet.idle
    clock.advance(60.0)
    assert quiet.idle


def test_a_shadow_makes_nobody_wait() -> None:
    """It refuses where it would refuse; where it would wait, the call goes on."""
    clock = FakeClock()
    made = gate(make_ground(clock, shadow=True))
    made.committed(attempt(clock), throttled(5.0))
    assert made.admit(attempt(clock)) is None
    assert isinstance(made.admit(attempt(clock, left=1.0)), Refusal)


async def test_cancelled_while_waiting_it_still_knows_how_long_it_waited() -> None:
    """The time until the cancellation was spent waiting for others."""
    clock = FakeClock(asleep=False)
    made = gate(make_ground(clock))
    made.committed(attempt(clock), throttled(5.0))
    subject = attempt(clock)
    task = asyncio.ensure_future(guarded(made, clock)(subject))
    await Turn()
    await Turn()  # it waits in a task of its own
    clock.advance(2.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert subject.call.waited == pytest.approx(2.0)


def test_a_hedge_is_not_held_up_but_refused() -> None:
    """It is a second sending to what asked for none, though there would be time to wait."""
    made, clock = cooled()
    hedge = attempt(clock)
    hedge.hedge = True
    refusal = made.admit(hedge)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "rate_limited"
