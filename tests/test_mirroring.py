"""proxy/mirroring.py: mirrors begin and end as policies say."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from proxy.config.load import load_policies
from proxy.config.loaded import Loaded
from proxy.config.settings import Settings, load_settings
from proxy.keep import Keep
from proxy.keys import KILLS, NEWS
from proxy.mirroring import Mirroring
from proxy.mirrors.to_redis import ToRedis
from proxy.mirrors.to_stdout import ToStdout
from proxy.news import MirrorChange, News
from proxy.posts import Answer
from proxy.state.kills import Kills
from tests.fakes import Turn
from tests.journal.written import Written
from tests.mirrors.scene import Clocked, Posted

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
URL = "https://siem.example/in"
SIEM = {"name": "siem", "kind": "webhook", "url": URL, "secret": SECRET, "begins": "oldest"}
LEDGER = {"name": "ledger", "kind": "gateway", "upstream": "gateway"}
UPSTREAM = {"url": "http://127.0.0.1:9/base", "protocol": "tools", "auth": {"bearer": "ann"}}
OK = Answer(200, body=b'{"result":{}}')


class Scene:
    """Everything around it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        (folder / "policies").mkdir()
        self.policies = folder / "policies"
        written = {"policies": str(self.policies), "data_dir": str(folder / "state"), **settings}
        (folder / "holdfast.yaml").write_text(json.dumps(written))
        self.settings: Settings = load_settings(folder / "holdfast.yaml")
        self.clock = Clocked()
        self.keep = Keep()
        self.journal = Written(folder / "state", clock=self.clock).open()
        self.post = Posted(*[OK] * 1000)
        self.heard: list[MirrorChange] = []
        self.keep.of(NEWS, News).listeners.append(self._hear)
        self.made = Mirroring(self.settings, self.clock, self.keep, self.post)

    def _hear(self, event: Any) -> None:
        self.heard.append(event)

    def loaded(self, *mirrors: dict[str, Any], **upstream: Any) -> Loaded:
        policies = {"upstreams": {"gateway": UPSTREAM | upstream}, "mirrors": list(mirrors)}
        (self.policies / "p.yaml").write_text(json.dumps(policies))
        return load_policies(self.policies)

    def obey(self, *mirrors: dict[str, Any], **upstream: Any) -> None:
        self.made.obey(self.loaded(*mirrors, **upstream))

    def begin(self) -> None:
        self.made.begin(lambda: self.journal.journal.seq)

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not done():
                await Turn()

    @property
    def names(self) -> set[str]:
        return set(self.made._working)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(tmp_path)
    yield made
    await made.made.stop()
    await made.clock.stop()


async def test_policies_come_before_the_journal(scene: Scene):
    """Nothing is told until there is one."""
    scene.obey(SIEM)
    await Turn()
    assert scene.names == set()

    scene.begin()
    scene.journal.note("a")
    await scene.until(lambda: bool(scene.post.posts))

    url, content, _, private = scene.post.posts[0]
    assert (url, private) == ("https://siem.example/in", False)
    assert json.loads(content)[0]["specversion"] == "1.0"


async def test_one_that_stays_the_same_goes_on(scene: Scene):
    """Others come, change, and go; one that changes ends first."""
    scene.obey(SIEM, LEDGER)
    scene.begin()
    await scene.until(lambda: scene.names == {"siem", "ledger"})
    siem, ledger = scene.made._working["siem"], scene.made._working["ledger"]

    scene.obey(SIEM, LEDGER, auth={"bearer": "bob"})
    await scene.until(lambda: scene.made._working.get("ledger", ledger) is not ledger)

    assert scene.made._working["siem"] is siem
    assert all(task.done() for task in ledger.tasks)
    assert ledger.mirror._sink._gateway._credentials == [("authorization", "Bearer ann")]  # type: ignore[attr-defined]
    scene.obey()
    await scene.until(lambda: not scene.names)
    assert all(task.done() for task in siem.tasks)
    assert {row for each in scene.made.families() for row in each.rows} == set()


async def test_a_gateway_is_called_at_its_url(scene: Scene):
    """With its credential; and kills are followed."""
    kills = scene.keep.of(KILLS, Kills)
    scene.obey(LEDGER)
    scene.begin()
    await scene.until(lambda: "ledger" in scene.names)
    budgets = scene.made._working["ledger"].budgets
    assert budgets is not None
    assert list(budgets._killed()) == [kill.scope for kill in kills.items()]
    assert budgets._domain("anybody") == ""

    await budgets._gateway.call("get_balance", {})

    url, _, headers, private = scene.post.posts[-1]
    assert (url, private) == ("http://127.0.0.1:9/base/", True)
    assert ("authorization", "Bearer ann") in headers


async def test_each_kind_has_its_sink(scene: Scene):
    """Redis is that of the mirror, or of the settings; its stream is called after the fleet."""
    own = {"name": "own", "kind": "redis", "store": "redis://127.0.0.1:7/1", "stream": "s"}
    shared = {"name": "shared", "kind": "redis", "types": ["slo.alert"]}
    lines = {"name": "lines", "kind": "stdout", "types": ["slo.alert"]}
    scene.obey(own, shared, lines)
    scene.begin()
    await scene.until(lambda: scene.names == {"own", "shared", "lines"})

    sinks = {name: each.mirror._sink for name, each in scene.made._working.items()}

    assert isinstance(sinks["lines"], ToStdout)
    assert isinstance(sinks["own"], ToRedis)
    assert isinstance(sinks["shared"], ToRedis)
    assert sinks["own"]._made[0].hosts == (("127.0.0.1", 7),)
    assert sinks["own"]._made[1:] == ("s", 1_000_000)
    assert sinks["shared"]._made[1] == "holdfast:{default}:records"
    said = await sinks["shared"].take([])
    assert said.why == "there is no Redis: the settings name no store, and the mirror has none"
    targets = {each.mirror.terms.target for each in scene.made._working.values()}
    assert len(targets) == 3
    assert not any("127" in target for target in targets)


async def test_what_happens_to_one_is_news(scene: Scene):
    """By its name; a bug of ours too, and the others go on."""
    scene.post.says = iter([Answer(503, "it answered 503"), *[OK] * 1000])
    scene.obey(SIEM, {**SIEM, "name": "other"})
    scene.begin()
    await scene.until(lambda: scene.names == {"siem", "other"})

    def broken(*given: Any) -> Any:
        raise LookupError("what")

    scene.made._working["other"].mirror._more = broken
    scene.journal.note("a")
    await scene.until(lambda: len(scene.heard) >= 3)

    assert {(each.mirror, each.state, each.why) for each in scene.heard} == {
        ("siem", "failing", "it answered 503"),
        ("siem", "ok", "it gets on again"),
        ("other", "failed", "a bug: LookupError: what"),
    }
    assert {each.grave for each in scene.heard if each.state != "ok"} == {True}
    rows = {each.metric.name: each.rows for each in scene.made.families()}
    assert rows["holdfast_mirror_failures_total"] == {("siem",): 1, ("other",): 0}


async def test_it_never_began(scene: Scene):
    """A start that failed is stopped."""
    await scene.made.stop()

    assert scene.names == set()
