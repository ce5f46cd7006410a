"""No secret comes out where Holdfast writes: one of its own for each place where one can come in.

The real program, as talkative as it can be, with calls that succeed, are refused, fall back, are
sent again, trip a breaker and make no sense; then all that it wrote is searched, in all forms that
a secret takes. What agents and upstreams are sent of each other is theirs, and is not looked at:
of answers to agents, what Holdfast says itself. Payloads are kept whole, and are sealed where they
lie.

Names are no secrets (agents, workflows, tasks, tools, words of paths), and are written down.
"""

import asyncio
import base64
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from proxy.journal.notes import new_signer
from tests.harness import Ended, RawUpstream, answer, breathe, raw_call, request, within
from tests.harness.messages import Message
from tests.harness.process import Process, holdfast_process
from tests.harness.upstream import Step, UpstreamConnection, hang_up
from tests.leaks.planted import Secrets, files_below, own_lines

SETTINGS = """
log: {{level: debug, calls: true, format: json}}
audit: {{segment: 64KiB, checkpoint: {{records: 10, every: 1s}}, key: "${{file:{folder}/key}}"}}
"""
POLICIES = """
upstreams:
  default: {{url: "{url}", path: /}}
  plain:
    url: {url}/base
    protocol: http
    path: /plain
    auth: {{bearer: "${{file:{folder}/bearer}}"}}
  other:
    url: {url}
    protocol: http
    path: /other
    auth: [{{header: x-api-key, value: "${{PLANTED_KEY}}"}}, {{bearer: "{inline}"}}]
policies:
  - name: all
    timeout: {{total: 5s, attempt: 500ms}}
    retry: {{attempts: 2, safe: always, backoff: {{base: 1ms, max: 2ms}}}}
    idempotency: {{}}
    audit: {{payload: full}}
  - name: trips
    match: {{tool: trips}}
    breaker: {{consecutive: 1}}
  - name: denied
    match: {{tool: denied}}
    deny: {{reason: nobody may}}
  - name: limited
    match: {{tool: limited}}
    rate_limit: {{rate: 1/h, burst: 1}}
  - name: falls
    match: {{tool: falls}}
    effect: read
    fallback: [{{static: {{status: 503, body: {{kept: "${{PLANTED_BODY}}"}}}}}}]
  - name: kept
    match: {{tool: kept}}
    effect: read
    cache: {{max_age: 1h}}
  - name: grave
    match: {{tool: grave}}
    risk: critical
"""
CONDITION = """
policies:
  - name: asked
    match: {tool: asked}
    deny: {when: "double(input.note) > 5.0", reason: too much}
"""
TOOLS = (
    "plain",
    "trips",
    "trips",
    "denied",
    "limited",
    "limited",
    "falls",
    "kept",
    "grave",
    "asked",
)
"""Of the calls with an envelope."""
BROKEN = (
    b"HTTP/1.1 200 OK\r\nX-Broken: %b\r\nX Broken: %b\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/9.9 %b\r\n\r\n",
    b"%b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 9%b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%b\r\n",
    b"HTTP/1.1 503 %b\r\nRetry-After: %b\r\nContent-Length: 0\r\n\r\n",
)
"""Answers that are none; %b is a secret."""


