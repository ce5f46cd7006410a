"""Approvals of several pods that share a real store (spec 4.3): whoever decides, wherever."""

import asyncio
import contextlib
import hashlib
import json
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from proxy.state.sealed import Envelope
from proxy.state.words import Word, closed
from tests.harness import Message, Proxy, RawUpstream, answer, breathe, holdfast, within
from tests.harness.loops import THE_LOOP
from tests.harness.process import holdfast_process
from tests.servers import RedisServer
from tests.whole.test_approvals import POLICY, code, pay
from tests.whole.test_approvals_killed import SECRETS, Refused, asked

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

KEY = "a secret of the fleet"
SOON = 20.0
"""Seconds in which what pods say to each other must have come."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A store of this test."""
    made = RedisServer(tmp_path / "redis", "--save", "").start()
    yield made
    made.stop()


@pytest.fixture
def tokens(tmp_path: Path) -> str:
    """Of two approvers, the same at all pods."""
    people = [
        {"name": name, "roles": ["approver"], "sha256": hashlib.sha256(told.encode()).hexdigest()}
        for name, told in SECRETS.items()
    ]
    (tmp_path / "tokens.yaml").write_text(json.dumps({"tokens": people}))
    return str(tmp_path / "tokens.yaml")


@contextlib.asynccontextmanager
async def pods(
    upstream: RawUpstream, server: RedisServer, tokens: str, number: int, section: str = "hold: 30s"
) -> AsyncIterator[list[Proxy]]:
    """So many, with a key of the fleet."""
    async with contextlib.AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                holdfast(
                    upstream,
                    "tools",
                    POLICY % section,
                    store=server.url,
                    fleet_key=KEY,
                    tokens=tokens,
                )
            )
            for _ in range(number)
        ]


async def tell(admin: str, path: str, by: str, content: Any = None) -> Any:
    """Somebody asks at a pod."""
    return await asyncio.to_thread(asked, admin, f"/v1/approvals{path}", SECRETS[by], content)


async def listed(admin: str, holds: Callable[[dict[str, Any]], bool] = bool) -> dict[str, Any]:
    """The only request that is seen there, once it is so."""

    async def look() -> dict[str, Any]:
        while True:
            items = (await tell(admin, "", "alice"))["items"]
            if len(items) == 1 and holds(items[0]):
                found: dict[str, Any] = items[0]
                return found

    return await within(look(), SOON)


def decides(admin: str, name: str, word: str, by: str) -> Awaitable[Any]:
    """Somebody does."""
    return tell(admin, f"/{name}/decision", by, {"decision": word, "reason": "because"})


def stored(server: RedisServer) -> bytes:
    """All that is in the store, keys and values."""
    with redis.Redis(port=server.port) as client:
        return b"".join(
            name + (client.dump(name) or b"") for name in client.scan_iter("holdfast:*")
        )


async def held(proxy: Proxy) -> "asyncio.Task[Message]":
    """A call that waits at this pod."""
    return asyncio.ensure_future(proxy.call(pay()))


async def test_a_yes_at_another_pod_lets_the_call_go(
    upstream: RawUpstream, server: RedisServer, tokens: str
) -> None:
    """Who says it has seen the exact call there; the store has not."""
    async with pods(upstream, server, tokens, 2) as (here, there):
        upstream.then(answer(200, body=b"paid"))
        call = await held(here)
        item = await listed(there.admin)
        assert (len(item["pod"]), bool(item["host"]), item["state"]) == (16, True, "pending")
        shown = await tell(there.admin, f"/{item['id']}", "alice")
        assert json.loads(shown["request"]["body"])["input"] == {"amount": 5}
        in_store = stored(server)
        assert item["id"].encode() in in_store
        for secret in (b"amount", b"pay", KEY.encode()):
            assert secret not in in_store
        told = await decides(there.admin, item["id"], "approve", "alice")
        assert (told["state"], told["decided"][0]["by"]) == ("approved", "alice")
        assert (await within(call)).body == b"paid"
        assert await listed(there.admin, lambda one: one["state"] == "used")
        with pytest.raises(Refused, match="409 it is over"):
            await decides(there.admin, item["id"], "deny", "bob")
    assert len(upstream.requests) == 1


async def test_two_people_at_two_pods_agree(
    upstream: RawUpstream, server: RedisServer, tokens: str
) -> None:
    """The same one does not count twice, and one no is final."""
    async with pods(upstream, server, tokens, 3, "approvers: 2, hold: 30s") as (one, two, three):
        upstream.then(answer(200, body=b"paid"))
        call = await held(one)
        name = (await listed(two.admin))["id"]
        assert (await decides(two.admin, name, "approve", "alice"))["state"] == "pending"
        with pytest.raises(Refused, match="409 alice has approved it already"):
            await decides(three.admin, name, "approve", "alice")
        assert (await decides(three.admin, name, "approve", "bob"))["state"] == "approved"
        assert (await within(call)).body == b"paid"


