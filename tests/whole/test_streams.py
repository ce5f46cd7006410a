"""Streams (spec 2.1): never buffered, never unbounded."""

import asyncio

import pytest

from tests.harness import (
    Ended,
    RawUpstream,
    UpstreamConnection,
    answer,
    breathe,
    holdfast,
    request,
    within,
)
from tests.harness.loops import ONE_LOOP
from tests.harness.messages import Message
from tests.harness.process import Process, holdfast_process

pytestmark = pytest.mark.asyncio(loop_scope="module")

SSE = answer(200, "Content-Type: text/event-stream", "Transfer-Encoding: chunked", body=None)
STILL = 16 << 20
"""Bytes of resident memory that a large body may cost, with the allocator's share."""


def event(number: int) -> bytes:
    """One event in a chunk of its own."""
    said = b"data: %d\n\n" % number
    return b"%x\r\n%s\r\n" % (len(said), said)


class Turns:
    """A stream whose next event is sent only when it is asked for."""

    def __init__(self, head: bytes = SSE) -> None:
        self._head = head
        self.asked: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def step(self, connection: UpstreamConnection, request: Message) -> None:
        connection.send(self._head)
        while (said := await within(self.asked.get())) is not None:
            connection.send(said)


@pytest.mark.parametrize(
    "policies", [None, "policies: [{name: r, effect: read, retry: {}, breaker: {}}]"]
)
async def test_every_event_leaves_when_it_comes(
    upstream: RawUpstream, policies: str | None
) -> None:
    """The agent has read an event before the upstream sends the next: nothing is held back."""
    turns = Turns()
    async with holdfast(upstream, policies=policies) as proxy, await proxy.connect() as agent:
        upstream.then(turns.step)
        agent.send(request("/", "Accept: text/event-stream"))
        for number in range(200):
            turns.asked.put_nowait(event(number))
            await agent.until(b"data: %d\n\n" % number)
        turns.asked.put_nowait(b"0\r\n\r\n")
        turns.asked.put_nowait(None)
        await agent.until(b"0\r\n\r\n")


async def test_heartbeats_leave_when_they_come(upstream: RawUpstream) -> None:
    """Comments and single newlines too."""
    turns = Turns()
    async with holdfast(upstream) as proxy, await proxy.connect() as agent:
        upstream.then(turns.step)
        agent.send(request())
        for beat in (b":\n\n", b": ping\n\n", b"\n"):
            turns.asked.put_nowait(b"%x\r\n%s\r\n" % (len(beat), beat))
            await agent.until(beat)
        turns.asked.put_nowait(b"0\r\n\r\n")
        turns.asked.put_nowait(None)


async def test_a_head_leaves_before_its_body(upstream: RawUpstream) -> None:
    """On an `http` upstream without retry a stream's head does not wait for content."""
    turns = Turns()
    async with holdfast(upstream) as proxy, await proxy.connect() as agent:
        upstream.then(turns.step)
        agent.send(request())
        head = await agent.head()
        assert head.value("content-type") == b"text/event-stream"
        # Not known yet when the head of a stream leaves (2.4).
        assert head.values("holdfast-outcome") == []
        turns.asked.put_nowait(b"0\r\n\r\n")
        turns.asked.put_nowait(None)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_slow_bytes_of_any_answer_leave_when_they_come(
    upstream: RawUpstream, framing: str
) -> None:
    """A single byte is not too little, whatever the answer's type and framing."""
    heads = {
        "length": answer(200, "Content-Length: 50", body=None),
        "chunked": answer(200, "Transfer-Encoding: chunked", body=None),
        "close": answer(200, "Connection: close", body=None),
    }
    turns = Turns(heads[framing])
    async with holdfast(upstream) as proxy, await proxy.connect() as agent:
        upstream.then(turns.step)
        agent.send(request())
        for number in range(50):
            byte = bytes([65 + number])
            turns.asked.put_nowait(b"1\r\n%s\r\n" % byte if framing == "chunked" else byte)
            if number == 0:
                await agent.head()
            await agent.until(byte)
        turns.asked.put_nowait(None)


