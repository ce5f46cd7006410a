"""Leases: what this pod may spend of limits that all pods share (spec 3.11, 4.2).

Of each limit the pod *holds* a share, granted by the store (`state/shared/money.py`). It spends it
as if it were a limit of its own (`Allotment.share`), without asking anybody. Over all pods what is
spent and held never passes the limit, and what a pod holds never passes what the store knows that
it holds. All else follows from how a share changes:

- it *grows* only when the store has answered, by what was granted;
- it *shrinks* before the store is told: what is given back is not spent any more from that moment,
  be the message lost or late. One that comes too late is void, by its number;
- an answer that is lost is money that the store thinks is held and nobody spends: until the next
  exchange, a second later.

How much. The store gives half of what is free divided by who lives, so that shares get smaller as a
limit nears, down to what the calls that wait need. A pod asks for more before it has none: each
time for twice as much if the last share was used up within a half second; and it likes to have what
lasts for half a minute at its pace, should the store be gone. What is more goes back each second,
all of it when nothing was spent for some seconds, and at once if another pod needs it and finds
that all is held (`heard`).

What a call waits for is one answer of the store, and only where its pod has nothing left: calls
that wait share the next question. One question is on its way at a time, for they are numbered.

Where the store is gone, what is held is spent and then nothing more: a cap is a cap. Where another
one is in its place, or what was granted last may be forgotten (an epoch), all is told again before
anything is granted (`state/shared/fleet.py`). A pod that comes back after a crash knows by its
journal what it spent; it tells that, and what it held and did not spend is free again (`Close`).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator

from proxy.call import Call
from proxy.refusal import Refusal
from proxy.stage import Verdict
from proxy.state.account import Account
from proxy.state.departures import Departures
from proxy.state.grant import Grant
from proxy.state.ledger import Ledger
from proxy.state.link import Link
from proxy.state.share import Share
from proxy.state.shared.money import DEPARTED, TOPIC, Close, Draw, Drawn, Line, Once
from proxy.state.store import Unreachable

_AT_ONCE = 64
"""Accounts of one question."""
_MOST_CLOSING = 20_000
"""Accounts that made room, of which the store is still to be told."""
_LOOKS = 4
"""With each so many exchanges it is looked what others have spent of what is not used here."""
_SEEN = 512
"""Of so many accounts at most, in turns."""
_EVERY = 1.0
_WHILE = 0.2
"""Seconds from one exchange to the next, and for which one lasts."""
_DRY = 0.1
"""Seconds for which nothing is asked for an account of which nothing is free."""
CLOSED = Refusal(
    "store_unavailable",
    "The store that pods share does not answer, and without it nobody knows what may be spent",
    scope="call",
)


class Leases:
    """Of all accounts of a ledger. Part of Part."""

    topic = TOPIC

    def __init__(self, ledger: Ledger, link: Link) -> None:
        self._ledger = ledger
        self._link = link
        self._clock = link.clock
        self._shares: dict[Account, Share] = {}
        """Of accounts that hold something, or have something to tell."""
        self._by_line: dict[str, Share] = {}
        self.every = _EVERY
        self._closing: dict[str, Share] = {}  # by label: of accounts that are not there any more
        self._wanted: dict[Share, None] = {}
        self._turn: asyncio.Future[None] | None = None  # done when what is wanted now was asked for
        self._asking = asyncio.Lock()
        self._number = 0
        self._ready = False  # it has told what it spent before this life
        self._left = False  # it holds nothing any more, and never will
        self._told_all = False
        self._rounds = 0
        self._looked = 0
        self._departures = Departures()
        link.finds.append(self.found)
        ledger.share(self, link.wall)
        self.lost()

    @property
    def barred(self) -> bool:
        """Is nothing spent now without asking whether the store is there?"""
        return self._link.on_failure == "deny" and not self._link.up

    @property
    def scarce(self) -> str:
        """Part of Shares."""
        return self._link.scarce

    # --- the path of a call ---

    def lets(self, call: Call, grant: Grant) -> Verdict | Awaitable[Verdict]:
        """A sending is to be reserved. None: look whether there is room. To be awaited where the
        store is asked for more first; then look at all again."""
        link = self._link
        if self.barred and grant.accounts:
            return CLOSED
        now, wall = self._clock.now(), link.wall()
        for account in grant.accounts:
            account.clear(grant.amount, wall)
        short = [one for one in grant.accounts if one.starves(grant.amount)]
        if not (short and grant.amount):
            return None
        if link.grants and self._ready:
            shares = [self._share(account) for account in short]
            if link.rests:  # it cannot wait, but who comes next may find something
                self._ask_ahead(shares, grant.amount)
            elif all(share.dry_until <= now for share in shares):
                return self._waits(shares, grant.amount)
            if not link.rests or any(share.dry_until > now for share in shares):
                return None  # the store has said that there is none
        return self._without(call, short, grant.amount)

    def _without(self, call: Call, short: list[Account], amount: int) -> Verdict:
        """The store cannot be asked for more."""
        if self._link.on_failure == "deny":
            return CLOSED
        if self._link.on_failure == "allow":
            call.unguarded = True
            for account in short:
                self._share(account).stretch(amount)
        return None

    async def _waits(self, shares: list[Share], amount: int) -> None:
        for share in shares:
            share.waits(amount)
        try:
            with contextlib.suppress(Unreachable):  # then what there is has to do
                await self._link.hold(self._asked(shares))
        finally:
            for share in shares:
                share.waited(amount)

    def renew(self, accounts: Iterable[Account], micros: int) -> None:
        """Of those that will soon need more. Nobody waits for it."""
        if not (self._link.grants and self._ready):
            return
        low = [one for one in accounts if one.runs_low(micros)]
        if low:
            self._ask_ahead([self._share(account) for account in low], micros)

    def _ask_ahead(self, shares: Iterable[Share], micros: int) -> None:
        now = self._clock.now()
        thirsty = [share for share in shares if share.may_grow(micros, now)]
        if thirsty:
            _ = self._asked(thirsty)

    def gone(self, account: Account) -> None:
        """It makes room for others: what it holds goes back."""
        share = self._shares.get(account)
        if share is None:
            return
        if len(self._closing) >= _MOST_CLOSING and not self._link.up:
            self._drop(share)  # what it spent is told by the journal, in the next life
            return
        share.closes = True
        self._closing[account.label] = share
        if self._link.up:
            _ = self._asked([share])

    def back(self, label: str) -> Account | None:
        """Part of Shares. Two that tell of the same line would contradict each other."""
        share = self._closing.pop(label, None)
        if share is None:
            return None
        share.closes = False
        return share.account

    def _drop(self, share: Share) -> None:
        self._shares.pop(share.account, None)
        self._closing.pop(share.account.label, None)
        self._forget(share)

    def _share(self, account: Account) -> Share:
        share = self._shares.get(account)
        if share is None:
            share = self._shares[account] = Share(account, self._clock.now())
        return share

    # --- asking ---

    def _asked(self, shares: Iterable[Share]) -> "asyncio.Future[None]":
        """They are asked for with the next question; done when that is answered, or not."""
        self._wanted.update(dict.fromkeys(shares))
        if self._turn is None:
            self._turn = asyncio.get_running_loop().create_future()
            _ = self._clock.spawn(self._ask_wanted(self._turn))
        return self._turn

    async def _ask_wanted(self, turn: "asyncio.Future[None]") -> None:
        try:
            with contextlib.suppress(Unreachable):  # who waits looks at what there is
                async with self._asking:
                    wanted, self._wanted, self._turn = list(self._wanted), {}, None
                    for some in _batches(wanted if self._ready else []):
                        await self._tell(some)
        finally:
            if self._turn is turn:
                self._turn = None
            turn.set_result(None)

    def _next(self) -> int:
        self._number += 1
        return self._number

    async def _draw(self, shares: list[Share], *, always: bool = False) -> bool:
        """Tell the store of these, some at a time: calls that wait come between. False: some of it
        was void. Raises Unreachable."""
        heard = True
        for some in _batches(shares):
            async with self._asking:
                goes = self._ready or always
                heard = (await self._tell(some) if goes else True) and heard
        return heard

    async def _tell(self, shares: list[Share]) -> bool:
        """In one question; and take what the store says."""
        now, wall = self._clock.now(), self._link.wall()
        lines: list[Line] = []
        for share in shares:
            self._forget(share)
            asked = share.asks(now, wall)
            self._by_line.update((line.name, share) for line in asked)
            if share.account.idle_promise:
                self._ledger.lower(share.account)
            lines += asked
        draw = Draw(self._link.pod, self._next(), self._link.fleet.epoch, tuple(lines))
        return self._take(shares, lines, await self._link.ask(draw))

    def _take(
        self, shares: list[Share], lines: list[Line], drawn: tuple[Drawn, ...] | None
    ) -> bool:
        now, wall = self._clock.now(), self._link.wall()
        if drawn is None:  # another epoch: the next beat tells
            for share in shares:
                share.dry_until = now + _DRY
            return False
        answers = {line.name: one for line, one in zip(lines, drawn, strict=True)}
        for share in shares:
            account = share.account
            if share.takes(answers, wall):
                share.dry_until = now + _DRY
            if account.spent >= account.quiet_below:
                self._ledger.look(account)
            if share.over:
                self._drop(share)
        return True

    def _forget(self, share: Share) -> None:
        for line in share.lines:
            self._by_line.pop(line.name, None)

    def once(self, name: str, then: Callable[[], None]) -> None:
        """Do it if no other pod has, for a while; where nobody knows, it is done."""
        _ = self._clock.spawn(self._once(name, then))

    async def _once(self, name: str, then: Callable[[], None]) -> None:
        first = True
        with contextlib.suppress(Unreachable):
            first = await self._link.ask(Once(name))
        if first:
            then()

    # --- part of Part ---

    async def exchange(self, link: Link) -> None:
        """Part of Part: what was spent, and what is idle goes back."""
        if self._left:
            return
        if not link.fleet.ours:  # what it holds may be another's by now
            for share in self._shares.values():
                share.drop()
            return
        if not self._ready or not self._told_all:
            await self._tell_all(link)
            return
        now = self._clock.now()
        told = [one for one in self._shares.values() if one.has_news or one.lapses <= now]
        for share in told:
            share.tidies = True
        self._rounds += 1
        if not self._rounds % _LOOKS:
            told = list(dict.fromkeys([*told, *map(self._share, self._some())]))
        await self._tell_some(told)
        await self._departures.hear(link)
        link.leases["money"] = len(self._shares)

    async def _tell_some(self, told: list[Share]) -> None:
        """For a while, for there are other subjects. The rest is told soon, by turns."""
        began, self.every = self._clock.now(), _EVERY
        for some in _batches(told):
            if self._clock.now() > began + _WHILE:
                self.every = 0.0
                return
            for share in some:
                self._shares[share.account] = self._shares.pop(share.account, share)
            await self._draw(some)

    def _some(self) -> list[Account]:
        """Accounts of which it is to be heard what others have spent; others the next time."""
        for cap in self._ledger.caps.values():
            if cap.per == "fleet":  # there is one, and people ask any pod for it
                self._ledger.account(cap, self._link.name)
        every = [one for one in self._ledger.accounts() if one.shares]
        at = self._looked % max(1, len(every))
        self._looked = at + _SEEN
        return every[at : at + _SEEN]

    async def _tell_all(self, link: Link) -> None:
        """What it has spent, and what it holds, of all; and in a new life, that it holds nothing
        else."""
        await self._departures.tell(link)
        wall = link.wall()  # what a snapshot told is of no window before somebody asks
        known = [one for one in self._ledger.accounts() if _matters(one, wall)]
        heard = await self._draw([self._share(account) for account in known], always=True)
        if not heard:  # what it holds is not free before it has told what it spent
            return
        if not self._ready:
            await self._close(link)
        self._ready = self._told_all = True

    def heard(self, said: bytes) -> None:
        """Part of Part: somebody needs what is idle here, or a pod has left."""
        if said == DEPARTED and self._link.up:
            _ = self._clock.spawn(self._heard_of_gone())
        share = self._by_line.get(said.decode(errors="replace"))
        if share is not None and self._link.up:
            share.recalled = True
            _ = self._asked([share])

    async def _heard_of_gone(self) -> None:
        with contextlib.suppress(Unreachable):
            await self._departures.hear(self._link)

    def anew(self) -> None:
        """Part of Part."""
        self._told_all = False
        self._departures.anew()

    def obeyed(self) -> None:
        """Part of Shares."""
        self._told_all = False

    def lost(self) -> None:
        """Part of Part."""
        self._bar()

    def found(self) -> None:
        """The store answers again."""
        self._bar()

    def _bar(self) -> None:
        if self._link.on_failure == "deny":
            for account in self._ledger.accounts():
                account.bar(self.barred)

    async def leave(self, link: Link) -> None:
        """Part of Part: nothing is held any more, and what was spent stands with what was spent by
        others that are gone."""
        self._left = True
        self._ready = False  # whoever asks from now on asks in vain
        for share in self._shares.values():
            share.closes = True
        await self._draw(list(self._shares.values()), always=True)
        await self._close(link, leaves=True)

    async def _close(self, link: Link, *, leaves: bool = False) -> None:
        at = 0
        while at >= 0:
            async with self._asking:
                close = Close(link.pod, self._next(), leaves=leaves, first=at)
                at = await link.ask(close)


def _batches(shares: list[Share]) -> Iterator[list[Share]]:
    """As many as go into one question."""
    for at in range(0, len(shares), _AT_ONCE):
        yield shares[at : at + _AT_ONCE]


def _matters(account: Account, wall: float) -> bool:
    """Must a store that knows nothing be told of it?"""
    return account.shares and any(one.spent or one.share for one in account.windows(wall))
