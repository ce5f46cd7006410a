"""An answer that a policy gives: what it says, as bytes."""

from http import HTTPStatus
from typing import Any, TypeAlias

import msgspec

BODILESS = frozenset({204, 205, 304})
"""Statuses whose answers have no body (RFC 9110 6.4.1, 15.3.6)."""
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


Made: TypeAlias = tuple[int, bytes, bytes]
"""Status, head and content."""


def made(status: int, said: Any) -> Made:
    """Text goes out as it is, anything else as JSON; None: nothing is said."""
    if said is None:
        return of_kind(status, b"", b"")
    if isinstance(said, str):
        return of_kind(status, b"text/plain; charset=utf-8", said.encode())
    return of_kind(status, b"application/json", msgspec.json.encode(said))


def of_kind(status: int, kind: bytes, content: bytes) -> Made:
    """The same of content that is written already; `kind`: its media type."""
    told = b"content-type: %b\r\n" % kind if kind else b""
    length = b"" if status in BODILESS else b"content-length: %d\r\n" % len(content)
    phrase = _PHRASES.get(status, "").encode()
    return status, b"HTTP/1.1 %d %b\r\n%b%b" % (status, phrase, told, length), content
