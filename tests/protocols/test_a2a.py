"""Calls of agents to agents: what is asked, of whom, and how it is answered."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import CALL, CONTROL, Call, Effect, RequestHead
from proxy.protocols.a2a import A2a, MessageId
from proxy.protocols.a2a_card import CODED, ELSEWHERE, SIGNED
from proxy.protocols.a2a_heard import Responses, Sifted, Things
from proxy.protocols.arguments import NOTHING
from proxy.protocols.document import Ambiguous, NotADocument
from proxy.protocols.protocol import Reads, Rules, Spelled
from proxy.refusal import Refusal
from proxy.reply import Reply
from tests.fakes import FakeBody
from tests.protocols.spellings import bodies

A2A = A2a()
JSON = {b"content-type": b"application/json"}
RULES = Rules(upstream="peer", origin=b"http://peer.internal:9000", mount=b"/peer")
MESSAGE = {
    "messageId": "m-1",
    "contextId": "c-1",
    "taskId": "t-1",
    "role": "ROLE_USER",
    "parts": [{"text": "hi"}],
}


def request(method: str = "SendMessage", params: Any = None, **more: Any) -> bytes:
    """A JSON-RPC request."""
    said = {"message": MESSAGE} if params is None else params
    return json.dumps(
        {"jsonrpc": "2.0", "id": "r-1", "method": method, "params": said, **more}
    ).encode()


def asked(
    content: bytes | None = None,
    method: str = "POST",
    target: bytes = b"/",
    fields: dict[bytes, bytes] = JSON,
    rules: Rules = RULES,
    **named: Any,
) -> tuple[Call, Refusal | None]:
    """The call, as far as it was recognised, and what was said against it."""
    head = RequestHead(method, target, 1, [], fields)
    body = FakeBody(content)
    call = Call("c", head, body, 0.0, target, upstream="peer", **named)
    return call, A2A.recognise(call, content, rules)


def said_by(reply: Reply) -> Any:
    """The document in an answer of ours."""
    assert reply.body is not None
    return json.loads(reply.body.whole or b"")


def good(*args: Any, **more: Any) -> Call:
    """One that is recognised."""
    call, refusal = asked(*args, **more)
    assert refusal is None
    return call


# what it is for


@pytest.mark.parametrize(
    ("name", "operation", "effect", "kind", "stream"),
    [
        ("SendMessage", "SendMessage", Effect.WRITE, CALL, False),
        ("message/send", "SendMessage", Effect.WRITE, CALL, False),
        ("SendStreamingMessage", "SendStreamingMessage", Effect.WRITE, CALL, True),
        ("message/stream", "SendStreamingMessage", Effect.WRITE, CALL, True),
        ("GetTask", "GetTask", Effect.READ, CALL, False),
        ("tasks/get", "GetTask", Effect.READ, CALL, False),
        ("ListTasks", "ListTasks", Effect.READ, CALL, False),
        ("CancelTask", "CancelTask", Effect.IDEMPOTENT, CALL, False),
        ("tasks/resubscribe", "SubscribeToTask", Effect.READ, CALL, True),
        ("GetExtendedAgentCard", "GetExtendedAgentCard", Effect.READ, CONTROL, False),
        ("agent/getAuthenticatedExtendedCard", "GetExtendedAgentCard", Effect.READ, CONTROL, False),
        ("https://example.org/ext/Rate", "https://example.org/ext/Rate", Effect.WRITE, CALL, False),
    ],
)
def test_a_method_of_json_rpc_is_an_operation_of_the_peer(
    name: str, operation: str, effect: Effect, kind: str, stream: bool
) -> None:
    """By its name of 1.0; what an extension has is called as it is, and might do anything."""
    call = good(request(name), target=b"/a2a/rpc?x")
    assert (call.protocol, call.layer, call.tool, call.path) == ("a2a", "agent", "peer", "/a2a/rpc")
    assert (call.operation, call.method) == (operation, operation)
    assert (call.usual_effect, call.kind, call.stream) == (effect, kind, stream)


@pytest.mark.parametrize(
    ("method", "target", "content", "operation"),
    [
        ("POST", b"/v1/message:send", b'{"message": {}}', "SendMessage"),
        ("POST", b"/message:stream", b"", "SendStreamingMessage"),
        ("POST", b"/tasks/t:cancel", None, "CancelTask"),
        ("GET", b"/tasks/t", None, "GetTask"),
        ("GET", b"/.well-known/agent-card.json", None, "GetAgentCard"),
    ],
)
def test_a_path_of_http_is_an_operation_too(
    method: str, target: bytes, content: bytes | None, operation: str
) -> None:
    """With or without a body."""
    call = good(content, method, target)
    assert (call.protocol, call.layer, call.tool) == ("a2a", "agent", "peer")
    assert (call.operation, call.method) == (operation, operation)


@pytest.mark.parametrize(
    ("method", "target", "content", "fields"),
    [
        ("GET", b"/", None, {}),
        ("POST", b"/", b"a=b", {b"content-type": b"application/x-www-form-urlencoded"}),
        ("POST", b"/", b'{"tool": "x"}', JSON),
        ("POST", b"/", b"[]", JSON),
        ("POST", b"/", b"", JSON),
        ("POST", b"/", b'{"jsonrpc": "2.0", "id": 1, "result": {}}', JSON),
        ("DELETE", b"/tasks/t", None, {}),
    ],
)
def test_whatever_else_comes_is_plain_http(
    method: str, target: bytes, content: bytes | None, fields: dict[bytes, bytes]
) -> None:
    """An answer, a form, another document."""
    call = good(content, method, target, fields)
    assert (call.protocol, call.layer, call.operation, call.spoken) == ("http", "http", "", None)
    assert call.method == method


def test_a_body_in_a_coding_is_read_without_it() -> None:
    """And kept as it came."""
    coded = gzip.compress(request())
    call = good(coded, fields={**JSON, b"content-encoding": b"gzip"})
    assert (call.operation, call.content) == ("SendMessage", coded)


# nothing has two readings

TWICE = b'{"jsonrpc":"2.0","id":1,"method":"GetTask","method":"SendMessage"}'


@pytest.mark.parametrize(
    ("content", "target", "fields"),
    [
        (TWICE, b"/", JSON),
        (b'{"jsonrpc":"2.0","id":1,"Method":"SendMessage"}', b"/", JSON),
        (b'{"jsonrpc":"2.0","id":1,"method":"sendmessage"}', b"/", JSON),
        (b'{"jsonrpc":"2.0","id":1,"method":" SendMessage"}', b"/", JSON),
        (b'{"jsonrpc":"2.0","id":1,"method":"a\\nb"}', b"/", JSON),
        (b'{"jsonrpc":"2.0","id":1,"method":"' + b"a" * 257 + b'"}', b"/", JSON),
        (request(tool="free"), b"/", JSON),
        (request("GetTask"), b"/tasks/t:cancel", JSON),
        (request(), b"/message:send", JSON),
        (b"{", b"/", JSON),
        (b"{", b"/", {}),
        (b"{}{}", b"/message:send", JSON),
        (request().decode().encode("utf-16"), b"/", {b"content-type": b"image/png"}),
        (request(), b"/", {b"content-type": b"application/json; charset=utf-16"}),
        (request(), b"//message:send", JSON),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(
    content: bytes, target: bytes, fields: dict[bytes, bytes]
) -> None:
    """As another call, or by another reader."""
    call, refusal = asked(content, target=target, fields=fields)
    assert refusal is not None
    assert refusal.code == "ambiguous_call"
    assert call.tool == ""


def test_a_path_may_not_lead_out_of_the_upstreams_own() -> None:
    """There may be another agent."""
    _, refusal = asked(request(), target=b"/../b", rules=Rules(upstream="peer", base=b"/a"))
    assert refusal is not None
    assert refusal.code == "ambiguous_call"


def test_a_body_that_cannot_be_decoded_is_refused() -> None:
    """It may ask for anything."""
    _, refusal = asked(b"x", fields={**JSON, b"content-encoding": b"br"})
    assert refusal is not None
    assert refusal.code == "unsupported_encoding"


def test_where_the_upstream_says_so_what_is_no_document_passes() -> None:
    """As plain HTTP, or as what its path says; what has two readings does not."""
    lenient = Rules(pass_unrecognised=True, upstream="peer")
    assert good(b"{", rules=lenient).protocol == "http"
    assert good(b"{", target=b"/message:send", rules=lenient).operation == "SendMessage"
    assert asked(TWICE, rules=lenient)[1] is not None


def test_a_batch_is_refused_as_a2a_has_none() -> None:
    """Each of its requests is answered."""
    call, refusal = asked(b"[%b,%b]" % (request("GetTask"), request().replace(b"r-1", b"r-2")))
    assert refusal is not None
    assert refusal.code == "bad_request"
    reply = A2A.refuse(refusal, call, 0)
    assert [each["id"] for each in said_by(reply)] == ["r-1", "r-2"]


@given(bodies(), st.sampled_from([b"/", b"/message:send", b"/tasks/t:cancel"]))
def test_no_body_breaks_it(content: bytes, target: bytes) -> None:
    """A call of the peer, or of HTTP, or a refusal."""
    call, refusal = asked(content, target=target)
    assert bool(call.tool) is (refusal is None)
    assert A2A.refuse(refusal or Refusal("killed", "x"), call, 0).status


# for what work


@pytest.mark.parametrize(
    ("content", "target", "work"),
    [
        (request(), b"/", ("c-1", "t-1")),
        (request("message/stream"), b"/", ("c-1", "t-1")),
        (request("GetTask", {"id": "t-2"}), b"/", ("", "t-2")),
        (request("ListTasks", {"contextId": "c-2"}), b"/", ("c-2", "")),
        (request("GetTaskPushNotificationConfig", {"id": "p", "taskId": "t-3"}), b"/", ("", "t-3")),
        (request("SendMessage", {"id": "x", "message": {"contextId": None}}), b"/", ("", "")),
        (request("SendMessage", {"message": {"contextId": 7}}), b"/", ("", "")),
        (request("SendMessage", []), b"/", ("", "")),
        (request("GetTask", {"id": "t" * 200}), b"/", ("", "t" * 128)),
        (json.dumps({"message": MESSAGE}).encode(), b"/message:send", ("c-1", "t-1")),
        (b"", b"/tasks/t-4:cancel", ("", "t-4")),
    ],
)
def test_a_context_is_a_workflow_and_a_task_a_task(
    content: bytes, target: bytes, work: tuple[str, str]
) -> None:
    """Where they are texts."""
    call = good(content, target=target)
    assert (call.workflow, call.task) == work


def test_tasks_are_listed_of_a_context_in_the_query() -> None:
    """Of HTTP."""
    call = good(None, "GET", b"/tasks?pageSize=1&contextId=c%2D3")
    assert (call.workflow, call.task) == ("c-3", "")
    assert good(None, "GET", b"/tasks").workflow == ""


@pytest.mark.parametrize("target", [b"/", b"/message:send"])
def test_what_headers_name_stays(target: bytes) -> None:
    """They are the agent's word to us."""
    content = request() if target == b"/" else json.dumps({"message": MESSAGE}).encode()
    call = good(content, target=target, workflow="w", task="t")
    assert (call.workflow, call.task) == ("w", "t")


