"""proxy/trail.py"""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from proxy.config.addresses import Url
from proxy.config.loaded import Loaded
from proxy.config.settings import Agent, Audit, Elsewhere, Every, Secret, Settings
from proxy.config.types import Upstream
from proxy.journal.journal import Journal
from proxy.journal.notes import new_signer
from proxy.journal.payloads import PayloadsState
from proxy.journal.redaction import rules_of
from proxy.journal.segments import Terms
from proxy.journal.taking import Wish
from proxy.journal.verify import verify
from proxy.news import CircuitChange, Escalation, Event, JournalChange, News, PayloadsChange
from proxy.observe.logs import Log
from proxy.trail import Trail, terms_of
from proxy.units import Seconds, Size
from tests.fakes import FakeClock, make_call, settled
from tests.harness import RawUpstream, answer
from tests.journal.disks import FailingDisk
from tests.journal.written import lines
from tests.observe.records import record
from tests.tables import load


class Intent(msgspec.Struct, frozen=True):
    """What is written before a call is sent."""

    id: str
    agent: str = "ann"
    upstream: str = "gateway"
    tool: str = "deposit"
    reserved_micros: int = 50
    reason: str = "a member that records do not have"
    type: ClassVar[str] = "call.intent"


class Scene:
    """A trail in a folder of its own; what is told of it is `heard`."""

    def __init__(self, folder: Path, **audit: Any) -> None:
        self.folder = folder
        self.news = News(listeners=[])
        self.heard: list[Event] = []
        self.news.listeners.append(self.heard.append)
        self.disk = FailingDisk()
        clock = FakeClock()
        settings = Settings(data_dir=str(folder), audit=Audit(**audit))
        self.log = Log(clock)
        self.trail = Trail(settings, clock, self.news, self.log, self.disk)

    async def ended(self) -> list[dict[str, Any]]:
        """Its records, once it has stopped, without those that each journal has."""
        await self.trail.stop("as asked")
        told = [json.loads(line) for line in lines(self.folder)]
        return [each for each in told if each["type"] not in {"checkpoint", "start", "stop"}]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """Stopped at the end."""
    made = Scene(tmp_path)
    yield made
    await made.trail.stop()
    made.log.close()


async def test_what_is_noted_is_there_and_holds(scene: Scene) -> None:
    """From its start to its stop."""
    await scene.trail.start()
    scene.trail.note(record(id="a"))
    assert await scene.trail.durable()
    assert scene.trail.state.kind == "ok"

    assert [each["id"] for each in await scene.ended()] == ["a"]
    assert verify(scene.folder).exit == 0


async def test_before_it_starts_nothing_is_noted(scene: Scene) -> None:
    """And to stop it then does nothing; no folder is made."""
    scene.trail.note(record())
    await scene.trail.stop()

    assert [*scene.folder.iterdir()] == []


async def test_a_stop_lets_go_of_the_folder(scene: Scene) -> None:
    """Once; the next one may have it."""
    await scene.trail.start()
    await scene.trail.stop()
    await scene.trail.stop()
    following = Scene(scene.folder)
    await following.trail.start()
    await following.trail.stop()

    assert following.trail.journal.seq > scene.trail.journal.seq


async def test_policies_that_come_into_force_are_noted(scene: Scene) -> None:
    """With those that they replace; and those that could not be used, which is told shortly."""
    await scene.trail.start()
    gateway = Upstream(Url("http://h"))
    scene.trail.loaded(Loaded("ab12cd", {"gateway": gateway}))
    scene.trail.rejected(["x" * 600, *("p.yaml:1:1: no",) * 29])
    scene.trail.loaded(Loaded("ef34ab"))

    first, bad, second = await scene.ended()
    assert (first["type"], first["policy_version"]) == ("policy.loaded", "ab12cd")
    assert (first["policies"], first["upstreams"]) == (0, ["gateway"])
    assert (bad["type"], bad["policy_version"]) == ("config.rejected", "ab12cd")
    assert (len(bad["problems"]), bad["more"], len(bad["problems"][0])) == (20, 10, 500)
    assert (second["policy_version"], second["before"]) == ("ef34ab", "ab12cd")


