"""Traces, from the agent's head to a real collector."""

import asyncio
import json
from typing import Any

import pytest

from tests.collector import Collector, Got
from tests.harness import (
    Message,
    RawUpstream,
    UpstreamConnection,
    answer,
    holdfast,
    request,
)
from tests.harness.models import begun, chat_events, chunks, parted, usage
from tests.harness.upstream import never

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("at_once")]

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"traceparent: 00-{TRACE}-{SPAN}-01"
AGAIN = """
policies:
  - name: all
    effect: read
    retry: {attempts: 3, backoff: {base: 1ms, max: 2ms}, budget: {burst: 100}}
"""
JSON = "Content-Type: application/json"


def tool(name: str, *lines: str) -> bytes:
    """A tool call."""
    body = json.dumps({"tool": name, "input": {"secret": "hunter2"}}).encode()
    return request("/v1?key=hunter2", JSON, *lines, method="POST", body=body)


def context(asked: Message) -> tuple[str, str, str, str, str]:
    """What a request says of its trace: version, trace, span, flags, and what others noted."""
    version, trace, span, flags = (asked.value("traceparent") or b"").decode().split("-")
    return version, trace, span, flags, (asked.value("tracestate") or b"").decode()


async def test_what_comes_of_a_call_that_is_sent_three_times(upstream: RawUpstream) -> None:
    """One trace, three parents upstream; each sending is a span; the record has the trace too."""
    lines = (PARENT.replace("-01", "-03"), "tracestate: rojo=1,congo=t61rcWkgMzE", "baggage: a=b")
    async with Collector() as far, holdfast(upstream, "tools", AGAIN, trace=far.settings) as proxy:
        upstream.then(answer(503, body=b""), answer(502, body=b""))
        got = await proxy.call(tool("get_balance", *lines))
        assert (got.status, got.value("traceparent")) == (200, None)
        (record,) = await proxy.records(1)
        spans = await far.holds(5)
    seen = [context(asked) for asked in upstream.requests]
    assert {(version, trace, flags) for version, trace, _, flags, _ in seen} == {
        ("00", TRACE, "03")
    }
    parents = [span for _, _, span, _, _ in seen]
    assert len({*parents, SPAN}) == 4
    assert [state for *_, state in seen] == [
        f"holdfast={span},rojo=1,congo=t61rcWkgMzE" for span in parents
    ]
    assert all(asked.value("baggage") is None for asked in upstream.requests)

    server, call, *sent = spans
    assert {span.trace for span in spans} == {TRACE}
    assert (server.kind, server.parent) == ("SERVER", SPAN)
    assert (call.kind, call.name, call.parent) == (
        "INTERNAL",
        "execute_tool get_balance",
        server.id,
    )
    assert [span.id for span in sent] == parents
    assert {(span.kind, span.name, span.parent) for span in sent} == {("CLIENT", "POST", call.id)}
    assert [span.get("http.request.resend_count") for span in sent] == [None, 1, 2]
    assert [span["http.response.status_code"] for span in sent] == [503, 502, 200]
    assert [span.failed for span in sent] == [True, True, False]
    assert (record["trace"], record["span"], len(record["attempts"])) == (TRACE, call.id, 3)
    assert "hunter2" not in repr(spans)


@pytest.mark.parametrize(
    "lines",
    [
        ("traceparent: nonsense", "tracestate: a=1"),
        (f"traceparent: 00-{TRACE.upper()}-{SPAN}-01", "tracestate: a=1"),
        (f"traceparent: ff-{TRACE}-{SPAN}-01", "tracestate: a=1"),
        (PARENT, PARENT, "tracestate: a=1"),
        ("tracestate: a=1",),
        (),
    ],
)
async def test_what_is_not_valid_begins_a_trace(
    upstream: RawUpstream, lines: tuple[str, ...]
) -> None:
    """And what was noted of the other one goes with that; the call is none the worse for it."""
    async with Collector() as far, holdfast(upstream, trace=far.settings) as proxy:
        upstream.then()
        assert (await proxy.call(request("/a", *lines))).status == 200
        (record,) = await proxy.records(1)
        server, call, sent = await far.holds(3)
    version, trace, span, flags, state = context(upstream.requests[0])
    assert (version, flags, state) == ("00", "01", f"holdfast={span}")
    assert trace != TRACE
    assert record["trace"] == trace == server.trace
    assert (server.parent, sent.id, sent.parent) == ("", span, call.id)


