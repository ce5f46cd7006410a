"""A2A on real sockets: the card leads back to here, and agents hear in A2A what is said to them."""

import asyncio
import gzip
import json
from typing import Any

import pytest

from tests.harness import (
    Message,
    RawUpstream,
    UpstreamConnection,
    answer,
    holdfast,
    request,
    within,
)
from tests.harness.messages import chunked

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEAD = answer(200, "Content-Type: text/event-stream", "Transfer-Encoding: chunked", body=None)
END = b"0\r\n\r\n"
CARD = "/.well-known/agent-card.json"


def card(upstream: RawUpstream, **more: Any) -> bytes:
    """As the upstream serves it."""
    interface = {"url": f"{upstream.url}/rpc", "protocolBinding": "JSONRPC"}
    return json.dumps({"name": "Peer", "supportedInterfaces": [interface], **more}).encode()


def rpc(method: str, *lines: str) -> bytes:
    """A request with a message."""
    params = {"message": {"messageId": "m-1", "contextId": "c-1", "parts": [{"text": "hi"}]}}
    body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    raw = json.dumps(body).encode()
    return request("/rpc", "Content-Type: application/json", *lines, method="POST", body=raw)


def response(said: dict[str, Any]) -> bytes:
    """An event with one."""
    return b"data: %b\n\n" % json.dumps({"jsonrpc": "2.0", "id": 7, "result": said}).encode()


def state(name: str) -> bytes:
    """An event with a status update."""
    return response({"statusUpdate": {"taskId": "t", "status": {"state": f"TASK_STATE_{name}"}}})


def streamed(*events: bytes) -> bytes:
    """A whole stream."""
    return HEAD + chunked(*events)


@pytest.mark.parametrize("coding", ["identity", "gzip"])
async def test_a_card_leads_back_to_here(upstream: RawUpstream, coding: str) -> None:
    """Whatever its coding; with the length that it has now. Even where the peer is denied."""
    plain = card(upstream)
    content = gzip.compress(plain) if coding == "gzip" else plain
    lines = ("Content-Type: application/json", f"Content-Encoding: {coding}")
    policies = "policies: [{name: no, deny: {}}]"
    async with holdfast(upstream, "a2a", policies) as proxy:
        upstream.then(answer(200, *lines, body=content))
        got = await proxy.call(request(CARD, host="here:80"))
        assert got.status == 200
        assert json.loads(got.body)["supportedInterfaces"][0]["url"] == "http://here:80/rpc"


async def test_a_signed_card_is_left(upstream: RawUpstream) -> None:
    """Unless the upstream's settings say otherwise."""
    signed = card(upstream, signatures=[{"protected": "a", "signature": "b"}])
    async with holdfast(upstream, "a2a") as proxy:
        upstream.then(answer(200, body=signed))
        assert (await proxy.call(request(CARD))).body == signed
    async with holdfast(upstream, "a2a", mount={"a2a_rewrite_signed": True}) as proxy:
        upstream.then(answer(200, body=signed))
        got = json.loads((await proxy.call(request(CARD))).body)
        assert got["signatures"] == []
        assert got["supportedInterfaces"][0]["url"] != f"{upstream.url}/rpc"


async def test_who_speaks_json_rpc_is_refused_in_it(upstream: RawUpstream) -> None:
    """By its operation; nothing was sent."""
    policies = "policies: [{name: no, match: {method: SendMessage}, deny: {}}]"
    async with holdfast(upstream, "a2a", policies) as proxy:
        got = await proxy.call(rpc("message/send"))
        assert (got.status, got.value("content-type")) == (200, b"application/json")
        assert got.value("holdfast-outcome") == b"refused"
        said = json.loads(got.body)
        assert (said["id"], said["error"]["data"]["code"]) == (7, "denied")
        upstream.then(answer(200, body=b'{"jsonrpc":"2.0","id":7,"result":{}}'))
        assert (await proxy.call(rpc("GetTask"))).value("holdfast-outcome") == b"ok"


async def test_a_message_is_repeated_under_its_id(upstream: RawUpstream) -> None:
    """An internal error under a good status is a failure; headers of A2A pass as they came."""
    policies = "policies: [{name: p, idempotency: {}, retry: {attempts: 2, backoff: {base: 1ms}}}]"
    failed = b'{"jsonrpc":"2.0","id":7,"error":{"code":-32603,"message":"x"}}'
    good = b'{"jsonrpc":"2.0","id":7,"result":{"message":{}}}'
    async with holdfast(upstream, "a2a", policies) as proxy:
        upstream.then(answer(200, body=failed), answer(200, body=good))
        got = await proxy.call(rpc("SendMessage", "A2A-Version: 1.0", "A2A-Extensions: a, b"))
        assert (got.body, got.value("holdfast-attempts")) == (good, b"2")
    for sent in upstream.requests[-2:]:
        assert sent.value("idempotency-key") == b"m-1"
        assert (sent.value("a2a-version"), sent.value("a2a-extensions")) == (b"1.0", b"a, b")


async def test_a_stream_has_its_end_in_a_state(upstream: RawUpstream) -> None:
    """It passes byte for byte. One that ends before that is cut, and the agent is told."""
    events = (response({"task": {"id": "t"}}), state("WORKING"), state("COMPLETED"))
    async with holdfast(upstream, "a2a") as proxy, await proxy.connect() as agent:
        upstream.then(streamed(*events))
        got = await proxy.call(rpc("SendStreamingMessage"))
        assert got.body == b"".join(events)
        begun = asyncio.Event()

        async def half(connection: UpstreamConnection, _: Message) -> None:
            connection.send(HEAD + chunked(events[0]).removesuffix(END))
            await within(begun.wait())
            connection.send(END)

        upstream.then(half)
        agent.send(rpc("message/stream"))
        await agent.until(events[0])
        begun.set()
        told = await agent.until(b"\n\n")
        assert json.loads(told.partition(b"data: ")[2])["error"]["data"]["code"] == "truncated"
        await proxy.until_metric("holdfast_calls_total", 1, outcome="truncated")
