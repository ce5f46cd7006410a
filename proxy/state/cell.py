"""A cell: the limit of one key, and those who wait for their turn.

Those who wait stand in one line. Nobody overtakes it, be what he wants ever so little. Each knows
when his turn is, as long as nobody before him leaves: then it comes sooner. One alarm serves the
whole line. Who could not have his turn in time is not let in; who cannot any more, because a call
took more than it had said or the pace has changed, is sent away at once.

What it counts, calls or tokens, is the caller's affair: each attempt says what it costs.
"""

import asyncio
from typing import Any, final

import msgspec

from proxy.clock import NEVER, Alarm, Clock
from proxy.state.gcra import Gcra, Pace, Slot


@final
class Grant(msgspec.Struct, eq=False, gc=False):
    """What one attempt took of a cell."""

    cell: "Cell"
    slot: Slot
    cost: float
    drawn: list[Any] | None = None
    """What was drawn from a store for it, in a fleet (`proxy/state/fleet_cell.py`)."""
    unguarded: bool = False
    """Nobody was asked: the store is gone, and the operator wants it so."""


@final
class Waiter:
    """One that stands in the line. Its future is done when it was served, or sent away."""

    __slots__ = ("cost", "future", "grant", "latest", "room", "turn")

    def __init__(self, cost: float, latest: float, turn: float) -> None:
        self.cost = cost
        self.latest = latest
        self.turn = turn
        self.room = NEVER  # so many may stand in the line and he still be one of them
        self.grant: Grant | None = None  # None when the future is done: sent away
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def done(self) -> None:
        """Wake whoever waits; he may have been cancelled just now."""
        if not self.future.done():
            self.future.set_result(None)


class End(msgspec.Struct):
    """The end of the line: when the last one has his turn, and what will be left to drain then."""

    turn: float
    tat: float


class Cell:
    """See the head of this file."""

    __slots__ = (
        *("__weakref__", "_alarm", "_clock", "_end", "_line", "_turns"),
        *("kept", "limit", "pace"),
    )

    def __init__(self, pace: Pace, clock: Clock) -> None:
        self.pace = pace
        self.limit = Gcra(pace)
        self.kept = False  # it will be found again, whoever holds it
        self._clock = clock
        self._alarm: Alarm | None = None
        self._line: list[Waiter] = []
        self._end = self._front(0.0)  # as long as somebody stands in the line
        self._turns: list[float] = []  # of those who go on and only would have waited

    @property
    def idle(self) -> bool:
        """May it make room for others? Has all that was taken drained, and does nobody wait?"""
        return not self._line and self.limit.tat <= self._clock.now()

    @property
    def waiting(self) -> int:
        """So many stand in the line."""
        return len(self._line)

    def take(self, now: float, cost: float) -> Grant | None:
        """What an attempt needs that goes now; None if it is not its turn: nothing has changed."""
        slot = None if self._line else self.limit.claim(now, cost)
        return None if slot is None else Grant(self, slot, cost)

    def turn(self, now: float, cost: float) -> float:
        """When it would be the turn of an attempt that came now, after all who wait. NEVER: it
        needs more than ever go at once."""
        return self._turn(self._reckoned(now), cost)

    def join(self, now: float, cost: float, latest: float) -> Waiter:
        """Stand in the line, for a turn that is not later than `latest`: ask for it before."""
        end = self._reckoned(now)
        waiter = Waiter(cost, latest, self._turn(end, cost))
        self._pass(end, waiter)
        self._line.append(waiter)
        self._end = end
        if len(self._line) == 1:
            self._ring_at(waiter.turn)
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """It waits no longer: its place is free, and so is what it was given just now."""
        if waiter.grant is not None:
            self.give_back(waiter.grant)
        elif waiter in self._line:
            self._line.remove(waiter)
            self._moved(self._clock.now())

    def borrow(self, turn: float, cost: float) -> Grant:
        """For one that does not wait, though its turn is later: it takes what it takes then."""
        self._turns.append(turn)
        return Grant(self, self.limit.take(turn, cost), cost)

    def borrowed(self, now: float) -> int:
        """So many would be waiting now."""
        self._turns = [turn for turn in self._turns if turn > now]
        return len(self._turns)

    def keep(self, grant: Grant, used: float | None) -> None:
        """It was sent. `used` is what it cost in truth; None: nobody knows, what it said holds."""
        limit = self.limit
        if used is None or used == grant.cost:
            limit.keep(grant.slot)
            return
        now, unused = self._clock.now(), grant.cost - used
        if unused > 0:
            limit.give_back(grant.slot, unused, now)
        else:
            limit.keep(grant.slot)
            limit.charge(-unused, now)
        self._moved(now)

    def give_back(self, grant: Grant) -> None:
        """It was never sent."""
        now = self._clock.now()
        self.limit.give_back(grant.slot, grant.cost, now)
        self._moved(now)

    def owe(self, other: "Cell") -> None:
        """A new one: let as much be left to drain as is in another one of the same pace."""
        self.limit.tat = other.limit.tat

    def follow(self, pace: Pace) -> None:
        """Go at another pace from now on. What is left to drain stays."""
        same = pace == self.pace
        self.pace = pace
        if same:
            return
        now = self._clock.now()
        self.limit.follow(pace, now)
        self._moved(now)

    def _moved(self, now: float) -> None:
        """Something else than time has changed when it is whose turn."""
        if self._line:
            self._line_up(now)
            self._serve(now)

    def _rings(self) -> None:
        self._serve(self._clock.now())

    def _serve(self, now: float) -> None:
        """Let those through whose turn it is, from the front on."""
        while self._line:
            turn = self._turn(self._front(now), self._line[0].cost)
            if turn > now:
                self._ring_at(turn)
                return
            late = self.limit.tat < now
            waiter = self._line.pop(0)
            waiter.grant = Grant(self, self.limit.take(now, waiter.cost), waiter.cost)
            waiter.done()
            if late:  # a timer's lateness is that of all who stand behind
                self._line_up(now)

    def _line_up(self, now: float) -> None:
        """Reckon anew when it is whose turn, and send away those for whom that is too late."""
        end, line = self._front(now), self._line
        self._line = []
        for waiter in line:
            waiter.turn = self._turn(end, waiter.cost)
            if too_late(waiter.turn, waiter.latest):
                waiter.done()
            else:
                self._pass(end, waiter)
                self._line.append(waiter)
        self._end = end

    def _reckoned(self, now: float) -> End:
        return self._end if self._line else self._front(now)

    def _front(self, now: float) -> End:
        """The end of a line in which nobody stands."""
        return End(now, self.limit.tat)

    def _turn(self, end: End, cost: float) -> float:
        """Of one that is put at the end of the line."""
        return max(end.turn, self.limit.turn_after(end.tat, cost))

    def _pass(self, end: End, waiter: Waiter) -> None:
        """He is at the end now."""
        end.turn = waiter.turn
        end.tat = max(end.tat, waiter.turn) + waiter.cost * self.limit.interval

    def _ring_at(self, turn: float) -> None:
        if self._alarm is None:
            self._alarm = self._clock.alarm(self._rings)
        self._alarm.set(turn)


def too_late(turn: float, latest: float) -> bool:
    """Does a turn come too late, or never?"""
    return turn > latest or turn == NEVER
