"""The arguments of a call, read for a policy that decides by them (spec 2.2).

The policy must read what the tool will read. What readers of JSON read differently is therefore no
argument: a key that stands twice in its object, and a number that some cannot hold. Nor is, for who
asks for a member, one that is called the same but for its letters' case, since some readers take it
for that member.

An agent chooses how much there is to read, and while it is read nothing else goes on. So there are
bounds: of values, since one costs a thousand times more than a byte, and of the text that an
expression is shown. What is over them is not read at all.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from proxy.protocols.coding import decoded
from proxy.protocols.document import (
    MOST_READ,
    Ambiguous,
    NotADocument,
    members_written,
    more_values,
)
from proxy.refusal import Refusal

MOST_SHOWN = 1_000
"""Values that an expression is shown; each KiB of text counts as one. Some of what it may do with
them takes the square of their number (20 ms)."""
LARGEST = 16 << 20
"""Bytes of a body, without its coding."""
KEPT = 64 << 10
"""Bytes of a body of which the arguments are kept for who asks next, as long as the call lasts."""

_WHOLE_NUMBERS = range(-(1 << 63), 1 << 64)  # what 64 bits hold, with a sign or without


class Arguments(msgspec.Struct, frozen=True):
    """What a call gives its tool."""

    value: Any  # as Python has JSON; an object, unless the agent sent something else
    names: dict[str, frozenset[str]] = {}  # of all members in it, each with its spellings
    size: int = 0  # bytes that it was read from

    def check(self, names: Iterable[str]) -> None:
        """Raises Ambiguous where a member is called like one of `names` but for its case."""
        for name in names:
            if not self.names.get(name.casefold(), _NONE) <= {name}:
                raise Ambiguous(f"the arguments name {name} in another spelling")

    def shown(self, members: frozenset[str] | None) -> Any:
        """The value, with these members only. Raises ValueError where that is too much."""
        value = self.value
        if members is not None and isinstance(value, dict):
            value = {name: value[name] for name in members if name in value}
        if self.size > MOST_SHOWN and _weight(value, MOST_SHOWN) > MOST_SHOWN:
            raise ValueError("too much to look at")
        return value


_NONE: frozenset[str] = frozenset()
NOTHING = Arguments({})
"""Of a call that gives none, or whose body is not read."""


def read_arguments(content: bytes | None, coding: bytes) -> Arguments:
    """The one JSON document in a body. Raises Ambiguous where there is none with one reading."""
    if coding and content is not None:
        plain = decoded(content, coding, LARGEST)
        content = None if isinstance(plain, Refusal) else plain
    if content is None:
        raise NotADocument("the body cannot be read")
    if not content:
        return NOTHING
    if len(content) > MOST_READ and more_values(content, MOST_READ):
        raise NotADocument(f"the arguments hold more than {MOST_READ:,} values")
    try:
        value = _document.decode(content)
    except msgspec.ValidationError:
        raise Ambiguous(_TOO_LARGE) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise NotADocument("the body is not one JSON document") from None
    return Arguments(value, _names(value, content), len(content))


_document = msgspec.json.Decoder()
_TOO_LARGE = "the arguments hold a number that not all can read"


def _names(value: Any, content: bytes) -> dict[str, frozenset[str]]:
    """The names of all members, each with its spellings. Raises Ambiguous."""
    names: dict[str, frozenset[str]] = {}
    members = 0
    left = [value]
    while left:
        inner = left.pop()
        kind = type(inner)
        if kind is dict:
            members += len(inner)
            left.extend(inner.values())
            for name in inner:
                folded = name.casefold()
                spelled = names.get(folded)
                if spelled is None:
                    names[folded] = frozenset((name,))
                elif name not in spelled:
                    names[folded] = spelled | {name}
        elif kind is list:
            left.extend(inner)
        elif kind is int and inner not in _WHOLE_NUMBERS:
            raise Ambiguous(_TOO_LARGE)
    if members_written(content, members) > members:
        raise Ambiguous("the arguments name a member twice")
    return names


def _weight(value: Any, most: int) -> int:
    """How many values it is; counting ends where they are more than `most`."""
    if isinstance(value, str):
        return 1 + (len(value) >> 10)
    if not isinstance(value, dict | list):
        return 1
    weight = 1
    for inner in value.values() if isinstance(value, dict) else value:
        weight += _weight(inner, most - weight)
        if weight > most:
            break
    return weight
