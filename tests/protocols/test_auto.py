"""An upstream that may speak anything."""

import gzip
import hashlib
import json

import pytest

from proxy.call import CALL, CONTROL, Call, RequestHead, Whole
from proxy.protocols.a2a_heard import Sifted
from proxy.protocols.protocol import Reads, Rules
from proxy.protocols.recognise import A2A, PROTOCOLS
from proxy.refusal import Refusal
from proxy.reply import Reply

AUTO = PROTOCOLS["auto"]
JSON = {b"content-type": b"application/json"}


def head(
    target: str, method: str = "POST", fields: dict[bytes, bytes] | None = None
) -> RequestHead:
    """Of a request."""
    fields = JSON if fields is None else fields
    headers = [(name, name, value) for name, value in fields.items()]
    return RequestHead(method, target.encode(), 1, headers, fields)


def called(head: RequestHead, content: bytes | None) -> Call | Refusal:
    """The call that it is, as an upstream that does not say what it speaks has it."""
    call = Call("c1", head, Whole(content or b""), 0.0, head.target, upstream="peer")
    return AUTO.recognise(call, content, Rules(upstream="peer")) or call


RPC = {"jsonrpc": "2.0", "id": 1}
MESSAGE = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}]}


@pytest.mark.parametrize(
    ("target", "body", "protocol", "tool"),
    [
        ("/mcp", RPC | {"method": "tools/call", "params": {"name": "pay"}}, "mcp", "pay"),
        ("/", RPC | {"method": "SendMessage", "params": {"message": MESSAGE}}, "a2a", "peer"),
        ("/v1/messages", {"model": "m", "messages": [], "max_tokens": 1}, "anthropic", "m"),
        ("/v1/chat/completions", {"model": "m", "messages": []}, "openai", "m"),
        ("/v1/embeddings", {"model": "m", "input": "x"}, "openai", "m"),
        ("/v1/embeddings", {"text": "x"}, "tools", "embeddings"),
        ("/v1", {"tool": "pay", "input": {"model": "m"}}, "tools", "pay"),
        ("/v1/pay", {"amount": 1}, "tools", "pay"),
        ("/orders", {"amount": 1}, "http", "POST /orders"),
    ],
)
def test_the_first_that_knows_a_request_reads_it(
    target: str, body: dict[str, object], protocol: str, tool: str
) -> None:
    """By its path and its body."""
    asked, content = head(target), json.dumps(body).encode()
    assert AUTO.reads(asked) is Reads.WHOLE
    call = called(asked, content)
    assert isinstance(call, Call)
    assert (call.protocol, call.tool) == (protocol, tool)


LISTS = RPC | {"method": "tools/list"}
CHAT = {"model": "m", "messages": []}


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/", LISTS | {"tool": "pay", "input": {}}),
        ("/", LISTS | {"Tool": "pay", "input": {}}),
        ("/v1/pay", LISTS),
        ("/mcp/v1/pay", LISTS),
        ("/v1//pay/mcp", LISTS),
        ("/v1/chat/completions", LISTS | CHAT),
        ("/v1/messages", LISTS | CHAT),
        ("/v1/chat/completions", CHAT | {"tool": "pay", "input": {}}),
    ],
)
@pytest.mark.parametrize("session", [True, False])
def test_what_would_be_a_call_of_two_is_refused(
    target: str, body: dict[str, object], session: bool
) -> None:
    """A message that sets calls up is never refused for a tool's reasons: no call may pass as one,
    with a member that who it is for does not look at."""
    fields = JSON | ({b"mcp-session-id": b"s"} if session else {})
    for content, more in (
        (json.dumps(body).encode(), {}),
        (gzip.compress(json.dumps(body).encode()), {b"content-encoding": b"gzip"}),
        (json.dumps(body).encode().replace(b'"tool"', b'"t\\u006fol"'), {}),
    ):
        found = called(head(target, fields=fields | more), content)
        assert isinstance(found, Refusal)
        assert found.code == "ambiguous_call"


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/v1/mcp", LISTS),
        ("/mcp", RPC | {"method": "tools/call", "params": {"name": "pay", "tool": "\u00e9"}}),
        ("/v1/chat/completions", CHAT | {"messages": [{"role": "tool", "content": "\u00e9"}]}),
    ],
)
def test_what_only_looks_like_a_call_of_two_is_not(target: str, body: dict[str, object]) -> None:
    """A server of MCP may be at this path, and a tool be spoken of further inside."""
    assert isinstance(called(head(target), json.dumps(body).encode()), Call)


def test_what_cannot_be_read_is_refused_by_who_knows_it() -> None:
    """As what it is: not for what else it might be."""
    for content in (b'{"model":"m","tool":', b'\xff{"tool":1}'):
        found = called(head("/v1/chat/completions"), content)
        assert isinstance(found, Refusal)
        assert "also" not in found.detail.split()


