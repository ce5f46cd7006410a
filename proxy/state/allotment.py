"""What one limit allots: so much in each of its windows, and what was spent of that.

Windows are computed from the clock when they are asked for; nothing resets them. A clock that jumps
back finds the windows as they were left, so that what was spent in them stays spent; one that jumps
forward finds them empty, as the calendar says.
"""

from collections import deque
from collections.abc import Mapping
from typing import Protocol, TypeAlias

from proxy.clock import NEVER
from proxy.state.caps import Limit
from proxy.state.periods import period

_REMEMBERED = 3
"""Windows before the last one, for a clock that jumps back."""
_PARTS = 60
"""Of a rolling window. What was spent is forgotten a part later than it might be, never sooner."""
_NOWHEN = -1.0
"""Before the clock was asked."""

_NONE = (_NOWHEN, _NOWHEN)
_ON: dict[tuple[str, str], tuple[float, float]] = {}
"""The hour, day and month of each zone that was asked for last: to work it out takes a hundred
times as long."""

ENDLESS = 1 << 62
"""Where there is no limit."""

Kept: TypeAlias = tuple[list[float | int], ...]
"""As a snapshot has it: of each window its start, what was spent in it, and the alerts raised."""


class Allotment(Protocol):
    """One limit, and its window that is on."""

    limit: Limit
    since: float
    until: float
    """The window that is on, in seconds since 1970, or the part of it in which nothing changes."""
    spent: int
    """In it, in micro-dollars."""
    alerted: int
    """So many of the alerts were raised for it."""
    leased: bool
    """Is it shared with other pods? Then only so much may be spent in it as they leave to us."""
    share: int
    """All that may be spent in this window by this pod; ENDLESS where it is not shared."""
    others: int
    """What other pods have spent in it, as far as is known."""
    rolled: int
    """What has rolled out of it since it was made, and so out of `share` as well."""

    @property
    def all_spent(self) -> int:
        """By this pod and others."""

    @property
    def room(self) -> int:
        """What may be spent yet, by this pod."""

    @property
    def line(self) -> tuple[int, int, int]:
        """Of its window that is on: its beginning in seconds, where it has one; the oldest of its
        parts that counts, and the newest (`state/shared/money.py`)."""

    def parts(self) -> dict[int, int]:
        """What was spent in each."""

    def remember(self, part: int, micros: int, /) -> None:
        """So much was spent in it besides, which was forgotten here."""

    def enter(self, at: float, /) -> None:
        """The clock shows this: the window is on that holds it."""

    def spend(self, micros: int, /) -> None:
        """In the window that is on."""

    @property
    def resets_at(self) -> float:
        """When there is room again, at least some; NEVER: not by waiting."""

    def kept(self) -> Kept:
        """All that it must remember."""

    def restore(self, kept: Kept, /) -> None:
        """Take what `kept` gave."""


class _Window:
    """What all windows have."""

    def __init__(self, limit: Limit, *, leased: bool) -> None:
        self.limit = limit
        self.leased = leased
        self.share = 0 if leased else ENDLESS
        self.others = self.rolled = 0
        self.since = self.until = _NOWHEN
        self.spent = self.alerted = 0

    @property
    def all_spent(self) -> int:
        """Part of Allotment."""
        return self.spent + self.others

    @property
    def room(self) -> int:
        """Part of Allotment."""
        return min(self.limit.micros, self.share) - self.spent


class Calendar(_Window):
    """Hours, days, months, or all of time, in a zone."""

    def __init__(self, limit: Limit, zone: str, *, leased: bool = False) -> None:
        super().__init__(limit, leased=leased)
        self.zone = zone
        self._before: dict[float, tuple[int, int]] = {}

    def enter(self, at: float) -> None:
        """Part of Allotment."""
        window = self.limit.window, self.zone
        since, until = _ON.get(window, _NONE)
        if not since <= at < until:  # the one that is on is on for all accounts
            since, until = _ON[window] = period(*window, at)
        if since != self.since:
            if self.spent:
                self._before[self.since] = (self.spent, self.alerted)
            self.since = since
            self.spent, self.alerted = self._before.pop(since, (0, 0))
            self.others = 0
            if self.leased:
                self.share = self.spent
            while len(self._before) > _REMEMBERED:
                del self._before[next(iter(self._before))]
        self.until = until

    @property
    def line(self) -> tuple[int, int, int]:
        """Part of Allotment."""
        return (0 if self.since <= 0 else int(self.since), 0, 0)

    def parts(self) -> dict[int, int]:
        """Part of Allotment. There is one."""
        return {0: self.spent}

    def remember(self, part: int, micros: int) -> None:
        """Part of Allotment."""
        self.spent += micros

    def spend(self, micros: int) -> None:
        """Part of Allotment."""
        self.spent += micros

    @property
    def resets_at(self) -> float:
        """Part of Allotment."""
        return self.until

    def kept(self) -> Kept:
        """Part of Allotment."""
        before = ([since, *spent] for since, spent in self._before.items())
        return (*before, [self.since, self.spent, self.alerted])

    def restore(self, kept: Kept) -> None:
        """Part of Allotment. Which window is on is asked anew."""
        self.since, self.spent, self.alerted = _NOWHEN, 0, 0
        for since, spent, alerted in kept:
            self._before[float(since)] = (int(spent), int(alerted))


