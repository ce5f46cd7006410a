"""Lists in pages: `{items, next}`, where `next` is the cursor of the page after, or null.

A cursor is the key of the last item of its page, so that what comes and goes meanwhile neither
repeats nor hides anything else.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

USUAL, MOST = 100, 1000
"""Items of a page, unless `limit` says otherwise, and at most."""

Item = dict[str, Any]
Key = tuple[str, ...]


class BadParameter(ValueError):
    """A parameter of the query cannot be used. Its text says which, and why."""


def page(items: Iterable[Item], key: Callable[[Item], Key], query: Mapping[str, str]) -> Item:
    """The page that is asked for, of all items in the order of their keys. Raises BadParameter."""
    most, last = limit(query), after(query)
    rest = sorted(((key(item), item) for item in items), key=lambda pair: pair[0])
    rest = [pair for pair in rest if last is None or pair[0] > last]
    more = len(rest) > most
    return {
        "items": [item for _, item in rest[:most]],
        "next": cursor(rest[most - 1][0]) if more else None,
    }


def limit(query: Mapping[str, str]) -> int:
    """How many items are asked for. Raises BadParameter."""
    given = query.get("limit", "")
    if not given:
        return USUAL
    if not (given.isdecimal() and given.isascii() and 0 < int(given[:9]) <= MOST):
        raise BadParameter(f"limit: must be a whole number of 1 to {MOST}")
    return int(given)


def cursor(key: Key) -> str:
    """The text of the page after an item."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def after(query: Mapping[str, str]) -> Key | None:
    """The key behind which a page begins; None: the first page. Raises BadParameter."""
    given = query.get("cursor", "")
    if not given:
        return None
    try:
        raw = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4))
        return msgspec.json.decode(raw, type=tuple[str, ...])
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise _not_ours() from error


def numbers(query: Mapping[str, str], count: int) -> tuple[int, ...] | None:
    """The same, of keys that are so many whole numbers. Raises BadParameter."""
    key = after(query)
    if key is None:
        return None
    if len(key) != count or not all(_NUMBER.fullmatch(part) for part in key):
        raise _not_ours()
    return tuple(map(int, key))


def _not_ours() -> BadParameter:
    return BadParameter("cursor: is none that was given here")


_NUMBER = re.compile("[0-9]{1,19}")
