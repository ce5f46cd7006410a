"""A cell: the limits of one key, of calls and of tokens, and those who wait for their turn.

Those who wait stand in one line. Nobody overtakes it, be what he wants ever so little. Each knows
when his turn is, as long as nobody before him leaves: then it comes sooner. One alarm serves the
whole line. Who could not have his turn in time is not let in; who cannot any more, because a call
took more than it had said or the pace has changed, is sent away at once.
"""

import asyncio
from collections.abc import Iterator
from typing import final

import msgspec

from proxy.clock import NEVER, Alarm, Clock
from proxy.state.gcra import Gcra, Pace, Slot


class Paces(msgspec.Struct, frozen=True):
    """The limits that a policy gives; None: it gives none of that kind."""

    calls: Pace | None = None
    tokens: Pace | None = None


@final
class Grant(msgspec.Struct, eq=False, gc=False):
    """What one attempt took of a cell."""

    cell: "Cell"
    calls: Slot | None
    tokens: Slot | None
    estimate: float  # of tokens


@final
class Waiter:
    """One that stands in the line. Its future is done when it was served, or sent away."""

    __slots__ = ("future", "grant", "latest", "tokens", "turn")

    def __init__(self, tokens: float, latest: float, turn: float) -> None:
        self.tokens = tokens
        self.latest = latest
        self.turn = turn
        self.grant: Grant | None = None  # None when the future is done: sent away
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def done(self) -> None:
        """Wake whoever waits; he may have been cancelled just now."""
        if not self.future.done():
            self.future.set_result(None)


class _End(msgspec.Struct):
    """The end of the line: when the last one has his turn, and what will be left to drain then."""

    turn: float
    calls: float
    tokens: float


