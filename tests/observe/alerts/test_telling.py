"""Who is told of which alert."""

from typing import Any

import pytest

from proxy.observe.alerts.rules import Every, Route, Rules, Timing
from proxy.observe.alerts.telling import filled
from tests.observe.alerts.scene import AT_ONCE, Scene, said

PAGE: Any = {"source": "slo", "severity": "page", "group": "slo:a"}
TICKET: Any = {"source": "slo", "severity": "ticket", "group": "slo:a"}


class Of:
    """Alerts of one name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def holds(self, labels: object, /) -> bool:
        assert isinstance(labels, dict)
        return labels["name"] == self._name


@pytest.fixture
def scene() -> Scene:
    return Scene().begin()


def test_once_when_it_fires_and_once_when_it_is_over(scene: Scene) -> None:
    """By the same fingerprint and with the same beginning."""
    scene.tell(said("A", upstream="u"))
    scene.wait(3)
    scene.tell(said("A", upstream="u", holds=False))
    scene.wait(30)
    assert scene.heard() == [[("A", "firing")], [("A", "resolved")]]
    first, last = (notice.alerts[0] for notice in scene.sent)
    assert (first.fingerprint, first.starts_at) == (last.fingerprint, last.starts_at)
    assert last.ends_at > last.starts_at
    assert len({notice.id for notice in scene.sent}) == 2
    assert [notice.status for notice in scene.sent] == ["firing", "resolved"]


def test_what_comes_at_once_is_told_at_once(scene: Scene) -> None:
    """Alerts of one group in one notice, each with all that fires of it."""
    for agent in ("ann", "bob"):
        scene.tell(said("Loops", agent=agent, group="loop"))
    scene.tell(said("Other"))
    scene.wait()
    assert sorted(map(len, scene.heard())) == [1, 2]
    scene.sent.clear()
    scene.tell(said("Loops", agent="cat", group="loop"))
    scene.tell(said("Loops", agent="ann", group="loop", holds=False))
    scene.wait(11)
    assert [len(each) for each in scene.heard()] == [3, 3]
    assert scene.heard()[1][-1] == ("Loops", "resolved")
    assert [told.labels["agent"] for told in scene.sent[1].alerts] == ["bob", "cat", "ann"]


def test_again_while_it_fires(scene: Scene) -> None:
    """After each `repeat`; in another notice, with the beginning that it had."""
    scene.obey(Rules(AT_ONCE.routes, AT_ONCE.receivers, AT_ONCE.timings, repeat=100.0))
    scene.tell(said("A"))
    scene.wait(250)
    assert scene.heard() == [[("A", "firing")]] * 3
    assert len({notice.id for notice in scene.sent}) == 3
    assert len({notice.alerts[0].starts_at for notice in scene.sent}) == 1


def test_a_page_inhibits_the_ticket_of_its_group(scene: Scene) -> None:
    """What is told of an SLO is the worst of it. Another group's ticket is its own."""
    scene.tell(said("Page", **PAGE))
    scene.tell(said("Ticket", **TICKET))
    scene.tell(said("Ticket", source="slo", group="slo:b", slo="b"))
    scene.wait(5)
    assert sorted(scene.heard()) == [[("Page", "firing")], [("Ticket", "firing")]]
    inhibited = {a.group: held for a, held in scene.alerts.listed() if a.condition.name == "Ticket"}
    assert inhibited == {"slo:a": True, "slo:b": False}


def test_when_the_page_is_over_the_ticket_is_told(scene: Scene) -> None:
    """If it still holds; it fired all the while."""
    scene.tell(said("Page", **PAGE))
    scene.tell(said("Ticket", **TICKET))
    scene.wait(5)
    scene.tell(said("Page", holds=False, **PAGE))
    scene.wait(12)
    assert scene.heard() == [[("Page", "firing")], [("Ticket", "firing"), ("Page", "resolved")]]
    ticket = scene.sent[-1].alerts[0]
    assert ticket.starts_at == scene.sent[0].alerts[0].starts_at


def test_a_ticket_that_was_over_under_its_page_is_never_told(scene: Scene) -> None:
    """Nobody had heard of it."""
    scene.tell(said("Page", **PAGE))
    scene.tell(said("Ticket", **TICKET))
    scene.wait(2)
    scene.tell(said("Ticket", holds=False, **TICKET))
    scene.wait(20)
    assert scene.heard() == [[("Page", "firing")]]