@pytest.mark.parametrize(("flags", "go_on"), [("00", "00"), ("02", "02"), ("fc", "00")])
async def test_who_called_decides_whether_it_is_sampled(
    upstream: RawUpstream, flags: str, go_on: str
) -> None:
    """Its ids go on all the same, and stand in the record; there is no span."""
    async with Collector() as far, holdfast(upstream, trace=far.settings) as proxy:
        upstream.then()
        await proxy.call(request("/", PARENT[:-2] + flags))
        (record,) = await proxy.records(1)
        await proxy.restart()
        assert (record["trace"], record.get("span")) == (TRACE, None)
        assert far.requests == []
    _, trace, span, flags, state = context(upstream.requests[0])
    assert (trace, flags, state) == (TRACE, go_on, f"holdfast={span}")
    assert span != SPAN


async def test_where_nobody_called_chance_decides(upstream: RawUpstream) -> None:
    """None of those that begin here; but who called, and says so, is sampled."""
    async with (
        Collector() as far,
        holdfast(upstream, trace={**far.settings, "sample": 0}) as proxy,
    ):
        upstream.then()
        for lines in ((), (PARENT,)):
            await proxy.call(request("/", *lines))
        records = await proxy.records(2)
        spans = await far.holds(3)
    assert {span.trace for span in spans} == {TRACE}
    assert [record.get("span") for record in records] == [None, spans[1].id]
    assert [context(asked)[3] for asked in upstream.requests] == ["00", "01"]


async def test_without_tracing_all_of_it_passes(upstream: RawUpstream) -> None:
    """Byte for byte, valid or not; the record has the trace that somebody else keeps."""
    lines = ("TraceParent:  nonsense ", "tracestate: A=1", "baggage: a=b")
    async with holdfast(upstream, trace={"baggage_allow": []}) as proxy:
        upstream.then()
        await proxy.call(request("/", *lines))
        await proxy.call(request("/", PARENT, "x-workflow-id: w"))
        first, second = await proxy.records(2)
        figures = await proxy.metrics()
        assert "holdfast_trace_spans_total" not in figures._families
    assert upstream.requests[0].lines[1:4] == (
        b"TraceParent: nonsense",
        *map(str.encode, lines[1:]),
    )
    assert upstream.requests[1].value("traceparent") == PARENT[13:].encode()
    assert "trace" not in first
    assert (second["trace"], second["workflow"]) == (TRACE, "w")


async def test_baggage_goes_to_who_may_have_it(upstream: RawUpstream) -> None:
    """It may hold what is no business of others; but it tells us the work in any case."""
    settings: dict[str, Any] = {"otlp": "http://127.0.0.1:9", "baggage_allow": ["gate*"]}
    raw = request("/", "baggage: workflow.id=w,a=b")
    for allowed in (True, False):
        upstream.then()
        more = settings if allowed else {**settings, "baggage_allow": []}
        async with holdfast(upstream, trace=more) as proxy:
            await proxy.call(raw)
            (record,) = await proxy.records(1)
        assert record["workflow"] == "w"
        sent = upstream.requests[0].value("baggage")
        assert sent == (b"workflow.id=w,a=b" if allowed else None)


def by_kind(spans: list[Got]) -> dict[str, list[Got]]:
    """Of each kind, those that there are."""
    found: dict[str, list[Got]] = {}
    for span in spans:
        found.setdefault(span.kind, []).append(span)
    return found


