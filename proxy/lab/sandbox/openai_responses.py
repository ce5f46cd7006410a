"""OpenAI's responses: whole, and as events that end with `response.completed` or `.incomplete`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.llm import BORN, Asked, Prompt, Used, Written, flag, limit, model_of, part
from proxy.lab.sandbox.openai_errors import headers
from proxy.lab.sandbox.said import Answer, Event, Said, Stream, written

Item = dict[str, object]


def read_response(document: Mapping[str, object]) -> Asked:
    """What the body asks for; raises GatewayError 400."""
    if not isinstance(document.get("input"), str | list):
        raise GatewayError(400, "missing_required_parameter", "input: must be a text or a list")
    prompt = Prompt(
        model=model_of(document),
        body=document,
        read=[document[name] for name in ("instructions", "input", "tools") if name in document],
        most=limit(document, "max_output_tokens"),
        tool=_forced_tool(document),
        thinks=part(document, "reasoning").get("effort") not in (None, "none"),
    )
    return Asked(prompt, partial(_answer, document))


def _answer(document: Mapping[str, object], answers: Sequence[Written]) -> Said:
    [said] = answers
    response = _Response(document, said)
    top = headers(said.identity)
    if not flag(document, "stream"):
        return Answer(200, response.whole(), top)
    return Stream(response.events(), (response.end(),), response.error, top)


@dataclass(frozen=True, slots=True)
class _Response:
    """One answer, in its two forms."""

    document: Mapping[str, object]
    said: Written
    numbers: "count[int]" = field(default_factory=count)  # of the events, as they are made

    def whole(self) -> dict[str, object]:
        """As one object, when it is done."""
        status = self._status()
        items = [self._thought()] if self.said.used.reasoning else []
        return self._response(status, [*items, self._item(status)], usage_of(self.said.used))

    def events(self) -> Iterator[Event]:
        """All but the last."""
        begun: Item = {"response": self._response("in_progress", [], None)}
        yield self._event("response.created", begun)
        yield self._event("response.in_progress", begun)
        place = 0
        if self.said.used.reasoning:
            thought: Item = {"output_index": 0, "item": self._thought()}
            yield self._event("response.output_item.added", thought)
            yield self._event("response.output_item.done", thought)
            place = 1
        yield from self._text(place) if self.said.tool is None else self._call(place)

    def end(self) -> Event:
        """The last event has the whole answer with its figures."""
        # It is made before the others are: they are counted on a copy.
        kind = "response.incomplete" if self.said.cut_short else "response.completed"
        total = sum(1 for _ in _Response(self.document, self.said).events())
        return _numbered(kind, total, {"response": self.whole()})

    def error(self, failed: GatewayError) -> Event:
        """An error inside a stream."""
        return self._event("error", {"code": failed.code, "message": failed.message, "param": None})

    def _text(self, place: int) -> Iterator[Event]:
        index: Item = {"output_index": place}
        at: Item = {"item_id": f"msg_{self.said.identity}", **index, "content_index": 0}
        done, text = self._item(self._status()), self.said.text()
        opened = {**done, "status": "in_progress", "content": []}
        yield self._event("response.output_item.added", {**index, "item": opened})
        yield self._event("response.content_part.added", {**at, "part": _part("")})
        for piece in self.said.pieces():
            delta = {**at, "delta": piece, "logprobs": []}
            yield self._event("response.output_text.delta", delta, says=True)
        yield self._event("response.output_text.done", {**at, "text": text, "logprobs": []})
        yield self._event("response.content_part.done", {**at, "part": _part(text)})
        yield self._event("response.output_item.done", {**index, "item": done})

    def _call(self, place: int) -> Iterator[Event]:
        assert self.said.tool is not None
        tool, done, index = self.said.tool, self._item("completed"), {"output_index": place}
        at: Item = {"item_id": f"fc_{self.said.identity}", **index}
        opened = {**done, "status": "in_progress", "arguments": ""}
        yield self._event("response.output_item.added", {**index, "item": opened})
        kind = "response.function_call_arguments"
        for piece in tool.pieces():
            yield self._event(f"{kind}.delta", {**at, "delta": piece}, says=True)
        whole = {"name": tool.name, "arguments": tool.arguments}
        yield self._event(f"{kind}.done", {**at, **whole})
        yield self._event("response.output_item.done", {**index, "item": done})

    def _status(self) -> str:
        return "incomplete" if self.said.cut_short else "completed"

    def _thought(self) -> Item:
        return {"id": f"rs_{self.said.identity}", "type": "reasoning", "summary": []}

    def _item(self, status: str) -> Item:
        tool, identity = self.said.tool, self.said.identity
        if tool is None:
            return {
                "id": f"msg_{identity}",
                "type": "message",
                "status": status,
                "role": "assistant",
                "content": [_part(self.said.text())],
            }
        return {
            "id": f"fc_{identity}",
            "type": "function_call",
            "status": status,
            "call_id": f"call_{identity}",
            "name": tool.name,
            "arguments": tool.arguments,
        }

    def _response(self, status: str, output: list[Item], usage: object) -> dict[str, object]:
        asked = self.document
        tier = asked.get("service_tier")
        begun = status == "in_progress"
        why = {"reason": "max_output_tokens"} if status == "incomplete" else None
        return {
            "id": f"resp_{self.said.identity}",
            "object": "response",
            "created_at": BORN,
            "status": status,
            "completed_at": BORN if status == "completed" else None,
            "background": False,
            "error": None,
            "incomplete_details": why,
            "instructions": asked.get("instructions"),
            "max_output_tokens": asked.get("max_output_tokens"),
            "metadata": asked.get("metadata") or {},
            "model": asked["model"],
            "output": output,
            "parallel_tool_calls": True,
            "previous_response_id": asked.get("previous_response_id"),
            "reasoning": {"effort": part(asked, "reasoning").get("effort"), "summary": None},
            "service_tier": "auto" if begun else tier if tier in _TIERS else "default",
            "store": asked.get("store", True),
            "temperature": asked.get("temperature", 1.0),
            "text": {"format": {"type": "text"}},
            "tool_choice": asked.get("tool_choice", "auto"),
            "tools": asked.get("tools") or [],
            "top_p": asked.get("top_p", 1.0),
            "truncation": "disabled",
            "usage": usage,
            "user": None,
        }

    def _event(self, kind: str, members: Item, *, says: bool = False) -> Event:
        return _numbered(kind, next(self.numbers), members, says=says)


_TIERS = ("flex", "priority")


def usage_of(used: Used) -> dict[str, object]:
    """The figures as this interface names them."""
    return {
        "input_tokens": used.input,
        "input_tokens_details": {
            "cached_tokens": used.cached,
            "cache_write_tokens": used.cache_write,
        },
        "output_tokens": used.output,
        "output_tokens_details": {"reasoning_tokens": used.reasoning},
        "total_tokens": used.input + used.output,
    }


def _numbered(kind: str, number: int, members: Item, *, says: bool = False) -> Event:
    said = {"type": kind, "sequence_number": number, **members}
    return Event(written(said), kind, says=says)


def _part(text: str) -> dict[str, object]:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _forced_tool(document: Mapping[str, object]) -> tuple[str, object] | None:
    choice = document.get("tool_choice")
    named = part(document, "tool_choice").get("name")
    tools = document.get("tools")
    for tool in tools if isinstance(tools, list) else []:
        name = part({"tool": tool}, "tool").get("name")
        if isinstance(name, str) and (choice == "required" or name == named):
            return name, tool.get("parameters")
    return None
