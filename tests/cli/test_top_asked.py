"""proxy/cli/top_asked.py: what is asked for, and how often."""

import pytest

from proxy.cli.asking import Unanswered
from proxy.cli.top_asked import SELDOM, Looker
from tests.cli.top_scene import AGENT, ASKED, CIRCUIT, TOOL, UPSTREAM, page, status
from tests.fakes import FakeClock


class Answers:
    """A proxy's pages; those that it has not are refused."""

    def __init__(self, **pages):
        self.pages = {"status": status(), **pages}
        self.asked = []

    def __call__(self, path, query):
        name = path.removeprefix("/v1/")
        self.asked.append((name, query))
        if name not in self.pages:
            raise Unanswered("no such page")
        return self.pages[name]

    def names(self):
        """What was asked for since the last time."""
        names, self.asked = [name for name, _ in self.asked], []
        return names


@pytest.fixture
def clock():
    return FakeClock()


def test_long_lists_are_asked_for_seldom(clock):
    """The page that says most at each look, the others every few seconds; what they said stays."""
    answers = Answers(agents=page(AGENT), approvals=page(ASKED))
    looker = Looker(answers, clock.now)
    first = looker.look()
    assert answers.names() == ["status", "approvals", "agents"]
    clock.advance(SELDOM - 1)
    second = looker.look()
    assert answers.names() == ["status"]
    clock.advance(1.0)
    third = looker.look()
    assert answers.names() == ["status", "approvals", "agents"]

    assert first.approvals == second.approvals == page(ASKED)
    assert first.crowd == second.crowd == third.earlier
    assert first.earlier is None
    assert third.crowd is not None
    assert third.earlier is not None
    assert third.crowd.at - third.earlier.at == SELDOM


@pytest.mark.parametrize("where", [{"upstreams": [UPSTREAM]}, {"tools": [TOOL]}])
def test_circuits_are_asked_for_where_some_are_not_closed(clock, where):
    """Of an upstream or a tool. Those of shadows refuse nobody, and are not shown."""
    answers = Answers(breakers=page(CIRCUIT, CIRCUIT | {"shadow": True}))
    looker = Looker(answers, clock.now)
    assert looker.look().circuits == []
    assert "breakers" not in answers.names()

    ((name, (item,)),) = where.items()
    answers.pages["status"] = status(**{name: [item | {"circuit": "half_open"}]})
    assert looker.look().circuits == [CIRCUIT]
    assert answers.asked[-1] == ("breakers", {"state": "open", "limit": "100"})


def test_what_a_proxy_does_not_have_is_not_shown(clock):
    """Nor what it does not show to us; the rest is."""
    answers = Answers(status=status(tools=[TOOL | {"circuit": "open"}]))
    seen = Looker(answers, clock.now).look()

    assert (seen.circuits, seen.crowd, seen.approvals) == ([], None, None)
    assert answers.names() == ["status", "breakers", "approvals", "agents"]


def test_without_the_page_that_says_most_there_is_nothing(clock):
    """Who asks is told."""
    answers = Answers()
    del answers.pages["status"]
    with pytest.raises(Unanswered, match="no such page"):
        Looker(answers, clock.now).look()
