"""A record as it leaves: a CloudEvent (1.0, JSON), with the record as it stands as its `data`.

`source` and `id` are what a receiver knows an event by: it may come twice. An id of the journal
alone would not do, for the intent of a call has the same as its end, and so have both lines of an
erasure; so the type and the seq stand behind it.
"""

import msgspec

from proxy.journal.chain import hash_of
from proxy.journal.tail import Hole

BATCH = "application/cloudevents-batch+json"
PREFIX = "holdfast."
"""Before the type of a record."""
HOLE = "mirror.gap"
"""The type of what is no record: it says that some cannot be told."""
_encode = msgspec.json.Encoder().encode


class Event(msgspec.Struct, frozen=True, gc=False):
    """One record, or a hole."""

    seq: int
    type: str
    id: str  # as CloudEvents has it
    ts: str  # RFC 3339; empty: of a hole
    source: str  # holdfast/FLEET/WRITER
    line: bytes  # the record, JSON

    def encoded(self) -> bytes:
        """As CloudEvents has it, in one line."""
        # Put together as it stands, for there may be one for each call; only texts are escaped.
        time = b',"time":%b' % _encode(self.ts) if self.ts else b""
        return b"".join(
            (
                b'{"specversion":"1.0","id":', _encode(self.id), b',"source":',
                _encode(self.source), b',"type":', _encode(PREFIX + self.type), time,
                # Of a width that compares as text, as the extension asks.
                b',"datacontenttype":"application/json","sequence":"%020d","data":' % self.seq,
                self.line, b"}",
            )
        )  # fmt: skip


class _Said(msgspec.Struct, gc=False):
    """What is read of a line; that the rest is JSON is seen on the way."""

    seq: int
    id: str = ""
    ts: str = ""
    type: str = ""


_decode = msgspec.json.Decoder(_Said).decode


def event_of(line: bytes, source: str) -> Event | None:
    """None: it is no record."""
    try:
        said = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if said.seq <= 0 or hash_of(line) is None:
        return None
    seq, word = said.seq, said.type
    return Event(seq, word, f"{said.id}/{word}/{seq}", said.ts, source, line)


def hole_of(hole: Hole, source: str) -> Event:
    """Some records are missing before the next one, or were told and are no more."""
    name = f"{hole.kind}/{hole.first}-{hole.last}"
    return Event(hole.last, HOLE, name, "", source, msgspec.json.encode(hole._asdict()))
