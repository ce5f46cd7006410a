"""proxy/admin/slos.py; tests/whole/test_exhausted.py has it over the real socket."""

from types import SimpleNamespace
from typing import Any

import msgspec

from proxy.admin.routes import Visit
from proxy.admin.sight import Watched
from proxy.admin.slos import Slos, shown
from proxy.config.match import Globs, Match
from proxy.observe.behaviour.watch import Watch
from proxy.observe.slo import book
from proxy.observe.slo.objective import Burn, Objective
from proxy.observe.slo.on_exhausted import OnExhausted
from tests.admin.scene import Scene
from tests.observe.records import record
from tests.observe.slo.work import DAY, Works, of_tasks

BURN = Burn(14.4, 3600.0, 300.0, "page", 1, 1)
QUICK = Objective(
    "quick", "latency", "call", 0.99, DAY, Match({"tool": Globs(("get_*",), ("get_x",))}), (BURN,),
    most_us=5_000_000, min_events=2, place="10.yaml:3", notify=True,
)  # fmt: skip
DEAR = msgspec.structs.replace(
    QUICK,
    name="dear",
    sli="cost",
    most_micros=150_000,
    match=Match({"agent": Globs(("*",), ("x",))}),
)


def items(*objectives: Objective, calls: int = 0, **query: str) -> Any:
    """What is shown of these after so many calls, each too slow."""
    scene = Scene()
    slos = book.Slos(scene.clock)
    slos.obey(objectives)
    slos.begin()
    for _ in range(calls):
        slos.note(record(duration_us=6_000_000))
    slos.note(record(outcome="refused", code="denied"))
    scene.clock.time += 20
    slos.tick()
    works = Works(*objectives)
    acts = OnExhausted(scene.clock.now)
    acts.obey(objectives)
    acts.look(slos.exhausted)
    watched = Watched(slos, works.followed, acts, Watch(scene.clock))
    sight = msgspec.structs.replace(scene.sight, watched=watched)
    asked: Any = SimpleNamespace(query=query)
    return Slos(sight).page(Visit(asked, None))["items"]  # type: ignore[arg-type]  # nobody is asked


def test_an_objective_says_all_of_itself():
    """What is good, how it stands, over which windows, and what follows."""
    (item,) = items(QUICK, calls=3)
    assert item == {
        "slo": "quick", "sli": "latency", "per": "call", "objective": 0.99, "window": "1d",
        "threshold": "5s", "match": {"tool": ["get_*", "!get_x"]}, "from": "10.yaml:3",
        "state": "exhausted", "good": 0, "bad": 3, "excluded": {"refused": 1},
        "took": None,
        "budget": {
            "remaining": -99.0, "events": 3, "bad": 3, "coverage": item["budget"]["coverage"],
            "exhausts_in": 0,
        },
        "burn": [
            {"window": "5m", "rate": 100.0, "events": 3, "bad": 3},
            {"window": "1h", "rate": 100.0, "events": 3, "bad": 3},
            {"window": "1d", "rate": 100.0, "events": 3, "bad": 3},
        ],
        "alerts": [
            {
                "burn": 14.4, "long": "1h", "short": "5m", "severity": "page", "outage": False,
                "holds": True,
            },
        ],
        "on_exhausted": {"does": ["notify"], "in_force": True},
        "tasks": None,
    }  # fmt: skip


def test_how_long_it_took_is_shown_from_a_hundred_on():
    """Of those that count; of an objective that promised something of that."""
    (item,) = items(QUICK, calls=100)
    assert item["took"] == {"p50": 6.0, "p95": 6.0, "p99": 6.0}
    (dear,) = items(DEAR, calls=100)
    assert dear["took"] is None


def test_nothing_counted_is_no_good_sign():
    """Neither a budget nor a burn is said of it."""
    (dear,) = items(DEAR)
    assert dear["budget"]["remaining"] is None
    assert {burn["rate"] for burn in dear["burn"]} == {None}
    assert (dear["state"], dear["threshold"]) == ("insufficient_data", "0.15")
    assert dear["match"] == {"agent": ["!x"]}
    fresh = shown(book.Entry(DEAR, Works().series["done"]), None, acts=False)
    assert (fresh["budget"], fresh["state"]) == (None, "insufficient_data")


def test_tasks_are_shown_with_what_is_not_counted():
    """Of an objective that is for tasks; in pages, by name."""
    found = items(of_tasks("b"), of_tasks("a"))
    assert [item["slo"] for item in found] == ["a", "b"]
    assert found[0]["tasks"] == {"open": 0, "late": 0, "untracked": 0}
    assert found[0]["threshold"] is None
    assert len(items(of_tasks("b"), of_tasks("a"), limit="1")) == 1


def test_where_nobody_counts_there_is_nothing():
    """An empty page."""
    asked: Any = SimpleNamespace(query={})
    page = Slos(Scene().sight).page(Visit(asked, None))  # type: ignore[arg-type]  # nobody is asked
    assert page == {"items": [], "next": None}
