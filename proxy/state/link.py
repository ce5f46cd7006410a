"""The link of a pod to the store: is it there, who waits for it, and what follows if it is not.

Nothing on the path of a call waits for the store, but for who needs a share of something that is
nearly used up. Such a call asks with `ask_now`: it waits `store_timeout` at most, and once in
`RESTS` only: when the store was too slow for one, the next ones are told at once. All else is asked
from beside the path (`ask`), with more patience, for nobody waits there.

The link is *up* from the first beat that was answered (`proxy/state/shared/fleet.py`) until
something was not. Where it is not up, who asks is told so at once; only beats go on trying.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Callable
from typing import Protocol

import msgspec

from proxy.clock import Clock
from proxy.keys import LINK
from proxy.news import News, StoreChange
from proxy.stage import Ground
from proxy.state.patient import patient
from proxy.state.shared.fleet import ALIVE, Beat, Fleet, Pod
from proxy.state.store import Answer, Store, Unreachable, Verb

RESTS = 5.0
"""Seconds after a call has waited for nothing, in which no other one waits."""
_SLOW = "it was too slow a moment ago"
PATIENCE = 1.0
"""Seconds for what nobody waits for."""
_FOREIGN = "another process speaks for this pod: its data dir was copied"
ENDED = (
    "this pod was given up for lost, or settled by holdfast budget reconcile: it is granted nothing"
    " until it is started anew"
)


TOOK = (250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000)
"""Upper bounds of the buckets of an answer, in µs."""


class Part(Protocol):
    """What a pod shares of one subject: kills, budgets, circuits …"""

    topic: str
    """Of what is published for it."""
    every: float
    """Seconds from one exchange to the next."""

    async def exchange(self, link: "Link", /) -> None:
        """Tell what is new here, and take what is new there. Unreachable is the caller's."""
        ...

    def heard(self, said: bytes, /) -> None:
        """Something was published. Never waits, never raises; it may be anything."""

    def anew(self) -> None:
        """The store may have forgotten anything: all is to be told again at the next exchange."""

    def lost(self) -> None:
        """The store is not there any more."""

    async def leave(self, link: "Link", /) -> None:
        """The pod ends: what is idle goes back. Unreachable is the caller's."""


class Counts(msgspec.Struct):
    """For metrics."""

    asked: int = 0
    failed: dict[str, int] = {}  # by reason
    waited: int = 0  # calls that waited for nothing
    took: list[int] = msgspec.field(
        default_factory=lambda: [0] * (len(TOOK) + 1)
    )  # answers, by how long they took
    us: int = 0  # that they took, in all

    def answered(self, seconds: float) -> None:
        """It took so long."""
        us = int(seconds * 1e6)
        self.took[bisect_left(TOOK, us)] += 1
        self.us += us


