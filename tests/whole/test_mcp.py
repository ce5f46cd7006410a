"""MCP on real sockets: what its clients get, byte for byte, in both eras."""

import asyncio
import json
from typing import Any

import pytest

from proxy.state.asking import Decided
from proxy.state.case import Person
from tests.harness import Message, RawUpstream, answer, chunked, holdfast, request
from tests.harness.upstream import UpstreamConnection
from tests.harness.wire import within

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOTH = ("Content-Type: application/json", "Accept: application/json, text/event-stream")
JSON = "Content-Type: application/json"
EVENTS = "Content-Type: text/event-stream"
ERA = "MCP-Protocol-Version: 2026-07-28"


def body_of(method: str, params: Any = None, raw_id: Any = 1) -> bytes:
    """A request."""
    said = {"jsonrpc": "2.0", "id": raw_id, "method": method}
    return json.dumps(said if params is None else {**said, "params": params}).encode()


def posts(body: bytes, *lines: str) -> bytes:
    """A message, or several."""
    return request("/mcp", *BOTH, *lines, method="POST", body=body)


def calls(tool: str, *lines: str, raw_id: Any = 1, **arguments: Any) -> bytes:
    """A tool's call."""
    return posts(body_of("tools/call", {"name": tool, "arguments": arguments}, raw_id), *lines)


def response(result: Any, raw_id: Any = 1) -> bytes:
    """What a server answers."""
    return json.dumps({"jsonrpc": "2.0", "id": raw_id, "result": result}).encode()


def whole(result: Any, raw_id: Any = 1, *lines: str) -> bytes:
    """The same, as a JSON document."""
    return answer(200, JSON, *lines, body=response(result, raw_id))


def streamed(*events: bytes, ends: bool = True) -> bytes:
    """Events, as a stream."""
    body = chunked(*[b"event: message\ndata: " + event + b"\n\n" for event in events])
    raw = answer(200, EVENTS, "Transfer-Encoding: chunked", body=body)
    return raw if ends else raw.removesuffix(b"0\r\n\r\n")


def said(got: Message) -> Any:
    """What an answer says, as JSON."""
    assert got.value("content-type") == b"application/json"
    return json.loads(got.body)


TEXT = {"content": [{"type": "text", "text": "hi"}]}
SHUT = """
policies:
  - {name: shut, match: {tool: "drop*"}, deny: {reason: not here, hide: true}}
  - {name: all, match: {upstream: gateway}, rate_limit: {rate: 1/h, burst: 1}}
"""


async def test_a_call_passes_as_it_came(upstream: RawUpstream) -> None:
    """With the headers of its session and of its tool, and so does its answer."""
    lines = ("Mcp-Session-Id: s", "Mcp-Name: look", "Mcp-Method: tools/call", "Mcp-Param-X: =?x?=")
    async with holdfast(upstream, "mcp") as proxy:
        upstream.then(whole(TEXT, 1, "Mcp-Session-Id: s"))
        got = await proxy.call(calls("look", *lines, a=1.0))
    (sent,) = upstream.requests
    assert sent.body == body_of("tools/call", {"name": "look", "arguments": {"a": 1.0}})
    assert {line.encode() for line in lines} <= set(sent.lines)
    assert (got.body, got.value("mcp-session-id")) == (response(TEXT), b"s")
    assert got.value("holdfast-outcome") == b"ok"


async def test_a_tool_is_refused_in_words_for_its_model(upstream: RawUpstream) -> None:
    """Nothing of it is sent; with the type of its result in the era that has one."""
    async with holdfast(upstream, "mcp", SHUT) as proxy:
        old, new = [await proxy.call(calls("drop", *era, raw_id="x")) for era in ((), (ERA,))]
    assert upstream.requests == []
    for got in (old, new):
        result = said(got)["result"]
        assert (got.status, said(got)["id"], result["isError"]) == (200, "x", True)
        assert "Not here." in result["content"][0]["text"]
        assert result["_meta"]["holdfast.dev/problem"]["code"] == "denied"
        assert got.value("holdfast-outcome") == b"refused"
    assert "resultType" not in said(old)["result"]
    assert said(new)["result"]["resultType"] == "complete"


