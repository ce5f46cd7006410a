"""Approvals of the real program, which is killed between any two steps (spec 4.3)."""

import asyncio
import contextlib
import hashlib
import http.client
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proxy.journal.verify import verify
from tests.harness import Message, RawUpstream, UpstreamConnection, request, within
from tests.harness.loops import THE_LOOP
from tests.harness.process import Process, holdfast_process
from tests.journal.written import lines
from tests.whole.test_approvals import POLICY, code, pay

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

SECRETS = {"alice": "a" * 32, "bob": "b" * 32}
WAITS = "hold: 50ms"


class Refused(Exception):
    """The admin side says no; the text says why."""


def asked(admin: str, path: str, token: str, content: Any = None) -> Any:
    """What is answered there to whoever shows this token."""
    connection = http.client.HTTPConnection(admin, timeout=10.0)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = None if content is None else json.dumps(content)
    try:
        connection.request("GET" if body is None else "POST", path, body, headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
    finally:
        connection.close()
    if answer.status != 200:
        raise Refused(f"{answer.status} {told['detail']}")
    return told


class Side:
    """A process on a data dir that stays, and people who reach it."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._admin = process.admin

    async def call(self, raw: bytes | None = None) -> Message:
        """One call on a connection of its own."""
        async with await self.process.connect() as agent:
            return await agent.call(raw or pay())

    async def listed(self, by: str = "alice") -> list[dict[str, Any]]:
        """What waits for people."""
        page = await asyncio.to_thread(asked, self._admin, "/v1/approvals", SECRETS[by])
        items: list[dict[str, Any]] = page["items"]
        return items

    async def one(self, by: str = "alice") -> dict[str, Any]:
        """The only one, with the exact call."""
        (item,) = await self.listed()
        path = f"/v1/approvals/{item['id']}"
        found: dict[str, Any] = await asyncio.to_thread(asked, self._admin, path, SECRETS[by])
        return found

    async def say(self, word: str, by: str = "alice") -> dict[str, Any]:
        """Somebody decides about the only one."""
        (item,) = await self.listed()
        path = f"/v1/approvals/{item['id']}/decision"
        said = {"decision": word, "reason": "because"}
        told: dict[str, Any] = await asyncio.to_thread(asked, self._admin, path, SECRETS[by], said)
        return told

    def kill(self) -> None:
        """As the kernel does."""
        self.process.child.send_signal(signal.SIGKILL)


@contextlib.asynccontextmanager
async def running(upstream: RawUpstream, folder: Path, section: str = WAITS) -> AsyncIterator[Side]:
    """The program on this folder, killed at the end."""
    tokens = folder / "tokens.yaml"
    people = [
        {
            "name": name,
            "roles": ["approver"],
            "sha256": hashlib.sha256(secret.encode()).hexdigest(),
        }
        for name, secret in SECRETS.items()
    ]
    tokens.write_text(json.dumps({"tokens": people}))
    more = ("--data-dir", str(folder / "data"), "--tokens", str(tokens))
    async with holdfast_process(upstream, "tools", POLICY % section, *more) as process:
        side = Side(process)
        try:
            yield side
        finally:
            if process.child.returncode is None:
                side.kill()
            await process.child.wait()


def types(folder: Path) -> list[str]:
    """Of the journal's lines about approvals."""
    told = [json.loads(line)["type"] for line in lines(folder / "data")]
    return [kind.partition(".")[2] for kind in told if kind.startswith("approval.")]


async def test_what_waits_is_still_there(upstream: RawUpstream, tmp_path: Path) -> None:
    """With the exact call; what is decided then counts, and nothing of it is left."""
    async with running(upstream, tmp_path) as side:
        assert code(await side.call(pay("Authorization: Bearer s3cret"))) == "approval_pending"
        before = await side.one()
    async with running(upstream, tmp_path) as side:
        found = await side.one()
        assert (found["id"], found["state"]) == (before["id"], "pending")
        shown = found["request"]
        assert shown == before["request"]
        assert (shown["method"], shown["path"], json.loads(shown["body"])["tool"]) == (
            "POST", "/", "pay",
        )  # fmt: skip
        assert ["content-type", "application/json"] in shown["headers"]
        assert not any(name == "authorization" for name, _ in shown["headers"])
        assert code(await side.call()) == "approval_pending"
        assert len(await side.listed()) == 1
        await side.say("approve")
        assert (await side.call()).body == b"ok"
    assert len(upstream.requests) == 1
    assert types(tmp_path) == ["requested", "decided", "consumed"]
    assert verify(tmp_path / "data").exit == 0
    held = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert b"amount" not in held
    assert b"s3cret" not in held


@pytest.mark.parametrize(("word", "came"), [("approve", "ok"), ("deny", "approval_denied")])
async def test_a_decision_is_not_lost(
    upstream: RawUpstream, tmp_path: Path, word: str, came: str
) -> None:
    """Once it is acknowledged."""
    async with running(upstream, tmp_path) as side:
        assert code(await side.call()) == "approval_pending"
        await side.say(word)
    async with running(upstream, tmp_path) as side:
        got = await side.call()
        assert (got.body.decode() if came == "ok" else code(got)) == came
    assert len(upstream.requests) == (1 if came == "ok" else 0)
    assert types(tmp_path).count("requested") == 1


async def test_the_second_of_two_may_come_later(upstream: RawUpstream, tmp_path: Path) -> None:
    """And is still another person."""
    async with running(upstream, tmp_path, f"{WAITS}, approvers: 2") as side:
        assert code(await side.call()) == "approval_pending"
        assert (await side.say("approve", "alice"))["state"] == "pending"
    async with running(upstream, tmp_path, f"{WAITS}, approvers: 2") as side:
        with pytest.raises(Refused, match=r"409 .*second person"):
            await side.say("approve", "alice")
        assert (await side.say("approve", "bob"))["state"] == "approved"
        assert (await side.call()).body == b"ok"


async def test_what_was_sent_is_never_sent_again(upstream: RawUpstream, tmp_path: Path) -> None:
    """It is told that nobody knows what became of it."""
    arrived = asyncio.Event()

    async def never(_: UpstreamConnection, __: Message) -> None:
        arrived.set()

    async with running(upstream, tmp_path, "hold: 20s") as side:
        upstream.then(never)
        async with await side.process.connect() as agent:
            agent.send(pay())
            while not await side.listed():
                pass
            await side.say("approve")
            await within(arrived.wait())
            side.kill()
            await side.process.child.wait()
    async with running(upstream, tmp_path) as side:
        told = json.loads((await side.call()).body)
        assert (told["code"], told["executed"]) == ("approval_expired", "unknown")
        assert "not sent again" in told["detail"]
    assert len(upstream.requests) == 1


async def test_what_nobody_decided_expires_meanwhile(upstream: RawUpstream, tmp_path: Path) -> None:
    """The next process notes it, and asks anew."""
    async with running(upstream, tmp_path, "hold: 20ms, expires: 2s") as side:
        assert code(await side.call()) == "approval_pending"
        (before,) = await side.listed()
    async with running(upstream, tmp_path) as side:

        async def anew() -> None:
            while True:
                assert code(await side.call()) in {"approval_pending", "approval_expired"}
                if [now["id"] for now in await side.listed()] not in ([], [before["id"]]):
                    return

        await within(anew())
    assert types(tmp_path) == ["requested", "expired", "requested"]


async def test_the_agent_cannot_decide(upstream: RawUpstream, tmp_path: Path) -> None:
    """Without a token nobody even reads; what it guesses is no token."""
    async with running(upstream, tmp_path) as side:
        assert code(await side.call()) == "approval_pending"
        (item,) = await side.listed()
        path, said = f"/v1/approvals/{item['id']}/decision", {"decision": "approve"}
        for token in ("", "guess"):
            with pytest.raises(Refused, match="401 "):
                await asyncio.to_thread(asked, side._admin, path, token, said)
        through = request(path, method="POST", body=json.dumps(said).encode())
        assert (await side.call(through)).status == 200  # it went to the upstream
        assert code(await side.call()) == "approval_pending"
