"""Anthropic's own client through the proxy: what it makes of answers, refusals and streams."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from proxy.lab.sandbox.gateway import start
from tests.harness import (
    Message,
    Proxy,
    RawUpstream,
    UpstreamConnection,
    breathe,
    holdfast,
    within,
)
from tests.harness.lazy import Lazy
from tests.harness.loops import THE_LOOP
from tests.harness.models import (
    CONSUMED,
    END,
    MODEL,
    PING,
    WORDS,
    begun,
    chunks,
    message_events,
    parted,
    refusing,
    stream,
    typed,
)
from tests.harness.upstream import then_close

anthropic = Lazy("anthropic")

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

RETRIED = """
policies:
  - {name: again, retry: {attempts: 3, backoff: {base: 1ms, max: 2ms}, throttled: {base: 1ms}}}
"""
ASKED: Any = {
    "model": MODEL,
    "max_tokens": 1000,
    "messages": [{"role": "user", "content": "Is the bank open?"}],
}
BETAS = "prompt-caching-2024-07-31, odd  spacing,last"


@asynccontextmanager
async def client(url: str, **more: Any) -> AsyncIterator[Any]:
    """As an agent makes it: only its base URL is another."""
    made = anthropic.AsyncAnthropic(base_url=url, api_key="sk-ant-agent", timeout=10, **more)
    async with made:
        yield made


def through(proxy: Proxy, **more: Any) -> Any:
    """A client whose base URL is the proxy's."""
    return client(f"http://{proxy.listen}", **more)


def gated(upstream: RawUpstream, policies: str = "") -> Any:
    """A proxy before it that speaks Anthropic's API."""
    return holdfast(upstream, "anthropic", policies or None)


async def heard(made: Any, **more: Any) -> tuple[list[str], Any]:
    """The types of a stream's events, and the message that they make."""
    async with made.messages.stream(**ASKED, **more) as events:
        kinds = [one.type async for one in events]
        return kinds, await events.get_final_message()


async def test_a_stream_is_heard_as_without_the_proxy(upstream: RawUpstream) -> None:
    """Pings, comments and all; and what the agent asks reaches the vendor to the byte."""
    first, *events = message_events(CONSUMED | {"cache_read_input_tokens": 7})
    said = [first, b": beat\n\n", PING, *events[:4], PING, b":\n\n", *events[4:]]
    asked = {
        "system": [{"type": "text", "text": "Be kind", "cache_control": {"type": "ephemeral"}}],
        "extra_headers": {"anthropic-beta": BETAS},
    }
    async with gated(upstream, RETRIED) as proxy:
        upstream.otherwise = stream(said)
        async with client(upstream.url) as direct, through(proxy) as made:
            expected = await heard(direct, **asked)
            assert await heard(made, **asked) == expected
            asking = made.messages.with_streaming_response.create(**ASKED, stream=True)
            async with asking as raw:
                assert b"".join([part async for part in raw.iter_bytes()]) == b"".join(said)
        alone, proxied, _ = upstream.requests
        assert proxied.body == alone.body
        assert proxied.value("anthropic-beta") == BETAS.encode()
        assert proxied.without("host", "via", "connection") == alone.without(
            "host", "via", "connection"
        )


async def test_every_event_leaves_when_it_comes(upstream: RawUpstream) -> None:
    """The agent has read it before the vendor sends the next."""
    events = [*message_events()]
    said = asyncio.Queue[bytes]()

    async def step(connection: UpstreamConnection, request: Message) -> None:
        connection.send(begun([]))
        while (event := await within(said.get())) != END:
            connection.send(chunks([event]))
        connection.send(END)

    async with gated(upstream) as proxy, through(proxy) as made:
        upstream.then(step)
        asking = asyncio.ensure_future(made.messages.create(**ASKED, stream=True))
        said.put_nowait(events[0])
        got = await within(asking)
        assert (await within(anext(got))).type == "message_start"
        for event in events[1:]:
            said.put_nowait(event)
            if event != PING:  # the client keeps those for itself
                assert (await within(anext(got))).type == json.loads(event.split(b"data: ")[1])[
                    "type"
                ]
        said.put_nowait(END)
        await within(got.close())


async def test_nothing_is_sent_more_often_than_a_policy_says(upstream: RawUpstream) -> None:
    """An upstream that is overloaded, a client that would ask three times: three sendings."""
    async with gated(upstream, RETRIED) as proxy, through(proxy, max_retries=2) as made:
        upstream.otherwise = refusing(529, kind="overloaded_error")
        with pytest.raises(anthropic.APIStatusError) as told:
            await made.messages.create(**ASKED)
        assert told.value.status_code == 529
        assert len(upstream.requests) == 3


@pytest.mark.parametrize("end", [END, b""], ids=["tidy", "torn"])
async def test_a_stream_without_its_end_is_an_error(upstream: RawUpstream, end: bytes) -> None:
    """The client raises, after all that it heard; alone it takes a tidy end for all there was."""
    policy = "policies: [{name: r, breaker: {consecutive: 1}}]"
    goes_on = asyncio.Event()
    async with gated(upstream, policy) as proxy, through(proxy, max_retries=0) as made:
        upstream.then(parted(begun([*message_events()][:6]), goes_on, end))
        told = await broken(made, "".join(WORDS[:3]), goes_on)
        assert told.body["error"]["problem"]["code"] == "truncated"
        (record,) = await proxy.records(1)
        assert record["outcome"] == "truncated"
        metrics = await proxy.metrics()
        assert metrics.sum("holdfast_attempts_total", result="truncated") == 1
        assert metrics.sum("holdfast_breaker_transitions_total", to="open") == 1