async def test_what_sets_calls_up_is_never_refused_for_a_tools_reasons(
    upstream: RawUpstream,
) -> None:
    """Though the upstream's rate is used up: a client that was told so would fall back to an older
    version for good."""
    async with holdfast(upstream, "mcp", SHUT) as proxy:
        for _ in range(2):
            for method in ("server/discover", "initialize", "tools/list", "ping"):
                upstream.then(whole({}))
                assert said(await proxy.call(posts(body_of(method)))) == json.loads(response({}))
        upstream.then(whole(TEXT))
        first, second = [await proxy.call(calls("look")) for _ in range(2)]
    assert said(first)["result"] == TEXT
    assert said(second)["result"]["_meta"]["holdfast.dev/problem"]["code"] == "rate_limited"
    assert second.value("retry-after") is not None


async def test_hidden_tools_are_not_shown(upstream: RawUpstream) -> None:
    """In a document as in a stream, and its length is right."""
    tools = [{"name": "drop"}, {"name": "look"}]
    async with holdfast(upstream, "mcp", SHUT) as proxy:
        upstream.then(whole({"tools": tools, "nextCursor": "2"}))
        document = await proxy.call(posts(body_of("tools/list")))
        upstream.then(streamed(response({"tools": tools})))
        stream = await proxy.call(posts(body_of("tools/list")))
    assert said(document)["result"] == {"tools": tools[1:], "nextCursor": "2"}
    assert b'"look"' in stream.body
    assert b'"drop"' not in stream.body


async def test_headers_that_deny_the_body_never_arrive(upstream: RawUpstream) -> None:
    """Whoever routes by them would be told something else."""
    async with holdfast(upstream, "mcp") as proxy:
        got = await proxy.call(calls("look", "Mcp-Name: drop"))
    assert (got.status, said(got)["error"]["code"], upstream.requests) == (400, -32020, [])


async def test_a_stream_without_its_response_is_no_clean_end(upstream: RawUpstream) -> None:
    """Its client is told by the response that it waits for. One that may be asked for once more
    from a place that it names ends as its server likes."""
    progress = b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}'
    async with holdfast(upstream, "mcp") as proxy:
        upstream.then(streamed(progress, response(TEXT)))
        good = await proxy.call(calls("look"))
        upstream.then(streamed(progress))
        at_once = await proxy.call(calls("look"))
        read = asyncio.Event()

        async def breaks_off(connection: UpstreamConnection, _: Message) -> None:
            connection.send(streamed(progress, ends=False))
            await within(read.wait())
            connection.send(b"0\r\n\r\n")

        upstream.then(breaks_off)
        async with await proxy.connect() as agent:
            agent.send(calls("look"))
            await agent.until(progress)
            read.set()
            cut = await agent.rest()
        primed = chunked(b"id: 1\ndata:\n\n", b"data: " + progress + b"\n\n")
        upstream.then(answer(200, EVENTS, "Transfer-Encoding: chunked", body=primed))
        polled = await proxy.call(calls("look"))
    assert good.body.endswith(response(TEXT) + b"\n\n")
    assert said(at_once)["result"]["_meta"]["holdfast.dev/problem"]["code"] == "truncated"
    assert b'"isError":true' in cut
    assert b'"code":"truncated"' in cut
    assert not cut.endswith(b"0\r\n\r\n")
    assert polled.body.endswith(progress + b"\n\n")


RETRIES = """
policies:
  - {name: again, retry: {attempts: 3, backoff: {base: 1ms}}}
"""


async def test_a_trusted_server_says_what_may_be_repeated(upstream: RawUpstream) -> None:
    """A tool that only reads is sent again, one that writes is not; nor is either where the server
    is not trusted."""
    tools = [{"name": "look", "annotations": {"readOnlyHint": True}}, {"name": "drop"}]
    broken = answer(503, body=b"")
    for trusted, sent in ((True, 2), (False, 1)):
        mount = {"trust_annotations": trusted}
        async with holdfast(upstream, "mcp", RETRIES, mount) as proxy:
            upstream.then(whole({"tools": tools}))
            await proxy.call(posts(body_of("tools/list")))
            upstream.requests.clear()
            for tool in ("look", "drop"):
                upstream.script.extend([broken, whole(TEXT)])
                await proxy.call(calls(tool))
                upstream.script.clear()
        assert len(upstream.requests) == sent + 1
        upstream.requests.clear()