async def test_what_was_refused_has_no_sending(upstream: RawUpstream) -> None:
    """The call says why, by the code that its agent was told."""
    rules = "policies: [{name: shut, deny: {reason: not now}}]"
    async with Collector() as far, holdfast(upstream, "tools", rules, trace=far.settings) as proxy:
        upstream.then()
        assert (await proxy.call(tool("move_money", PARENT))).status == 403
        assert (await proxy.call(tool("move_money", PARENT))).status == 403
        found = by_kind(await far.holds(4))
    assert found.keys() == {"SERVER", "INTERNAL"}
    call = found["INTERNAL"][0]
    assert (call.failed, call["error.type"], call["holdfast.outcome"]) == (
        True,
        "denied",
        "refused",
    )
    assert call.events == {
        "holdfast.refused": {"holdfast.code": "denied", "holdfast.policy": "shut"}
    }
    server = found["SERVER"][0]
    assert (server.failed, server["http.response.status_code"]) == (False, 403)


async def test_what_was_answered_before_has_no_sending(upstream: RawUpstream) -> None:
    """The call says that it was kept."""
    rules = "policies: [{name: all, cache: {max_age: 1m}}]"
    async with Collector() as far, holdfast(upstream, "http", rules, trace=far.settings) as proxy:
        upstream.then()
        for _ in range(2):
            assert (await proxy.call(request("/a"))).status == 200
        spans = await far.holds(5)
    assert len([span for span in spans if span.kind == "CLIENT"]) == 1
    told = [span.events for span in spans if span.kind == "INTERNAL"]
    assert told == [{}, {"holdfast.cached": {}}]


async def test_what_nobody_answered_has_failed(upstream: RawUpstream) -> None:
    """No connection: the sending says so, and has no status. What stands in is told."""
    rules = "policies: [{name: all, fallback: {chain: [{static: {body: sorry}}]}}]"
    gone = RawUpstream()
    async with gone:
        url = gone.url
    async with Collector() as far, holdfast(url, "tools", rules, trace=far.settings) as proxy:
        got = await proxy.call(tool("get_balance"))
        assert got.value("holdfast-outcome") == b"fallback"
        server, call, sent = await far.holds(3)
    assert (sent.failed, sent["error.type"]) == (True, "connect")
    assert sent.get("http.response.status_code") is None
    assert (call.failed, call["holdfast.outcome"]) == (False, "fallback")
    assert call.events["holdfast.fallback"]["holdfast.tier"] == 3
    assert (server.failed, server["http.response.status_code"]) == (False, got.status)


async def test_each_hedge_is_a_sending(upstream: RawUpstream) -> None:
    """With an id of its own; the one that lost has ended as well."""
    rules = "policies: [{name: all, effect: read, hedge: {after: 1ms}}]"
    async with Collector() as far, holdfast(upstream, "tools", rules, trace=far.settings) as proxy:
        upstream.then(never)
        assert (await proxy.call(tool("get_balance", PARENT))).status == 200
        spans = await far.holds(4)
    first, second = [span for span in spans if span.kind == "CLIENT"]
    assert {first.id, second.id} == {context(asked)[2] for asked in upstream.heads}
    assert (first["error.type"], second["http.response.status_code"]) == ("cancelled", 200)
    assert (second["http.request.resend_count"], second["holdfast.hedge"]) == (1, True)


async def test_a_stream_has_ended_when_its_last_byte_came(upstream: RawUpstream) -> None:
    """A model's answer: what was asked for, and what it used. Its sending lasts as long."""
    body = json.dumps({"model": "gpt-x", "stream": True, "messages": ["hunter2"]}).encode()
    raw = request("/v1/chat/completions", JSON, PARENT, method="POST", body=body)
    goes_on = asyncio.Event()
    events = list(chat_events(usage(11, 7, cached=3)))
    async with Collector() as far, holdfast(upstream, "openai", trace=far.settings) as proxy:
        upstream.then(parted(begun(events[:2]), goes_on, chunks(events[2:]) + b"0\r\n\r\n"))
        async with await proxy.connect() as agent:
            agent.send(raw)
            await agent.until(b"data: ")
            assert far.spans == []
            goes_on.set()
            await agent.until(b"0\r\n\r\n")
        server, call, sent = await far.holds(3)
    assert (call.name, call.kind) == ("chat gpt-x", "CLIENT")
    assert call["gen_ai.provider.name"] == "openai"
    assert call["gen_ai.request.stream"] is True
    assert call["gen_ai.usage.input_tokens"] == 11
    assert call["gen_ai.usage.output_tokens"] == 7
    assert call["gen_ai.usage.cache_read.input_tokens"] == 3
    assert server.ended == call.ended == sent.ended
    assert "hunter2" not in repr((server, call, sent))


