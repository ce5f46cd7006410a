"""What spans and their attributes are called: the one table of names, and nothing else knows any.

HTTP's are stable (OpenTelemetry semantic conventions 1.41). Those of GenAI, MCP and A2A are in
development (semantic-conventions-genai, as of November 2026): when they change, this file does.
What they have no word for begins with `holdfast.`. None of them holds a payload, a credential, or a
path with more in it than a tool's name has.
"""

import enum
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from proxy.observe.traces.finished import Finished, Sent, Where
from proxy.record import Record
from proxy.reply import KEPT, PRIMARY

Attributes: TypeAlias = dict[str, str | int | bool]

# --- attributes ---

METHOD: Final = "http.request.method"
METHOD_AS_SENT: Final = "http.request.method_original"
RESENT: Final = "http.request.resend_count"
STATUS: Final = "http.response.status_code"
ROUTE: Final = "http.route"
URL: Final = "url.full"
PATH: Final = "url.path"
SCHEME: Final = "url.scheme"
ADDRESS: Final = "server.address"
PORT: Final = "server.port"
ERROR: Final = "error.type"
TRANSPORT: Final = "network.transport"
WIRE: Final = "network.protocol.name"
WIRE_VERSION: Final = "network.protocol.version"

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
MODEL: Final = "gen_ai.request.model"
STREAM: Final = "gen_ai.request.stream"
TOOL: Final = "gen_ai.tool.name"
AGENT: Final = "gen_ai.agent.name"
TOKENS: Final = {
    "input": "gen_ai.usage.input_tokens",
    "output": "gen_ai.usage.output_tokens",
    "cache_read": "gen_ai.usage.cache_read.input_tokens",
    "cache_write": "gen_ai.usage.cache_creation.input_tokens",
    "reasoning": "gen_ai.usage.reasoning.output_tokens",
}
"""By the name that records have for them, which counts alike: what was cached is part of the input,
and reasoning of the output."""

MCP_METHOD: Final = "mcp.method.name"
MCP_VERSION: Final = "mcp.protocol.version"
REQUEST_ID: Final = "jsonrpc.request.id"
A2A_METHOD: Final = "a2a.method.name"

OURS: Final = {
    "id": "holdfast.call",
    "upstream": "holdfast.upstream",
    "decision": "holdfast.decision",
    "outcome": "holdfast.outcome",
    "executed": "holdfast.executed",
    "policy_version": "holdfast.policy_version",
    "workflow": "holdfast.workflow",
    "task": "holdfast.task",
    "fleet": "holdfast.fleet",
    "caller": "holdfast.caller",
}
"""Of the span of a call, by the field of its record; what is empty there is not told."""
CODE: Final = "holdfast.code"
POLICY: Final = "holdfast.policy"
APPROVAL: Final = "holdfast.approval"
HELD: Final = "holdfast.held_us"
QUEUED: Final = "holdfast.queue_us"
COST: Final = "holdfast.cost_micros"
ESTIMATED: Final = "holdfast.cost_estimated"
TIER: Final = "holdfast.tier"
SERVED_BY: Final = "holdfast.served_by"
HEDGE: Final = "holdfast.hedge"

# --- events of a call's span ---

REFUSED: Final = "holdfast.refused"
SHADOWED: Final = "holdfast.would_refuse"
APPROVED: Final = "holdfast.approval"
WAITED: Final = "holdfast.queued"
CACHED: Final = "holdfast.cached"
STOOD_IN: Final = "holdfast.fallback"
PRICED: Final = "holdfast.cost"


