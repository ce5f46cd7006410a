"""One Holdfast, from start to stop. What agents notice of it is in tests/whole."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme

import proxy.app
from proxy.app import App
from proxy.config.load import load_policies
from proxy.config.loaded import Loaded
from proxy.config.places import ConfigError
from proxy.config.settings import Audit, Settings, load_settings
from proxy.journal.folder import Locked
from proxy.journal.payloads import PayloadsState
from proxy.journal.rows import Rows
from proxy.journal.sealing import Trouble
from proxy.journal.verify import verify
from proxy.units import Seconds
from tests.harness import RawUpstream, breathe, holdfast, raw_call, request, upstream_yaml, within
from tests.journal.written import lines


@pytest.fixture
async def upstream() -> AsyncIterator[RawUpstream]:
    """A far end of its own."""
    async with RawUpstream() as far:
        yield far


@pytest.fixture
def taken() -> Iterator[str]:
    """An address at which somebody listens already."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def settings(folder: Path, policies: str = "policies: []", **more: str) -> Settings:
    """Of a Holdfast in a folder of its own."""
    (folder / "policies").mkdir(exist_ok=True)
    (folder / "policies" / "p.yaml").write_text(policies)
    written = {
        "listen": "127.0.0.1:0", "admin": "127.0.0.1:0", "policies": str(folder / "policies"),
        "data_dir": str(folder / "state"), **more,
    }  # fmt: skip
    path = folder / "holdfast.yaml"
    path.write_text(json.dumps(written))
    return load_settings(path)


def told(data_dir: Path) -> list[dict[str, Any]]:
    """The records in a journal, but for checkpoints."""
    records = [json.loads(line) for line in lines(data_dir)]
    return [record for record in records if record["type"] != "checkpoint"]


def kinds(data_dir: Path) -> list[str]:
    """Their types."""
    return [record["type"] for record in told(data_dir)]


def listening(address: str) -> bool:
    """Does anybody take connections there?"""
    host, _, port = address.rpartition(":")
    with socket.socket() as plug:
        return plug.connect_ex((host, int(port))) == 0


def events(capfd: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """The lines of the log, but for checkpoints, which come when they are due."""
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line[:1] == "{"]
    return [line for line in lines if line["event"] != "checkpoint"]


# --- start and stop ---


async def test_it_serves_until_it_is_stopped(upstream: RawUpstream) -> None:
    """Ready when `start` returns; when `stop` has returned, nothing listens any more."""
    async with holdfast(upstream) as proxy:
        assert proxy.app.health.ready
        assert (await proxy.call(request("/x"))).status == 200
        addresses = [proxy.listen, proxy.admin]
        assert all(map(listening, addresses))
        await within(proxy.app.stop(drain=0))
        assert not proxy.app.health.ready
        assert not any(map(listening, addresses))


async def test_stopping_ends_what_was_spawned(upstream: RawUpstream) -> None:
    """Nothing of it is left in the loop."""
    before = asyncio.all_tasks()
    async with holdfast(upstream) as proxy:
        await proxy.call(request("/x"))
        assert proxy.app.clock._tasks
        await within(proxy.app.stop(drain=0))
        assert proxy.app.clock._tasks == set()
    far_end = {task for task in asyncio.all_tasks() if "UpstreamConnection" in repr(task)}
    assert asyncio.all_tasks() - before - far_end == set()


async def test_policies_that_cannot_be_used_are_all_told(tmp_path: Path) -> None:
    """It does not start, and does not listen."""
    with pytest.raises(ConfigError) as error:
        await App.start(settings(tmp_path, "policies: [{name: a, retri: {}}, {name: a}]"))
    assert len(error.value.problems) >= 2


@pytest.mark.parametrize("port", ["listen", "admin"])
async def test_a_port_that_is_taken_is_an_error(tmp_path: Path, taken: str, port: str) -> None:
    """The system's own, so that it can be told."""
    with pytest.raises(OSError, match="in use"):
        await App.start(settings(tmp_path, **{port: taken}))


async def test_a_failed_start_leaves_nothing_listening(tmp_path: Path, taken: str) -> None:
    """The agents' port was open already when the admin port turned out to be taken."""
    agents = tmp_path / "agents.sock"
    with pytest.raises(OSError, match="in use"):
        await App.start(settings(tmp_path, listen=f"unix:{agents}", admin=taken))
    with socket.socket(socket.AF_UNIX) as plug:
        assert plug.connect_ex(str(agents)) != 0