# what it gives


def test_arguments_are_the_params_or_the_body() -> None:
    """And of what has no body there are none."""
    assert A2A.arguments(good(request("GetTask", {"id": "t"}))).value == {"id": "t"}
    assert A2A.arguments(good(b'{"message": {}}', target=b"/message:send")).value == {"message": {}}
    assert A2A.arguments(good(b'{"jsonrpc":"2.0","id":1,"method":"ListTasks"}')).value == {}
    assert A2A.arguments(good(None, "GET", b"/tasks/t")) is NOTHING
    with pytest.raises(NotADocument):
        A2A.arguments(good(None, target=b"/message:send"))


def test_two_requests_for_the_same_are_alike() -> None:
    """Whatever their ids are."""
    form = A2A.canonical()
    again = request(id="r-2", params={"message": {**MESSAGE, "messageId": "m-2"}})
    assert form(request(), ()) == form(again, ())
    assert form(request(), ()) != form(request("SendStreamingMessage"), ())


@pytest.mark.parametrize(
    ("content", "target", "found"),
    [
        (request(), b"/", "m-1"),
        (request("message/send"), b"/", "m-1"),
        (json.dumps({"message": MESSAGE}).encode(), b"/message:send", "m-1"),
        (request("GetTask"), b"/", None),
        (request("SendMessage", {"message": {}}), b"/", None),
        (request("SendMessage", {"message": {"messageId": 7}}), b"/", 7),
    ],
)
def test_a_message_has_an_id(content: bytes, target: bytes, found: Any) -> None:
    """Where one is sent."""
    assert MessageId().of(good(content, target=target)) == found


