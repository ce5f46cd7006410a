"""What is heard in the answers of models: what all vendors have in common.

Words of a vendor stand in `openai_heard.py` and `anthropic_heard.py`. What cannot be read counts as
something that was said: nobody may lose an answer because it was not understood here.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from proxy.protocols.failing import told_of
from proxy.protocols.hearing import Told, Usage

_NO_TEXT = frozenset(
    {
        "audio", "data", "embedding", "encrypted_content", "finish_reason", "id", "index",
        "logprobs", "obfuscation", "object", "role", "signature", "status", "stop_reason", "type",
    }
)  # fmt: skip
"""Members that hold no text of a model: what they are called, pictures, sounds, numbers."""
_NO_WORD = frozenset({"index", "role", "type"})
"""Members of a part that say nothing by themselves."""


class ModelHeard:
    """A hearing (see `hearing.py`) that has heard nothing yet."""

    __slots__ = (
        "content", "decides", "ended", "failed_tool", "sifts", "told", "usage", "written",
    )  # fmt: skip

    def __init__(self) -> None:
        self.content = False
        self.decides = True  # a good status may stand over an error
        self.ended = False
        self.told: Told | None = None
        self.failed_tool = False
        self.usage: Usage | None = None
        self.written = 0
        self.sifts = False

    def tell(self, error: Any) -> None:
        """It tells an error, with which it ends. Only the first one counts."""
        if self.told is None:
            self.told = told_of(error, said=self.content)
        self.ended = True

    def say(self, text: int = 0) -> None:
        """It says so many bytes of text, or something that is no text."""
        self.content = True
        self.written += text

    def add(self, said: Any) -> None:
        """It says this, a part of an answer; perhaps there is nothing in it yet."""
        parts = said.items() if isinstance(said, dict) else [("", said)]
        if any(part for name, part in parts if name not in _NO_WORD):
            self.say(text_in(said))


class WholeAnswer(msgspec.Struct):
    """The members of an answer that are looked at."""

    error: Any = None
    usage: Any = None
    status: Any = None
    type: Any = None
    input_tokens: Any = None  # of a count
    choices: msgspec.Raw = msgspec.Raw()
    output: msgspec.Raw = msgspec.Raw()
    content: msgspec.Raw = msgspec.Raw()

    @property
    def text(self) -> int:
        """Bytes of text in it."""
        return sum(map(_text_of, (self.choices, self.output, self.content)))


_whole = msgspec.json.Decoder(WholeAnswer)


def read_whole(content: bytes) -> WholeAnswer:
    """An answer that is no stream. Nothing stands in what is no object."""
    try:
        return _whole.decode(content)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return WholeAnswer()


def read_event(data: bytes) -> dict[str, Any] | None:
    """An event's object; None: it is none."""
    try:
        event = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def object_of(value: Any) -> dict[str, Any]:
    """Its members, if it is an object; else none."""
    return value if isinstance(value, dict) else {}


def array_of(value: Any) -> Iterable[Any]:
    """Its items, if it is an array; else none."""
    return value if isinstance(value, list) else ()


def count(value: Any) -> int | None:
    """A number of tokens; None: it is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return None


def text_in(value: Any) -> int:
    """Bytes of text that a model has written, anywhere in it."""
    found = 0
    left = [value]
    while left:
        inner = left.pop()
        if isinstance(inner, str):
            found += len(inner) if inner.isascii() else len(inner.encode(errors="replace"))
        elif isinstance(inner, list):
            left.extend(inner)
        elif isinstance(inner, dict):
            left.extend(said for name, said in inner.items() if name not in _NO_TEXT)
    return found


def _text_of(raw: msgspec.Raw) -> int:
    try:
        return text_in(msgspec.json.decode(raw)) if bytes(raw) else 0
    except (msgspec.DecodeError, UnicodeError):
        return 0  # only here it is read letter by letter
