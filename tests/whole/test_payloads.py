"""Payloads on their way through the real proxy: what is kept of them, and what is not (6.1)."""

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from proxy.journal.kept import Kept, fetch, was_committed
from proxy.journal.rows import Places
from proxy.journal.sealing import Who
from proxy.journal.verify import verify
from tests.harness import Proxy, RawUpstream, answer, holdfast, request, within
from tests.journal.stored import found_in
from tests.journal.written import lines

pytestmark = pytest.mark.asyncio(loop_scope="module")

FULL = "policies: [{name: p, effect: read, audit: {payload: full}}]"
REDACTED = "policies: [{name: p, effect: read, audit: {payload: redacted, redact: [input.ssn]}}]"
SECRET = b"sk-live-4242424242424242abcdefgh"
LARGE = 4 << 20


def records(data_dir: Path, *kinds: str) -> list[dict[str, Any]]:
    """Those of some types."""
    told = [json.loads(line) for line in lines(data_dir)]
    return [each for each in told if each["type"] in kinds]


def posted(content: bytes, *more: str, target: str = "/x") -> bytes:
    """A request with a body, of the task t-1."""
    lines = ("Content-Type: application/json", "Holdfast-Task: t-1", *more)
    return request(target, *lines, method="POST", body=content)


class Ended:
    """A data dir whose proxy has stopped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = records(folder, "call.finished")

    def kept(self, number: int = 0) -> Kept:
        """What is kept of a call."""
        found = fetch(Places(self.folder), self.calls[number]["id"])
        assert found is not None
        return found


async def ended(proxy: Proxy) -> Ended:
    """The proxy stops."""
    await within(proxy.app.stop(drain=0))
    return await asyncio.to_thread(Ended, proxy.folder / "state")


async def test_what_is_full_is_kept_whole(upstream: RawUpstream) -> None:
    """Byte for byte, encrypted; the record commits to both bodies, and all of it verifies."""
    asked, answered = b'{"key": "%b"}' % SECRET, b"\x00\xff" * 50
    upstream.then(answer(200, body=answered))
    async with holdfast(upstream, policies=FULL) as proxy:
        assert (await proxy.call(posted(asked))).body == answered
        found = await ended(proxy)
        kept = found.kept()
        assert kept.request is not None
        assert kept.response is not None
        assert (kept.request.content, kept.response.content) == (asked, answered)
        (call,) = found.calls
        assert (call["request"]["bytes"], call["response"]["bytes"]) == (len(asked), 100)
        who, places = Who("t-1", "local-agent"), Places(found.folder)
        for part, body in (("request", asked), ("response", answered)):
            told = call[part]["commitment"]
            assert was_committed(places, call["id"], who, part, body, told)
        assert found_in(found.folder, SECRET) == []
        assert verify(found.folder).exit == 0


async def test_what_is_redacted_is_kept_without_its_secrets(upstream: RawUpstream) -> None:
    """By their form, their name and their place; also where the body is compressed. The agent and
    the upstream see what they always saw."""
    asked = b'{"tool": "t", "input": {"ssn": "078-05-1120", "q": "%b", "n": 7}}' % SECRET
    plain = b'{"mail": "ann@example.com", "password": "hunter2", "ok": true}'
    upstream.then(answer(200, "Content-Encoding: gzip", body=gzip.compress(plain)))
    async with holdfast(upstream, policies=REDACTED) as proxy:
        got = await proxy.call(posted(asked))
        assert gzip.decompress(got.body) == plain
        assert upstream.requests[0].body == asked
        kept = (await ended(proxy)).kept()
        assert kept.request is not None
        assert kept.response is not None
        assert kept.request.content is not None
        assert json.loads(kept.request.content)["input"] == {
            "ssn": "[redacted]",
            "q": "[redacted]",
            "n": 7,
        }
        assert kept.response.content is not None
        assert json.loads(kept.response.content) == {
            "mail": "[redacted]",
            "password": "[redacted]",
            "ok": True,
        }
        assert (kept.request.changed, kept.response.changed) == (True, True)