async def test_an_error_in_a_good_answer_is_a_failure(upstream: RawUpstream) -> None:
    """It is sent again where that is safe; a tool's own failure is an answer."""
    text = RETRIES.replace("{name: again,", "{name: again, effect: read,")
    error = json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": ""}})
    async with holdfast(upstream, "mcp", text) as proxy:
        for broken in (answer(200, JSON, body=error.encode()), streamed(error.encode())):
            upstream.script.extend([broken, whole(TEXT)])
            got = await proxy.call(calls("look"))
            assert (said(got)["result"], got.value("holdfast-attempts")) == (TEXT, b"2")
        upstream.then(whole({**TEXT, "isError": True}))
        got = await proxy.call(calls("look"))
    assert got.value("holdfast-outcome") == b"failed"
    assert got.value("holdfast-reason") == b"tool_error"


KEEPS = """
policies:
  - {name: keep, effect: read, cache: {max_age: 1h, key: [input]}}
"""


async def test_only_what_is_an_outcome_is_kept(upstream: RawUpstream) -> None:
    """And given again with the id of who asks."""
    asks = {"resultType": "input_required", "inputRequests": {}, "requestState": "s"}
    async with holdfast(upstream, "mcp", KEEPS) as proxy:
        upstream.script.extend([whole(asks), whole({**TEXT, "isError": True}), whole(TEXT)])
        for _ in range(3):
            await proxy.call(calls("look"))
        got = await proxy.call(calls("look", raw_id="other"))
    assert len(upstream.requests) == 3
    assert said(got) == {"jsonrpc": "2.0", "id": "other", "result": TEXT}


async def test_a_loop_is_seen_whatever_ids_its_calls_have(upstream: RawUpstream) -> None:
    """The same call, and the same answer, in a document or a stream."""
    text = "policies: [{name: p, loop: {same: 3}}]"
    async with holdfast(upstream, "mcp", text) as proxy:
        for made in (whole, lambda result, raw_id: streamed(response(result, raw_id))):
            tool = "a" if made is whole else "b"
            for raw_id in range(3):
                upstream.then(made(TEXT, raw_id))
                await proxy.call(calls(tool, raw_id=raw_id))
            result = said(await proxy.call(calls(tool, raw_id="x")))["result"]
            assert result["_meta"]["holdfast.dev/problem"]["code"] == "loop_detected"
            assert "resultType" not in result


async def test_errors_of_the_protocol_where_they_are_wanted(upstream: RawUpstream) -> None:
    """Outside of the codes that JSON-RPC and MCP have."""
    mount = {"mcp_refusals": "protocol_error"}
    async with holdfast(upstream, "mcp", SHUT, mount) as proxy:
        error = said(await proxy.call(calls("drop")))["error"]
    assert (error["code"], error["data"]["code"]) == (7002, "denied")
    assert error["data"]["origin"] == "holdfast"


ASKS = """
policies:
  - {name: ask, match: {tool: pay}, risk: high, approval: {hold: 0s}}
"""


async def test_a_call_that_was_approved_is_known_when_it_comes_again(
    upstream: RawUpstream,
) -> None:
    """Under another id, as clients do it; once."""
    async with holdfast(upstream, "mcp", ASKS) as proxy:
        pending = said(await proxy.call(calls("pay", raw_id=1, to="x")))["result"]
        problem = pending["_meta"]["holdfast.dev/problem"]
        assert (problem["code"], upstream.requests) == ("approval_pending", [])
        desk = proxy.app._control.desk
        yes = Decided(desk.files[0].request.id, "approve", "alice")
        await within(desk.decide(yes, Person("alice", ())))
        upstream.then(whole(TEXT, 2))
        got = await proxy.call(calls("pay", raw_id=2, to="x"))
        other = await proxy.call(calls("pay", raw_id=3, to="y"))
    assert said(got)["result"] == TEXT
    assert said(other)["result"]["isError"] is True
    assert len(upstream.requests) == 1


