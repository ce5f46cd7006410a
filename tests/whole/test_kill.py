"""The kill switch (spec 4.4), on real sockets: new calls, and those that are under way."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from proxy.app import App
from proxy.config.settings import load_settings
from tests.harness import (
    OK,
    Connection,
    Proxy,
    RawUpstream,
    UpstreamConnection,
    answer,
    holdfast,
    request,
    within,
)
from tests.harness.loops import ONE_LOOP
from tests.harness.messages import Message, chunked
from tests.harness.process import holdfast_process
from tests.harness.upstream import after, never

pytestmark = pytest.mark.asyncio(loop_scope="module")

SSE = answer(200, "Content-Type: text/event-stream", "Transfer-Encoding: chunked", body=None)
EVENT = chunked(b"data: 1\n\n").removesuffix(b"0\r\n\r\n")
WRITE = request(
    "/", "Content-Type: application/json", method="POST", body=b'{"tool":"move","input":{}}'
)


async def streams(connection: UpstreamConnection, asked: Message) -> None:
    """One event, and then nothing for as long as anybody listens."""
    connection.send(SSE + EVENT)
    await connection.ended.wait()


async def ask(proxy: Proxy, raw: bytes) -> tuple[int, Any]:
    """At the socket where changes are made: the status and the body of the answer."""
    async with await Connection.open(f"unix:{proxy.folder / 'state' / 'admin.sock'}") as door:
        told = await door.call(raw)
    return told.status, json.loads(told.body)


async def kill(proxy: Proxy, scope: str, **more: Any) -> Any:
    """As the command does it; when it returns, it has happened."""
    body = json.dumps({"scope": scope, "reason": "case 12", **more}).encode()
    lines = ("Content-Type: application/json", "Connection: close")
    status, told = await ask(proxy, request("/v1/kills", *lines, method="POST", body=body))
    assert status == 200, told
    return told


async def revive(proxy: Proxy, scope: str) -> tuple[int, Any]:
    """Likewise."""
    target = f"/v1/kills/{quote(scope, safe='')}?reason=fixed"
    return await ask(proxy, request(target, "Connection: close", method="DELETE"))


async def records(proxy: Proxy, number: int) -> list[Any]:
    """The ends of so many calls, once they are in the journal."""

    async def look() -> list[Any]:
        while True:
            assert await proxy.app._trail.durable()
            lines = [
                json.loads(line)
                for path in sorted((proxy.folder / "state" / "journal").glob("*.jsonl"))
                for line in path.read_text().splitlines()
            ]
            ends = [line for line in lines if line["type"] == "call.finished"]
            if len(ends) >= number:
                return ends

    return await within(look())


def refused(told: Message, executed: str = "no") -> dict[str, Any]:
    """It is the problem of a kill; what that says."""
    problem: dict[str, Any] = json.loads(told.body)
    assert (told.status, problem["code"], problem["executed"]) == (403, "killed", executed)
    assert told.value("x-should-retry") == b"false"
    return problem


async def test_new_calls_are_refused_and_told_why(upstream: RawUpstream) -> None:
    """Who, why and since when; nothing is sent. Revived, they go."""
    async with holdfast(upstream) as proxy:
        told = await kill(proxy, "agent:*", until="2999-01-01T00:00:00Z")
        assert (told["stopped"], told["durable"], told["warnings"]) == (0, True, [])
        problem = refused(await proxy.call(request()))
        assert problem["kill"]["scope"] == "agent:*"
        assert (problem["kill"]["reason"], problem["kill"]["by"]) == ("case 12", "admin.sock")
        assert problem["kill"]["until"] == "2999-01-01T00:00:00.000Z"
        assert upstream.requests == []
        (record,) = await records(proxy, 1)
        assert (record["decision"], record["code"], record["outcome"]) == (
            "refuse",
            "killed",
            "refused",
        )
        assert (await revive(proxy, "agent:*"))[0] == 200
        assert (await proxy.call(request())).status == 200


@ONE_LOOP
@pytest.mark.parametrize(
    "scope",
    ["all", "fleet:default", "agent:*", "tool:move", "workflow:w1", "upstream:gateway"],
)
async def test_every_scope(upstream: RawUpstream, scope: str) -> None:
    """It catches the call that is in it; and lets go of it when it is revived."""
    raw = WRITE.replace(b"Host:", b"holdfast-workflow: w1\r\nHost:")
    async with holdfast(upstream, "tools") as proxy:
        await kill(proxy, scope)
        refused(await proxy.call(raw))
        assert (await revive(proxy, scope))[0] == 200
        assert (await proxy.call(raw)).status == 200


async def test_a_bulkhead_is_a_scope_and_others_are_not_in_it(upstream: RawUpstream) -> None:
    """Agents of another one go on."""
    policies = """