async def test_a_failed_start_lets_go_of_its_folder(tmp_path: Path, taken: str) -> None:
    """Somebody may mend what was wrong, and start again; what was begun is ended in order."""
    with pytest.raises(OSError, match="in use"):
        await App.start(settings(tmp_path, admin=taken))
    app = await App.start(settings(tmp_path))
    await within(app.stop(drain=0))
    assert kinds(tmp_path / "state") == ["start", "policy.loaded", "stop"] * 2
    reasons = [
        each.get("reason", "") for each in told(tmp_path / "state") if each["type"] == "stop"
    ]
    assert reasons[0].startswith("it could not start: [Errno ")


async def test_policies_that_were_rejected_at_the_start_are_in_the_journal(tmp_path: Path) -> None:
    """Where there is one: somebody may have tried to change what is in force."""
    broken = settings(tmp_path, "policies: [{name: a, retri: {}}]")
    with pytest.raises(ConfigError):
        await App.start(broken)
    assert not (tmp_path / "state").exists()
    app = await App.start(settings(tmp_path))
    with pytest.raises(ConfigError):
        await App.start(settings(tmp_path, "policies: [{name: a, retri: {}}]"))
    await within(app.stop(drain=0))
    with pytest.raises(ConfigError):
        await App.start(settings(tmp_path, "policies: [{name: a, retri: {}}]"))

    assert kinds(tmp_path / "state")[3:] == ["start", "config.rejected", "stop"]
    rejected, stop = told(tmp_path / "state")[-2:]
    assert "retri" in rejected["problems"][0]
    assert "policy_version" not in rejected
    assert stop["reason"] == "it could not start: its policies cannot be used"
    assert verify(tmp_path / "state").exit == 0


async def test_a_folder_that_is_taken_is_told(tmp_path: Path) -> None:
    """By whom; and who has it serves on."""
    app = await App.start(settings(tmp_path))
    try:
        with pytest.raises(Locked, match="in use by process"):
            await App.start(settings(tmp_path))
        assert listening(app.listen)
    finally:
        await within(app.stop(drain=0))


