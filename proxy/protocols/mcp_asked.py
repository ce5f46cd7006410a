"""What a message of an MCP client asks for: a tool's call, or what sets such calls up.

Both eras of the protocol over streamable HTTP: that of sessions (2025-03-26 to 2025-11-25), and the
one without (2026-07-28), in which each request says its version and its headers repeat what it is
for. Who routes by these headers must not be told something else than who reads the body.
"""

import base64
import binascii
import re

import msgspec

from proxy.call import CALL, CONTROL, Effect
from proxy.protocols.document import Ambiguous
from proxy.protocols.identity import LONGEST
from proxy.protocols.jsonrpc import Message
from proxy.protocols.members import Members, members, text
from proxy.protocols.names import LONGEST_NAME, stays_whole

STATELESS = "2026-07-28"
"""The first version that knows of no sessions."""

TOOL = "tools/call"
_NAMED = {TOOL: "name", "prompts/get": "name", "resources/read": "uri"}
"""Calls, and which of their params says of what."""
EFFECTS = {
    "prompts/get": Effect.READ,
    "resources/read": Effect.READ,
    "completion/complete": Effect.READ,
    "initialize": Effect.WRITE,
    "ping": Effect.READ,
    "server/discover": Effect.READ,
    "subscriptions/listen": Effect.READ,
    "resources/subscribe": Effect.IDEMPOTENT,
    "resources/unsubscribe": Effect.IDEMPOTENT,
    "logging/setLevel": Effect.IDEMPOTENT,
    "tools/list": Effect.READ,
    "prompts/list": Effect.READ,
    "resources/list": Effect.READ,
    "resources/templates/list": Effect.READ,
    "tasks/list": Effect.READ,
    "tasks/get": Effect.READ,
    "tasks/result": Effect.READ,
    "tasks/cancel": Effect.IDEMPOTENT,
    "tasks/update": Effect.WRITE,
}
"""What the protocol itself says of its methods."""
_CONTROL = EFFECTS.keys() - _NAMED.keys()
_NOTIFICATIONS = "notifications/"
_OWN_METHODS = re.compile(
    rb'"(?:tools/(?:call|list)|prompts/(?:get|list)|resources/(?:read|list|templates/list|subscribe'
    rb"|unsubscribe)|completion/complete|logging/setLevel|initialize|server/discover"
    rb'|subscriptions/listen|notifications/[a-z_/]+)"'
)
_ANSWER = "response"
"""What stands for a tool where a client answers its server."""

_VERSION = re.compile(r"\d{4}-\d\d-\d\d")
_OF_VERSION = "io.modelcontextprotocol/protocolVersion"
_WORKFLOW, _TASK = "holdfast.dev/workflow", "holdfast.dev/task"
_OF_PARAMS = ("name", "uri", "arguments", "_meta")
_OF_META = (_OF_VERSION, _WORKFLOW, _TASK, "baggage", "traceparent")
_OF_THE_WAY = frozenset({"progressToken", "traceparent", "tracestate", "baggage"})
_ENCODED = re.compile(rb"=\?base64\?([A-Za-z0-9+/]*={0,2})\?=")
_LONGEST_ID = 64  # characters of one that is told
_NO_MEMBERS: Members = {}


class Mismatch(Ambiguous):
    """A header says something else than the body (-32020)."""


class Asked(msgspec.Struct, frozen=True):
    """What one message asks for."""

    method: str
    id: bytes = b""  # as it is written; empty: nobody waits for an answer
    tool: str = ""  # the name that policies match
    kind: str = CONTROL
    effect: Effect = Effect.WRITE
    version: str = ""  # of the protocol, as its _meta says it
    workflow: str = ""
    task: str = ""
    trace: str = ""  # as W3C Trace Context has it

    @property
    def of_tool(self) -> bool:
        """Does a model wait for what a tool says?"""
        return self.method == TOOL


def asked(message: Message, fields: dict[bytes, bytes]) -> Asked:
    """What the message asks for. Raises Ambiguous, and Mismatch where its headers deny it."""
    method = message.method
    if not method:
        return Asked("", tool=_ANSWER)
    params = _params(message)
    member = _NAMED.get(method)
    name = "" if member is None else _name(params, member)
    meta = _object(params, "_meta", *_OF_META) if "_meta" in params else _NO_MEMBERS
    version = _said(meta, _OF_VERSION)
    _check_headers(fields, method, name, version)
    kind = CONTROL if method in _CONTROL or method.startswith(_NOTIFICATIONS) else CALL
    workflow, task = _work(meta)
    return Asked(
        method,
        message.id,
        name if method == TOOL else _known(method, "method"),
        kind,
        EFFECTS.get(method, Effect.WRITE),
        version,
        workflow,
        task,
        _said(meta, "traceparent"),
    )