def test_the_id_of_a_message_has_one_reading() -> None:
    """Two of them are none."""
    call = good(request().replace(b'"messageId"', b'"messageId": "a", "messageId"'))
    with pytest.raises(Ambiguous):
        MessageId().of(call)


def test_the_id_of_a_message_is_read_without_the_bodys_coding() -> None:
    """And not at all where there is no body at hand, or what it holds is no call of ours."""
    coded = gzip.compress(request())
    call = good(coded, fields={**JSON, b"content-encoding": b"gzip"})
    assert MessageId().of(call) == "m-1"
    call.body = FakeBody(b"garbage")
    assert MessageId().of(call) is None
    call.body = FakeBody(None)
    assert MessageId().of(call) is None
    assert MessageId().of(good(b"a=b", fields={})) is None


# what must be read


@pytest.mark.parametrize(
    ("method", "fields", "reads"),
    [
        ("GET", {}, Reads.NOTHING),
        ("POST", {}, Reads.WHOLE),
        ("POST", JSON, Reads.WHOLE),
        ("POST", {b"content-type": b"application/a2a+json"}, Reads.WHOLE),
        ("POST", {b"content-type": b"image/png", b"content-encoding": b"gzip"}, Reads.WHOLE),
        ("POST", {b"content-type": b"image/png"}, Reads.BEGINNING),
    ],
)
def test_bodies_that_may_be_requests_are_read(
    method: str, fields: dict[bytes, bytes], reads: Reads
) -> None:
    """Whatever they call themselves."""
    assert A2A.reads(RequestHead(method, b"/", 1, [], fields)) is reads


