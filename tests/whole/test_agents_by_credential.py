"""Who calls, told by sockets alone: no header is believed that is not listed (spec 1.1, 2.3)."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from proxy.app import App
from tests.harness import Message, RawUpstream, holdfast, request
from tests.journal.written import lines

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPOOFED = (
    "Holdfast-Agent: boss", "X-Agent-Id: boss", "X-Agent: boss", "Agent: boss",
    "X-Forwarded-User: boss", "Baggage: agent.id=boss",
)  # fmt: skip


def digest(text: str) -> str:
    """As it stands in the file."""
    return hashlib.sha256(text.encode()).hexdigest()


def tokens(folder: Path, **agents: str) -> str:
    """A file that knows these agents."""
    path = folder / "tokens.yaml"
    known = [{"id": name, "sha256": digest(text)} for name, text in agents.items()]
    path.write_text(json.dumps({"agents": known}))
    return str(path)


async def agent_of(app: App, answer: Message, folder: Path) -> Any:
    """As the record has it."""
    await app._trail.durable()
    name = (answer.value("holdfast-call") or b"").decode()
    told = [json.loads(line) for line in lines(folder / "state")]
    (found,) = [line for line in told if line["id"] == name and line["type"] == "call.finished"]
    return found.get("agent", "")


async def test_the_pods_own_agent_is_nobody_else(upstream: RawUpstream) -> None:
    """`static`: whatever it says of itself."""
    async with holdfast(upstream, agent={"id": "pod"}) as proxy:
        answer = await proxy.call(request("/x", *SPOOFED, "Authorization: Bearer s3cret"))
        assert answer.status == 200
        assert await agent_of(proxy.app, answer, proxy.folder) == "pod"


async def test_an_agent_is_who_its_credential_says(upstream: RawUpstream, tmp_path: Path) -> None:
    """And not who its headers say."""
    async with holdfast(
        upstream, identity=["key"], tokens=tokens(tmp_path, ann="s3cret", bob="k")
    ) as proxy:
        for line, name in (("Authorization: Bearer s3cret", "ann"), ("X-Api-Key: k", "bob")):
            answer = await proxy.call(request("/x", line, *SPOOFED))
            assert answer.status == 200
            assert await agent_of(proxy.app, answer, proxy.folder) == name


@pytest.mark.parametrize(
    "shown", ["X-Api-Key: mine", "Authorization: Bearer S3cret", "Accept: */*"]
)
async def test_nobody_is_refused_and_nothing_is_sent(
    upstream: RawUpstream, tmp_path: Path, shown: str
) -> None:
    """With what to do; the credential is not repeated."""
    async with holdfast(
        upstream, identity=["key"], tokens=tokens(tmp_path, ann="s3cret", bob="k")
    ) as proxy:
        before = len(upstream.requests)
        answer = await proxy.call(request("/x", shown, *SPOOFED))
        assert answer.status == 403
        problem = json.loads(answer.body)
        assert (problem["code"], problem["scope"], problem["executed"]) == ("denied", "agent", "no")
        assert "x-api-key" in problem["detail"]
        assert "mine" not in str(problem)
        assert len(upstream.requests) == before
        assert await agent_of(proxy.app, answer, proxy.folder) == ""


async def test_only_the_header_that_is_listed_is_believed(upstream: RawUpstream) -> None:
    """Where it does not come, what is listed next counts."""
    identity = ["header:x-agent-id", "static"]
    async with holdfast(upstream, identity=identity, agent={"id": "pod"}) as proxy:
        believed = await proxy.call(request("/x", "X-Agent-Id: ann", "Holdfast-Agent: boss"))
        unnamed = await proxy.call(request("/x", "Holdfast-Agent: boss"))
        assert await agent_of(proxy.app, believed, proxy.folder) == "ann"
        assert await agent_of(proxy.app, unnamed, proxy.folder) == "pod"


async def test_a_credential_that_was_withdrawn_counts_no_more(
    upstream: RawUpstream, tmp_path: Path
) -> None:
    """From the reload on, on the same connection and for the same bytes."""
    path = tokens(tmp_path, ann="s3cret", bob="k")
    async with (
        holdfast(upstream, identity=["key"], tokens=path) as proxy,
        await proxy.connect() as agent,
    ):
        raw = request("/x", "X-Api-Key: k")
        assert [(await agent.call(raw)).status for _ in range(3)] == [200] * 3
        tokens(tmp_path, ann="s3cret")
        assert await proxy.app._reloaded("ann") == []
        assert (await agent.call(raw)).status == 403