async def test_a_body_that_is_not_even_read_is_refused_in_its_clients_words(
    upstream: RawUpstream,
) -> None:
    """To nobody in particular, for nobody knows who asked."""
    async with holdfast(upstream, "mcp", limits={"body_buffer": "1KiB"}) as proxy:
        got = await proxy.call(calls("look", text="x" * 2000))
    assert (got.status, said(got)["id"], said(got)["error"]["code"]) == (413, None, 7062)


async def test_a_batch_is_judged_call_by_call(upstream: RawUpstream) -> None:
    """It goes as it came, or not at all; then each id has its answer. Each call has a record."""
    look, drop = [
        body_of("tools/call", {"name": name, "arguments": {}}, name) for name in ("look", "drop")
    ]
    good, bad = b"[" + look + b", " + look + b"]", b"[" + look + b"," + drop + b"]"
    async with holdfast(upstream, "mcp", SHUT.replace("burst: 1", "burst: 2")) as proxy:
        refused = await proxy.call(posts(bad))
        assert upstream.requests == []
        answers = b"[" + response(TEXT, "look") + b"]"
        upstream.then(answer(200, JSON, body=answers))
        passed = await proxy.call(posts(good))
        figures = await proxy.until_metric("holdfast_calls_total", 4)
    first, second = said(refused)
    assert (first["id"], second["id"], refused.status) == ("look", "drop", 200)
    assert [one["result"]["isError"] for one in (first, second)] == [True, True]
    assert (passed.body, passed.value("holdfast-attempts")) == (answers, b"1")
    assert [sent.body for sent in upstream.requests] == [good]
    assert figures.sum("holdfast_calls_total", tool="look", outcome="ok") == 2
    assert figures.sum("holdfast_calls_total", outcome="refused") == 2


PAYS = """
prices: {tools: {look: 0.002, drop: 0.003}}
budgets:
  - {name: day, per: agent, day: 0.01}
policies:
  - {name: keep, match: {upstream: gateway}, audit: {payload: full}}
"""


async def test_each_call_of_a_batch_is_paid_for_and_kept(upstream: RawUpstream) -> None:
    """What it costs together is not told, for an answer has one price."""
    both = [body_of("tools/call", {"name": name}, name) for name in ("look", "drop")]
    async with holdfast(upstream, "mcp", PAYS) as proxy:
        upstream.then(answer(200, JSON, body=b"[]"))
        got = await proxy.call(posts(b"[" + b",".join(both) + b"]"))
        assert (got.status, got.body, got.value("holdfast-cost")) == (200, b"[]", None)
        figures = await proxy.until_metric("holdfast_payloads_kept_total", 2)
        assert figures.sum("holdfast_cost_micros_total", tool="look") == 2000
        upstream.then(answer(500, body=b""))
        await proxy.call(posts(b"[" + b",".join(both) + b"]"))
        refused = said(await proxy.call(posts(b"[" + b",".join(both) + b"]")))
    assert [one["id"] for one in refused] == ["look", "drop"]
    codes = {one["result"]["_meta"]["holdfast.dev/problem"]["code"] for one in refused}
    assert codes == {"budget_exceeded"}
    assert len(upstream.requests) == 1  # since the second began


async def test_the_end_of_a_session_is_the_servers_word(upstream: RawUpstream) -> None:
    """Its client begins a new one."""
    async with holdfast(upstream, "mcp") as proxy:
        upstream.then(answer(404, body=b"no session"))
        got = await proxy.call(calls("look", "Mcp-Session-Id: old"))
        upstream.then(answer(405, body=b""))
        listens = await proxy.call(request("/mcp", "Accept: text/event-stream"))
    assert (got.status, got.body) == (404, b"no session")
    assert listens.status == 405


async def test_an_unreachable_server_is_told_of_in_its_clients_words() -> None:
    """So that nobody takes it for the end of a session."""
    async with RawUpstream() as gone:
        await gone.shut()
    async with holdfast(gone.url, "mcp") as proxy:
        tool, listing = [
            await proxy.call(raw) for raw in (calls("x"), posts(body_of("tools/list")))
        ]
    assert said(tool)["result"]["isError"] is True
    assert said(listing)["error"]["code"] == 7042
