"""The chain: what a line is, and what makes a change of any line visible.

A line of the journal is one JSON object, written once and never again. Two members tie it to all
lines before it: `prev`, the hash of the record before, and `hash`, which is the last member:

    hash = SHA-256(prev as 32 raw bytes ‖ the line without `,"hash":"…"` and without its newline)

What is hashed are the bytes that stand in the file. A verifier that had to write the JSON anew
would depend on how some library spells numbers and escapes; a regulator has `sha256sum`. So the
hash stands at the end, where it can be cut off without reading the rest, and its place is known
from the end of the line: all that the chain needs, except for `seq`, is found by position. `seq`
stands at the very beginning for the same reason. That is what lets a verifier go through 200,000
records in a second, in Python.

`prev` is hashed twice, as raw bytes in front and as text in the line. The text alone would do; the
raw bytes make the formula the usual one of hash chains, in which no line can be hashed without
knowing the one before it.

What the chain alone does not show: that its end was cut off, or that somebody who may write the
folder made all of it anew. An unkeyed hash is no signature. Against these stand the signed
checkpoints (`checkpoint.py`), of which at least one should be kept elsewhere.

The first `prev` is zeros. `seq` begins with 1 and never begins again: not in a new segment, not
after a crash, not after tampering. So the tree of all records (`merkle.py`) has as many leaves as
the last `seq` says, and a record's leaf is number `seq - 1`.
"""

from binascii import Error, hexlify, unhexlify
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

import msgspec

from proxy.journal.entries import VERSION, Entry

ZERO = bytes(32)
"""`prev` of the first record."""

_HASH = len(',"hash":"') + 64 + len('"}')  # what is cut off
_PREV = len(',"prev":"') + 64 + len('"')
_TAIL = _PREV + _HASH
_OWN = slice(-66, -2)  # the digits of it
_encode = msgspec.json.Encoder().encode
_LEFT = len('{"id":')
_BEFORE, _LAST = b',"prev":"', b',"hash":"'
_RAW = len(ZERO)


class Place(NamedTuple):
    """A record's place: what the next one builds on."""

    seq: int
    hash: bytes


BEGINNING = Place(0, ZERO)
Opened = tuple[Entry, bytes]
"""An entry, and what stands behind its id, which all of one type and moment have:
`,"ts":"…","type":"…","v":1,"writer":"…"`."""


class Claims(msgspec.Struct):
    """What a line says of itself, true or not."""

    seq: int
    id: str = ""
    ts: str = ""
    type: str = ""
    v: int = VERSION
    prev: str = ""
    hash: str = ""


TYPE = b',"type":"'
"""Stands before the type of every record, and nowhere else before it."""
_claims = msgspec.json.Decoder(Claims).decode


def chained(entries: Iterable[Opened], after: Place) -> tuple[list[bytes], list[bytes]]:
    """The lines of some records, with their newlines, and their hashes."""
    seq, prev = after
    own = hexlify(prev)
    lines, hashes = [], []
    join = b"".join
    for entry, opening in entries:
        seq += 1
        name, told = _encode(entry.id), _encode(entry)
        told = told[_LEFT + len(name) : -1]
        # Joined, and once with `prev` in front: of all ways to put bytes together, the quickest.
        text = join((prev, b'{"seq":%d,"id":' % seq, name, opening, told, _BEFORE, own, b'"}'))
        prev = sha256(text).digest()
        own = hexlify(prev)
        lines.append(join((text[_RAW:-1], _LAST, own, b'"}\n')))
        hashes.append(prev)
    return lines, hashes


def digest_of(text: bytes, prev: bytes) -> bytes:
    """The hash that a line, without its newline, must have after `prev`."""
    return sha256(prev + text[:-_HASH] + b"}").digest()


def follow(lines: list[bytes], after: Place) -> list[bytes]:
    """The hashes of the lines that hold, up to the first that does not. Lines without newlines.

    Whoever gets fewer than he gave asks `claims` what is wrong with the next.
    """
    seq, prev = after
    text = hexlify(prev)
    hashes = []
    join = b"".join
    for line in lines:
        seq += 1
        digest = sha256(join((prev, line[:-_HASH], b"}"))).digest()
        own = hexlify(digest)
        if line[-_TAIL:] != join((_BEFORE, text, b'"', _LAST, own, b'"}')):
            break
        if not line.startswith(b'{"seq":%d,' % seq):
            break
        hashes.append(digest)
        prev, text = digest, own
    return hashes


def claims(line: bytes) -> Claims | None:
    """What a line says of itself; None: it is no record."""
    try:
        found = _claims(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if raw(found.hash) and raw(found.prev) and found.seq > 0 else None


def type_of(line: bytes) -> bytes:
    """The type of a record, by its place: what an agent wrote into an id has its quotes escaped."""
    start = line.find(TYPE) + len(TYPE)
    return line[start : line.find(b'"', start)]


def hash_of(line: bytes) -> bytes | None:
    """The hash of a record, by its place; None: there is none."""
    return raw(line[_OWN])


def raw(text: str | bytes) -> bytes | None:
    """A hash from its 64 digits; None: it is not one."""
    try:
        digest = unhexlify(text)
    except (Error, ValueError):
        return None
    return digest if len(digest) == 32 else None
