"""proxy/admin/glance.py, as the table serves it."""

import msgspec
import pytest
from aiohttp import web

from proxy.admin.api import Api
from proxy.admin.glance import FEW, MOST
from proxy.admin.rates import EVERY, STEP
from proxy.admin.sight import Watched
from proxy.config.match import Match
from proxy.keys import CircuitKey
from proxy.observe.behaviour.watch import Watch
from proxy.observe.slo import book
from proxy.observe.slo.objective import Burn, Objective
from proxy.observe.slo.on_exhausted import OnExhausted
from proxy.state.case import Case
from proxy.state.desk import Desk
from tests.admin.scene import Scene
from tests.observe.alerts.scene import Hands, Notes, said
from tests.observe.records import record
from tests.observe.slo.work import DAY, Works
from tests.state.at_desk import TERMS, paying
from tests.tables import post

ALL = Match({})
BURN = Burn(14.4, 3600.0, 300.0, "page", 1, 1)
OBJECTIVES = tuple(
    Objective(name, "latency", "call", share, DAY, ALL, (BURN,), most_us=5_000_000, min_events=2)
    for name, share in (("a-loose", 0.5), ("strict", 0.999))
)


class Side:
    """An API of a process in which nothing has happened."""

    def __init__(self) -> None:
        self.scene = Scene(*[200] * 100)
        self.slos = book.Slos(self.scene.clock)
        self.slos.obey(OBJECTIVES)
        self.slos.begin()
        acts = OnExhausted(self.scene.clock.now)
        works = Works(*OBJECTIVES)
        watched = Watched(self.slos, works.followed, acts, Watch(self.scene.clock))
        self.sight = msgspec.structs.replace(self.scene.sight, watched=watched)
        self.api = Api(self.sight)


@pytest.fixture
async def side():
    made = Side()
    yield made
    made.api.stop()
    await made.scene.clock.stop()


@pytest.fixture
async def look(side, aiohttp_client):
    app = web.Application()
    side.api.add_to(app.router)
    side.api._doors.local = True
    client = await aiohttp_client(app)

    async def asked(path="/v1/overview"):
        async with client.get(path) as answer:
            assert answer.status == 200
            return await answer.json()

    return asked


async def test_it_has_what_the_status_has(look):
    """The same words for the same things."""
    status, told = await look("/v1/status"), await look()

    assert {name: told[name] for name in status} == status


async def test_where_nothing_happened_there_is_nothing(look):
    """And every list is there all the same."""
    told = await look()

    assert told["open"] == {"count": 0, "items": []}
    assert told["waiting"] == {"count": 0, "oldest": None, "unseen": None}
    assert told["alerts"]["firing"] == 0
    assert told["slos"]["states"]["insufficient_data"] == 2
    assert told["trend"] == {
        "seconds": 15.0, "per_second": [], "errors": [], "p99": [], "micros_per_hour": [],
    }  # fmt: skip


async def test_circuits_that_refuse_are_in_it(side, look):
    """The newest first, and so many; those of shadows refuse nobody."""
    for number in range(MOST + 2):
        side.scene.desk.call(post(f"t{number:02}"))
    for key, circuit in side.scene.keep.each(CircuitKey):
        if key.tool:
            side.scene.clock.time += 0.001
            circuit.trip(side.scene.clock.now())
    told = (await look())["open"]

    assert len(told["items"]) == MOST
    assert told["count"] == MOST + 2
    assert not any(item["shadow"] for item in told["items"])
    ages = [item["for"] for item in told["items"]]
    assert ages == sorted(ages)


async def test_who_waits_for_people_is_in_it(side, look):
    """How many, and which of them for longest; what is decided waits no more."""
    desk = Desk.of(side.scene.keep, side.scene.clock)
    first = desk.attach(paying(b"1"), TERMS)
    assert isinstance(first, Case)
    side.scene.clock.time += 30
    desk.attach(paying(b"2"), TERMS)
    told = (await look())["waiting"]

    assert told["count"] == 2
    assert (told["oldest"]["id"], told["oldest"]["for"]) == (first.request.id, 30.0)
    assert (told["oldest"]["agent"], told["oldest"]["tool"]) == (
        first.request.agent,
        first.request.tool,
    )


async def test_the_most_urgent_alerts_are_in_it(side, look):
    """A few; how many fire of each kind."""
    alerts = side.sight.alerts
    alerts.begin(Notes(side.scene.clock), lambda notice: None, Hands())
    for number in range(FEW + 2):
        alerts.tell(said(f"T{number}", severity="ticket"))
    alerts.tell(said("P", severity="page"))
    told = (await look())["alerts"]

    assert (told["firing"], told["severities"]) == (8, {"page": 1, "ticket": 7, "info": 0})
    assert told["items"][0]["name"] == "P"
    assert len(told["items"]) == FEW


async def test_the_objective_with_the_least_left_comes_first(side, look):
    """One of which nothing is known comes last."""
    for _ in range(5):
        side.slos.note(record(duration_us=6_000_000))
    side.slos.note(record())
    side.scene.clock.time += 20
    side.slos.tick()
    told = (await look())["slos"]

    assert told["count"] == 2
    assert [item["slo"] for item in told["items"]] == ["strict", "a-loose"]
    assert told["items"][0]["state"] == "exhausted"
    assert told["items"][0]["remaining"] < told["items"][1]["remaining"]


async def test_how_it_went_is_in_it(side, look):
    """One point for each step; null where there were no calls."""
    rates = side.api._rates
    side.scene.metrics.note(record(outcome="failed", cost_micros=1_000))
    for _ in range(2 * STEP):
        side.scene.clock.time += EVERY
        rates.copy()
    told = (await look())["trend"]

    assert told["per_second"] == [round(1 / 15, 3), 0.0]
    assert told["errors"] == [1.0, None]
    assert told["p99"][1] is None
    assert told["micros_per_hour"] == [240_000, 0]
