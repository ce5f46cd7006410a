"""An answer that a policy gives: what it says, as bytes."""

from http import HTTPStatus
from typing import Any

import msgspec

BODILESS = frozenset({204, 205, 304})
"""Statuses whose answers have no body (RFC 9110 6.4.1, 15.3.6)."""
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


def made(status: int, said: Any) -> tuple[bytes, bytes]:
    """Head and content. Text goes out as it is, anything else as JSON; None: nothing is said."""
    content, kind = _encoded(said)
    length = b"" if status in BODILESS else b"content-length: %d\r\n" % len(content)
    phrase = _PHRASES.get(status, "").encode()
    return b"HTTP/1.1 %d %b\r\n%b%b" % (status, phrase, kind, length), content


def _encoded(said: Any) -> tuple[bytes, bytes]:
    """The content, and its type as a header line."""
    if said is None:
        return b"", b""
    if isinstance(said, str):
        return said.encode(), b"content-type: text/plain; charset=utf-8\r\n"
    return msgspec.json.encode(said), b"content-type: application/json\r\n"
