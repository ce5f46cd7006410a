"""A screen: what an answer passes on its way, so that it is heard (`protocols/hearing.py`).

What is heard is a copy, decoded where it must be, and never more than one message of it is held.
The bytes that came go on in the same turn, as they came. Only where the hearing sifts do messages
wait for their end, since what they are is not known before.

A stream that ends without the end its protocol has is cut: its body may be whole, but what it was
to say is not. Clients take a tidy end for all there was, so it is made a failure here. What could
not be heard (a coding that we do not know, a message too long to be read) is given the benefit of
the doubt. So is a stream that says from where it can be asked for once more: its server may close
it whenever it likes, and go on in another one (MCP 2025-11-25). But that what was not heard was
nothing is not believed, or who asks for a coding would have a model's words for nothing: its bytes
count as text.
"""

import zlib
from collections.abc import Iterator

from proxy.protocols.coding import MOST_PER_BYTE, WINDOWS, decoded
from proxy.protocols.frames import Frame, Frames, written
from proxy.protocols.hearing import Hearing
from proxy.refusal import Refusal
from proxy.reply import Reply

LONGEST = 1 << 20
"""Bytes of an answer that is no stream, which are read."""
_ALWAYS = 1 << 20  # bytes that may come out of however little
_PICTURE = 6_000
"""Bytes of text that as much as is read of one message counts as, where it is not read. No model
writes so much at once: it is a picture, or sound."""
_NDJSON = b"application/x-ndjson"


class Screen:
    """Of one answer that is a stream."""

    __slots__ = (
        "_coding",
        "_ends_early",
        "_frames",
        "_hearing",
        "_inflater",
        "_into",
        "_lines",
        "_lost",
        "_out",
        "deaf",
    )

    def __init__(self, reply: Reply, hearing: Hearing) -> None:
        fields = reply.fields
        self._lines = fields.get(b"content-type", b"").lower().startswith(_NDJSON)
        self._frames = Frames(lines=self._lines)
        self._hearing = hearing
        self._coding = fields.get(b"content-encoding", b"").strip().lower() or b"identity"
        window = WINDOWS.get(self._coding)
        self._inflater = None if window is None else zlib.decompressobj(wbits=window)
        self._into = self._out = 0  # bytes that were decoded
        self._lost = False  # nothing more can be
        self.deaf = self._coding != b"identity" and window is None
        """Was something of it not heard?"""
        # One that has no end, or must have so many bytes, goes on until its bytes end.
        self._ends_early = not hearing.ended and reply.length is None

    def passes(self, piece: bytes) -> bytes:
        """What goes on of these bytes, perhaps none yet."""
        if self._inflater is not None:
            for plain in self._inflated(piece):
                self._hear(plain)
            if self._lost:
                self._hearing.written += len(piece)
            return piece
        if self._coding != b"identity":
            self._hearing.written += len(piece)
            return piece
        sifted = self._hear(piece)
        return sifted if self._hearing.sifts else piece

    def ends(self, last: bytes) -> bytes:
        """The same of the last of them."""
        passed = self.passes(last) if last else b""
        rest = self._frames.last()
        if rest is None:
            return passed
        on = self._heard(rest)
        return passed + on if self._hearing.sifts and self._inflater is None else passed

    @property
    def cut(self) -> bool:
        """It has ended: too early?"""
        hearing = self._hearing
        return not (hearing.ended or hearing.told is not None or self.deaf)

    @property
    def complete(self) -> bool:
        """Has it said all, though its bytes have not ended?"""
        return self._hearing.ended and self._ends_early

    def _hear(self, plain: bytes) -> bytes:
        return b"".join([self._heard(frame) for frame in self._frames.feed(plain)])

    def _heard(self, frame: Frame) -> bytes:
        """What goes on in its place, where it sifts."""
        if frame.missed or frame.resumes:
            self.deaf = True
            if frame.missed:
                self._hearing.written += min(len(frame.raw), _PICTURE)
        elif frame.data:
            instead = self._hearing.event(frame.kind, frame.data)
            if instead is not None:
                return written(frame.kind, instead, lines=self._lines) if instead else b""
        return frame.raw

    def _inflated(self, piece: bytes) -> Iterator[bytes]:
        """The piece without its coding. What is no such coding, or a bomb, is heard no more."""
        self._into += len(piece)
        while piece and not self._lost:
            most = max(_ALWAYS, self._into * MOST_PER_BYTE) - self._out
            inflater = self._inflater
            assert inflater is not None
            try:
                plain = inflater.decompress(piece, max(1, most))
            except zlib.error:
                self.deaf = self._lost = True
                return
            self._out += len(plain)
            yield plain
            if inflater.unconsumed_tail:
                self.deaf = self._lost = True
            piece = inflater.unused_data
            if piece:  # there may be several of them, one after the other (RFC 1952 2.2)
                self._inflater = zlib.decompressobj(wbits=WINDOWS[self._coding])


class Reading:
    """Of one answer that is no stream: a copy of it is read when all of it is here."""

    __slots__ = ("_coding", "_copy", "_hearing", "deaf")

    def __init__(self, reply: Reply, hearing: Hearing) -> None:
        self._coding = reply.fields.get(b"content-encoding", b"")
        self._hearing = hearing
        self._copy = bytearray()
        self.deaf = False

    def passes(self, piece: bytes) -> bytes:
        """All of it."""
        if len(self._copy) + len(piece) > LONGEST:
            self.deaf, self._copy = True, bytearray()
        elif not self.deaf:
            self._copy += piece
        return piece

    def ends(self, last: bytes) -> bytes:
        """All of it."""
        passed = self.passes(last)
        if not self.deaf:
            read(self._hearing, bytes(self._copy), self._coding)
            self._copy = bytearray()
        return passed

    cut = complete = False
    """Its framing alone says if it is whole."""


def read(hearing: Hearing, content: bytes, coding: bytes) -> bytes | None:
    """Have it hear a whole answer. What goes on in its place, where it sifts; None: as it came."""
    plain = decoded(content, coding, LONGEST)
    return None if isinstance(plain, Refusal) else hearing.whole(plain)
