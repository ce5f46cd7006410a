"""`/v1/kills`, by its handlers; `tests/whole/test_kill.py` has it on sockets."""

from typing import Any

import msgspec
import pytest
from aiohttp import web

from proxy.admin import kills, views
from proxy.admin.health import Health
from proxy.admin.kills import Engage
from proxy.admin.lists import page
from proxy.admin.rates import Rates
from proxy.news import News
from proxy.state.killed import Kill
from proxy.state.kills import PEOPLES
from proxy.state.scopes import Scope
from tests.admin.scene import Scene


class Journal:
    """Takes all, as long as it is well."""

    well = True

    def note(self, entry: Any) -> None:
        """Taken."""

    async def durable(self) -> bool:
        return self.well


class Desk:
    """Who asks there."""

    def __init__(self) -> None:
        self.scene = Scene()
        self.sight, self.journal = self.scene.sight, Journal()
        self.sight.kills.begin(self.scene.clock, self.journal, News(), lambda: ())

    async def engage(self, scope: str, **more: Any) -> Any:
        asked = msgspec.convert({"scope": scope, "reason": "why", **more}, Engage)
        return _plain(await kills.engage(self.sight, asked, "alice"))

    async def revive(self, scope: str, reason: str = "") -> Any:
        return _plain(await kills.revive(self.sight, scope, "bob", reason))


def _plain(told: Any) -> Any:
    """A problem as its status and detail."""
    if not isinstance(told, web.Response):
        return told
    assert isinstance(told.body, bytes)
    return told.status, msgspec.json.decode(told.body)["detail"]


@pytest.fixture
async def desk() -> Desk:
    return Desk()


async def test_what_is_killed_is_told_by_whom_and_since_when(desk: Desk) -> None:
    """As it is in effect: also where it was killed before."""
    first = await desk.engage("tool:x", until="2999-01-01T00:00:00Z", in_flight="finish")
    desk.scene.clock.advance(9.0)
    told = await desk.engage("tool:x")
    assert told == {
        **first,
        "until": None,
        "in_flight": "end",
    }
    assert (told["by"], told["from"], told["durable"]) == ("alice", "admin", True)
    shown = page(kills.listed(desk.sight), kills.place_of, {})["items"]
    assert [item["scope"] for item in shown] == ["tool:x"]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"scope": "agnt:x"}, "expected all, fleet:NAME"),
        ({"scope": "all", "until": "soon"}, "expected a moment"),
        ({"scope": "all", "until": "2001-01-01T00:00:00Z"}, "a moment to come"),
    ],
)
async def test_what_cannot_be_killed(desk: Desk, asked: dict[str, str], why: str) -> None:
    """400, and nothing is."""
    status, detail = await desk.engage(**asked)
    assert status == 400
    assert why in detail
    assert kills.listed(desk.sight) == []


async def test_a_journal_that_cannot_be_written(desk: Desk) -> None:
    """It counts, and whoever asked is told what to do; it cannot be revived."""
    desk.journal.well = False
    told = await desk.engage("all")
    assert told["durable"] is False
    assert "write the scope into the file kill" in told["warnings"][0]
    status, detail = await desk.revive("all")
    assert (status, "cannot be written" in detail) == (503, True)
    assert len(kills.listed(desk.sight)) == 1


@pytest.mark.parametrize("scope", ["upstream:gatway", "bulkhead:x", "fleet:y"])
async def test_names_that_nothing_has(desk: Desk, scope: str) -> None:
    """Killed all the same: it may be there after a reload."""
    (warning,) = (await desk.engage(scope))["warnings"]
    assert "so it stops nothing; there is: " in warning
    assert (await desk.engage("upstream:gateway"))["warnings"] == []


async def test_what_cannot_be_revived(desk: Desk) -> None:
    """What is not killed, and what stands in the policies; a reason has its length."""
    written = Kill(Scope("all"), "why", "policies", "policies", place="p.yaml:3")
    desk.sight.kills.obey([written])
    assert (await desk.revive("all"))[0] == 409
    assert (await desk.revive("agent:a"))[0] == 404
    assert (await desk.revive("all", "x" * 501))[0] == 400


async def test_what_is_still_killed_is_told(desk: Desk) -> None:
    """A call may be in several scopes."""
    await desk.engage("all")
    await desk.engage("agent:a")
    told = await desk.revive("all", "fixed")
    assert (told["scope"], told["revived_by"]) == ("all", "bob")
    assert [each["scope"] for each in told["still_killed"]] == ["agent:a"]


async def test_there_are_only_so_many(desk: Desk) -> None:
    """409; more of them would be a wider one."""
    for number in range(PEOPLES):
        scope = Scope(f"agent:{number}")
        desk.sight.kills._thrown[scope] = Kill(scope, "why", "alice", "admin")
    assert (await desk.engage("agent:x"))[0] == 409


async def test_status_and_health_tell_of_it(desk: Desk) -> None:
    """The newest of it, and how much; it is ready all the same."""
    for number in range(30):
        await desk.engage(f"agent:{number}")
        desk.scene.clock.advance(1.0)
    told = views.status(desk.sight, Rates(desk.sight.metrics, desk.sight.clock))["kills"]
    assert (told["count"], len(told["items"])) == (30, 20)
    assert told["items"][0]["scope"] == "agent:29"
    health = Health(listen="x", kills=desk.sight.kills)
    health.loaded("v")
    part = health.report()["parts"]["kills"]
    assert (part["ok"], part["count"], len(part["scopes"])) == (True, 30, 20)
    assert health.ready
