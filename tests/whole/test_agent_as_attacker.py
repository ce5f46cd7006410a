"""The agent as attacker: it reaches every port of the pod, and has no token (THREAT_MODEL.md).

A real `holdfast run` with people's tokens. What the agent may not do is tried in every way that we
know of; afterwards nothing was changed, and nobody else's data was told.
"""

import asyncio
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from proxy.admin.keyring import FREE
from proxy.admin.keyring import WAITING as HELD
from tests.harness import Connection, Message, RawUpstream, raw_call, request, within
from tests.harness.process import Process, holdfast_process
from tests.harness.wire import finish
from tests.journal.written import lines

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=["asyncio"])

VIEWER, APPROVER, OPERATOR, AGENT = ("v" * 43, "a" * 43, "o" * 43, "g" * 43)
SECRET = "the-recipient-is-9183"
POLICIES = """
policies:
  - name: all
    effect: write
    cost: 0.001
  - name: pay
    match: {tool: pay}
    risk: high
    approval: {hold: 50ms}
budgets:
  - {name: small, per: agent, match: {tool: dear}, total: 0.002}
"""
PAY = json.dumps({"tool": "pay", "input": {"to": SECRET}}).encode()
LOCAL = "localhost"
PATIENCE = 20.0
"""Seconds: wrong tokens are answered late."""
CLAIMS = (
    (),
    ("holdfast-agent: olga",),
    ("HOLDFAST-AGENT: olga", "x-agent-id: olga", "X-Agent-Id: alice"),
    ("X-Forwarded-For: 127.0.0.1", "X-Forwarded-User: olga", "X-Real-IP: 127.0.0.1"),
    ("Forwarded: for=127.0.0.1;by=unix", "X-Forwarded-Host: admin.sock", "Via: 1.1 admin.sock"),
    ("X-Remote-User: olga", "Remote-User: olga", "X-Original-URL: /livez", "X-Rewrite-URL: /livez"),
    ("Authorization: Basic b2xnYTpvbGdh",),
    (f"Authorization: Bearer {AGENT}",),
    (f"authorization: bearer {AGENT}", f"Authorization: Bearer {AGENT}"),
    (f"Proxy-Authorization: Bearer {OPERATOR}",),
    (f"X-Api-Key: {OPERATOR}", f"Cookie: token={OPERATOR}"),
    (f"Authorization: {OPERATOR}",),
    (f"Authorization: Basic {OPERATOR}",),
    (f"Authorization: Bearer {OPERATOR}x",),
    (f"Authorization: Bearer {hashlib.sha256(OPERATOR.encode()).hexdigest()}",),
    ("Authorization: Bearer",),
    ("Authorization: Bearer admin.sock",),
)
"""What it says of itself. Right tokens are in no place where they would count."""


def entry(name: str, secret: str, *roles: str) -> dict[str, Any]:
    digest = hashlib.sha256(secret.encode()).hexdigest()
    return {"name": name, "roles": roles, "sha256": digest}


