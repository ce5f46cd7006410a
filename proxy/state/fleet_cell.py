"""A cell of a limit that all pods of a fleet have in common (spec 3.11).

How much there is is known where pods meet (`proxy/state/shared/rates.py`); what is known of it here
is as of the last answer. A pod spends what it drew. Where it is busy and there is plenty, it draws
ahead, as much as it uses in `AHEAD`, from beside the path. Else who finds nothing here stands in
the line, and the store is asked for all who stand there, once at a time. As long as it is known to
be dry, nobody asks: each is told when his turn is, or waits for it, as in any other cell.

**Without the store** a pod goes on at its share, the limit divided by the pods that live. That
share counts all the time, what was drawn too, so that nobody has a burst once more when the store
goes away. A call that costs more than the share of the burst goes when nothing is left to drain, or
it would never go.

**The truth is told later.** What was used without the store, and what a call took beyond what it
had said, is owed; it goes with what is asked next, or by itself soon. When the store may have
forgotten all, each pod tells what it used, as if it had drained at its share of the pace: all of
them together then tell no less than what was left to drain.
"""

import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, final

from proxy.clock import NEVER, Clock
from proxy.state.cell import Cell, End, Grant, Waiter
from proxy.state.gcra import Gcra, Pace, Slot
from proxy.state.leased import HOLDS, Leased
from proxy.state.link import Link
from proxy.state.shared.fleet import ALIVE
from proxy.state.shared.rates import VOID, DrawUnits, Told
from proxy.state.store import Unreachable

if TYPE_CHECKING:
    from proxy.state.fleet_cells import FleetRates

AHEAD = 0.05
"""Seconds of its own use that a pod draws ahead."""
AGAIN = 0.25
"""Seconds in which the store is not asked again, when a call waited for it in vain."""
_PIECES = 100
"""Drawn and not used, that go back in one message."""
_MICROS = 1e6
_NOWHERE = Slot(0.0, 0.0)
Asks = Callable[[DrawUnits], Awaitable[Told]]


