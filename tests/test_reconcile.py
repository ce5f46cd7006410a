"""The money of a pod that died, settled from its data dir; on a store in memory.

`tests/whole/test_reconcile_end_to_end.py` has real stores, and proxies that are killed.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from proxy import sharing
from proxy.config.load import load_policies
from proxy.config.settings import Settings, load_settings
from proxy.journal.folder import Locked
from proxy.journal.pod_file import FILE
from proxy.journal.verify import verify
from proxy.reconcile import Settled, Unsettled, settle
from proxy.sharing import Sharing
from proxy.state.memory import Memory
from proxy.state.shared import fleet
from proxy.state.shared.fleet import Beat, Leave, Pod
from proxy.state.shared.money import Draw, Line, name_of
from proxy.state.store import Near
from tests.harness import RawUpstream, holdfast, request

POLICIES = """
policies: [{name: all, cost: 0.01}]
budgets:
  - {name: fleet, per: fleet, total: 1}
  - {name: agent, per: agent, limit: 2, window: 24h}
"""
STORE = "redis://127.0.0.1:1/0"
CENT = 10_000
FLEET = name_of("fleet", "default", "total", 0, 0)


class Scene:
    """A store, a data dir, and its settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.policies = POLICIES
        self.memory = Memory(lambda: sharing.Clock().wall())
        self.store = Near(self.memory)
        (folder / "policies").mkdir()
        (folder / "policies" / "p.yaml").write_text(POLICIES)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    async def spends(self, calls: int) -> None:
        """A proxy on this data dir that makes calls, and has told of them; the store goes before
        it can leave, and comes back: what it held stays held."""
        async with RawUpstream() as far, self.proxy(far) as proxy:
            for _ in range(calls):
                assert (await proxy.call(request("/x"))).status == 200
            self.memory.breaks("the plug was pulled")
        self.memory.heals()

    def proxy(self, far: RawUpstream) -> Any:
        """One on this data dir."""
        return holdfast(far, "http", self.policies, data_dir=str(self.state), store=STORE)

    def settings(self, **more: str) -> Settings:
        """Of the data dir."""
        flags = {"data_dir": str(self.state), "policies": str(self.folder / "policies")}
        return load_settings(environ={}, flags={**flags, "store": STORE, **more})

    async def settle(self, **more: str) -> Settled:
        """Do it."""
        settings = self.settings(**more)
        return await settle(settings, load_policies(settings.policies))

    @property
    def held(self) -> int:
        """By all pods, of the line of the fleet."""
        line = self.memory.seen(FLEET)
        return 0 if line is None else int(line.all_held)

    @property
    def pods(self) -> set[str]:
        """That the store knows."""
        return set(self.memory.of("pods", dict))

    @property
    def types(self) -> list[str]:
        """Of the lines of the journal."""
        files = sorted((self.state / "journal").glob("*.jsonl"))
        return [
            json.loads(line)["type"]
            for file in files
            for line in file.read_text().split("\n")
            if line
        ]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = Scene(tmp_path)
    monkeypatch.setattr(sharing, "_store", lambda settings: made.store)
    monkeypatch.setattr(fleet, "SETTLE", 0)
    return made


async def test_what_it_spent_is_told_and_the_rest_goes_back(scene: Scene) -> None:
    """Of each budget and key; nobody waits for it any more, and its journal verifies."""
    await scene.spends(3)
    held, (pod,) = scene.held, scene.pods
    assert held > 0

    done = await scene.settle()

    assert (done.pod.id, done.pod.life, done.grants, done.waits_for) == (pod, 2, True, ())
    lines = {line.budget: line for line in done.lines}
    assert (lines["fleet"].spent, lines["fleet"].window, lines["fleet"].key) == (
        3 * CENT,
        "total",
        "default",
    )
    assert lines["fleet"].back == held - lines["fleet"].late
    assert (lines["agent"].spent, lines["agent"].seconds) == (3 * CENT, 86_400)
    assert (lines["agent"].key, lines["agent"].limit) == ("local-agent", 200 * CENT)
    assert (scene.held, scene.pods, done.rest) == (0, set(), 0)
    line = scene.memory.seen(FLEET)
    assert line.gone == {0: 3 * CENT}
    assert verify(scene.state).exit == 0
    assert scene.types.count("start") == scene.types.count("stop") == 2


async def test_once_more_changes_nothing(scene: Scene) -> None:
    """It may be done again, and the pod may start again."""
    await scene.spends(3)
    await scene.settle()
    done = await scene.settle()
    assert {line.back for line in done.lines} == {0}
    line = scene.memory.seen(FLEET)
    assert line.gone == {0: 3 * CENT}
    await scene.spends(2)
    await scene.settle()
    assert line.gone == {0: 5 * CENT}


async def test_a_store_that_was_emptied_hears_all_of_it(scene: Scene) -> None:
    """Nothing that was told before is there; what it held is not there either."""
    await scene.spends(3)
    scene.memory.restarts(empty=True)
    done = await scene.settle()
    assert {(line.spent, line.late, line.back) for line in done.lines} == {(3 * CENT, 3 * CENT, 0)}
    assert done.grants
    line = scene.memory.seen(FLEET)
    assert line.gone == {0: 3 * CENT}


