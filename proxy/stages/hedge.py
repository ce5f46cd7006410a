"""`hedge`: a read that is slow to answer is asked a second time, beside the first (spec 3.6).

A few answers take ten times as long as the others, and mostly for no reason that a second sending
would meet too. Whoever asks again after the time in which 95 of 100 answers are here, takes the
first answer and leaves the other, cuts that tail for at most 5 % more calls. It helps against a
slow *sending*; where the upstream itself is slow, it makes that worse. So a hedge is sent only to
what is well (no open circuit, no cool-down, a free permit: its attempt passes the same gates as any
other, and none of them lets a hedge wait), only for reads, and only for a token of the budget that
retries live on.

**How two run at once.** A call is one strand, and most calls never need a second. So the first
sending runs where any other would, and all that a call pays is a place in a queue, which one alarm
of this stage watches. When it comes due, the hedge gets a strand of its own. If it has an answer
first, the call is interrupted where it waits, in the way in which a call is always cancelled: what
was under way there gives back what it has, and the cancellation ends here, in the hedge's reply.
That is done from the loop, when no strand is running: so the call surely waits, within `handle`.
"""

import asyncio
import weakref
from collections import deque
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from proxy.attempt import Attempt
from proxy.call import Call
from proxy.clock import NEVER
from proxy.counts import HEDGES
from proxy.keys import LatencyKey
from proxy.reply import SUCCESS, Reply, Result
from proxy.stage import Said, Section, Site
from proxy.state.allowance import Allowance
from proxy.state.latency import LEAST, Latency
from proxy.strand import Signal, Strand
from proxy.units import Delay

_AGAIN = 0.01
"""Seconds, at least, until a call is looked at again that is not on its way just now."""
_ANSWERS = frozenset({Result.SUCCESS, Result.CALLER_ERROR})
"""What ends a race: another sending would bring the same."""


class Hedge(Section, frozen=True, kw_only=True):
    """A read that is slow to answer is sent again, beside the first; the first answer counts."""

    holds: ClassVar[bool] = True
    reads_only: ClassVar[bool] = True

    after: Annotated[
        Delay,
        Meta(
            description="So long after the first sending; p95: after the time in which 95 of the "
            "last 100 good answers were here, from 20 answers on."
        ),
    ] = Delay("inf")
    max: Annotated[int, Meta(ge=1, le=3, description="Further sendings, each that much later.")] = 1

    def __post_init__(self) -> None:
        """Raises ValueError for a wait of zero: it would send every call twice."""
        if not self.after:
            raise ValueError("after: must be longer than 0")


class _Race(msgspec.Struct, eq=False):
    """One call, and what is sent beside it."""

    call: Call
    began: float  # on Clock.now
    due: float  # for the next hedge
    after: float  # seconds between two
    waited: float  # by the call, before it was sent
    over: bool = False
    sent: int = 0  # hedges
    running: tuple[Strand, ...] = ()
    won: Reply | None = None  # a hedge's
    rest: Signal[None] | None = None  # somebody waits for what the hedges come to
    bug: Exception | None = None  # of a hedge

    def end(self) -> None:
        """The call has its answer, or is over: what still runs is cancelled, and not awaited."""
        running, self.running = self.running, ()
        for strand in running:
            strand.cancel()