async def test_a_retention_that_is_short_is_warned_of(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """At each start."""
    given = settings(tmp_path)
    short = msgspec.structs.replace(given, audit=Audit(retention=Seconds(86_400.0 * 30)))
    app = await App.start(short)
    await within(app.stop(drain=0))
    (line,) = [line for line in events(capfd) if line["event"] == "settings"]
    assert "audit.retention" in str(line["problem"])


async def test_a_path_that_is_too_long_for_a_socket_is_warned_of(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Calls are served, only that no changes can be made."""
    app = await App.start(settings(tmp_path, data_dir=str(tmp_path / ("long" * 30))))
    assert listening(app.listen)
    await within(app.stop(drain=0))
    (line,) = [line for line in events(capfd) if line["event"] == "no changes can be made"]
    assert str(line["socket"]).endswith("admin.sock")


def _full() -> Rows:
    raise Trouble("full", "no space")


async def test_what_is_kept_shows_in_its_health(tmp_path: Path) -> None:
    """A part of its own, once there is a side store; it takes no calls away."""
    kept = await App.start(settings(tmp_path, "policies: [{name: p, audit: {payload: full}}]"))
    well = kept.health.report()["parts"]["payloads"]
    assert kept.health.side_store is not None
    payloads = kept.health.side_store.payloads
    assert payloads is not None
    payloads._sound = _full  # type: ignore[method-assign]
    payloads._change(PayloadsState("full", "no space"))
    full, ready = kept.health.report()["parts"]["payloads"], kept.health.ready
    await within(kept.stop(drain=0))
    assert well == {"ok": True, "state": "ok", "why": None, "lost": 0}
    assert (full["ok"], full["state"], full["why"], ready) == (False, "full", "no space", True)


async def test_a_folder_that_cannot_be_had_is_an_error(tmp_path: Path) -> None:
    """There is a file in its place."""
    (tmp_path / "state").write_text("")
    with pytest.raises(OSError, match="exists"):
        await App.start(settings(tmp_path))


async def test_an_upstream_may_be_given_beside_the_files(
    tmp_path: Path, upstream: RawUpstream
) -> None:
    """As `run --upstream` does; also after a reload."""
    app = await App.start(settings(tmp_path), (upstream.url, "http"))
    try:
        assert app.reload()
        assert b" 200 " in await raw_call(app.listen, request("/x", "Connection: close"))
    finally:
        await within(app.stop(drain=0))


async def test_files_may_be_read_beside_the_folder(tmp_path: Path, upstream: RawUpstream) -> None:
    """As the quickstart does it; also after a reload."""
    more = tmp_path / "more.yaml"
    more.write_text(f"upstreams: {{more: {{url: '{upstream.url}', protocol: http, path: /more}}}}")
    app = await App.start(settings(tmp_path), (upstream.url, "http"), also=(more,))
    try:
        assert app.reload()
        await raw_call(app.listen, request("/more/x", "Connection: close"))
        assert upstream.requests[-1].target == b"/x"
    finally:
        await within(app.stop(drain=0))


# --- reload ---


async def test_a_reload_puts_other_policies_in_force(upstream: RawUpstream) -> None:
    """From the next call on; their version is told."""
    async with holdfast(upstream) as proxy:
        before = (await proxy.call(request("/x"))).value("holdfast-policy")
        version = proxy.app.health.version
        proxy.write_policies("policies: [{name: new, timeout: {total: 5s}}]")
        assert proxy.app.reload()
        after = (await proxy.call(request("/x"))).value("holdfast-policy")
        assert proxy.app.health.version != version
        assert (before, after) == (None, f"new@{proxy.app.health.version}".encode())


async def test_a_warning_is_logged_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Not again at each reload, as long as it stays true."""
    app = await App.start(settings(tmp_path, "upstreams: {a: {url: http://h}}"))
    try:
        assert app.reload()
        assert app.reload()
    finally:
        await within(app.stop(drain=0))
    assert [line["event"] for line in events(capfd)] == ["policy", "reloaded", "reloaded"]


@pytest.mark.parametrize("broken", ["policies: [", "policies: [{name: x, retri: {}}]"])
async def test_a_bad_reload_keeps_what_is_in_force(upstream: RawUpstream, broken: str) -> None:
    """The same table, to the object; and why is said, until a good one comes."""
    async with holdfast(upstream, policies="policies: []") as proxy:
        table, version = proxy.app._gateway.table, proxy.app.health.version
        proxy.write_policies(broken)
        assert not proxy.app.reload()
        assert proxy.app._gateway.table is table
        assert (proxy.app.health.version, proxy.app.health.ready) == (version, True)
        assert "10.yaml" in proxy.app.health.rejected
        proxy.write_policies("policies: []")
        assert proxy.app.reload()
        assert proxy.app.health.rejected == ""


async def test_what_a_reload_came_to_is_in_the_journal(upstream: RawUpstream) -> None:
    """Those that came into force, and those that could not be used."""
    async with holdfast(upstream) as proxy:
        proxy.write_policies("policies: [")
        assert not proxy.app.reload()
        proxy.write_policies("policies: [{name: new, timeout: {total: 5s}}]")
        assert proxy.app.reload()
        await within(proxy.app.stop(drain=0))
        found = kinds(proxy.folder / "state")
    assert found == [
        "start", "policy.loaded", "config.rejected", "alert.firing", "policy.loaded", "stop",
    ]  # fmt: skip


async def test_policies_that_are_gone_change_nothing(upstream: RawUpstream) -> None:
    """Somebody moved the folder away."""
    async with holdfast(upstream) as proxy:
        (proxy.folder / "policies").rename(proxy.folder / "elsewhere")
        assert not proxy.app.reload()
        assert (await proxy.call(request("/x"))).status == 200


async def test_connections_survive_a_reload_that_does_not_touch_their_upstream(
    upstream: RawUpstream,
) -> None:
    """The next call goes over the same one."""
    async with holdfast(upstream) as proxy:
        await proxy.call(request("/1"))
        proxy.write_policies("policies: [{name: new, timeout: {total: 5s}}]")
        assert proxy.app.reload()
        await proxy.call(request("/2"))
        assert len(upstream.connections) == 1


async def test_an_upstream_that_changed_gets_new_connections(upstream: RawUpstream) -> None:
    """Those of the old one are closed."""
    async with holdfast(upstream) as proxy:
        await proxy.call(request("/1"))
        mount = proxy.folder / "policies" / "00.yaml"
        mount.write_text(upstream_yaml(upstream, pool={"max": 7}))
        assert proxy.app.reload()
        await upstream.closed(1)
        await proxy.call(request("/2"))
        assert len(upstream.connections) == 2


async def test_a_bad_reload_keeps_the_connections(upstream: RawUpstream) -> None:
    """The new upstream's pool was never put in their place."""
    async with holdfast(upstream) as proxy:
        await proxy.call(request("/1"))
        mount = proxy.folder / "policies" / "00.yaml"
        mount.write_text(upstream_yaml(upstream, pool={"max": 7}))
        proxy.write_policies("nonsense: 1")
        assert not proxy.app.reload()
        await proxy.call(request("/2"))
        assert len(upstream.connections) == 1


class Loading:
    """`load_policies`, as an app calls it: where it ran, and how many at once; it may be held."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.most = self.now = 0
        self.began, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def __call__(self, *given: Any, **more: Any) -> Loaded:
        self.threads.append(threading.get_ident())
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            self.began.set()
            assert self.go_on.wait(10)
            return load_policies(*given, **more)
        finally:
            self.now -= 1


@pytest.fixture
def loading(monkeypatch: pytest.MonkeyPatch) -> Loading:
    """Notes each load."""
    watched = Loading()
    monkeypatch.setattr(proxy.app, "load_policies", watched)
    return watched


async def reloaded(app: App) -> None:
    """What was asked for is over."""
    await within(app._rereading.settled())


async def test_policies_are_read_off_the_loop(upstream: RawUpstream, loading: Loading) -> None:
    """Calls are answered while a reload is held up by its files; then it is in force."""
    async with holdfast(upstream) as proxy:
        version = proxy.app.health.version
        loading.began.clear()
        loading.go_on.clear()
        proxy.write_policies("policies: [{name: new, timeout: {total: 5s}}]")
        proxy.app.reload_soon()
        assert await asyncio.to_thread(loading.began.wait, 10)
        assert (await proxy.call(request("/x"))).status == 200
        assert proxy.app.health.version == version
        loading.go_on.set()
        await reloaded(proxy.app)
        assert proxy.app.health.version != version
        assert threading.get_ident() not in loading.threads[1:]


async def test_reloads_never_overlap(upstream: RawUpstream, loading: Loading) -> None:
    """All who ask while one is under way get one more after it: theirs may be newer."""
    async with holdfast(upstream) as proxy:
        loading.began.clear()
        loading.go_on.clear()
        proxy.app.reload_soon()
        assert await asyncio.to_thread(loading.began.wait, 10)
        for _ in range(5):
            proxy.app.reload_soon()
        loading.go_on.set()
        await reloaded(proxy.app)
        assert (len(loading.threads), loading.most) == (1 + 2, 1)


async def test_a_bad_set_is_rejected_off_the_loop_as_well(upstream: RawUpstream) -> None:
    """And the next good one is taken."""
    async with holdfast(upstream) as proxy:
        for text, rejected in (("nonsense: 1", True), ("policies: []", False)):
            proxy.write_policies(text)
            proxy.app.reload_soon()
            await reloaded(proxy.app)
            assert bool(proxy.app.health.rejected) is rejected


async def test_policies_are_judged_by_the_tokens_that_came_with_them(
    upstream: RawUpstream, tmp_path: Path
) -> None:
    """Both are read again at once, and it takes the new tokens for the new policies."""
    file = tmp_path / "tokens.yaml"
    tokens = [
        {"name": name, "roles": ["approver"], "sha256": sha256(name.encode()).hexdigest()}
        for name in ("ann", "bob")
    ]
    file.write_text(json.dumps({"tokens": tokens[:1]}))
    async with holdfast(upstream, tokens=str(file)) as proxy:
        version = proxy.app.health.version
        file.write_text(json.dumps({"tokens": tokens}))
        proxy.write_policies("policies: [{name: p, approval: {approvers: 2}}]")
        proxy.app.reload_all()

        async def look() -> None:
            while proxy.app.health.version == version:
                assert not proxy.app.health.rejected
                await breathe()

        await within(look())


async def test_other_authorities_are_other_connections(tmp_path: Path) -> None:
    """The file that `tls: {ca: …}` names is part of the policies, though they stay as they are."""
    ca = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(ca)
    mount = {"tls": {"ca": str(ca)}}
    async with holdfast("https://127.0.0.1:1", mount=mount) as proxy:
        before, version = proxy.app._outbound.at_work["gateway"], proxy.app.health.version
        assert proxy.app.reload()
        assert proxy.app._outbound.at_work["gateway"] is before
        trustme.CA().cert_pem.write_to_path(ca)
        assert ca in proxy.app._watch.look()
        assert proxy.app.reload()
        assert proxy.app._outbound.at_work["gateway"] is not before
        assert proxy.app.health.version != version
