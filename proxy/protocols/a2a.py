"""A2A, by which agents call agents: 1.0 and 0.3, as JSON-RPC and as HTTP+JSON.

The tool is the upstream, the peer agent; what it is asked for, the operation, is the method that
policies match, by its name of 1.0 whatever it is called on the wire. The agent card is what sets
calls up: it is never refused for the peer's sake, and its URLs lead back to here.
"""

import re
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec.structs import replace

from proxy.call import CALL, CONTROL, Call, Effect, RequestHead
from proxy.protocols import jsonrpc, posted
from proxy.protocols.a2a_card import CODED, PATHS, Place, rewritten
from proxy.protocols.a2a_heard import Responses, Sifted, Things
from proxy.protocols.a2a_operations import (
    CARDS,
    EFFECTS,
    METHODS,
    SENDS,
    STREAMS,
    Asks,
    asked,
    is_distinct,
)
from proxy.protocols.arguments import NOTHING, Arguments, read_arguments
from proxy.protocols.canonical import Canonical, of_request
from proxy.protocols.claims import JSON, may_be_json
from proxy.protocols.codes import CODES, OTHER
from proxy.protocols.coding import NO_LIMIT, is_known
from proxy.protocols.document import Ambiguous, NotADocument, Pointer
from proxy.protocols.hearing import Hearing
from proxy.protocols.http import IS_LINE, Http, answer, climbs_out, matched_path
from proxy.protocols.identity import LONGEST
from proxy.protocols.made import Made, of_kind
from proxy.protocols.names import LONGEST_NAME
from proxy.protocols.protocol import Reads, Rules, Spelled
from proxy.protocols.tools import path_tool
from proxy.refusal import Refusal
from proxy.reply import Reply

_FOLDED = frozenset(name.casefold() for name in METHODS)
_NAMES = re.compile("|".join(map(re.escape, METHODS)).encode(), re.IGNORECASE)
_ORIGIN = {"origin": "holdfast"}


class Spoken(msgspec.Struct, frozen=True):
    """How a call was made: what is needed to answer it."""

    rules: Rules
    rpc: bool = False  # as JSON-RPC
    ids: tuple[bytes, ...] = ()  # of its requests, as they are written
    batch: bool = False


class _Ids(msgspec.Struct, frozen=True, rename="camel"):
    context_id: str | None = None
    task_id: str | None = None


class _Work(_Ids, frozen=True, rename="camel"):
    """What of a request says for which work it is."""

    message: _Ids = _Ids()
    id: str | None = None  # of a task, where it is about one


_work = msgspec.json.Decoder(_Work)
_tool = Pointer(("tool",))