def rpc(method: str, raw_id: int, **params: Any) -> dict[str, Any]:
    """A message of MCP."""
    return {"jsonrpc": "2.0", "id": raw_id, "method": method, "params": params}


def posted(message: Any, *lines: str) -> bytes:
    """In a request."""
    accept = "Accept: application/json, text/event-stream"
    return request("/mcp", JSON, accept, *lines, method="POST", body=json.dumps(message).encode())


async def test_the_words_of_mcp(upstream: RawUpstream) -> None:
    """A tool's call, and what sets calls up; a tool that failed, and its session is not told."""
    text = {"content": [{"type": "text", "text": "hunter2"}], "isError": True}
    failed = json.dumps({"jsonrpc": "2.0", "id": 1, "result": text}).encode()
    async with Collector() as far, holdfast(upstream, "mcp", trace=far.settings) as proxy:
        upstream.then(answer(200, JSON, body=failed))
        lines = ("Mcp-Session-Id: s3ss10n", "MCP-Protocol-Version: 2025-11-25")
        await proxy.call(posted(rpc("tools/call", 1, name="look", arguments={}), *lines))
        await proxy.call(posted(rpc("tools/list", 2), *lines))
        spans = await far.holds(6)
    call, listing = [span for span in spans if "mcp.method.name" in span.attributes]
    assert (call.name, call.kind, call["error.type"]) == ("tools/call look", "CLIENT", "tool_error")
    assert (call["gen_ai.operation.name"], call["gen_ai.tool.name"]) == ("execute_tool", "look")
    assert (call["jsonrpc.request.id"], call["mcp.protocol.version"]) == ("1", "2025-11-25")
    assert (listing.name, listing.get("gen_ai.operation.name")) == ("tools/list", None)
    assert "hunter2" not in repr(spans)
    assert "s3ss10n" not in repr(spans)


async def test_the_context_in_a_message(upstream: RawUpstream) -> None:
    """It is the trace where the request names none, and a link where it does; it is not touched."""
    other = "1" * 32
    meta = {"_meta": {"traceparent": f"00-{other}-{'2' * 16}-01"}}
    message = rpc("tools/call", 1, name="look", arguments={}, **meta)
    async with Collector() as far, holdfast(upstream, "mcp", trace=far.settings) as proxy:
        upstream.then()
        await proxy.call(posted(message))
        await proxy.call(posted(message, PARENT))
        spans = await far.holds(6)
    assert [json.loads(asked.body) for asked in upstream.requests] == [message, message]
    assert [context(asked)[1] for asked in upstream.requests] == [other, TRACE]
    servers = [span for span in spans if span.kind == "SERVER"]
    assert [(span.trace, span.parent) for span in servers] == [(other, "2" * 16), (TRACE, SPAN)]
    calls = [span for span in spans if span.name == "tools/call look"]
    assert [span.links for span in calls] == [[], [(other, "2" * 16)]]


