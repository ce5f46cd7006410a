"""Tasks of objectives, over real sockets: who ends them, and what a crash leaves."""

import asyncio
import hashlib
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.harness import (
    OK,
    Proxy,
    RawUpstream,
    answer,
    breathe,
    holdfast,
    raw_call,
    request,
    within,
)
from tests.harness.loops import THE_LOOP
from tests.harness.models import parted
from tests.harness.process import Process, holdfast_process
from tests.journal.written import lines
from tests.whole.test_slos import listed, until

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

BROKEN = answer(500, body=b"{}")
POLICIES = """
policies: [{name: p, effect: read, retry: false, breaker: false}]
slos:
  - {name: done, sli: success, per: task, objective: 0.5, idle: 1h, terminal_tools: [release_*]}
"""
GOOD, BAD, EXCLUDED = (
    f'holdfast_slo_events_total{{good="{good}",slo="done"}}'
    for good in ("true", "false", "excluded")
)
OPEN = 'holdfast_slo_open_tasks{slo="done"}'


async def call(process: Process | Proxy, task: str, *headers: str, tool: str = "get_x") -> bytes:
    """One of a task."""
    own = (f"holdfast-task: {task}", "Connection: close", *headers)
    raw = request(f"/v1/{tool}", *own, method="POST", body=b"{}")
    return await within(raw_call(process.listen, raw))


async def ends(
    process: Process | Proxy, task: str, outcome: str, *headers: str, door: str = "", **more: str
) -> tuple[int, Any]:
    """What somebody is told who says how a task ended."""
    body = json.dumps({"outcome": outcome, **more}).encode()
    lines = ("Content-Type: application/json", "Connection: close", *headers)
    raw = request(f"/v1/tasks/{task}/outcome", *lines, method="POST", body=body)
    told = await within(raw_call(door or process.admin, raw))
    head, _, rest = told.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(rest)


def owner(folder: Path) -> str:
    """Where whoever runs the process makes changes."""
    return f"unix:{folder / 'state' / 'admin.sock'}"


async def test_agents_end_tasks_by_what_they_call(upstream: RawUpstream) -> None:
    """By a header, which no upstream sees, or by a tool; what is done in them comes true or not."""
    upstream.otherwise = OK
    async with holdfast(upstream, "tools", POLICIES) as proxy:
        await call(proxy, "a")
        await call(proxy, "b")
        assert (await until(proxy, OPEN, 2))[GOOD] == 0
        await call(proxy, "a", "holdfast-task-end: success")
        await call(proxy, "b", tool="release_escrow")
        await call(proxy, "c", "Holdfast-Task-End: FAILURE")
        upstream.otherwise = BROKEN
        await call(proxy, "d", "holdfast-task-end: success")
        await call(proxy, "d", "holdfast-task-end: success")
        await call(proxy, "e", "holdfast-task-end: nonsense")
        found = await until(proxy, BAD, 2)
        assert (found[GOOD], found[EXCLUDED], found[OPEN]) == (2, 0, 1)
        late = 'holdfast_slo_uncounted_calls_total{slo="done",why="late"}'
        assert (await until(proxy, late, 1))[BAD] == 2
        assert [end.get("task_end", "") for end in await proxy.records(8)] == [
            "", "", "success", "", "failure", "success", "success", "",
        ]  # fmt: skip
    names = {name.lower() for got in upstream.requests for name, _ in got.headers}
    assert b"holdfast-task-end" not in names


async def test_its_owner_ends_a_task(upstream: RawUpstream) -> None:
    """It is told what counts; saying it again changes nothing, and nobody else may."""
    upstream.otherwise = BROKEN
    async with holdfast(upstream, "tools", POLICIES) as proxy:
        door = owner(proxy.folder)
        await call(proxy, "trip/42")
        await until(proxy, OPEN, 1)
        assert (await ends(proxy, "trip/42", "success"))[0] == 403
        status, told = await ends(proxy, "trip/42", "success", door=door)
        assert status == 200
        assert told == {
            "task": "trip/42", "agent": proxy.app._settings.agent.id, "outcome": "success",
            "slos": ["done"], "already": False,
        }  # fmt: skip
        assert (await ends(proxy, "trip/42", "success", door=door))[1]["already"] is True
        status, told = await ends(proxy, "trip/42", "failure", door=door)
        assert (status, told["detail"]) == (409, "it has ended already: success")
        assert (await ends(proxy, "other", "failure", door=door))[0] == 404
        assert (await ends(proxy, "trip/42", "done", door=door))[0] == 400
        assert (await until(proxy, GOOD, 1))[BAD] == 0