def knows_method(content: bytes) -> bool:
    """Does a method of MCP, which no other protocol has, stand in there in quotes?"""
    return _OWN_METHODS.search(content) is not None


def version_of(fields: dict[bytes, bytes], version: str) -> str:
    """Of the protocol; `version`: what the message itself says. Empty: nobody says it."""
    said = version or fields.get(b"mcp-protocol-version", b"").decode("latin-1")
    return said if _VERSION.fullmatch(said) else ""


def stateless(fields: dict[bytes, bytes], version: str) -> bool:
    """Is it of the era without sessions? `version`: what the message itself says."""
    return version_of(fields, version) >= STATELESS


def id_of(written: bytes) -> str:
    """The id of a request, as text; empty for one that is null, long, or holds what is not
    printed: it may be anything."""
    read = text(written)
    said = written.decode("latin-1") if read is None else read
    fits = len(said) <= _LONGEST_ID and said.isascii() and said.isprintable()
    return said if fits and written != b"null" else ""


def input_of(content: bytes) -> bytes:
    """What a call in this message gives, as it is written: the arguments of a tool, of other calls
    all params but for those of the protocol. Empty: nothing. Raises Ambiguous."""
    outer = members(content, "method", "params") or _NO_MEMBERS
    params = members(outer.get("params", b"null"), *_OF_PARAMS) or _NO_MEMBERS
    if _said(outer, "method") == TOOL:
        return bytes(params.get("arguments", b""))
    params.pop("_meta", None)
    return msgspec.json.encode(params) if params else b""


def meant(content: bytes) -> bytes:
    """A message without what its client makes anew when it says the same again: its id, and what
    in its `_meta` is for the way. What is no message is as it is."""
    try:
        outer = members(content) or _NO_MEMBERS
        params = members(outer.get("params", b"null")) or _NO_MEMBERS
        meta = members(params.get("_meta", b"null")) or _NO_MEMBERS
    except (Ambiguous, msgspec.DecodeError, UnicodeError, RecursionError):
        return content
    if not params:
        return content
    kept = {name: meta[name] for name in meta if name not in _OF_THE_WAY}
    same = {name: outer[name] for name in outer if name != "id"}
    return msgspec.json.encode({**same, "params": {**params, "_meta": kept}})


def _params(message: Message) -> Members:
    found = members(message.params, *_OF_PARAMS) if message.params else None
    if found is None:
        if message.method in _NAMED:
            raise Ambiguous("params is no object")
        return _NO_MEMBERS
    return found


def _name(params: Members, member: str) -> str:
    return _known(text(params.get(member, b"")), member)


def _known(name: str | None, member: str) -> str:
    """A name by which policies and servers know the same. Raises Ambiguous."""
    if not name:
        raise Ambiguous(f"{member} is not a string with something in it")
    if not stays_whole(name):
        raise Ambiguous(f"{member} holds what is not printed, or begins or ends blank")
    if member != "uri" and len(name) > LONGEST_NAME:
        raise Ambiguous(f"{member} is longer than {LONGEST_NAME} characters")
    return name


def _object(of: Members, name: str, *known: str) -> Members:
    return members(of[name], *known) or _NO_MEMBERS


def _said(of: Members, name: str) -> str:
    return text(of[name]) or "" if name in of else ""


def _work(meta: Members) -> tuple[str, str]:
    """Workflow and task: by names of ours, else as baggage has them (SEP-414)."""
    if not meta:
        return "", ""
    workflow, task = _said(meta, _WORKFLOW), _said(meta, _TASK)
    baggage = _said(meta, "baggage")
    for entry in baggage.split(",") if baggage else ():
        key, _, value = entry.partition(";")[0].partition("=")
        workflow = workflow or (value.strip() if key.strip() == "workflow.id" else "")
        task = task or (value.strip() if key.strip() == "task.id" else "")
    return workflow[:LONGEST], task[:LONGEST]


def _check_headers(fields: dict[bytes, bytes], method: str, name: str, version: str) -> None:
    said = fields.get(b"mcp-method")
    if said is not None and _read(said) != method.encode():
        raise Mismatch("Mcp-Method names another method than the body")
    said = fields.get(b"mcp-name")
    if said is not None and name and _read(said) != name.encode():
        raise Mismatch("Mcp-Name names something else than the body")
    said = fields.get(b"mcp-protocol-version")
    if said is not None and version and _read(said) != version.encode():
        raise Mismatch("MCP-Protocol-Version is another version than that of the body")


def _read(value: bytes) -> bytes | None:
    """What a header says: as it is, or in Base64 where it could not stand in one; None: neither."""
    encoded = _ENCODED.fullmatch(value)
    if encoded is None:
        return value
    try:
        return base64.b64decode(encoded[1], validate=True)
    except binascii.Error:
        return None
