"""One JSON document, read so that nobody can read it as another (spec 2.2).

JSON libraries disagree about what is not quite JSON: two keys of the same name, bytes that are not
UTF-8, something after the end, very deep nesting. A policy that reads such a body one way while the
tool reads it the other has been dodged. So only what has one reading is let through.

Parsing with all this care costs more than all policies together. Each look is therefore made
twice: a cheap one that cannot miss, and the exact one only where the cheap one has doubts.
"""

import functools
import json
import re
from typing import Any

import msgspec

DEEPEST = 64
MOST_READ = 10_000
"""Values of a document that are read one by one (10 ms): while that goes on nothing else does."""

# Possessive, and a string may lack its end: linear in time and memory whatever the bytes.
# A match takes all strings up to the next bracket, so that there are no more of them than brackets.
_STRINGS = re.compile(rb'(?>"[^"\\]*+(?>\\.[^"\\]*+)*+"?[^"\[\]{}]*+)++', re.DOTALL)
_STRING = re.compile(rb'"[^"\\]*+(?>\\.[^"\\]*+)*+"?', re.DOTALL)
_ONE_KIND = bytes.maketrans(b"[]", b"{}")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_BOM = b"\xef\xbb\xbf"


class Ambiguous(ValueError):
    """Why a document can be read in more than one way."""


class NotADocument(Ambiguous):
    """It is not one JSON document, as this proxy reads them."""


def check(content: bytes, key: str, quoted: bytes) -> None:
    """`content`, an object at its top, has one reading as far as `key`. Raises Ambiguous.

    `quoted` is the key as it usually stands in a document.
    """
    if not content.isascii():
        check_text(content)
    if len(content) - len(content.translate(None, b"{[")) > DEEPEST:
        check_depth(content)
    spelled = content.lower().count(quoted)
    if content.find(b"\\") >= 0 and b"\\u" in content:  # one byte is found much faster than two
        spelled = len(_spellings(key).findall(content))
    if spelled > 1 or (spelled and content.find(quoted) < 0):
        check_key(content, key)


@functools.cache
def _spellings(key: str) -> re.Pattern[bytes]:
    """Finds the key between quotes however it is written: in any letters, and escaped."""
    letters = (f"(?:{c}|\\\\u00(?:{ord(c.lower()):02x}|{ord(c.upper()):02x}))" for c in key)
    return re.compile(f'"{"".join(letters)}"'.encode(), re.IGNORECASE)


def check_text(content: bytes) -> None:
    """UTF-8, without a byte order mark. Raises Ambiguous."""
    if content.startswith(_BOM):
        raise NotADocument("the body begins with a byte order mark")
    try:
        content.decode()
    except UnicodeDecodeError:
        raise NotADocument("the body is not UTF-8") from None


def check_depth(content: bytes) -> None:
    """At most `DEEPEST` levels. Raises Ambiguous.

    Of a document that is valid so far only its brackets are left, all of one kind. Each pass then
    takes the innermost level away, at the speed of memory: bodies may be 16 MiB of brackets.
    """
    if content.count(b"{") + content.count(b"[") <= DEEPEST:
        return
    brackets = _STRINGS.sub(b"", content).translate(_ONE_KIND, _NOT_BRACKETS)
    for _ in range(DEEPEST):
        if not brackets:
            return
        brackets = brackets.replace(b"{}", b"")
    if brackets:
        raise NotADocument(f"the body is nested more than {DEEPEST} levels deep")


def more_values(content: bytes, than: int) -> bool:
    """Does a document hold more values than that?

    Counting costs a hundred times more than not to count, so it ends as soon as this is certain: of
    two strings one is a value.
    """
    if _separated(content) <= than:
        return False
    plain, strings = _STRING.subn(b"", content, 2 * than + 2)
    return strings > 2 * than + 1 or _separated(plain) > than


def _separated(content: bytes) -> int:
    """How many values there are, at most."""
    return 1 + len(content) - len(content.translate(None, b",[{"))


def members_written(content: bytes, known: int) -> int:
    """How many members its objects have as they are written, each time that one is; exactly so only
    where they may be more than `known`."""
    found = content.count(b":")
    return found if found <= known else _STRING.sub(b"", content).count(b":")


