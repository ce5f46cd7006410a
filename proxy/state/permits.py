"""Permits: so many at once; who meets none free stands in a queue.

The queue is served by class, the most urgent first; within a class the workflows take turns, so
that one with a hundred calls does not hold up one with a single call; within a workflow it is first
come, first served. An arrival that meets a full queue pushes out the newest of the least urgent
class below its own. Who waited in vain beyond his last moment is passed over.

Whoever waits has a future: a permit is counted as held when it is given, and the one that it was
given to goes on when the loop gets to him, never inside the stack of the one that gave it back. If
he has left by then, `leave` gives it back. So none is lost between the giving and the taking.

At any time: `held` is what was given and not given back; nobody waits while one is free; no more
than `limit` are held, except after the limit was lowered, until enough came back.
"""

import enum
from asyncio import Future
from collections import deque
from collections.abc import Callable

import msgspec

from proxy.state.aimd import Aimd


class Rank(enum.IntEnum):
    """How urgent an attempt is; the first is served first, the last is shed first."""

    INTERACTIVE = 0
    AGENT = 1
    BACKGROUND = 2
    RETRY = 3
    HEDGE = 4  # has no place in a queue: to send twice only helps at once


class End(enum.Enum):
    """How a wait ended."""

    GRANTED = enum.auto()
    LATE = enum.auto()
    PUSHED_OUT = enum.auto()


_GRANTED, _LATE, _PUSHED_OUT = End.GRANTED, End.LATE, End.PUSHED_OUT


class PermitRules(msgspec.Struct, frozen=True):
    """What a policy says of permits."""

    limit: int
    least: int  # where the limit is not felt out, these two are the limit as well
    most: int


class Waiting:
    """One that stands in the queue."""

    __slots__ = ("end", "last", "line", "number", "rank", "told")

    def __init__(self, rank: Rank, line: str, last: float, told: "Future[End]") -> None:
        """`line` is the workflow; `last` the moment after which a permit is of no use."""
        self.rank = rank
        self.line = line
        self.last = last
        self.told = told
        self.end: End | None = None
        self.number = 0  # by arrival

    def tell(self, end: End) -> None:
        """The wait is over. Nobody hears of it if he was cancelled a moment ago."""
        self.end = end
        if not self.told.done():
            self.told.set_result(end)


class Permits:
    """The permits of one key, and their queue."""

    __slots__ = (
        *("__weakref__", "_aimd", "_arrived", "_lines", "_now", "_rules"),
        *("held", "limit", "waiting"),
    )

    def __init__(self, rules: PermitRules, now: Callable[[], float]) -> None:
        self._rules = rules
        self._now = now
        self._aimd = Aimd()
        self._arrived = 0
        # For each class, the workflows in the order of their turns.
        self._lines: tuple[dict[str, deque[Waiting]], ...] = ({}, {}, {}, {})
        self.limit = min(max(rules.limit, rules.least), rules.most)
        self.held = 0
        self.waiting = 0

    @property
    def idle(self) -> bool:
        """May it make room for others in the Keep?"""
        return not self.held and not self.waiting

    def take(self) -> bool:
        """Take a permit, if one is free."""
        if self.held < self.limit:
            self.held += 1
            return True
        return False

    def release(self) -> None:
        """One comes back, and goes to the next."""
        self.held -= 1
        if self.waiting:
            self._serve()

    def has_place(self, rank: Rank, most: int) -> bool:
        """Could one more stand in a queue of at most `most`, be it in the place of another?"""
        return self.waiting < most or any(self._lines[rank + 1 :])

    def wait(self, entry: Waiting, most: int) -> bool:
        """Stand in the queue, when no permit is free. False: it is full, also for this one."""
        if self.waiting >= most and not self._push_out(entry.rank):
            return False
        self._arrived += 1
        entry.number = self._arrived
        self._lines[entry.rank].setdefault(entry.line, deque()).append(entry)
        self.waiting += 1
        return True

    def expire(self, entry: Waiting) -> None:
        """Its last moment is over."""
        if entry.end is None:
            self._remove(entry)
            entry.tell(_LATE)

    def leave(self, entry: Waiting) -> None:
        """It goes without having heard; what it was given meanwhile goes back."""
        if entry.end is None:
            self._remove(entry)
            entry.end = _LATE
        elif entry.end is _GRANTED:
            self.release()

    def follow(self, rules: PermitRules) -> None:
        """Be as many as a policy says. What was felt out stays, as far as it allows."""
        if rules is self._rules:
            return
        start = self.limit if rules.limit == self._rules.limit else rules.limit
        self._rules = rules
        self._set(start)

    def good(self, began: float) -> None:
        """An attempt that began then, and holds a permit, came to a good result."""
        self._set(self._aimd.good(began, self.limit, self.held))

    def lost(self, began: float) -> None:
        """An attempt that began then was more than the upstream bears."""
        self._set(self._aimd.lost(began, self._now(), self.limit))

    def _set(self, limit: int) -> None:
        self.limit = min(max(limit, self._rules.least), self._rules.most)
        self._serve()

    def _serve(self) -> None:
        while self.waiting and self.held < self.limit:
            entry = self._next()
            if entry.told.done() or self._now() > entry.last:
                entry.tell(_LATE)  # or cancelled, and about to leave
            else:
                self.held += 1
                entry.tell(_GRANTED)

    def _next(self) -> Waiting:
        """The next one of the workflow whose turn it is, which then goes to the end."""
        lines = next(filter(None, self._lines))
        name = next(iter(lines))
        line = lines.pop(name)
        entry = line.popleft()
        if line:
            lines[name] = line
        self.waiting -= 1
        return entry

    def _remove(self, entry: Waiting) -> None:
        lines = self._lines[entry.rank]
        line = lines[entry.line]
        line.remove(entry)
        if not line:
            del lines[entry.line]
        self.waiting -= 1

    def _push_out(self, rank: Rank) -> bool:
        """Make room for one of this class; not by one that is as urgent."""
        for lines in reversed(self._lines[rank + 1 :]):
            if lines:
                newest = max((line[-1] for line in lines.values()), key=_number)
                self._remove(newest)
                newest.tell(_PUSHED_OUT)
                return True
        return False


def _number(entry: Waiting) -> int:
    return entry.number
