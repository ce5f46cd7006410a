"""What is heard in the answers of Anthropic's API.

What a message uses is said twice in a stream, at its beginning and, as a sum, at its end, where
some numbers may be missing: of each the largest counts, and none is added to another. What was read
of a cache and written to one stands beside the number of tokens that came in, not inside it.
"""

from typing import Any

from proxy.protocols.hearing import Usage
from proxy.protocols.model_heard import ModelHeard, count, object_of, read_event, read_whole

_NO_WORD_YET = frozenset({"content_block_stop", "message_delta", "message_start", "ping"})
_EMPTY_AT_FIRST = frozenset({"text", "thinking"})
"""Blocks that begin with nothing in them; others begin with what was said."""


class Meter:
    """What a message says that it used, number by number."""

    __slots__ = ("_used",)

    def __init__(self) -> None:
        self._used: dict[str, int] = {}

    def add(self, said: Any) -> None:
        """Something said of it. What is no number, or smaller than what was said, says nothing."""
        used = object_of(said)
        self._take(used)
        self._take(object_of(used.get("cache_creation")))
        self._take(object_of(used.get("output_tokens_details")))

    def _take(self, used: dict[str, Any]) -> None:
        for name in _NUMBERS & used.keys():
            number = count(used[name])
            if number is not None:
                self._used[name] = max(number, self._used.get(name, 0))

    @property
    def usage(self) -> Usage | None:
        """All of it, as it is counted here; None: nothing was said."""
        used = self._used
        if not used:
            return None
        read = used.get("cache_read_input_tokens", 0)
        hour = used.get("ephemeral_1h_input_tokens", 0)
        parts = hour + used.get("ephemeral_5m_input_tokens", 0)
        written = max(parts, used.get("cache_creation_input_tokens", 0))
        return Usage(
            input=used.get("input_tokens", 0) + read + written,
            output=used.get("output_tokens", 0),
            cache_read=read,
            cache_write=written,
            cache_write_1h=hour,
            reasoning=used.get("thinking_tokens", 0),
        )


_NUMBERS = frozenset(
    {
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "ephemeral_1h_input_tokens",
        "ephemeral_5m_input_tokens",
        "input_tokens",
        "output_tokens",
        "thinking_tokens",
    }
)


class AnthropicHeard(ModelHeard):
    """A message."""

    __slots__ = ("_meter",)

    def __init__(self) -> None:
        super().__init__()
        self._meter = Meter()

    def event(self, kind: bytes, data: bytes) -> bytes | None:
        """See Hearing. The type stands in the event, and again before it."""
        event = read_event(data)
        if event is None:
            self.say()
        else:
            self._hear(str(event.get("type") or kind.decode("latin-1")), event)
        return None

    def _hear(self, kind: str, event: dict[str, Any]) -> None:
        if kind == "error":
            self.tell(event.get("error"))
        elif kind == "message_stop":
            self.say()
            self.ended = True
        elif kind == "content_block_start":
            self._begin(object_of(event.get("content_block")))
        elif kind in _NO_WORD_YET:
            self._use(object_of(event.get("message")).get("usage"))
            self._use(event.get("usage"))
        elif kind == "content_block_delta":
            self.add(event.get("delta"))
        else:
            self.say()

    def _begin(self, block: dict[str, Any]) -> None:
        if block.get("type") in _EMPTY_AT_FIRST:
            self.add([block[name] for name in _EMPTY_AT_FIRST if block.get(name)])
        else:
            self.say()

    def whole(self, content: bytes) -> bytes | None:
        """See Hearing."""
        answer = read_whole(content)
        self._use(answer.usage)
        self.ended = True
        if answer.error or answer.type == "error":
            self.tell(answer.error)
        else:
            self.say(answer.text)
        return None

    def _use(self, said: Any) -> None:
        self._meter.add(said)
        self.usage = self._meter.usage


class CountHeard(ModelHeard):
    """A count of tokens: it costs nothing."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self.ended = True

    def event(self, kind: bytes, data: bytes) -> bytes | None:
        """See Hearing: nobody streams a number."""
        self.say()
        return None

    def whole(self, content: bytes) -> bytes | None:
        """See Hearing."""
        if count(read_whole(content).input_tokens) is not None:
            self.usage = Usage()
        self.say()
        return None