bulkheads: [{name: red, agents: ["a*"]}, {name: blue, agents: ["b*"]}]
"""
    async with holdfast(upstream, policies=policies, identity=["header:x-agent"]) as proxy:
        await kill(proxy, "bulkhead:red")
        refused(await proxy.call(request("/", "X-Agent: a1")))
        assert (await proxy.call(request("/", "X-Agent: b1"))).status == 200


async def test_a_name_that_nothing_has_is_warned_of(upstream: RawUpstream) -> None:
    """Whoever mistyped it must not believe that it is stopped."""
    async with holdfast(upstream) as proxy:
        (warning,) = (await kill(proxy, "upstream:getaway"))["warnings"]
        assert "there is: gateway" in warning


async def test_a_hundred_streams_end_with_an_event_and_an_abort(upstream: RawUpstream) -> None:
    """Each agent reads why; no stream looks whole, and the upstream's ends are let go."""
    async with holdfast(upstream) as proxy:
        upstream.otherwise = streams
        agents = [await proxy.connect() for _ in range(100)]
        for agent in agents:
            agent.send(request("/", "Accept: text/event-stream"))
            await agent.until(b"data: 1\n\n")
        told = await kill(proxy, "all")
        assert told["stopped"] == 100
        for agent in agents:
            rest = await agent.rest()
            assert b"event: error\ndata: {" in rest
            assert b'"code":"killed"' in rest
            assert not rest.endswith(b"0\r\n\r\n")
            agent.close()
        for connection in upstream.connections[-100:]:
            await within(connection.ended.wait())
        refused(await proxy.call(request()))
        ends = await records(proxy, 101)
        assert {(end["code"], end["outcome"]) for end in ends} == {
            ("killed", "cancelled"),
            ("killed", "refused"),
        }


@pytest.mark.parametrize(
    ("head", "part"),
    [
        (SSE, b"data: 1\n\ndata: half"),
        (
            answer(
                200,
                *("Content-Type: text/event-stream", "Content-Encoding: gzip"),
                "Transfer-Encoding: chunked",
                body=None,
            ),
            b"data: 1\n\n",
        ),
        (answer(200, "Content-Type: text/event-stream", "Content-Length: 90", body=None), b"d: 1"),
        (answer(200, "Transfer-Encoding: chunked", body=None), b"anything\n\n"),
    ],
    ids=["within an event", "encoded", "with a length", "no events"],
)
async def test_where_no_event_can_follow_the_stream_is_aborted(
    upstream: RawUpstream, head: bytes, part: bytes
) -> None:
    """Nothing of ours is mixed up with what the upstream said."""

    async def step(connection: UpstreamConnection, asked: Message) -> None:
        framed = chunked(part).removesuffix(b"0\r\n\r\n") if b"chunked" in head else part
        connection.send(head + framed)
        await connection.ended.wait()

    async with holdfast(upstream) as proxy, await proxy.connect() as agent:
        upstream.then(step)
        agent.send(request())
        await agent.until(part)
        await kill(proxy, "all")
        assert b"killed" not in await agent.rest()


async def test_calls_that_run_are_cancelled_and_may_have_run(upstream: RawUpstream) -> None:
    """Also a write: nobody knows what became of it, and the record says so."""
    async with holdfast(upstream, "tools") as proxy, await proxy.connect() as agent:
        upstream.then(never)
        agent.send(WRITE)
        connection = upstream.carrier(await upstream.seen())
        assert (await kill(proxy, "tool:mo*"))["stopped"] == 1
        refused(await agent.answer(), "unknown")
        await within(connection.ended.wait())
        (record,) = await records(proxy, 1)
        assert (record["code"], record["executed"]) == ("killed", "unknown")


