"""The requests of this pod's desk, where others see them, and what others decide (spec 4.3).

The pod that holds a call is the one authority over it. It tells on its board what waits, and it
hears what people say at other pods. Such a word is a wish: the desk applies all of its rules to it,
as to one that was said here, notes it, and only then answers. So it does not matter how many pods a
person asks, nor whether the store is believed: what is not at this desk, durably, is not decided.

**What is shared** is what the journal has of a request, and the exact call; both closed by a key
that comes of `fleet_key`. Without one the call itself is not shared, so nobody elsewhere sees what
it is, and nobody approves what he has not seen: elsewhere it can only be denied, by a word that is
anybody's, and is noted as such.

**The store is not believed.** Words have numbers and are heard once; late ones are void. A message
to the store whose fate is not known is cleared up before the next one is built on it.
"""

import asyncio
import contextlib
import re
from collections.abc import Iterator
from typing import NamedTuple

from proxy.clock import NEVER, Clock
from proxy.state.asking import Decided
from proxy.state.case import OPEN, File, Person, Undecided
from proxy.state.desk import Desk
from proxy.state.link import Link
from proxy.state.sealed import Envelope
from proxy.state.shared.asks import TOPIC, Note, Post, Say, Take
from proxy.state.store import Unreachable
from proxy.state.words import SKEW, VOID, Answer, Told, Word, closed, opened

EVERY = 0.5
BEAT = 5.0
"""Seconds in which something is said, though nothing is new."""
ROOM = 32 << 20
"""Bytes of exact calls of one pod in the store; those beyond are seen at this pod only."""
_BATCH = 64
_BATCH_BYTES = 256 << 10
_AT_ONCE = 8
"""Messages of one exchange: there are other parts."""
_HEARD = 1_000
_LASTS = 10_000
_NAME = re.compile(r"[0-9a-f-]{1,64}")
UNSIGNED = " (unsigned)"
"""Stands behind the name of who decided, where anybody may have said it."""


class _Posted(NamedTuple):
    """How one stands on the board."""

    mark: tuple[str, int, bool]
    size: int  # of the exact call