async def test_an_event_in_pieces_leaves_in_pieces(upstream: RawUpstream) -> None:
    """Half an event is passed on: the agent's parser waits for the rest, not the proxy."""
    turns = Turns()
    async with holdfast(upstream) as proxy, await proxy.connect() as agent:
        upstream.then(turns.step)
        agent.send(request())
        turns.asked.put_nowait(event(1))
        await agent.until(b"data: 1\n\n")
        turns.asked.put_nowait(b"6\r\ndata: \r\n")
        await agent.until(b"data: ")
        turns.asked.put_nowait(b"3\r\n2\n\n\r\n0\r\n\r\n")
        await agent.until(b"2\n\n")
        turns.asked.put_nowait(None)


async def test_a_stream_that_is_cut_does_not_end_cleanly(upstream: RawUpstream) -> None:
    """No last chunk; the call is `truncated`."""
    async with holdfast(upstream) as proxy:

        async def cuts(connection: UpstreamConnection, asked: Message) -> None:
            connection.send(SSE + event(1))
            await proxy.call(request("/the-event-has-been-read-by-now"))
            connection.close()

        upstream.then(cuts)
        async with await proxy.connect() as agent:
            agent.send(request())
            with pytest.raises(Ended) as ended:
                await agent.answer()
            assert not ended.value.received.endswith(b"0\r\n\r\n")
        await proxy.until_metric("holdfast_calls_total", 1, outcome="truncated")


async def test_a_hundred_streams_do_not_mix(upstream: RawUpstream) -> None:
    """Each agent reads its own events, in order, while all are open."""

    async def streams(connection: UpstreamConnection, asked: Message) -> None:
        connection.send(SSE)
        for number in range(20):
            said = asked.target + b":%d " % number
            connection.send(b"%x\r\n%s\r\n" % (len(said), said))
            await breathe()
        connection.send(b"0\r\n\r\n")

    async with holdfast(upstream) as proxy:
        upstream.then()
        upstream.otherwise = streams
        got = await within(
            asyncio.gather(*(proxy.call(request(f"/{agent}")) for agent in range(100)))
        )
    for agent, message in enumerate(got):
        assert message.body == b"".join(b"/%d:%d " % (agent, number) for number in range(20))


# memory


LARGE = 192 << 20
BLOCK = b"x" * (1 << 20)


async def settled(process: Process) -> int:
    """The memory of a process that has already answered a few calls."""
    async with await process.connect() as agent:
        for _ in range(20):
            await agent.call(request())
    return process.resident


@ONE_LOOP
async def test_a_large_download_costs_no_memory(upstream: RawUpstream) -> None:
    """192 MiB pass; what the proxy holds stays flat."""

    async def pours(connection: UpstreamConnection, asked: Message) -> None:
        connection.send(answer(200, f"Content-Length: {LARGE}", body=None))
        for _ in range(LARGE // len(BLOCK)):
            await connection.may_write.wait()
            connection.send(BLOCK)

    async with holdfast_process(upstream) as process:
        upstream.then()
        before = await settled(process)
        upstream.then(pours)
        async with await process.connect() as agent:
            agent.send(request())
            await agent.head()
            agent.keeps = False
            await within(agent.counted(LARGE), 30)
            assert process.resident - before < STILL


@ONE_LOOP
async def test_a_large_upload_costs_no_memory(upstream: RawUpstream) -> None:
    """The same upwards, through an `http` upstream."""

    async def counts(connection: UpstreamConnection, head: Message) -> None:
        if head.method != b"PUT":
            return
        connection.keeps = False
        await within(connection.counted(LARGE), 30)
        connection.send(answer(200, "Connection: close", body=b"all"))
        connection.close()

    async with holdfast_process(upstream) as process:
        upstream.then()
        before = await settled(process)
        upstream.on_head = counts
        async with await process.connect() as agent:
            agent.send(request("/", f"Content-Length: {LARGE}", method="PUT"))
            for _ in range(LARGE // len(BLOCK)):
                await within(agent.may_write.wait())
                agent.send(BLOCK)
            assert (await agent.answer()).body == b"all"
            assert process.resident - before < STILL