class A2a(Http):
    """See the head of this file. Whatever is no such call is a plain HTTP call."""

    name = "a2a"
    layer = "agent"
    has_kinds = True
    listens = True
    has_results = True
    asks_for_streams = True

    def knows(self, head: RequestHead, content: bytes | None) -> bool:
        """Is this surely a request of A2A, on an upstream that may speak anything?

        `GET /tasks/7` is not: anybody may have tasks. What may be read as another protocol's call
        as well is: it will be refused.
        """
        if is_distinct(head.target):
            return True
        if content is None or head.method != "POST" or any(path_tool(head.target)):
            return False
        plain = posted.plain(head, content, NO_LIMIT)
        if isinstance(plain, Refusal) or not (b"\\u" in plain or b'"method"' in plain.lower()):
            return False  # nearly always
        try:
            read = jsonrpc.read(plain)
        except NotADocument:
            return False
        except Ambiguous:
            return b"\\u" in plain or _NAMES.search(plain) is not None
        return read is not None and any(
            message.method.strip().casefold() in _FOLDED for message in read.messages
        )

    def reads(self, head: RequestHead) -> Reads:
        """See Protocol: the body of a POST, which may name another operation than its path."""
        return posted.reads(head)

    def looks_read(self, beginning: bytes) -> bool:
        """See Protocol: it begins like JSON, or may still."""
        return may_be_json(beginning)

    def spell(self, tool: str, method: str, target: bytes, content: bytes) -> Spelled:
        """See Protocol: as JSON-RPC, but where a method of HTTP or the path of an operation is
        given."""
        line = IS_LINE.fullmatch(tool)
        if line or method.isupper():
            return super().spell(tool if line else "", method, target, content)
        ways = (http for http in ("POST", "GET", "DELETE") if asked(http, target).operation)
        http = "GET" if method == "GetAgentCard" else next(ways, "")
        if http:
            return super().spell("", http, target or PATHS[0].encode(), content)
        name = METHODS.get(method or "SendMessage")
        if name is None:
            raise ValueError(f"A2A has no operation {method}; known are {', '.join(EFFECTS)}")
        body = {
            "jsonrpc": "2.0",
            "id": "1",
            "method": name,
            "params": msgspec.Raw(content or b"{}"),
        }
        return Spelled("POST", target or b"/", msgspec.json.encode(body))

    def recognise(self, call: Call, content: bytes | None, rules: Rules) -> Refusal | None:
        """See Protocol."""
        if rules.base and climbs_out(call.target):
            return super().recognise(call, None, rules)  # which refuses it
        asks = asked(call.head.method, rules.base + call.target)
        if asks.deceptive:
            why = "the path can be read as that of more than one operation"
            return Refusal("ambiguous_call", why)
        call.protocol = self.name
        call.spoken = Spoken(rules, rpc=content is not None and not asks.operation)
        if content is None:
            return self._by_path(call, asks, b"")
        call.content = content
        plain = posted.plain(call.head, content, rules.body_buffer)
        if isinstance(plain, Refusal):
            return plain
        try:
            return self._posted(call, asks, plain, _read(call.head, plain))
        except Ambiguous as why:
            return posted.refused(why, rules) or self._by_path(call, asks, b"")

    def _posted(
        self, call: Call, asks: Asks, content: bytes, read: jsonrpc.Document | None
    ) -> Refusal | None:
        """What a body says that was read. Raises Ambiguous."""
        message = None if read is None else read.messages[0]
        if read is None or message is None or not message.method:
            return self._by_path(call, asks, content)
        if asks.operation:
            raise Ambiguous("the path names an operation, and the body is a JSON-RPC request")
        call.spoken = Spoken(call.spoken.rules, True, read.ids, read.batch)
        if read.batch:
            return Refusal("bad_request", "A2A has no batches: send each request by itself")
        if _tool.read(content) is not None:
            raise Ambiguous("the body is a JSON-RPC request, and names a tool")
        call.means = jsonrpc.unaddressed
        operation = _operation(message.method)
        _name_work(call, message.params, about_a_task=operation not in SENDS)
        return self._is_for(call, operation)

    def _by_path(self, call: Call, asks: Asks, content: bytes) -> Refusal | None:
        """What the path says; where it says nothing it is a plain HTTP call."""
        if not asks.operation:
            call.spoken = None
            return super().recognise(call, None, Rules())
        call.spoken = Spoken(call.spoken.rules)
        call.task = call.task or asks.task[:LONGEST]
        if content:
            _name_work(call, content, about_a_task=False)
        elif asks.operation == "ListTasks":
            call.workflow = call.workflow or _asked_for(call.target, "contextId")[:LONGEST]
        return self._is_for(call, asks.operation)

    def _is_for(self, call: Call, operation: str) -> Refusal | None:
        call.layer = "agent"
        call.tool = call.upstream
        call.operation = operation
        call.kind = CONTROL if operation in CARDS else CALL
        call.path = matched_path(call.target)
        call.stream = operation in STREAMS
        call.usual_effect = EFFECTS.get(operation, Effect.WRITE)
        return None

    def arguments(self, call: Call) -> Arguments:
        """See Protocol: the params of a JSON-RPC request, or the body."""
        if call.head.method != "POST":
            return NOTHING
        read = read_arguments(call.content, call.head.fields.get(b"content-encoding", b""))
        if not call.spoken.rpc:
            return read
        return replace(read, value=read.value.get("params", {}))

    def canonical(self) -> Canonical:
        """See Protocol."""
        return of_request

    def hears(self, call: Call, reply: Reply) -> Hearing | None:
        """See Protocol."""
        spoken: Spoken = call.spoken
        raw_id = spoken.ids[0] if spoken.ids else b""
        if call.operation in CARDS:
            if not is_known(reply.fields.get(b"content-encoding", b"")):
                spoken.rules.warn(CODED)
            return Sifted(raw_id, partial(_led_back, call)) if reply.status == 200 else None
        streams, sends = self.streams(reply), call.operation in SENDS
        if spoken.rpc:
            return Responses(raw_id, streams=streams, sends=sends)
        return Things(streams=streams, sends=sends) if streams or sends else None

    def again(self, call: Call, content: bytes, coding: bytes) -> bytes | None:
        """See Protocol: with the id of this request. A card is asked for anew: it leads to where
        its reader came in, and the next one may come in elsewhere."""
        spoken: Spoken = call.spoken
        if call.operation in CARDS:
            return None
        if not spoken.ids:
            return content
        return None if coding else jsonrpc.readdressed(content, spoken.ids[0])

    def reads_body(self, call: Call, status: int) -> bool:
        """See Protocol: not in the place of a JSON-RPC response."""
        return not call.spoken.rpc and super().reads_body(call, status)

    def result(self, call: Call, result: dict[str, Any]) -> Made | None:
        """See Protocol. Over HTTP it is the body; a stream is one of this one event."""
        spoken: Spoken = call.spoken
        if not spoken.rpc:
            content = msgspec.json.encode(result)
        elif len(spoken.ids) == 1:
            content = jsonrpc.result(spoken.ids[0], result)
        else:
            return None
        if call.stream:
            return of_kind(200, b"text/event-stream", b"data: %b\n\n" % content)
        return of_kind(200, JSON, content)

    def refuse(self, refusal: Refusal, call: Call, attempts: int) -> Reply:
        """See Protocol: an error of JSON-RPC under a good status, for under another its clients
        throw it away unread; else a problem."""
        spoken: Spoken = call.spoken or _unread(call)
        if not spoken.rpc:
            return super().refuse(refusal, call, attempts)
        errors = [_error(refusal, call, attempts, raw_id) for raw_id in spoken.ids or (b"",)]
        content = jsonrpc.batch(errors) if spoken.batch else errors[0]
        return answer(refusal, JSON, content, 200)

    def breaks_off(self, refusal: Refusal, call: Call, attempts: int) -> bytes:
        """See Protocol."""
        spoken: Spoken = call.spoken
        if not spoken.rpc:
            return super().breaks_off(refusal, call, attempts)
        raw_id = spoken.ids[0] if spoken.ids else b""
        return b"data: %b\n\n" % _error(refusal, call, attempts, raw_id)


