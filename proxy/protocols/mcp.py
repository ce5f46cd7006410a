"""The Model Context Protocol over streamable HTTP, in both of its eras.

A tool's call, a prompt and a resource are calls, and so is a method that nobody knows: it might do
anything. The rest sets them up, and is never refused for a tool's reasons. But only where servers
of MCP are: on any other path a body that looks like a `ping` might be an order to somebody who
reads another part of it.
"""

from typing import Any

import msgspec
from msgspec.structs import replace

from proxy.call import CALL, CONTROL, Batch, Call, RequestHead, Whole
from proxy.memo import remembered
from proxy.protocols import jsonrpc, posted
from proxy.protocols.a2a_operations import METHODS
from proxy.protocols.arguments import NOTHING, Arguments, read_arguments
from proxy.protocols.canonical import Canonical, of_message
from proxy.protocols.claims import may_be_json
from proxy.protocols.coding import NO_LIMIT
from proxy.protocols.document import Ambiguous, NotADocument
from proxy.protocols.hearing import Hearing
from proxy.protocols.http import IS_LINE, Http, climbs_out, matched_path
from proxy.protocols.identity import trace_of
from proxy.protocols.made import Made
from proxy.protocols.mcp_asked import (
    EFFECTS,
    TOOL,
    Asked,
    Mismatch,
    asked,
    input_of,
    knows_method,
    meant,
    stateless,
)
from proxy.protocols.mcp_heard import McpAnswers
from proxy.protocols.mcp_hints import Hints
from proxy.protocols.mcp_replies import Spoken, broken_off, refused, resulting
from proxy.protocols.protocol import Reads, Rules, Spelled
from proxy.refusal import Refusal
from proxy.reply import Reply

_SESSION = frozenset({b"mcp-session-id", b"mcp-protocol-version"})
_HEADERS = _SESSION | {b"mcp-method"}
_OF_PEERS = METHODS.keys() - EFFECTS.keys()
"""What only agents ask each other for, whatever the headers say."""
_SPOKEN = (b"application/json", b"text/event-stream")


