"""The proxy itself on what the chart makes: settings, policies, probes, and what changes there."""

import asyncio
import contextlib
import hashlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.cli import main
from tests.harness import RawUpstream, request, within
from tests.harness.agent import raw_call
from tests.harness.process import STARTING, Process, started
from tests.helm.drawing import Drawn, containers, drawn, one, pods
from tests.helm.matrix import CASES, Case
from tests.helm.mounted import mount
from tests.servers import RedisServer

SECRETS = "/run/secrets/holdfast"
KEYS = ("gateway", "openai", "anthropic")
PASSWORD = "0badc0de"
AGENTS_TRIES = (
    ("GET", "/v1/status"),
    ("GET", "/v1/calls"),
    ("DELETE", "/v1/kills/all"),
    ("POST", "/v1/approvals/x/decision"),
    ("POST", "/v1/reload"),
)


def files(objects: list[Drawn], name: str, folder: Path) -> dict[str, str]:
    """Of a ConfigMap, with the folder where the pod's secrets would be."""
    held: dict[str, str] = one(objects, "ConfigMap", name)["data"]
    return {file: text.replace(SECRETS, str(folder)) for file, text in held.items()}


def laid_out(objects: list[Drawn], folder: Path, upstream: str = "") -> None:
    """A pod's volumes in a folder; with an upstream, all calls go there."""
    policies = files(objects, "-policies", folder)
    if upstream:
        policies["00-upstreams.yaml"] = policies["00-upstreams.yaml"].replace(
            "https://tools.example", upstream
        )
    mount(folder / "settings", files(objects, "-settings", folder))
    mount(folder / "policies", policies)
    mount(folder / "credentials", dict.fromkeys(KEYS, "first-key"))
    mount(folder / "tokens", {"tokens.yaml": "tokens: []\n"})
    mount(folder / "journal", {"journal.skey": ""})


@contextlib.asynccontextmanager
async def running(folder: Path, **more: str) -> AsyncIterator[Process]:
    """`holdfast run` as in the pod, but for where its volumes and ports are."""
    free = {"HOLDFAST_LISTEN": "127.0.0.1:0", "HOLDFAST_ADMIN": "127.0.0.1:0"}
    placed = {
        "HOLDFAST_CONFIG": str(folder / "settings" / "holdfast.yaml"),
        "HOLDFAST_POLICIES": str(folder / "policies"),
        "HOLDFAST_DATA_DIR": str(folder / "data"),
    }
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxy", "run", "--ready-file", str(folder / "ready.json")),
        env={**os.environ, **free, **placed, **more},
        stderr=asyncio.subprocess.PIPE,
    )
    async with started(child, folder) as process:
        yield process


async def got(address: str, path: str) -> bytes:
    """The answer to a GET, whole."""
    return await raw_call(address, request(path, "Connection: close"))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_policies_pass_the_check(case: Case, tmp_path: Path, capsys):
    """`holdfast check --strict`, of each case: the shipped ones, and those of the examples."""
    objects = case.drawn()
    laid_out(objects, tmp_path)

    with pytest.raises(SystemExit) as ended:
        main(["check", "--strict", str(tmp_path / "policies")])

    assert ended.value.code == 0, capsys.readouterr()


def test_small_money_and_large_numbers_survive_helm(tmp_path: Path, capsys):
    """Written as YAML, they pass through numbers of Go, which have spellings of their own."""
    values = tmp_path / "values.yaml"
    values.write_text(
        "policies: {20-a.yaml: {budgets: ["
        "{name: small, per: agent, day: 0.00005}, {name: large, per: agent, day: 20000000}]}}"
    )
    laid_out(drawn("--values", values), tmp_path)

    with pytest.raises(SystemExit) as ended:
        main(["check", "--strict", str(tmp_path / "policies")])

    assert ended.value.code == 0, capsys.readouterr()


async def test_a_pod_starts_and_its_probes_answer(tmp_path: Path):
    """At the paths that the containers name; then it ends within its drain, as kubelet asks."""
    objects = CASES["native sidecar"].drawn()
    laid_out(objects, tmp_path)
    (pod,) = (pod for pod in pods(objects) if pod.get("kind") != "Pod")
    container = containers(pod)[0]
    async with running(tmp_path) as process:
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            path = container[kind]["httpGet"]["path"]
            assert (await got(process.admin, path)).startswith(b"HTTP/1.1 200"), path
        process.terminate()
        assert await process.exited() == 0