class Pod(NamedTuple):
    """What the agent is in."""

    process: Process
    upstream: RawUpstream
    state: Path

    async def admin(self, method: str, path: str, *claims: str, body: bytes = b"") -> Message:
        """What is answered on the admin port, on a connection of its own."""
        more = (*claims, "Content-Type: application/json", "Connection: close")
        raw = request(path, *more, method=method, body=body, host=LOCAL)
        async with await Connection.open(self.process.admin) as door:
            door.patience = PATIENCE
            return await door.call(raw, method)

    async def known(self, path: str, token: str = VIEWER) -> Any:
        """What somebody sees who may."""
        told = await self.admin("GET", path, f"Authorization: Bearer {token}")
        assert told.status == 200
        return json.loads(told.body)

    async def call(self, raw: bytes) -> Message:
        """A call of the agent's."""
        async with await self.process.connect() as agent:
            return await agent.call(raw)

    async def waiting(self) -> str:
        """The id of the call that waits for people."""
        (item,) = (await self.known("/v1/approvals?state=pending"))["items"]
        return str(item["id"])

    async def unchanged(self) -> None:
        """Nothing is killed or decided, and the journal knows of no change."""
        assert (await self.known("/v1/kills"))["items"] == []
        assert (await self.known("/v1/approvals?state=pending"))["items"]
        types = {json.loads(line)["type"] for line in lines(self.state)}
        assert types.isdisjoint({"kill.engaged", "approval.decided", "erasure", "breaker.changed"})
        assert len(self.upstream.heads) == 0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    far: RawUpstream, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Process]:
    tokens = tmp_path_factory.mktemp("tokens") / "tokens.yaml"
    people = [
        entry("vera", VIEWER, "viewer"),
        entry("alice", APPROVER, "approver"),
        entry("olga", OPERATOR, "operator"),
    ]
    agents = [{"id": "local-agent", "sha256": hashlib.sha256(AGENT.encode()).hexdigest()}]
    tokens.write_text(json.dumps({"tokens": people, "agents": agents}))
    async with holdfast_process(far, "tools", POLICIES, "--tokens", str(tokens)) as process:
        async with await process.connect() as agent:
            asked = await agent.call(request("/", method="POST", body=PAY))
            assert json.loads(asked.body)["code"] == "approval_pending"
        yield process


@pytest.fixture
def pod(running: Process, upstream: RawUpstream) -> Pod:
    return Pod(running, upstream, running.folder / "state")


async def routes(pod: Pod) -> list[tuple[str, str, bool]]:
    """Method, path and whether it is open: of all that the program says it serves."""
    described = json.loads((await pod.admin("GET", "/openapi.json")).body)
    name = await pod.waiting()
    return [
        (method.upper(), re.sub(r"\{[^}]*\}", name, path), operation.get("security") == [])
        for path, operations in described["paths"].items()
        for method, operation in operations.items()
    ]


BODIES = {
    "kills": {"scope": "all", "reason": "because"},
    "decision": {"decision": "approve", "reason": "because"},
    "erasures": {"agent": "local-agent", "reason": "because"},
    "breakers": {"state": "open"},
}


def said(path: str) -> bytes:
    """A body that would be good there."""
    content = next((body for part, body in BODIES.items() if part in path), {})
    return json.dumps(content).encode()


async def test_no_route_believes_what_the_agent_says(pod: Pod) -> None:
    """401, whatever it claims; or it has guessed too often."""
    shut = [(method, path) for method, path, is_open in await routes(pod) if not is_open]
    assert len(shut) >= 18
    few = asyncio.Semaphore(60)

    async def tries(method: str, path: str, claims: tuple[str, ...]) -> None:
        body = b"" if method in {"GET", "DELETE"} else said(path)
        async with few:
            told = await pod.admin(method, path, *claims, body=body)
        assert told.status in ({401, 429} if claims else {401}), (method, path, claims)
        assert SECRET.encode() not in told.body

    await asyncio.gather(*(tries(*place, claims) for place in shut for claims in CLAIMS))
    await pod.unchanged()


async def test_what_is_open_shows_no_call(pod: Pod) -> None:
    """Neither what was asked for, nor whose approval it waits for."""
    for method, path, is_open in await routes(pod):
        if is_open:
            told = await pod.admin(method, path)
            assert told.status == 200
            assert SECRET.encode() not in told.body
            assert (await pod.waiting()).encode() not in told.body


@pytest.mark.parametrize("query", ["token", "access_token", "authorization", "api_key", "key"])
async def test_a_token_in_a_query_is_none(pod: Pod, query: str) -> None:
    """It would stand in logs and histories."""
    told = await pod.admin("GET", f"/v1/status?{query}={OPERATOR}")
    assert told.status == 401
    told = await pod.admin("POST", f"/v1/kills?{query}={OPERATOR}", body=said("kills"))
    assert told.status == 401
    await pod.unchanged()


