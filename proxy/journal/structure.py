"""JSON, or what resembles it, token by token: where in it secrets may be, by their place.

What stands under a name that credentials have, at a configured path, beside a name (`{"name":
"password", "value": ...}`, `["Authorization", ...]`), in a private key of JOSE, and in one that
goes over several texts. Nothing is built, so that nothing gets lost, be it there twice; and what is
not touched stays byte for byte.
"""

import json
import re
from typing import Protocol, TypeAlias

from proxy.journal.forms import MARK, Budget, Span, TooMuch, private_key, secret_name, splice

NESTED = 128
"""Levels of one document."""

_QUOTED = json.dumps(MARK)
# A string ends with its line, so that a quotation mark too many misleads no further than that.
_TOKENS = re.compile(
    r'("[^"\\\n]*+(?>\\.[^"\\\n]*+)*+")(\s*+:)?|([{\[])|([}\]])|([^\s{}\[\],:"]++)'
)
_KEY, _OPEN, _CLOSE, _SCALAR = 2, 3, 4, 5
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(["\\/bfnrt\']))')
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_NAMES = frozenset({"name", "key", "header", "field", "id", "variable", "parameter", "k"})
_VALUES = frozenset({"value", "values", "val", "content", "text", "v"})
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "k", "oth"})  # RFC 7518 6.2.2, 6.3.2, 6.4
_CONSTANTS = frozenset({"true", "false", "null"})
_LISTS_OF_NAMES = frozenset({"required", "enum"})
ARGUMENTS = frozenset({"input", "arguments", "args"})
_STEP = re.compile(r"""\.?(?:([^\s.\[\]"'*]+)|(\*))|\[(?:\d+|\*)\]|\[(?:"([^"]+)"|'([^']+)')\]""")

Path: TypeAlias = tuple[str, ...]
"""Names that lead to a secret, as `audit.redact` has them."""
Reached: TypeAlias = tuple[Path, int]
"""A path, and how many of its names were met on the way here."""


class Look(Protocol):
    """How a text is looked at, whatever it is."""

    budget: Budget
    anywhere: list[Path]
    """Paths into the arguments of a tool, wherever in a document those are."""

    def secret(self, name: str, /) -> bool:
        """Is what has this name a secret?"""
        ...

    def text(self, text: str, depth: int, places: "tuple[Reached, ...]" = ()) -> str:
        """The same object where there is nothing in it."""
        ...

    def hits(self, text: str, cards: bool = True) -> list[Span]:
        """Where secrets are in it, as it stands."""
        ...


def parse_path(path: str) -> Path:
    """`input.card.number`, `$.a["b.c"]`, `input.rows[*].ssn`, `input.*.ssn`; its names, folded.

    Lists are passed through: `input.rows.ssn` is the same as `input.rows[*].ssn`, and an index
    stands for all. Raises ValueError.
    """
    text = path.strip().removeprefix("$")
    names: list[str] = []
    at = 0
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None or (at and step[0][0] not in ".["):
            raise ValueError(f"{path!r} is no path: write input.name, input.list[*].name")
        at = step.end()
        name = step[1] or step[2] or step[3] or step[4]
        if name:
            names.append(name.casefold())
    if not names:
        raise ValueError(f"{path!r} names nothing")
    return tuple(names)


class _Frame:
    """An object or a list that is open while it is walked."""

    __slots__ = (
        "array", "before", "hot", "jwk", "key", "named", "now_hot", "now_places", "outer", "path",
        "places", "private", "sink", "under", "values",
    )  # fmt: skip

    def __init__(
        self,
        array: bool,
        hot: bool,
        places: tuple[Reached, ...],
        path: int,
        sink: list[Span] | None,
    ) -> None:
        self.array = array
        self.hot = self.now_hot = hot  # all that is in it is secret; the next value is
        self.places = self.now_places = places  # of configured paths, that lead through here
        self.path = path  # the names that lead here, as a number
        self.key = self.before = self.under = ""
        self.named = self.jwk = False
        self.values: list[Span] = []  # secret if `named`
        self.private: list[Span] = []  # secret if `jwk`
        self.sink = self.outer = sink  # where the next value is noted; one beside those two


