"""Calls that are sent as another model."""

import pytest

from proxy.call import Call, RequestHead, Whole
from proxy.pipeline.renamed import rewritten
from proxy.reply import Reply
from proxy.wire.body import Body
from tests.fakes import run
from tests.tables import Desk

MODELS = """
upstreams:
  gateway: {url: 'http://h', protocol: http}
  spare: {url: 'http://s', protocol: http, path: /spare}
policies: [{name: r, retry: {attempts: 2, backoff: {base: 1ms}}, effect: read}]
"""
CHAT = b'{"model":"x", "messages":[]}'


def asking(content: bytes | None = CHAT, chunked: bool = False, **fields: bytes) -> Call:
    """A call of a model, as plain HTTP."""
    named = {name.replace("_", "-").encode(): value for name, value in fields.items()}
    if content is not None and not chunked:
        named[b"content-length"] = b"%d" % len(content)
    headers = [(name, name.title(), value) for name, value in named.items()]
    head = RequestHead("POST", b"/chat", 1, headers, named, chunked=chunked)
    body = Body() if content is None else Whole(content)
    return Call(id="c", head=head, body=body, started=1000.0, target=b"/chat", upstream="gateway")


def sent(desk: Desk, call: Call, upstream: str = "", model: str = "big") -> Reply:
    """The reply of a link."""
    reply = run(desk.table.link(call, upstream, model)(call))
    reply.drop()
    return reply


def recognised(desk: Desk, call: Call) -> Call:
    """As the gateway would hand it on."""
    desk.found(call)
    return call


def bodies(desk: Desk) -> list[bytes | None]:
    """What the attempts sent instead of their call's own."""
    sent = (attempt.sends for attempt in desk.upstream.attempts)
    return [None if message is None else message.content for message in sent]


def test_all_attempts_of_such_a_link_send_the_other_body() -> None:
    """The same one, made once; those of other links send the call's own."""
    desk = Desk("", 503, 200, 200, 200, mounts=MODELS)
    call = recognised(desk, asking())
    assert sent(desk, call).status == 200
    assert sent(desk, call, "spare", "small").status == 200
    assert sent(desk, call, "spare", "").status == 200
    big, small = CHAT.replace(b'"x"', b'"big"'), CHAT.replace(b'"x"', b'"small"')
    assert bodies(desk) == [big, big, small, None]
    first, second, *_ = desk.upstream.attempts
    assert first.sends is second.sends
    assert call.body.whole == CHAT


def test_a_link_for_one_model_is_none_for_another() -> None:
    """Nor for no model at all."""
    desk = Desk("", mounts=MODELS)
    call = recognised(desk, asking())
    links = {desk.table.link(call, "spare", model) for model in ("", "big", "small", "big")}
    assert len(links) == 3


def test_the_head_fits_the_body() -> None:
    """Its length is told where it stood; a chunked one is sent in one piece."""
    message = rewritten(asking(x_a=b"b"), "a-larger-one")
    assert message is not None
    assert message.head.lines == b"X-A: b\r\nContent-Length: %d\r\n" % len(message.content)
    assert message.head.length == len(message.content)
    message = rewritten(asking(chunked=True, transfer_encoding=b"chunked", x_a=b"b"), "big")
    assert message is not None
    assert message.head.lines == b"X-A: b\r\nContent-Length: %d\r\n" % len(message.content)
    assert not message.head.chunked


@pytest.mark.parametrize(
    "call",
    [
        asking(None),
        asking(b"no JSON"),
        asking(b'{"messages":[]}'),
        asking(content_encoding=b"gzip"),
        asking(content_digest=b"sha-256=:x:"),
        asking(content_md5=b"x"),
    ],
    ids=["still comes", "no JSON", "no model", "coded", "digest", "md5"],
)
def test_what_cannot_be_rewritten_is_not_sent(call: Call) -> None:
    """It would ask for the wrong model, or be another than its head vouches for."""
    desk = Desk("", mounts=MODELS)
    reply = sent(desk, recognised(desk, call))
    assert reply.refusal is not None
    assert reply.refusal.code == "no_route"
    assert "as the model big" in reply.refusal.detail
    assert desk.upstream.attempts == []


def test_where_the_path_names_the_model_the_body_is_not_asked() -> None:
    """The deployment in it would serve the call, at the price of another one."""
    call = asking()
    call.tool_in_path, call.layer = True, "llm"
    assert rewritten(call, "big") is None
    call.layer = "tool"  # its path names something else
    assert rewritten(call, "big") is not None


def test_a_body_with_trailers_is_not_rewritten() -> None:
    """They belong to the bytes that came."""
    call = asking(chunked=True)
    call.body = Whole(CHAT, [(b"x-sum", b"X-Sum", b"1")])
    assert rewritten(call, "big") is None


def test_a_plain_coding_is_none() -> None:
    """`identity` changes nothing."""
    assert rewritten(asking(content_encoding=b"identity"), "big") is not None