async def test_a_write_whose_agent_has_left_is_stopped_as_well(upstream: RawUpstream) -> None:
    """It went on alone, so that its outcome is known."""
    async with holdfast(upstream, "tools") as proxy:
        upstream.then(never)
        async with await proxy.connect() as agent:
            agent.send(WRITE)
            connection = upstream.carrier(await upstream.seen())
            agent.reset()
        await proxy.call(request("/the-reset-has-been-read-by-now"))
        assert not connection.ended.is_set()
        assert (await kill(proxy, "all"))["stopped"] == 1
        await within(connection.ended.wait())
        record = (await records(proxy, 2))[-1]
        assert (record["code"], record["executed"]) == ("killed", "unknown")


async def test_what_waits_backs_off_or_is_held_is_refused(upstream: RawUpstream) -> None:
    """In a queue of ours, between two attempts, in its upload: nobody is left."""
    policies = """
policies:
  - {name: q, match: {path: /queued}, bulkhead: {limit: 1, queue: 9, max_wait: 60s}}
  - {name: r, match: {path: /again}, effect: read, timeout: {total: 200s},
     retry: {attempts: 5, backoff: {base: 50s, max: 50s}}}
"""
    async with holdfast(upstream, policies=policies) as proxy:
        agents = {name: await proxy.connect() for name in ("runs", "queued", "again", "upload")}
        upstream.then(never, answer(503, "Retry-After: 30", body=b"busy"))
        agents["runs"].send(request("/queued"))
        await upstream.seen(1)
        agents["queued"].send(request("/queued"))
        agents["again"].send(request("/again"))
        await upstream.seen(2)
        agents["upload"].send(request("/up", "Content-Length: 90", method="POST") + b"x")
        await upstream.began(3)
        await proxy.until_metric("holdfast_inflight", 4)
        assert (await kill(proxy, "all"))["stopped"] == 4
        refused(await agents["queued"].answer())
        for name in ("runs", "again", "upload"):
            refused(await agents[name].answer(), "unknown")
        for agent in agents.values():
            agent.close()
        assert (await proxy.metrics()).sum("holdfast_inflight") == 0
        assert len(upstream.heads) == 3


async def test_finish_spares_what_runs_and_nothing_else(upstream: RawUpstream) -> None:
    """A stream and a call come to their ends; who waits, and who comes, is refused; and nothing is
    sent once more."""
    policies = """
policies:
  - {name: q, match: {path: /queued}, bulkhead: {limit: 1, queue: 9, max_wait: 60s}}
  - {name: r, match: {path: /again}, effect: read, retry: {attempts: 5}}
"""
    go = asyncio.Event()
    async with holdfast(upstream, policies=policies) as proxy:
        agents = {name: await proxy.connect() for name in ("stream", "runs", "queued", "again")}
        upstream.then(
            after(go, SSE + chunked(b"data: 1\n\n")),
            after(go, OK),
            after(go, answer(503, body=b"busy")),
        )
        for number, (name, target) in enumerate(
            (("stream", "/"), ("runs", "/queued"), ("again", "/again")), 1
        ):
            agents[name].send(request(target))
            await upstream.seen(number)
        agents["queued"].send(request("/queued"))
        await proxy.until_metric("holdfast_queued", 1)
        assert (await kill(proxy, "all", in_flight="finish"))["stopped"] == 1
        refused(await agents["queued"].answer())
        go.set()
        assert (await agents["stream"].answer()).body == b"data: 1\n\n"
        assert (await agents["runs"].answer()).status == 200
        assert (await agents["again"].answer()).status == 503
        assert len(upstream.requests) == 3
        refused(await proxy.call(request()))
        for agent in agents.values():
            agent.close()


async def test_a_tunnel_is_cut(upstream: RawUpstream) -> None:
    """After a 101 there are bytes both ways; then there are none."""
    upgrade = answer(101, "Connection: Upgrade", "Upgrade: echo", body=None)

    async def step(connection: UpstreamConnection, asked: Message) -> None:
        connection.send(upgrade + b"hello")
        await connection.ended.wait()

    async with holdfast(upstream) as proxy, await proxy.connect() as agent:
        upstream.then(step)
        agent.send(request("/", "Connection: Upgrade", "Upgrade: echo"))
        await agent.until(b"hello")
        assert (await kill(proxy, "upstream:gateway"))["stopped"] == 1
        await within(agent.ended.wait())
        await within(upstream.connections[-1].ended.wait())


