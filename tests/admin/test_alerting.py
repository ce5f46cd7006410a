"""`/v1/alerts`, by its handlers."""

from types import SimpleNamespace
from typing import Any

import pytest

from proxy.admin.alerting import Acknowledge, Alerting, Try
from proxy.admin.answers import NotDone
from proxy.admin.authors import Author
from proxy.admin.routes import Visit
from proxy.config.tokens import Role
from proxy.observe.alerts.rules import Every, Route, Rules, Timing
from tests.admin.scene import Scene
from tests.observe.alerts.scene import Hands, Notes, said

ANN = Author("ann", frozenset({Role.OPERATOR}))
RULES = Rules((Route(Every(), ("ops",)),), frozenset({"ops"}), (Timing(Every(), 0.0, 0.0),))


class Side:
    """The handlers, and the alerts that there are."""

    def __init__(self) -> None:
        self.scene = Scene()
        self.alerts = self.scene.sight.alerts
        self.alerts.obey(RULES)
        self.notes = Notes(self.scene.clock)
        self.alerts.begin(self.notes, lambda notice: None, Hands())
        self.handlers = Alerting(self.scene.sight)

    def visit(self, body: Any = None, name: str = "", **query: str) -> Visit:
        request: Any = SimpleNamespace(query=query, match_info={"id": name})
        return Visit(request, ANN, body)

    def names(self, **query: str) -> list[str]:
        return [item["name"] for item in self.handlers.page(self.visit(**query))["items"]]


@pytest.fixture
def side() -> Side:
    return Side()


def test_what_there_is(side: Side) -> None:
    """In the order in which it fired, with what is over; or only what is in one state."""
    side.alerts.tell(said("A"))
    side.scene.clock.advance(1.0)
    side.alerts.tell(said("B"))
    side.alerts.tell(said("A", holds=False))
    assert side.names() == ["A", "B"]
    assert side.names(state="firing") == ["B"]
    assert side.names(state="resolved") == ["A"]
    assert side.names(limit="1") == ["A"]


async def test_somebody_sees_to_it(side: Side) -> None:
    """Who, and whether a restart would know it."""
    side.alerts.tell(said("A"))
    [alert] = side.alerts.firing()
    body = Acknowledge(reason="on it")
    told = await side.handlers.acknowledge(side.visit(body, alert.id))
    assert (told["acknowledged_by"], told["durable"], told["warnings"]) == ("ann", True, [])
    assert side.notes.entries[-1].reason == "on it"
    side.notes.takes = False
    told = await side.handlers.acknowledge(side.visit(body, alert.id))
    assert (told["durable"], len(told["warnings"])) == (False, 1)
    with pytest.raises(NotDone, match="no alert of this id fires"):
        await side.handlers.acknowledge(side.visit(body, "x"))


def test_a_try(side: Side) -> None:
    """It fires like any other, and says who is told, and who most likely is not."""
    assert side.handlers.test(side.visit(Try("page"))) == {
        "severity": "page",
        "to": ["ops"],
        "warnings": [],
    }
    assert side.names(state="firing") == ["Test"]
    side.alerts.trouble = {"ops": "it answered 410"}.__getitem__
    told = side.handlers.test(side.visit(Try("page")))
    assert told["warnings"] == ["ops is not told at once: it answered 410"]
    side.alerts.obey(Rules())
    told = side.handlers.test(side.visit(Try()))
    assert (told["to"], len(told["warnings"])) == ([], 1)
