"""Lists in pages: `{items, next}`, where `next` is the cursor of the page after, or null.

A cursor is the key of the last item of its page, so that what comes and goes meanwhile neither
repeats nor hides anything else.
"""

import base64
import binascii
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
    limit, after = _limit(query.get("limit", "")), _after(query.get("cursor", ""))
    rest = sorted(((key(item), item) for item in items), key=lambda pair: pair[0])
    rest = [pair for pair in rest if after is None or pair[0] > after]
    more = len(rest) > limit
    return {
        "items": [item for _, item in rest[:limit]],
        "next": _cursor(rest[limit - 1][0]) if more else None,
    }


def _limit(given: str) -> int:
    if not given:
        return USUAL
    if not (given.isdecimal() and given.isascii() and 0 < int(given[:9]) <= MOST):
        raise BadParameter(f"limit: must be a whole number of 1 to {MOST}")
    return int(given)


def _cursor(key: Key) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def _after(given: str) -> Key | None:
    if not given:
        return None
    try:
        raw = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4))
        return msgspec.json.decode(raw, type=tuple[str, ...])
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise BadParameter("cursor: is none that was given here") from error