def _unread(call: Call) -> Spoken:
    """Of a call that is refused before it was recognised: as whoever sends such a head speaks."""
    head = call.head
    return Spoken(Rules(), rpc=head.method == "POST" and not asked("POST", call.target).operation)


def _error(refusal: Refusal, call: Call, attempts: int, raw_id: bytes) -> bytes:
    problem = refusal.problem(call.id, attempts) | _ORIGIN
    code = CODES.get(refusal.code, OTHER)
    return jsonrpc.error(raw_id, code, problem["message_for_model"], problem)


def _read(head: RequestHead, content: bytes) -> jsonrpc.Document | None:
    """The JSON-RPC request in a body; None: there is none. Raises Ambiguous."""
    return jsonrpc.read(content) if content and posted.is_json(head, content) else None


def _operation(method: str) -> str:
    """What it is called in 1.0; what is of neither version is an extension's, as it is called.
    Raises Ambiguous."""
    known = METHODS.get(method)
    if known is not None:
        return known
    if method.strip().casefold() in _FOLDED:
        raise Ambiguous("the method is one of A2A in another spelling")
    if len(method) > LONGEST_NAME or not method.isprintable():
        raise Ambiguous(f"the method is not {LONGEST_NAME} printed characters at most")
    return method


def _name_work(call: Call, content: bytes, *, about_a_task: bool) -> None:
    """The workflow and the task that it is for, where no header names them."""
    try:
        work = _work.decode(content)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return  # no object, or what should be an id is no text
    workflow = work.message.context_id or work.context_id or ""
    task = work.message.task_id or work.task_id or (work.id if about_a_task else "") or ""
    call.workflow = call.workflow or workflow[:LONGEST]
    call.task = call.task or task[:LONGEST]


def _asked_for(target: bytes, name: str) -> str:
    """A parameter of the query; empty: it is not there."""
    return parse_qs(target.partition(b"?")[2].decode("latin-1")).get(name, [""])[0]


def _led_back(call: Call, content: bytes) -> bytes | None:
    """The agent card in an answer, with the upstream's URLs as agents reach them."""
    spoken: Spoken = call.spoken
    rules, fields = spoken.rules, call.head.fields
    there = urlsplit(rules.origin.decode())
    host = fields.get(b"host", b"").decode("latin-1")
    # Who ends TLS in front of us says so. Whom it deceives is the agent that wrote it itself.
    tls = fields.get(b"x-forwarded-proto", b"").strip().lower() == b"https"
    here = f"{'https' if tls else 'http'}://{host}{rules.mount.decode().rstrip('/')}"
    port = there.port or (443 if there.scheme == "https" else 80)
    place = Place(there.hostname or "", port, rules.base.decode(), here if host else "")
    card = rewritten(
        content,
        place,
        within="result" if spoken.rpc else "",
        drop_signatures=rules.a2a_rewrite_signed,
    )
    if card.warning:
        rules.warn(card.warning)
    return card.content


class MessageId:
    """The id that an agent gives a message that it sends: to send it again is no new message."""

    def __init__(self) -> None:
        self._in_rpc = Pointer(("params", "message", "messageId"))
        self._alone = Pointer(("message", "messageId"))

    def of(self, call: Call) -> Any:
        """See `Pointer.read`."""
        content = call.body.whole
        if content is None or call.protocol != A2a.name or call.operation not in SENDS:
            return None
        plain = posted.plain(call.head, content, NO_LIMIT)
        if isinstance(plain, Refusal):
            return None
        return (self._in_rpc if call.spoken.rpc else self._alone).read(plain)