async def test_an_agent_ends_its_own_tasks(upstream: RawUpstream, tmp_path: Path) -> None:
    """By the credential that it calls with, and nothing else; it learns nothing of others'."""
    upstream.otherwise = OK
    digest = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("ann", "bob", "oli")}
    tokens = tmp_path / "tokens.yaml"
    operator = {"name": "oli", "roles": ["operator"], "sha256": digest["oli"]}
    agents = [{"id": name, "sha256": digest[name]} for name in ("ann", "bob")]
    tokens.write_text(json.dumps({"tokens": [operator], "agents": agents}))
    settings: dict[str, Any] = {"tokens": str(tokens), "identity": ["key"]}
    async with holdfast(upstream, "tools", POLICIES, **settings) as proxy:
        await call(proxy, "t", "Authorization: Bearer ann")
        await call(proxy, "t", "x-api-key: bob")
        await until(proxy, OPEN, 2)
        oli, ann = "Authorization: Bearer oli", "Authorization: Bearer ann"
        status, told = await ends(proxy, "t", "success", oli)
        assert (status, told["detail"]) == (
            409, "tasks of ann, bob are called so: say whose it is, by agent",
        )  # fmt: skip
        assert (await ends(proxy, "t", "failure", ann, agent="bob"))[0] == 403
        assert (await ends(proxy, "t", "success", ann))[1]["agent"] == "ann"
        assert (await ends(proxy, "u", "success", ann))[0] == 404
        assert (await ends(proxy, "t", "failure", "x-api-key: bob"))[1]["agent"] == "bob"
        assert (await ends(proxy, "t", "failure", "Authorization: Bearer eve"))[0] == 401
        assert (await ends(proxy, "t", "success", oli, agent="ann"))[1]["already"] is True
        assert (await until(proxy, GOOD, 1))[BAD] == 1
        read = request("/v1/slos", "Connection: close", ann)
        assert (await within(raw_call(proxy.admin, read))).split()[1] == b"401"
        assert [line["by"] for line in written(proxy.folder / "state")] == [
            "agent:ann",
            "agent:bob",
        ]


def written(state: Path) -> list[dict[str, Any]]:
    """What the journal has of tasks that no call ended."""
    return [each for each in map(json.loads, lines(state)) if each["type"] == "task.ended"]


async def test_a_crash_leaves_open_what_was_open(upstream: RawUpstream) -> None:
    """What a call has ended is counted once; what somebody said is known; the next process goes on
    with the rest, and what is idle by then is abandoned."""
    upstream.otherwise = OK
    async with holdfast_process(upstream, "tools", POLICIES) as first:
        state = first.folder / "state"
        await call(first, "a", "holdfast-task-end: success")
        await call(first, "b")
        await call(first, "c")
        await until(first, OPEN, 2)
        assert (await ends(first, "b", "failure", door=owner(first.folder)))[0] == 200

        async def durable() -> None:
            while sum(b"call.finished" in line for line in lines(state)) < 3:
                await breathe()

        await within(durable())
        first.child.send_signal(signal.SIGKILL)
        await within(first.child.wait())
        more = ("--data-dir", str(state))
        soon = POLICIES.replace("idle: 1h", "idle: 1s")
        async with holdfast_process(upstream, "tools", soon, *more) as second:
            found = await until(second, BAD, 1)
            shown = await listed(second, "done")
            assert (shown["good"], shown["bad"], found[OPEN]) == (1, 2, 0)
            second.terminate()
            assert await second.exited() == 0
        assert [(line["task"], line["end"]) for line in written(state)] == [
            ("b", "failure"), ("c", "abandoned"),
        ]  # fmt: skip


async def test_a_task_whose_call_is_under_way_is_not_idle(upstream: RawUpstream) -> None:
    """However long that takes; then it ends as it says."""
    upstream.otherwise = OK
    async with holdfast(upstream, "tools", POLICIES.replace("1h", "1s")) as proxy:
        await call(proxy, "busy")
        await call(proxy, "idle")
        await until(proxy, OPEN, 2)
        goes_on = asyncio.Event()
        upstream.then(parted(b"", goes_on, OK))
        work = call(proxy, "busy", "holdfast-task-end: success")
        waits = asyncio.get_running_loop().create_task(work)
        assert (await until(proxy, BAD, 1))[OPEN] == 1
        goes_on.set()
        await waits
        assert (await until(proxy, GOOD, 1))[BAD] == 1


async def test_a_task_that_waits_for_people_is_not_idle(upstream: RawUpstream) -> None:
    """Not before they have decided; what they take is no time of its own."""
    upstream.otherwise = OK
    text = (
        POLICIES.replace("1h", "1s")
        .replace("retry: false", "retry: false, match: {tool: get_x}")
        .replace(
            "breaker: false}]",
            "breaker: false}, {name: ask, match: {tool: pay}, approval: {approvers: 1}}]",
        )
    )
    async with holdfast(upstream, "tools", text) as proxy:
        async with await proxy.connect() as agent:
            later = ("holdfast-task: asks", "Prefer: respond-async")
            asks = request("/v1/pay", *later, method="POST", body=b"{}")
            assert (await agent.call(asks, "POST")).status == 202
        await call(proxy, "idle")
        assert (await until(proxy, BAD, 1))[OPEN] == 1
        (waiting,) = proxy.app._control.desk.files
        decision = {"decision": "deny"}
        await proxy.change(f"/v1/approvals/{waiting.request.id}/decision", decision)
        found = await until(proxy, OPEN, 0)
        assert (found[EXCLUDED], found[BAD]) == (1, 1)