async def test_it_tells_who_else_is_waited_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had to tell is told all the same."""
    await scene.spends(1)
    monkeypatch.setattr(sharing, "_OPENS", 0.0)
    other = Pod("other", 1, "m", "web-2")
    await scene.store.ask(Beat(other), 1.0)
    scene.memory.restarts(empty=False)

    done = await scene.settle()

    assert not done.grants
    assert [known.pod for known in done.waits_for] == [other]
    assert scene.pods == {"other"}


async def test_what_went_back_of_other_budgets(scene: Scene) -> None:
    """Those of windows that are over, or that these policies do not have, have no name."""
    await scene.spends(1)
    held = scene.held
    (scene.folder / "policies" / "p.yaml").write_text(
        POLICIES.replace("name: fleet", "name: other")
    )
    done = await scene.settle()
    assert "fleet" not in {line.budget for line in done.lines}
    assert (done.rest, scene.held) == (held, 0)


async def test_nothing_was_spent(scene: Scene) -> None:
    """Then there is nothing to tell but that it is gone."""
    await scene.spends(0)
    done = await scene.settle()
    assert (done.lines, done.rest, scene.pods) == ((), 0, set())


async def test_what_is_not_shared_is_not_settled(scene: Scene) -> None:
    """A budget in shadow limits nothing, and each pod counts for itself."""
    more = "  - {name: tried, per: fleet, total: 1, on_exceed: shadow}\n"
    (scene.folder / "policies" / "p.yaml").write_text(POLICIES + more)
    scene.policies = POLICIES + more
    await scene.spends(2)
    done = await scene.settle()
    assert {line.budget for line in done.lines} == {"fleet", "agent"}


async def test_what_cannot_be_settled(scene: Scene) -> None:
    """It says why, and what to do; nothing was made or changed."""
    with pytest.raises(Unsettled, match=r"there is no journal in .*state") as raised:
        await scene.settle()
    assert raised.value.unreadable
    assert not scene.state.exists()
    await scene.spends(1)
    with pytest.raises(Unsettled, match=r"no store is named.*--store"):
        await scene.settle(store="memory")
    with pytest.raises(Unsettled, match=r"is of the fleet default, and the settings say crew"):
        await scene.settle(**{"agent.fleet": "crew"})
    before = (scene.state / FILE).read_bytes()
    for content in (b"", before[:5]):
        (scene.state / FILE).write_bytes(content)
        with pytest.raises(Unsettled, match=r"pod\.json is not there, or is cut off.*--accept"):
            await scene.settle()
    assert scene.types.count("start") == 1


async def test_a_store_that_is_not_there(scene: Scene) -> None:
    """All can be done again when it is."""
    await scene.spends(1)
    scene.memory.breaks("connection refused")
    with pytest.raises(Unsettled, match="does not answer: connection refused; nothing was settled"):
        await scene.settle()
    scene.memory.heals()
    assert scene.held > 0
    await scene.settle()
    assert scene.held == 0


@pytest.mark.parametrize("when", ["begin", "end"])
async def test_a_store_that_goes_meanwhile(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Nobody knows what it took; and doing it again is right in any case."""
    await scene.spends(1)
    before = getattr(Sharing, when)

    async def breaks(self: Sharing) -> Any:
        scene.memory.breaks("gone")
        return await before(self)

    with monkeypatch.context() as patched:
        patched.setattr(Sharing, when, breaks)
        with pytest.raises(Unsettled, match="do it again, nothing counts twice"):
            await scene.settle()
    scene.memory.heals()
    await scene.settle()
    assert (scene.held, scene.pods) == (0, set())


async def test_a_store_that_goes_before_it_is_asked_what_it_took(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Likewise."""
    await scene.spends(1)
    begin = Sharing.begin

    async def breaks(self: Sharing) -> None:
        await begin(self)
        scene.memory.breaks("gone")

    monkeypatch.setattr(Sharing, "begin", breaks)
    with pytest.raises(Unsettled, match="do it again, nothing counts twice"):
        await scene.settle()


async def test_a_store_that_took_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was started anew between two messages: nothing is folded that was not told."""
    await scene.spends(3)
    begin = Sharing.begin

    async def forgets(self: Sharing) -> None:
        await begin(self)
        scene.memory.restarts(empty=True)

    with monkeypatch.context() as patched:
        patched.setattr(Sharing, "begin", forgets)
        with pytest.raises(Unsettled, match="started anew meanwhile; do it again"):
            await scene.settle()
    await scene.settle()
    line = scene.memory.seen(FLEET)
    assert line.gone == {0: 3 * CENT}


async def test_a_proxy_that_runs_on_it(scene: Scene) -> None:
    """It does this itself, when it is stopped."""
    async with RawUpstream() as far, scene.proxy(far):
        with pytest.raises(Locked):
            await scene.settle()


async def test_an_old_copy_of_a_data_dir(scene: Scene) -> None:
    """A later life of the pod is known: it must not be sent away."""
    await scene.spends(1)
    (pod,) = scene.pods
    later = Pod(pod, 9, "m9", "web-1")
    await scene.store.ask(Beat(later), 1.0)
    with pytest.raises(Unsettled, match="an old copy"):
        await scene.settle()
    assert scene.memory.of("pods", dict)[pod][0] == later

    told = await scene.store.ask(Beat(later), 1.0)
    line = Line(name_of("x", "", "total", 0, 0), 1, {0: 0}, 0)
    await scene.store.ask(Draw(later, 1, told.epoch, (line,)), 1.0)
    await scene.store.ask(Leave((pod,)), 1.0)
    with pytest.raises(Unsettled, match="an old copy"):
        await scene.settle()