async def test_a_circuit_that_changes_is_noted(scene: Scene) -> None:
    """Other news are not: they are of calls, which have records."""
    await scene.trail.start()
    scene.news.tell(CircuitChange("gateway", "pay", "closed", "open", "rate", 5.5))
    scene.news.tell(Escalation("gateway", "pay", "ann", 403))

    (told,) = await scene.ended()
    wanted = {
        "type": "breaker.changed", "upstream": "gateway", "before": "closed", "after": "open",
        "why": "rate", "tool": "pay", "open_ms": 5500,
    }  # fmt: skip
    assert wanted.items() <= told.items()
    assert "bulkhead" not in told


async def test_a_call_that_a_crash_cut_off_gets_its_end(scene: Scene) -> None:
    """Nobody knows what became of it; and once is enough."""
    journal = Journal(scene.folder, Terms(), FakeClock(), disk=FailingDisk())
    journal.open()
    await journal.start()
    journal.note(Intent("a"))
    journal.note(Intent("b"))
    journal.note(record(id="b"))
    await journal.stop()
    await scene.trail.start()
    await scene.trail.stop()
    following = Scene(scene.folder)
    await following.trail.start()

    told = [each for each in await following.ended() if each["id"] == "a"]
    assert [each["type"] for each in told] == ["call.intent", "call.finished"]
    end = told[1]
    assert (end["outcome"], end["executed"], end["attempts"]) == ("unknown", "unknown", [])
    assert (end["agent"], end["tool"], end["reserved_micros"]) == ("ann", "deposit", 50)


async def test_trouble_is_news(scene: Scene) -> None:
    """And counted: it cannot be written, and why."""
    await scene.trail.start()
    scene.disk.fails["write"] = OSError(28, "No space left on device")
    scene.trail.note(record())
    assert not await scene.trail.journal.durable()
    await scene.trail.stop()

    told = {each.state: each.why for each in scene.heard if isinstance(each, JournalChange)}
    assert "ENOSPC" in told["full"]
    names = {family.metric.name: family.rows for family in scene.trail.families()}
    assert names["holdfast_journal_writable"][()] == 0
    assert names["holdfast_journal_errors_total"][()] != 0
    assert names["holdfast_payloads_writable"] == {}


def kept_by(text: str) -> Loaded:
    """Policies of which one has this section."""
    return load(f"policies: [{{name: a}}, {{name: b, audit: {text}}}]")


@pytest.mark.parametrize("text", ["{intent: never}", "{payload: none}", "{payload: full}"])
async def test_the_side_store_is_there_where_a_policy_keeps_payloads(
    scene: Scene, text: str
) -> None:
    """Or where it was before; then it is open at the start."""
    await scene.trail.start()
    scene.trail.keep_for(kept_by(text))
    keeps = "full" in text
    assert (scene.trail.side_store.payloads is not None) is keeps
    wish: Any = Wish("full", rules_of(()), 10)
    assert (scene.trail.taking(make_call(), wish) is not None) is keeps
    await scene.trail.stop()
    again = Scene(scene.folder)
    await again.trail.start()
    assert (again.trail.side_store.payloads is not None) is keeps
    await again.trail.stop()
    again.log.close()


async def test_trouble_of_the_side_store_is_news(scene: Scene) -> None:
    """On the loop, though it is found in a thread; after the end nobody listens."""
    await scene.trail.start()
    scene.trail.keep_for(kept_by("{payload: full}"))
    heard = scene.trail.side_store._heard
    await asyncio.to_thread(heard, PayloadsState("full", "no space", 3))
    await settled()
    (told,) = (each for each in scene.heard if isinstance(each, PayloadsChange))
    assert (told.state, told.why, told.lost, told.grave) == ("full", "no space", 3, True)
    assert not PayloadsChange("ok", "", 3).grave


