"""Rules that take secrets out of a payload before it is stored (`audit.payload: redacted`).

Taken out are credentials, card numbers, e-mail addresses, all by their forms (`forms.py`), whatever
stands under a name that credentials have, and what is at the paths of `audit.redact`. All else
stays byte for byte; a payload in which nothing is found is handed back as it was.

A body is looked at in all readings that a receiver may have of it. JSON is walked token by token,
so that keys that stand twice, escapes in keys and values, and a slip in the grammar hide nothing.
JSON in a text, text in JSON, escapes, percent-encoding and Base64 are undone, again and again, up
to `DEEPEST`. In a stream of events the pieces of one text are also looked at as one.

The agent chooses the payload, so there are bounds: of bytes, of values, of depth, and of steps.
What is over one, or no text at all, is not kept: a note says why, and the commitment in the journal
stands for it. It is never kept as it is.

What this cannot see: a secret without a form and without a name ("the magic word is Sesame"), and
one that was made unreadable on purpose (reversed, enciphered, spelled out). Nobody's rules can.
"""

import base64
import binascii
import functools
import html
import re
import threading
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote

import msgspec

from proxy.journal.forms import (
    Breathe,
    Budget,
    Span,
    TooMuch,
    compact,
    hits,
    is_login,
    secret_name,
    splice,
)
from proxy.journal.structure import ARGUMENTS, Reached, TokenWalk, parse_path, unescaped

LARGEST = 256 << 10
"""Bytes of a body that is looked through; about 50 ms."""
DEEPEST = 6
"""Encodings in one another: JSON in a text in Base64 in JSON."""
_STEPS = 120_000
"""Values, names and findings."""

_PAUSE = 0.0002
_never = threading.Event()
_BASE64 = re.compile(r"(?<![\w+/-])[A-Za-z0-9+/_-]{16,}+={0,2}+")
_BRACKET = re.compile(r"[{\[]\s*+[\"{\[]")


class Redacted(NamedTuple):
    """What may be stored of a payload."""

    content: bytes | None  # nothing: it is not kept, the note says why
    changed: bool = False
    note: str = ""


class Rules:
    """What is to be taken out. Made once for a policy, used from any thread."""

    def __init__(
        self, paths: Iterable[str] = (), largest: int = LARGEST, breathe: Breathe | None = None
    ) -> None:
        """`paths`: as in `audit.redact`. Raises ValueError for one that is none.

        `breathe` is called in a long payload every one or two milliseconds, so that other threads
        get their turn; by itself it waits a moment.
        """
        parsed = [parse_path(path) for path in paths]
        self.anywhere = [path for path in parsed if path[0] in ARGUMENTS]
        self.rooted = tuple((path, 0) for path in parsed if path[0] not in ARGUMENTS)
        self.names = frozenset(compact(path[-1]) for path in parsed if path[-1] != "*")
        self.hints = tuple(path[-1].casefold() for path in parsed if path[-1] != "*")
        self.largest = largest
        self.breathe = _pause if breathe is None else breathe

    def secret(self, name: str) -> bool:
        """Is what has this name in a text a secret?"""
        return secret_name(name) or (bool(self.names) and compact(name) in self.names)

    def redact(self, content: bytes) -> Redacted:
        """What of it may be stored. Never raises. Not for the event loop: it takes its time."""
        if len(content) > self.largest:
            return Redacted(None, True, "not kept: larger than is looked through")
        try:
            text = content.decode()
        except UnicodeDecodeError:
            return Redacted(None, True, "not kept: no text, cannot be looked through")
        if "\0" in text:
            return Redacted(None, True, "not kept: no text, cannot be looked through")
        try:
            clean = _Look(self).text(text, 0, self.rooted)
        except (TooMuch, RecursionError) as error:
            return Redacted(None, True, f"not kept: {error}")
        except Exception as error:  # whatever it is, nothing is kept that was not looked through
            return Redacted(None, True, f"not kept: {type(error).__name__} while looking through")
        return Redacted(clean.encode("utf-8", "replace"), clean != text)


@functools.lru_cache(maxsize=1024)
def rules_of(paths: tuple[str, ...]) -> Rules:
    """The rules for these paths, made once: policies are compiled for each kind of call."""
    return Rules(paths)


def _pause() -> None:
    """The interpreter is somebody else's for a moment."""
    _never.wait(_PAUSE)


class _Look:
    """One look through one payload."""

    __slots__ = ("anywhere", "budget", "rules")

    def __init__(self, rules: Rules) -> None:
        self.anywhere = rules.anywhere
        self.rules = rules
        self.budget = Budget(_STEPS, rules.breathe)

    def text(self, text: str, depth: int, places: tuple[Reached, ...] = ()) -> str:
        """The same object where there is nothing in it."""
        if len(text) < 6 or (len(text) < 12 and text.isalpha()):
            return text
        if depth > DEEPEST:
            raise TooMuch("too many encodings in one another")
        self.budget.spend(1 + len(text) // 64)
        clean = text
        start = _start(text)
        if start >= 0:
            one = _is_json(text)
            clean = TokenWalk(self, text, depth, places).read(start, not one)
            if one:
                return clean
        return self._plain(clean, depth)

    def secret(self, name: str, /) -> bool:
        """Is what has this name a secret?"""
        return self.rules.secret(name)

    def hits(self, text: str, cards: bool = True) -> list[Span]:
        """Where secrets are in a text, as it stands."""
        return hits(text, self.rules.secret, self.budget, self.rules.hints, cards)

    def _plain(self, text: str, depth: int) -> str:
        spans = self.hits(text)
        clean = splice(text, spans) if spans else text
        if "\\" in clean:
            clean = self._other(clean, unescaped(clean), depth)
        if "%" in clean:
            clean = self._other(clean, unquote(clean), depth)
        if "&#" in clean:
            clean = self._other(clean, html.unescape(clean), depth)
        if len(clean) >= 16:
            clean = self._base64(clean, depth)
        return text if clean == text else clean

    def _other(self, text: str, reading: str, depth: int) -> str:
        if reading == text:
            return text
        clean = self.text(reading, depth + 1)
        return text if clean is reading else clean

    def _base64(self, text: str, depth: int) -> str:
        spans = []
        for run in _BASE64.finditer(text):
            self.budget.spend(1)
            plain = _decoded(run[0])
            if plain and (is_login(plain) or self.text(plain, depth + 1) is not plain):
                spans.append(run.span())
        return splice(text, spans) if spans else text


def _start(text: str) -> int:
    """Where JSON begins in it; -1: nowhere."""
    brackets = "{" in text or "[" in text
    first = text[0]
    if first.isspace():
        first = text.lstrip()[:1]
    if first == '"' or (brackets and first in "{["):
        return text.index(first)
    bracket = _BRACKET.search(text) if brackets else None
    return -1 if bracket is None else bracket.start()


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False
    return True


def _decoded(run: str) -> str:
    """The text in Base64, in either alphabet; empty: there is none."""
    plain = run.rstrip("=").replace("-", "+").replace("_", "/")
    if len(plain) % 4 == 1:
        return ""
    try:
        text = base64.b64decode(plain + "=" * (-len(plain) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return "" if "\0" in text else text