class Scene:
    """Everything that is planted, and all that was written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secrets = Secrets()
        self.written: dict[str, bytes] = {}
        (folder / "bearer").write_text(self.secrets("${file:} of auth.bearer"))
        signer = new_signer("holdfast/default/here", os.urandom)
        (folder / "key").write_text(signer.line())
        self.secrets.add("audit.key", signer.line().split("+", 4)[4])
        self.environ = {
            "PLANTED_KEY": self.secrets("${VAR} of auth.value"),
            "PLANTED_BODY": self.secrets("${VAR} of a static answer"),
        }

    def hears(self, name: str, content: bytes) -> None:
        """Something that was written."""
        self.written[name] = self.written.get(name, b"") + content

    def leaks(self) -> list[str]:
        """All of them."""
        found = (self.secrets.found_in(name, text) for name, text in self.written.items())
        return sorted({leak for leaks in found for leak in leaks})

    async def answers(self, connection: UpstreamConnection, asked: Message) -> None:
        """An error for some tools, and secrets in everything that an upstream says."""
        secret, count = self.secrets, len(connection._upstream.requests)
        failed = any(tool in asked.body for tool in (b'"trips"', b'"falls"'))
        status: Any = 500 if failed else [200, 200, 401, 429, 404, 503][count % 6]
        told = {"error": {"message": secret("upstream's body"), "api_key": secret("in its JSON")}}
        connection.send(
            answer(
                status,
                f"Set-Cookie: session={secret('set-cookie')}",
                f"WWW-Authenticate: Bearer realm={secret('www-authenticate')}",
                f"Location: http://u:{secret('userinfo of location')}@h/?t={secret('location')}",
                f"Retry-After: {secret('retry-after')}",
                f"X-Request-Id: {secret('x-request-id')}",
                f"ETag: {secret('etag')}",
                "Content-Type: application/json",
                body=json.dumps(told).encode(),
            )
        )


def lines(secret: Secrets) -> list[str]:
    """Of an agent's request."""
    pair = base64.b64encode(f"u:{secret('proxy-authorization')}".encode()).decode()
    return [
        f"Authorization: Bearer {secret('authorization')}",
        f"X-Api-Key: {secret('x-api-key')}",
        f"Api-Key: {secret('api-key')}",
        f"Proxy-Authorization: Basic {pair}",
        f"Cookie: session={secret('cookie')}; other={secret('second cookie')}",
        f"Referer: http://u:{secret('userinfo of referer')}@h/?token={secret('referer')}",
        f"User-Agent: agent/{secret('user-agent')}",
        f"X-Anything: {secret('a header')}",
        f"Baggage: token={secret('baggage')}",
        f"Tracestate: v={secret('tracestate')}",
        f"Idempotency-Key: {secret('idempotency-key')}",
        f"X-Forwarded-For: {secret('x-forwarded-for')}",
        f"Accept: text/{secret('accept')}",
        f"If-None-Match: {secret('if-none-match')}",
    ]


def arguments(secret: Secrets) -> dict[str, Any]:
    """What a model gives a tool."""
    return {
        "note": secret("an argument"),
        "api_key": secret("input.api_key"),
        "password": secret("input.password"),
        secret("name of an argument"): 1,
        "deep": [{"token": secret("deep in the input")}],
        "url": f"https://u:{secret('userinfo in the input')}@h/?key={secret('URL in the input')}",
        "packed": base64.b64encode(secret("base64 in the input").encode()).decode(),
    }


def calls(secret: Secrets) -> list[bytes]:
    """Requests that can be read, of all shapes."""
    query = f"?api_key={secret('query')}&token={secret('second of the query')}"
    as_json = [*lines(secret), "Content-Type: application/json"]
    key = quote(secret("a key in a path"), safe="")
    bodies: list[tuple[str, Any]] = [
        ("/mcp", {"jsonrpc": "2.0", "id": secret("id of JSON-RPC"), "method": "tools/call",
                  "params": {"name": "x", "arguments": arguments(secret)}}),
        ("/v1/chat/completions", {"model": "m", "user": secret("user of a model"), "messages": [
            {"role": "system", "content": secret("a prompt")}]}),
        ("/v1/messages", {"model": "m", "system": secret("a system prompt"), "messages": []}),
        ("/a2a", {"message": {"parts": [{"text": secret("to another agent")}]}}),
    ]  # fmt: skip
    enveloped = [
        {"tool": tool, "input": arguments(secret), "auth": secret("beside the input")}
        for tool in TOOLS
    ]
    posts = [("/", body) for body in enveloped]
    posts += [
        (f"{mount}{path}", body) for mount in ("/plain", "/other", "") for path, body in bodies
    ]
    return [
        *(request(path + query, *as_json, method="POST", body=json.dumps(body).encode())
          for path, body in posts),
        *(request(f"{mount}/bot7:{key}/send{query}", *lines(secret))
          for mount in ("/plain", "/other")),
        request(
            f"http://u:{secret('userinfo')}@h/plain/x{query}", *lines(secret), host="h"
        ),
    ]  # fmt: skip


