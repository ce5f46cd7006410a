"""`bulkhead`: so many attempts at a tool at once; the others wait a little, or are refused (3.5).

A slow tool must not take all that calls to other tools need: connections, memory, and the patience
of the agents. A permit is held from here until the attempt settles, so not while a call waits for
its next attempt, and neither for anything that a stage in front of this one makes it wait for.

**Who waits, and how long.** At most `max_wait`, and no longer than its deadline leaves room for an
attempt. Where a client gives a call less time than the policy would, a quarter of that at most:
what begins with the last tenth of a second begins in vain, and nobody knows then if a write ran.

**Who is served first** is said by the class of the call, then by whose turn it is (see
`state/permits.py`). What a call says of its own class is believed as far as the policy's `priority`
allows: with one, a call may only ask for less; without one, for anything, for an agent that raises
itself then does so among its own calls. Retries and hedges are behind all first attempts.

**Two of them.** Agents that share a bulkhead (`bulkheads:`, spec 3.9) share its permits too. Those
come after the tool's, so that who waits for a slow tool does not hold what others could use.
"""

import asyncio
from collections.abc import Awaitable
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from proxy.attempt import Attempt
from proxy.call import Call, latest_start
from proxy.clock import NEVER
from proxy.counts import BULKHEAD_SHED
from proxy.keys import PermitsKey
from proxy.protocols.blame import cut_short
from proxy.refusal import Refusal
from proxy.reply import SUCCESS, Failure, Reply, Result
from proxy.stage import Ground, NothingTaken, Queues, Said, Section, Site, Target, Verdict
from proxy.state.per import Key, Per, Word
from proxy.state.permits import End, PermitRules, Permits, Rank, Waiting
from proxy.state.queued import Queued
from proxy.units import Seconds

SHORTEST, LONGEST = 1.0, 5.0
"""Seconds after which a refused call is told to come back: when all who wait now are gone, that is
after `max_wait`, but not sooner or later than this."""
PATIENCE = 0.25
"""Of a deadline that the client set, the most that is spent in the queue."""

Limit = Annotated[int, Meta(ge=1, le=100_000)]
Places = Annotated[int, Meta(ge=0, le=10_000)]

_GRANTED, _HEDGE, _RETRY = End.GRANTED, Rank.HEDGE, Rank.RETRY
_MADE = tuple.__new__
_TOO_BUSY = frozenset({503, 529})


class Adaptive(Section, frozen=True, kw_only=True):
    """The limit is felt out: one more while all goes well, a third less when it was too much."""

    min: Annotated[Limit, Meta(description="Never fewer.")] = 1
    max: Annotated[Limit, Meta(description="Never more.")] = 64

    def __post_init__(self) -> None:
        """Raises ValueError where there is nothing between the two."""
        if self.min > self.max:
            raise ValueError(f"min: expected at most max ({self.max}), found {self.min}")


class Bulkhead(Section, frozen=True, kw_only=True):
    """How many attempts may be under way at once, and how many may wait for their turn."""

    restricts: ClassVar[bool] = True

    limit: Annotated[Limit, Meta(description="So many at once; where adaptive starts.")] = 16
    queue: Annotated[Places, Meta(description="So many may wait; 0: nobody does.")] = 32
    max_wait: Annotated[
        Seconds,
        Meta(description="Nobody waits longer, nor past what the deadline leaves room for."),
    ] = Seconds(1.0)
    per: Annotated[
        tuple[Word, ...],
        Meta(min_length=1, description="What has permits of its own; rule: all of this policy."),
    ] = ("tool",)
    adaptive: Annotated[
        Adaptive | bool,
        Meta(description="Feel the limit out by throttling, 503 and timeouts; true: {}."),
    ] = False
    priority: Annotated[
        Literal["interactive", "agent", "background"] | None,
        Meta(
            description="Class of calls that say none, and the highest they may ask for. Default: "
            "agent, and they may ask for any."
        ),
    ] = None