class Asks:
    """Part of Part."""

    topic = TOPIC
    every = EVERY

    def __init__(self, desk: Desk, clock: Clock, envelope: Envelope) -> None:
        self._desk = desk
        self._clock = clock
        self._envelope = envelope
        self._link: Link | None = None
        self._number = 0
        self._base = 0  # the number that stands on the board; 0: nothing that is known
        self._posted: dict[str, _Posted] = {}  # with it
        self._doubt: tuple[int, dict[str, _Posted]] | None = None  # what may stand there as well
        self._due = 0.0
        self._heard: dict[str, None] = {}  # the numbers of words, the oldest first
        self._hearing = False
        self._telling: asyncio.Task[None] | None = None
        self._left = False

    # --- to tell ---

    async def exchange(self, link: Link) -> None:
        """Part of Part."""
        self._link = link
        busy = self._telling is not None and not self._telling.done()
        if link.fleet.ours and not busy and not self._left:  # else another one speaks for this pod
            # By itself: a disk that hangs, where exact calls are read, holds no other part up.
            self._telling = self._clock.spawn(self._share(link))

    async def _share(self, link: Link) -> None:
        with contextlib.suppress(Unreachable):
            await self._tell(link)
            if self._posted:
                await self._hear(link)

    async def _tell(self, link: Link) -> None:
        if self._doubt is not None:
            await self._post(link)
        for _ in range(_AT_ONCE):
            notes = await self._notes(link)
            wanted = {file.request.id for file in self._desk.files}
            gone = tuple(name for name in self._posted if name not in wanted)
            beats = bool(self._posted) and self._clock.now() >= self._due
            if not (notes or gone or beats):
                return
            await self._post(link, notes, gone)

    async def _notes(self, link: Link) -> dict[str, tuple[Note, _Posted]]:
        """Some of those that are new, or stand otherwise than they did."""
        found: dict[str, tuple[Note, _Posted]] = {}
        room = ROOM - sum(posted.size for posted in self._posted.values())
        size = 0
        for file, before in list(self._changed()):
            shown = await self._shown(link, file, before)
            if shown is not None and len(shown) > room:
                shown = b""
            kept = (before.size if before else 0) if shown is None else len(shown)
            told = self._told(link, file, there=kept > 0)
            name = file.request.id
            found[name] = Note(name, told, shown), _Posted(_mark(file), kept)
            room -= len(shown or b"")
            size += len(told) + len(shown or b"")
            if len(found) >= _BATCH or size >= _BATCH_BYTES:
                break
        return found

    def _changed(self) -> Iterator[tuple[File, _Posted | None]]:
        for file in self._desk.files:
            before = self._posted.get(file.request.id)
            if before is None or before.mark != _mark(file):
                yield file, before

    async def _shown(self, link: Link, file: File, before: _Posted | None) -> bytes | None:
        """As `Note` has it."""
        if file.state not in OPEN or not self._envelope.sealed:
            return b""
        if before is not None:
            return None
        name = file.request.id
        try:
            content = await self._desk.shown(name)
        except Undecided:  # it has ended meanwhile
            content = None
        return self._envelope.close(content, "shown", link.pod.id, name) if content else b""

    def _told(self, link: Link, file: File, *, there: bool) -> bytes:
        name = file.request.id
        left = self._desk.left(name)
        due = None if left == NEVER else int((link.wall() + left) * 1000)
        told = Told(file, due, link.pod.name, there)
        return closed(self._envelope, told, link.pod.id, name)

    async def _post(
        self,
        link: Link,
        notes: dict[str, tuple[Note, _Posted]] | None = None,
        gone: tuple[str, ...] = (),
    ) -> None:
        """Where something else stands there than we think, all is to be told from the beginning.
        Raises Unreachable, and then either may be so."""
        notes = notes or {}
        self._number += 1
        number = (link.pod.life << 32) + self._number
        after = {name: posted for name, posted in self._posted.items() if name not in gone}
        after |= {name: posted for name, (_, posted) in notes.items()}
        before, self._doubt = self._doubt, self._doubt or (number, after)
        told = tuple(note for note, _ in notes.values())
        stands = await link.ask(Post(link.pod.id, number, self._base, told, gone))
        self._doubt = None
        if stands == number:
            self._posted = after
        elif before is not None and stands == before[0]:
            self._posted = before[1]
        else:
            stands, self._posted = 0, {}
        self._base = stands
        self._due = self._clock.now() + BEAT

    # --- to hear ---

    def heard(self, said: bytes) -> None:
        """Part of Part: something lies in the box of a pod."""
        link = self._link
        if link is not None and said == link.pod.id.encode() and not self._hearing:
            self._hearing = True
            _ = self._clock.spawn(self._hear_now(link))

    async def _hear_now(self, link: Link) -> None:
        self._hearing = False  # what is said from now on is another look
        with contextlib.suppress(Unreachable):
            await self._hear(link)

    async def _hear(self, link: Link) -> None:
        for name, raw in await link.ask(Take(link.pod.id)):
            word = self._word(link, name, raw)
            if word is not None:
                _ = self._clock.spawn(self._obey(link, name, word))

    def _word(self, link: Link, name: str, raw: bytes) -> Word | None:
        """None: it is forged, late, or was heard before."""
        if name in self._heard or not _NAME.fullmatch(name):
            return None
        word = opened(self._envelope, Word, raw, link.pod.id, name)
        if word is None or not abs(link.wall() - word.at) < VOID:
            return None
        self._heard[name] = None
        if len(self._heard) > _HEARD:
            del self._heard[next(iter(self._heard))]
        return word

    async def _obey(self, link: Link, name: str, word: Word) -> None:
        answer = await self._decided(word)
        box = closed(self._envelope, answer, link.pod.id, name)
        with contextlib.suppress(Unreachable):  # who has said it is told that nobody knows
            _ = await link.ask(Say(name, name, box, _LASTS))
        await self.exchange(link)  # so that all see at once what came of it

    async def _decided(self, word: Word) -> Answer:
        if not abs(self._clock.wall() - word.wall) < SKEW:
            text = f"the clocks of the two pods differ by more than {SKEW:.0f} s: set them"
            return Answer("away", text, None, 0.0)
        if not self._envelope.sealed and word.decision != "deny":
            return Answer("unseen", NO_KEY, None, 0.0)
        by = word.by if self._envelope.sealed else f"{word.by}{UNSIGNED}"
        decided = Decided(
            word.request, word.decision, by, word.reason, word.break_glass, pod=word.pod
        )
        try:
            file = await self._desk.decide(decided, Person(word.by, word.groups, word.anybody))
        except Undecided as why:
            return Answer(why.kind, str(why), None, 0.0)
        return Answer("", "", file, self._desk.left(word.request))

    # --- the link ---

    def anew(self) -> None:
        """Part of Part: the next message shows what the store still has."""
        self._due = 0.0

    def lost(self) -> None:
        """Part of Part: likewise."""

    async def leave(self, link: Link) -> None:
        """Part of Part: what waits here cannot be decided until the pod is there again."""
        self._left = True
        if self._telling is not None:
            _ = self._telling.cancel()
        if self._posted and link.fleet.ours:
            self._base = 0
            await self._post(link, gone=tuple(self._posted))


NO_KEY = (
    "the exact call is not shared, for the pods have no fleet_key: here it can only be denied; "
    "it is approved at the pod that holds it"
)


def _mark(file: File) -> tuple[str, int, bool]:
    """What of it others see change."""
    return file.state, len(file.decided), file.used is not None