class Rolling(_Window):
    """The last so many seconds, whenever they are asked for."""

    def __init__(self, limit: Limit, *, leased: bool = False) -> None:
        super().__init__(limit, leased=leased)
        self._part = limit.seconds / _PARTS
        self._parts: deque[list[float | int]] = deque()  # when each began, and what was spent in it
        # Those that have rolled out of it, for a clock that jumps back.
        self._before: deque[list[float | int]] = deque(maxlen=_PARTS + 1)

    def enter(self, at: float) -> None:
        """Part of Allotment."""
        parts, part = self._parts, self._part
        start = at // part * part
        if parts and parts[-1][0] > start:
            self._back(start)
        if not parts or parts[-1][0] < start:
            parts.append([start, 0])
        while parts[0][0] + part <= at - self.limit.seconds:
            gone = parts.popleft()
            self._roll(int(gone[1]))
            if gone[1]:
                self._before.append(gone)
        if not self.spent:
            self.alerted = 0
        self.since, self.until = start, start + part

    def _back(self, start: float) -> None:
        """The clock went back to this part. What was spent after it counts from now on."""
        every = [*self._before, *self._parts]
        self._roll(self.spent - sum(int(spent) for _, spent in every))
        ahead = sum(int(spent) for begun, spent in every if begun >= start)
        self._before.clear()
        self._parts.clear()
        self._parts.extend(one for one in every if one[0] < start)
        self._parts.append([start, ahead])

    def _roll(self, micros: int) -> None:
        """So much of what was spent does not count any more, and is anybody's again."""
        self.spent -= micros
        if self.leased:
            self.share -= micros
            self.rolled += micros

    @property
    def line(self) -> tuple[int, int, int]:
        """Part of Allotment."""
        newest = self._number(self.since)
        return 0, newest - _PARTS, newest

    def parts(self) -> dict[int, int]:
        """Part of Allotment."""
        return {self._number(start): int(spent) for start, spent in self._parts if spent}

    def remember(self, part: int, micros: int) -> None:
        """Part of Allotment."""
        self.spent += micros
        for one in self._parts:
            if self._number(one[0]) == part:
                one[1] += micros
                return
        self._parts.append([part * self._part, micros])
        self._parts = deque(sorted(self._parts))

    def _number(self, start: float) -> int:
        return round(start / self._part)

    def spend(self, micros: int) -> None:
        """Part of Allotment."""
        self._parts[-1][1] += micros
        self.spent += micros

    @property
    def resets_at(self) -> float:
        """Part of Allotment."""
        begun = (start for start, spent in self._parts if spent)
        return next(begun, NEVER) + self.limit.seconds + self._part

    def kept(self) -> Kept:
        """Part of Allotment."""
        every = (*self._before, *self._parts)
        return tuple([start, spent, self.alerted] for start, spent in every if spent)

    def restore(self, kept: Kept) -> None:
        """Part of Allotment."""
        self._parts.clear()
        self._before.clear()
        self.spent = self.alerted = 0
        for start, spent, alerted in sorted(kept):
            self._parts.append([float(start), int(spent)])
            self.spent += int(spent)
            self.alerted = int(alerted)
        if self.leased:
            self.share = self.spent

    def adopt(self, kept: Kept, seconds: int) -> None:
        """Take what one of so many seconds gave. When in a part something was spent is not known,
        so that it was at its end."""
        later = max(0.0, seconds / _PARTS - self._part)
        self.restore(tuple([start + later, spent, alerted] for start, spent, alerted in kept))


def allotted(limit: Limit, zone: str, *, leased: bool = False) -> Allotment:
    """Nothing is spent of it yet."""
    if limit.window == "rolling":
        return Rolling(limit, leased=leased)
    return Calendar(limit, zone, leased=leased)


def adopt(one: Allotment, known: Mapping[tuple[str, int], Kept]) -> None:
    """Another length was given to a window that rolls: what was spent stays spent."""
    if isinstance(one, Rolling):
        for (window, seconds), kept in known.items():
            if window == "rolling":
                one.adopt(kept, seconds)
