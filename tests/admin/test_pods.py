"""`/v1/pods`, by its handlers, on a store in memory."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from proxy.admin.answers import NotDone
from proxy.admin.authors import SOMEBODY, Author
from proxy.admin.pods import LONGEST, Pods
from proxy.admin.routes import Visit
from proxy.config.tokens import Role
from proxy.journal.entries import Accepted
from proxy.sharing import Sharing
from proxy.state.link import ENDED
from proxy.state.shared.money import Draw, Line, name_of
from tests.admin.scene import Scene
from tests.pods import Shore

NAME = name_of("agent", "bot", "day", 0, 1_700_000_000)
ALICE = Author("alice", frozenset({Role.OPERATOR}))


class Side:
    """A pod that is asked, and what it writes."""

    def __init__(self, shore: Shore, fellows: Sharing | None) -> None:
        self.shore = shore
        self.well = True
        self.noted: list[Any] = []
        sight = Scene().sight
        self.pods = Pods(msgspec.structs.replace(sight, fellows=fellows, written=self._written))

    async def _written(self, entry: Any) -> bool:
        self.noted.append(entry)
        return self.well

    async def page(self) -> Any:
        """What is answered, or with which status and why it is not."""
        request: Any = SimpleNamespace(query={})
        try:
            return await self.pods.page(Visit(request, SOMEBODY))
        except NotDone as error:
            return error.status, str(error)

    async def give_up(self, pod: str, reason: str = "its disk is gone") -> Any:
        """Likewise."""
        request: Any = SimpleNamespace(match_info={"id": pod}, query={"reason": reason})
        try:
            return await self.pods.give_up(Visit(request, ALICE))
        except NotDone as error:
            return error.status, str(error)

    async def ids(self) -> list[str]:
        """Of those that are known."""
        return [item["pod"] for item in (await self.page())["items"]]


@pytest.fixture
def shore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shore:
    return Shore(tmp_path, monkeypatch)


async def holds(pod: Sharing, spent: int, micros: int) -> None:
    """It has spent so much, and holds so much."""
    fleet = pod.link.fleet
    line = Line(NAME, 1_000, {0: spent}, 0, least=1, need=micros, want=micros)
    drawn = await pod.link.ask(Draw(pod.link.pod, 1, fleet.epoch, (line,)))
    assert drawn is not None
    assert drawn[0].held == micros


async def free(pod: Sharing, number: int) -> int:
    """What another pod could have yet."""
    line = Line(NAME, 1_000, {0: 0}, 0, least=1, need=1_000, want=1_000)
    for need in range(1_000, 0, -50):
        asked = msgspec.structs.replace(line, need=need, want=need)
        draw = Draw(pod.link.pod, number + need, pod.link.fleet.epoch, (asked,))
        drawn = await pod.link.ask(draw)
        assert drawn is not None
        if drawn[0].held:
            return drawn[0].held
        number += 1_000
    return 0


async def test_all_pods_that_are_known(shore: Shore) -> None:
    """Who is alive, and how the store does."""
    us, other = await shore.pod("us"), await shore.pod("other")
    side = Side(shore, us)
    shore.clock.advance(6.0)

    told = await side.page()

    assert (told["us"], told["up"], told["why"], told["grants"]) == (
        us.link.pod.id,
        True,
        None,
        True,
    )
    assert (told["waits_for"], told["next"], told["epoch"]) == ([], None, us.link.fleet.epoch)
    items = {item["pod"]: item for item in told["items"]}
    assert {name: item["alive"] for name, item in items.items()} == {
        us.link.pod.id: True,
        other.link.pod.id: False,
    }
    mine = items[us.link.pod.id]
    assert (mine["life"], mine["told"], mine["name"]) == (1, True, us.link.pod.name)
    assert mine["seen"].endswith("Z")


async def test_nothing_is_shared_without_a_store(shore: Shore) -> None:
    """404, and why."""
    side = Side(shore, None)
    for answered in (await side.page(), await side.give_up("x")):
        assert answered == (
            404,
            "this proxy shares nothing with others: its settings name no store",
        )


async def test_what_a_lost_pod_held_counts_as_spent(shore: Shore) -> None:
    """Neither more nor less; and it is recorded who said so, and why."""
    us, other = await shore.pod("us"), await shore.pod("other")
    await holds(other, 100, 250)
    side, pod = Side(shore, us), other.link.pod
    shore.clock.advance(6.0)

    told = await side.give_up(pod.id)

    assert (told["pod"], told["by"], told["reason"]) == (pod.id, "alice", "its disk is gone")
    assert (told["grants"], told["waits_for"]) == (True, [])
    (entry,) = side.noted
    assert entry == Accepted(
        entry.id, pod.id, "alice", "its disk is gone", 1, pod.name, told["seen"]
    )
    assert await side.ids() == [us.link.pod.id]
    assert await free(us, 1) == 1_000 - 100 - 250
    assert (await side.give_up(pod.id))[0] == 404


async def test_who_is_not_given_up(shore: Shore) -> None:
    """One that lives, and one that is not there; nothing is recorded."""
    us, other = await shore.pod("us"), await shore.pod("other")
    side = Side(shore, us)

    status, why = await side.give_up(other.link.pod.id)
    assert (status, "stop it" in why) == (409, True)
    shore.clock.advance(60.0)
    assert (await side.give_up(us.link.pod.id))[0] == 409
    assert (await side.give_up("nobody"))[0] == 404
    assert (await side.give_up(other.link.pod.id, ""))[0] == 400
    assert (await side.give_up(other.link.pod.id, "x" * (LONGEST + 1)))[0] == 400
    assert side.noted == []
    assert len(await side.ids()) == 2


async def test_a_journal_that_cannot_be_written(shore: Shore) -> None:
    """Nothing is done of which there is no record."""
    us, other = await shore.pod("us"), await shore.pod("other")
    side = Side(shore, us)
    side.well = False
    shore.clock.advance(6.0)

    status, why = await side.give_up(other.link.pod.id)

    assert (status, "nothing was done" in why) == (503, True)
    assert len(await side.ids()) == 2


async def test_a_store_that_is_not_there(shore: Shore) -> None:
    """What was seen last is shown, and nothing is done."""
    us, other = await shore.pod("us"), await shore.pod("other")
    side = Side(shore, us)
    await side.page()
    shore.memory.breaks("it is gone")
    shore.clock.advance(60.0)

    told = await side.page()
    assert (told["up"], told["grants"], told["why"]) == (False, False, "it is gone")
    assert all(item["alive"] for item in told["items"])
    assert len(told["items"]) == 2
    status, why = await side.give_up(other.link.pod.id)
    assert (status, "it is gone" in why, side.noted) == (503, True, [])


async def test_a_store_that_goes_meanwhile(shore: Shore) -> None:
    """What was recorded is not done, and who asked is told so."""
    us, other = await shore.pod("us"), await shore.pod("other")
    side = Side(shore, us)
    shore.clock.advance(6.0)

    async def written(entry: Any) -> bool:
        shore.memory.breaks("it is gone")
        return True

    side.pods = Pods(msgspec.structs.replace(side.pods._sight, written=written))
    status, why = await side.give_up(other.link.pod.id)
    assert (status, why) == (
        503,
        "it is recorded, but the store did not take it; ask again when it answers: it is gone",
    )


async def test_a_store_that_was_emptied_waits_for_who_is_missing(shore: Shore) -> None:
    """By name, with what this pod remembers of it; until somebody says that it is lost. What it
    sends afterwards is void."""
    us, other = await shore.pod("us"), await shore.pod("other")
    side, pod = Side(shore, us), other.link.pod
    assert len(await side.ids()) == 2
    shore.memory.restarts(empty=True)
    await us.begin()

    told = await side.page()
    assert (told["grants"], told["waits_for"]) == (False, [pod.id])
    (missing,) = (item for item in told["items"] if item["pod"] == pod.id)
    assert (missing["life"], missing["name"], missing["seen"]) == (1, pod.name, None)
    assert (missing["alive"], missing["told"]) == (False, False)

    done = await side.give_up(pod.id)
    assert (done["grants"], done["waits_for"], done["life"]) == (True, [], 1)
    await other.begin()
    assert other.link.trouble == ENDED
    answered = await Side(shore, other).page()
    assert (answered["grants"], answered["why"]) == (False, ENDED)
    assert (await Side(shore, other).give_up(us.link.pod.id))[0] == 503


async def test_one_of_which_only_the_name_is_known(shore: Shore) -> None:
    """It can be given up as well."""
    us, other = await shore.pod("us"), await shore.pod("other")
    await Side(shore, us).page()
    shore.memory.restarts(empty=True)
    us._met = {}
    await us.begin()
    side = Side(shore, us)

    (item,) = (item for item in (await side.page())["items"] if not item["alive"])
    assert (item["life"], item["name"]) == (None, None)
    told = await side.give_up(other.link.pod.id)
    assert (told["grants"], side.noted[0].life, side.noted[0].name) == (True, 0, "")