PATHS = [
    "//v1/status", "/v1//status", "/./v1/status", "/livez/../v1/status", "/metrics/../v1/kills",
    "/%76%31/status", "/v1%2fstatus", "/v1%2Fstatus", "/%2e/v1/status", "/livez/%2e%2e/v1/status",
    "/v1/status/", "/V1/STATUS", "/v1/status%00", "/v1/status%0a", "/v1/status;/livez",
    "/v1;x/status", "/livez;/v1/status", "/v1\\status", "/livez?/v1/status", "/livez/v1/status",
    "/openapi.json/../v1/calls", "http://localhost/v1/status", "http://localhost//v1/status",
    "http://other/v1/status", "*", "/v1/approvals/", "/v1/approvals/%2e%2e/status",
    "/v1/calls/..%2fstatus",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
async def test_no_spelling_of_a_path_opens_it(pod: Pod, path: str) -> None:
    """Not found, or a token is needed; what is open stays what it is."""
    told = await pod.admin("GET", path)
    assert told.status in {400, 401, 403, 404, 405} or told.body == b'{"status":"alive"}'
    assert b'"items"' not in told.body
    assert b'"journal"' not in told.body


@pytest.mark.parametrize(
    "method", ["HEAD", "OPTIONS", "TRACE", "PUT", "PATCH", "PROPFIND", "CONNECT", "get", "DELETE"]
)
async def test_no_method_opens_what_another_does_not(pod: Pod, method: str) -> None:
    """Nor a header that names another one."""
    override = ("X-HTTP-Method-Override: POST", "X-Method-Override: DELETE", "X-HTTP-Method: POST")
    for path in ("/v1/status", "/v1/kills", "/v1/kills/all", "/v1/budgets", "/v1/approvals"):
        raw = request(path, *override, "Connection: close", method=method, host=LOCAL)
        told = await within(raw_call(pod.process.admin, raw))
        status = int(told.split(b" ", 2)[1])
        assert status in {400, 401, 404, 405}, path
        assert b"X-HTTP-Method" not in told  # TRACE gives nothing back
    await pod.unchanged()


KILL = b'{"scope": "all", "reason": "because"}'
HIDDEN = b"POST /v1/kills HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (
    len(KILL),
    KILL,
)
SMUGGLED = {
    "both lengths": b"POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % (len(HIDDEN) + 5) + HIDDEN,
    "two lengths": b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
    b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
    "body of a probe": b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    % len(HIDDEN) + HIDDEN,
    "pipelined": b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" + HIDDEN,
    "bare LF": b"GET /livez HTTP/1.1\nHost: localhost\n\n" + HIDDEN,
    "folded": b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nX: a\r\n"
    b" Authorization: Bearer " + OPERATOR.encode() + b"\r\n\r\n" + HIDDEN,
    "websocket": b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + HIDDEN,
    "h2c": b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\n"
    b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n" + HIDDEN,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
    "HTTP/0.9": b"GET /v1/status\r\n",
    "no Host": b"GET /v1/status HTTP/1.0\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("how", SMUGGLED)
async def test_nothing_is_smuggled_in(pod: Pod, how: str) -> None:
    """However one request is hidden in another: none of them gets a role by it."""
    async with await Connection.open(pod.process.admin) as door:
        door.send(SMUGGLED[how] + b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        first = await door.until(b"\r\n\r\n")
        await pod.unchanged()
        told = first + door.waiting
    found = {int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", told)}
    assert found <= {200, 400, 401, 403, 404}
    assert b"101 Switching" not in told
    assert b'"scope"' not in told
    assert b'"uptime"' not in told


async def test_pages_and_names_that_lead_here_are_no_tokens(pod: Pod) -> None:
    """DNS rebinding, and a browser that somebody left open."""
    for claims in (
        ("Origin: http://evil.example",),
        ("Origin: null", "Sec-Fetch-Site: cross-site"),
        ("Origin: http://localhost", "Sec-Fetch-Site: same-origin"),
    ):
        told = await pod.admin("POST", "/v1/kills", *claims, body=KILL)
        assert told.status in {401, 403}
    raw = request("/v1/status", "Connection: close", host="evil.example")
    told_raw = await within(raw_call(pod.process.admin, raw))
    assert told_raw.startswith(b"HTTP/1.1 401 ")
    assert b"access-control" not in told_raw.lower()
    await pod.unchanged()


async def test_the_agents_port_leads_to_upstreams_only(pod: Pod) -> None:
    """`/v1` there is a call; no form of a target makes the proxy ask its own admin side."""
    told = await pod.call(request("/v1/kills", method="POST", body=b'{"tool": "kills"}'))
    assert (told.status, told.body) == (200, b"ok")
    (asked,) = pod.upstream.requests
    assert asked.target == b"/v1/kills"
    admin = pod.process.admin
    for target in (f"http://{admin}/v1/status", f"//{admin}/v1/status", f"/{admin}/v1/status"):
        raw = request(target, host=admin)
        async with await pod.process.connect() as agent:
            got = await agent.call(raw)
        assert got.body == b"ok" or got.status in {400, 404}
        assert b'"uptime"' not in got.body
    refused = await pod.call(request(admin, method="CONNECT", host=admin))
    assert refused.status == 405


async def test_an_upstream_that_is_the_admin_side_has_no_more_rights(pod: Pod) -> None:
    """Somebody mounted it by mistake: what comes through the proxy needs a token as well."""
    async with (
        holdfast_process(f"http://{pod.process.admin}") as other,
        await other.connect() as agent,
    ):
        told = await agent.call(request("/v1/status"))
        assert told.status == 401
        told = await agent.call(request("/v1/kills", method="POST", body=KILL))
        assert told.status == 401
    assert (await pod.known("/v1/kills"))["items"] == []


async def test_no_header_raises_a_budget_or_ends_a_kill(pod: Pod) -> None:
    """Nor makes the agent another one."""
    raises = (
        "holdfast-agent: olga", "X-Agent-Id: olga", "holdfast-cost: 0", "holdfast-budget: 1000",
        "holdfast-workflow: fresh", "holdfast-approved: yes", "holdfast-priority: interactive",
    )  # fmt: skip
    dear = request("/", *raises, method="POST", body=b'{"tool": "dear"}')
    assert [(await pod.call(dear)).status for _ in range(3)] == [200, 200, 402]
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        told = await pod.admin(method, "/v1/budgets", f"Authorization: Bearer {OPERATOR}")
        assert told.status == 405
    kill = json.dumps({"scope": "agent:local-*", "reason": "case 12"}).encode()
    token = f"Authorization: Bearer {OPERATOR}"
    assert (await pod.admin("POST", "/v1/kills", token, body=kill)).status == 200
    plain = request("/", *raises, method="POST", body=b'{"tool": "x"}')
    assert (await pod.call(plain)).status == 403
    told = await pod.admin("DELETE", "/v1/kills/agent%3Alocal-%2A")
    assert told.status == 401
    assert (await pod.call(plain)).status == 403
    assert (await pod.admin("DELETE", "/v1/kills/agent%3Alocal-%2A", token)).status == 200
    assert (await pod.call(plain)).status == 200


async def test_the_one_role_is_not_the_other(pod: Pod) -> None:
    """Who approves does not run the proxy, and who runs it does not approve."""
    decision = f"/v1/approvals/{await pod.waiting()}/decision"
    for path, token in (("/v1/kills", APPROVER), (decision, OPERATOR), (decision, VIEWER)):
        told = await pod.admin("POST", path, f"Authorization: Bearer {token}", body=said(path))
        assert told.status == 403
    assert (await pod.known("/v1/approvals?state=pending"))["items"]
    shown = await pod.known(f"/v1/approvals/{await pod.waiting()}")
    assert shown["request"] is None


async def test_guesses_are_held_back_and_a_right_token_is_not(pod: Pod) -> None:
    """Only so many wait, the rest is turned away, nothing of it is kept."""
    guess = request("/v1/status", "Authorization: Bearer " + "x" * 8_000, host=LOCAL)
    doors = [await Connection.open(pod.process.admin) for _ in range(120)]
    try:
        for door in doors:
            door.patience = PATIENCE
        before = pod.process.resident
        answers = [asyncio.ensure_future(door.call(guess)) for door in doors]
        first, late = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
        while len(late) > HELD:
            first, late = await asyncio.wait(late, return_when=asyncio.FIRST_COMPLETED)
        assert first
        assert (await pod.known("/v1/status"))["ready"] is True
        assert [each for each in late if not each.done()]  # the right one came before them
        statuses = [(await each).status for each in answers]
        assert set(statuses) == {401, 429}
        assert statuses.count(401) <= HELD + FREE
        assert pod.process.resident - before < 32 << 20
    finally:
        await finish(*doors)


async def test_whoever_takes_all_connections_does_not_keep_people_out(pod: Pod) -> None:
    """By a token, or by the command at admin.sock: it can still be stopped."""
    doors = [await Connection.open(pod.process.admin) for _ in range(300)]
    try:
        assert (await pod.known("/v1/status"))["ready"] is True
        path = f"unix:{pod.state / 'admin.sock'}"
        for _ in range(2):
            raw = request("/v1/kills", "Connection: close", host=LOCAL)
            told = await within(raw_call(path, raw))
            assert told.startswith(b"HTTP/1.1 200 ")
        over = sum(door.ended.is_set() for door in doors)
        assert over >= 300 - 256
    finally:
        await finish(*doors)


ANOTHER_USER = """
import os, socket, sys
state = sys.argv[1]
os.setgroups([]); os.setgid(65534); os.setuid(65534)
with socket.socket(socket.AF_UNIX) as door:
    try:
        door.connect(state + "/admin.sock")
        print("connected")
    except PermissionError:
        pass
names = "approvals journal journal/00000001.jsonl keys keys/journal.skey keys/approvals.key"
for name in (names + " checkpoints lock admin.sock").split():
    path = os.path.join(state, name)
    for way in (os.listdir, lambda at: open(at, "rb"), lambda at: open(at, "ab"), os.unlink):
        try:
            way(path)
            print("reached", path)
        except (PermissionError, IsADirectoryError, NotADirectoryError):
            pass
try:
    open(state + "/kill", "w").close()
    print("wrote")
except PermissionError:
    print("tried")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs to be root")
async def test_another_user_of_the_machine_reaches_nothing(pod: Pod) -> None:
    """Neither the socket, nor keys, journal or what people are shown."""
    os.chmod(pod.process.folder, 0o755)  # its own mode is what keeps others out
    words = (sys.executable, "-c", ANOTHER_USER, str(pod.state))
    for mode in (0o700, 0o755):  # also where somebody made the data dir before, as usual
        os.chmod(pod.state, mode)
        ran = await asyncio.to_thread(
            subprocess.run, words, capture_output=True, text=True, timeout=20.0, check=True
        )
        assert ran.stdout == "tried\n"
    os.chmod(pod.state, 0o700)
    assert (await pod.known("/v1/status"))["ready"] is True


async def test_in_the_end_nobody_was_told_and_nothing_written(pod: Pod) -> None:
    """The payload of a call that waits is in no log, no metric and no file that can be read."""
    metrics = await pod.admin("GET", "/metrics")
    assert SECRET.encode() not in metrics.body
    assert SECRET not in "".join(pod.process.log)
    for secret in (SECRET, VIEWER, APPROVER, OPERATOR, AGENT):
        for path in pod.state.rglob("*"):
            if path.is_file():
                assert secret.encode() not in path.read_bytes(), path