async def broken(made: Any, words: str, then: asyncio.Event) -> Any:
    """What breaks a stream off, after it has said so much; `then`: it has."""
    said = ""
    try:
        async for one in await made.messages.create(**ASKED, stream=True):
            if one.type == "content_block_delta":
                said += one.delta.text
            if said == words:
                then.set()
    except anthropic.APIStatusError as told:
        assert said == words
        return told
    raise AssertionError("it ended well")


SPARED = """
upstreams: {spare: {url: "%s", protocol: anthropic, path: /spare}}
policies:
  - {name: main, match: {upstream: gateway}, fallback: [{upstream: spare}]}
"""


@pytest.mark.parametrize("before", [1, 3], ids=["message_start", "ping"])
async def test_a_stream_that_says_nothing_falls_back(upstream: RawUpstream, before: int) -> None:
    """The agent hears the other upstream's stream, once, and nothing of the first."""
    async with RawUpstream() as spare:
        policies = SPARED % spare.url
        async with gated(upstream, policies) as proxy, through(proxy, max_retries=0) as made:
            events = [*message_events()]
            upstream.then(then_close(begun(events[:before])))
            spare.then(stream(message_events()))
            kinds, message = await heard(made)
            assert kinds.count("message_start") == 1
            assert message.content[0].text == "".join(WORDS)
            assert (len(upstream.requests), len(spare.requests)) == (1, 1)
            (record,) = await proxy.records(1)
            assert (record["outcome"], record["served_by"]) == ("fallback", "spare")


async def test_a_stream_that_has_said_something_does_not(upstream: RawUpstream) -> None:
    """The agent has what was said, then an error; no word twice, and no second upstream."""
    goes_on = asyncio.Event()
    async with RawUpstream() as spare:
        policies = SPARED % spare.url
        async with gated(upstream, policies) as proxy, through(proxy, max_retries=0) as made:
            upstream.then(parted(begun([*message_events()][:5]), goes_on))
            told = await broken(made, "".join(WORDS[:2]), goes_on)
            assert told.body["error"]["type"] == "api_error"
            assert not spare.requests


def pings(first: Sequence[bytes]) -> Any:
    """A stream that says this, and then only that it is there."""

    async def step(connection: UpstreamConnection, request: Message) -> None:
        connection.send(begun(first))
        while not connection.ended.is_set():
            connection.send(chunks([PING]))
            await within(connection.may_write.wait())
            await breathe()

    return step


async def test_pings_alone_are_no_progress(upstream: RawUpstream) -> None:
    """A stream that only pings is ended, with an error that says why, and its upstream's too."""
    policy = "policies: [{name: p, timeout: {stream_progress: 300ms}}]"
    async with gated(upstream, policy) as proxy, through(proxy, max_retries=0) as made:
        upstream.then(pings([*message_events()][:4]))
        told = await broken(made, WORDS[0], asyncio.Event())
        assert told.body["error"]["type"] == "timeout_error"
        assert told.body["error"]["problem"]["code"] == "deadline_exceeded"
        await within(upstream.carrier(upstream.requests[0]).ended.wait())


async def test_a_vendors_own_error_in_a_stream_comes_as_it_is(upstream: RawUpstream) -> None:
    """After something was said nobody can try again."""
    goes_on = asyncio.Event()
    over = typed("error", error={"type": "overloaded_error", "message": "Overloaded"})
    async with gated(upstream, RETRIED) as proxy, through(proxy, max_retries=0) as made:
        first = begun([*message_events()][:4])
        upstream.then(parted(first, goes_on, chunks([over]) + END))
        told = await broken(made, WORDS[0], goes_on)
        assert told.body == {
            "type": "error",
            "error": {"type": "overloaded_error", "message": "Overloaded"},
        }
        assert len(upstream.requests) == 1


async def test_a_whole_vendor() -> None:
    """The sandbox's, direct and through the proxy."""
    tool = {
        "name": "pay",
        "input_schema": {"type": "object", "properties": {"to": {"type": "string"}}},
    }

    async def all_of(made: Any) -> list[Any]:
        said: list[Any] = [await made.messages.create(**ASKED), await heard(made)]
        said.append(await heard(made, extra_headers={"x-sandbox-fault": "gzip"}))
        said.append(await heard(made, tools=[tool], tool_choice={"type": "any"}))
        counted = {"model": MODEL, "messages": ASKED["messages"]}
        said.append(await made.messages.count_tokens(**counted))
        said.append([one.id async for one in made.models.list()])
        with pytest.raises(anthropic.NotFoundError) as told:
            await made.messages.create(**ASKED | {"model": "unknown"})
        return [*said, told.value.body]

    sandbox = await start("127.0.0.1:0", seed=7)
    try:
        async with (
            holdfast(sandbox.url, "anthropic", RETRIED) as proxy,
            client(sandbox.url) as direct,
            through(proxy) as made,
        ):
            assert await all_of(made) == await all_of(direct)
    finally:
        await sandbox.close()


async def test_the_vendor_is_known_by_its_path() -> None:
    """Where an upstream does not say what it speaks."""
    async with (
        RawUpstream(stream(message_events())) as upstream,
        holdfast(upstream, "auto") as proxy,
    ):
        async with through(proxy) as made:
            await heard(made)
        (record,) = await proxy.records(1)
        assert (record["protocol"], record["layer"]) == ("anthropic", "llm")
        assert (record["tool"], record["model"]) == (MODEL, MODEL)