class _Gate(Queues):
    """What all gates of permits have in common: whom they let wait, and how they say no."""

    __slots__ = (
        *("_clock", "_ground", "_highest", "_most", "_names", "_per", "_policy", "_queued"),
        *("_rest", "_rules", "_shed", "_usual", "_wait"),
    )

    kind = "permits"
    committed = NothingTaken.committed  # it need not hear of commits

    def __init__(
        self, section: Bulkhead, per: Per, target: Target, ground: Ground, policy: str
    ) -> None:
        """`policy` is the one that gave the limit; its permits are kept under its name."""
        self._clock = ground.clock
        self._ground = ground
        self._names, self._rest = (target.domain, policy), (self.kind, "")
        self._policy = policy
        self._per = per
        self._wait = float(section.max_wait)
        self._most = section.queue if self._wait else 0
        asked = None if section.priority is None else _RANKS[section.priority.encode()]
        self._usual = Rank.AGENT if asked is None else asked
        self._highest = Rank.INTERACTIVE if asked is None else asked
        self._rules = _rules(section)
        self._queued = Queued.of(ground, target)
        self._shed = ground.kept(BULKHEAD_SHED.key, BULKHEAD_SHED.counts)

    def says(self, call: Call) -> Said:
        """How many are taken, and what a first attempt would come to."""
        permits = self._seen(call)
        if permits is None:
            return Said(f"0 of {self._rules.limit} permits are taken")
        note = f"{permits.held} of {permits.limit} permits are taken, {permits.waiting} wait"
        if permits.held < permits.limit or self._would_wait(self._rank_of(call), permits):
            return Said(note)
        return Said(note, self._refusal(call, permits, _FULL))

    def _seen(self, call: Call) -> Permits | None:
        key = PermitsKey(*self._names, *self._per.of(call), self.kind)
        found: Permits | None = self._ground.seen(key)
        return found

    def _of(self, call: Call) -> Permits:
        """Those that this call needs one of."""
        return self._kept(self._per.of(call))

    def _kept(self, whose: Key) -> Permits:
        # The same key; made for each call, so without its `__new__`, which costs twice as much.
        key = _MADE(PermitsKey, self._names + whose + self._rest)
        return self._ground.followed(key, self._made, self._rules)

    def _made(self) -> Permits:
        return Permits(self._rules, self._clock.now)

    def _would_wait(self, rank: Rank, permits: Permits) -> bool:
        if self._ground.shadow:
            return permits.held < permits.limit + self._most
        return self._most > 0 and permits.has_place(rank, self._most)

    def _none_free(self, attempt: Attempt, permits: Permits) -> Verdict | Awaitable[Verdict]:
        rank = self._rank(attempt)
        if rank is _HEDGE:
            return self._refused(attempt, permits, rank, _NO_HEDGE)
        if self._ground.shadow:
            return self._as_if_it_waited(attempt, permits, rank)
        now = self._clock.now()
        seconds = self._patience(attempt.call, now)
        if seconds > 0 and self._most:
            told = asyncio.get_running_loop().create_future()
            entry = Waiting(rank, attempt.call.workflow or attempt.call.agent, now + seconds, told)
            if permits.wait(entry, self._most):
                return self._wait_for(attempt, permits, entry)
        return self._refused(attempt, permits, rank, _FULL)

    def _as_if_it_waited(self, attempt: Attempt, permits: Permits, rank: Rank) -> Verdict:
        """A shadow makes nobody wait: so many more are let through as would stand in the queue."""
        if not self._would_wait(rank, permits):
            return self._refused(attempt, permits, rank, _FULL)
        permits.held += 1
        return None

    def _patience(self, call: Call, now: float) -> float:
        """Seconds that it may wait."""
        if call.deadline == NEVER:
            return self._wait
        room = latest_start(call) - now
        return min(self._wait, room, (call.deadline - now) * PATIENCE if call.hurried else room)

    async def _wait_for(self, attempt: Attempt, permits: Permits, entry: Waiting) -> Verdict:
        alarm = self._clock.alarm(lambda: permits.expire(entry))
        alarm.set(entry.last)
        self._queued.now += 1
        try:
            end = await entry.told
        except BaseException:  # cancelled, perhaps with a permit that nobody has seen yet
            permits.leave(entry)
            raise
        finally:
            self._queued.now -= 1
            alarm.close()
        return None if end is _GRANTED else self._refused(attempt, permits, entry.rank, _WHY[end])

    def _rank(self, attempt: Attempt) -> Rank:
        if attempt.hedge:
            return _HEDGE
        return _RETRY if attempt.retry else self._rank_of(attempt.call)

    def _rank_of(self, call: Call) -> Rank:
        """The class of a first attempt."""
        asked = priority(call.head.fields) if call.head.signs else None
        return self._usual if asked is None else max(asked, self._highest)

    def _refused(self, attempt: Attempt, permits: Permits, rank: Rank, why: str) -> Refusal:
        self._shed.add(rank.name.lower())
        return self._refusal(attempt.call, permits, why)

    def _refusal(self, call: Call, permits: Permits, why: str) -> Refusal:
        whose = self._per.told(call, self._policy)
        return Refusal(
            code="bulkhead_full",
            detail=f"The {whose} has {permits.limit} calls under way, its limit; {why}",
            policy=self._policy,
            retry_after=min(max(self._wait, SHORTEST), LONGEST),
            scope=self._per.scope,
        )