def nonsense(secret: Secrets) -> list[bytes]:
    """Requests that nobody can read, or that must not be."""
    told = secret("nonsense")
    return [
        request(f"/\x01{told}", *lines(secret)),
        request("/", f"X Broken: {told}", *lines(secret)),
        request("/", f"Content-Length: 5{told}", *lines(secret)),
        request("/", "Transfer-Encoding: chunked", *lines(secret), method="POST")
        + told.encode() + b"\r\n\r\n",
        request("/", *lines(secret), host=f"u:{told}@h"),
        request("/", *lines(secret), host=f"{told} h"),
        request("/", *lines(secret), method=told.replace("+", "-")),
        request(f"/%2e%2e/{told}/../..", *lines(secret)),
        request("/", *lines(secret), "Content-Type: application/json", method="POST",
                body=f'{{"tool": "x", "tool": "{told}", "input": '.encode()),
        request("/", "Content-Type: application/json", *lines(secret), method="POST",
                body=json.dumps({"tool": ["x", told], "input": {told: told}}).encode()),
        request("/", "Content-Encoding: gzip", "Content-Type: application/json", *lines(secret),
                method="POST", body=told.encode()),
        request("/plain/x", f"X-Large: {told * 3000}", *lines(secret)),
        told.encode() + b"\r\n\r\n",
        b"\x16\x03\x01" + told.encode() + b"\r\n\r\n",
    ]  # fmt: skip


async def called(scene: Scene, process: Process, raw: bytes) -> None:
    """What comes back of Holdfast's own is among what it wrote."""
    try:
        async with await process.connect() as agent:
            agent.send(raw)
            got = await agent.answer("GET")
    except Ended as ended:
        scene.hears("answers that broke off", own_lines(ended.received))
        return
    scene.hears("lines of answers", own_lines(got.raw))
    if (got.value("holdfast-origin") or b"") != b"upstream":
        scene.hears("answers of its own", without_static(got))


def without_static(got: Message) -> bytes:
    """A static answer says what a policy wrote for agents, secret or not."""
    return b"" if b'"kept"' in got.body else got.start + got.body


async def everything(scene: Scene, process: Process, upstream: RawUpstream) -> None:
    """All calls, twice, as each of them may end otherwise."""
    secret = scene.secrets
    upstream.otherwise = scene.answers
    for raw in calls(secret) * 2:
        await called(scene, process, raw)
    for raw in nonsense(secret):
        await called(scene, process, raw)
    told = secret("an answer that is none").encode()
    for number, broken in enumerate((*BROKEN, hang_up)):
        for target in ("/plain/x", "/other/x"):
            step: Step = broken.replace(b"%b", told) if isinstance(broken, bytes) else hang_up
            upstream.script.extend([step, step])
            await called(scene, process, request(f"{target}{number}", *lines(secret)))
            upstream.script.clear()


