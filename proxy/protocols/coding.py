"""Content codings, decoded to look; what is forwarded stays as it came."""

import sys
import zlib

from proxy.refusal import Refusal

NO_LIMIT = sys.maxsize
"""For who asks what a call is, or what stands in it, and not whether there is room for it: with a
limit of his own he would not see what those see who go by another one."""

WINDOWS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}
"""Codings that are known, as zlib's `wbits`."""
MOST_PER_BYTE = 100
"""A body may decode to so many times its size: what is more is a bomb."""

_ALWAYS = 64 << 10  # bytes that may come out of however little

_NONE = frozenset({b"", b"identity"})


def is_known(coding: bytes) -> bool:
    """Can it be decoded here?"""
    coding = coding.strip().lower()
    return coding in _NONE or coding in WINDOWS


def decoded(content: bytes, coding: bytes, limit: int) -> bytes | Refusal:
    """`content` as it reads without its coding, at most `limit` bytes; or why it cannot be read.
    A bomb is not, whatever the limit."""
    coding = coding.strip().lower()
    if coding in _NONE:
        return content
    window = WINDOWS.get(coding)
    if window is None:
        return Refusal(
            "unsupported_encoding", "the body's Content-Encoding is not identity, gzip or deflate"
        )
    most = min(limit, max(_ALWAYS, len(content) * MOST_PER_BYTE))
    if coding == b"deflate" and _could_be(content, -15, most):
        # RFC 9110 8.4.1.2: some send the bare stream. What reads as both may be read as either.
        if _could_be(content, window, most):
            return Refusal("unsupported_encoding", "the body can be read in more than one way")
        window = -15
    try:
        return _inflated(content, window, most)
    except zlib.error:
        return Refusal("unsupported_encoding", "the body is not what its Content-Encoding says")


def _could_be(content: bytes, window: int, most: int) -> bool:
    """Could somebody take it for a stream of this kind, whatever stands behind it?"""
    inflater = zlib.decompressobj(wbits=window)
    try:
        plain = inflater.decompress(content, most + 1)
    except zlib.error:
        return False
    return inflater.eof or len(plain) > most


def _inflated(content: bytes, window: int, most: int) -> bytes | Refusal:
    inflater = zlib.decompressobj(wbits=window)
    plain = inflater.decompress(content, most + 1)
    if len(plain) > most:
        return Refusal("body_too_large", f"the body decodes to more than {most} bytes")
    if not inflater.eof or inflater.unused_data:
        return Refusal(
            "unsupported_encoding", "the body's encoding ends early, or has something after it"
        )
    return plain