@final
class Cell:
    """See the head of this file. Tokens are 0 where the caller does not count them."""

    __slots__ = (
        "__weakref__", "_alarm", "_clock", "_end", "_line", "_turns", "calls", "kept", "paces",
        "tokens",
    )  # fmt: skip

    def __init__(self, paces: Paces, clock: Clock) -> None:
        self.paces = paces
        self.calls = None if paces.calls is None else Gcra(paces.calls)
        self.tokens = None if paces.tokens is None else Gcra(paces.tokens)
        self.kept = False  # it will be found again, whoever holds it
        self._clock = clock
        self._alarm: Alarm | None = None
        self._line: list[Waiter] = []
        self._end = self._front(0.0)  # as long as somebody stands in the line
        self._turns: list[float] = []  # of those who go on and only would have waited

    @property
    def idle(self) -> bool:
        """May it make room for others? Has all that was taken drained, and does nobody wait?"""
        now = self._clock.now()
        return not self._line and all(limit.tat <= now for limit, _ in self._limits(0.0))

    @property
    def waiting(self) -> int:
        """So many stand in the line."""
        return len(self._line)

    def take(self, now: float, tokens: float) -> Grant | None:
        """What an attempt needs that goes now; None if it is not its turn: nothing has changed."""
        calls, metered = self.calls, self.tokens
        if (
            self._line
            or (calls is not None and calls.turn(1.0) > now)
            or (metered is not None and metered.turn(tokens) > now)
        ):
            return None
        return self._grant(now, tokens)

    def turn(self, now: float, tokens: float) -> float:
        """When it would be the turn of an attempt that came now, after all who wait. NEVER: it
        needs more than ever go at once."""
        return self._turn(self._reckoned(now), tokens)

    def tokens_bind(self, tokens: float) -> bool:
        """Are tokens what an attempt has to wait for?"""
        calls, metered = self.calls, self.tokens
        return metered is not None and (calls is None or metered.turn(tokens) > calls.turn(1.0))

    def join(self, now: float, tokens: float, latest: float) -> Waiter:
        """Stand in the line, for a turn that is not later than `latest`: ask for it before."""
        end = self._reckoned(now)
        waiter = Waiter(tokens, latest, self._turn(end, tokens))
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

    def borrow(self, turn: float, tokens: float) -> Grant:
        """For one that does not wait, though its turn is later: it takes what it takes then."""
        self._turns.append(turn)
        return self._grant(turn, tokens)

    def borrowed(self, now: float) -> int:
        """So many would be waiting now."""
        self._turns = [turn for turn in self._turns if turn > now]
        return len(self._turns)

    def keep(self, grant: Grant, tokens: int | None) -> None:
        """It was sent. `tokens` is what it used of them; None: nobody knows, the estimate holds."""
        if grant.calls is not None and self.calls is not None:
            self.calls.keep(grant.calls)
        if grant.tokens is not None and self.tokens is not None:
            self._settle_tokens(self.tokens, grant.tokens, grant.estimate, tokens)

    def _settle_tokens(self, limit: Gcra, slot: Slot, estimate: float, used: int | None) -> None:
        unused = 0.0 if used is None else estimate - used
        if not unused:
            limit.keep(slot)
            return
        now = self._clock.now()
        if unused > 0:
            limit.give_back(slot, unused, now)
        else:
            limit.keep(slot)
            limit.charge(-unused, now)
        self._moved(now)

    def give_back(self, grant: Grant) -> None:
        """It was never sent."""
        now = self._clock.now()
        if grant.calls is not None and self.calls is not None:
            self.calls.give_back(grant.calls, 1.0, now)
        if grant.tokens is not None and self.tokens is not None:
            self.tokens.give_back(grant.tokens, grant.estimate, now)
        self._moved(now)

    def owe(self, other: "Cell") -> None:
        """A new one: let as much be left to drain as is in another one of the same paces."""
        for mine, his in ((self.calls, other.calls), (self.tokens, other.tokens)):
            if mine is not None and his is not None:
                mine.tat = his.tat

    def follow(self, paces: Paces) -> None:
        """Go at other paces from now on. What is left to drain stays."""
        same = paces == self.paces
        self.paces = paces
        if same:
            return
        now = self._clock.now()
        self.calls = _followed(self.calls, paces.calls, now)
        self.tokens = _followed(self.tokens, paces.tokens, now)
        self._moved(now)

    def _limits(self, tokens: float) -> Iterator[tuple[Gcra, float]]:
        """Each limit, and what an attempt costs there."""
        if self.calls is not None:
            yield self.calls, 1.0
        if self.tokens is not None:
            yield self.tokens, tokens

    def _grant(self, now: float, tokens: float) -> Grant:
        calls, metered = self.calls, self.tokens
        return Grant(
            self,
            None if calls is None else calls.take(now, 1.0),
            None if metered is None else metered.take(now, tokens),
            tokens,
        )

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
            turn = self._turn(self._front(now), self._line[0].tokens)
            if turn > now:
                self._ring_at(turn)
                return
            late = any(limit.tat < now for limit, _ in self._limits(0.0))
            waiter = self._line.pop(0)
            waiter.grant = self._grant(now, waiter.tokens)
            waiter.done()
            if late:  # a timer's lateness is that of all who stand behind
                self._line_up(now)

    def _line_up(self, now: float) -> None:
        """Reckon anew when it is whose turn, and send away those for whom that is too late."""
        end, line = self._front(now), self._line
        self._line = []
        for waiter in line:
            waiter.turn = self._turn(end, waiter.tokens)
            if too_late(waiter.turn, waiter.latest):
                waiter.done()
            else:
                self._pass(end, waiter)
                self._line.append(waiter)
        self._end = end

    def _reckoned(self, now: float) -> _End:
        return self._end if self._line else self._front(now)

    def _front(self, now: float) -> _End:
        """The end of a line in which nobody stands."""
        return _End(
            now,
            -NEVER if self.calls is None else self.calls.tat,
            -NEVER if self.tokens is None else self.tokens.tat,
        )

    def _turn(self, end: _End, tokens: float) -> float:
        """Of one that is put at the end of the line."""
        turn = end.turn
        if self.calls is not None:
            turn = max(turn, self.calls.turn_after(end.calls, 1.0))
        if self.tokens is not None:
            turn = max(turn, self.tokens.turn_after(end.tokens, tokens))
        return turn

    def _pass(self, end: _End, waiter: Waiter) -> None:
        """He is at the end now."""
        end.turn = waiter.turn
        if self.calls is not None:
            end.calls = max(end.calls, waiter.turn) + self.calls.interval
        if self.tokens is not None:
            end.tokens = max(end.tokens, waiter.turn) + waiter.tokens * self.tokens.interval

    def _ring_at(self, turn: float) -> None:
        if self._alarm is None:
            self._alarm = self._clock.alarm(self._rings)
        self._alarm.set(turn)


def too_late(turn: float, latest: float) -> bool:
    """Does a turn come too late, or never?"""
    return turn > latest or turn == NEVER


def _followed(limit: Gcra | None, pace: Pace | None, now: float) -> Gcra | None:
    if pace is None:
        return None
    if limit is None:
        return Gcra(pace)
    limit.follow(pace, now)
    return limit
