"""Faults that nobody here wrote (`llmock`), met by both vendors' clients through the proxy."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.harness import breathe, holdfast, within
from tests.harness.lazy import Lazy
from tests.harness.loops import THE_LOOP

anthropic = Lazy("anthropic")
openai = Lazy("openai")

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

SAID: Any = [{"role": "user", "content": "Is the bank open?"}]
POLICY = """
policies:
  - name: p
    timeout: {stream_idle: 2s}
    retry:
      attempts: 3
      backoff: {base: 1ms, max: 2ms}
      throttled: {base: 1ms, max: 2ms}
      budget: {burst: 100}
"""
VENDORS = pytest.mark.parametrize("vendor", ["openai", "anthropic"])


class Client:
    """A vendor's client, that never repeats by itself."""

    def __init__(self, vendor: str, listen: str) -> None:
        self.vendor = vendor
        base = f"http://{listen}"
        self.errors: Any
        self.made: Any
        if vendor == "openai":
            self.errors = openai.APIError
            self.made = openai.AsyncOpenAI(base_url=f"{base}/v1", api_key="k", max_retries=0)
        else:
            self.errors = anthropic.APIError
            self.made = anthropic.AsyncAnthropic(
                base_url=f"{base}/anthropic", api_key="k", max_retries=0
            )

    async def ask(self) -> str:
        """The text of a whole answer."""
        if self.vendor == "openai":
            got = await self.made.chat.completions.create(model="gpt-4o-mini", messages=SAID)
            return got.choices[0].message.content
        got = await self.made.messages.create(model="claude-x", messages=SAID, max_tokens=99)
        return got.content[0].text

    async def hear(self) -> str:
        """That of a stream."""
        said = ""
        if self.vendor == "openai":
            stream = await self.made.chat.completions.create(
                model="gpt-4o-mini", messages=SAID, stream=True
            )
            async for one in stream:
                said += one.choices[0].delta.content or "" if one.choices else ""
            return said
        stream = await self.made.messages.create(
            model="claude-x", messages=SAID, max_tokens=99, stream=True
        )
        async for one in stream:
            said += one.delta.text if one.type == "content_block_delta" else ""
        return said


@asynccontextmanager
async def through(vendor: str, llmock: Any) -> AsyncIterator[Client]:
    """A client of a proxy before it; when both are gone no connection to it is left."""
    async with holdfast(llmock.url, vendor, POLICY) as proxy:
        client = Client(vendor, proxy.listen)
        async with client.made:
            yield client
    connections = llmock._server._server.server_state.connections

    async def none_is_left() -> None:
        while connections:
            await breathe()

    await within(none_is_left())


@VENDORS
async def test_what_fails_for_a_while_is_repeated(vendor: str, llmock: Any) -> None:
    """The client notices nothing, and the vendor finds no fault with how it was asked again."""
    async with through(vendor, llmock) as client:
        expected = await client.ask()
        llmock.reset()
        llmock.fail(500, times=2)
        assert await client.ask() == expected
        llmock.fail(503, times=2)
        assert await client.hear() == expected
        assert len(llmock.requests) == 6
        llmock.assert_resilient()


@VENDORS
async def test_what_is_wrong_is_not_repeated(vendor: str, llmock: Any) -> None:
    """Its error is the client's, after one sending."""
    async with through(vendor, llmock) as client:
        for status in (400, 401, 403, 404, 422):
            llmock.reset()
            llmock.fail(status)
            with pytest.raises(client.errors) as told:
                await client.ask()
            assert told.value.status_code == status
            assert len(llmock.requests) == 1
        llmock.assert_resilient()


Fault = Callable[[Any], Any]
FAULTS: dict[str, Fault] = {
    "disconnect": lambda llmock: llmock.disconnect(after_chunks=4),
    "truncate": lambda llmock: llmock.truncate(after_chunks=4),
    "stall": lambda llmock: llmock.stall(after_chunks=4, seconds=20),
}


@VENDORS
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_stream_that_goes_wrong_is_an_error(vendor: str, fault: str, llmock: Any) -> None:
    """Of the client's own kind, every time; without the proxy some pass for the end."""
    async with through(vendor, llmock) as client:
        llmock.pace(20)  # so that its chunks come one by one
        FAULTS[fault](llmock)
        with pytest.raises(client.errors):
            await within(client.hear())
        llmock.reset()
        assert await client.hear()


@VENDORS
async def test_many_at_once(vendor: str, llmock: Any) -> None:
    """A vendor of whose streams and answers some fail, and nobody hears of it."""
    async with through(vendor, llmock) as client:
        expected = await client.ask()
        llmock.fail(503, times=2)  # three could meet one call
        asked = [client.ask() if number % 2 else client.hear() for number in range(40)]
        assert set(await within(asyncio.gather(*asked), 20)) == {expected}
        llmock.reset()
