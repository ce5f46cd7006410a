"""One mirror: it reads the journal from its place on, and hands records to its sink.

*At least once, in order.* The place goes on only behind what the sink has taken, and what is saved
of it is never ahead of that; so after a crash some records are told once more, and none is left
out. What cannot be told, for it was deleted before, is told as a gap.

*Beside the path.* It reads in a thread, a batch at a time, and holds one batch, however far behind
it is. A receiver that is slow, or away, makes it late (its lag says so) and nothing else. Nor does
it wait for its disk on the loop; while its place cannot be saved it tells no more.

*Refusals.* What is wrong with the receiver (5xx, no answer, a wrong token) is tried again for ever.
What it says of one record (`blames`) is tried a few times; then the record is set aside, counted,
and told with its seq, and the next one goes. Of many in a row that is not believed: then something
is wrong with the receiver after all.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from proxy.clock import Clock
from proxy.globs import holds
from proxy.journal.chain import Place, hash_of, type_of
from proxy.journal.disk import Disk
from proxy.journal.tail import UNKNOWN, Tail, oldest
from proxy.mirrors.cursor import Aside, Cursor, CursorFile, Damaged
from proxy.mirrors.event import Event, event_of, hole_of
from proxy.mirrors.retries import Retries
from proxy.mirrors.sink import Said, Sink

Found = TypeVar("Found")

READS = 400
"""Records that are read at a time, at most."""
PAUSES = 2.0
LONGEST_PAUSE = 0.05
"""After each reading, so many times as long as it took, and so many seconds at most. So many where
it read all there was, too: a step costs as much as a hundred records."""
POLL = 0.25
"""Seconds from look to look whether there is something new."""
SAVES = 1.0
"""Seconds after which the place is saved; so much is told twice after a crash."""
LONGEST = 300.0
"""Seconds until it is tried again at most, where the receiver asks for none."""
PATIENT = 3600.0
"""Seconds that are waited at most where it does."""
TRIES = 5
"""Of a record that its receiver does not want."""
IN_A_ROW = 10
"""Records that are set aside without one between them that was taken."""
TELLS = 60.0
"""Seconds in which it is not told again that records are set aside for the same reason."""
KEPT = 100
"""Records set aside whose seq is kept."""
_DISK = "the disk: "
_MOST_WORDS = 256
_LAST = 1.0  # seconds for the place to be saved at the end


class Counts(msgspec.Struct):
    """What came of it, since the start."""

    sent: int = 0
    failed: int = 0  # tries
    aside: int = 0
    lost: int = 0  # records that could not be told


class Terms(NamedTuple):
    """What is to be mirrored."""

    name: str
    kind: str
    target: str  # a digest of where it goes
    types: tuple[str, ...] = ("*",)  # globs; with a leading ! those that are not
    begins: str = "now"  # oldest | now: where nothing is known of it

    def wants(self, word: str) -> bool:
        """A type of records."""
        excluded = [glob[1:] for glob in self.types if glob.startswith("!")]
        wanted = [glob for glob in self.types if not glob.startswith("!")] or ["*"]
        return any(holds(glob, word) for glob in wanted) and not any(
            holds(glob, word) for glob in excluded
        )


class _Gone(Exception):
    """The receiver wants no more."""


class Mirror:
    """`run`, until cancelled."""

    def __init__(
        self,
        terms: Terms,
        sink: Sink,
        data_dir: Path,
        clock: Clock,
        disk: Disk,
        written: Callable[[], int],
        heard: Callable[[str, str], None],
    ) -> None:
        """`written`: the seq of the last record that is committed. `heard` hears a state, one of
        `MirrorChange` in `proxy/news.py`, and what happened."""
        self.terms = terms
        self.counts = Counts()
        self.trouble = ""
        """Why it does not get on; empty: it does."""
        self.cursor = Cursor()
        self.waits_for = ""
        """When the first record came that was not taken yet; empty: there is none that is known."""
        self._sink = sink
        self._data_dir = data_dir
        self._clock = clock
        self._file = CursorFile(data_dir, terms.name, disk)
        self._written = written
        self._heard = heard
        self._tail: Tail | None = None
        self._wanted: dict[str, bool] = {}
        self._most = sink.at_once
        self._retries = Retries(clock, LONGEST)
        self._in_a_row = 0
        self._told_aside = ""
        self._tells_aside = 0.0
        self._saved: tuple[Any, ...] = ()
        self._saves = 0.0

    @property
    def lag(self) -> int:
        """Records behind the last one that is done with."""
        return max(0, self._written() - self.cursor.seq) if self._tail is not None else 0

    async def run(self) -> None:
        """Tell, until cancelled, or until the receiver wants no more."""
        try:
            await self._begin()
            while True:
                await self._step()
        except _Gone:
            await self._save()
        finally:
            await self._end()

    async def _step(self) -> None:
        assert self._tail is not None
        began, before = self._clock.now(), self._tail.at.seq
        events = await self._patiently(self._more)
        # A thread that reads on and on would take the interpreter from the loop.
        few = 0 < self._tail.at.seq - before < READS
        pause = LONGEST_PAUSE if few else PAUSES * (self._clock.now() - began)
        await self._clock.sleep(min(LONGEST_PAUSE, pause))
        await self._tell(events)
        self.waits_for = ""
        if self._tail.at.seq != self.cursor.seq or self._tail.at.hash.hex() != self.cursor.hash:
            self.cursor.go(self._tail.at)
        elif not events:
            await self._idle()
        if self._clock.now() >= self._saves:
            await self._save()

    async def _idle(self) -> None:
        said = await self._sink.idle()
        if said.blames:
            self.counts.aside += 1
            self._heard("aside", f"it does not want what was summed up: {said.why}")
        elif said.why:
            await self._refused(said, said.why)
        elif self.trouble:
            self._retries.well()
            self._well()
        await self._save()
        await self._clock.sleep(POLL)

    # --- where it is ---

    async def _begin(self) -> None:
        found = await self._patiently(self._read_cursor)
        if found is not None and found.kind != self.terms.kind:
            self._heard("moved", f"it was of kind {found.kind}: it begins anew")
            found = None
        if found is None:
            found = await self._patiently(self._first)
        elif found.target != self.terms.target:
            self._heard("moved", f"it goes elsewhere, and on behind seq {found.seq}")
        found.target, self.cursor = self.terms.target, found
        self._sink.load(found.state)
        self._tail = Tail(self._data_dir, found.place, found.places)
        await self._save()

    def _read_cursor(self) -> Cursor | None:
        self._file.clean()
        return self._file.read()

    def _first(self) -> Cursor:
        now = self.terms.begins == "now"
        place = Place(self._written(), UNKNOWN) if now else oldest(self._data_dir)
        return Cursor(self.terms.kind, seq=place.seq, hash=place.hash.hex())

    async def _patiently(self, work: Callable[[], Found]) -> Found:
        """In a thread; again and again while the disk does not do it."""
        while True:
            try:
                found = await self._in_thread(work)
                if self.trouble.startswith(_DISK):
                    self._well()
                return found
            except Damaged as damaged:
                # Nobody knows what was told: all once more, or what a careful sink may be told.
                begins = "now" if self._sink.careful else "oldest"
                self.terms = self.terms._replace(begins=begins)
                self._heard("damaged", f"{damaged}; it begins with {begins}")
            except OSError as error:
                await self._refused(Said(0), f"{_DISK}{error.strerror or error}")

    async def _in_thread(self, work: Callable[[], Found]) -> Found:
        """Whoever is cancelled meanwhile waits for it a moment: two threads must not do it."""
        task = self._clock.spawn(asyncio.to_thread(work))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task], timeout=_LAST)
            raise

    async def _save(self) -> None:
        await self._patiently(self._save_now)
        self._saves = self._clock.now() + SAVES

    def _save_now(self) -> None:
        cursor = self.cursor
        cursor.state = self._sink.dump()
        told = (cursor.seq, cursor.hash, len(cursor.aside), msgspec.json.encode(cursor.state))
        if told != self._saved:
            cursor.mark()
            self._file.write(cursor)
            self._saved = told

    async def _end(self) -> None:
        if self._tail is not None:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_LAST):
                    await self._in_thread(self._save_now)
            self._tail.close()
        await self._sink.close()

    # --- what is told ---

    def _more(self) -> list[Event]:
        """In a thread: so that the loop has nothing to do with what is not wanted."""
        assert self._tail is not None
        read = self._tail.more(self._written(), READS)
        if read.hole is not None:
            return [hole_of(read.hole, self._tail.origin)]
        lines, everything = read.lines, self.terms.types == ("*",)
        if not everything:  # by its place: most are not wanted, and need not be read
            lines = [line for line in lines if self._wants(type_of(line).decode("latin-1"))]
        made = [event_of(line, self._tail.origin) for line in lines]
        found = [event for event in made if event is not None]
        return found if everything else [event for event in found if self._wants(event.type)]

    def _wants(self, word: str) -> bool:
        known = self._wanted.get(word)
        if known is None:  # there are as many as TYPES has, but where somebody wrote into it
            if len(self._wanted) >= _MOST_WORDS:
                self._wanted.clear()
            known = self._wanted[word] = self.terms.wants(word)
        return known

    async def _tell(self, events: list[Event]) -> None:
        self._note_holes(events)
        left, tries = events, 0
        while left:
            self.waits_for = left[0].ts or self.waits_for
            said = await self._sink.take(left[: self._most])
            if said.taken:
                self._took(left[: said.taken])
                left, tries = left[said.taken :], 0
            if not said.why:
                continue
            if said.gone:
                self._trouble("gone", said.why)
                raise _Gone
            if said.blames > 1:
                self._most = said.blames // 2
                continue
            tries += said.blames
            if self._gives_up(tries):
                self._set_aside(left[0], said.why)
                left, tries = left[1:], 0
                continue
            await self._refused(said, said.why)

    def _gives_up(self, tries: int) -> bool:
        if self._sink.sure:
            return tries > 0
        return tries >= TRIES and self._in_a_row < IN_A_ROW

    def _took(self, events: list[Event]) -> None:
        self.counts.sent += len(events)
        self._in_a_row = 0
        self._retries.well()
        self._most = min(self._sink.at_once, 2 * self._most)
        self._go_to(events[-1])
        if self.trouble:
            self._well()

    def _well(self) -> None:
        self.trouble = ""
        self._heard("ok", "it gets on again")

    def _set_aside(self, event: Event, why: str) -> None:
        self.counts.aside += 1
        self._in_a_row += 1
        self.cursor.aside = [*self.cursor.aside, Aside(event.seq, why)][-KEPT:]
        self._go_to(event)
        if why != self._told_aside or self._clock.now() >= self._tells_aside:  # not of thousands
            self._told_aside, self._tells_aside = why, self._clock.now() + TELLS
            self._heard("aside", f"it does not want the record with seq {event.seq}: {why}")

    def _go_to(self, event: Event) -> None:
        """It is done with. Behind a hole the place is the tail's, once all of a batch is told."""
        if event.ts:
            self.cursor.go(Place(event.seq, hash_of(event.line) or UNKNOWN))

    def _note_holes(self, events: list[Event]) -> None:
        for event in events:
            if not event.ts:
                told = msgspec.json.decode(event.line)
                count = told["last"] - told["first"] + 1
                self.counts.lost += count if told["kind"] == "missing" else 0
                self._heard("gap", f"{told['kind']}: seq {told['first']} to {told['last']}")

    async def _refused(self, said: Said, why: str) -> None:
        """Wait, and longer each time."""
        self.counts.failed += 1
        self._trouble("failing", why)
        wait = self._retries.failed()
        if self._tail is not None and self._clock.now() >= self._saves:
            with contextlib.suppress(OSError):  # a long wait may end with the process
                await self._in_thread(self._save_now)
        await self._clock.sleep(max(wait, min(said.retry_after, PATIENT)))

    def _trouble(self, state: str, why: str) -> None:
        if why != self.trouble:
            self._heard(state, why)
        self.trouble = why