class Mcp(Http):
    """See the head of this file. Whatever is no message of MCP is a plain HTTP call."""

    name = "mcp"
    layer = "tool"
    names_tools = True
    has_kinds = True
    listens = True
    has_results = True

    def __init__(self) -> None:
        self._hints = Hints()

    def reads(self, head: RequestHead) -> Reads:
        """The body of a POST: its messages stand in there."""
        return posted.reads(head)

    def looks_read(self, beginning: bytes) -> bool:
        """See Protocol: it begins like JSON, or may still."""
        return may_be_json(beginning)

    def knows(self, head: RequestHead, content: bytes | None) -> bool:
        """Does nobody else speak like this? For an upstream that may speak anything. What might be
        read as a message of MCP in any way is taken for one, and so refused if it has two."""
        if content is None:
            return not _SESSION.isdisjoint(head.fields)
        plain = posted.plain(head, content, NO_LIMIT)
        if isinstance(plain, Refusal):
            return False
        if b'"method"' not in plain.lower() and b"\\u" not in plain:
            return False
        try:
            document = jsonrpc.read(plain)
        except NotADocument:
            return False
        except Ambiguous:
            return not _HEADERS.isdisjoint(head.fields) or knows_method(plain)
        if document is None:
            return False
        methods = [message.method for message in document.messages]
        if not _HEADERS.isdisjoint(head.fields) and not _OF_PEERS.issuperset(methods):
            return True
        return any(knows_method(b'"%b"' % method.encode()) for method in methods)

    def spell(self, tool: str, method: str, target: bytes, content: bytes) -> Spelled:
        """See Protocol: a request; without a tool, the body is one."""
        if IS_LINE.fullmatch(tool) or method not in {"", "POST"}:
            return super().spell(tool, method, target, content)
        body = content
        if tool:
            given = {"name": tool, "arguments": msgspec.Raw(content or b"{}")}
            message = {"jsonrpc": "2.0", "id": 1, "method": TOOL, "params": given}
            body = msgspec.json.encode(message)
        return Spelled("POST", target or b"/", body)

    def recognise(self, call: Call, content: bytes | None, rules: Rules) -> Refusal | None:
        """See Protocol."""
        if call.head.method != "POST" or content is None:
            return self._session(call, rules)
        call.protocol = self.name  # whatever is said of it from here on is said in MCP
        call.content = content
        plain = posted.plain(call.head, content, rules.body_buffer)
        if type(plain) is Refusal:
            return plain
        try:
            document = self._document(call, plain)
        except Ambiguous as why:
            return posted.refused(why, rules) or self._http(call, rules)
        return self._http(call, rules) if document is None else self._are(call, document, rules)

    def arguments(self, call: Call) -> Arguments:
        """See Protocol: of a tool its arguments, of other calls their params."""
        if call.spoken is None or call.kind == CONTROL or call.content is None:
            return NOTHING
        plain = posted.plain(call.head, call.content, NO_LIMIT)
        if isinstance(plain, Refusal):
            raise NotADocument("the body cannot be read")
        return read_arguments(input_of(plain), b"")

    def canonical(self) -> Canonical:
        """See Protocol."""
        return of_message

    def hears(self, call: Call, reply: Reply) -> Hearing | None:
        """See Protocol: a good answer to a message, or a stream of a session."""
        kind = reply.fields.get(b"content-type", b"").lower()
        if type(call.spoken) is not Spoken or reply.status >= 400 or not kind.startswith(_SPOKEN):
            return None
        return McpAnswers(call.spoken, reply, self._hints, call.hides)

    def again(self, call: Call, content: bytes, coding: bytes) -> bytes | None:
        """See Protocol: with the id of this request. Equal batches have the same ids."""
        spoken = call.spoken
        if type(spoken) is not Spoken or spoken.batch or not spoken.ids:
            return content
        return None if coding else jsonrpc.readdressed(content, spoken.ids[0])

    def reads_body(self, call: Call, status: int) -> bool:
        """See Protocol: not in the place of a message."""
        return type(call.spoken) is not Spoken

    def result(self, call: Call, result: dict[str, Any]) -> Made | None:
        """See Protocol: to a request that comes alone."""
        spoken = call.spoken
        alone = type(spoken) is Spoken and len(spoken.ids) == 1 and not spoken.batch
        return resulting(spoken, call, result) if alone else None

    def refuse(self, refusal: Refusal, call: Call, attempts: int) -> Reply:
        """See Protocol."""
        return refused(refusal, call, attempts)

    def breaks_off(self, refusal: Refusal, call: Call, attempts: int) -> bytes:
        """See Protocol: the response to the request."""
        return broken_off(refusal, call, attempts)

    def _http(self, call: Call, rules: Rules) -> Refusal | None:
        call.spoken = None
        return super().recognise(call, None, rules)

    def _session(self, call: Call, rules: Rules) -> Refusal | None:
        """A stream of a session, or its end; or a plain call."""
        refusal = self._http(call, rules)
        fields, method = call.head.fields, call.head.method
        listens = method == "GET" and b"text/event-stream" in fields.get(b"accept", b"").lower()
        ends = method == "DELETE" and b"mcp-session-id" in fields
        if refusal is None and (listens or ends) and _is_endpoint(call.path):
            call.protocol, call.layer, call.kind = self.name, "tool", CONTROL
            call.spoken = Spoken(rules)
        return refusal

    @staticmethod
    def _document(call: Call, plain: bytes) -> jsonrpc.Document | None:
        """The messages in its body; None: it is none of ours. Raises Ambiguous."""
        return jsonrpc.read(plain) if posted.is_json(call.head, plain) else None

    def _are(self, call: Call, document: jsonrpc.Document, rules: Rules) -> Refusal | None:
        """It is these messages."""
        if rules.base and climbs_out(call.target):
            return Refusal("ambiguous_call", "the path leads out of the upstream's own")
        fields, batch, ids = call.head.fields, document.batch, document.ids
        try:
            all_asked = tuple([asked(message, fields) for message in document.messages])
        except Ambiguous as why:
            mismatch = isinstance(why, Mismatch)
            call.spoken = Spoken(rules, batch=batch, ids=ids, mismatch=mismatch)
            return Refusal("ambiguous_call", str(why))
        era = stateless(fields, next((one.version for one in all_asked if one.version), ""))
        call.spoken = Spoken(rules, all_asked, batch, era, ids=ids)
        call.path = matched_path(call.target)
        call.layer = "tool"
        if not _is_endpoint(call.path):
            all_asked = tuple([replace(one, kind=CALL) for one in all_asked])
        calls = [(one, at) for at, one in enumerate(all_asked) if one.kind == CALL] if batch else []
        if calls:
            self._batch(call, document, calls, rules)
        else:
            self._is(call, all_asked[0], rules)
        return None

    def _is(self, call: Call, one: Asked, rules: Rules) -> None:
        """What one message asks for is what the call is for."""
        call.tool = one.tool
        call.kind = one.kind
        call.means = meant
        call.usual_effect = one.effect
        if one.of_tool and rules.trust_annotations:
            call.usual_effect = self._hints.effect(rules, one.tool)
        call.workflow = call.workflow or one.workflow
        call.task = call.task or one.task
        if one.trace and not call.workflow and b"traceparent" not in call.head.fields:
            call.workflow = trace_of(one.trace.encode("latin-1", "replace"))

    def _batch(
        self,
        call: Call,
        document: jsonrpc.Document,
        calls: list[tuple[Asked, int]],
        rules: Rules,
    ) -> None:
        """Each of its calls is one by itself, with the message of its own for a body; they go
        upstream in the message in which they came."""
        head, content = call.head, call.content or b""
        plain = {name: head.fields[name] for name in head.fields if name != b"content-encoding"}
        call.head = replace(head, fields=plain, worked_out={})
        more = range(2, len(calls) + 1)
        made = [call, *(replace(call, id=f"{call.id}-{n}", attempts=[]) for n in more)]
        for each, (one, at) in zip(made, calls, strict=True):
            raw = document.messages[at].raw
            each.body, each.content = Whole(raw), raw
            self._is(each, one, rules)
        batch = Batch(head, content, tuple(made))
        for each in made:
            each.batch = batch
        for each in made[:-1]:
            each.task_end = ""  # if they end their task, the last of them does


@remembered
def _is_endpoint(path: str) -> bool:
    """May a server of MCP be there? Its own path is the upstream's, or has `mcp` in it."""
    return path == "/" or "mcp" in path.lower().split("/")
