"""Finds calls in a journal beside the loop that calls run on: the newest first, a bounded piece at
a time, in small steps with a pause between them.

What a search may take is bounded by what it looks at, not by what there is: a page says where the
next one goes on, also where it found nothing. Segments that are compressed can only be read from
their beginning, so of one of them all is looked at.
"""

import sys
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from proxy.journal.chain import type_of
from proxy.journal.entries import FINISHED, INTENT
from proxy.journal.folder import File, Folder
from proxy.journal.query import Query, facts
from proxy.journal.reading import Opening, Unpacking
from proxy.journal.records import blocks_of, first_lines, first_of, from_the_end, with_id
from proxy.journal.walk import limits

STEP = 1 << 16
"""Bytes between two pauses: a fraction of a millisecond."""
LOOKED = 32 << 20
"""Bytes that a page looks at; it ends at the next step, or the next segment."""
LOOKED_FOR_ONE = 256 << 20
"""Likewise, to find one call: that goes by its id alone, which is quicker."""
MOST = 1 << 20
"""Bytes of lines on a page; it holds one more than that."""
_FINISHED, _INTENT = FINISHED.encode(), INTENT.encode()
_SLACK = timedelta(seconds=1)  # that the clock may have gone back between the two ends of a call
_ALL = sys.maxsize
_BOTH = 2


class Cursor(NamedTuple):
    """Where a page goes on."""

    segment: int
    seq: int  # before it


class Page(NamedTuple):
    """Calls that were found."""

    lines: list[bytes]  # the newest first
    next: Cursor | None  # None: all was looked at


class Named(NamedTuple):
    """What there is of one call."""

    intent: bytes | None
    finished: bytes | None
    unseen: str  # ts; what was written before it was not looked at. Empty: all was


class _Part(NamedTuple):
    """A segment as far as it counts."""

    file: File
    limit: int  # lines; 0: all
    before: int  # seq


class Search:
    """One search. For one thread, and not for another one after it."""

    def __init__(
        self, data_dir: Path, pause: Callable[[], None], looked: int = LOOKED, step: int = STEP
    ) -> None:
        """`pause` is called between two steps; what it raises ends the search."""
        self._folder = Folder(data_dir)
        self._pause = pause
        self._left = looked
        self._step = step
        self._stopped: Cursor | None = None

    def page(self, query: Query, limit: int, after: Cursor | None = None) -> Page:
        """Calls that have ended, and fit. Raises OSError."""
        found: list[bytes] = []
        size = 0
        for part in self._parts(query, after):
            for seq, line in self._newest(part, query, limit - len(found)):
                found.append(line)
                size += len(line)
                if len(found) == limit or size > MOST:
                    return Page(found, Cursor(part.file.number, seq))
        return Page(found, self._stopped)

    def named(self, name: str, query: Query) -> Named:
        """One call, by its id; `query` says when it was. Raises OSError."""
        ends: dict[bytes, bytes] = {}
        oldest = ""
        for part in self._parts(query, None):
            first = b""
            for lines in self._blocks(part):
                first = first or lines[0]
                for line in with_id(lines, name):
                    if facts(line) is not None:
                        ends[type_of(line)] = line
                if len(ends) == _BOTH:
                    break
            oldest = _ts(first) or oldest
            if _INTENT in ends or oldest < _began(ends.get(_FINISHED)):
                return Named(ends.get(_INTENT), ends.get(_FINISHED), "")
        return Named(None, ends.get(_FINISHED), oldest if self._stopped else "")

    def _parts(self, query: Query, after: Cursor | None) -> Iterator[_Part]:
        """The segments in which something may be, the newest first."""
        newest, before = (_ALL, _ALL) if after is None else after
        following: Opening | None = None
        for file in reversed(self._folder.segments()):
            if file.number > newest + 1:
                continue
            if self._left <= 0:
                self._stopped = Cursor(file.number, _ALL)
                return
            self._pause()
            found = first_of(file)
            if file.number <= newest:
                self._left -= self._step
                if _may_hold(query, found, following):
                    limit = limits([found, following])[0]
                    yield _Part(file, limit, before if file.number == newest else _ALL)
                if self._stopped is not None:
                    return
            following = found

    def _newest(self, part: _Part, query: Query, room: int) -> Iterator[tuple[int, bytes]]:
        """What fits of a segment, the newest first."""
        if part.limit or part.file.closed:
            yield from self._last(part, query, room)
            return
        try:
            with part.file.path.open("rb") as file:
                for lines in from_the_end(file, self._step):
                    self._pause()
                    yield from _fitting(lines, part.before, query)
                    if lines and self._spent(part, lines):
                        return
        except FileNotFoundError:
            yield from self._last(part, query, room)  # it was compressed meanwhile

    def _spent(self, part: _Part, lines: list[bytes]) -> bool:
        """Was enough looked at? On the way to where a page goes on, nothing is."""
        seq = _seq(lines[-1])
        if seq >= part.before:
            return False
        self._left -= sum(map(len, lines))
        if self._left > 0 or not seq:
            return False
        self._stopped = Cursor(part.file.number, seq)
        return True

    def _last(self, part: _Part, query: Query, room: int) -> Iterator[tuple[int, bytes]]:
        """The same, of a segment that is read from its beginning."""
        kept: deque[tuple[int, bytes]] = deque()
        size = 0
        for lines in self._blocks(part):
            for found in _fitting(lines, part.before, query):
                kept.append(found)
                size += len(found[1])
                while len(kept) > room or size - len(kept[0][1]) > MOST:
                    size -= len(kept.popleft()[1])
        yield from reversed(kept)

    def _blocks(self, part: _Part) -> Iterator[list[bytes]]:
        """The lines of a segment from its beginning. What cannot be unpacked, `verify` tells."""
        try:
            yield from first_lines(self._steps(part.file), part.limit)
        except Unpacking:
            return

    def _steps(self, file: File) -> Iterator[list[bytes]]:
        for lines in blocks_of(file, self._step):
            self._pause()
            self._left -= sum(map(len, lines))
            yield lines


def _may_hold(query: Query, found: Opening | None, following: Opening | None) -> bool:
    """A segment ends when the next one begins, as for retention."""
    if query.since and following is not None and following.claims.ts < query.since:
        return False
    return not query.until or found is None or found.claims.ts < query.until


def _fitting(lines: list[bytes], before: int, query: Query) -> Iterator[tuple[int, bytes]]:
    for line in lines:
        if type_of(line) == _FINISHED:
            found = facts(line)
            if found is not None and found.seq < before and query.wants(found):
                yield found.seq, line


def _seq(line: bytes) -> int:
    """0: it says none."""
    told = facts(line)
    return told.seq if told is not None else 0


def _ts(line: bytes) -> str:
    """Empty: it says none."""
    told = facts(line)
    return told.ts if told is not None else ""


def _began(finished: bytes | None) -> str:
    """A moment before which nothing of the call was written; empty: nobody knows one."""
    told = facts(finished) if finished is not None else None
    if told is None or told.outcome == "unknown":
        return ""
    try:
        ended = datetime.fromisoformat(told.ts[:19])
        return (ended - _SLACK - timedelta(microseconds=told.duration_us)).isoformat()
    except (ValueError, OverflowError):
        return ""
