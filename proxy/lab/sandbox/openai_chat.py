"""OpenAI's chat completions: whole, and in chunks that end with `[DONE]`.

The totals come in a stream only where `stream_options.include_usage` asks for them: then every
chunk has `usage: null`, and one more, without choices, has the figures.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.llm import BORN, Asked, Prompt, Used, Written, flag, limit, model_of, part
from proxy.lab.sandbox.openai_errors import headers, told
from proxy.lab.sandbox.said import Answer, Event, Said, Stream, written

MOST_CHOICES = 8
FINGERPRINT = "fp_sandbox"
DONE = Event(b"[DONE]")


def read_chat(document: Mapping[str, object]) -> Asked:
    """What the body asks for; raises GatewayError 400."""
    messages = document.get("messages")
    if not isinstance(messages, list) or not messages:
        raise GatewayError(400, "missing_required_parameter", "messages: must be a list, not empty")
    prompt = Prompt(
        model=model_of(document),
        body=document,
        read=[messages, document.get("tools")],
        most=limit(document, "max_completion_tokens", "max_tokens"),
        tool=_forced_tool(document),
        thinks=document.get("reasoning_effort") not in (None, "none"),
    )
    choices = document.get("n") or 1
    if not isinstance(choices, int) or not 1 <= choices <= MOST_CHOICES:
        raise GatewayError(400, "invalid_value", f"n: must be from 1 to {MOST_CHOICES}")
    return Asked(prompt, partial(_answer, document), choices)


def usage_of(used: Used) -> dict[str, object]:
    """The figures as this interface names them."""
    return {
        "prompt_tokens": used.input,
        "completion_tokens": used.output,
        "total_tokens": used.input + used.output,
        "prompt_tokens_details": {
            "cached_tokens": used.cached,
            "cache_write_tokens": used.cache_write,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": used.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _answer(document: Mapping[str, object], answers: Sequence[Written]) -> Said:
    tier = document.get("service_tier")
    chat = _Chat(
        model=model_of(document),
        tier=tier if tier in ("flex", "priority") else "default",
        answers=answers,
        counted=flag(part(document, "stream_options"), "include_usage"),
    )
    top = headers(answers[0].identity)
    if not flag(document, "stream"):
        return Answer(200, chat.whole(), top)
    return Stream(chat.events(), chat.end(), error, top)


def error(failed: GatewayError) -> Event:
    """An error inside a stream."""
    return Event(written({"error": told(failed)}))


@dataclass(frozen=True, slots=True)
class _Chat:
    """One answer, in its two forms."""

    model: str
    tier: object
    answers: Sequence[Written]
    counted: bool

    def whole(self) -> dict[str, object]:
        """As one object."""
        choices = [_whole_choice(place, said) for place, said in enumerate(self.answers)]
        return {**self._top("chat.completion", choices), "usage": usage_of(self._used())}

    def events(self) -> Iterator[Event]:
        """Its chunks, up to the last word; several answers come side by side."""
        opening = {"role": "assistant", "content": "", "refusal": None}
        for place, said in enumerate(self.answers):
            start = opening if said.tool is None else {**opening, "content": None}
            yield self._chunk(place, start)
        deltas = [(place, _deltas(said)) for place, said in enumerate(self.answers)]
        while deltas:
            left = []
            for place, of in deltas:
                delta = next(of, None)
                if delta is not None:
                    yield self._chunk(place, delta, says=True)
                    left.append((place, of))
            deltas = left

    def end(self) -> tuple[Event, ...]:
        """Why each choice ended, the figures where they are asked for, and `[DONE]`."""
        reasons = [
            self._chunk(place, {}, reason=_reason(said)) for place, said in enumerate(self.answers)
        ]
        totals = {**self._top("chat.completion.chunk", []), "usage": usage_of(self._used())}
        counts = [Event(written(totals))] if self.counted else []
        return (*reasons, *counts, DONE)

    def _used(self) -> Used:
        """The prompt is read once, however many answers are written."""
        first = self.answers[0].used
        output = sum(said.used.output for said in self.answers)
        reasoning = sum(said.used.reasoning for said in self.answers)
        return Used(
            first.input, output, first.cached, first.cache_write, first.cache_write_1h, reasoning
        )

    def _chunk(
        self, place: int, delta: Mapping[str, object], reason: str | None = None, says: bool = False
    ) -> Event:
        choice = {"index": place, "delta": delta, "logprobs": None, "finish_reason": reason}
        usage = {"usage": None} if self.counted else {}
        return Event(written({**self._top("chat.completion.chunk", [choice]), **usage}), says=says)

    def _top(self, kind: str, choices: object) -> dict[str, object]:
        return {
            "id": f"chatcmpl-{self.answers[0].identity}",
            "object": kind,
            "created": BORN,
            "model": self.model,
            "service_tier": self.tier,
            "system_fingerprint": FINGERPRINT,
            "choices": choices,
        }


def _whole_choice(place: int, said: Written) -> dict[str, object]:
    message: dict[str, object] = {
        "role": "assistant",
        "content": said.text() if said.tool is None else None,
        "refusal": None,
        "annotations": [],
    }
    if said.tool is not None:
        function = {"name": said.tool.name, "arguments": said.tool.arguments}
        call = {"id": f"call_{said.identity}", "type": "function", "function": function}
        message["tool_calls"] = [call]
    return {"index": place, "message": message, "logprobs": None, "finish_reason": _reason(said)}


def _deltas(said: Written) -> Iterator[dict[str, object]]:
    if said.tool is None:
        for piece in said.pieces():
            yield {"content": piece}
        return
    named = {"name": said.tool.name, "arguments": ""}
    call = {"index": 0, "id": f"call_{said.identity}", "type": "function", "function": named}
    yield {"tool_calls": [call]}
    for piece in said.tool.pieces():
        yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}


def _reason(said: Written) -> str:
    if said.cut_short:
        return "length"
    return "stop" if said.tool is None else "tool_calls"


def _forced_tool(document: Mapping[str, object]) -> tuple[str, object] | None:
    """The tool that must be called: the one that is named, or where one is required the first."""
    choice = document.get("tool_choice")
    named = part(part(document, "tool_choice"), "function").get("name")
    tools = document.get("tools")
    for tool in tools if isinstance(tools, list) else []:
        function = part(tool, "function")
        name = function.get("name")
        if isinstance(name, str) and (choice == "required" or name == named):
            return name, function.get("parameters")
    return None