def test_a_body_that_begins_like_json_is_read_on() -> None:
    """Its type may be a trick."""
    assert A2A.looks_read(b' {"')
    assert not A2A.looks_read(b"\x89PNG")


@pytest.mark.parametrize(
    ("method", "target", "content", "known"),
    [
        ("POST", b"/", request(), True),
        ("POST", b"/", request("message/send"), True),
        ("POST", b"/", request("sendMessage"), True),
        ("POST", b"/", request(tool="free"), True),
        ("POST", b"/", b"[%b]" % request(), True),
        ("POST", b"/", TWICE, True),
        ("POST", b"/", b'{"jsonrpc":"2.0","\\u006dethod":"\\u0053endMessage"}', True),
        ("POST", b"/", b'{"jsonrpc":"2.0","method":"x","method":"\\u0053endMessage"}', True),
        ("POST", b"/message:send", b"{}", True),
        ("GET", b"/.well-known/agent-card.json", None, True),
        ("POST", b"/", request("tools/call"), False),
        ("POST", b"/", b'{"tool": "SendMessage", "input": {"method": "SendMessage"}}', False),
        ("POST", b"/v1/transfer", request(), False),
        ("POST", b"/", b'{"tool": "a", "tool": "b", "method": "c"}', False),
        ("POST", b"/", b'{"method": "SendMessage"', False),
        ("POST", b"/", b'{"method": 7}', False),
        ("POST", b"/", b'["method"]', False),
        ("POST", b"/", b"a=b", False),
        ("POST", b"/", None, False),
        ("PUT", b"/", request(), False),
        ("GET", b"/tasks/t", None, False),
    ],
)
def test_only_what_is_surely_a2a_is_known_among_others(
    method: str, target: bytes, content: bytes | None, known: bool
) -> None:
    """An envelope of a tool gateway, say, is not; what is both is, for it will be refused."""
    assert A2A.knows(RequestHead(method, target, 1, [], JSON), content) is known


def test_a_request_in_a_coding_is_known_too() -> None:
    """And what cannot be read is not."""
    for coding, content in ((b"gzip", gzip.compress(request())), (b"br", b"x")):
        head = RequestHead("POST", b"/", 1, [], {**JSON, b"content-encoding": coding})
        assert A2A.knows(head, content) is (coding == b"gzip")


