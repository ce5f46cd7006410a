"""What people and money rule of calls: kept over a restart, by the journal.

Each room remembers by the journal (`Rebuilt` in `proxy/journal/snapshot.py`): it changes its state
and notes the record of that in one step of the loop, and at the start it is rebuilt from both.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from proxy.call import Call
from proxy.clock import Clock
from proxy.config import kill_file
from proxy.config.loaded import Loaded
from proxy.journal.exhibits import SealedExhibits
from proxy.journal.snapshot import Rebuilt
from proxy.keep import Keep
from proxy.keys import ELSEWHERE, KILLS, LEDGER, LOOPS, NEWS, shadowed
from proxy.news import BudgetChange, KillTrouble, News
from proxy.protocols.clients import Holding
from proxy.record import Beginnings, Noted
from proxy.refusal import Refusal
from proxy.state.account import Account
from proxy.state.asking import Terms
from proxy.state.asks import Asks
from proxy.state.caps import WHOLE
from proxy.state.desk import Desk
from proxy.state.elsewhere import Elsewhere
from proxy.state.fleet_cells import FleetRates
from proxy.state.fleet_circuits import FleetCircuits
from proxy.state.fleet_kills import FleetKills
from proxy.state.fleet_sums import FleetSums
from proxy.state.killed import Kill
from proxy.state.kills import Full, Kills
from proxy.state.leases import Leases
from proxy.state.ledger import Ledger
from proxy.state.link import Link, Part
from proxy.state.loops import Loops
from proxy.state.price import dollars
from proxy.state.scopes import Scope
from proxy.state.sealed import Envelope
from proxy.state.spent_out import told_at
from proxy.state.told_of_money import Passed
from proxy.state.waits import Waits

HELD = 50.0
"""Seconds that a call is held for people, where no `approval` section says it."""
INTERVAL = 0.4
"""Seconds from look to look at the file `kill`. Two of them stay under a second."""


class Journal(Noted, Protocol):
    """Where the rooms leave their traces."""

    def asks(self, begun: Beginnings, /) -> Callable[[], None]:
        """Have intents asked for before each batch; what comes of it has it done soon."""


class Control:
    """`begin` when the journal takes records; `obey` for each set of policies."""

    def __init__(self, keep: Keep, clock: Clock, data_dir: Path, fleet_key: bytes = b"") -> None:
        """`fleet_key` closes what is told to other pods; empty: it is told in plain, or not."""
        self._clock = clock
        self._keep = keep
        self._news = keep.of(NEWS, News)
        self._loaded: Loaded | None = None  # policies that came before the journal
        self._begun = False
        self.kills = keep.of(KILLS, Kills)
        self._fleet_kills = FleetKills(self.kills, clock, keep)
        self._file = _KillFile(self.kills, data_dir / kill_file.NAME, self._news)
        self.ledger = keep.of(LEDGER, lambda: Ledger(clock.fast_wall, clock.uuid))
        """What is spent."""
        self._loops = keep.of(LOOPS, Loops)
        self.desk = Desk.of(keep, clock)
        """What waits for people."""
        self._exhibits = SealedExhibits(data_dir, clock)
        self.rooms: Sequence[Rebuilt] = (self.kills, self.ledger, self.desk)
        """Those that the journal rebuilds before anybody is served."""
        envelope = Envelope(fleet_key)
        keep.of(ELSEWHERE, lambda: Elsewhere(clock, keep, envelope))
        self.sums = FleetSums.of(keep, clock)
        """What pods counted. Who counts here says how far it is."""
        self.parts: Sequence[Part] = (
            self._fleet_kills,
            FleetRates.of(keep),
            FleetCircuits.of(keep, clock),
            Asks(self.desk, clock, envelope),
            Waits(clock, keep),
        )
        """What is shared with other pods, where there is a store."""

    def shares(self, link: Link) -> Iterable[Part]:
        """With other pods, by this link."""
        self.sums.begin(link)
        # Sums are last: what they need of the store is not taken from anything that counts.
        return (*self.parts, Leases(self.ledger, link), self.sums)

    async def begin(self, noted: Journal, calls: Callable[[], Iterable[Call]]) -> None:
        """They have been rebuilt, and what they do from now on is noted. `calls`: those under way.
        What is to be stopped is stopped when it returns."""
        self._begun = True
        self.kills.begin(self._clock, noted, self._news, calls)
        self.kills.look = self._look
        self._fleet_kills.begin()
        self.ledger.note = noted.note
        under_way = self.ledger.under_way
        under_way.stir = noted.asks(under_way.begun)
        self.ledger.heard = self._spent
        self.ledger.abort = self._abort
        self.ledger.ask = self._asks_for_money
        self._loops.kills = self._repeats
        self._loops.asks = self._asks
        self.desk.begin(noted, self._exhibits)
        if self._loaded is not None:
            self.obey(self._loaded)
        self.kills.expire()
        await self._file.settle()

    async def run(self) -> None:
        """Follow the file `kill`, the time and what is counted, until cancelled."""
        while True:
            await self._clock.sleep(INTERVAL)
            self.kills.expire()
            self.sums.look()
            await self._file.look()

    async def _look(self) -> None:
        """Part of Kills: what stands elsewhere counts here by now."""
        await self._file.settle()
        await self._fleet_kills.refresh()

    def leave(self) -> None:
        """The process ends when what runs has ended: nothing waits for people until then."""
        self.desk.leave()

    def end(self) -> None:
        """The process ends. Before the journal does."""
        self.desk.end()

    def _asks(self, call: Call, refusal: Refusal) -> Awaitable[Refusal | None]:
        """Part of Loops: a person says whether a call that repeats itself may go."""
        return self._asked(call, Terms(refusal.policy, why="loop", detail=refusal.detail))

    def _asks_for_money(self, call: Call, refusal: Refusal) -> Awaitable[Refusal | None]:
        """Part of Ledger: or one that there is no room for."""
        why = f"budget:{refusal.policy}"
        return self._asked(call, Terms(refusal.policy, why=why, detail=refusal.detail))

    def _asked(self, call: Call, terms: Terms) -> Awaitable[Refusal | None]:
        return self.desk.ask(call, terms, Holding(call, self._clock.now(), HELD))

    def obey(self, loaded: Loaded) -> None:
        """These policies are in force."""
        self._loaded = loaded
        # At once: what is rebuilt of the journal is of budgets that there are.
        caps = [budget.cap for budget in loaded.budgets]
        self.ledger.obey(caps)
        tried: Ledger | None = self._keep.seen(shadowed(LEDGER))
        if tried is not None:
            tried.obey(caps)
        if self._begun:
            self.kills.obey(loaded.kills)

    def _spent(self, account: Account, passed: Passed) -> None:
        self._news.tell(
            BudgetChange(
                account.cap.name,
                account.key,
                passed.window,
                100 * passed.share // WHOLE,
                dollars(passed.spent),
                dollars(passed.limit),
                told_at(passed.resets_at),
            )
        )

    def _abort(self, call: Call, refusal: Refusal) -> None:
        """A budget ends the workflow of a call that it has no room for."""
        self._end(call, refusal.detail, f"budget {refusal.policy}", "budget")

    def _repeats(self, call: Call, why: str) -> None:
        """The loop guard ends the workflow of a call."""
        self._end(call, why, "the loop guard", "loop")

    def _end(self, call: Call, why: str, by: str, origin: str) -> None:
        if call.workflow:
            kill = Kill(Scope(f"workflow:{call.workflow}"), why, by, origin)
            with contextlib.suppress(Full):  # the call is refused in any case
                self.kills.engage(kill, but=call)


class _KillFile:
    """What stands in the file, read again and again. What cannot be read is told once."""

    def __init__(self, kills: Kills, path: Path, news: News) -> None:
        self._kills = kills
        self._path = path
        self._news = news
        self._before: kill_file.Lines | None = None
        self._told: frozenset[str] = frozenset()

    async def look(self) -> None:
        """Throw what is new. Where the file cannot be read, what was read before stands."""
        found = await asyncio.to_thread(kill_file.read, self._path, self._before)
        if isinstance(found, str):
            self._tell([found])
            return
        before, self._before = self._before, found
        if not found.ended and (before is None or found.held != before.held):
            return  # half of a scope may be another one: it counts if it stays like this
        problems = list(found.problems)
        try:
            self._kills.stands(found.kills)
        except Full as full:
            problems.append(f"{self._path}: {full}")
        self._tell(problems)

    async def settle(self) -> None:
        """Throw what stands there now, also where its last line has no end."""
        await self.look()
        await self.look()

    def _tell(self, problems: list[str]) -> None:
        for problem in problems:
            if problem not in self._told:
                self._news.tell(KillTrouble(problem))
        self._told = frozenset(problems)
