"""The tool gateway's envelope: `{"tool": name, "input": {…}}` on any path, or POST …/v1/{tool}."""

import re
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec.structs import replace

from proxy.call import Call, Effect, RequestHead
from proxy.memo import remembered
from proxy.protocols.arguments import Arguments, read_arguments
from proxy.protocols.canonical import Canonical, of_tool
from proxy.protocols.claims import DECEPTIVE, JSON, claimed, may_be_json
from proxy.protocols.coding import NO_LIMIT, decoded
from proxy.protocols.document import (
    Ambiguous,
    NotADocument,
    Pointer,
    check,
    check_depth,
    check_text,
)
from proxy.protocols.http import IS_LINE, Http, matched_path
from proxy.protocols.identity import LONGEST
from proxy.protocols.names import LONGEST_NAME, stays_whole
from proxy.protocols.posted import is_json, refused
from proxy.protocols.protocol import Reads, Rules, Spelled
from proxy.refusal import Refusal

_IN_PATH = re.compile(rb"(?:^|.*/)(?i:v1)/([^/]+)/?", re.DOTALL)
# No control characters, spaces, slashes, parameters, nor what was no UTF-8.
_NAME = re.compile(r"[!-.0-:<-~\xa1-\ufffc\U00010000-\U0010ffff]+")
_OF_AN_ENVELOPE = frozenset({"tool", "input"})

# Looking into an enum costs more than the question.
_NOTHING, _WHOLE, _WRITE = Reads.NOTHING, Reads.WHOLE, Effect.WRITE


class _Ids(msgspec.Struct, frozen=True):
    workflow_id: str = ""
    task_id: str = ""


class _Envelope(msgspec.Struct):
    """The members that are looked at; the rest is only checked to be JSON."""

    tool: str = ""
    input: _Ids = _Ids()
    workflow_id: str = ""  # here where the path names the tool, and the body is its input
    task_id: str = ""


class _Bare(msgspec.Struct):
    """What is left to look at where `input` is no object, or what should be an id is no text."""

    tool: str = ""


_envelope = msgspec.json.Decoder(_Envelope)
_bare = msgspec.json.Decoder(_Bare)
_anything = msgspec.json.Decoder(msgspec.Raw)


class Tools(Http):
    """See the head of this file. Whatever is no such call is a plain HTTP call."""

    name = "tools"
    layer = "tool"
    names_tools = True

    def reads(self, head: RequestHead) -> Reads:
        """The body of a POST: its tool may stand in there, whatever the type says."""
        if head.method != "POST":
            return _NOTHING
        fields = head.fields
        kind = fields.get(b"content-type", b"")
        if (
            not kind
            or kind == JSON
            or claimed(kind)[0]
            or b"content-encoding" in fields
            or any(path_tool(head.target))
        ):
            return _WHOLE
        return Reads.BEGINNING

    def looks_read(self, beginning: bytes) -> bool:
        """See Protocol: it begins like JSON, or may still."""
        return may_be_json(beginning)

    def spell(self, tool: str, method: str, target: bytes, content: bytes) -> Spelled:
        """See Protocol: the envelope; without a tool, the path or the body may name it."""
        if IS_LINE.fullmatch(tool) or method not in {"", "POST"}:
            return super().spell(tool, method, target, content)
        body = content
        if tool:
            body = msgspec.json.encode({"tool": tool, "input": msgspec.Raw(content or b"{}")})
        return Spelled("POST", target or b"/", body)

    def recognise(self, call: Call, content: bytes | None, rules: Rules) -> Refusal | None:
        """See Protocol."""
        if call.head.method != "POST":
            return super().recognise(call, content, rules)
        named, deceptive = path_tool(rules.base + call.target)  # as the upstream sees it
        if deceptive:
            return Refusal("ambiguous_call", deceptive)
        if content is None:
            return self._is_for(call, named) if named else super().recognise(call, None, rules)
        call.content = content
        call.tool_in_path = bool(named)
        coding = call.head.fields.get(b"content-encoding")
        if coding is not None:
            plain = decoded(content, coding, rules.body_buffer)
            if isinstance(plain, Refusal):
                return plain
            content = plain
        try:
            tool = self._tool(call, content, named)
        except Ambiguous as why:
            refusal = refused(why, rules)
            if refusal is not None:
                return refusal
            tool = named
        if not tool:
            return super().recognise(call, None, rules)
        return self._is_for(call, tool)

    def arguments(self, call: Call) -> Arguments:
        """See Protocol: `input`, or the whole body where the path names the tool.

        There it may still come in an envelope. But beside an `input` there must then be nothing
        that the other reading would take for an argument.
        """
        read = read_arguments(call.content, call.head.fields.get(b"content-encoding", b""))
        body, named = read.value, call.tool_in_path
        if not isinstance(body, dict):
            return read
        spelled = [name for name in body if name.casefold() == "input"]
        if not spelled:
            return read if named else replace(read, value={})
        given = body[spelled[0]]
        if spelled != ["input"]:
            raise Ambiguous("the body names input in another spelling")
        if named and not isinstance(given, dict):
            return read
        if named and not body.keys() <= _OF_AN_ENVELOPE:
            raise Ambiguous("the body is the tool's input, and has one")
        return replace(read, value=given)

    def canonical(self) -> Canonical:
        """See Protocol."""
        return of_tool

    def _is_for(self, call: Call, tool: str) -> Refusal | None:
        if len(tool) > LONGEST_NAME:
            why = f"the tool's name is longer than {LONGEST_NAME} characters"
            return Refusal("ambiguous_call", why)
        call.protocol = "tools"
        call.layer = "tool"
        call.tool = tool
        call.path = matched_path(call.target)
        call.usual_effect = _WRITE
        return None

    def _tool(self, call: Call, content: bytes, named: str) -> str:
        """The tool's name; empty if this is no call of a tool. Raises Ambiguous."""
        if not is_json(call.head, content):
            return named
        envelope = _read(content)
        if envelope is None:
            return named
        if envelope.tool and not stays_whole(envelope.tool):
            raise Ambiguous("the tool's name holds what is not printed, or begins or ends blank")
        tool = envelope.tool or named
        if named and named != tool:
            raise Ambiguous("the path names one tool and the body another")
        ids = envelope.input if envelope.tool else envelope
        if ids.workflow_id or ids.task_id:
            _note_ids(call, ids.workflow_id, ids.task_id)
        return tool


