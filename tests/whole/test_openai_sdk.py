"""OpenAI's own client through the proxy: what it makes of answers, refusals and streams."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from proxy.lab.sandbox.gateway import start
from tests.harness import Proxy, RawUpstream, holdfast, within
from tests.harness.lazy import Lazy
from tests.harness.loops import THE_LOOP
from tests.harness.models import (
    DONE,
    END,
    MODEL,
    WORDS,
    asked,
    begun,
    chat,
    chat_events,
    chatting,
    chunks,
    parted,
    refusing,
    stream,
    wants_usage,
)
from tests.harness.upstream import then_close

openai = Lazy("openai")

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

RETRIED = """
policies:
  - {name: again, retry: {attempts: 3, backoff: {base: 1ms, max: 2ms}, throttled: {base: 1ms}}}
"""
ASKED: Any = {"model": MODEL, "messages": [{"role": "user", "content": "Is the bank open?"}]}


@asynccontextmanager
async def client(proxy: Proxy, **more: Any) -> AsyncIterator[Any]:
    """As an agent makes it: only its base URL is another."""
    url = f"http://{proxy.listen}/v1"
    async with openai.AsyncOpenAI(base_url=url, api_key="sk-agent", timeout=10, **more) as made:
        yield made


def gated(upstream: RawUpstream, policies: str = "", **mount: Any) -> Any:
    """A proxy before it that speaks OpenAI's API."""
    return holdfast(upstream, "openai", policies or None, mount=mount or None)


async def heard(made: Any, **more: Any) -> tuple[list[Any], str]:
    """A stream's chunks, and the text in them."""
    chunks = [one async for one in await made.chat.completions.create(**ASKED, stream=True, **more)]
    said = [choice.delta.content or "" for one in chunks for choice in one.choices]
    return chunks, "".join(said)


async def test_usage_that_nobody_asked_for_is_kept_from_the_agent(upstream: RawUpstream) -> None:
    """Its upstream is asked in its place; each chunk that comes has a choice."""
    async with gated(upstream, inject_usage=True) as proxy, client(proxy) as made:
        upstream.otherwise = chatting()
        chunks, said = await heard(made)
        assert said == "".join(WORDS)
        assert all(one.choices for one in chunks)
        assert wants_usage(upstream.requests[0])
        body = asked(upstream.requests[0])
        assert body | {"stream_options": None} == ASKED | {"stream": True, "stream_options": None}


async def test_usage_is_not_asked_for_where_nobody_said_so(upstream: RawUpstream) -> None:
    """The body is the agent's to the byte."""
    async with gated(upstream) as proxy, client(proxy) as made:
        upstream.otherwise = chatting()
        await heard(made)
        assert asked(upstream.requests[0]) == ASKED | {"stream": True}


async def test_usage_that_was_asked_for_comes_once(upstream: RawUpstream) -> None:
    """With no choices, as the vendor sends it."""
    async with gated(upstream, inject_usage=True) as proxy, client(proxy) as made:
        upstream.otherwise = chatting()
        chunks, _ = await heard(made, stream_options={"include_usage": True})
        assert [one.usage.total_tokens for one in chunks if not one.choices] == [16]


async def test_nothing_is_sent_more_often_than_a_policy_says(upstream: RawUpstream) -> None:
    """An upstream that is down, a client that would ask three times: three sendings in all."""
    async with gated(upstream, RETRIED) as proxy, client(proxy, max_retries=2) as made:
        upstream.otherwise = refusing(503)
        with pytest.raises(openai.InternalServerError) as told:
            await made.chat.completions.create(**ASKED)
        assert len(upstream.requests) == 3
        assert told.value.response.headers["x-should-retry"] == "false"
        assert told.value.response.headers["holdfast-attempts"] == "3"


