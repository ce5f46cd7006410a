"""What is heard in the answers of OpenAI's API, and of servers that speak like it.

A stream of chat completions ends with `[DONE]`; many servers leave that out, and all have said why
they ended for each of the choices by then. One of responses ends with an event that says so. What
they used is in the last chunk of the one, where it was asked for, and in the last event of the
other. Cached tokens are inside the number of those that came in.
"""

from typing import Any

from proxy.protocols.hearing import Usage
from proxy.protocols.model_heard import (
    ModelHeard,
    array_of,
    count,
    object_of,
    read_event,
    read_whole,
)

_DONE = b"[DONE]"
_NO_WORD_YET = frozenset(
    {
        "keepalive",
        "ping",
        "response.content_part.added",
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.queued",
        "response.reasoning_summary_part.added",
    }
)
"""Events of a response that say only that it goes on."""
_SOUND = ".audio."
"""In the type of an event whose delta is a piece of sound."""
_ENDS = frozenset({"response.completed", "response.failed", "response.incomplete"})


def usage_of(said: Any) -> Usage | None:
    """What an answer says that it used, by either API's names; None: it does not say.

    What the sum has beyond input and output was written too: some count reasoning apart.
    """
    used = object_of(said)
    tokens_in = _first(used, "prompt_tokens", "input_tokens")
    tokens_out = _first(used, "completion_tokens", "output_tokens")
    total = count(used.get("total_tokens"))
    if tokens_in is None and tokens_out is None:
        return None if total is None else Usage(input=total)
    into, out = tokens_in or 0, tokens_out or 0
    read = object_of(used.get("prompt_tokens_details") or used.get("input_tokens_details"))
    written = object_of(used.get("completion_tokens_details") or used.get("output_tokens_details"))
    return Usage(
        input=into,
        output=max(out, (total or 0) - into),
        cache_read=count(read.get("cached_tokens")) or 0,
        cache_write=count(read.get("cache_write_tokens")) or 0,
        reasoning=count(written.get("reasoning_tokens")) or 0,
    )


def _first(used: dict[str, Any], *names: str) -> int | None:
    found = (count(used.get(name)) for name in names)
    return next((number for number in found if number is not None), None)


class OpenAIHeard(ModelHeard):
    """An answer of which only usage and errors are known: pictures, sounds, what comes next."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self.ended = True  # nobody says how a stream of it would end

    def event(self, kind: bytes, data: bytes) -> bytes | None:
        """See Hearing. Some servers end whatever they stream as they end chats."""
        if data.strip() == _DONE:
            self.say()
            self.ended = True
            return None
        event = read_event(data)
        if event is None:
            self.say()
            return None
        error = _error_in(kind, event)
        if error is not None:
            self.tell(error)
            return None
        self.use(event.get("usage"))
        return self.hear(event)

    def hear(self, event: dict[str, Any]) -> bytes | None:
        """An event that is no error."""
        self.say()
        return None

    def whole(self, content: bytes) -> bytes | None:
        """See Hearing. One that failed says so, whether it says why or not."""
        answer = read_whole(content)
        self.use(answer.usage)
        self.ended = True
        if answer.error or answer.status == "failed":
            self.tell(answer.error)
        else:
            self.say(answer.text)
        return None

    def use(self, said: Any) -> None:
        """It says what it used, which most events do not; the newest word counts."""
        usage = usage_of(said) if said else None
        if usage is not None:
            self.usage = usage


def _error_in(kind: bytes, event: dict[str, Any]) -> Any:
    """The error that an event tells; None: it tells none."""
    error = event.get("error")
    if error:
        return error
    return event if kind == b"error" or event.get("type") == "error" else None


class ChatHeard(OpenAIHeard):
    """Chat completions, and completions."""

    __slots__ = ("_choices", "_finished")

    def __init__(self, choices: int, *, sifts: bool) -> None:
        """`choices`: so many were asked for. `sifts`: the agent did not ask what it uses, we did,
        and the chunk that says so is for us."""
        super().__init__()
        self.ended = False
        self.sifts = sifts
        self._choices = choices
        self._finished: set[int] = set()

    def hear(self, event: dict[str, Any]) -> bytes | None:
        """A chunk. The one that says what was used has no choice in it."""
        choices = event.get("choices")
        for choice in array_of(choices):
            self._choice(object_of(choice))
        ours = self.sifts and choices == [] and isinstance(event.get("usage"), dict)
        return b"" if ours else None

    def _choice(self, choice: dict[str, Any]) -> None:
        self.add(choice.get("delta") or choice.get("text"))
        if choice.get("finish_reason") is not None:
            self.say()
            if not self.ended:
                self._finished.add(count(choice.get("index")) or 0)
                self.ended = len(self._finished) >= self._choices


class ResponseHeard(OpenAIHeard):
    """Responses."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self.ended = False

    def hear(self, event: dict[str, Any]) -> bytes | None:
        """An event: the type stands in it."""
        kind = str(event.get("type"))
        if kind in _ENDS:
            self._end(kind, object_of(event.get("response")))
        elif kind.endswith(".delta") and _SOUND not in kind:
            self.add(event.get("delta"))
        elif kind not in _NO_WORD_YET:
            self.say()
        return None

    def _end(self, kind: str, response: dict[str, Any]) -> None:
        self.use(response.get("usage"))
        self.ended = True
        if kind == "response.failed":
            self.tell(response.get("error"))
        else:
            self.say()
