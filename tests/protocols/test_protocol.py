"""What the gateway may rely on, whichever protocol an upstream speaks."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import Call, RequestHead
from proxy.protocols.protocol import Protocol, Reads, Rules
from proxy.protocols.recognise import PROTOCOLS
from proxy.refusal import KINDS, Refusal
from proxy.reply import Executed, Failure, Reply
from tests.fakes import FakeBody, make_call
from tests.protocols.spellings import bodies

every = pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS.keys())

methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PURGE"])
targets = st.binary(max_size=40).map(lambda path: b"/" + path) | st.sampled_from(
    [b"/", b"*", b"/v1/tool", b"/v1/", b"/v1/%61//b", b"/a?b"]
)
fields = st.fixed_dictionaries(
    {},
    optional={
        b"content-type": st.sampled_from(
            [b"", b"application/json", b"text/plain", b"\xff;charset=\xff"]
        ),
        b"content-encoding": st.sampled_from([b"", b"gzip", b"deflate", b"br", b"identity"]),
    },
)


@every
@given(
    methods, targets, fields, bodies() | st.binary(max_size=60), st.booleans(), st.integers(1, 99)
)
def test_every_call_has_a_tool_or_a_refusal(
    protocol, method, target, named, content, lenient, most
):
    """Any request whatever: never an exception, never a call that no policy could match."""
    head = RequestHead(method, target, 1, [], named)
    call = Call(id="c", head=head, body=FakeBody(content), started=0.0, target=target)
    read = None if protocol.reads(head) is Reads.NOTHING else content
    refusal = protocol.recognise(call, read, Rules(pass_unrecognised=lenient, body_buffer=most))
    if refusal is None:
        assert call.tool
        assert call.path
        assert call.layer in ("http", "tool", "llm", "agent")
    else:
        assert 400 <= KINDS[refusal.code].status < 500
        assert refusal.executed is Executed.NO
        assert call.tool == ""


@every
@given(
    st.one_of(st.integers(100, 599), st.sampled_from(Failure)),
    st.none() | st.binary(max_size=50),
    st.sampled_from([{}, {b"retry-after": b"1"}]),
)
def test_every_answer_has_a_result(protocol, what, content, named):
    """And says what was executed; a failure of the network never says that it ran."""
    body = FakeBody(content)
    if isinstance(what, Failure):
        reply = Reply(status=0, failure=what)
    else:
        reply = Reply(status=what, fields=named, body=body)
    protocol.judge(reply)
    assert reply.result is not None
    assert not (reply.failure and reply.executed is Executed.YES)
    assert body.whole == content


@every
@pytest.mark.parametrize("code", KINDS)
def test_every_refusal_is_a_whole_answer(protocol: Protocol, code):
    """Framed by its length, valid JSON, without a header of this hop."""
    call = make_call(fields={b"accept": b"*/*"})
    reply = protocol.refuse(Refusal(code, "words\r\nX: y"), call, 1)
    assert reply.body is not None
    content = reply.body.whole or b""
    lines = reply.lines.split(b"\r\n")
    assert lines[-1] == b""
    names = [line.partition(b":")[0].lower() for line in lines[1:-1]]
    assert len(set(names)) == len(names)
    assert not {b"connection", b"transfer-encoding", b"x"} & set(names)
    assert b"content-length: %d" % len(content) in lines
    assert reply.length == len(content)
    assert reply.whole
    json.loads(content)


@every
@pytest.mark.parametrize(
    ("kind", "streams"),
    [
        (b"text/event-stream", True),
        (b"Text/Event-Stream; charset=utf-8", True),
        (b"application/x-ndjson", True),
        (b"application/json", False),
        (b"x-text/event-stream", False),
        (b"", False),
        (None, False),
    ],
)
def test_a_stream_is_known_by_its_type(protocol: Protocol, kind, streams):
    """In any letters; an answer without one is one that will end."""
    named = {} if kind is None else {b"content-type": kind}
    assert protocol.streams(Reply(200, fields=named, body=FakeBody(None))) is streams


class Outlet:
    """The upstream's end of a tunnel."""

    def join(self, body: object) -> None:
        """Nobody joins here."""

    def watch(self, tap: object) -> None:
        """Nobody looks."""


@every
def test_an_upgraded_connection_is_a_stream(protocol: Protocol):
    """Nobody knows when it ends."""
    assert protocol.streams(Reply(101, tunnel=Outlet()))