def test_a_ticket_that_was_told_before_its_page_is_told_over(scene: Scene) -> None:
    """Who heard that it fires hears that it is over, though the page still fires; again it is not
    told meanwhile."""
    scene.obey(Rules(AT_ONCE.routes, AT_ONCE.receivers, AT_ONCE.timings, repeat=100.0))
    scene.tell(said("Ticket", **TICKET))
    scene.wait(2)
    scene.tell(said("Page", **PAGE))
    scene.wait(60)
    assert scene.heard()[1] == [("Ticket", "firing"), ("Page", "firing")]
    scene.tell(said("Ticket", holds=False, **TICKET))
    scene.wait(20)
    assert scene.heard()[2] == [("Page", "firing"), ("Ticket", "resolved")]
    assert len(scene.heard()) == 3


def test_routes_that_change_while_it_fires(scene: Scene) -> None:
    """Who is new hears that it fires; who is told no more of such, that it is over."""
    scene.tell(said("A"))
    scene.wait(2)
    scene.obey(Rules((Route(Every(), ("boss",)),), AT_ONCE.receivers, AT_ONCE.timings))
    scene.wait(2)
    assert scene.heard("boss") == [[("A", "firing")]]
    assert scene.heard("ops") == [[("A", "firing")]]
    scene.tell(said("A", holds=False))
    scene.wait(12)
    assert scene.heard("boss")[1:] == scene.heard("ops")[1:] == [[("A", "resolved")]]


def test_a_receiver_that_goes_hears_nothing(scene: Scene) -> None:
    """And when it comes back, what fires then."""
    scene.tell(said("A"))
    scene.wait(2)
    scene.obey(Rules((), frozenset(), AT_ONCE.timings))
    scene.wait(40)
    scene.obey(AT_ONCE)
    scene.wait(2)
    assert scene.heard() == [[("A", "firing")]] * 2
    scene.obey(Rules((), frozenset(), AT_ONCE.timings))
    scene.tell(said("A", holds=False))
    scene.wait(40)
    assert len(scene.sent) == 2


def test_each_route_that_holds_counts(scene: Scene) -> None:
    """A receiver that two of them name is told once; one that nobody made is told nothing."""
    routes = (
        Route(Every(), ("ops",)),
        Route(Of("A"), ("boss", "ops", "gone")),
    )
    scene.obey(Rules(routes, AT_ONCE.receivers, AT_ONCE.timings))
    scene.tell(said("A"))
    scene.tell(said("B"))
    scene.wait(2)
    assert sorted(scene.heard("ops")) == [[("A", "firing")], [("B", "firing")]]
    assert scene.heard("boss") == [[("A", "firing")]]
    assert len(scene.sent) == 3


def test_without_routes_nobody_is_told(scene: Scene) -> None:
    """It fires all the same."""
    scene.obey(Rules(timings=(Timing(Every(), 0.0, 0.0),)))
    scene.tell(said("A"))
    scene.wait(2)
    scene.tell(said("A", holds=False))
    scene.wait(2)
    assert (scene.sent, scene.states) == ([], [("A", "firing"), ("A", "resolved")])


def test_receivers_that_forget_are_said_what_fires(scene: Scene) -> None:
    """All that they were told and that fires, group by group; each time another notice."""
    scene.tell(said("Page", **PAGE))
    scene.tell(said("Ticket", **TICKET))
    scene.tell(said("B"))
    scene.wait(2)
    first = list(scene.alerts.said_again("ops"))
    assert [[told.name for told in notice.alerts] for notice in first] == [["Page"], ["B"]]
    scene.wait(1)
    again = list(scene.alerts.said_again("ops"))
    assert not {notice.id for notice in first} & {notice.id for notice in again}
    assert list(scene.alerts.said_again("boss")) == []


def test_links_have_what_the_alert_says(scene: Scene) -> None:
    """As part of a URL; one that asks for what it does not say is left empty."""
    links: Any = {"runbook": "https://w/{name}?u={upstream}", "dashboard": "https://g/{slo}"}
    scene.obey(Rules(AT_ONCE.routes, AT_ONCE.receivers, AT_ONCE.timings, **links))
    scene.tell(said("A", upstream="a b&c", told={"burn": "3"}))
    scene.wait(1)
    annotations = scene.sent[0].alerts[0].annotations
    assert annotations == {"burn": "3", "runbook_url": "https://w/A?u=a%20b%26c"}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("plain", "plain"),
        ("agent:{agent}", "agent:{tool}"),
        ("{tool}/{agent}!", "t/{tool}!"),
        ("{slo}", None),
        ("{tool", None),
    ],
)
def test_texts_are_filled_once(text: str, what: str | None) -> None:
    """What an agent calls itself is not filled again."""
    assert filled(text, {"agent": "{tool}", "tool": "t"}) == what
