"""MCP over HTTP: which requests are calls, of what, and what becomes of all others."""

import gzip
import json
from typing import Any

import pytest

from proxy.call import CALL, CONTROL, Call, Effect, RequestHead
from proxy.protocols.document import Ambiguous, NotADocument
from proxy.protocols.made import Made
from proxy.protocols.mcp import Mcp
from proxy.protocols.mcp_heard import McpAnswers
from proxy.protocols.mcp_replies import Spoken
from proxy.protocols.protocol import Reads, Rules, Spelled
from proxy.refusal import Refusal
from proxy.reply import Reply
from tests.fakes import FakeBody

MCP = Mcp()
JSON = {b"content-type": b"application/json", b"accept": b"application/json, text/event-stream"}
LOOK = (
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"look","arguments":{"a":1}}}'
)
DROP = b'{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"drop"}}'
LIST = b'{"jsonrpc":"2.0","id":3,"method":"tools/list"}'
PING = b'{"jsonrpc":"2.0","id":4,"method":"ping"}'
STRICT = Rules(upstream="files")


def heard_of(
    content: bytes | None,
    fields: dict[bytes, bytes] = JSON,
    target: bytes = b"/mcp",
    rules: Rules = STRICT,
    method: str = "POST",
    mcp: Mcp = MCP,
) -> tuple[Call, Refusal | None]:
    """The call, as far as it was recognised, and what was said against it."""
    head = RequestHead(method, target, 1, [], fields)
    call = Call(id="c", head=head, body=FakeBody(content), started=0.0, target=target)
    return call, mcp.recognise(call, content, rules)


def known(*args: Any, **more: Any) -> Call:
    """The call, which was recognised."""
    call, refusal = heard_of(*args, **more)
    assert refusal is None
    return call


def test_a_tools_call_is_one():
    """On the layer of tools, by its name."""
    call = known(LOOK)
    assert (call.protocol, call.layer, call.tool, call.kind) == ("mcp", "tool", "look", CALL)
    assert (call.usual_effect, call.path, call.batch) == (Effect.WRITE, "/mcp", None)
    assert call.spoken.ids == (b"1",)


def test_what_sets_calls_up_is_no_call():
    """Where a server may be: at the root of its upstream, or where its path says `mcp`."""
    for target in (b"/", b"/mcp", b"/v1/MCP/?a=b", b"/mcp/files"):
        assert known(PING, target=target).kind == CONTROL
    for target in (b"/admin/users", b"/mcp/../admin", b"/amcp"):
        assert known(PING, target=target).kind == CALL
    assert known(LOOK, target=b"/admin").tool == "look"


def test_an_encoded_body_is_read():
    """As what it decodes to; what is no such encoding is refused in the words of MCP."""
    fields = {**JSON, b"content-encoding": b"gzip"}
    call = known(gzip.compress(LOOK), fields)
    assert call.tool == "look"
    assert MCP.arguments(call).value == {"a": 1}
    call, refusal = heard_of(LOOK, fields)
    assert refusal is not None
    assert (refusal.code, call.protocol) == ("unsupported_encoding", "mcp")
    assert MCP.refuse(refusal, call, 0).status == 415


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (b'{"client_name":"x"}', JSON),
        (b"grant_type=x", {b"content-type": b"application/x-www-form-urlencoded"}),
        (b"[]", JSON),
    ],
)
def test_whatever_is_no_message_is_a_plain_call(content, fields):
    """Servers of MCP also hand out tokens."""
    call = known(content, fields, b"/token")
    assert (call.protocol, call.tool, call.spoken) == ("http", "POST /token", None)


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xef\xbb\xbf" + LOOK,
        LOOK + LOOK,
        LOOK.replace(b"look", b"l\xffok"),
        LOOK.replace(b'"name":', b'"name":"drop","name":'),
        LOOK.replace(b'"name":', b'"NAME":"drop","name":'),
        LOOK.replace(b'"method":', b'"method":"ping","method":'),
        LOOK.replace(b'"look"', b"7"),
    ],
)
def test_what_has_two_readings_is_refused(content):
    """With status 400 and a body of JSON-RPC."""
    call, refusal = heard_of(content)
    assert refusal is not None
    assert refusal.code == "ambiguous_call"
    reply = MCP.refuse(refusal, call, 0)
    assert reply.body is not None
    assert (reply.status, json.loads(reply.body.whole or b"")["error"]["code"]) == (400, 7061)


def test_another_charset_is_refused():
    """Whatever it says, it would be read in UTF-8."""
    _, refusal = heard_of(LOOK, {b"content-type": b"application/json; charset=latin-1"})
    assert refusal is not None
    assert refusal.code == "ambiguous_call"


