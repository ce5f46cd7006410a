"""What is heard in the answers of MCP servers.

A tool that failed says so in a good result. A result that asks for more first (`input_required`),
or is the receipt of a task, is neither a success nor a failure of the tool, and nobody else's
answer: it is for the one request that it was given to. Lists of tools teach what these do, and lose
those that a policy hides.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from proxy.protocols.answers import Answers, Meanings
from proxy.protocols.hearing import Told
from proxy.protocols.mcp_asked import Asked
from proxy.protocols.mcp_hints import Hints, Listed
from proxy.protocols.mcp_replies import HEADER_MISMATCH, Spoken
from proxy.reply import Executed, Reply, Result

_NOT_RUN = Told(400, Result.CALLER_ERROR, Executed.NO)
_OWN: Meanings = {
    HEADER_MISMATCH: _NOT_RUN,
    -32021: _NOT_RUN,  # the client lacks a capability
    -32022: _NOT_RUN,  # a version that the server does not speak
    -32002: Told(404, Result.CALLER_ERROR, Executed.NO),  # no such resource, until 2025-11-25
    -32042: _NOT_RUN,  # a person must visit a page first (2025-11-25)
}
_LIST = "tools/list"
_DONE = "complete"


class _Result(msgspec.Struct, rename="camel"):
    """What is looked at in a result."""

    is_error: bool = False
    result_type: str = _DONE
    tools: msgspec.Raw = msgspec.Raw(b"")


class _Named(msgspec.Struct):
    name: str = ""


_result = msgspec.json.Decoder(_Result)
_listed = msgspec.json.Decoder(list[Listed])
_raws = msgspec.json.Decoder(list[msgspec.Raw])
_named = msgspec.json.Decoder(_Named)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ERRORS = (msgspec.DecodeError, UnicodeError, RecursionError)


class McpAnswers(Answers):
    """Hears one answer of a server."""

    def __init__(
        self,
        spoken: Spoken,
        reply: Reply,
        hints: Hints,
        hides: Callable[[str], bool] | None = None,
    ) -> None:
        """`hides`: is a tool to be left out of lists? None: none is."""
        super().__init__(spoken.ids, _OWN)
        self._spoken = spoken
        self._reply = reply
        self._hints = hints
        lists = not spoken.asked or any(one.method == _LIST for one in spoken.asked)
        self._hides = hides if lists else None
        self._learns = lists and spoken.rules.trust_annotations
        self.sifts = self._hides is not None
        if any(_goes_on(one) for one in spoken.asked):
            self.ended = True

    def event(self, kind: bytes, data: bytes) -> bytes | None:
        """Part of Hearing."""
        super().event(kind, data)
        return None if self._hides is None else self._sifted(data, self._hides)

    def whole(self, content: bytes) -> bytes | None:
        """Part of Hearing."""
        super().whole(content)
        return None if self._hides is None else self._sifted(content, self._hides)

    def _result(self, result: Any) -> None:
        if len(self._spoken.ids) == 1:  # or the ids are the same when the same is asked again
            self._reply.says = partial(bytes, result)
        try:
            said = _result.decode(result)
        except _ERRORS:
            return
        if said.result_type != _DONE:
            self._reply.pending = True
        elif said.is_error:
            self.failed_tool = True
        if self._learns and bytes(said.tools):
            self._learn(said.tools)

    def _learn(self, tools: msgspec.Raw) -> None:
        try:
            listed = _listed.decode(tools)
        except _ERRORS:
            return  # what is not said as it should be is not known
        self._hints.learn(self._spoken.rules, listed)

    @staticmethod
    def _sifted(content: bytes, hides: Callable[[str], bool]) -> bytes | None:
        """The same without the tools that are hidden; None: there are none in it."""
        if b'"tools"' not in content:
            return None
        try:
            if content.lstrip().startswith(b"["):
                messages = _raws.decode(content)
                sifted = [without(message, hides) for message in messages]
                if not any(sifted):
                    return None
                kept = [new or bytes(old) for new, old in zip(sifted, messages, strict=True)]
                return b"[" + b",".join(kept) + b"]"
            return without(content, hides)
        except _ERRORS:
            return None


def _goes_on(asked: Asked) -> bool:
    """Is its answer a stream that lasts until somebody ends it?"""
    return asked.method == "subscriptions/listen"


def without(message: bytes | msgspec.Raw, hides: Callable[[str], bool]) -> bytes | None:
    """A response without those of its tools that are hidden; None: it has none of them. Raises
    msgspec's errors for what is none."""
    members = _members.decode(message)
    if "result" not in members:
        return None
    result = _members.decode(members["result"])
    if "tools" not in result:
        return None
    tools = _raws.decode(result["tools"])
    kept = [tool for tool in tools if not hides(_named.decode(tool).name)]
    if len(kept) == len(tools):
        return None
    result["tools"] = msgspec.Raw(msgspec.json.encode(kept))
    return msgspec.json.encode({**members, "result": result})