# how somebody would send it


@pytest.mark.parametrize(
    ("tool", "method", "target", "content", "spelled"),
    [
        ("peer", "", b"", b'{"id": 1}', ("POST", b"/", "SendMessage")),
        ("", "message/send", b"/rpc", b"", ("POST", b"/rpc", "SendMessage")),
        ("", "GetTask", b"", b'{"id": "t"}', ("POST", b"/", "GetTask")),
        ("", "", b"/tasks/t", b"", ("GET", b"/tasks/t", "GetTask")),
        ("", "", b"/message:send", b"{}", ("POST", b"/message:send", "SendMessage")),
        ("", "SendMessage", b"/message:send", b"{}", ("POST", b"/message:send", "SendMessage")),
        ("", "DELETE", b"/x", b"", ("DELETE", b"/x", "")),
        ("GET /tasks", "", b"", b"", ("GET", b"/tasks", "ListTasks")),
        ("", "GetAgentCard", b"", b"", ("GET", b"/.well-known/agent-card.json", "GetAgentCard")),
    ],
)
def test_what_is_spelled_is_recognised(
    tool: str, method: str, target: bytes, content: bytes, spelled: tuple[str, bytes, str]
) -> None:
    """As what was asked for."""
    found = A2A.spell(tool, method, target, content)
    assert isinstance(found, Spelled)
    call = good(found.body or None, found.method, found.target)
    assert (found.method, found.target, call.operation) == spelled


def test_no_operation_that_there_is_not_is_spelled() -> None:
    """And those that there are, are named."""
    with pytest.raises(ValueError, match="no operation get; known are SendMessage, "):
        A2A.spell("", "get", b"", b"")


# answers


def answered(status: int = 200, kind: bytes = b"application/json") -> Reply:
    """The head of one."""
    return Reply(status, fields={b"content-type": kind})


def test_answers_are_heard_by_binding() -> None:
    """Those that say something beside their status."""
    stream = answered(kind=b"text/event-stream")
    assert isinstance(A2A.hears(good(request()), answered()), Responses)
    assert isinstance(A2A.hears(good(request("GetTask")), answered()), Responses)
    by_path = good(b"{}", target=b"/message:send")
    assert isinstance(A2A.hears(by_path, answered()), Things)
    task = good(None, "GET", b"/tasks/t")
    assert A2A.hears(task, answered()) is None
    assert isinstance(A2A.hears(task, stream), Things)


def test_a_stream_has_its_end_when_its_own_request_was_answered() -> None:
    """Not before."""
    streamed = A2A.hears(good(request("message/stream")), answered(kind=b"text/event-stream"))
    assert streamed is not None
    assert not streamed.ended
    said = {"statusUpdate": {"status": {"state": "TASK_STATE_COMPLETED"}}}
    streamed.event(b"", json.dumps({"jsonrpc": "2.0", "id": "r-1", "result": said}).encode())
    assert streamed.ended


def card_of(url: str, **more: Any) -> bytes:
    """A card."""
    return json.dumps({"name": "Peer", "supportedInterfaces": [{"url": url}], **more}).encode()


def led(call: Call, content: bytes) -> bytes | None:
    """What passes on of it."""
    heard = A2A.hears(call, answered())
    assert isinstance(heard, Sifted)
    return heard.whole(content)


@pytest.mark.parametrize(
    ("fields", "rules", "back"),
    [
        ({b"host": b"127.0.0.1:8080"}, RULES, "http://127.0.0.1:8080/peer/rpc"),
        (
            {b"host": b"proxy.example", b"x-forwarded-proto": b"HTTPS"},
            RULES,
            "https://proxy.example/peer/rpc",
        ),
        (
            {b"host": b"[::1]:80"},
            Rules(origin=b"http://peer.internal:9000", upstream="peer"),
            "http://[::1]:80/rpc",
        ),
    ],
)
def test_a_card_leads_back_to_where_its_reader_came_in(
    fields: dict[bytes, bytes], rules: Rules, back: str
) -> None:
    """By the Host that he named, and the upstream's mount."""
    call = good(None, "GET", b"/.well-known/agent-card.json", fields, rules)
    passed = led(call, card_of("http://peer.internal:9000/rpc"))
    assert passed is not None
    assert json.loads(passed)["supportedInterfaces"] == [{"url": back}]