@final
class FleetCell(Cell):
    """See the head of this file."""

    __slots__ = (
        *("_again", "_alone", "_asking", "_debt", "_demand", "_drawing", "_leased", "_link"),
        *("_live", "_low", "_mine", "_name", "_own", "_rates", "_recent", "_seen", "_since"),
        "_telling",
    )

    def __init__(
        self, pace: Pace, clock: Clock, link: Link, name: str, rates: "FleetRates"
    ) -> None:
        super().__init__(pace, clock)
        self._link = link
        self._name = name
        self._rates = rates
        self._seen = self.limit  # that of all, as of the last answer, on our clock
        self._live = link.sharers
        self._own = Gcra(self._share())  # ours, where there is no store
        self._mine = -NEVER  # when all that we used will have drained, at our share of the pace
        self._leased = Leased()
        self._debt = 0  # units used beyond what was drawn for them
        self._alone = 0  # units used without the store
        # Messages under way: that say what is owed; for the line; for what is drawn ahead.
        self._telling = self._asking = self._drawing = False
        self._low = 0.0  # units; are there less, more are drawn
        self._again = -NEVER  # the store is not asked before
        self._recent, self._since, self._demand = 0.0, clock.now(), 0.0

    @property
    def idle(self) -> bool:
        """Part of Cell."""
        now = self._clock.now()
        return not self._line and not self.expire() and max(self._seen.tat, self._mine) <= now

    @property
    def owing(self) -> bool:
        """Is there something to say to the store?"""
        return bool(self._leased.returns or self._debt or self._alone)

    def queued(self, now: float) -> int:
        """So many wait for their turn. The others in the line wait for an answer."""
        return sum(waiter.turn > now for waiter in self._line)

    def alone(self, now: float) -> bool:
        """Does the pod have to do without the store now?"""
        alone = now < self._again or not self._grants
        if alone and self._live != self._link.sharers:
            self._divide(now)
        self.limit = self._own if alone else self._seen
        return alone

    def take(self, now: float, cost: float) -> Grant | None:
        """Part of Cell: what has been drawn already. None says nothing of what there is."""
        return None if self._line else self._spends(now, int(cost))

    def without(self, now: float, cost: float) -> Grant | None:
        """The same, where the pod is alone."""
        return None if self._line else self._paid(now, int(cost), alone=True)

    def join(self, now: float, cost: float, latest: float, room: float = NEVER) -> Waiter:
        """Part of Cell; also for one whose turn it might be now, for all that is known. `room`: if
        it is not, so many wait for theirs, and the others are sent away."""
        end = self._reckoned(now)
        waiter = Waiter(cost, latest, self._turn(end, cost))
        waiter.room = room
        self._pass(end, waiter)
        self._line.append(waiter)
        self._end = end
        if len(self._line) == 1:
            self._serve(now)
        return waiter

    def keep(self, grant: Grant, used: float | None) -> None:
        """Part of Cell."""
        if used is None or used == grant.cost:
            self._own.keep(grant.slot)
            return
        now, unused = self._clock.now(), int(grant.cost - max(0, used))
        if unused > 0:
            self._unused(grant, unused, now)
        else:
            self._charge(grant, -unused, now)
        self._moved(now)

    def give_back(self, grant: Grant) -> None:
        """Part of Cell."""
        now = self._clock.now()
        self._unused(grant, int(grant.cost), now)
        self._moved(now)

    def owe(self, other: Cell) -> None:
        """Part of Cell."""
        now = self._clock.now()
        left = math.ceil(max(0.0, other.limit.tat - now) / other.limit.interval)
        if left:
            self._seen.tat = other.limit.tat
            self._alone += left
            self._used(now, left)
            self._rates.busy(self)

    def follow(self, pace: Pace) -> None:
        """Part of Cell."""
        same = pace == self.pace
        self.pace = pace
        if same:
            return
        now = self._clock.now()
        self._seen.follow(pace, now)
        self._divide(now)
        self._moved(now)

    def stir(self) -> None:
        """The store has come or gone: let those who wait reckon with it."""
        self._moved(self._clock.now())

    def remembers(self) -> None:
        """The store may have forgotten all: what we used is to be told."""
        left = self._left(self._clock.now())
        if left:
            self._alone = max(self._alone, left)
            self._rates.busy(self)

    def expire(self) -> bool:
        """What was drawn and not used goes back soon. False: nothing lies here, and nothing is to
        be said."""
        self._leased.expire(self._clock.now())
        return not self._leased.empty or self.owing

    def close(self) -> None:
        """All of that does."""
        self._leased.close()

    async def tell(self) -> None:
        """Say what is owed and what comes back. Raises Unreachable."""
        await self._say(self._link.ask)

    # --- spending ---

    def _paid(self, now: float, cost: int, *, alone: bool) -> Grant | None:
        """Of what was drawn; where the pod is alone, of its share."""
        grant = self._spends(now, cost)
        if grant is not None or not alone:
            return grant
        if self._grants and self._seen.turn(cost) <= now:  # it was too slow for one: no other waits
            self._draw(cost)
        slot, mode = _NOWHERE, self._link.on_failure
        if mode == "local":
            if self._turn(self._front(now), cost) > now:
                return None
            slot = self._own.take(now, cost)
        elif mode == "deny":
            return None
        self._alone += cost
        self._used(now, cost)
        self._rates.busy(self)
        return Grant(self, slot, cost, unguarded=mode == "allow")

    def _spends(self, now: float, cost: int) -> Grant | None:
        pieces = self._leased.pay(now, cost)
        if pieces is None:
            return None
        own, each = self._own, self._own.interval
        # What is used beyond our share is no debt of ours.
        own.tat = max(own.tat, min(max(own.tat, now) + cost * each, now + own.burst * each))
        self._used(now, cost)
        if self._leased.units < self._low:
            self._draw(0)
        return Grant(self, _NOWHERE, cost, pieces)

    def _used(self, now: float, cost: int) -> None:
        self._recent += cost
        interval = self._own.interval
        self._mine = min(max(self._mine, now) + cost * interval, now + self.pace.burst * interval)

    def _unused(self, grant: Grant, units: int, now: float) -> None:
        if grant.drawn is None:
            self._own.give_back(grant.slot, units, now)
            self._alone = max(0, self._alone - units)
        else:
            self._leased.unused(grant.drawn, units, now)
            self._rates.busy(self)

    def _charge(self, grant: Grant, units: int, now: float) -> None:
        """A call used more than was taken for it."""
        self._own.keep(grant.slot)
        if grant.drawn is None:
            self._own.charge(units, now)
        self._used(now, units)
        lies = min(units, self._leased.units)
        if lies and self._leased.pay(now, lies) is not None:
            units -= lies
        if units:
            self._seen.charge(units, now)
            self._debt += units
            self._rates.busy(self)

    # --- the line ---

    def _moved(self, now: float) -> None:
        if self._line:
            self._serve(now)

    def _serve(self, now: float) -> None:
        """Let those through for whom there is something, and ask for the others."""
        alone = self.alone(now)
        while self._line:
            grant = self._paid(now, int(self._line[0].cost), alone=alone)
            if grant is None:
                break
            waiter = self._line.pop(0)
            waiter.grant = grant
            waiter.done()
        if not self._line or (self._asking and not alone):
            return
        if alone and self._link.on_failure == "deny":
            self._send_away()
            return
        turn = self._turn(self._front(now), self._line[0].cost)
        if turn > now:
            self._wait(now)
        else:
            self._asking = True
            _ = self._clock.spawn(self._asks())

    def _wait(self, now: float) -> None:
        """It is known when it is whose turn: as many as may wait for it."""
        stay: list[Waiter] = []
        away: list[Waiter] = []
        for waiter in self._line:
            (stay if len(stay) < waiter.room else away).append(waiter)
        self._line = stay
        self._line_up(now)
        for waiter in away:
            waiter.turn = self.turn(now, waiter.cost)
            waiter.done()
        if self._line:
            self._ring_at(self._line[0].turn)

    def _send_away(self) -> None:
        line, self._line = self._line, []
        for waiter in line:
            waiter.done()

    def _turn(self, end: End, cost: float) -> float:
        if self.limit is self._own and cost <= self.pace.burst:
            cost = min(cost, self._own.burst)
        return super()._turn(end, cost)

    # --- the store ---

    @property
    def _grants(self) -> bool:
        """Does the store give anything? Money waits until it is known what pods that died hold; of
        rates those that live have told soon what they used, and the others' drains."""
        link = self._link
        if link.grants:
            return True
        fleet = link.fleet
        return link.up and fleet.ours and fleet.now - fleet.epoch >= ALIVE

    def _share(self) -> Pace:
        return Pace(self.pace.interval * self._live, max(1, self.pace.burst // self._live))

    def _left(self, now: float) -> int:
        """So much of what we used has not drained, at our share of the pace."""
        return math.ceil(max(0.0, self._mine - now) / self._own.interval)

    def _divide(self, now: float) -> None:
        """Among as many pods as live now. What we used stays used."""
        own, before = self._own, self._own.interval
        self._live = self._link.sharers
        own.follow(self._share(), now)
        self._mine = now + max(0.0, self._mine - now) / before * own.interval
        if self.limit is self._seen:  # else it is not what the store gave
            own.tat = min(own.tat, now + own.burst * own.interval)

    async def _asks(self) -> None:
        """For those who stand in the line. Whatever comes of it, they hear of it."""
        answered = False
        try:
            costs = [int(waiter.cost) for waiter in self._line]
            if costs:
                need = min(sum(costs), self.pace.burst)
                await self._say(self._link.ask_now, costs[0], need, need + self._ahead(costs[0]))
            answered = True
        except Unreachable:
            pass  # as below
        finally:
            now, self._asking = self._clock.now(), False
            if not answered:
                self._again = now + AGAIN
            self._moved(now)

    def _draw(self, cost: int) -> None:
        if not self._drawing:
            self._drawing = True
            _ = self._clock.spawn(self._draws(cost))

    async def _draws(self, cost: int) -> None:
        """For those who come soon; `cost`: as much as one of them needs."""
        try:
            want = max(cost, self._ahead(1))
            if want and self._grants:
                await self._say(self._link.ask, cost, cost, want)
            else:
                self._low = 0.0
        except Unreachable:
            self._low = 0.0
        finally:
            self._drawing = False

    def _ahead(self, cost: int) -> int:
        """So many are to be drawn beyond what is needed now; none if not even one that costs as
        much could go by them."""
        now = self._clock.now()
        passed = now - self._since
        if passed >= AHEAD:
            self._demand, self._recent, self._since = self._recent / passed, 0.0, now
        ahead = int(min(self._demand, 1 / self.pace.interval) * AHEAD)
        return ahead if ahead >= cost else 0

    async def _say(self, ask: Asks, least: int = 0, need: int = 0, want: int = 0) -> None:
        """All that is to be said, and draw. What is owed is said until that is known to have been
        heard; what comes back is said once."""
        sent, first = self._clock.now(), not self._telling
        if self._live != self._link.sharers:
            self._divide(sent)
        debt, alone = (self._debt, self._alone) if first else (0, 0)
        interval, back = self.pace.interval * _MICROS, self._leased.gone(_PIECES)
        take = DrawUnits(
            self._name, self._link.fleet.epoch, interval, self.pace.burst, least, need, want,
            max(2, self._link.sharers), debt, min(alone, self._left(sent)), back,
        )  # fmt: skip
        self._telling = True
        try:
            told = await ask(take)
            if told.mark == VOID:
                raise Unreachable("it has forgotten what it knew")
        finally:
            if first:
                self._telling = False
        self._debt -= debt
        self._alone = max(0, self._alone - alone)
        now = self._clock.now()
        self._seen.tat = now + told.ahead / _MICROS
        # Who waits for it uses it at once, be it late.
        self._leased.add(told, interval, max(sent + HOLDS, now) if need else sent + HOLDS)
        if want:
            ahead = want - need
            self._low = ahead / 2 if told.given == want else 0.0
        self._rates.busy(self)