class Permit(_Gate):
    """The gate of a tool whose permits are known when it is compiled."""

    __slots__ = ("_permits",)

    def __init__(
        self, section: Bulkhead, per: Per, target: Target, ground: Ground, policy: str
    ) -> None:
        super().__init__(section, per, target, ground, policy)
        assert per.fixed is not None  # or it is not built
        self._permits = self._kept(per.fixed)

    @classmethod
    def build(cls, section: Bulkhead, site: Site) -> _Gate:
        """For one pipeline, by the policy that gave the limit."""
        per = Per(section.per, site.target)
        made: type[_Gate] = PermitPerCall if per.fixed is None else Permit
        if section.adaptive:
            made = AdaptivePermit
        return made(section, per, site.target, site.ground, site.policy)

    def admit(self, attempt: Attempt) -> Verdict | Awaitable[Verdict]:
        """Takes a permit, or waits for one. Refuses `bulkhead_full`."""
        permits = self._permits
        if permits.held < permits.limit:  # as `Permits.take` does it: twice on the way of a call
            permits.held += 1
            return None
        return self._none_free(attempt, permits)

    def settle(self, attempt: Attempt, reply: Reply) -> None:
        """The permit goes back."""
        self._permits.release()


class BulkheadPermit(Permit):
    """The second gate: of the bulkhead that the calling agent is in."""

    __slots__ = ()

    kind = "bulkhead_permits"

    @classmethod
    def build(cls, section: Bulkhead, site: Site) -> _Gate:
        """For one pipeline. The name of the bulkhead stands for the policy's."""
        per = Per(("bulkhead",), site.target)
        return cls(section, per, site.target, site.ground, site.policy)


class PermitPerCall(_Gate):
    """The gate of a tool whose permits are an agent's, a workflow's or a model's: found for each
    call."""

    __slots__ = ()

    def admit(self, attempt: Attempt) -> Verdict | Awaitable[Verdict]:
        """Takes a permit, or waits for one. Refuses `bulkhead_full`."""
        permits = attempt.taken[self] = self._of(attempt.call)
        return None if permits.take() else self._none_free(attempt, permits)

    def settle(self, attempt: Attempt, reply: Reply) -> None:
        """The permit goes back to where it came from."""
        attempt.taken[self].release()


class AdaptivePermit(PermitPerCall):
    """The gate of a tool whose limit is felt out."""

    __slots__ = ("_pinned",)

    def __init__(
        self, section: Bulkhead, per: Per, target: Target, ground: Ground, policy: str
    ) -> None:
        super().__init__(section, per, target, ground, policy)
        # What was felt out is not forgotten between two calls, as far as it is known whose it is.
        self._pinned = None if per.fixed is None else self._kept(per.fixed)

    def _of(self, call: Call) -> Permits:
        return super()._of(call) if self._pinned is None else self._pinned

    def committed(self, attempt: Attempt, reply: Reply) -> None:
        """What came of it may change the limit. What was cancelled or is a mere error does not."""
        permits: Permits = attempt.taken[self]
        if reply.result is SUCCESS:
            permits.good(attempt.started)
        elif _too_many(attempt, reply):
            permits.lost(attempt.started)


def priority(fields: dict[bytes, bytes]) -> Rank | None:
    """The class that a call asks for; of several, the least urgent."""
    asked = fields.get(b"holdfast-priority", b"").split(b",")
    ranks = [_RANKS[word] for each in asked if (word := each.strip().lower()) in _RANKS]
    return max(ranks, default=None)


def _rules(section: Bulkhead) -> PermitRules:
    adaptive = Adaptive() if section.adaptive is True else section.adaptive
    if not adaptive:
        return PermitRules(section.limit, section.limit, section.limit)
    return PermitRules(section.limit, adaptive.min, adaptive.max)


def _too_many(attempt: Attempt, reply: Reply) -> bool:
    """Does it say that the upstream had more than it bears? A used-up quota does not come back by
    asking less at once, and a client that gives little time must not talk the limit down."""
    if reply.failure is Failure.TIMEOUT:
        return not cut_short(attempt, reply, attempt.ended or NEVER)
    throttled = reply.result is Result.THROTTLED and not reply.quota_exhausted
    return throttled or reply.status in _TOO_BUSY


_RANKS: dict[bytes, Rank] = {
    b"interactive": Rank.INTERACTIVE,
    b"agent": Rank.AGENT,
    b"background": Rank.BACKGROUND,
}
_FULL = "there is no place or no time to wait for one of them to end"
_NO_HEDGE = "a second sending does not wait"
_WHY = {
    End.LATE: "none of them ended in time",
    End.PUSHED_OUT: "more urgent calls took its place in the queue",
}
