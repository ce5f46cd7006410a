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

Calls and tokens are two limits, each by a gate of its own and kept under the name of the policy
that gave it. Were they one, a policy that gives one agent fewer tokens would stand in the place of
the limit that all agents have in common. Tokens are asked first: what needs more than ever go at
once is refused for good, and need not wait for its turn as a call.

Where pods share a store, a limit is one for all of them (`proxy/state/fleet_cell.py`). The gate is
the same; only who finds nothing that was drawn already may have to wait for an answer.
"""

import asyncio
import math
from collections.abc import Awaitable
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from proxy.attempt import Attempt
from proxy.call import Call, latest_start, spends_of
from proxy.clock import NEVER
from proxy.keys import CellsKey
from proxy.refusal import Refusal
from proxy.reply import Reply
from proxy.stage import Ground, NothingTaken, Queues, Said, Section, Site, Target, Verdict
from proxy.state.cell import Cell, Grant, Waiter, too_late
from proxy.state.cells import Cells
from proxy.state.fleet_cell import FleetCell
from proxy.state.fleet_cells import FleetCells, FleetRates
from proxy.state.gcra import Pace
from proxy.state.link import Link
from proxy.state.per import Per, Word
from proxy.state.queued import Queued
from proxy.units import Rate

Burst = Annotated[int, Meta(ge=1, le=1_000_000_000)]


class RateLimit(Section, frozen=True, kw_only=True):
    """How many calls, or tokens, go upstream: in any time t at most rate · t + burst."""

    restricts: ClassVar[bool] = True

    rate: Annotated[
        Rate | None, Meta(description="Calls in a second, minute, hour or day; retries count.")
    ] = None
    tokens: Annotated[
        Rate | None,
        Meta(
            description="Tokens, likewise: taken by an estimate (a token is 4 bytes of text; and "
            "as many as the call lets its answer have) and set right where the answer tells how "
            "many there were."
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
        tuple[Word, ...],
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
        Meta(
            description="One limit for all pods, where the settings name a `store`. Else, and with "
            "`false`, each pod has its own."
        ),
    ] = True

    def lack(self) -> str:
        """A limit needs a number."""
        return "" if self.rate or self.tokens else "a rate, or tokens, must be given"


class _Limit(msgspec.Struct, frozen=True):
    """What is said of one of the two limits."""

    kind: str  # in the keep
    pace: Pace
    name: str  # 100/h, 90000/m tokens
    quota: str  # as in RateLimit-Policy
    metered: bool = False  # it counts tokens


class Turnstile(Queues):
    """The gate of one limit, in one pipeline."""

    __slots__ = (
        *("_cell", "_cells", "_limit", "_metered", "_now", "_per", "_policy", "_queue", "_queued"),
    )

    def __init__(
        self, limit: _Limit, section: RateLimit, target: Target, ground: Ground, policy: str
    ) -> None:
        self._limit = limit
        self._metered = limit.metered
        self._per = Per(section.per, target)
        self._cells = self._kept(limit, target.domain, ground, policy)
        self._cell: Cell | None = None  # where it is always the same, from the first call on
        self._queued = Queued.of(ground, target)
        self._now = ground.clock.now
        self._queue = section.queue
        self._policy = policy

    @classmethod
    def of_calls(cls, section: RateLimit, site: Site) -> "Turnstile | None":
        """For one pipeline, by the policy that gave the rate. None where there is none."""
        rate = section.rate
        limit = None if rate is None else _limit("rate_limit", rate, section.burst)
        return cls._built(limit, section, site)

    @classmethod
    def of_tokens(cls, section: RateLimit, site: Site) -> "Turnstile | None":
        """Likewise, by the policy that gave the tokens."""
        rate, burst = section.tokens, section.burst if section.rate is None else None
        limit = None if rate is None else _limit("token_limit", rate, burst, metered=True)
        return cls._built(limit, section, site)

    @classmethod
    def _built(cls, limit: _Limit | None, section: RateLimit, site: Site) -> "Turnstile | None":
        if limit is None:
            return None
        made = cls
        if site.ground.shadow:
            made = ShadowTurnstile
        elif section.shared and Link.of(site.ground) is not None:
            made = FleetTurnstile
        return made(limit, section, site.target, site.ground, site.policy)

    def _kept(self, limit: _Limit, domain: str, ground: Ground, policy: str) -> Cells:
        return ground.followed(
            CellsKey(domain, policy, limit.kind),
            lambda: Cells(limit.pace, ground.clock),
            limit.pace,
        )

    def admit(self, attempt: Attempt) -> Verdict | Awaitable[Verdict]:
        """Takes one call, or its tokens. Waits for its turn where there is a queue. Refuses
        `rate_limited`, with the time until its turn."""
        call = attempt.call
        cell = self._cell
        if cell is None or not cell.kept:
            cell = self._cell_of(call)
        if cell.pace is not self._cells.pace:  # there was a reload
            cell.follow(self._cells.pace)
        cost = spends_of(call) if self._metered else 1.0
        grant = cell.take(attempt.started, cost)
        if grant is None:
            return self._not_now(cell, attempt, cost)
        attempt.taken[self] = grant
        return None

    committed = NothingTaken.committed  # it need not hear of it

    def settle(self, attempt: Attempt, reply: Reply) -> None:
        """What was not sent goes back; tokens are set right."""
        grant: Grant = attempt.taken[self]
        if attempt.sent:
            grant.cell.keep(grant, reply.tokens if self._metered else None)
        else:
            grant.cell.give_back(grant)

    def says(self, call: Call) -> Said:
        """When its turn is, and what it would answer if that is not now."""
        cell = self._cells.peek(self._per.of(call))
        cost = spends_of(call) if self._metered else 1.0
        now = self._now()
        turn = cell.turn(now, cost)
        name = f"{self._limit.name} for each {' and '.join(self._per.words)}"
        if turn <= now:
            return Said(f"{name}: it may go")
        refusal = self._objection(cell, call, turn, cost)
        place = "" if refusal else f", in a queue of {self._waiting(cell) + 1}"
        return Said(f"{name}: its turn is in {turn - now:.1f} s{place}", refusal)

    def _cell_of(self, call: Call) -> Cell:
        key = self._per.fixed
        if key is None:
            return self._cells.of(self._per.of(call))
        self._cell = cell = self._cells.of(key)
        return cell

    def _not_now(self, cell: Cell, attempt: Attempt, cost: float) -> Verdict | Awaitable[Verdict]:
        turn = cell.turn(attempt.started, cost)
        if attempt.hedge:  # it is to be faster than another one, not to stand in its way
            return self._refusal(turn, cost)
        refusal = self._objection(cell, attempt.call, turn, cost)
        return self._stand(cell, attempt, turn, cost) if refusal is None else refusal

    def _stand(
        self, cell: Cell, attempt: Attempt, turn: float, cost: float
    ) -> Verdict | Awaitable[Verdict]:
        waiter = cell.join(attempt.started, cost, latest_start(attempt.call))
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
            return self._refusal(waiter.turn, waiter.cost)
        attempt.taken[self] = waiter.grant
        return None

    def _objection(self, cell: Cell, call: Call, turn: float, cost: float) -> Refusal | None:
        """Why an attempt may not wait for its turn."""
        if self._waiting(cell) < self._queue and not too_late(turn, latest_start(call)):
            return None
        return self._refusal(turn, cost)

    def _waiting(self, cell: Cell) -> int:
        return cell.waiting

    def _refusal(self, turn: float, cost: float) -> Refusal:
        limit, never = self._limit, turn == NEVER  # no burst is less than a call
        scope, wait = " and ".join(self._per.words), max(0.0, turn - self._now())
        return Refusal(
            code="rate_limited",
            detail=f"It counts as {cost:.0f} tokens; no more than {limit.pace.burst} go at once"
            if never
            else f"No more than {limit.name} for this {scope}; the next may go in {wait:.1f} s",
            policy=self._policy,
            retry_after=None if never else wait,
            scope=self._per.scope,
            final=never,
            next_step="retry_modified" if never else "",
            quota=limit.quota,
        )


class FleetTurnstile(Turnstile):
    """Of a limit that all pods have in common."""

    __slots__ = ("_link",)

    def _kept(self, limit: _Limit, domain: str, ground: Ground, policy: str) -> Cells:
        link = Link.of(ground)
        assert link is not None
        self._link: Link = link
        names = CellsKey(domain, policy, f"fleet_{limit.kind}")
        return ground.followed(
            names,
            lambda: FleetCells(limit.pace, ground.clock, link, FleetRates.of(ground.keep), names),
            limit.pace,
        )

    def _not_now(self, cell: Cell, attempt: Attempt, cost: float) -> Verdict | Awaitable[Verdict]:
        """Nothing has been drawn for it; more than that is known only if nothing is to be had."""
        assert isinstance(cell, FleetCell)
        now = attempt.started
        if cell.alone(now):
            return self._alone(cell, attempt, cost)
        if cell.turn(now, cost) > now:
            return super()._not_now(cell, attempt, cost)
        waiter = cell.join(
            now, cost, latest_start(attempt.call), 0 if attempt.hedge else self._queue
        )
        return self._waits(cell, attempt, waiter)

    def _stand(
        self, cell: Cell, attempt: Attempt, turn: float, cost: float
    ) -> Verdict | Awaitable[Verdict]:
        assert isinstance(cell, FleetCell)
        waiter = cell.join(attempt.started, cost, latest_start(attempt.call), self._queue)
        return self._waits(cell, attempt, waiter)

    def _alone(
        self, cell: FleetCell, attempt: Attempt, cost: float
    ) -> Verdict | Awaitable[Verdict]:
        grant = cell.without(attempt.started, cost)
        if grant is None:
            if self._denies:
                return self._unavailable()
            return super()._not_now(cell, attempt, cost)
        self._granted(attempt, grant)
        return None

    async def _waits(self, cell: Cell, attempt: Attempt, waiter: Waiter) -> Verdict:
        verdict = await super()._waits(cell, attempt, waiter)
        if verdict is None:
            self._granted(attempt, attempt.taken[self])
        elif self._denies and cell.alone(self._now()):  # type: ignore[attr-defined]  # as above
            return self._unavailable()
        return verdict

    def _granted(self, attempt: Attempt, grant: Grant) -> None:
        attempt.taken[self] = grant
        if grant.unguarded:
            attempt.call.unguarded = True

    def says(self, call: Call) -> Said:
        """As far as it is known here."""
        cell = self._cells.peek(self._per.of(call))
        assert isinstance(cell, FleetCell)
        mode = self._link.on_failure
        if not cell.alone(self._now()) or mode == "local":
            return super().says(call)
        refusal = self._unavailable() if mode == "deny" else None
        goes = "" if refusal else ", so it may go unguarded"
        return Said(f"{self._limit.name} for all pods: the store does not answer{goes}", refusal)

    def _waiting(self, cell: Cell) -> int:
        assert isinstance(cell, FleetCell)
        return cell.queued(self._now())

    @property
    def _denies(self) -> bool:
        return self._link.on_failure == "deny"

    def _unavailable(self) -> Refusal:
        return Refusal(
            code="store_unavailable",
            detail=f"No more than {self._limit.name} for all pods, and the store that knows how "
            "many there were does not answer",
            policy=self._policy,
            retry_after=_AGAIN,
            scope=self._per.scope,
        )


class ShadowTurnstile(Turnstile):
    """Says who would have been refused. Who would have waited goes on, and counts from his turn."""

    __slots__ = ()

    def _stand(self, cell: Cell, attempt: Attempt, turn: float, cost: float) -> Verdict:
        attempt.taken[self] = cell.borrow(turn, cost)
        return None

    def _waiting(self, cell: Cell) -> int:
        return cell.borrowed(self._now())


def _limit(kind: str, rate: Rate, burst: int | None, *, metered: bool = False) -> _Limit:
    pace = Pace(rate.interval, rate.number if burst is None else burst)
    window = max(1, math.ceil(pace.burst * pace.interval - _ROUNDING))
    quota = f"q={pace.burst};w={window}"
    if metered:
        return _Limit(kind, pace, f"{rate} tokens", f'{quota};qu="tokens"', metered)
    return _Limit(kind, pace, str(rate), quota)


_AGAIN = 1.0
"""Seconds: by then a store that was away for a moment is back."""
_ROUNDING = 1e-6
"""Seconds: ten tenths of one may be a little more."""
