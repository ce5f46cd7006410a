"""The process of `holdfast run`, as far as one process can tell. tests/whole has the real one."""

import asyncio
import gc
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from resource import RLIM_INFINITY

import msgspec
import pytest

from proxy.app import App
from proxy.cli.serving import serve
from proxy.config.settings import Settings
from proxy.config.store_url import StoreUrl
from tests.servers import RedisServer, free_port
from tests.test_app import events, listening, settings, taken

__all__ = ["taken"]


@pytest.fixture
def quiet(capfd: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """What `serve` sets for its whole process is put back."""
    threshold = gc.get_threshold()
    yield capfd
    gc.set_threshold(*threshold)
    gc.unfreeze()


def test_the_process_says_why_it_cannot_start(
    tmp_path: Path, taken: str, quiet: pytest.CaptureFixture[str]
) -> None:
    """1, and one line with the addresses that were asked for."""
    assert serve(settings(tmp_path, listen=taken), None, None) == 1
    (line,) = events(quiet)
    assert (line["listen"], "--listen" in str(line["do"])) == (taken, True)


def test_the_process_names_what_is_wrong_in_its_data_dir(
    tmp_path: Path, quiet: pytest.CaptureFixture[str]
) -> None:
    """Another address would not help."""
    wrong = tmp_path / "state" / "checkpoints"
    wrong.mkdir(parents=True)
    assert serve(settings(tmp_path), None, None) == 1
    (line,) = [line for line in events(quiet) if line["event"] == "cannot start"]
    assert str(line["do"]).startswith(f"look at {wrong}")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[RedisServer]:
    """A store with a password, and a user who may not do much."""
    server = RedisServer(tmp_path / "redis", "--save", "", "--requirepass", "s3cret").start()
    rules = ("~*", "&*", "+@all", "-@pubsub", "-info")
    server.do("ACL", "SETUSER", "pod", "on", ">p0dpw", *rules, password="s3cret")
    yield server
    server.stop(hard=True)


@pytest.mark.parametrize(
    ("who", "told"),
    [
        (":wr0ng@", "invalid username-password"),
        ("", "Authentication required"),
        ("pod:p0dpw@", "subscribe"),
    ],
)
def test_the_process_does_not_start_where_its_store_does_not_want_it(
    tmp_path: Path, quiet: pytest.CaptureFixture[str], guarded: RedisServer, who: str, told: str
) -> None:
    """1, and one line that says why and what to do, and no password."""
    url = StoreUrl.parse(f"redis://{who}127.0.0.1:{guarded.port}")
    given = msgspec.structs.replace(settings(tmp_path), store=url)
    assert serve(given, None, None) == 1

    lines = events(quiet)
    (line,) = [line for line in lines if line["event"] == "the store does not want us"]
    assert told.lower() in str(line["why"]).lower()
    assert str(guarded.port) in str(line["store"])
    assert line["do"]
    assert all(secret not in str(lines) for secret in ("wr0ng", "p0dpw", "s3cret"))


def test_the_process_starts_where_its_store_is_not_there(
    tmp_path: Path, quiet: pytest.CaptureFixture[str]
) -> None:
    """It serves, and says that it has none; nobody can read that by the way, without a token."""
    url = StoreUrl.parse(f"redis://:s3cret@127.0.0.1:{free_port()}")
    given = msgspec.structs.replace(settings(tmp_path), store=url)

    async def starts() -> None:
        app = await App.start(given)
        told = app.health.report()
        shown = app.metrics.read()
        await app.stop(drain=0)
        assert told["status"] == "ready"
        assert told["parts"]["store"]["ok"] is False
        assert "s3cret" not in str(told)
        (up,) = [family for family in shown if family.metric.name == "holdfast_store_up"]
        assert up.rows == {(): 0}

    asyncio.run(starts())
    assert "s3cret" not in str(events(quiet))


def test_the_process_does_not_start_without_the_key_to_its_payloads(
    tmp_path: Path, quiet: pytest.CaptureFixture[str]
) -> None:
    """1, and what to do: nobody begins anew by himself."""
    given = settings(tmp_path, "policies: [{name: p, audit: {payload: full}}]")

    async def starts() -> None:
        await (await App.start(given)).stop(drain=0)

    asyncio.run(starts())
    (tmp_path / "state" / "keys" / "payload.key").unlink()
    quiet.readouterr()
    assert serve(given, None, None) == 1
    (line,) = [line for line in events(quiet) if line["event"] == "cannot start"]
    assert "payload.key is missing" in str(line["why"])
    assert "put it back" in str(line["why"])


def test_the_process_tells_every_problem_of_its_policies(
    tmp_path: Path, quiet: pytest.CaptureFixture[str]
) -> None:
    """1, and a line for each."""
    broken = "policies: [{name: a, retri: {}}, {name: b, timeot: {}}]"
    assert serve(settings(tmp_path, broken), None, None) == 1
    problems = [str(line["problem"]) for line in events(quiet)]
    assert [("retri" in each, "timeot" in each) for each in problems] == [
        (True, False), (False, True),
    ]  # fmt: skip


def test_the_process_serves_until_it_is_told_to_stop(
    tmp_path: Path, quiet: pytest.CaptureFixture[str]
) -> None:
    """The ready file has the addresses; SIGTERM ends it with 0."""
    ready = tmp_path / "ready.json"
    seen: list[dict[str, str]] = []

    class Tells(type(ready)):  # type: ignore[misc]  # the path that is renamed when it is ready
        def replace(self, target: Path) -> Path:  # type: ignore[override]  # this one path is enough
            moved: Path = Path(self).replace(target)
            seen.append(json.loads(moved.read_text()))
            signal.raise_signal(signal.SIGTERM)
            return moved

    assert serve(settings(tmp_path), None, Tells(ready)) == 0
    (addresses,) = seen
    assert addresses.keys() == {"listen", "admin"}
    assert not any(map(listening, addresses.values()))
    assert [line.get("event") for line in events(quiet)][-1] is not None


def test_agents_do_not_get_the_last_files(
    tmp_path: Path, quiet: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those are for who stops them; so it is said that there are fewer connections."""
    asked: list[int] = []

    async def start(given: Settings, _: object, drill: int) -> App:
        asked.append(given.limits.connections)
        raise OSError("enough was seen")

    monkeypatch.setattr(App, "start", start)
    for files in ((1024, 1024), (100, 100), (65_536, 65_536), (RLIM_INFINITY, RLIM_INFINITY)):
        monkeypatch.setattr("resource.getrlimit", lambda _, files=files: files)
        monkeypatch.setattr("resource.setrlimit", lambda *_: None)
        assert serve(settings(tmp_path), None, None) == 1
    assert asked == [192, 16, 10_000, 10_000]
    told = [line["problem"] for line in events(quiet) if line["event"] == "settings"]
    assert [str(each).endswith(("allows 192", "allows 16")) for each in told] == [True, True]