def test_what_is_no_document_may_pass():
    """Where the upstream says so; what has two readings may not."""
    lax = Rules(pass_unrecognised=True)
    assert known(b"{", rules=lax).protocol == "http"
    assert heard_of(LOOK.replace(b'"name":', b'"name":"a","name":'), rules=lax)[1] is not None


def test_a_path_that_leads_out_of_its_upstream_is_refused():
    """As for every protocol."""
    _, refusal = heard_of(LOOK, target=b"/../x", rules=Rules(base=b"/base"))
    assert refusal is not None


def test_headers_that_deny_the_body_are_refused():
    """With the code of the protocol, the status that it asks for, and the id."""
    call, refusal = heard_of(LOOK, {**JSON, b"mcp-name": b"drop"})
    assert refusal is not None
    reply = MCP.refuse(refusal, call, 0)
    assert reply.body is not None
    said = json.loads(reply.body.whole or b"")
    assert (reply.status, said["id"], said["error"]["code"]) == (400, 1, -32020)


def test_eras_are_told_apart():
    """By the header, where the message says nothing."""
    assert not known(LOOK).spoken.stateless
    assert known(LOOK, {**JSON, b"mcp-protocol-version": b"2026-07-28"}).spoken.stateless


# --- sessions ---


def test_streams_and_ends_of_sessions_are_no_calls():
    """Where a server may be."""
    listens = {b"accept": b"text/event-stream"}
    call = known(None, listens, method="GET")
    assert (call.protocol, call.kind, call.tool) == ("mcp", CONTROL, "GET /mcp")
    assert known(None, {b"mcp-session-id": b"1"}, method="DELETE").kind == CONTROL
    for fields, target, method in (
        (listens, b"/admin", "GET"),
        ({}, b"/mcp", "GET"),
        ({}, b"/mcp", "DELETE"),
        (listens, b"/mcp", "PUT"),
    ):
        call = known(None, fields, target, method=method)
        assert (call.protocol, call.kind) == ("http", CALL)
    outside = heard_of(None, listens, b"/../mcp", Rules(base=b"/base"), "GET")[1]
    assert outside is not None


# --- what it is for ---


def test_the_work_stands_in_meta():
    """Where no header has named it; the trace stands in for a workflow."""
    meta = b'"name":"look","_meta":{"holdfast.dev/workflow":"w","holdfast.dev/task":"t"}'
    call = known(LOOK.replace(b'"name":"look"', meta))
    assert (call.workflow, call.task) == ("w", "t")
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    traced = LOOK.replace(
        b'"name":"look"', f'"name":"x","_meta":{{"traceparent":"{trace}"}}'.encode()
    )
    assert known(traced).workflow == "a" * 32
    named = known(traced.replace(b'"_meta":{', b'"_meta":{"holdfast.dev/workflow":"w",'))
    assert (named.workflow, named.trace.id) == ("w", "a" * 32)
    assert known(traced, {**JSON, b"traceparent": b"00-"}).workflow == ""
    assert known(traced.replace(b"00-a", b"zz-\\u1234")).workflow == ""


def test_a_server_is_believed_where_it_is_trusted():
    """And only about its tools."""
    trusting = Rules(upstream="files", trust_annotations=True)
    mcp = Mcp()
    lists = known(LIST, rules=trusting, mcp=mcp)
    hearing = mcp.hears(lists, Reply(200, fields=JSON))
    assert isinstance(hearing, McpAnswers)
    tool = {"name": "look", "annotations": {"readOnlyHint": True}}
    hearing.whole(json.dumps({"id": 3, "result": {"tools": [tool]}}).encode())
    assert known(LOOK, rules=trusting, mcp=mcp).usual_effect is Effect.READ
    assert known(DROP, rules=trusting, mcp=mcp).usual_effect is Effect.WRITE
    assert known(LOOK, mcp=mcp).usual_effect is Effect.WRITE


# --- batches ---


def test_each_call_of_a_batch_is_one_by_itself():
    """With its own message as its body; what goes upstream is what came."""
    content = b"[" + b", ".join([PING, LOOK, DROP]) + b"]"
    call = known(gzip.compress(content), {**JSON, b"content-encoding": b"gzip"})
    assert call.batch is not None
    first, other = call.batch.calls
    assert (first, other.batch) == (call, call.batch)
    assert [(one.id, one.tool, one.body.whole) for one in (call, other)] == [
        ("c", "look", LOOK),
        ("c-2", "drop", DROP),
    ]
    assert MCP.arguments(call).value == {"a": 1}
    assert MCP.arguments(other).value == {}
    assert gzip.decompress(call.batch.content) == content
    assert call.batch.head.fields[b"content-encoding"] == b"gzip"
    assert call.attempts is not other.attempts
    assert call.spoken.ids == other.spoken.ids == (b"4", b"1", b"2")


