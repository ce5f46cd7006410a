"""The members of a JSON object as they are written, for who must not mistake one (spec 2.2).

A library may take the first of two members of a name, or `Params` for `params`: so there is none of
them. Looking is cheap: the members of a compact object account for each of its bytes, unless one of
them stands twice.
"""

import functools
import json
from typing import Any

import msgspec

from proxy.protocols.document import (
    DEEPEST,
    MOST_READ,
    Ambiguous,
    check_depth,
    check_text,
    more_values,
)

Members = dict[str, msgspec.Raw]

_object = msgspec.json.Decoder(Members)
_text = msgspec.json.Decoder(str)


def check_all(content: bytes) -> None:
    """Its text is UTF-8, and it is not too deep. Raises NotADocument."""
    if not content.isascii():
        check_text(content)
    if len(content) - len(content.translate(None, b"{[")) > DEEPEST:
        check_depth(content)


def text(raw: msgspec.Raw | bytes) -> str | None:
    """What a member says; None: it is not a string, or one that Python cannot hold."""
    try:
        return _text.decode(raw)
    except (msgspec.DecodeError, UnicodeError):
        return None


def members(content: bytes | msgspec.Raw, *known: str) -> Members | None:
    """The members of the object that `content` is, as they are written; None: it is no object.

    Raises Ambiguous where a name stands twice, or one that is like one of `known` but for its
    letters' case, and msgspec's errors for what is no JSON.
    """
    try:
        found = _object.decode(content)
    except msgspec.ValidationError:
        return None
    if len(found) > MOST_READ:
        raise Ambiguous(f"the body has an object with more than {MOST_READ:,} members")
    if _unaccounted(len(content), found):
        compact = msgspec.json.format(bytes(content), indent=-1)
        if _unaccounted(len(compact), _object.decode(compact)):
            _check_names(compact)
    usual = _usual(known)
    for name in found:
        if name not in known and name.casefold() in usual:
            raise Ambiguous(f"the body names {usual[name.casefold()]} in another spelling")
    return found


@functools.cache
def _usual(known: tuple[str, ...]) -> dict[str, str]:
    """Each by how it reads to who takes all letters alike."""
    return {name.casefold(): name for name in known}


def _unaccounted(length: int, found: Members) -> int:
    """How many bytes of an object are neither its members nor what stands between them: white
    space, escapes in names, or a member that stands twice."""
    # Two quotes and a colon for each, a comma between two, and two braces.
    length -= 4 * len(found) + 1 if found else 2
    for name, value in found.items():
        length -= (len(name) if name.isascii() else len(name.encode())) + len(value)
    return length


def _check_names(content: bytes) -> None:
    if more_values(content, MOST_READ):
        raise Ambiguous("the body is too large to tell whether it names a member twice")
    # No number is too long to be read so.
    pairs: list[tuple[str, Any]] = json.loads(content, object_pairs_hook=list, parse_int=float)
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Ambiguous(f"the body names {twice[:32]} more than once")
