"""`/v1/kills`, by its handlers; `tests/whole/test_kill.py` has it on sockets."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from proxy.admin import views
from proxy.admin.answers import NotDone
from proxy.admin.authors import SOMEBODY, Author
from proxy.admin.health import Health
from proxy.admin.kills import Engage, Killing
from proxy.admin.rates import Rates
from proxy.admin.routes import Visit
from proxy.config.tokens import Role
from proxy.news import News
from proxy.state.killed import Kill
from proxy.state.kills import PEOPLES, Reach
from proxy.state.scopes import Scope
from proxy.state.throws import Thrown
from tests.admin.scene import Scene


class Journal:
    """Takes all, as long as it is well."""

    well = True

    def note(self, entry: Any) -> None:
        """Taken."""

    async def durable(self) -> bool:
        return self.well


class Side:
    """The handlers, and who asks."""

    def __init__(self) -> None:
        self.scene = Scene()
        self.sight, self.journal = self.scene.sight, Journal()
        self.sight.kills.begin(self.scene.clock, self.journal, News(), lambda: ())
        self.killing = Killing(self.sight)

    @property
    def scopes(self) -> list[str]:
        """What is killed."""
        request: Any = SimpleNamespace(query={})
        return [item["scope"] for item in self.killing.page(Visit(request, SOMEBODY))["items"]]

    async def engage(self, scope: str, **more: Any) -> Any:
        """What is answered; or, where it is not done, with which status and why."""
        request: Any = None  # all is in the body
        asked = msgspec.convert({"scope": scope, "reason": "why", **more}, Engage)
        try:
            return await self.killing.engage(Visit(request, _named("alice"), asked))
        except NotDone as error:
            return error.status, str(error)

    async def revive(self, scope: str, reason: str = "") -> Any:
        """Likewise."""
        request: Any = SimpleNamespace(match_info={"scope": scope}, query={"reason": reason})
        try:
            return await self.killing.revive(Visit(request, _named("bob")))
        except NotDone as error:
            return error.status, str(error)


def _named(name: str) -> Author:
    return Author(name, frozenset({Role.OPERATOR}))


@pytest.fixture
async def side() -> Side:
    return Side()


async def test_what_is_killed_is_told_by_whom_and_since_when(side: Side) -> None:
    """As it is in effect: also where it was killed before."""
    first = await side.engage("tool:x", until="2999-01-01T00:00:00Z", in_flight="finish")
    side.scene.clock.advance(9.0)
    told = await side.engage("tool:x")
    assert told == {
        **first,
        "until": None,
        "in_flight": "end",
    }
    assert (told["by"], told["from"], told["durable"]) == ("alice", "admin", True)
    assert side.scopes == ["tool:x"]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"scope": "agnt:x"}, "expected all, fleet:NAME"),
        ({"scope": "all", "until": "soon"}, "expected a moment"),
        ({"scope": "all", "until": "2001-01-01T00:00:00Z"}, "a moment to come"),
    ],
)
async def test_what_cannot_be_killed(side: Side, asked: dict[str, str], why: str) -> None:
    """400, and nothing is."""
    status, detail = await side.engage(**asked)
    assert status == 400
    assert why in detail
    assert side.scopes == []


async def test_a_journal_that_cannot_be_written(side: Side) -> None:
    """It counts, and whoever asked is told what to do; it cannot be revived."""
    side.journal.well = False
    told = await side.engage("all")
    assert told["durable"] is False
    assert "write the scope into the file kill" in told["warnings"][0]
    status, detail = await side.revive("all")
    assert (status, "cannot be written" in detail) == (503, True)
    assert side.scopes == ["all"]


@pytest.mark.parametrize("scope", ["upstream:gatway", "bulkhead:x", "fleet:y"])
async def test_names_that_nothing_has(side: Side, scope: str) -> None:
    """Killed all the same: it may be there after a reload."""
    (warning,) = (await side.engage(scope))["warnings"]
    assert "so it stops nothing; there is: " in warning
    assert (await side.engage("upstream:gateway"))["warnings"] == []


async def test_what_cannot_be_revived(side: Side) -> None:
    """What is not killed, and what stands in the policies; a reason has its length."""
    written = Kill(Scope("all"), "why", "policies", "policies", place="p.yaml:3")
    side.sight.kills.obey([written])
    assert (await side.revive("all"))[0] == 409
    assert (await side.revive("agent:a"))[0] == 404
    assert (await side.revive("all", "x" * 501))[0] == 400


async def test_what_is_still_killed_is_told(side: Side) -> None:
    """A call may be in several scopes."""
    await side.engage("all")
    await side.engage("agent:a")
    told = await side.revive("all", "fixed")
    assert (told["scope"], told["revived_by"]) == ("all", "bob")
    assert [each["scope"] for each in told["still_killed"]] == ["agent:a"]


GONE = Reach(0, "the store of the fleet is not there: gone")


@pytest.mark.parametrize(
    ("reach", "pods", "warned"), [(None, None, False), (Reach(3), 3, False), (GONE, None, True)]
)
async def test_how_many_pods_have_it_is_told(
    side: Side, reach: Reach | None, pods: int | None, warned: bool
) -> None:
    """Where others share a store; and what to do, where that is not there."""

    async def reaches(scope: Scope) -> Reach | None:
        return reach

    side.sight.kills.reach = reaches
    _, unknown = await side.revive("tool:x")
    assert unknown.endswith("gone; other pods may have it killed") is warned
    killed, revived = await side.engage("all"), await side.revive("all")
    for told, what in ((killed, "kill it on each"), (revived, "it goes on at this pod only")):
        assert told["pods"] == pods
        assert len(told["warnings"]) == warned
        assert all("is not there: gone; " in line and what in line for line in told["warnings"])


async def test_what_stands_in_a_file_of_another_pod_may_come_back(side: Side) -> None:
    """Only that pod can know; whoever revives is told where it is."""
    line = Kill(Scope("all"), "why", "file", "file", place="/d/kill:3", pod="host-b/1")
    side.sight.kills.follow([Thrown(line.scope, {"1": line})])
    told = await side.revive("all")
    assert "another pod, host-b/1" in told["warnings"][0]
    assert (told["pod"], told["at"]) == ("host-b/1", "/d/kill:3")


async def test_there_are_only_so_many(side: Side) -> None:
    """409; more of them would be a wider one."""
    for number in range(PEOPLES):
        scope = Scope(f"agent:{number}")
        side.sight.kills._thrown[scope] = Kill(scope, "why", "alice", "admin")
    assert (await side.engage("agent:x"))[0] == 409


async def test_status_and_health_tell_of_it(side: Side) -> None:
    """The newest of it, and how much; it is ready all the same."""
    for number in range(30):
        await side.engage(f"agent:{number}")
        side.scene.clock.advance(1.0)
    told = views.status(side.sight, Rates(side.sight.metrics, side.sight.clock))["kills"]
    assert (told["count"], len(told["items"])) == (30, 20)
    assert told["items"][0]["scope"] == "agent:29"
    health = Health(listen="x", kills=side.sight.kills)
    health.loaded("v")
    part = health.report()["parts"]["kills"]
    assert (part["ok"], part["count"], len(part["scopes"])) == (True, 30, 20)
    assert health.ready