async def test_who_repeats_by_itself_is_not_repeated_for(upstream: RawUpstream) -> None:
    """Without a policy the client repeats, and says so: its second request is sent once."""
    async with gated(upstream, RETRIED) as proxy, client(proxy, max_retries=2) as made:
        failing = refusing(503, "x-should-retry: true", "retry-after-ms: 1")
        upstream.then(failing, failing, failing, failing, chat())
        await made.chat.completions.create(**ASKED)
        counted = [one.value("x-stainless-retry-count") for one in upstream.requests]
        assert counted == [b"0", b"0", b"0", b"1", b"2"]


async def test_an_upstream_says_when_to_come_again(upstream: RawUpstream) -> None:
    """`retry-after-ms` is obeyed; too long a wait goes back to the client, which gives up on it."""
    async with gated(upstream, RETRIED) as proxy, client(proxy) as made:
        upstream.then(refusing(429, "retry-after-ms: 3", kind="rate_limit_error"), chat())
        assert (await made.chat.completions.create(**ASKED)).choices[0].message.content
        assert len(upstream.requests) == 2
        upstream.then(refusing(429, "Retry-After: 3600", kind="rate_limit_error"))
        with pytest.raises(openai.RateLimitError) as told:
            await made.chat.completions.create(**ASKED)
        assert told.value.response.headers["retry-after"] == "3600"
        assert len(upstream.requests) == 1


async def test_a_wrong_request_is_not_repeated(upstream: RawUpstream) -> None:
    """Its error comes as it is."""
    async with gated(upstream, RETRIED) as proxy, client(proxy) as made:
        upstream.then(refusing(400, kind="invalid_request_error"))
        with pytest.raises(openai.BadRequestError) as told:
            await made.chat.completions.create(**ASKED)
        assert told.value.type == "invalid_request_error"
        assert len(upstream.requests) == 1


@pytest.mark.parametrize("end", [END, b""], ids=["tidy", "torn"])
async def test_a_stream_without_its_end_is_an_error(upstream: RawUpstream, end: bytes) -> None:
    """The client raises, after all that it heard; alone it takes a tidy end for all there was."""
    policy = "policies: [{name: r, breaker: {consecutive: 1}}]"
    goes_on = asyncio.Event()
    async with gated(upstream, policy) as proxy, client(proxy, max_retries=0) as made:
        upstream.then(parted(begun([*chat_events()][:5]), goes_on, end))
        told = await broken(made, "".join(WORDS[:4]), goes_on)
        assert told.code == "truncated"
        (record,) = await proxy.records(1)
        assert record["outcome"] == "truncated"
        metrics = await proxy.metrics()
        assert metrics.sum("holdfast_attempts_total", result="truncated") == 1
        assert metrics.sum("holdfast_breaker_transitions_total", to="open") == 1


async def broken(made: Any, words: str, then: asyncio.Event) -> Any:
    """What breaks a stream off, after it has said so much; `then`: it has."""
    said = ""
    try:
        async for one in await made.chat.completions.create(**ASKED, stream=True):
            said += one.choices[0].delta.content or ""
            if said == words:
                then.set()
    except openai.APIError as told:
        assert said == words
        return told
    raise AssertionError("it ended well")


async def test_a_kill_ends_a_stream(upstream: RawUpstream) -> None:
    """With an error that says who killed what, and its upstream hears of it."""
    killed = asyncio.Event()
    async with gated(upstream) as proxy, client(proxy, max_retries=0) as made:

        async def kill() -> None:
            await killed.wait()
            await proxy.change("/v1/kills", {"scope": f"tool:{MODEL}", "reason": "case 12"})

        upstream.then(parted(begun([*chat_events()][:3]), asyncio.Event()))
        async with asyncio.TaskGroup() as together:
            together.create_task(kill())
            told = await broken(made, "".join(WORDS[:2]), killed)
        assert told.code == "killed"
        assert told.body["problem"]["executed"] == "unknown"
        await within(upstream.carrier(upstream.requests[0]).ended.wait())


