"""What is taken of a call's bodies while they pass, so that it can be kept beside the journal.

Nothing waits for it and nothing is copied: pieces are held as they came. All that is held, from its
first byte until a thread has dealt with it (`intake.py`), is drawn from one `Space`. It is apart
from the pool that calls need for themselves (`limits.replay_pool`), for no call may fail because
another one is remembered. Where it is dry the payload is lost, counted, and told of in its place.
"""

import contextlib
import threading
from asyncio import AbstractEventLoop, Future, get_running_loop
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from proxy.call import Call, Stop
from proxy.journal.sealing import Who
from proxy.record import Payload, Record
from proxy.reply import Reply

if TYPE_CHECKING:
    from proxy.journal.redaction import Rules

SPACE = 64 << 20
"""Bytes of bodies that are held on their way to the side store."""
_DRY = "there was no room to hold it"
_CODING = b"content-encoding"
_LARGE = "larger than is looked through"


class Wish(NamedTuple):
    """What a policy asks for. Made once for each kind of call."""

    mode: str  # redacted | full
    rules: "Rules"
    limit: int
    """Bytes of one body. In mode `full` what is beyond is cut off; else nothing of it is kept, for
    what was cut off may be the other half of a secret."""

    @property
    def cuts(self) -> bool:
        """May there be a part of a body?"""
        return self.mode == "full"


class Space:
    """The memory that all of it draws on. From any thread. `lost` counts why payloads were lost."""

    def __init__(self, size: int = SPACE) -> None:
        self.size = size
        self.free = size
        self.lost: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, count: int) -> bool:
        """Take `count` bytes, if there are so many."""
        with self._lock:
            if count > self.free:
                return False
            self.free -= count
            return True

    def give(self, count: int) -> None:
        """Give back what was taken."""
        with self._lock:
            self.free += count

    def lose(self, why: str) -> None:
        """A call's payload is lost: memory | queue | late | store | bug."""
        with self._lock:
            self.lost[why] += 1


class Taken(NamedTuple):
    """One body, as far as it was taken."""

    pieces: tuple[bytes, ...] = ()
    size: int = 0  # of all that passed
    whole: bool = False  # it ended, and is here
    why: str = ""  # nothing of it is here; empty: what is within the limit is
    coding: bytes = b""  # its Content-Encoding

    @property
    def held(self) -> int:
        """Bytes of it that are here."""
        return sum(map(len, self.pieces))


class BodyTap:
    """Part of Tap: sees one body.

    What it holds is one piece: a list of those that came would be thirty times as much memory as
    was drawn for a body that comes in chunks of two bytes.
    """

    __slots__ = ("_content", "_cuts", "_left", "_space", "_why", "complete", "size")

    def __init__(self, space: Space, wish: Wish) -> None:
        self.size = 0
        self.complete = False
        self._space = space
        self._cuts = wish.cuts
        self._left = wish.limit
        self._content = bytearray()
        self._why = ""

    def saw(self, at: int, piece: bytes) -> None:
        """Part of Tap."""
        new = at + len(piece) - self.size
        if new <= 0:
            return
        self.size += new
        if self._why:
            return
        piece = piece if new == len(piece) else piece[-new:]
        if new > self._left:
            if not self._cuts:
                self._drop(_LARGE)
                return
            piece = piece[: self._left]
        if not piece:
            return
        if not self._space.take(len(piece)):
            self._space.lose("memory")
            self._drop(_DRY)
            return
        self._left -= len(piece)
        self._content += piece

    def ended(self) -> None:
        """Part of Tap."""
        self.complete = True

    def all(self, content: bytes) -> None:
        """It is here as a whole."""
        self.saw(0, content)
        self.complete = True

    def taken(self, coding: bytes) -> Taken | None:
        """All that was taken; None: there was no body. Whoever gets it gives its space back."""
        if not self.size and not self.complete:
            return None
        content = self._content
        whole = self.complete and len(content) == self.size
        pieces = (bytes(content),) if content else ()
        return Taken(pieces, self.size, whole, self._why, coding)

    def _drop(self, why: str) -> None:
        self._why = why
        self._space.give(len(self._content))
        self._content = bytearray()


class Parcel:
    """What a call leaves at its end: its record, and the bodies that it is to tell of."""

    __slots__ = (
        "_loop", "_noted", "after", "at", "record", "request", "response", "who", "wish",
    )  # fmt: skip

    def __init__(
        self,
        record: Record,
        who: Who,
        wish: Wish,
        request: Taken | None,
        response: Taken | None,
        at: float,
    ) -> None:
        """`at`: when, on Clock.now."""
        self.record = record
        self.who = who
        self.wish = wish
        self.request = request
        self.response = response
        self.at = at
        self.after: Callable[[], None] | None = None
        """Called when its record was noted, from any thread."""
        self._noted: Future[None] | None = None
        self._loop: AbstractEventLoop | None = None

    @property
    def held(self) -> int:
        """Bytes in it."""
        return sum(taken.held for taken in (self.request, self.response) if taken is not None)

    def told(self, request: str = "", response: str = "") -> Record:
        """Its record, with these commitments."""
        return msgspec.structs.replace(
            self.record,
            request=_payload(self.request, request),
            response=_payload(self.response, response),
        )

    def announced(self) -> "Future[None]":
        """When its record was noted. To be asked before it is handed over."""
        self._loop = get_running_loop()
        self._noted = self._loop.create_future()
        return self._noted

    def is_noted(self) -> None:
        """Its record is on its way to the disk. From any thread."""
        if self.after is not None:
            self.after()
        if self._noted is not None and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                self._loop.call_soon_threadsafe(_resolve, self._noted)


class CallTaking:
    """Part of Taking: both bodies of one call."""

    __slots__ = ("_now", "_wish", "request", "response")

    def __init__(self, call: Call, wish: Wish, space: Space, now: Callable[[], float]) -> None:
        """From here on its request is seen. `now`: Clock.now."""
        self._wish = wish
        self._now = now
        self.request = BodyTap(space, wish)
        self.response = BodyTap(space, wish)
        if call.body.whole is not None:
            self.request.all(call.body.whole)
        else:
            call.body.watch(self.request)

    def answers(self, reply: Reply) -> None:
        """Part of Taking. What goes through a tunnel is no answer."""
        if reply.body is not None and reply.tunnel is None:
            reply.body.watch(self.response)

    def parcel(self, call: Call, reply: Reply, record: Record) -> Parcel:
        """Part of Taking."""
        nobody_heard = call.stopped is Stop.AGENT_GONE and reply.refusal is not None
        answer = None if nobody_heard or reply.tunnel is not None else reply.body
        for tap, body in ((self.request, call.body), (self.response, answer)):
            if not tap.complete and body is not None and body.whole is not None:
                tap.all(body.whole)
        return Parcel(
            record,
            Who(call.task, call.agent),
            self._wish,
            self.request.taken(call.head.fields.get(_CODING, b"")),
            self.response.taken(reply.fields.get(_CODING, b"")),
            self._now(),
        )


def _payload(taken: Taken | None, commitment: str) -> Payload | None:
    return None if taken is None else Payload(taken.size, commitment)


def _resolve(future: "Future[None]") -> None:
    if not future.done():
        future.set_result(None)