@pytest.mark.parametrize(
    ("origin", "url"),
    [(b"https://peer.example", "https://peer.example/"), (b"http://peer", "http://peer:80/")],
)
def test_a_scheme_has_its_port(origin: bytes, url: str) -> None:
    """443 or 80."""
    rules = Rules(origin=origin, upstream="peer")
    call = good(None, "GET", b"/.well-known/agent-card.json", {b"host": b"here"}, rules)
    assert json.loads(led(call, card_of(url)) or b"{}")["supportedInterfaces"] == [
        {"url": "http://here/"}
    ]


def test_a_card_in_a_response_is_led_back_too() -> None:
    """Of who asks by JSON-RPC for the extended one."""
    call = good(request("GetExtendedAgentCard", {}), fields={**JSON, b"host": b"here"})
    card = json.loads(card_of("http://peer.internal:9000/rpc"))
    passed = led(call, json.dumps({"jsonrpc": "2.0", "id": "r-1", "result": card}).encode())
    assert passed is not None
    assert json.loads(passed)["result"]["supportedInterfaces"] == [{"url": "http://here/peer/rpc"}]


@pytest.mark.parametrize(
    ("url", "drops", "warning", "changed"),
    [
        ("http://peer.internal:9000/", False, [SIGNED], False),
        ("http://peer.internal:9000/", True, [], True),
        ("http://elsewhere:9000/", True, [ELSEWHERE], False),
    ],
)
def test_who_runs_it_is_told_what_leads_past_it(
    url: str, drops: bool, warning: list[str], changed: bool
) -> None:
    """A signed card, unless its signatures may go, and what is not the upstream's."""
    told: list[str] = []
    rules = Rules(
        upstream="peer",
        origin=b"http://peer.internal:9000",
        a2a_rewrite_signed=drops,
        warn=told.append,
    )
    call = good(None, "GET", b"/.well-known/agent-card.json", {b"host": b"here"}, rules)
    passed = led(call, card_of(url, signatures=[{"protected": "x", "signature": "y"}]))
    assert told == warning
    assert (passed is not None) is changed


def test_a_card_that_cannot_be_read_is_told_of() -> None:
    """It leads its readers where it likes."""
    told: list[str] = []
    rules = Rules(upstream="peer", warn=told.append)
    call = good(None, "GET", b"/.well-known/agent-card.json", {b"host": b"here"}, rules)
    for coding in (b"gzip", b"br"):
        A2A.hears(call, Reply(200, fields={b"content-encoding": coding}))
    assert told == [CODED]


def test_what_is_not_a_new_card_passes() -> None:
    """One that did not change since, say."""
    card = good(None, "GET", b"/.well-known/agent-card.json", {b"host": b"here"})
    assert A2A.hears(card, Reply(304)) is None


def test_an_answer_is_given_again_to_who_asks_for_the_same() -> None:
    """Under his id; but a card never is, for it leads to where another came in."""
    said = b'{"jsonrpc":"2.0","id":"r-0","result":{"id":"t"}}'
    call = good(request("GetTask", {"id": "t"}))
    assert json.loads(A2A.again(call, said, b"") or b"")["id"] == "r-1"
    assert A2A.again(call, said, b"gzip") is None
    assert A2A.again(call, b"x", b"") is A2A.again(call, b"{}", b"") is None
    assert A2A.again(good(None, "GET", b"/tasks/t"), b"x", b"gzip") == b"x"
    assert A2A.again(good(request("GetExtendedAgentCard")), said, b"") is None
    assert A2A.again(good(None, "GET", b"/.well-known/agent-card.json"), said, b"") is None


# refusals

NO = Refusal("budget_exceeded", "the day's budget is spent", policy="day")