def wrong_policies(scene: Scene) -> list[str]:
    """Files that cannot be used, each with a secret where the error is, or beside it."""
    secret = scene.secrets("a file of policies")
    url = "http://127.0.0.1:1"
    return [
        f"upstreams: {{a: {{url: 'http://u:{secret}@h', path: /}}}}",
        f"upstreams: {{a: {{url: 'ftp://{secret}', path: /}}}}",
        f"upstreams: {{a: {{url: '{url}', path: /, auth: {{bearer: ['{secret}']}}}}}}",
        f"upstreams: {{a: {{url: '{url}', path: /, auth: {{beerer: '{secret}'}}}}}}",
        f"upstreams: {{a: {{url: '{url}', path: /, auth: '{secret}'}}}}",
        f'upstreams: {{a: {{url: "{url}", path: /, auth: {{bearer: "{secret}\\n"}}}}}}',
        f"upstreams: {{a: {{url: '{url}', path: /, auth: {{header: 'x y', value: '{secret}'}}}}}}",
        f"upstreams: {{a: {{url: '{url}/?key={secret}', path: /}}}}",
        f"upstreams: {{a: {{url: '{url}', path: /, auth: {{bearer: {secret}, value: {secret}}}}}}}",
        f"upstreams: {{a: {{url: '{url}', path: /, auth: {{bearer: {secret}: x}}}}}}",
        f"upstreams: {{a: {{url: '{url}', path: /, auth: {{bearer: '{secret}}}}}}}",
        "policies: [{name: x, retry: {attempts: '${file:%s}'}}]" % (scene.folder / "bearer"),
        "policies: [{name: x, timeout: {total: '${PLANTED_KEY}'}}]",
        "policies: [{name: x, match: {tool: '${PLANTED_KEY}'}, nonsense: '${PLANTED_KEY}'}]",
        "policies: [{name: '${PLANTED_KEY} ', match: {path: '${PLANTED_KEY}'}}]",
        "upstreams: {a: {url: '${PLANTED_KEY}', path: /}}",
        "upstreams: {a: {url: 'http://h/${PLANTED_KEY} x', path: '${PLANTED_KEY}'}}",
    ]  # fmt: skip


async def reloads(scene: Scene, process: Process) -> None:
    """Each of them is rejected, and said to be."""
    place = process.folder / "policies" / "90.yaml"
    for number, text in enumerate(wrong_policies(scene), 1):
        place.write_text(text)
        process.child.send_signal(signal.SIGHUP)
        await told_of(process, '"reload failed"', number)
        scene.hears(
            "/readyz", await raw_call(process.admin, request("/readyz", "Connection: close"))
        )
    place.unlink()
    process.child.send_signal(signal.SIGHUP)
    await told_of(process, '"reloaded"', 1)


async def told_of(process: Process, word: str, times: int) -> None:
    """The log has said it so often."""

    async def look() -> None:
        while sum(word in line for line in process.log) < times:
            await breathe()

    await within(look(), 20.0)


async def pages(scene: Scene, process: Process) -> None:
    """All of the admin port; also for one who sends it secrets."""
    secret = scene.secrets
    bearer = f"Authorization: Bearer {secret('admin token')}"
    asked = f"upstream=default&tool=plain&input=%7B%22note%22%3A%22{secret('asked input')}%22%7D"
    for page in (
        *("/livez", "/readyz", "/startupz", "/metrics", "/v1/status", "/v1/breakers", "/v1/tools"),
        *("/v1/policies", "/v1/journal", f"/v1/policies/explain?{asked}"),
        *("/v1/policies/explain?upstream=plain&method=GET&path=/x", "/v1/tools?limit=0"),
        "/v1/policies/explain?upstream=other&method=GET&path=/x",
    ):
        got = await raw_call(
            process.admin, request(page, bearer, "Connection: close", host="localhost")
        )
        assert b" 200 " in got[:20] or b"limit=0" in page.encode(), (page, got[:300])
        scene.hears(page.partition("?")[0], got)


async def commands(scene: Scene, process: Process, data_dir: Path) -> None:
    """All that shows something."""
    given = json.dumps(arguments(scene.secrets))
    policies, data = ("--policies", str(process.folder / "policies")), ("--data-dir", str(data_dir))
    admin = ("--admin", process.admin)
    plain = ("explain", "--upstream", "plain", "--path", "/x", "--method", "GET")
    tool = ("explain", "--upstream", "default", "--tool", "asked", "--input", given)
    for command in (
        (*plain, *policies), (*plain, *policies, "--json"),
        (*plain, *admin), (*plain, *admin, "--json"),
        (*tool, *admin), (*tool, *admin, "--json"),
        ("status", *admin), ("status", *admin, "--json"), ("breakers", *admin, "--json"),
        ("check", policies[1]), ("audit", "show", "1", *data),
        ("audit", "query", *data), ("audit", "query", "--json", *data),
        ("audit", "query", "--csv", *data), ("audit", "tail", "-n", "999", *data),
        ("audit", "export", "--cloudevents", *data), ("audit", "verify", str(data_dir)),
    ):  # fmt: skip
        code, told = await ran(scene, *command)
        assert code == 0, (command, told)
        scene.hears(f"holdfast {' '.join(command[:2])}", told)