class Link:
    """One for the process, where a store is configured."""

    idle = False  # never makes room for others in the Keep

    def __init__(
        self,
        store: Store,
        pod: Pod,
        clock: Clock,
        news: News,
        timeout: float,
        on_failure: str,
        name: str = "default",
    ) -> None:
        """`timeout`: seconds that a call waits at most. `on_failure`: local, deny or allow. `name`:
        of the fleet."""
        self.pod = pod
        self.name = name
        self.clock = clock
        self.on_failure = on_failure
        self.up = False
        self.why = "it was not asked yet"
        """Why it is not up."""
        self.fleet = Fleet(0)
        """As it was told last."""
        self.sharers = 1
        """Pods that a limit is divided among where each is on its own: those that live, and when
        the store was away also those that lived before, for it has not heard all of them yet."""
        self.counts = Counts()
        self.ahead = 0.0
        """Seconds by which the store's clock is ahead of ours."""
        self.finds: list[Callable[[], None]] = []
        """Are told when it is up again."""
        self.leases: dict[str, int] = {}
        """What this pod holds of it, by subject: parts say how many. For metrics."""
        self.loses: list[Callable[[], None]] = []
        """Are told when it is not up any more."""
        self._store = store
        self._news = news
        self._timeout = timeout
        self._rests_until = 0.0
        self._zero: float | None = None  # of `clock.now`, as the store's clock shows it
        self._settled_at = 0.0

    @classmethod
    def of(cls, ground: Ground) -> "Link | None":
        """That of the process; None: pods share nothing. A shadow shares nothing either."""
        return None if ground.shadow else ground.keep.seen(LINK)

    @property
    def live(self) -> int:
        """Pods that are alive, as far as it is known; this one at least."""
        return max(1, self.fleet.live)

    @property
    def grants(self) -> bool:
        """Is it up, and gives something new?"""
        return self.up and self.fleet.open and self.fleet.ours

    @property
    def withholds(self) -> str:
        """Why it is up, and gives nothing new; empty: it gives."""
        if not self.fleet.ours:
            return ENDED if self.fleet.ended else _FOREIGN
        return "" if self.fleet.open else "it gathers what pods hold, and grants nothing new"

    @property
    def trouble(self) -> str:
        """Why nothing is granted, where it is not that others are waited for; or empty."""
        return self.why if not self.up or self.fleet.ours else self.withholds

    @property
    def scarce(self) -> str:
        """Why nobody gets more of it than he has; empty: it can be asked."""
        return self.withholds or (_SLOW if self.rests else "") if self.up else self.why

    def wall(self) -> float:
        """Seconds since 1970, as the store's clock shows them: also where ours jumps."""
        zero = self._zero
        return self.clock.wall() + self.ahead if zero is None else self.clock.now() + zero

    async def ask(self, verb: Verb[Answer]) -> Answer:
        """From beside the path of calls. Raises Unreachable."""
        if not self.up:
            raise Unreachable(self.why)
        return await self._asked(verb, max(PATIENCE, self._timeout))

    @property
    def rests(self) -> bool:
        """Did a call wait for nothing, a moment ago?"""
        return self.clock.now() < self._rests_until

    async def hold(self, work: "asyncio.Future[None]") -> None:
        """A call waits for this, which goes on in any case. Raises Unreachable if it takes too
        long; mostly at once."""
        if not self.up or self.rests:
            raise Unreachable(self.why or _SLOW)
        try:
            async with patient(self._timeout):
                await asyncio.shield(work)
        except TimeoutError as error:
            self._waited()
            raise Unreachable(_SLOW) from error

    async def ask_now(self, verb: Verb[Answer]) -> Answer:
        """A call waits for it. Raises Unreachable; mostly at once."""
        if not self.up or self.rests:
            raise Unreachable(self.why or _SLOW)
        try:
            return await self._asked(verb, self._timeout)
        except Unreachable as error:
            if error.reason != "crowded":
                self._waited()
            raise

    def _waited(self) -> None:
        self.counts.waited += 1
        self._rests_until = self.clock.now() + RESTS

    async def beat(self, beat: Beat) -> Fleet:
        """Say that this pod lives; the link is up again when that is answered. Raises
        Unreachable."""
        beat = msgspec.structs.replace(beat, knows=self.fleet.epoch)
        fleet = await self._asked(beat, max(PATIENCE, self._timeout))
        if fleet.ours and fleet.epoch < self.fleet.epoch:  # it was on its way for long
            raise Unreachable("it answers with what was true before")
        self.ahead = fleet.now / 1000 - self.clock.wall()
        self._zero = fleet.now / 1000 - self.clock.now()
        before, self.fleet = self.fleet, fleet
        self._divide(before.epoch)
        if not self.up:
            self.up, self.why = True, ""
            self._news.tell(StoreChange("up", ""))
            for found in self.finds:
                found()
        if fleet.open is not before.open or fleet.ours is not before.ours:
            self._told()
        return fleet

    def _divide(self, before: int) -> None:
        now = self.clock.now()
        if not self.up or before != self.fleet.epoch:
            self._settled_at = now + ALIVE / 1000
        self.sharers = self.live if now >= self._settled_at else max(self.live, self.sharers)

    def _told(self) -> None:
        fleet = self.fleet
        state = "open" if fleet.open else "gathering"
        if not fleet.ours:
            state = "ended" if fleet.ended else "foreign"
        self._news.tell(StoreChange(state, self.withholds))

    async def _asked(self, verb: Verb[Answer], within: float) -> Answer:
        began = self.clock.now()
        self.counts.asked += 1
        try:
            answer = await self._store.ask(verb, within)
        except Unreachable as error:
            self.counts.failed[error.reason] = self.counts.failed.get(error.reason, 0) + 1
            if not (error.reason == "crowded" or (error.reason == "timeout" and within < PATIENCE)):
                self.fails(str(error))  # else it may be well, and just now too slow for a call
            raise
        self.counts.answered(self.clock.now() - began)
        return answer

    def fails(self, why: str) -> None:
        """It did not answer, or broke off."""
        was, self.up, self.why = self.up, False, why
        if was:
            self._news.tell(StoreChange("down", why))
            for lost in self.loses:
                lost()