async def test_calls_that_came_in_one_message(upstream: RawUpstream) -> None:
    """One request and one sending; each call has its own span, and its record names that."""
    batch = [rpc("tools/call", n, name=f"t{n}", arguments={}) for n in (1, 2, 3)]
    async with Collector() as far, holdfast(upstream, "mcp", trace=far.settings) as proxy:
        upstream.then()
        await proxy.call(posted(batch, PARENT))
        records = await proxy.records(3)
        spans = await far.holds(5)
    (server,) = [span for span in spans if span.kind == "SERVER"]
    calls = {span["gen_ai.tool.name"]: span for span in spans if span.name.startswith("tools/")}
    assert [calls[record["tool"]].id for record in records] == [one["span"] for one in records]
    assert {span.parent for span in calls.values()} == {server.id}
    (sent,) = [span for span in spans if span.kind == "CLIENT" and span.name == "POST"]
    assert (sent.id, sent.parent) == (context(upstream.requests[0])[2], calls["t3"].id)


async def test_a_tunnel_has_ended_when_both_sides_have(upstream: RawUpstream) -> None:
    """What was said in it is not told."""
    upgrade = answer(101, "Connection: Upgrade", "Upgrade: echo", body=None)

    async def echo(connection: UpstreamConnection, asked: Message) -> None:
        connection.send(upgrade)
        connection.send(await connection.exactly(7))
        connection.close()

    async with Collector() as far, holdfast(upstream, trace=far.settings) as proxy:
        upstream.then()
        upstream.on_head = echo
        async with await proxy.connect() as agent:
            agent.send(request("/ws", "Connection: Upgrade", "Upgrade: echo", PARENT))
            assert (await agent.head()).status == 101
            agent.send(b"hunter2")
            await agent.until(b"hunter2")
        server, _, sent = await far.holds(3)
    assert (server["http.response.status_code"], server.parent) == (101, SPAN)
    assert context(upstream.heads[0])[1:3] == (TRACE, sent.id)


async def test_an_agent_that_left(upstream: RawUpstream) -> None:
    """What was on its way has been cancelled; the spans end then."""
    async with Collector() as far, holdfast(upstream, trace=far.settings) as proxy:
        upstream.then(never)
        async with await proxy.connect() as agent:
            agent.send(request("/slow", PARENT))
            await upstream.seen()
        _, call, sent = await far.holds(3)
    assert (call["error.type"], call["holdfast.outcome"]) == ("agent_gone", "cancelled")
    assert sent["error.type"] == "cancelled"


async def test_names_that_an_agent_makes_up(upstream: RawUpstream) -> None:
    """Whatever they are made of, they are told as records tell them, and no longer."""
    body = json.dumps({"tool": "get_" + "ä" * 40, "input": {}}).encode()
    lines = (b"x-workflow-id: \xff\xfe" + b"w" * 500, b"x-task-id: \xf0\x9f\x92\xa9")
    state = b"tracestate: a=" + b"x" * 250
    raw = request("/v1", JSON, *lines, PARENT, state, method="POST", body=body)
    async with Collector() as far, holdfast(upstream, "tools", trace=far.settings) as proxy:
        upstream.then()
        await proxy.call(raw)
        (record,) = await proxy.records(1)
        _, call, _ = await far.holds(3)
    assert call["gen_ai.tool.name"] == record["tool"]
    assert (call["holdfast.workflow"], len(record["workflow"])) == (record["workflow"], 128)
    assert call["holdfast.task"] == "\N{PILE OF POO}"


async def test_paths_say_no_more_than_tools_do(upstream: RawUpstream) -> None:
    """No query, no credential, and ids as records have them."""
    lines = ("Authorization: Bearer hunter2", "Cookie: hunter2")
    async with Collector() as far, holdfast(upstream, trace=far.settings) as proxy:
        upstream.then()
        await proxy.call(request("/users/123456/box?token=hunter2", *lines))
        server, _, sent = await far.holds(3)
    assert server["url.path"] == "/users/{id}/box"
    assert sent["url.full"] == f"{upstream.url}/users/{{id}}/box"
    assert (server.name, server["http.route"], sent.name) == ("GET /", "/", "GET")
    assert (sent["server.address"], sent["server.port"]) == ("127.0.0.1", upstream.port)
    assert "hunter2" not in repr((server, sent))
    assert "123456" not in repr((server, sent))
    assert server.resource["service.name"] == "holdfast"