async def wrong_commands(scene: Scene, folder: Path) -> None:
    """What is wrong is said, without what must not be."""
    place = folder / "wrong"
    place.mkdir()
    for number, text in enumerate(wrong_policies(scene), 10):
        (place / f"{number}.yaml").write_text(text)
    for command in (("check", str(place)), ("check", str(place), "--json")):
        code, told = await ran(scene, *command)
        assert code == 1
        assert told.count(b".yaml") >= number - 10, told
        scene.hears(" ".join(command[::2]), told)
    (folder / "wrong.yaml").write_text("audit: {key: '${file:%s}'}\n" % (folder / "bearer"))
    code, told = await ran(scene, "run", "--config", str(folder / "wrong.yaml"))
    assert code in {1, 2}
    scene.hears("holdfast run", told)


async def ran(scene: Scene, *command: str) -> tuple[int, bytes]:
    """A command, its exit code, and all that it said."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxy", *command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **scene.environ},
    )
    told, _ = await within(child.communicate(), 30.0)
    assert child.returncode is not None
    return child.returncode, told


@pytest.mark.timeout(180)
async def test_no_secret_is_written_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Journal, checkpoints, snapshot, log, metrics, admin pages, commands, errors."""
    async with RawUpstream() as upstream:
        scene = await played(upstream, tmp_path, monkeypatch)

    assert scene.leaks() == []


async def played(upstream: RawUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """All of it; and it was what it should be."""
    scene = Scene(tmp_path)
    for name, secret in scene.environ.items():
        monkeypatch.setenv(name, secret)
    (tmp_path / "holdfast.yaml").write_text(SETTINGS.format(folder=tmp_path))
    policies = POLICIES.format(
        url=upstream.url,
        folder=tmp_path,
        inline=scene.secrets("auth.bearer as written"),
    )
    more = ("--config", str(tmp_path / "holdfast.yaml"), "--data-dir", str(tmp_path / "state"))
    async with holdfast_process(upstream, "auto", policies, *more) as process:
        await everything(scene, process, upstream)
        await reloads(scene, process)
        await pages(scene, process)
        await commands(scene, process, tmp_path / "state")
        process.terminate()
        assert await process.exited() == 0
        scene.hears("the log", "".join(process.log).encode())
    await wrong_commands(scene, tmp_path)
    for name, content in files_below(tmp_path / "state").items():
        scene.hears(name, content)

    happened(scene)
    return scene


def happened(scene: Scene) -> None:
    """It was not silence that kept the secrets."""
    journal = b"".join(text for name, text in scene.written.items() if name.startswith("journal/"))
    for code in ("denied", "rate_limited", "circuit_open", "bad_request"):
        assert b'"code":"%b"' % code.encode() in journal + scene.written["answers of its own"], code
    for outcome in ("ok", "failed", "refused", "fallback"):
        assert b'"outcome":"%b"' % outcome.encode() in journal, outcome
    assert b'"n":2' in journal
    assert journal.count(b'"type":"config.rejected"') == len(wrong_policies(scene))
    names = (
        "payloads/payloads.db",
        "journal/00000001.jsonl.gz",
        "journal/snapshot",
        "checkpoints",
        "the log",
        "/metrics",
    )
    assert [name for name in names if len(scene.written[name]) < 300] == []
    log = scene.written["the log"]
    for event in ("call", "bad request", "reload failed", "checkpoint", "circuit"):
        assert b'"event":"%b' % event.encode() in log, event
