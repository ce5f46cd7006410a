"""Payloads on their way through the real proxy: what is kept of them, and what is not (6.1)."""

import asyncio
import gzip
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from proxy.journal.kept import Kept, fetch
from proxy.journal.rows import Places
from proxy.journal.verify import verify
from tests.harness import Proxy, RawUpstream, answer, chunked, holdfast, request, within
from tests.harness.loops import THE_LOOP
from tests.harness.upstream import then_close
from tests.journal.stored import found_in
from tests.journal.written import lines

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

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
        salts = kept.request_salt, kept.response_salt
        for part, body, salt in zip(("request", "response"), (asked, answered), salts, strict=True):
            assert call[part]["commitment"] == hmac.digest(salt, body, "sha256").hex()
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


async def test_nothing_is_kept_where_no_policy_asks(upstream: RawUpstream) -> None:
    """No folder, no key, no member of a record."""
    async with holdfast(upstream, policies="policies: [{name: p, effect: read}]") as proxy:
        await proxy.call(posted(b"{}"))
        assert (await proxy.metrics()).sum("holdfast_payloads_kept_total") == 0
        found = await ended(proxy)
        assert not {"request", "response"} & found.calls[0].keys()
        assert not (found.folder / "payloads").exists()


async def test_a_body_that_streams_is_taken_as_it_flows(upstream: RawUpstream) -> None:
    """Both ways, in pieces."""
    upstream.then(answer(200, "Transfer-Encoding: chunked", body=None) + chunked(b"ab", b"cd"))
    async with holdfast(upstream, policies=FULL) as proxy:
        async with await proxy.connect() as agent:
            head = request("/x", "Content-Length: 6", method="POST")
            agent.send(head)
            await upstream.began()
            for piece in (b"one", b"two"):
                agent.send(piece)
            assert (await agent.answer("POST")).body == b"abcd"
        kept = (await ended(proxy)).kept()
        assert kept.request is not None
        assert kept.response is not None
        assert (kept.request.content, kept.response.content) == (b"onetwo", b"abcd")


@pytest.mark.parametrize(
    ("policies", "held", "note"),
    [
        (FULL, LARGE, f"cut: the first {LARGE} of {LARGE + 1000} bytes"),
        (REDACTED, None, "not kept: larger than is looked through"),
    ],
)
async def test_a_body_that_is_too_large_says_so(
    upstream: RawUpstream, policies: str, held: int | None, note: str
) -> None:
    """The call goes as ever; the record says how long it was."""
    async with holdfast(upstream, policies=policies) as proxy:
        assert (await proxy.call(posted(b"x" * (LARGE + 1000)))).status == 200
        found = await ended(proxy)
        kept = found.kept().request
        assert kept is not None
        assert (None if kept.content is None else len(kept.content), kept.note) == (held, note)
        assert found.calls[0]["request"]["bytes"] == LARGE + 1000
        assert ("commitment" in found.calls[0]["request"]) is (held is not None)


@pytest.mark.parametrize(
    ("policies", "content", "note"),
    [
        (FULL, b"the beginning", "cut: after 13 bytes it broke off"),
        (REDACTED, None, "not kept: it broke off"),
    ],
)
async def test_an_agent_that_hangs_up_leaves_what_it_sent(
    upstream: RawUpstream, policies: str, content: bytes | None, note: str
) -> None:
    """In the middle of its body: half of a secret is none that could be found."""
    async with holdfast(upstream, policies=policies) as proxy:
        async with await proxy.connect() as agent:
            agent.send(request("/x", "Content-Length: 99", method="POST") + b"the beginning")
            head = await upstream.began()
            connection = upstream.carrier(head)
            await within(connection.until(b"the beginning"))
        await proxy.until_metric("holdfast_calls_total", 1)
        found = await ended(proxy)
        kept = found.kept().request
        assert kept is not None
        assert kept.content == content
        assert kept.note.startswith(note)
        assert found.calls[0]["outcome"] == "cancelled"
        assert "response" not in found.calls[0]


async def test_an_answer_that_breaks_off_says_so(upstream: RawUpstream) -> None:
    """What came of it is kept."""
    upstream.then(then_close(answer(200, "Content-Length: 10", body=None) + b"half"))
    async with holdfast(upstream, policies=FULL) as proxy:
        async with await proxy.connect() as agent:
            agent.send(posted(b"{}"))
            assert (await agent.rest()).endswith(b"half")
        kept = (await ended(proxy)).kept().response
        assert kept is not None
        assert (kept.content, kept.note) == (b"half", "cut: after 4 bytes it broke off")


async def test_what_is_denied_is_kept_as_well(upstream: RawUpstream) -> None:
    """What somebody tried, and what he was told."""
    policies = "policies: [{name: p, deny: {}, audit: {payload: full}}]"
    async with holdfast(upstream, policies=policies) as proxy:
        assert (await proxy.call(posted(b"try"))).status == 403
        kept = (await ended(proxy)).kept()
        assert kept.request is not None
        assert kept.response is not None
        assert kept.request.content == b"try"
        assert b'"code"' in (kept.response.content or b"")
    assert upstream.requests == []


async def test_a_write_still_ends_when_its_record_is_durable(upstream: RawUpstream) -> None:
    """That comes when its bodies were looked through."""
    policies = "policies: [{name: p, effect: write, audit: {payload: redacted}}]"
    async with holdfast(upstream, policies=policies) as proxy:
        assert (await proxy.call(posted(b'{"a": 1}'))).status == 200
        told = await asyncio.to_thread(records, proxy.folder / "state", "call.finished")
        assert [set(each["request"]) for each in told] == [{"bytes", "commitment"}]


async def test_a_reload_begins_to_keep(upstream: RawUpstream) -> None:
    """And a store that cannot be had is a reason to stay with the policies before."""
    async with holdfast(upstream, policies="policies: []") as proxy:
        folder = proxy.folder / "state" / "payloads"
        folder.write_bytes(b"a file in its place")
        proxy.write_policies(FULL)
        assert not proxy.app.reload()
        assert "payloads" in proxy.app.health.rejected
        folder.unlink()
        assert proxy.app.reload()
        await proxy.call(posted(b"x"))
        assert (await ended(proxy)).kept().request is not None


async def test_a_side_store_on_a_full_disk_costs_no_call(upstream: RawUpstream) -> None:
    """What cannot be held is lost, counted, told; the records have all there is to say."""
    async with holdfast(upstream, policies=FULL) as proxy:
        side_store = proxy.app._trail.side_store
        assert side_store.payloads is not None
        side_store.payloads._room = 0
        for _ in range(3):
            assert (await proxy.call(posted(b"x"))).status == 200
        lost = await proxy.until_metric("holdfast_payloads_lost_total", 3, why="store")
        assert lost.sum("holdfast_payloads_kept_total") == 0
        found = await ended(proxy)
        assert [each["request"]["bytes"] for each in found.calls] == [1, 1, 1]


async def test_no_room_on_the_way_costs_no_call(upstream: RawUpstream) -> None:
    """Nor is anything left in it at the end."""
    async with holdfast(upstream, policies=FULL) as proxy:
        space = proxy.app._trail.side_store.space
        space.free = 5
        assert (await proxy.call(posted(b"too much for it"))).status == 200
        assert (await proxy.metrics()).sum("holdfast_payloads_lost_total", why="memory") == 1
        found = await ended(proxy)
        assert space.free == 5
        kept = found.kept().request
        assert kept is not None
        assert kept.note == "not kept: there was no room to hold it"
