"""The process of `holdfast run`, as far as one process can tell. tests/whole has the real one."""

import asyncio
import gc
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from resource import RLIM_INFINITY

import pytest

from proxy.app import App
from proxy.cli.serving import serve
from proxy.config.settings import Settings
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

    async def start(given: Settings, _: object) -> App:
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