def test_a_batch_without_calls_is_no_call():
    """As each message in it."""
    call = known(b"[" + PING + b"," + LIST + b"]")
    assert (call.kind, call.tool, call.batch) == (CONTROL, "ping", None)


# --- the rest of the protocol ---


def test_what_is_read_of_requests():
    """What is posted, as for tools."""
    assert MCP.reads(RequestHead("POST", b"/", 1, [], JSON)) is Reads.WHOLE
    assert MCP.reads(RequestHead("GET", b"/", 1, [], {})) is Reads.NOTHING
    assert MCP.looks_read(b"{")
    assert not MCP.looks_read(b"a=b")


def test_arguments_of_what_gives_none():
    """Control traffic, plain calls, and a body that is gone."""
    for call in (known(PING), known(b"{}"), known(None, {}, method="GET")):
        assert MCP.arguments(call).value == {}
    call = known(LOOK)
    call.content = None
    assert MCP.arguments(call).value == {}


def test_arguments_that_cannot_be_read():
    """A member that stands twice, or a body that grew too large to decode."""
    with pytest.raises(Ambiguous):
        MCP.arguments(known(LOOK.replace(b'"a":1', b'"a":1,"a":2')))
    call = known(gzip.compress(LOOK), {**JSON, b"content-encoding": b"gzip"})
    call.content = LOOK
    with pytest.raises(NotADocument):
        MCP.arguments(call)


def test_calls_are_compared_by_their_params():
    """Not by their ids; an answer to a question of the server makes another call of it."""
    canonical = MCP.canonical()
    same = LOOK.replace(b'"id":1', b'"id":9').replace(b'"name"', b'"_meta":{"x":1},"name"')
    assert canonical(LOOK, ()) == canonical(same, ())
    assert canonical(LOOK, ()) != canonical(LOOK.replace(b'"a":1', b'"a":2'), ())
    more = LOOK.replace(b'"name"', b'"requestState":"s","inputResponses":{},"name"')
    assert canonical(LOOK, ()) != canonical(more, ())
    assert canonical(LOOK, (("a",),)) == canonical(LOOK.replace(b'"a":1', b'"a":2'), (("a",),))
    assert canonical(LIST, ()) == canonical(LIST.replace(b"3", b"4"), ())
    assert canonical(b'{"params":[]}', ()) is None
    assert canonical(b"{", ()) is None
    assert canonical(b"[]", ()) is None
    with pytest.raises(Ambiguous):
        canonical(LOOK.replace(b'"a":1', b'"a":1,"a":2'), ())


def test_an_answer_is_given_again_to_who_asks():
    """With his id; but for what has none, or the same ones, or cannot be read."""
    said = b'{"jsonrpc":"2.0","id":9,"result":{"a":1.0}}'
    assert MCP.again(known(LOOK), said, b"") == said.replace(b"9", b"1")
    assert MCP.again(known(LOOK), said, b"gzip") is None
    assert MCP.again(known(LOOK), b"[1]", b"") is None
    assert MCP.again(known(LOOK), b'{"id":9}', b"") is None
    for other in (b"[" + LIST + b"]", b"{}", PING.replace(b'"id":4,', b"")):
        assert MCP.again(known(other), said, b"") == said


@pytest.mark.parametrize(
    ("fields", "status", "hears"),
    [
        ({b"content-type": b"application/json"}, 200, True),
        ({b"content-type": b"text/event-stream; charset=utf-8"}, 200, True),
        ({b"content-type": b"application/json"}, 404, False),
        ({}, 202, False),
    ],
)
def test_good_answers_are_heard(fields, status, hears):
    """Errors are known by their status."""
    heard = MCP.hears(known(LOOK), Reply(status, fields=fields))
    assert isinstance(heard, McpAnswers) is hears


def test_plain_calls_are_not_heard():
    """Whatever they are."""
    assert MCP.hears(known(b"{}"), Reply(200, fields=JSON)) is None


def test_a_stream_of_a_session_is_heard_to_no_end():
    """It has none, and nobody waits for a response in it."""
    heard = MCP.hears(
        known(None, {b"accept": b"text/event-stream"}, method="GET"),
        Reply(200, fields={b"content-type": b"text/event-stream"}),
    )
    assert heard is not None
    assert heard.ended


def test_a_stream_breaks_off_with_a_response():
    """In the words of MCP."""
    assert b'"isError":true' in MCP.breaks_off(Refusal("killed", "stopped"), known(LOOK), 1)