class Kind(enum.Enum):
    """What a span is to the others (of OpenTelemetry's, those that we have)."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"


class Named(NamedTuple):
    """A span but for its ids and times."""

    name: str
    kind: Kind
    attributes: Attributes
    error: str = ""  # its kind; empty: there is none


class Convention(NamedTuple):
    """How the span of a call is named, by what its protocol is."""

    kind: Kind
    name: Callable[[Finished], str]
    attributes: Callable[[Finished], Attributes]


# --- requests and sendings: HTTP ---

_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"}
)
_OTHER = "_OTHER"
_FAILED_SERVER = 500


def of_request(told: Finished) -> Named:
    """SERVER: the request, as its agent sent it."""
    record, route = told.record, told.where.route
    attributes = {**_method(told), SCHEME: "http", WIRE_VERSION: "1.1"}
    path = told.path and route.rstrip("/") + told.path
    given: Attributes = {ROUTE: route, PATH: path, STATUS: record.status}
    attributes.update({name: value for name, value in given.items() if value})
    failed = record.status >= _FAILED_SERVER or record.outcome == "truncated"
    error = (record.code or str(record.status)) if failed else ""
    return Named(_called(told, route), Kind.SERVER, _with_error(attributes, error), error)


def of_sending(told: Finished, sent: Sent) -> Named:
    """CLIENT: one sending."""
    where = sent.where
    attributes = {**_method(told), **_server(sent.where), WIRE_VERSION: "1.1"}
    given: Attributes = {
        URL: where.url and where.url + told.path,
        STATUS: sent.status,
        RESENT: sent.again,
        HEDGE: sent.hedge,
        OURS["upstream"]: sent.upstream,
    }
    attributes.update({name: value for name, value in given.items() if value})
    return Named(_called(told), Kind.CLIENT, _with_error(attributes, sent.error), sent.error)


def _called(told: Finished, route: str = "") -> str:
    method = told.method if told.method in _METHODS else "HTTP"
    return f"{method} {route}".rstrip()


def _method(told: Finished) -> Attributes:
    if told.method in _METHODS:
        return {METHOD: told.method}
    return {METHOD: _OTHER, METHOD_AS_SENT: told.method}


def _server(where: Where) -> Attributes:
    return {ADDRESS: where.host, PORT: where.port} if where.host else {}


def _with_error(attributes: Attributes, error: str) -> Attributes:
    return {**attributes, ERROR: error} if error else attributes


# --- calls ---


def of_call(told: Finished) -> Named:
    """What was asked for, and what became of it."""
    record = told.record
    convention = CONVENTIONS.get(record.protocol, _PLAIN)
    attributes = convention.attributes(told)
    for field, name in OURS.items():
        value = getattr(record, field)
        if value:
            attributes[name] = value
    if record.agent:
        attributes[AGENT] = record.agent
    error = "" if record.outcome in _GOOD else record.code or record.outcome
    return Named(convention.name(told), convention.kind, _with_error(attributes, error), error)


def events_of(record: Record) -> list[tuple[str, Attributes]]:
    """What happened to a call on its way, as far as its record tells."""
    told: list[tuple[bool, str, Attributes]] = [
        (record.decision == "refuse", REFUSED, {CODE: record.code, POLICY: record.policy}),
        (record.decision == "shadow", SHADOWED, {POLICY: record.policy}),
        (bool(record.approval), APPROVED, {APPROVAL: record.approval, HELD: record.held_us}),
        (record.queue_us > 0, WAITED, {QUEUED: record.queue_us}),
        (record.tier == KEPT, CACHED, {}),
        (
            record.tier not in {PRIMARY, KEPT},
            STOOD_IN,
            {TIER: record.tier, SERVED_BY: record.served_by},
        ),
        (
            record.cost_micros > 0,
            PRICED,
            {COST: record.cost_micros, ESTIMATED: record.cost_estimated},
        ),
    ]
    return [(name, attributes) for holds, name, attributes in told if holds]


_GOOD = frozenset({"ok", "fallback", "stale"})
_OPERATIONS = {
    "chat/completions": "chat",
    "responses": "chat",
    "messages": "chat",
    "completions": "text_completion",
    "complete": "text_completion",
    "embeddings": "embeddings",
}
"""What GenAI calls the operations of models; others keep the name that their API has for them."""
_GENERATES = "generate_content"
_EXECUTES = "execute_tool"
_TOOL_CALL = "tools/call"


def operation_of(operation: str) -> str:
    """In the words of GenAI. Where a path names none, a model was asked for something."""
    return _OPERATIONS.get(operation, operation or _GENERATES)


def _of_model(told: Finished) -> Attributes:
    record = told.record
    attributes: Attributes = {
        OPERATION: operation_of(told.said.operation),
        PROVIDER: record.protocol,
        **_server(told.where),
    }
    if record.model:
        attributes[MODEL] = record.model
    if told.stream:
        attributes[STREAM] = True
    used = record.tokens or {}
    attributes.update({name: used[kind] for kind, name in TOKENS.items() if kind in used})
    return attributes


def _of_tool(told: Finished) -> Attributes:
    return {OPERATION: _EXECUTES, TOOL: told.record.tool}


def _of_mcp(told: Finished) -> Attributes:
    said = told.said
    attributes = _of_tool(told) if said.operation == _TOOL_CALL else {}
    given = {MCP_METHOD: said.operation, MCP_VERSION: said.version, REQUEST_ID: said.request}
    attributes.update({name: value for name, value in given.items() if value})
    return {**attributes, **_server(told.where), WIRE: "http", TRANSPORT: "tcp"}


def _mcp_name(told: Finished) -> str:
    said = told.said
    if said.operation == _TOOL_CALL:
        return f"{said.operation} {told.record.tool}"
    return said.operation or "mcp"


def _of_agent(told: Finished) -> Attributes:
    return {A2A_METHOD: told.said.operation, **_server(told.where)}


def _of_plain(told: Finished) -> Attributes:
    return {}


CONVENTIONS = {
    "openai": Convention(
        Kind.CLIENT,
        lambda told: f"{operation_of(told.said.operation)} {told.record.model}".rstrip(),
        _of_model,
    ),
    "mcp": Convention(Kind.CLIENT, _mcp_name, _of_mcp),
    "tools": Convention(Kind.INTERNAL, lambda told: f"{_EXECUTES} {told.record.tool}", _of_tool),
    "a2a": Convention(Kind.CLIENT, lambda told: told.said.operation or "a2a", _of_agent),
}
"""By the protocol that knew the call."""
CONVENTIONS["anthropic"] = CONVENTIONS["openai"]
_PLAIN = Convention(Kind.INTERNAL, lambda told: f"call {told.record.upstream}".rstrip(), _of_plain)
