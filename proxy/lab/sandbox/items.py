"""Reading the parts of a script's item, with an error that says where and what is allowed."""

import json
import re
from collections.abc import Mapping

LONGEST_SECONDS = 3600.0

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.6.2
_FRAMING = frozenset({"content-length", "transfer-encoding"})


class ScriptError(ValueError):
    """A script that cannot be used; the message says where and what is allowed."""


def parse_body(item: Mapping[str, object], where: str) -> object:
    """The body that an item gives, text or JSON; None where it gives none."""
    body = item.get("body")
    try:
        json.dumps(body, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, TypeError, RecursionError):
        raise ScriptError(f"{where}.body: must be text or JSON") from None
    return body


def parse_headers(given: object, where: str) -> dict[str, str]:
    """Headers of an answer; those that frame it are not for a script to choose."""
    if not isinstance(given, dict) or not all(map(_can_be_sent, [*given, *given.values()])):
        raise ScriptError(f"{where}.headers: must be an object of strings on one line")
    for name in given:
        if not _TOKEN.fullmatch(str(name)):
            raise ScriptError(f"{where}.headers: {str(name)!r} is no name of a header")
        if str(name).lower() in _FRAMING:
            raise ScriptError(f"{where}.headers: for {name}, use truncated or malformed")
    return {str(name): str(value) for name, value in given.items()}


def whole(value: object, least: int, most: int, where: str) -> int:
    """A whole number within the bounds."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ScriptError(f"{where}: must be a whole number from {least} to {most}")
    return value


def seconds(value: object, where: str) -> float:
    """A time, at most an hour."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ScriptError(f"{where}: must be a number of seconds")
    if not 0 <= value <= LONGEST_SECONDS:
        raise ScriptError(f"{where}: must be from 0 to {LONGEST_SECONDS:g}")
    return float(value)


def _can_be_sent(value: object) -> bool:
    """Whole numbers too: YAML reads `Retry-After: 1` as one."""
    return type(value) is int or (isinstance(value, str) and value.isprintable())
