"""A proxy that refuses one tool, and what passes it and what does not."""

import json
from collections.abc import AsyncIterator

import pytest_asyncio

from tests.harness import Message, Proxy, RawUpstream, answer, holdfast, request

POLICIES = """
policies:
  - {name: stop, match: {tool: blocked}, breaker: {consecutive: 1, open: {base: 1h, max: 1h}}}
"""
JSON = "Content-Type: application/json"
FREE = b'{"tool":"free","input":{}}'
BLOCKED = b'{"tool":"blocked","input":{}}'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(far: RawUpstream) -> AsyncIterator[Proxy]:
    """A `tools` upstream whose tool `blocked` is off."""
    async with holdfast(far, "tools", POLICIES, limits={"body_buffer": "1MiB"}) as started:
        far.then(answer(500, body=b"this opens its circuit"))
        assert (await started.call(post(BLOCKED))).status == 500
        yield started


def post(body: bytes, *lines: str, target: str = "/") -> bytes:
    """A tool call; JSON unless a line says otherwise."""
    typed = any(line.lower().startswith("content-type") for line in lines)
    return request(target, *lines, *(() if typed else (JSON,)), method="POST", body=body)


def code(got: Message) -> str:
    """The code of a refusal."""
    return str(json.loads(got.body)["code"])


async def passes(proxy: Proxy, upstream: RawUpstream, raw: bytes, body: bytes) -> None:
    """Answered by the upstream, which received the body as it was."""
    assert (await proxy.call(raw)).status == 200
    assert (await upstream.seen()).body == body


async def refused(
    proxy: Proxy, upstream: RawUpstream, raw: bytes, *status: int, codes: tuple[str, ...] = ()
) -> None:
    """Refused with a problem object; nothing went upstream."""
    got = await proxy.call(raw)
    assert got.status in status, (got.start, got.body)
    assert got.value("content-type") == b"application/problem+json"
    assert not codes or code(got) in codes
    await proxy.call(request("/sentinel"))
    assert [one.target for one in upstream.heads] == [b"/sentinel"]
