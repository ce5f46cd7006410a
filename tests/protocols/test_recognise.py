"""Which protocol an upstream speaks."""

import pytest

from proxy.call import Call, RequestHead
from proxy.protocols.http import Http
from proxy.protocols.protocol import Reads, Rules
from proxy.protocols.recognise import OF_CALLS, PROTOCOLS
from tests.fakes import FakeBody

ENVELOPE = b'{"tool":"search","input":{}}'
JSON = {b"content-type": b"application/json"}


def recognised(protocol: str, method: str, target: bytes, content: bytes) -> tuple[str, str]:
    """The protocol and the tool that a call was found to have."""
    head = RequestHead(method, target, 1, [], JSON)
    call = Call(id="c", head=head, body=FakeBody(content), started=0.0, target=target)
    speaks = PROTOCOLS[protocol]
    read = None if speaks.reads(head) is Reads.NOTHING else content
    assert speaks.recognise(call, read, Rules()) is None
    return call.protocol, call.tool


@pytest.mark.parametrize("protocol", ["tools", "auto"])
def test_the_envelope_of_tools_is_known(protocol):
    """Where an upstream says that it speaks it, and where it says nothing."""
    assert recognised(protocol, "POST", b"/", ENVELOPE) == ("tools", "search")
    assert recognised(protocol, "POST", b"/v1/search", b"{}") == ("tools", "search")


@pytest.mark.parametrize("protocol", ["tools", "auto"])
@pytest.mark.parametrize(("method", "content"), [("GET", b""), ("POST", b"[]"), ("PUT", ENVELOPE)])
def test_whatever_it_does_not_know_is_plain_http(protocol, method, content):
    """No call goes without a tool."""
    assert recognised(protocol, method, b"/orders/17", content) == (
        "http",
        f"{method} /orders/{{id}}",
    )


def test_plain_http_looks_into_nothing():
    """An envelope is a body like any other there."""
    assert recognised("http", "POST", b"/v1/search", ENVELOPE) == ("http", "POST /v1/search")


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_who_hears_answers_says_that_he_listens(protocol):
    """Else nobody asks him."""
    assert protocol.listens == (type(protocol).hears is not Http.hears)


@pytest.mark.parametrize("protocol", OF_CALLS.values(), ids=OF_CALLS)
def test_who_has_results_says_so(protocol):
    """Else a policy that gives one is refused when it is loaded."""
    assert protocol.has_results == (type(protocol).result is not Http.result)


@pytest.mark.parametrize(
    ("protocol", "target", "content"),
    [
        ("tools", b"/", ENVELOPE),
        ("mcp", b"/mcp", b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}'),
        ("openai", b"/v1/responses", b'{"model":"m"}'),
        ("anthropic", b"/v1/messages", b'{"model":"m"}'),
        ("a2a", b"/message:send", b"{}"),
        ("http", b"/", b""),
    ],
)
def test_the_layer_of_a_protocol_is_that_of_its_calls(protocol, target, content):
    """Policies are judged by it before there is a call."""
    head = RequestHead("POST", target, 1, [], JSON)
    call = Call(id="c", head=head, body=FakeBody(content), started=0.0, target=target)
    assert OF_CALLS[protocol].recognise(call, content, Rules()) is None
    assert (call.protocol, call.layer) == (protocol, OF_CALLS[protocol].layer)
