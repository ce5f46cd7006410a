"""Segments that hold in themselves, found out by other processes while this one goes on.

Whether the lines of a segment follow each other depends on no other segment, once it is said what
the first one builds on; its head says so. So each is followed by whoever has time, and what is left
for the one who verifies is to see that the claim is true, and to add the hashes to the tree. What
does not hold is told by nobody here: he goes through it himself, and names it.
"""

import signal
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, suppress
from itertools import cycle
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from proxy.journal.chain import TYPE, Place, follow
from proxy.journal.reading import BLOCK, Reader, Unpacking

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

MOST = 2_000_000
"""Lines of a segment whose hashes are held: 64 MB. One with more is gone through as it is read."""
MUCH = 16 << 20
"""Bytes, packed as they are, from which on others help: they need a third of a second to start."""
_HASH = 32


class Job(NamedTuple):
    """A segment to follow."""

    path: Path
    start: Place  # what its first line says that it builds on
    limit: int  # how many of its lines count; 0: all
    telling: tuple[bytes, ...]  # how the type of a line begins that somebody must see
    most: int = MOST
    block: int = BLOCK


class Whole(NamedTuple):
    """All lines of a segment, which hold."""

    start: Place
    hashes: bytes  # one after the other
    seen: list[list[bytes]]  # of each block: its first line, those that are telling, its last

    def each(self) -> list[bytes]:
        """The hashes."""
        hashes = self.hashes
        return [hashes[at : at + _HASH] for at in range(0, len(hashes), _HASH)]


def whole(job: Job) -> Whole | None:
    """None: something does not hold, or cannot be read, or is too much."""
    place, count = job.start, 0
    parts: list[bytes] = []
    seen: list[list[bytes]] = []
    reader = Reader(job.path, job.block)
    try:
        for lines in reader.blocks():
            ends = bool(job.limit) and count + len(lines) >= job.limit
            lines = lines[: job.limit - count] if ends else lines
            found = follow(lines, place)
            count += len(found)
            if len(found) < len(lines) or count > job.most:
                return None
            place = Place(place.seq + len(found), found[-1])
            parts.append(b"".join(found))
            seen.append(_seen(lines, job.telling))
            if ends:
                return Whole(job.start, b"".join(parts), seen)
    except (OSError, *Unpacking):
        return None
    return None if reader.torn or job.limit else Whole(job.start, b"".join(parts), seen)


def _seen(lines: list[bytes], telling: tuple[bytes, ...]) -> list[bytes]:
    between = [line for line in lines[1:-1] if line.startswith(telling, line.find(TYPE))]
    return [lines[0], *between, *lines[1:][-1:]]


Help = Callable[[Sequence[Job]], Generator[Whole | None, None, None]]
"""What others find of each job, in their order. None: go through it yourself."""


def nobody(jobs: Sequence[Job]) -> Generator[Whole | None, None, None]:
    """Part of Help: all is gone through by who asks."""
    yield from [None] * len(jobs)


class Hand(Protocol):
    """Somebody who follows segments, one after the other."""

    def begin(self, job: Job, /) -> None:
        """One more to follow."""

    def result(self) -> Whole | None:
        """Of the first that was begun and not given yet. Waits."""

    def end(self) -> None:
        """Nothing more is wanted."""


class Process:
    """Another process. Whatever becomes of it, there is an answer."""

    def __init__(self) -> None:
        """Raises OSError, where no process is to be had."""
        context = get_context("spawn")
        self._ours, theirs = context.Pipe()
        # A daemon: it ends with us, also where nobody had time to end it.
        self._process = context.Process(target=work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def begin(self, job: Job) -> None:
        """Part of Hand."""
        with suppress(OSError):  # it was killed, for its memory; the result says so
            self._ours.send(job)

    def result(self) -> Whole | None:
        """Part of Hand."""
        try:
            found: Whole | None = self._ours.recv()
        except (EOFError, OSError):
            return None
        return found

    def end(self) -> None:
        """Part of Hand."""
        self._process.kill()
        self._process.join()
        self._ours.close()


def work(jobs: "Connection") -> None:
    """The other process: each job that comes, until nobody is there any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who was started by hand
    with suppress(EOFError, OSError):
        while True:
            jobs.send(whole(jobs.recv()))


def processes(count: int, hand: Callable[[], Hand] = Process) -> Help:
    """So many help, where there is so much to read that they are worth it."""

    def helped(jobs: Sequence[Job]) -> Generator[Whole | None, None, None]:
        with ExitStack() as stack:
            try:
                worth = len(jobs) > 1 and _size(jobs) >= MUCH
                hands = [_ended(hand(), stack) for _ in range(count if count > 1 and worth else 0)]
            except OSError:  # no process is to be had, or a segment was packed just now
                hands = []
            yield from _given(jobs, hands) if hands else nobody(jobs)

    return helped


def _size(jobs: Sequence[Job]) -> int:
    return sum(job.path.stat().st_size for job in jobs)


def _ended(hand: Hand, stack: ExitStack) -> Hand:
    stack.callback(hand.end)
    return hand


def _given(jobs: Sequence[Job], hands: Sequence[Hand]) -> Generator[Whole | None, None, None]:
    """Each hand has one job, and one more to go on with."""
    ahead = 2 * len(hands)
    for hand, job in zip(cycle(hands), jobs[:ahead], strict=False):
        hand.begin(job)
    for n, hand in zip(range(len(jobs)), cycle(hands), strict=False):
        found = hand.result()
        if n + ahead < len(jobs):
            hand.begin(jobs[n + ahead])
        yield found