async def test_others_are_left_alone(upstream: RawUpstream) -> None:
    """Calls outside of the scope are neither stopped nor refused."""
    go = asyncio.Event()
    async with holdfast(upstream) as proxy, await proxy.connect() as agent:
        upstream.then(after(go, OK))
        agent.send(request("/mine"))
        await upstream.seen()
        assert (await kill(proxy, "tool:GET /other"))["stopped"] == 0
        go.set()
        assert (await agent.answer()).status == 200
        refused(await proxy.call(request("/other")))


async def test_a_body_that_is_being_read_does_not_slip_through(upstream: RawUpstream) -> None:
    """Its tool is known when all of it is here: then it is refused. Where its head says enough it
    is refused at once, before and while it is read."""
    head = request("/", "Content-Type: application/json", "Content-Length: 26", method="POST")
    body = b'{"tool":"move","input":{}}'
    async with holdfast(upstream, "tools") as proxy:
        async with await proxy.connect() as agent:
            agent.send(head + body[:10])
            await proxy.metrics()
            assert (await kill(proxy, "tool:move"))["stopped"] == 0
            agent.send(body[10:])
            refused(await agent.answer())
        async with await proxy.connect() as agent:
            agent.send(head + body[:10])
            await proxy.metrics()
            assert (await kill(proxy, "agent:*"))["stopped"] == 1
            refused(await agent.answer())
        told = await proxy.call(head + body[:10])
        refused(told)
        assert told.value("connection") == b"close"
        assert upstream.requests == []
        metrics = await proxy.metrics()
        assert metrics.sum("holdfast_bad_requests_total") == 0
        assert metrics.sum("holdfast_killed") == 2


async def test_no_fallback_goes_to_what_is_killed(upstream: RawUpstream) -> None:
    """A backup that is killed is not asked, though its calls' own upstream is not."""
    policies = f"""
upstreams: {{spare: {{url: "{upstream.url}"}}}}
policies: [{{name: f, effect: read, fallback: [{{upstream: spare}}]}}]
"""
    async with holdfast(upstream, policies=policies) as proxy:
        upstream.then(answer(500, body=b"no"))
        assert (await proxy.call(request())).status == 200
        assert len(upstream.requests) == 2
        await kill(proxy, "upstream:spare")
        upstream.then(answer(500, body=b"no"))
        refused(await proxy.call(request()), "unknown")
        assert len(upstream.requests) == 1


async def test_a_kept_answer_is_not_given_either(upstream: RawUpstream) -> None:
    """What is killed gets no answer at all."""
    policies = "policies: [{name: c, effect: read, cache: {max_age: 5m}}]"
    async with holdfast(upstream, policies=policies) as proxy:
        assert (await proxy.call(request())).status == 200
        await kill(proxy, "all")
        refused(await proxy.call(request()))


# --- over a restart ---


class Home:
    """A data dir that several processes have, one after the other."""

    def __init__(self, folder: Path, upstream: RawUpstream) -> None:
        self.folder = folder
        (folder / "policies").mkdir()
        self.write(upstream)
        settings = {"listen": "127.0.0.1:0", "admin": "127.0.0.1:0"}
        settings |= {"policies": str(folder / "policies"), "data_dir": str(folder / "state")}
        (folder / "holdfast.yaml").write_text(json.dumps(settings))

    def write(self, upstream: RawUpstream, kill: str = "[]") -> None:
        """The policies."""
        mounts = json.dumps({"gateway": {"url": upstream.url, "path": "/"}})
        (self.folder / "policies" / "p.yaml").write_text(f"upstreams: {mounts}\nkill: {kill}\n")

    async def start(self) -> Proxy:
        app = await within(App.start(load_settings(self.folder / "holdfast.yaml")))
        return Proxy(app, self.folder)


@pytest_asyncio.fixture(loop_scope="module")
async def home(tmp_path: Path, upstream: RawUpstream) -> AsyncIterator[Home]:
    yield Home(tmp_path, upstream)