def _read(content: bytes) -> _Envelope | None:
    """The envelope; None if it is JSON, but no object. Raises Ambiguous."""
    try:
        try:
            envelope = _envelope.decode(content)
        except msgspec.ValidationError:
            envelope = _Envelope(_bare.decode(content).tool)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        _not_an_envelope(content)
        return None
    check(content, "tool", b'"tool"')
    return envelope


def _not_an_envelope(content: bytes) -> None:
    """No object, or its tool is no text, or no JSON. Raises Ambiguous but for the first."""
    check_text(content)
    try:
        _anything.decode(content)
    except msgspec.DecodeError:
        raise NotADocument("the body is not one JSON document") from None
    except RecursionError:
        raise NotADocument("the body is nested too deep") from None
    check_depth(content)
    if content.lstrip().startswith(b"{"):
        raise Ambiguous("tool is not a string")


def _note_ids(call: Call, workflow: str, task: str) -> None:
    """`input.workflow_id` and `input.task_id`, where no header names them."""
    call.workflow = call.workflow or workflow[:LONGEST]
    call.task = call.task or (task or workflow)[:LONGEST]


@remembered
def path_tool(target: bytes) -> tuple[str, str]:
    """The tool that a path names, or empty; and what makes it ambiguous, or empty."""
    path = target.partition(b"?")[0]
    plain = unquote_to_bytes(unquote_to_bytes(path)).replace(b"\\", b"/")
    if b"v1" not in plain.lower():
        return "", ""
    match = _IN_PATH.fullmatch(unquote_to_bytes(path))
    if DECEPTIVE.search(path):
        return "", "the path around the tool's name can be read in more than one way"
    if match is None:
        return "", ""
    name = match[1].decode("utf-8", "replace")
    if not _NAME.fullmatch(name):
        return (
            "",
            "the tool's name in the path holds characters that can be read in more than one way",
        )
    return name, ""


_WITH_ARGUMENTS = frozenset({"tools", "mcp"})


class Argument:
    """One of a tool's arguments: what stands at a path below its `input`, or below the `arguments`
    of a call of MCP."""

    def __init__(self, path: tuple[str, ...]) -> None:
        self._enveloped = Pointer(("input", *path))
        self._alone = Pointer(path)
        self._in_message = Pointer(("params", "arguments", *path))
        self._surely_absent = self._alone.surely_absent

    def of(self, call: Call) -> Any:
        """See `Pointer.read`."""
        content = call.body.whole
        if content is None or call.protocol not in _WITH_ARGUMENTS:
            return None
        coding = call.head.fields.get(b"content-encoding")
        if coding is None:
            if self._surely_absent(content):
                return None  # nearly always
        else:
            plain = decoded(content, coding, NO_LIMIT)
            content = b"" if isinstance(plain, Refusal) else plain  # it was read before
        if call.protocol != Tools.name:
            return self._in_message.read(content)
        try:
            enveloped = _bare.decode(content).tool
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None  # a form, or what the upstream lets pass
        return (self._enveloped if enveloped else self._alone).read(content)