def test_a_card_that_a_body_asks_for_is_a_call() -> None:
    """On an upstream of anything the same body may be an order, to who looks at another member: no
    policy for it may be passed by as by what sets calls up. The answer is read as a card."""
    asked = RPC | {"method": "GetExtendedAgentCard", "amount": 100}
    call = called(head("/"), json.dumps(asked).encode())
    assert isinstance(call, Call)
    assert (call.protocol, call.kind, call.path) == ("a2a", CALL, "/")
    reply = Reply(200, fields=dict(JSON))
    assert isinstance(A2A.hears(call, reply), Sifted)
    call = called(head("/.well-known/agent-card.json", "GET", {}), None)
    assert isinstance(call, Call)
    assert call.kind == CONTROL


def test_headers_of_mcp_do_not_hide_what_agents_ask_each_other() -> None:
    """Its methods are known by their names; those of tasks are of both."""
    session = JSON | {b"mcp-session-id": b"s"}
    for method, protocol in (("message/send", "a2a"), ("tasks/get", "mcp"), ("own/one", "mcp")):
        content = json.dumps(RPC | {"method": method, "params": {"message": MESSAGE}}).encode()
        call = called(head("/", fields=session), content)
        assert isinstance(call, Call)
        assert call.protocol == protocol


@pytest.mark.parametrize(
    ("asked", "protocol"),
    [
        (head("/.well-known/agent-card.json", "GET", {}), "a2a"),
        (head("/mcp", "GET", {b"mcp-session-id": b"s", b"accept": b"text/event-stream"}), "mcp"),
        (head("/orders/7", "GET", {}), "http"),
        (head("/photo", "PUT", {b"content-type": b"image/png"}), "http"),
    ],
)
def test_without_a_body_the_head_tells(asked: RequestHead, protocol: str) -> None:
    """Nothing is read for it."""
    assert AUTO.reads(asked) is Reads.NOTHING
    call = called(asked, None)
    assert isinstance(call, Call)
    assert call.protocol == protocol


def test_a_body_that_does_not_say_that_it_is_json_is_looked_at() -> None:
    """It may be, all the same."""
    assert AUTO.reads(head("/photo", fields={b"content-type": b"image/png"})) is Reads.BEGINNING


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"ping","params":{"name":"pay"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}',
    ],
)
def test_what_has_two_readings_is_refused_by_who_has_one_of_them(body: bytes) -> None:
    """And is not taken for something else."""
    found = called(head("/"), body)
    assert isinstance(found, Refusal)
    assert found.code == "ambiguous_call"


def padding(size: int) -> str:
    """So many characters that shrink as well as they may: up to 64 KiB to nothing, more of them to
    a hundredth."""
    digests = (hashlib.sha256(b"%d" % n).hexdigest() for n in range((size >> 16) * 30))
    return "".join(digests).ljust(size)


@pytest.mark.parametrize("size", [60_000, 17 << 20], ids=["a little", "much"])
@pytest.mark.parametrize(
    ("target", "body", "protocol"),
    [
        ("/mcp", RPC | {"method": "tools/call", "params": {"name": "pay"}}, "mcp"),
        ("/", RPC | {"method": "SendMessage", "params": {"message": MESSAGE}}, "a2a"),
        ("/v1/embeddings", {"model": "m", "input": "x"}, "openai"),
        ("/v1/messages", {"model": "m", "messages": []}, "anthropic"),
    ],
)
def test_no_padding_hides_what_a_packed_body_says(
    target: str, body: dict[str, object], protocol: str, size: int
) -> None:
    """Whoever asks whether a call is his own unpacks as much as who then reads it."""
    asked = head(target, fields=JSON | {b"content-encoding": b"gzip"})
    packed = gzip.compress(json.dumps(body | {"pad": padding(size)}).encode())
    call = Call("c1", asked, Whole(packed), 0.0, asked.target, upstream="peer")
    assert AUTO.recognise(call, packed, Rules(body_buffer=64 << 20)) is None
    assert call.protocol == protocol


@pytest.mark.parametrize("method", ["tools/list", "tools/call", "message/send", "SendMessage"])
@pytest.mark.parametrize("path", ["/refunds", "/orders/7/cancel"])
def test_a_message_is_none_on_a_path_that_says_something_else(path: str, method: str) -> None:
    """What serves such a path may know nothing of messages: one more member would make another call
    of it, which no policy for the path and its method is for."""
    params = {"name": "pay", "message": MESSAGE}
    found = called(head(path), json.dumps(RPC | {"method": method, "params": params}).encode())
    assert isinstance(found, Refusal)
    assert found.code == "ambiguous_call"
    assert "protocol: " in found.detail


@pytest.mark.parametrize(
    ("path", "method", "protocol"),
    [
        ("/v1/mcp", "tools/call", "mcp"),
        ("/servers/bank/MCP", "tools/call", "mcp"),
        ("/agents/a2a", "SendMessage", "a2a"),
    ],
)
def test_a_path_may_say_that_messages_are_sent_there(path: str, method: str, protocol: str) -> None:
    """By a segment of its own."""
    params = {"name": "pay", "message": MESSAGE}
    call = called(head(path), json.dumps(RPC | {"method": method, "params": params}).encode())
    assert isinstance(call, Call)
    assert call.protocol == protocol