@pytest.mark.parametrize("fault", ["no_end", "cut=4"])
async def test_a_response_without_its_end_is_an_error(fault: str) -> None:
    """Its events have types, and so has the error."""
    sandbox = await start("127.0.0.1:0", seed=7)
    try:
        async with (
            holdfast(sandbox.url, "openai") as proxy,
            client(proxy, max_retries=0) as made,
        ):

            async def respond() -> list[Any]:
                events = await made.responses.create(
                    model=MODEL,
                    input="Hello",
                    stream=True,
                    extra_headers={"x-sandbox-fault": fault},
                )
                return [one async for one in events]

            with pytest.raises(openai.APIError) as told:
                await respond()
            assert told.value.code == "truncated"
    finally:
        await sandbox.close()


async def test_a_stream_that_dies_before_it_says_anything_is_sent_again(
    upstream: RawUpstream,
) -> None:
    """The agent hears one stream, whole, and nothing of the first."""
    async with gated(upstream, RETRIED) as proxy, client(proxy, max_retries=0) as made:
        first = [*chat_events()][:1]
        upstream.then(then_close(begun(first)), stream(chat_events()))
        chunks, said = await heard(made)
        assert said == "".join(WORDS)
        assert [bool(one.choices[0].delta.role) for one in chunks].count(True) == 1
        assert len(upstream.requests) == 2


async def test_what_the_vendor_says_is_what_the_client_hears(upstream: RawUpstream) -> None:
    """With every policy at work: an answer, a stream's bytes, an error in a stream."""
    error = {"error": {"message": "over", "type": "server_error", "code": "x", "param": None}}
    torn = [b"data: %b\n\n" % json.dumps(error).encode(), DONE]
    goes_on = asyncio.Event()
    async with gated(upstream, RETRIED) as proxy, client(proxy) as made:
        upstream.then(chat(), stream(chat_events()))
        upstream.script.append(parted(begun([*chat_events()][:3]), goes_on, chunks(torn) + END))
        got = await made.chat.completions.with_raw_response.create(**ASKED)
        assert got.content == chat().partition(b"\r\n\r\n")[2]
        assert got.headers["holdfast-origin"] == "upstream"
        async with made.chat.completions.with_streaming_response.create(
            **ASKED, stream=True
        ) as raw:
            assert b"".join([part async for part in raw.iter_bytes()]) == b"".join(chat_events())
        assert (await broken(made, "".join(WORDS[:2]), goes_on)).message == "over"


async def test_a_whole_vendor(upstream: RawUpstream) -> None:
    """The sandbox's, direct and through the proxy: chats, responses, embeddings, lists, streams."""

    async def all_of(made: Any) -> list[Any]:
        said: list[Any] = [await made.chat.completions.create(**ASKED)]
        said.append((await heard(made))[1])
        said.append(await made.responses.create(model=MODEL, input="Hello"))
        async with made.responses.stream(model=MODEL, input="Hello") as events:
            said.append([one.type async for one in events])
            said.append(await events.get_final_response())
        said.append(await made.embeddings.create(model=MODEL, input=["a", "b"]))
        said.append([one.id async for one in made.models.list()])
        with pytest.raises(openai.NotFoundError) as told:
            await made.chat.completions.create(**ASKED | {"model": "unknown"})
        return [*said, told.value.body]

    sandbox = await start("127.0.0.1:0", seed=7)
    try:
        direct = openai.AsyncOpenAI(base_url=f"{sandbox.url}/v1", api_key="sk-agent")
        async with direct, holdfast(sandbox.url, "openai", RETRIED) as proxy:
            expected = await all_of(direct)
            async with client(proxy) as made:
                assert await all_of(made) == expected
    finally:
        await sandbox.close()


async def test_the_vendor_is_known_by_its_path() -> None:
    """Where an upstream does not say what it speaks."""
    async with RawUpstream(chat()) as upstream, holdfast(upstream, "auto") as proxy:
        async with client(proxy) as made:
            await made.chat.completions.create(**ASKED)
        (record,) = await proxy.records(1)
        assert (record["protocol"], record["layer"]) == ("openai", "llm")
        assert (record["tool"], record["model"]) == (MODEL, MODEL)