def check_key(content: bytes, key: str) -> None:
    """The top level names `key` once at most, in this spelling only. Raises Ambiguous.

    Some decoders match names without regard to case, so `TOOL` beside `tool` is a second reading.
    """
    try:
        names = [name for name in _top_level_names(content) if name.casefold() == key]
    except (ValueError, RecursionError):
        raise NotADocument("the body is not one JSON document") from None
    if len(names) > 1:
        raise Ambiguous(f"the body names {key} more than once")
    if names and names[0] != key:
        raise Ambiguous(f"the body names {key} in another spelling")


def _top_level_names(content: bytes) -> list[str]:
    def note(pairs: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
        return pairs

    document = json.loads(content, object_pairs_hook=note)
    return [pair[0] for pair in document]


class Pointer:
    """One place in documents: the keys on the way to it. Made once, and read in many."""

    __slots__ = ("_decode", "_last", "_path", "_quoted")

    def __init__(self, path: tuple[str, ...]) -> None:
        kind: Any = msgspec.Raw
        for key in reversed(path):
            held = kind | msgspec.UnsetType
            kind = msgspec.defstruct("At", [("held", held, msgspec.UNSET)], rename={"held": key})
        self._decode = msgspec.json.Decoder(kind).decode
        self._path = path
        self._last = f'"{path[-1]}"'.lower().encode()
        self._quoted = tuple(f'"{key}"'.encode() for key in path)

    def surely_absent(self, content: bytes) -> bool:
        """Is the last key nowhere in it, in any letters or escaped? The cheapest look of all."""
        if b"\\" in content or not content.isascii():
            return False
        return self._last not in content.lower()

    def read(self, content: bytes) -> Any:
        """What stands there: a text, None for nothing or null, or something that is neither.

        Raises Ambiguous where more than one thing does, or it could to others than us.

        Where keys stand in their usual spelling and once, nothing is read but what is asked for.
        """
        spelled = self._spelled(content)
        if 0 in spelled:
            return None
        if max(spelled) > 1 or any(content.find(quoted) < 0 for quoted in self._quoted):
            return self._read_carefully(content)
        try:
            at = self._decode(content)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None  # something on the way is no object
        for _ in self._path:
            if at is not msgspec.UNSET:
                at = at.held
        return None if at is msgspec.UNSET else _value(at)

    def _spelled(self, content: bytes) -> list[int]:
        """How often each key stands there, in whatever spelling; 2 where that cannot be told."""
        if not content.isascii() and any(letter in content for letter in _ALSO_LETTERS):
            return [2]
        lowered = content.lower()
        if content.find(b"\\") >= 0 and b"\\u" in content:  # as in `check`
            if any(escaped in lowered for escaped in _ALSO_ESCAPED):
                return [2]
            return [len(_spellings(key).findall(content)) for key in self._path]
        return [lowered.count(quoted.lower()) for quoted in self._quoted]

    def _read_carefully(self, content: bytes) -> Any:
        if more_values(content, MOST_READ):
            raise Ambiguous(f"the body is too large to tell whether it names {self._path[-1]} once")
        try:
            # No number is too long to be read so.
            held = json.loads(content, object_pairs_hook=_Members, parse_int=float)
        except (ValueError, RecursionError):
            return None
        for key in self._path:
            found = _named(held, key)
            if len(found) > 1:
                raise Ambiguous(f"the body names {key} more than once")
            if not found:
                return None
            name, held = found[0]
            if name != key:
                raise Ambiguous(f"the body names {key} in another spelling")
        return held


def _value(raw: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeError):  # a number or a text that Python cannot hold
        return raw


_ALSO_LETTERS = ("\u212a".encode(), "\u017f".encode())
_ALSO_ESCAPED = (b"\\u212a", b"\\u017f")
"""The Kelvin sign and the long s: to some decoders they are a k and an s."""


class _Members(list[tuple[str, Any]]):
    """All that an object names."""


def _named(held: Any, key: str) -> list[tuple[str, Any]]:
    if not isinstance(held, _Members):
        return []
    return [pair for pair in held if pair[0].casefold() == key.casefold()]
