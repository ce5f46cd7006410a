"""`/v1/budgets`: accounts, and whose money a workflow's is."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from proxy.admin.answers import NotDone
from proxy.admin.api import Api
from proxy.admin.authors import SOMEBODY
from proxy.admin.budgets import Budgets, fullest, of_fleet
from proxy.admin.budgets import money as shown
from proxy.admin.lists import BadParameter
from proxy.admin.routes import Visit
from proxy.admin.sight import Sight
from proxy.keys import LEDGER
from proxy.state.account import Account
from proxy.state.ledger import Ledger
from tests.admin.scene import Scene
from tests.fakes import EPOCH
from tests.tables import post

POLICIES = """
policies: [{name: p, effect: read, cost: 0.30}]
budgets:
  - {name: agent, per: agent, hour: 1, day: 9}
  - {name: one, per: request, limit: 2}
  - {name: work, per: workflow, total: 3, on_exceed: shadow}
"""


def paged(sight: Sight, query: dict[str, str]) -> Any:
    """What is shown to who asks so."""
    request: Any = SimpleNamespace(query=query)
    return Budgets(sight).page(Visit(request, SOMEBODY))


class Money(Scene):
    """With budgets; who spends is said by the test."""

    def __init__(self) -> None:
        super().__init__(*[200] * 20, policies=POLICIES)
        clock = self.clock
        self.ledger: Ledger = self.keep.of(LEDGER, lambda: Ledger(clock.wall, clock.uuid))
        self.ledger.obey(budget.cap for budget in self.desk.table.loaded.budgets)

    def spend(self, workflow: str = "", agent: str = "ann", caller: str = "") -> None:
        """One call, for 0.30."""
        call = post("search", {b"holdfast-workflow": workflow.encode()} if workflow else {})
        found = self.desk.found(call)
        call.agent, call.caller, call.workflow = agent, caller, workflow
        reply = found(call)
        with pytest.raises(StopIteration) as done:
            reply.send(None)  # type: ignore[attr-defined]  # nothing here waits
        done.value.value.finish()
        call.purse.told(call.id)

    def page(self, **query: str) -> Any:
        """What is shown."""
        return paged(self.sight, query)

    def account(self, budget: str, key: str) -> Account:
        """One of them."""
        return self.ledger.of(budget)[key]


@pytest.fixture
def money() -> Money:
    """Nothing is spent yet."""
    return Money()


def keys(told: Any) -> list[tuple[str, str | None]]:
    """Which are on the page."""
    return [(item["budget"], item["key"]) for item in told["items"]]


def test_budgets_are_shown_before_anything_is_spent(money: Money) -> None:
    """With their limits, and nobody's key."""
    told = money.page()
    assert keys(told) == [("agent", None), ("one", None), ("work", None)]
    assert told["items"][1] == {
        "budget": "one", "per": "request", "key": None, "on_exceed": "reject",
        "alert_at": [0.75, 0.9], "overrun": "0.00",
        "windows": [
            {
                "window": "request", "seconds": None, "limit": "2.00", "spent": "0.00",
                "reserved": "0.00", "left": "2.00", "share": 0.0, "resets_at": None, "alerts": [],
            }
        ],
    }  # fmt: skip


def test_an_account_is_shown_as_it_is_now(money: Money) -> None:
    """What is spent and reserved in each window, when it ends, and the alerts that were raised."""
    for _ in range(3):
        money.spend()
    money.account("agent", "ann").reserve(50_000)
    item = money.page(budget="agent")["items"][0]
    hour, day = item["windows"]
    assert (item["per"], item["key"], item["on_exceed"]) == ("agent", "ann", "reject")
    assert hour == {
        "window": "hour", "seconds": None, "limit": "1.00", "spent": "0.90", "reserved": "0.05",
        "left": "0.05", "share": 0.95, "resets_at": hour["resets_at"], "alerts": [0.75, 0.9],
    }  # fmt: skip
    assert (day["spent"], day["alerts"]) == ("0.90", [])
    assert hour["resets_at"] < day["resets_at"]
    money.clock.advance(3_600)
    hour, day = money.page(budget="agent")["items"][0]["windows"]
    assert (hour["spent"], hour["alerts"], day["spent"]) == ("0.00", [], "0.90")


def test_they_are_found_by_budget_and_key(money: Money) -> None:
    """Exactly; those who say nothing are `none`."""
    for workflow in ("w1", "w2", ""):
        money.spend(workflow)
    assert keys(money.page(budget="work")) == [("work", "none"), ("work", "w1"), ("work", "w2")]
    assert keys(money.page(key="w1")) == [("work", "w1")]
    assert keys(money.page(key="none")) == [("work", "none")]
    assert keys(money.page(budget="agent", key="w1")) == []
    assert keys(money.page(budget="nothing")) == []


def test_they_come_in_pages(money: Money) -> None:
    """Nothing twice, nothing left out; whatever agents call their work."""
    names = ["a:b", "x y", "é", '"', "w", "none"]
    for name in [*names, ""]:
        money.ledger.account(money.ledger.caps["work"], name).enter(EPOCH)
    found: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        told = money.page(budget="work", limit="2", cursor=cursor)
        found += keys(told)
        cursor = told["next"]
    assert sorted(key or "" for _, key in found) == sorted([*names, "none"])