class Race:
    """The stage: sends a call, and hedges beside it."""

    def __init__(self, section: Hedge, site: Site) -> None:
        target, ground = site.target, site.ground
        self._inner = site.inner
        self._sender = site.sender
        self._clock = ground.clock
        self._upstream = target.upstream
        self._after = float(section.after)
        self._by_p95 = section.after.measured
        self._max = section.max
        self._latency = ground.kept(
            LatencyKey(target.domain, target.upstream, target.tool), Latency
        )
        self._budget = Allowance.of(ground, target)
        self._counts = ground.kept(HEDGES.key, HEDGES.counts)
        self._waiting: deque[_Race] = deque()
        # Not held by its own alarm: a pipeline that nobody calls any more is let go at once.
        rang = weakref.WeakMethod(self._rang)
        self._alarm = ground.clock.alarm(lambda: ring() if (ring := rang()) is not None else None)

    def says(self, call: Call) -> Said:
        """After how long another one is sent beside it."""
        if self._by_p95 and self._latency.p95 == NEVER:
            return Said(f"not before {LEAST} answers have shown how long they take")
        after = self._latency.p95 if self._by_p95 else self._after
        return Said(f"{self._max} more after {after * 1000:.0f} ms")

    async def handle(self, call: Call) -> Reply:
        """The first good answer of the call and its hedges."""
        after = self._latency.p95 if self._by_p95 else self._after
        began = self._clock.now()
        race = _Race(call, began, began + after, after, call.waited)
        waiting = self._waiting
        if after != NEVER:
            waiting.append(race)
            if len(waiting) == 1:
                self._alarm.set(race.due)
        try:
            reply = await self._inner(call)
            if race.sent and reply.result not in _ANSWERS:
                reply = await self._outcome(race, reply)
        except asyncio.CancelledError:
            if race.won is None or call.stopped is not None:
                raise
            reply = self._taken(race)
        finally:
            race.over = True
            if race.sent:
                self._end(race)
            while waiting and waiting[0].over:
                waiting.popleft()
        if race.bug is not None:
            reply.bug = reply.bug or race.bug
        if self._by_p95 and reply.result is SUCCESS and reply.attempt is not None:
            attempt = reply.attempt
            self._latency.note((attempt.first_byte or self._clock.now()) - attempt.started)
        return reply

    async def _outcome(self, race: _Race, reply: Reply) -> Reply:
        """The call itself failed; a hedge may still do better, or has."""
        if race.won is None:
            if not race.running or (reply.body is not None and reply.body.whole is None):
                return reply  # one that holds a connection cannot be kept for later
            reply = await self._rest(race, reply)
        if race.won is None:
            return reply
        reply.drop()
        return self._taken(race)

    async def _rest(self, race: _Race, failed: Reply) -> Reply:
        """What is left of the failed reply when the hedges have come to something."""
        last = failed.set_aside()
        assert last is not None  # its body is here
        race.rest = Signal()
        try:
            await race.rest
        except BaseException:
            last.drop()
            raise
        return last

    def _taken(self, race: _Race) -> Reply:
        won, race.won = race.won, None
        assert won is not None
        self._counts.add(self._upstream, "won")
        return won

    # --- what comes due ---

    def _end(self, race: _Race) -> None:
        """Of one in which hedges were sent."""
        for _ in race.running:
            self._counts.add(self._upstream, "lost")
        # Both have waited, at the same time; the call waits once.
        call, took = race.call, self._clock.now() - race.began
        call.waited = min(call.waited, race.waited + took)
        race.end()
        if race.won is not None:  # it came just too late
            race.won.drop()
            race.won = None

    def _rang(self) -> None:
        now = self._clock.now()
        waiting = self._waiting
        while waiting and (waiting[0].over or waiting[0].due <= now):
            race = waiting.popleft()
            if race.over:
                continue
            due = _due(race, now)
            if due > now:
                race.due = due
                waiting.append(race)
            else:
                self._hedge(race, now)
        if waiting:
            self._alarm.set(waiting[0].due)

    def _hedge(self, race: _Race, now: float) -> None:
        objection = self._objection(race.call, now)
        if objection:
            self._counts.add(self._upstream, objection)
            return
        race.sent += 1
        if race.sent < self._max:
            race.due = now + race.after
            self._waiting.append(race)
        strand = Strand(self._leg(race), lambda bug: self._leg_ended(race, strand, bug))
        race.running += (strand,)
        strand.step()

    def _objection(self, call: Call, now: float) -> str:
        """Why no hedge is sent; empty: nothing speaks against it."""
        if call.stopped is not None or call.deadline - now < call.min_attempt:
            return "too_late"
        if call.body.whole is None:
            return "not_replayable"
        return "" if self._budget.take(now) else "retry_budget"

    async def _leg(self, race: _Race) -> None:
        call = race.call
        number = len(call.attempts) + 1
        attempt = Attempt(
            call,
            number,
            number,
            self._clock.now(),
            deadline=call.deadline,
            upstream=self._upstream,
            hedge=True,
        )
        call.attempts.append(attempt)
        try:
            reply = await self._sender(attempt)
        finally:
            if not attempt.sent:
                self._budget.give_back()
        if reply.refused or reply.result not in _ANSWERS or race.won is not None or race.over:
            self._counts.add(self._upstream, "refused" if reply.refused else "failed")
            reply.drop()
            return
        race.won = reply

    def _leg_ended(self, race: _Race, strand: Strand, bug: BaseException | None) -> None:
        """It came to nothing, or won; nobody waits for one that was cancelled."""
        if isinstance(bug, Exception):
            race.bug = race.bug or bug
        if race.over:
            return
        race.running = tuple(other for other in race.running if other is not strand)
        if race.rest is not None:
            if race.won is not None or not race.running:
                race.rest.set(None)
        elif race.won is not None:
            self._clock.soon(lambda: self._interrupt(race))

    def _interrupt(self, race: _Race) -> None:
        """The hedge's answer is here, and the call waits for its own."""
        if race.won is not None and not race.over and race.call.cancel is not None:
            race.call.cancel()


def _due(race: _Race, now: float) -> float:
    """When the call's own sending will have been on its way for so long.

    It may have stood in a queue first. And where it failed and waits to be repeated, nothing is
    slow: to send beside that would be a repetition without its backoff.
    """
    own = next(each for each in reversed(race.call.attempts) if not each.hedge)
    if own.ended is None or race.rest is not None:
        return own.started + race.after
    return now + max(race.after, _AGAIN)