async def test_one_no_is_final_at_all_pods(
    upstream: RawUpstream, server: RedisServer, tokens: str
) -> None:
    """Whoever agreed before."""
    async with pods(upstream, server, tokens, 3, "approvers: 2, hold: 30s") as (one, two, three):
        call = await held(one)
        name = (await listed(two.admin))["id"]
        await decides(two.admin, name, "approve", "alice")
        assert (await decides(three.admin, name, "deny", "bob"))["state"] == "denied"
        assert code(await within(call)) == "approval_denied"
        with pytest.raises(Refused, match="409 it is over: denied"):
            await decides(two.admin, name, "approve", "alice")
    assert upstream.requests == []


async def test_while_the_store_is_gone_each_has_its_own(
    upstream: RawUpstream, server: RedisServer, tokens: str
) -> None:
    """What is missing is said; at home all goes on; when it is back, empty, all is seen again."""
    async with pods(upstream, server, tokens, 2) as (here, there):
        upstream.then(answer(200, body=b"paid"))
        call = await held(here)
        name = (await listed(there.admin))["id"]
        server.stop(hard=True)
        page = await tell(there.admin, "", "alice")
        assert (page["items"], bool(page["unseen"])) == ([], True)
        with pytest.raises(Refused, match="503 it does not wait here"):
            await decides(there.admin, name, "approve", "alice")
        server.start()
        assert (await listed(there.admin))["id"] == name
        server.stop(hard=True)
        assert (await decides(here.admin, name, "approve", "alice"))["state"] == "approved"
        assert (await within(call)).body == b"paid"


async def test_a_pod_that_hangs_or_is_killed_has_decided_nothing(
    upstream: RawUpstream, server: RedisServer, tokens: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who decides is told so. When it is there again it waits still, and can be decided."""
    monkeypatch.setenv("HOLDFAST_FLEET_KEY", KEY)
    data = server._folder.parent / "data"
    more = ("--store", server.url, "--tokens", tokens, "--data-dir", str(data))
    policy = POLICY % "hold: 50ms"
    async with pods(upstream, server, tokens, 1) as (there,):
        async with holdfast_process(upstream, "tools", policy, *more) as owner:
            async with await owner.connect() as agent:
                assert code(await agent.call(pay())) == "approval_pending"
            name = (await listed(there.admin))["id"]
            owner.child.send_signal(signal.SIGSTOP)
            with pytest.raises(Refused, match="504 it is not decided: the pod that holds it"):
                await decides(there.admin, name, "approve", "alice")
            owner.child.send_signal(signal.SIGCONT)
            assert (await listed(there.admin))["state"] == "pending"
            owner.child.kill()
            await owner.child.wait()
            with pytest.raises(Refused, match="504 it is not decided: the pod that holds it"):
                await decides(there.admin, name, "approve", "alice")
        upstream.then(answer(200, body=b"paid"))
        async with holdfast_process(upstream, "tools", policy, *more) as owner:
            assert (await listed(there.admin))["id"] == name
            assert (await decides(there.admin, name, "approve", "alice"))["state"] == "approved"
            async with await owner.connect() as agent:
                assert (await agent.call(pay())).body == b"paid"
    assert len(upstream.requests) == 1


async def test_who_can_write_to_the_store_decides_nothing(
    upstream: RawUpstream, server: RedisServer, tokens: str
) -> None:
    """Whatever lies in the box of a pod, and whatever stands in the place of its requests."""
    async with pods(upstream, server, tokens, 2) as (here, there):
        call = await held(here)
        item = await listed(there.admin)
        word = Word(
            item["id"], "approve", "alice", (), False, "", False, "x", time.time(), time.time()
        )
        forged = [
            closed(envelope, word, item["pod"], f"abc-{number}")
            for number, envelope in enumerate([Envelope(b""), Envelope(b"not the fleet's key")])
        ]
        with redis.Redis(port=server.port) as client:
            (board,) = client.scan_iter("holdfast:*:board:*")
            prefix = board.partition(b"board:")[0]
            box, pod = prefix + b"box:" + item["pod"].encode(), item["pod"].encode()
            for number, raw in enumerate([*forged, b"", b"\xff" * 300, b"s" * 100]):
                client.hset(box, f"abc-{number}", raw)
            client.publish(prefix + b"news", b"asks " + pod)

            async def taken() -> None:
                while client.exists(box):
                    await breathe()

            await within(taken(), SOON)
            stands = client.hget(board, item["id"])
            for junk in (b"", b"\xff", b"p\x81", forged[0]):
                client.hset(board, item["id"], junk)
                client.hset(prefix + b"board:evil", item["id"], stands)
                client.zadd(prefix + b"boards", {"evil": time.time() * 2000, b"\xff": 1e15})
                assert (await tell(there.admin, "", "alice"))["items"] == []
        assert (await listed(here.admin))["decided"] == []
        assert not call.done()
        assert (await decides(here.admin, item["id"], "deny", "bob"))["state"] == "denied"
        assert code(await within(call)) == "approval_denied"
    assert upstream.requests == []