class TokenWalk:
    """JSON, or what resembles it, token by token. Nothing is built, so nothing gets lost."""

    __slots__ = ("depth", "edits", "leaves", "look", "pem", "stack", "text")

    def __init__(self, look: Look, text: str, depth: int, places: tuple[Reached, ...]) -> None:
        self.look = look
        self.text = text
        self.depth = depth
        self.edits: dict[int, tuple[int, str]] = {}  # start -> end, new text
        self.leaves: dict[tuple[int, str], list[tuple[int, int, str]]] = {}
        self.pem = False  # in a private key that goes over several texts
        self.stack = [_Frame(True, False, places, 0, None)]

    def read(self, start: int, more: bool) -> str:
        """From there on, one document, or more, as a stream of events has them.

        What stands at the same place again and again may be one text in pieces.
        """
        self._tokens(start)
        for pieces in self.leaves.values():
            if len(pieces) > 1:
                self._joined(pieces, more or self.text[start] == "[")
        return self._edited()

    def _edited(self) -> str:
        if not self.edits:
            return self.text
        pieces: list[str] = []
        at = 0
        for start, (end, new) in sorted(self.edits.items()):
            pieces += (self.text[at:start], new)
            at = end
        return "".join(pieces) + self.text[at:]

    def _tokens(self, start: int) -> None:
        budget = self.look.budget
        for token in _TOKENS.finditer(self.text, start):
            budget.spend(1)
            kind = token.lastindex
            if kind == _KEY:
                self._key(token)
            elif kind == 1:
                self._string(token)
            elif kind == _SCALAR:
                self._scalar(token)
            elif kind == _OPEN:
                self._open(token[0] == "[")
            else:
                self._close()

    def _open(self, array: bool) -> None:
        if len(self.stack) > NESTED:
            raise TooMuch("nested too deep")
        top = self.stack[-1]
        path = hash((top.path, top.key))
        frame = _Frame(array, top.now_hot, top.now_places, path, top.sink)
        frame.under = top.key
        self.stack.append(frame)
        top.before = ""

    def _close(self) -> None:
        frame = self.stack[-1]
        spans = frame.values if frame.named else []
        if frame.jwk:
            spans = spans + frame.private
        for start, end in spans:
            self._replace(start, end)
        if frame.outer is not None:
            frame.outer += frame.values + frame.private
        if len(self.stack) > 1:
            self.stack.pop()

    def _replace(self, start: int, end: int) -> None:
        if self.text[start:end] not in _CONSTANTS:
            self.edits[start] = (end, _QUOTED)

    def _key(self, token: re.Match[str]) -> None:
        frame = self.stack[-1]
        name = _read(token[1])
        clean = self.look.text(name, self.depth + 1)
        if clean is not name:
            self.edits[token.start(1)] = (token.end(1), json.dumps(clean))
        folded = name.casefold()
        frame.key = folded
        frame.sink = frame.outer
        if folded in _VALUES:
            frame.sink = frame.values
        elif folded in _PRIVATE:
            frame.sink = frame.private
        frame.jwk |= folded == "kty"
        frame.now_hot = frame.hot or secret_name(name)
        frame.now_places = ()
        if frame.places or self.look.anywhere:
            self._lead(frame, folded)

    def _lead(self, frame: _Frame, name: str) -> None:
        """Where do configured paths go from here?"""
        places = list(frame.places)
        if name in ARGUMENTS:
            places += [(path, 0) for path in self.look.anywhere]
        on: list[Reached] = []
        for path, at in places:
            step = path[at]
            if step in ("*", name) or (at == 0 and step in ARGUMENTS and name in ARGUMENTS):
                if at + 1 == len(path):
                    frame.now_hot = True
                else:
                    on.append((path, at + 1))
        frame.now_places = tuple(dict.fromkeys(on))

    def _string(self, token: re.Match[str]) -> None:
        frame = self.stack[-1]
        start, end = token.span(1)
        value = _read(token[1])
        if not value or value == MARK:
            return
        if frame.sink is not None:
            frame.sink.append((start, end))
        if self._in_private_key(value) or frame.now_hot or self._follows_name(frame, value):
            self.edits[start] = (end, _QUOTED)
            return
        if not frame.array and frame.key in _NAMES:
            frame.named |= self.look.secret(value)
        clean = self.look.text(value, self.depth + 1, frame.now_places)
        self.leaves.setdefault((frame.path, frame.key), []).append((start, end, clean))
        if clean is not value:
            self.edits[start] = (end, json.dumps(clean))

    def _follows_name(self, frame: _Frame, value: str) -> bool:
        """Is it the second of `["Authorization", "..."]`?"""
        if not frame.array:
            return False
        before, frame.before = frame.before, value
        return bool(before) and frame.under not in _LISTS_OF_NAMES and self.look.secret(before)

    def _in_private_key(self, value: str) -> bool:
        part = private_key(value) if "-" in value else ""
        if part == "begin":
            self.pem = True
        inside = self.pem
        if part == "end":
            self.pem = False
        return inside

    def _scalar(self, token: re.Match[str]) -> None:
        frame = self.stack[-1]
        start, end = token.span()
        if frame.sink is not None:
            frame.sink.append((start, end))
        if frame.now_hot:
            self._replace(start, end)
        elif end - start >= 13 and self.look.hits(token[0]):
            self.edits[start] = (end, _QUOTED)

    def _joined(self, pieces: list[tuple[int, int, str]], stream: bool) -> None:
        """What is left of them. Numbers of rows add up to no card, those of a stream may."""
        whole = "".join(piece[2] for piece in pieces)
        spans = self.look.hits(whole, cards=stream)
        if stream:
            rest = splice(whole, spans) if spans else whole
            if self.look.text(rest, self.depth + 1) is not rest:
                spans = [(0, len(whole))]
        at = 0
        for start, end, value in pieces:
            inside = [
                (max(0, first - at), min(len(value), last - at))
                for first, last in _overlapping(spans, at, at + len(value))
            ]
            if inside:
                self.edits[start] = (end, json.dumps(splice(value, inside)))
            at += len(value)


def _overlapping(spans: list[Span], start: int, end: int) -> list[Span]:
    """Those that have something between; the spans that ended before are let go of."""
    while spans and spans[0][1] <= start:
        spans.pop(0)
    found = []
    for span in spans:
        if span[0] >= end:
            break
        found.append(span)
    return found


def _read(token: str) -> str:
    """What a string of JSON says. One that is none says what stands there."""
    if "\\" not in token:
        return token[1:-1]
    try:
        value = json.loads(token, strict=False)
    except ValueError:
        return unescaped(token[1:-1])
    return str(value)


def unescaped(text: str) -> str:
    """The escapes of JSON and its neighbours undone, in what need not be JSON."""
    return _ESCAPE.sub(_letter, text)


def _letter(found: re.Match[str]) -> str:
    digits = found[1] or found[2]
    return chr(int(digits, 16)) if digits else _LETTERS.get(found[3], found[3])
