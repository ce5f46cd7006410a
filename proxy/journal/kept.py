"""What is kept of a record, and how it is read again."""

import zlib
from typing import NamedTuple

import msgspec

from proxy.journal.lookup import find
from proxy.journal.rows import Places, Row
from proxy.journal.sealing import Key, Trouble, Who
from proxy.journal.taking import Taken, Wish
from proxy.protocols.coding import decoded
from proxy.refusal import Refusal

REDACTED, FULL = "redacted", "full"
LARGEST = 4 << 20
"""Bytes of one body that is kept in mode `full`."""


class Body(msgspec.Struct, array_like=True, frozen=True):
    """One body, as it is kept."""

    content: bytes | None = None
    size: int = 0  # of what was sent
    changed: bool = False  # something was taken out
    note: str = ""  # why it is not kept, or not all of it
    coding: str = ""  # its Content-Encoding, where it is kept as it was sent


class Content(msgspec.Struct, array_like=True, frozen=True):
    """What is sealed for a record."""

    mode: str
    request: Body | None
    response: Body | None


class Kept(NamedTuple):
    """What is kept of a record, with what it takes to prove it to others."""

    mode: str
    request: Body | None
    response: Body | None
    request_salt: bytes
    response_salt: bytes
    """`HMAC-SHA-256(salt, content)` is the commitment in the journal."""


_BROKEN = "it broke off, and what is missing may be the half of a secret"
_LONGEST_CODING = 64
_DECODER = msgspec.msgpack.Decoder(Content)
_encode = msgspec.msgpack.Encoder().encode


def fetch(places: Places, record: str) -> Kept | None:
    """What is kept of a record, from any process. Raises Trouble."""
    found = find(places, record)
    if found is None:
        return None
    key = Key(found.key, 0, Who(), found.secret)
    plain = key.open(record, found.sealed)
    try:
        content = _DECODER.decode(zlib.decompress(plain))
    except (zlib.error, msgspec.DecodeError) as error:  # sealed by who holds the key, and not by us
        raise Trouble("damaged", f"what is kept of {record} is no payload: {error}") from None
    salts = key.salt(record, "request"), key.salt(record, "response")
    return Kept(content.mode, content.request, content.response, *salts)


def prepared(taken: Taken | None, wish: Wish) -> tuple[Body | None, bytes | None]:
    """A body as it is to be kept, and what was sent where all of it is here. Takes its time."""
    if taken is None or not (taken.size or taken.why):
        return None, None
    content = b"".join(taken.pieces)
    if taken.why:
        return Body(None, taken.size, False, f"not kept: {taken.why}"), None
    if wish.cuts:
        return _as_sent(content, taken), content
    if not taken.whole:
        return Body(None, taken.size, False, f"not kept: {_BROKEN}"), None
    plain = decoded(content, taken.coding, wish.limit)
    if isinstance(plain, Refusal):
        return Body(None, taken.size, False, f"not kept: {plain.detail}"), content
    clean = wish.rules.redact(plain)
    return Body(clean.content, taken.size, clean.changed, clean.note), content


def _as_sent(content: bytes, taken: Taken) -> Body:
    note = ""
    if len(content) < taken.size:
        note = f"cut: the first {len(content)} of {taken.size} bytes"
    elif not taken.whole:
        note = f"cut: after {taken.size} bytes it broke off"
    coding = taken.coding[:_LONGEST_CODING].decode("ascii", "replace")
    return Body(content, taken.size, False, note, coding)


def commitment(key: Key, record: str, part: str, sent: bytes | None, body: Body | None) -> str:
    """Over what was kept; where nothing was, over what was sent."""
    content = sent if body is None or body.content is None else body.content
    return "" if content is None else key.commit(record, part, content)


def row_of(key: Key, record: str, content: Content) -> Row:
    plain = zlib.compress(_encode(content), 1)
    return Row(record, key.id, key.seal(record, plain))
