"""What a request claims to be, before it is read: JSON or not, and a path that has one reading."""

import re

from proxy.memo import remembered

JSON = b"application/json"
"""What nearly all say: known without looking it up."""
DECEPTIVE = re.compile(
    rb"%2[fF]|%5[cC]|%00|;|%3[bB]|\\|//|/\.{1,2}(?:/|$)|/(?:%2[eE]|\.){1,2}(?:/|$)"
)
"""What some servers read as another path than we do. Where a path names a tool it is refused."""

_BEGINNINGS = (
    b"{",
    b"[",
    b"\xef\xbb\xbf",
    b"\xfe\xff",
    b"\xff\xfe",
    b"\0{",
    b"\0[",
    b"\0\0\0{",
    b"\0\0\0[",
    b"\0\0\xfe\xff",
)
"""JSON in any encoding, with and without a byte order mark."""
_BLANK = b" \t\r\n\v\f\0"  # white space before it, in any encoding
_UTF_8 = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii"})
_CHARSET = re.compile(rb";\s*charset\s*=\s*\"?([^\s;\"]+)")


@remembered
def claimed(content_type: bytes) -> tuple[bool, bool]:
    """Does it claim to be JSON, and is its text UTF-8?"""
    kind = content_type.lower()
    return b"json" in kind, _UTF_8.issuperset(_CHARSET.findall(kind))


def looks_like_json(content: bytes) -> bool:
    """Does it begin so, whatever it claims to be?"""
    return content.lstrip(_BLANK).startswith(_BEGINNINGS)


def may_be_json(beginning: bytes) -> bool:
    """The same of the first bytes: they begin so, or may still."""
    beginning = beginning.lstrip(_BLANK)
    return beginning.startswith(_BEGINNINGS) or any(
        start.startswith(beginning) for start in _BEGINNINGS
    )