def test_who_speaks_json_rpc_is_refused_in_it() -> None:
    """Under a good status: clients throw others away unread. The code is nobody else's."""
    reply = A2A.refuse(NO, good(request()), 0)
    assert reply.status == 200
    assert reply.lines.startswith(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
    said = said_by(reply)
    assert (said["jsonrpc"], said["id"]) == ("2.0", "r-1")
    error = said["error"]
    assert not -32768 <= error["code"] <= -32000
    assert error["message"] == NO.message_for_model()
    assert error["data"]["origin"] == "holdfast"
    assert error["data"]["status"] == 402
    assert error["data"]["code"] == "budget_exceeded"


@pytest.mark.parametrize("content", [b"{", b'{"jsonrpc":"2.0","method":"SendMessage"}'])
def test_where_no_id_is_known_nobody_in_particular_is_answered(content: bytes) -> None:
    """JSON-RPC 2.0 section 5: null."""
    call, refusal = asked(content)
    reply = A2A.refuse(refusal or NO, call, 0)
    assert said_by(reply)["id"] is None
    assert b'"id":null' in A2A.breaks_off(NO, call, 0)


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [("POST", b"/rpc", 200), ("POST", b"/message:send", 402), ("GET", b"/tasks", 402)],
)
def test_who_is_refused_unread_is_so_as_he_is_likely_to_speak(
    method: str, target: bytes, status: int
) -> None:
    """His head says it."""
    head = RequestHead(method, target, 1, [], JSON)
    call = Call("c", head, FakeBody(None), 0.0, target)
    assert A2A.refuse(NO, call, 0).status == status


def test_who_speaks_http_is_refused_in_it() -> None:
    """By a problem, with its status."""
    reply = A2A.refuse(NO, good(b"{}", target=b"/message:send"), 0)
    assert reply.status == 402
    assert b"content-type: application/problem+json" in reply.lines
    assert said_by(reply)["code"] == "budget_exceeded"


def test_a_stream_that_began_breaks_off_in_its_own_words() -> None:
    """A response with an error, or an event of an error."""
    data = A2A.breaks_off(NO, good(request("message/stream")), 1)
    assert data.startswith(b"data: {")
    assert data.endswith(b"\n\n")
    said = json.loads(data.removeprefix(b"data: "))
    assert (said["id"], said["error"]["data"]["code"]) == ("r-1", "budget_exceeded")
    event = A2A.breaks_off(NO, good(b"{}", target=b"/message:stream"), 1)
    assert event.startswith(b"event: error\ndata: {")


def test_what_we_say_in_a_stream_is_heard_as_an_error() -> None:
    """By the Holdfast in front of this one too."""
    call = good(request("message/stream"))
    heard = A2A.hears(call, answered(kind=b"text/event-stream"))
    assert heard is not None
    heard.event(b"", A2A.breaks_off(NO, call, 1).removeprefix(b"data: ").strip())
    assert heard.ended
    assert heard.told is not None


@pytest.mark.parametrize("name", ["SendMessage", "message/send", "GetTask"])
def test_a_policy_gives_a_result_in_the_place_of_the_agents(name: str) -> None:
    """With the id of the request; over HTTP it is all of the answer."""
    said = {"task": {"id": "t-1"}}
    made = A2A.result(good(request(name)), said)
    assert made is not None
    assert (made[0], b"content-type: application/json\r\n" in made[1]) == (200, True)
    assert json.loads(made[2]) == {"jsonrpc": "2.0", "id": "r-1", "result": said}
    made = A2A.result(good(b"{}", target=b"/message:send"), said)
    assert made is not None
    assert json.loads(made[2]) == said


def test_who_asked_for_a_stream_has_one_of_the_result_alone() -> None:
    """Its client reads nothing else."""
    for call in (good(request("message/stream")), good(b"{}", target=b"/message:stream")):
        made = A2A.result(call, {"message": {}})
        assert made is not None
        assert b"content-type: text/event-stream\r\n" in made[1]
        assert made[2].startswith(b"data: {")
        assert made[2].endswith(b'"message":{}}\n\n' if not call.spoken.rpc else b"{}}}\n\n")


def test_what_is_no_request_of_json_rpc_has_no_result() -> None:
    """Nobody waits for one. Nor does a body take the place of a response."""
    note = good(request().replace(b'"id": "r-1", ', b""))
    assert A2A.result(note, {}) is None
    calls = [
        good(request()),
        good(b"{}", target=b"/message:send"),
        good(b"{}", target=b"/message:stream"),
    ]
    assert [A2A.reads_body(call, 200) for call in calls] == [False, True, False]