@ONE_LOOP
async def test_it_holds_over_a_restart_until_it_is_revived(home: Home) -> None:
    """Since the same moment; what was revived stays so."""
    proxy = await home.start()
    since = (await kill(proxy, "all"))["since"]
    await within(proxy.app.stop(drain=0))
    proxy = await home.start()
    assert refused(await proxy.call(request()))["kill"]["since"] == since
    assert (await revive(proxy, "all"))[0] == 200
    await within(proxy.app.stop(drain=0))
    proxy = await home.start()
    assert (await proxy.call(request())).status == 200
    await within(proxy.app.stop(drain=0))


@ONE_LOOP
async def test_killed_the_moment_after_the_command_it_is_still_killed(
    upstream: RawUpstream,
) -> None:
    """kill -9 of the proxy; and so says the next one that has its data dir."""
    async with holdfast_process(upstream) as process:
        state = process.folder / "state"
        for words, code in (
            (("kill", "tool:GET /x", "--reason", "case 12"), 0),
            (("revive", "tool:GET /x", "--reason", "fixed"), 0),
            (("kill", "all", "--reason", "case 13"), 0),
        ):
            assert await command(*words, "--data-dir", str(state)) == code
        process.child.send_signal(signal.SIGKILL)
        await process.exited()
        more = ("--data-dir", str(state))
        async with holdfast_process(upstream, "http", "", *more) as again:
            async with await again.connect() as agent:
                problem = refused(await agent.call(request()))
            assert (problem["kill"]["scope"], problem["kill"]["reason"]) == ("all", "case 13")


@ONE_LOOP
async def test_a_signal_kills_all(upstream: RawUpstream) -> None:
    """SIGUSR1; from then on it is as any other."""
    async with holdfast_process(upstream) as process:
        os.kill(process.child.pid, signal.SIGUSR1)
        async with await process.connect() as agent:

            async def look() -> None:
                while (await agent.call(request())).status != 403:
                    pass

            await within(look())
        words = ("revive", "all", "--reason", "a drill", "--data-dir")
        assert await command(*words, str(process.folder / "state")) == 0
        async with await process.connect() as agent:
            assert (await agent.call(request())).status == 200


async def command(*words: str) -> int:
    """`holdfast` with these words; its exit code."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxy", *words), stdout=asyncio.subprocess.DEVNULL
    )
    return await within(child.wait(), 20.0)


# --- what is written down ---


@ONE_LOOP
async def test_what_stands_in_the_policies_goes_with_them_alone(
    home: Home, upstream: RawUpstream
) -> None:
    """A reload throws it, and ends what runs; a DELETE says where it stands."""
    proxy = await home.start()
    async with await proxy.connect() as agent:
        upstream.then(streams)
        agent.send(request())
        await agent.until(b"data: 1\n\n")
        home.write(upstream, '[{scope: "upstream:gateway", reason: by git}]')
        assert proxy.app.reload()
        assert b'"code":"killed"' in await agent.rest()
    assert refused(await proxy.call(request()))["kill"]["by"] == "policies"
    status, problem = await revive(proxy, "upstream:gateway")
    assert status == 409
    assert "p.yaml:2" in problem["detail"]
    await within(proxy.app.stop(drain=0))
    proxy = await home.start()
    refused(await proxy.call(request()))
    home.write(upstream)
    assert proxy.app.reload()
    assert (await proxy.call(request())).status == 200
    await within(proxy.app.stop(drain=0))


@ONE_LOOP
async def test_the_file_is_watched(upstream: RawUpstream) -> None:
    """A line that is added kills; it must go before it can be revived."""
    async with holdfast(upstream) as proxy:
        file = proxy.folder / "state" / "kill"
        file.write_text("all # by hand\n")

        async def look() -> None:
            while (await proxy.call(request())).status != 403:
                pass

        await within(look())
        assert refused(await proxy.call(request()))["kill"]["reason"] == "by hand"
        status, problem = await revive(proxy, "all")
        assert (status, "kill:1" in problem["detail"]) == (409, True)
        file.unlink()
        assert (await revive(proxy, "all"))[0] == 200
        assert (await proxy.call(request())).status == 200