def test_how_a_tool_is_called():
    """By a request; a line of HTTP as such; without a tool, as it is given."""
    spelled = MCP.spell("look", "", b"", b'{"a":1}')
    assert (spelled.method, spelled.target) == ("POST", b"/")
    call = known(spelled.body, target=b"/")
    assert (call.tool, MCP.arguments(call).value) == ("look", {"a": 1})
    assert MCP.spell("", "", b"/mcp", PING) == Spelled("POST", b"/mcp", PING)
    assert MCP.spell("GET /mcp", "", b"", b"").method == "GET"


# --- where an upstream may speak anything ---


@pytest.mark.parametrize(
    ("content", "fields", "knows"),
    [
        (LOOK, JSON, True),
        (LOOK.replace(b"jsonrpc", b"x"), JSON, True),
        (PING, JSON, False),
        (PING, {**JSON, b"mcp-session-id": b"1"}, True),
        (LOOK.replace(b"method", b"\\u006dethod"), JSON, True),
        (LOOK.replace(b'"method":', b'"method":"x","method":'), JSON, True),
        (PING.replace(b'"method":', b'"method":"x","method":'), JSON, False),
        (b'{"tool":"x","input":{}}', JSON, False),
        (b'{"method":"x","params":{}}', JSON, False),
        (b'{"method": no', JSON, False),
        (b'[{"x":"\\u0061"}]', JSON, False),
        (b"x", {b"content-encoding": b"br"}, False),
        (gzip.compress(LOOK, mtime=0), {b"content-encoding": b"gzip"}, True),
        (None, {b"mcp-session-id": b"1"}, True),
        (None, {}, False),
    ],
)
def test_what_only_mcp_says_is_known(content, fields, knows):
    """And what could be read so. Other envelopes and other JSON-RPC are not."""
    assert MCP.knows(RequestHead("POST", b"/", 1, [], fields), content) is knows


def test_an_answer_is_refused_for_whoever_asked():
    """It has what it needs in the call."""
    call = known(LOOK)
    assert isinstance(call.spoken, Spoken)
    assert MCP.refuse(Refusal("denied", "no"), call, 0).status == 200


def given(call: Call, result: dict[str, Any]) -> Made:
    """What a policy says to a call that has results."""
    made = MCP.result(call, result)
    assert made is not None
    return made


def test_a_policy_gives_a_result_in_the_place_of_the_servers():
    """With the id of the request, as its client reads it; in the era without sessions it says that
    nothing more comes."""
    said = {"content": [], "isError": False}
    status, lines, content = given(known(LOOK), said)
    assert (status, b"content-type: application/json\r\n" in lines) == (200, True)
    assert json.loads(content) == {"jsonrpc": "2.0", "id": 1, "result": said}
    new = known(LOOK, {**JSON, b"mcp-protocol-version": b"2026-07-28"})
    assert json.loads(given(new, said)[2])["result"] == {**said, "resultType": "complete"}
    asks = {"resultType": "input_required"}
    assert json.loads(given(new, asks)[2])["result"] == asks
    streams = known(LOOK, {**JSON, b"accept": b"text/event-stream"})
    assert given(streams, said)[2] == b"event: message\ndata: %b\n\n" % content


def test_a_result_is_for_a_request_that_comes_alone():
    """And a body never takes its place."""
    note = LOOK.replace(b'"id":1,', b"")
    for other in (b"[" + LOOK + b"]", note, b"{}"):
        assert MCP.result(known(other), {}) is None
    assert [MCP.reads_body(known(each), 200) for each in (LOOK, note, b"{}")] == [
        False,
        False,
        True,
    ]


# --- how it is described ---


def test_a_call_in_the_words_of_mcp():
    """Its method, the version, its id, and the trace that it says it belongs to."""
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    meta = f'"name":"look","_meta":{{"traceparent":"{trace}"}}'.encode()
    call = known(
        LOOK.replace(b'"name":"look"', meta), {**JSON, b"mcp-protocol-version": b"2025-11-25"}
    )
    said = MCP.describe(call)
    assert (said.operation, said.version, said.request) == ("tools/call", "2025-11-25", "1")
    assert said.trace is not None
    assert said.trace.id == "a" * 32
    assert MCP.describe(known(LIST)).operation == "tools/list"


def test_calls_of_a_batch_are_told_apart():
    """By their tools; an id is only told of what came alone."""
    batch = known(b"[%b,%b]" % (LOOK, DROP)).batch
    assert batch is not None
    said = [MCP.describe(call) for call in batch.calls]
    assert [(one.operation, one.request) for one in said] == [("tools/call", "")] * 2


def test_what_is_no_message_has_no_words():
    """A plain call, and the stream of a session."""
    plain = known(b"hello", {}, method="PUT")
    assert MCP.describe(plain).operation == ""
    listens = known(None, {b"accept": b"text/event-stream"}, method="GET")
    assert MCP.describe(listens).operation == ""