async def test_a_bug_in_the_side_store_is_logged(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """As every other."""
    scene = Scene(tmp_path)
    await scene.trail.start()
    await asyncio.to_thread(scene.trail.side_store._bug, ZeroDivisionError())
    await settled()
    await scene.trail.stop()
    scene.log.close()
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_loop_that_is_closed_hears_nothing(tmp_path: Path) -> None:
    """What a thread says then is nobody's."""
    made: list[Scene] = []

    async def ends() -> None:
        made.append(Scene(tmp_path))
        await made[0].trail.start()
        await made[0].trail.stop()

    asyncio.run(ends())
    before = len(made[0].heard)
    made[0].trail.side_store._heard(PayloadsState())
    made[0].log.close()
    assert len(made[0].heard) == before


async def test_an_erasure_has_an_id_of_its_own(scene: Scene) -> None:
    """By which both its records are found."""
    await scene.trail.start()
    done = await scene.trail.erase("task", "t-1", "ann", "case 12")
    told = await scene.ended()
    assert [(each["id"], each["stage"]) for each in told] == [(done.id, "begun"), (done.id, "done")]


async def test_checkpoints_go_to_the_anchors(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """To the log, and to a file; the same ones as in the folder."""
    elsewhere = tmp_path / "elsewhere"
    scene = Scene(tmp_path / "d", anchors=(Elsewhere("stderr"), Elsewhere(str(elsewhere))))
    await scene.trail.start()
    scene.trail.speak()
    await scene.trail.stop()
    scene.log.close()

    last = (tmp_path / "d" / "checkpoints").read_text().rstrip("\n").rpartition("\n\nholdfast/")[2]
    assert elsewhere.read_text().rstrip("\n").endswith(last)
    logged = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert logged[-1]["event"] == "checkpoint"
    assert logged[-1]["note"].rstrip("\n").endswith(last)


async def test_checkpoints_are_posted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """To a webhook, also the last one; what it does not take is told without the URL's path."""
    async with RawUpstream() as witness:
        witness.script.extend([answer(500)] * 2)
        scene = Scene(tmp_path / "d", anchors=(Elsewhere(f"{witness.url}/s3cret"),))
        await scene.trail.start()
        await witness.seen(3)
        while scene.trail.webhooks[0].waiting:
            await asyncio.to_thread(lambda: None)
        assert await scene.trail.stop()
        scene.log.close()
        taken = [request.body.decode() for request in witness.requests]

    assert taken[-1] + "\n" == (tmp_path / "d" / "checkpoints").read_text()[-len(taken[-1]) - 1 :]
    told = [event for event in scene.heard if isinstance(event, JournalChange)]
    assert [event.state for event in told] == ["trouble"]
    assert f"the anchor {witness.url} does not take checkpoints: it answered 500" in told[0].why
    logged = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert (logged[-1]["event"], logged[-1]["anchor"]) == ("anchor", witness.url)
    assert "s3cret" not in str(told) + str(logged)
    rows = {family.metric.name: family.rows for family in scene.trail.families()}
    assert rows["holdfast_journal_anchored_total"][witness.url, "failed"] == 2


async def test_a_start_that_may_fail_logs_no_checkpoint(
    scene: Scene, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its one line is the error."""
    await scene.trail.start()
    await scene.trail.stop()

    assert scene.trail.journal.checkpointed
    assert capfd.readouterr().err == ""


async def test_the_key_of_the_settings_is_used(tmp_path: Path) -> None:
    """None is made in the folder."""
    signer = new_signer("holdfast/a/b", lambda size: b"k" * size)
    scene = Scene(tmp_path, key=Secret(signer.line()))
    await scene.trail.start()
    await scene.trail.stop()
    scene.log.close()

    assert not (tmp_path / "keys" / "journal.skey").exists()
    assert (tmp_path / "keys" / "journal.vkey").read_text() == signer.verifier.line() + "\n"


def test_the_terms_are_those_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names may not have what no name of a key may have, and are not long."""
    monkeypatch.setattr("socket.gethostname", lambda: "pod 1" + "x" * 80)
    audit = Audit(
        "each", Size(1 << 20), Seconds(86_400.0 * 400), Every(5, Seconds(2.0)), anchors=()
    )
    terms = terms_of(Settings(agent=Agent(fleet="a+b"), audit=audit))

    assert terms.origin == f"holdfast/a-b/pod-1{'x' * 59}"
    assert (terms.sync, terms.segment_bytes, terms.retention_days) == ("each", 1 << 20, 400)
    assert (terms.records, terms.seconds) == (5, 2.0)
