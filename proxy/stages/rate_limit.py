"""`rate_limit`: no more than so many calls, or tokens, in so long a time (spec 3.4).

It stands at each attempt, so that repetitions and hedges count like any other sending: what it
protects is what stands behind it. What was taken and then not sent, because a later gate refused it
or the call was cancelled, is given back.

A limit without a queue refuses at once and tells exactly when the next may go. With one, attempts
wait for their turn in the order in which they came; who could not have his turn before his
deadline is refused right away instead of waiting for nothing.

Tokens are taken by an estimate, for nobody knows before the answer how many there will be. What the
answer tells is the truth: what was too much goes back, what was too little is paid for by those who
come after.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from proxy.attempt import Attempt
from proxy.call import Call, tokens_of
from proxy.clock import NEVER
from proxy.refusal import Refusal
from proxy.reply import Reply
from proxy.stage import LATE, Ground, NothingTaken, Queues, Said, Section, Target, Verdict
from proxy.state.cell import Cell, Grant, Paces, Waiter, too_late
from proxy.state.cells import Cells
from proxy.state.gcra import Pace
from proxy.state.queued import Queued
from proxy.units import Rate

Per = Literal["rule", "tool", "agent", "workflow", "upstream", "model"]

Burst = Annotated[int, Meta(ge=1, le=1_000_000_000)]


class RateLimit(Section, frozen=True, kw_only=True):
    """How many calls, or tokens, go upstream: in any time t at most rate · t + burst."""

    rate: Annotated[
        Rate | None, Meta(description="Calls in a second, minute, hour or day; retries count.")
    ] = None
    tokens: Annotated[
        Rate | None,
        Meta(
            description="Tokens, likewise: taken by an estimate (a token is 4 bytes of the body) "
            "and set right where the answer tells how many there were, as no protocol of this "
            "version does yet."
        ),
    ] = None
    burst: Annotated[
        Burst | None,
        Meta(
            description="So many at once after a quiet time; calls, or tokens where there is no "
            "rate. Default: the number of the rate. In any time t at most rate · t + burst go.",
        ),
    ] = None
    per: Annotated[
        tuple[Per, ...],
        Meta(
            min_length=1,
            description="What has a limit of its own: each tool (or model) of an upstream, each "
            "agent, workflow, upstream; rule: all calls together. Agents name workflows: one that "
            "makes them up is not limited by this; then say agent or tool. Over 10,000 that are "
            "busy share one limit.",
        ),
    ] = ("tool",)
    queue: Annotated[
        int,
        Meta(
            ge=0,
            le=1000,
            description="So many attempts wait for their turn, as far as their deadline allows; "
            "the others are refused.",
        ),
    ] = 0
    shared: Annotated[
        bool,
        Meta(description="One limit for all pods. Each has its own as long as there is no store."),
    ] = True

    def lack(self) -> str:
        """A limit needs a number."""
        return "" if self.rate or self.tokens else "a rate, or tokens, must be given"


class _Limit(msgspec.Struct, frozen=True):
    """What is said of one of the two limits."""

    pace: Pace
    name: str  # 100/h, 90000/m tokens
    quota: str  # as in RateLimit-Policy


_FIXED: dict[str, Callable[[Target], Any]] = {
    "rule": lambda _: "",
    "tool": lambda target: (target.upstream, target.tool),
    "model": lambda target: (target.upstream, target.model),
    "upstream": lambda target: target.upstream,
}
"""What is the same for all calls of one pipeline. The others are looked up for each call."""


class Turnstile(Queues):
    """The gate of one pipeline."""

    __slots__ = (
        *("_calls", "_cell", "_cells", "_key", "_now", "_paces", "_policy", "_queue", "_queued"),
        *("_reads", "_scope", "_tokens"),
    )

    def __init__(self, section: RateLimit, target: Target, ground: Ground, policy: str) -> None:
        self._calls = _limit(section.rate, section.burst, "")
        burst = section.burst if section.rate is None else None
        self._tokens = _limit(section.tokens, burst, " tokens")
        self._cells = ground.kept(
            ("rate_limit", target.domain, policy), lambda: Cells(ground.clock)
        )
        self._paces = self._cells.same(Paces(_pace(self._calls), _pace(self._tokens)))
        self._queued = Queued.of(ground, target)
        self._now = ground.clock.now
        self._queue = section.queue
        self._policy = policy
        self._scope = section.per
        self._key: tuple[Any, ...] = (
            section.per,
            *(_FIXED[per](target) for per in section.per if per in _FIXED),
        )
        named = [per for per in section.per if per not in _FIXED]
        self._reads = attrgetter(*named) if named else None
        # Where it is always the same; else it is found for each call.
        self._cell = None if named else self._cells.of(self._key, self._paces)

    @classmethod
    def build(
        cls, section: RateLimit, target: Target, ground: Ground, policy: str
    ) -> "Turnstile | None":
        """For one pipeline. None without a number, where an overlap of policies takes it away."""
        if section.lack():
            return None
        made = ShadowTurnstile if ground.shadow else cls
        return made(section, target, ground, policy)

    def admit(self, attempt: Attempt) -> Verdict | Awaitable[Verdict]:
        """Takes one call, and its tokens. Waits for its turn where there is a queue. Refuses
        `rate_limited`, with the time until its turn."""
        call = attempt.call
        cell = self._cell
        if cell is None or not cell.kept:
            cell = self._cell_of(call)
        if cell.paces is not self._paces:  # of another table, before or after a reload
            cell.follow(self._paces)
        tokens = 0.0 if self._tokens is None else tokens_of(call)
        grant = cell.take(attempt.started, tokens)
        if grant is None:
            return self._not_now(cell, attempt, tokens)
        attempt.taken[self] = grant
        return None

    committed = NothingTaken.committed  # it need not hear of it

    def settle(self, attempt: Attempt, reply: Reply) -> None:
        """What was not sent goes back; tokens are set right."""
        grant: Grant = attempt.taken[self]
        if attempt.sent:
            grant.cell.keep(grant, reply.tokens)
        else:
            grant.cell.give_back(grant)

    def says(self, call: Call) -> Said:
        """When its turn is, and what it would answer if that is not now."""
        cell = self._cells.peek(self._key_of(call), self._paces)
        tokens = 0.0 if self._tokens is None else tokens_of(call)
        now = self._now()
        turn = cell.turn(now, tokens)
        limits = [limit.name for limit in (self._calls, self._tokens) if limit is not None]
        name = f"{' and '.join(limits)} for each {' and '.join(self._scope)}"
        if turn <= now:
            return Said(f"{name}: it may go")
        refusal = self._objection(cell, call, turn, tokens)
        place = "" if refusal else f", in a queue of {self._waiting(cell) + 1}"
        return Said(f"{name}: its turn is in {turn - now:.1f} s{place}", refusal)

    def _cell_of(self, call: Call) -> Cell:
        cell = self._cells.of(self._key_of(call), self._paces)
        if self._reads is None:
            self._cell = cell
        return cell

    def _key_of(self, call: Call) -> tuple[Any, ...]:
        return self._key if self._reads is None else (*self._key, self._reads(call))

    def _not_now(self, cell: Cell, attempt: Attempt, tokens: float) -> Verdict | Awaitable[Verdict]:
        turn = cell.turn(attempt.started, tokens)
        if attempt.hedge:  # it is to be faster than another one, not to stand in its way
            return self._refusal(cell, turn, tokens)
        refusal = self._objection(cell, attempt.call, turn, tokens)
        return self._stand(cell, attempt, turn, tokens) if refusal is None else refusal

    def _stand(
        self, cell: Cell, attempt: Attempt, turn: float, tokens: float
    ) -> Verdict | Awaitable[Verdict]:
        waiter = cell.join(attempt.started, tokens, _latest(attempt.call))
        return self._waits(cell, attempt, waiter)

    async def _waits(self, cell: Cell, attempt: Attempt, waiter: Waiter) -> Verdict:
        self._queued.now += 1
        try:
            await waiter.future
        except asyncio.CancelledError:
            cell.leave(waiter)
            raise
        finally:
            self._queued.now -= 1
        if waiter.grant is None:
            return self._refusal(cell, waiter.turn, waiter.tokens)
        attempt.taken[self] = waiter.grant
        return None

    def _objection(self, cell: Cell, call: Call, turn: float, tokens: float) -> Refusal | None:
        """Why an attempt may not wait for its turn."""
        if self._waiting(cell) < self._queue and not too_late(turn, _latest(call)):
            return None
        return self._refusal(cell, turn, tokens)

    def _waiting(self, cell: Cell) -> int:
        return cell.waiting

    def _refusal(self, cell: Cell, turn: float, tokens: float) -> Refusal:
        limit = self._tokens if self._calls is None or cell.tokens_bind(tokens) else self._calls
        assert limit is not None  # without any, every turn is now
        scope, wait = " and ".join(self._scope), max(0.0, turn - self._now())
        never = turn == NEVER
        return Refusal(
            code="rate_limited",
            detail=f"It counts as {tokens:.0f} tokens; no more than {limit.pace.burst} go at once"
            if never
            else f"No more than {limit.name} for this {scope}; the next may go in {wait:.1f} s",
            policy=self._policy,
            retry_after=None if never else wait,
            scope=",".join(self._scope),
            final=never,
            next_step="retry_modified" if never else "",
            quota=limit.quota,
        )


class ShadowTurnstile(Turnstile):
    """Says who would have been refused. Who would have waited goes on, and counts from his turn."""

    __slots__ = ()

    def _stand(self, cell: Cell, attempt: Attempt, turn: float, tokens: float) -> Verdict:
        attempt.taken[self] = cell.borrow(turn, tokens)
        return None

    def _waiting(self, cell: Cell) -> int:
        return cell.borrowed(self._now())


def _limit(rate: Rate | None, burst: int | None, unit: str) -> _Limit | None:
    if rate is None:
        return None
    pace = Pace(rate.interval, rate.number if burst is None else burst)
    window = max(1, math.ceil(pace.burst * pace.interval - _ROUNDING))
    quota = f"q={pace.burst};w={window}" + (';qu="tokens"' if unit else "")
    return _Limit(pace, f"{rate}{unit}", quota)


_ROUNDING = 1e-6
"""Seconds: ten tenths of one may be a little more."""


def _pace(limit: _Limit | None) -> Pace | None:
    return None if limit is None else limit.pace


def _latest(call: Call) -> float:
    """The last moment at which an attempt at it may begin."""
    return call.deadline - call.min_attempt - LATE
