"""Anthropic's messages: whole, and as events that end with `message_stop`.

`input_tokens` leaves out what caches read and wrote. The figures of `message_delta` are totals so
far: they take the place of those of `message_start`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from proxy.lab.sandbox.anthropic_errors import headers, told
from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.llm import Asked, Prompt, Used, Written, flag, limit, model_of, part
from proxy.lab.sandbox.said import Answer, Event, Said, Stream, written

Block = dict[str, object]
SIGNATURE = "c2FuZGJveA=="


def read_message(document: Mapping[str, object]) -> Asked:
    """What the body asks for; raises GatewayError 400."""
    model = model_of(document)
    most = limit(document, "max_tokens")
    if most is None:
        raise GatewayError(400, "missing", "max_tokens: Field required")
    prompt = Prompt(
        model=model,
        body=document,
        read=read_of(document),
        most=most,
        tool=_forced_tool(document),
        thinks=part(document, "thinking").get("type") in ("enabled", "adaptive"),
    )
    return Asked(prompt, partial(_answer, document))


def read_of(document: Mapping[str, object]) -> list[object]:
    """What of a body the model reads; raises GatewayError 400."""
    messages = document.get("messages")
    if not isinstance(messages, list) or not messages:
        raise GatewayError(400, "missing", "messages: at least one message is required")
    return [messages, document.get("system"), document.get("tools")]


def _answer(document: Mapping[str, object], answers: Sequence[Written]) -> Said:
    [said] = answers
    message = _Message(model_of(document), said)
    top = headers(said.identity)
    if not flag(document, "stream"):
        return Answer(200, message.whole(), top)
    return Stream(message.events(), message.end(), error, top)


def error(failed: GatewayError) -> Event:
    """An error inside a stream."""
    return Event(written(told(failed)), "error")


@dataclass(frozen=True, slots=True)
class _Message:
    """One answer, in its two forms."""

    model: str
    said: Written

    def whole(self) -> dict[str, object]:
        """As one object."""
        return self._message(self._blocks(), self._reason(), self.said.used)

    def events(self) -> Iterator[Event]:
        """All but the last two."""
        used = self.said.used
        begun = Used(
            used.input, min(1, used.output), used.cached, used.cache_write, used.cache_write_1h
        )
        yield _event("message_start", message=self._message([], None, begun))
        for place, block in enumerate(self._blocks()):
            start = _event("content_block_start", index=place, content_block=_emptied(block))
            yield start
            if place == 0:
                yield _event("ping")
            for delta in self._deltas(block):
                yield _event("content_block_delta", index=place, delta=delta)
            yield _event("content_block_stop", index=place)

    def end(self) -> tuple[Event, ...]:
        """Why it ended with all its figures, and the last word."""
        usage = _counts(self.said.used)
        if self.said.used.reasoning:
            usage["output_tokens_details"] = {"thinking_tokens": self.said.used.reasoning}
        delta = {"stop_reason": self._reason(), "stop_sequence": None}
        return _event("message_delta", delta=delta, usage=usage), _event("message_stop")

    def _message(self, blocks: list[Block], reason: str | None, used: Used) -> dict[str, object]:
        return {
            "id": f"msg_{self.said.identity}",
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": blocks,
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": usage_of(used),
        }

    def _blocks(self) -> list[Block]:
        thought: Block = {"type": "thinking", "thinking": "One moment.", "signature": SIGNATURE}
        blocks = [thought] if self.said.used.reasoning else []
        tool = self.said.tool
        if tool is None:
            return [*blocks, {"type": "text", "text": self.said.text()}]
        call = {"type": "tool_use", "id": f"toolu_{self.said.identity}", "name": tool.name}
        return [*blocks, {**call, "input": tool.given()}]

    def _deltas(self, block: Block) -> Iterator[Block]:
        match block["type"]:
            case "thinking":
                yield {"type": "thinking_delta", "thinking": block["thinking"]}
                yield {"type": "signature_delta", "signature": SIGNATURE}
            case "text":
                for piece in self.said.pieces():
                    yield {"type": "text_delta", "text": piece}
            case _:
                assert self.said.tool is not None
                yield {"type": "input_json_delta", "partial_json": ""}
                for piece in self.said.tool.pieces():
                    yield {"type": "input_json_delta", "partial_json": piece}

    def _reason(self) -> str:
        if self.said.cut_short:
            return "max_tokens"
        return "end_turn" if self.said.tool is None else "tool_use"


def usage_of(used: Used) -> dict[str, object]:
    """The figures as this interface names them."""
    usage = _counts(used)
    usage["cache_creation"] = {
        "ephemeral_5m_input_tokens": used.cache_write - used.cache_write_1h,
        "ephemeral_1h_input_tokens": used.cache_write_1h,
    }
    if used.reasoning:
        usage["output_tokens_details"] = {"thinking_tokens": used.reasoning}
    return {**usage, "service_tier": "standard"}


def _counts(used: Used) -> dict[str, object]:
    return {
        "input_tokens": used.input - used.cached - used.cache_write,
        "cache_creation_input_tokens": used.cache_write,
        "cache_read_input_tokens": used.cached,
        "output_tokens": used.output,
    }


def _emptied(block: Block) -> Block:
    match block["type"]:
        case "thinking":
            return {**block, "thinking": "", "signature": ""}
        case "text":
            return {**block, "text": ""}
        case _:
            return {**block, "input": {}}


def _event(kind: str, **members: object) -> Event:
    return Event(written({"type": kind, **members}), kind, says=kind == "content_block_delta")


def _forced_tool(document: Mapping[str, object]) -> tuple[str, object] | None:
    """The tool that must be called: the one that is named, or where one is required the first."""
    choice = part(document, "tool_choice")
    tools = document.get("tools")
    for tool in tools if isinstance(tools, list) else []:
        name = part({"tool": tool}, "tool").get("name")
        if isinstance(name, str) and (choice.get("type") == "any" or choice.get("name") == name):
            return name, tool.get("input_schema")
    return None
