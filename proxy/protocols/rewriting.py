"""A body with another model in it, and not another byte changed.

The value of one member is cut out of the text and another put in its place. Nothing is parsed and
written again: white space, the order of members, escapes and the spelling of numbers stay as the
client, or who signs what it caches, made them.
"""

import json
import re
from typing import Any, NoReturn

from proxy.protocols.document import more_values

MOST = 100_000
"""Values in a body. What holds more is no request to a model, and takes long to read (50 ms)."""
_BLANK = re.compile(r"[ \t\n\r]*")


def with_model(content: bytes, model: str) -> bytes | None:
    """The same JSON object with `model` as its member of this name.

    None where it is no such object: one document of UTF-8, whose top level names the member once
    and in this spelling only, as a string.
    """
    if len(content) > MOST and more_values(content, MOST):
        return None
    try:
        text = content.decode()
        members = list(_members(text))
    except (ValueError, RecursionError):  # no UTF-8, no JSON, too deep
        return None
    found = [member for member in members if member[0].casefold() == "model"]
    if len(found) != 1:
        return None
    name, value, begin, end = found[0]
    if name != "model" or not isinstance(value, str):
        return None
    return text[:begin].encode() + json.dumps(model).encode() + text[end:].encode()


def _members(text: str) -> Any:
    """The members of the object that the text is: name, value, and from where to where it stands.

    Raises ValueError where it is no object.
    """
    at = _past(text, _blank(text, 0), "{")
    closed = text.startswith("}", at := _blank(text, at))
    while not closed:
        _past(text, at, '"')
        name, at = _DECODER.raw_decode(text, at)
        begin = _blank(text, _past(text, _blank(text, at), ":"))
        value, end = _DECODER.raw_decode(text, begin)
        yield name, value, begin, end
        at = _blank(text, end)
        closed = text.startswith("}", at)
        if not closed:
            at = _blank(text, _past(text, at, ","))
    if _blank(text, at + 1) != len(text):
        raise ValueError("something after the end")


def _blank(text: str, at: int) -> int:
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
