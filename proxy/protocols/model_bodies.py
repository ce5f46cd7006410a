"""What is read of a request to a model: members of its top level, and how much text there is.

A member of another shape than expected says nothing, and is the upstream's to refuse. But that it
is there once, and in one spelling, must be certain: policies and money go by it.
"""

import re
from typing import Final

import msgspec

from proxy.call import RequestHead
from proxy.protocols.coding import NO_LIMIT
from proxy.protocols.document import Ambiguous, NotADocument
from proxy.protocols.identity import LONGEST
from proxy.protocols.members import Members, check_all, members
from proxy.protocols.posted import plain
from proxy.refusal import Refusal

ABSENT: Final = msgspec.Raw()
"""Of a member that is not there."""
LARGE_PICTURE = 1_500
"""Tokens that a picture, a sound or a file counts as at most: a large picture with most vendors."""

_MOST = 1_000_000_000  # tokens, or answers: no model has so many

_TRUE = frozenset({"true", "1", "1.0", "t", "y", "yes", "on"})
_DIGITS = re.compile(r"\s*\+?[0-9]{1,30}(?:\.0*)?\s*", re.ASCII)
_MOST_PIECES = 1_000  # of encoded bytes that are looked for in one body
_ENCODED = re.compile(rb'\s*:?\s*"?([A-Za-z0-9+/_=\\-]{256,}+)')
_MARKS = (b";base64,", b'"data"')


class _Ids(msgspec.Struct, frozen=True):
    workflow_id: str = ""
    task_id: str = ""


_anything = msgspec.json.Decoder(msgspec.Raw)
_ids = msgspec.json.Decoder(_Ids)
_list = msgspec.json.Decoder(list[msgspec.Raw])


def read_members(content: bytes, known: tuple[str, ...]) -> Members | None:
    """The members of the object that a body is; None: it is another JSON document.

    Raises Ambiguous where it has two readings, as far as its outermost members go.
    """
    check_all(content)
    try:
        found = members(content, *known)
        if found is None:
            _anything.decode(content)
    except Ambiguous:
        raise
    except (ValueError, RecursionError):
        raise NotADocument("the body is not one JSON document") from None
    return found


def names_model(head: RequestHead, content: bytes) -> bool:
    """Does a body name a model at its top level, in whatever spelling?"""
    read = plain(head, content, NO_LIMIT)
    if isinstance(read, Refusal):
        return False
    try:
        return "model" in (members(read, "model") or {})
    except Ambiguous:
        return True  # more than one, perhaps
    except (ValueError, RecursionError):
        return False


def text(raw: msgspec.Raw) -> str | None:
    """A member that is a string; empty: it is not there, or null. None: it is something else."""
    if raw is ABSENT or bytes(raw) == b"null":
        return ""
    try:
        found = msgspec.json.decode(raw)
    except ValueError:  # no text that Python can hold
        return None
    return found if isinstance(found, str) else None


def is_true(raw: msgspec.Raw) -> bool:
    """A member that is `true`."""
    return bytes(raw) == b"true"


def may_be_true(raw: msgspec.Raw) -> bool:
    """A member that is `true`, or what lenient servers take for it: 1, "yes"."""
    written = text(raw)
    return (bytes(raw).decode("latin-1") if written is None else written.strip().lower()) in _TRUE


def number(raw: msgspec.Raw) -> int:
    """A member that is a whole number above 0, at most `_MOST`; else 0. Lenient servers also read
    one that is a text."""
    try:
        found = msgspec.json.decode(raw)
    except ValueError:  # it is not there, or larger than Python's readers take
        return 0
    if isinstance(found, str):
        found = int(found.partition(".")[0]) if _DIGITS.fullmatch(found) else 0
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    return min(found, _MOST) if type(found) is int and found > 0 else 0


def prompts(raw: msgspec.Raw) -> int:
    """How many prompts a member holds: one, or one for each item that is no single token."""
    try:
        found = _list.decode(raw)
    except ValueError:
        return 1
    return max(1, sum(item[:1] in {b'"', b"["} for item in map(bytes, found)))


def ids_in(raw: msgspec.Raw) -> tuple[str, str]:
    """Workflow and task in `metadata`; empty where they are not there."""
    try:
        ids = _ids.decode(raw)
    except ValueError:
        return "", ""
    return ids.workflow_id[:LONGEST], (ids.task_id or ids.workflow_id)[:LONGEST]


def tokens_in(content: bytes, bytes_per_token: float) -> int:
    """An estimate of what a body holds, at least 1: all its bytes count as text, but for what is
    encoded in it."""
    length, extra = len(content), 0
    for mark in _MARKS:
        at = content.find(mark)
        for _ in range(_MOST_PIECES):
            if at < 0:
                break
            at += len(mark)
            piece = _ENCODED.match(content, at)
            if piece is not None:
                size = len(piece[1])
                length -= size
                extra += min(size // 4, LARGE_PICTURE)
                at = piece.end()
            at = content.find(mark, at)
    return max(1, int(length / bytes_per_token) + extra)
