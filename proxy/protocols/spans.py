"""Where a member or an item stands in a JSON text, so that it can be cut out and another put there.

Nothing is parsed and written again: white space, the order of members, escapes and the spelling of
numbers stay as they were made. Positions are of the text, not of its bytes.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn, TypeAlias

Member: TypeAlias = tuple[str, Any, int, int]
"""Its name, its value, and from where to where the value stands."""
Change: TypeAlias = tuple[int, int, str]
"""From where to where something stands, and what is to stand there."""

_BLANK = re.compile(r"[ \t\n\r]*")


def members(text: str, at: int = 0) -> Iterator[Member]:
    """The members of the object that begins there, after white space.

    Raises ValueError where there is none, or where the text that begins at 0 goes on behind it.
    """
    begin = at
    at = _past(text, blank(text, at), "{")
    closed = text.startswith("}", at := blank(text, at))
    while not closed:
        _past(text, at, '"')
        name, at = _DECODER.raw_decode(text, at)
        start = blank(text, _past(text, blank(text, at), ":"))
        value, end = _DECODER.raw_decode(text, start)
        yield name, value, start, end
        at = blank(text, end)
        closed = text.startswith("}", at)
        if not closed:
            at = blank(text, _past(text, at, ","))
    if begin == 0 and blank(text, at + 1) != len(text):
        raise ValueError("something after the end")


def items(text: str, at: int) -> Iterator[tuple[Any, int]]:
    """The items of the array that begins there, each with where it does. The text is known to be
    JSON."""
    at = blank(text, at + 1)
    while not text.startswith("]", at):
        value, end = _DECODER.raw_decode(text, at)
        yield value, at
        at = blank(text, end)
        if text.startswith(",", at):
            at = blank(text, at + 1)


def changed(text: str, changes: list[Change]) -> bytes:
    """The text with these in it. They do not overlap."""
    parts, last = [], 0
    for begin, end, new in sorted(changes):
        parts += [text[last:begin], new]
        last = end
    return "".join([*parts, text[last:]]).encode()


def blank(text: str, at: int) -> int:
    """Past white space."""
    match = _BLANK.match(text, at)
    assert match is not None  # it matches nothing as well
    return match.end()


def _past(text: str, at: int, mark: str) -> int:
    if not text.startswith(mark, at):
        raise ValueError(f"no {mark}")
    return at + 1


def _unreadable(constant: str) -> NoReturn:
    raise ValueError(constant)  # Python's reader would take NaN and Infinity; JSON has neither


_DECODER = json.JSONDecoder(parse_constant=_unreadable)