async def test_a_classic_sidecar_is_waited_for(tmp_path: Path):
    """What kubelet runs after its start ends well once the proxy has started."""
    objects = CASES["classic sidecar"].drawn()
    laid_out(objects, tmp_path)
    (pod,) = (pod for pod in pods(objects) if pod.get("kind") != "Pod")
    words = containers(pod)[0]["lifecycle"]["postStart"]["exec"]["command"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    async with running(tmp_path) as process:
        waiting = await asyncio.create_subprocess_exec(
            *(sys.executable, *words[1:]),
            env={**os.environ, "PATH": path, "HOLDFAST_ADMIN": process.admin},
        )
        assert await within(waiting.wait(), STARTING) == 0


async def test_what_kubelet_swaps_in_counts_at_once(tmp_path: Path):
    """Another key of a Secret is sent, another file of policies holds, and no restart is needed."""
    objects = CASES["native sidecar"].drawn()
    async with RawUpstream() as upstream:
        laid_out(objects, tmp_path, upstream.url)
        async with running(tmp_path) as process:
            asked = request("/v1/get_balance", method="POST", body=b"{}")
            async with await process.connect() as agent:
                await agent.call(asked)
                first = await upstream.seen()
                mount(tmp_path / "credentials", dict.fromkeys(KEYS, "second-key"))
                await process.said('"reloaded"', 1)
                await agent.call(asked)
                second = await upstream.seen(2)
                policies = files(objects, "-policies", tmp_path)
                closed = "policies: [{name: closed, deny: {reason: closed for now}}]\n"
                mount(tmp_path / "policies", policies | {"20-pricing.yaml": closed})
                await process.said('"reloaded"', 2)
                refused = await agent.call(asked)

    assert first.value("authorization") == b"Bearer first-key"
    assert second.value("authorization") == b"Bearer second-key"
    assert refused.status == 403


async def test_whoever_leaves_the_secret_of_tokens_is_out(tmp_path: Path):
    """And who came in is in, without a restart."""
    old, new = "a" * 43, "b" * 43
    laid_out(CASES["native sidecar"].drawn(), tmp_path)
    mount(tmp_path / "tokens", {"tokens.yaml": known(old)})
    async with running(tmp_path) as process:
        before = [await status(process, token) for token in (old, new)]
        mount(tmp_path / "tokens", {"tokens.yaml": known(new)})
        await process.said('"tokens loaded"', 2)
        after = [await status(process, token) for token in (old, new)]

    assert (before, after) == ([200, 401], [401, 200])


def known(token: str) -> str:
    """A file of tokens with one."""
    digest = hashlib.sha256(token.encode()).hexdigest()
    return f"tokens: [{{name: alice, roles: [viewer], sha256: {digest}}}]\n"


async def status(process: Process, token: str) -> int:
    """What who shows it is answered."""
    asked = request("/v1/status", f"Authorization: Bearer {token}", "Connection: close")
    return int((await raw_call(process.admin, asked)).split()[1])


async def test_an_agent_may_nothing_at_the_admin_port_of_its_pod(tmp_path: Path):
    """Where the chart has it, and no tokens file is there: not even from the loopback."""
    laid_out(CASES["nothing said"].drawn(), tmp_path)
    async with running(tmp_path, HOLDFAST_ADMIN="0.0.0.0:0") as process:
        near = f"127.0.0.1:{process.admin.rpartition(':')[2]}"
        for method, path in AGENTS_TRIES:
            asked = request(path, "Connection: close", method=method, body=b"{}")
            assert (await raw_call(near, asked)).startswith(b"HTTP/1.1 403"), path


async def test_the_pods_of_a_gateway_share_the_redis_of_the_release(tmp_path: Path):
    """The server takes the arguments, and its one user may do all that the store needs."""
    objects = CASES["gateway as in the example"].drawn()
    laid_out(objects, tmp_path)
    args = containers(one(objects, "StatefulSet", "-redis")["spec"]["template"])[0]["args"]
    told = [word.replace("$(PASSWORD)", PASSWORD) for word in args[2:]]
    server = RedisServer(tmp_path / "redis", *told).start()
    try:
        store = f"redis://holdfast:{PASSWORD}@127.0.0.1:{server.port}/0"
        more = {"HOLDFAST_STORE": store, "HOLDFAST_FLEET_KEY": "k" * 32, "REDIS_PASSWORD": PASSWORD}
        async with running(tmp_path, **more) as process:
            assert b'"store":{"ok":true' in await got(process.admin, "/readyz")
    finally:
        server.stop()
