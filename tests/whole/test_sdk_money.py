"""What calls of models cost, and caps on it, with both vendors' own clients (spec 4.1, 4.2)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

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
    begun,
    chat,
    chat_events,
    chatting,
    chunks,
    message_events,
    parted,
    talking,
    usage,
)
from tests.harness.upstream import after

anthropic = Lazy("anthropic")
openai = Lazy("openai")

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

PRICED = """
prices:
  models:
    test-model: {input_mtok: 1, cache_read_mtok: 0.1, cache_write_mtok: 2, output_mtok: 10}
budgets: [{name: purse, per: fleet, day: %s}]
"""
"""An input token costs a micro-dollar, one that is written ten."""
SAID: Any = [{"role": "user", "content": "Is the bank open?"}]
CHAT: Any = {"model": MODEL, "messages": SAID}
TALK: Any = {"model": MODEL, "messages": SAID, "max_tokens": 1000}


@asynccontextmanager
async def openai_client(proxy: Proxy) -> AsyncIterator[Any]:
    """As an agent makes it, with the repetitions that it has of itself."""
    url = f"http://{proxy.listen}/v1"
    async with openai.AsyncOpenAI(base_url=url, api_key="sk-agent", timeout=20) as made:
        yield made


@asynccontextmanager
async def anthropic_client(proxy: Proxy) -> AsyncIterator[Any]:
    """Likewise."""
    url = f"http://{proxy.listen}"
    async with anthropic.AsyncAnthropic(base_url=url, api_key="sk-ant", timeout=20) as made:
        yield made


def gated(upstream: RawUpstream, vendor: str, dollars: str = "1", **mount: Any) -> Any:
    """A proxy before it, with so much money for the day."""
    return holdfast(upstream, vendor, PRICED % dollars, mount=mount or None)


async def test_a_chat_costs_what_was_used(upstream: RawUpstream) -> None:
    """Cached tokens are within the input, reasoning is within the output: exact, in all forms."""
    exact = 600 + 400 // 10 + 50 * 10
    async with (
        gated(upstream, "openai", inject_usage=True) as proxy,
        openai_client(proxy) as made,
    ):
        upstream.otherwise = chatting(usage(1000, 50, cached=400, reasoning=20))
        await made.chat.completions.create(**CHAT)
        for options in ({}, {"stream_options": {"include_usage": True}}):
            stream = await made.chat.completions.create(**CHAT, stream=True, **options)
            assert [one async for one in stream]
        ends = await proxy.records(3)
        assert [one["cost_micros"] for one in ends] == [exact] * 3
        assert not any(one.get("cost_estimated") for one in ends)
        assert ends[0]["tokens"]["input"] == 1000
        metrics = await proxy.until_metric("holdfast_cost_micros_total", 3 * exact)
        assert metrics.sum("holdfast_cost_micros_total") == 3 * exact
        assert metrics.sum("holdfast_budget_reserved_micros") == 0


async def test_what_nobody_tells_is_estimated(upstream: RawUpstream) -> None:
    """A stream that does not say what it used costs something all the same, and that is said."""
    async with gated(upstream, "openai") as proxy, openai_client(proxy) as made:
        upstream.otherwise = chatting()
        stream = await made.chat.completions.create(**CHAT, stream=True)
        assert [one async for one in stream]
        (record,) = await proxy.records(1)
        assert record["cost_micros"] > 0
        assert record["cost_estimated"]


async def test_a_message_costs_what_was_used(upstream: RawUpstream) -> None:
    """Caches are beside the input, and the figures of a stream are sums: exact, in both forms."""
    used = CONSUMED | {
        "input_tokens": 100,
        "cache_read_input_tokens": 2000,
        "cache_creation_input_tokens": 300,
    }
    exact = 100 + 2000 // 10 + 300 * 2 + 40 * 10
    async with gated(upstream, "anthropic") as proxy, anthropic_client(proxy) as made:
        upstream.otherwise = talking(used, 40)
        await made.messages.create(**TALK)
        async with made.messages.stream(**TALK) as events:
            await events.get_final_message()
        ends = await proxy.records(2)
        assert [one["cost_micros"] for one in ends] == [exact] * 2
        assert not any(one.get("cost_estimated") for one in ends)


async def test_openai_is_told_once_that_a_budget_is_spent(upstream: RawUpstream) -> None:
    """The client asks no second time, nothing is sent, and the error says until when."""
    async with gated(upstream, "openai", "0.0001") as proxy, openai_client(proxy) as made:
        with pytest.raises(openai.APIStatusError) as told:
            await made.chat.completions.create(**CHAT, max_tokens=1000)
        assert (told.value.status_code, told.value.code) == (402, "budget_exceeded")
        assert told.value.response.headers["x-should-retry"] == "false"
        problem = told.value.body["problem"]
        assert (problem["retryable"], problem["executed"]) == (False, "no")
        assert (problem["scope"], problem["limit"]) == ("fleet", "0.0001")
        assert problem["resets_at"].endswith("Z")
        assert told.value.request_id == problem["instance"]
        assert not upstream.requests
        assert len(await proxy.records(1)) == 1


async def test_anthropic_is_told_once_that_a_budget_is_spent(upstream: RawUpstream) -> None:
    """Likewise."""
    async with gated(upstream, "anthropic", "0.0001") as proxy, anthropic_client(proxy) as made:
        with pytest.raises(anthropic.APIStatusError) as told:
            await made.messages.create(**TALK)
        assert told.value.status_code == 402
        body = told.value.body
        assert (body["type"], body["error"]["type"]) == ("error", "billing_error")
        problem = body["error"]["problem"]
        assert (problem["code"], problem["retryable"]) == ("budget_exceeded", False)
        assert problem["resets_at"].endswith("Z")
        assert told.value.request_id == body["request_id"] == problem["instance"]
        assert not upstream.requests
        assert len(await proxy.records(1)) == 1


AT_ONCE, AFFORDED = 200, 10
RACED = "0.105"
"""Ten times a thousand tokens to be written, and little more."""


async def test_a_cap_holds_against_many_at_once(upstream: RawUpstream) -> None:
    """Those for whom there is money are sent, the others are refused meanwhile; what they did not
    use is free again."""
    answers = asyncio.Event()
    async with gated(upstream, "openai", RACED) as proxy, openai_client(proxy) as made:
        upstream.otherwise = after(answers, chat(usage(10, 100)))

        async def ask() -> int:
            try:
                await made.chat.completions.create(**CHAT, max_tokens=1000)
            except openai.APIStatusError as told:
                return told.status_code
            return 200

        async with asyncio.TaskGroup() as together:
            asking = [together.create_task(ask()) for _ in range(AT_ONCE)]
            for refused in asyncio.as_completed(asking, timeout=30):
                assert await refused == 402
                if sum(one.done() for one in asking) == AT_ONCE - AFFORDED:
                    break
            assert len(upstream.requests) == AFFORDED
            answers.set()
        told = sorted(one.result() for one in asking)
        assert told == [200] * AFFORDED + [402] * (AT_ONCE - AFFORDED)
        metrics = await proxy.until_metric("holdfast_calls_total", AT_ONCE)
        assert metrics.sum("holdfast_budget_reserved_micros") == 0
        assert metrics.sum("holdfast_budget_spent_micros") == AFFORDED * (10 + 100 * 10)
        await made.chat.completions.create(**CHAT, max_tokens=1000)


async def test_those_who_leave_pay_for_what_they_heard(upstream: RawUpstream) -> None:
    """Half of the agents hang up within a stream: it costs, and nothing stays reserved."""
    goes_on = asyncio.Event()
    events = [*chat_events(usage(10, 6))]
    async with (
        gated(upstream, "openai", RACED, inject_usage=True) as proxy,
        openai_client(proxy) as made,
    ):
        upstream.otherwise = parted(begun(events[:4]), goes_on, chunks(events[4:]) + END)
        asking = [
            made.chat.completions.create(**CHAT, max_tokens=1000, stream=True)
            for _ in range(AFFORDED)
        ]
        streams = await within(asyncio.gather(*asking))
        for one in streams:
            await within(anext(aiter(one)))
        for one in streams[::2]:
            await one.close()
        await proxy.until_metric("holdfast_calls_total", AFFORDED // 2, outcome="cancelled")
        goes_on.set()
        for one in streams[1::2]:
            assert [each async for each in one]
        ends = await proxy.records(AFFORDED)
        left = [one["cost_micros"] for one in ends if one["outcome"] == "cancelled"]
        assert len(left) == AFFORDED // 2
        assert all(0 < cost < 10_000 for cost in left)
        metrics = await proxy.metrics()
        assert metrics.sum("holdfast_budget_reserved_micros") == 0


async def test_a_stream_that_was_cut_costs_something(upstream: RawUpstream) -> None:
    """What was read and written until then, with both vendors."""
    async with gated(upstream, "openai") as proxy, openai_client(proxy) as made:
        upstream.then(parted(begun([*chat_events()][:5]), done()))
        with pytest.raises(openai.APIError):
            await heard(await made.chat.completions.create(**CHAT, stream=True))
        (record,) = await proxy.records(1)
        assert record["outcome"] == "truncated"
        assert 0 < record["cost_micros"] < 1000
    async with gated(upstream, "anthropic") as proxy, anthropic_client(proxy) as made:
        upstream.then(parted(begun([*message_events()][:6]), done()))
        with pytest.raises(anthropic.APIError):
            await heard(await made.messages.create(**TALK, stream=True))
        (record,) = await proxy.records(1)
        assert record["outcome"] == "truncated"
        assert 10 < record["cost_micros"] < 1000


async def test_a_stream_is_cut_at_its_cap(upstream: RawUpstream) -> None:
    """One that writes more than there is money for ends with an error that says so."""
    first, word, *_ = chat_events()

    async def endless(connection: UpstreamConnection, asked: Message) -> None:
        connection.send(begun([first]))
        while not connection.ended.is_set():
            connection.send(chunks([word]))
            await within(connection.may_write.wait())
            await breathe()

    async with gated(upstream, "openai", "0.0011") as proxy, openai_client(proxy) as made:
        upstream.then(endless)
        with pytest.raises(openai.APIError) as told:
            await heard(await made.chat.completions.create(**CHAT, max_tokens=100, stream=True))
        assert told.value.code == "budget_exceeded"
        (record,) = await proxy.records(1)
        assert 1000 <= record["cost_micros"] < 3000
        await within(upstream.carrier(upstream.requests[0]).ended.wait())


async def heard(stream: Any) -> None:
    """To its end."""
    async for _ in stream:
        pass


def done() -> asyncio.Event:
    """What has happened already."""
    event = asyncio.Event()
    event.set()
    return event