def test_a_limit_of_nothing_is_full(money: Money) -> None:
    """Nobody divides by it."""
    money.desk = Scene(policies=POLICIES.replace("total: 3", "total: 0")).desk
    money.ledger.obey(budget.cap for budget in money.desk.table.loaded.budgets)
    money.ledger.account(money.ledger.caps["work"], "w").enter(EPOCH)
    assert money.page(budget="work")["items"][0]["windows"][0]["share"] == 1.0


@pytest.mark.parametrize(
    ("by", "ann", "bob"),
    [
        ("self", "0.60", "0.30"),
        ("caller_pays", "0.90", "0.00"),
        ("proportional", "0.60", "0.30"),
        ("pool", "0.45", "0.45"),
    ],
)
def test_a_workflow_is_told_by_its_agents(money: Money, by: str, ann: str, bob: str) -> None:
    """In each of the views they add up to the same."""
    for agent, caller in (("ann", ""), ("ann", ""), ("bob", "ann")):
        money.spend("w", agent, caller)
    money.spend("other")
    told = money.page(workflow="w", by=by)
    assert (told["workflow"], told["by"], told["total"]) == ("w", by, "0.90")
    assert {item["agent"]: item["spent"] for item in told["items"]} == {"ann": ann, "bob": bob}
    assert [item["calls"] for item in told["items"]] == [2, 1]
    first = money.page(workflow="w", by=by, limit="1")
    assert [item["agent"] for item in first["items"]] == ["ann"]
    second = money.page(workflow="w", by=by, limit="1", cursor=first["next"])
    assert [item["agent"] for item in second["items"]] == ["bob"]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ({"by": "self"}, "workflow: say of which"),
        ({"workflow": "w", "by": "root"}, "by: expected self, caller_pays, proportional, pool"),
        ({"workflow": "w", "budget": "x"}, "budget: is no parameter"),
        ({"buget": "x"}, "buget: is no parameter; known are budget, key"),
        ({"limit": "0"}, "limit: must be"),
    ],
)
def test_what_cannot_be_asked(money: Money, query: dict[str, str], why: str) -> None:
    """It says what can."""
    money.spend("w")
    with pytest.raises(BadParameter, match=why):
        money.page(**query)


def test_a_workflow_that_nobody_knows(money: Money) -> None:
    """Is not one in which nothing was spent."""
    with pytest.raises(NotDone):
        money.page(workflow="w")


def test_the_fullest_come_first(money: Money) -> None:
    """By the window of which most is used; those without any use are not among them."""
    money.spend("w")
    money.spend("v", agent="bob")
    money.spend("v", agent="bob")
    money.ledger.account(money.ledger.caps["work"], "idle").enter(EPOCH)
    told = fullest(money.ledger, 3)
    assert [(item["budget"], item["key"]) for item in told] == [
        ("agent", "bob"), ("agent", "ann"), ("work", "v"),
    ]  # fmt: skip


def test_only_those_that_pods_share(money: Money) -> None:
    """What only counts asks nobody, and is each pod's own."""
    money.spend("w")
    assert of_fleet(money.ledger, 3) == []
    for account in money.ledger.accounts():
        account.lease()
    assert [item["budget"] for item in of_fleet(money.ledger, 3)] == ["agent"]
    assert [item["budget"] for item in fullest(money.ledger, 3)] == ["agent", "work"]


async def test_the_page_is_served(money: Money, aiohttp_client: Any) -> None:
    """And what is wrong with a question is a problem object."""
    pages = Api(money.sight)
    app = web.Application()
    pages.add_to(app.router)
    pages.serve(local=True, by_socket=False)
    client = await aiohttp_client(app)
    told = await (await client.get("/v1/budgets?budget=one")).json()
    assert keys(told) == [("one", None)]
    assert (await client.get("/v1/budgets?workflow=w")).status == 404
    assert (await client.get("/v1/budgets?by=self")).status == 400
    pages.stop()
    await money.clock.stop()


def test_without_a_ledger_there_is_nothing() -> None:
    """No policy was read yet."""
    assert paged(Scene().sight, {}) == {"items": [], "next": None}


def test_what_was_spent_today(money: Money) -> None:
    """By whom, most first; tomorrow it is nothing."""
    money.spend(agent="bob")
    for _ in range(2):
        money.spend("w")
    told = shown(money.sight)
    assert told is not None
    assert (told["since"], told["spent"]) == ("2023-11-14T00:00:00Z", "0.90")
    assert told["agents"] == [
        {"agent": "ann", "spent": "0.60"}, {"agent": "bob", "spent": "0.30"},
    ]  # fmt: skip
    assert [item["key"] for item in told["fullest"]] == ["ann", "bob", "w", "none"]
    money.clock.advance(86_400)
    told = shown(money.sight)
    assert told is not None
    assert (told["spent"], told["agents"]) == ("0.00", [])
    assert [item["budget"] for item in told["fullest"]] == ["work", "work"]


def test_where_nobody_counts_there_is_nothing_to_show() -> None:
    """Before policies are read, and where none speaks of money."""
    scene = Scene()
    assert shown(scene.sight) is None
    scene.keep.of(LEDGER, lambda: Ledger(scene.clock.wall, str))
    assert shown(scene.sight) is None
