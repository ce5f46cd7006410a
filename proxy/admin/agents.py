"""`GET /v1/agents`: who calls, how much, and when last.

Where one agent is all there is its numbers are those of the metrics, and a call pays nothing for
them. Where several are told apart each finished call is counted for its own; at most so many of
them, for whoever may name himself by a header may take a name for each call.
"""

from collections import Counter
from collections.abc import Callable, Iterable

from proxy.admin.lists import Item, Key, page
from proxy.admin.rates import Rates
from proxy.admin.routes import Visit
from proxy.admin.sight import Sight
from proxy.record import Record
from proxy.units import in_utc

MOST = 1000
"""Agents that are told apart; the others share one row."""


class Counted:
    """What is counted of one agent."""

    __slots__ = ("calls", "last", "refused")

    def __init__(self) -> None:
        self.calls = 0
        self.last = 0.0  # on Clock.wall
        self.refused: Counter[str] = Counter()  # by code


class Tallies:
    """A recorder that counts by agent."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self.by_agent: dict[str, Counted] = {}
        self.others = Counted()

    def note(self, record: Record) -> None:
        """One more."""
        counted = self.by_agent.get(record.agent)
        if counted is None:
            counted = self.others
            if len(self.by_agent) < MOST:
                counted = self.by_agent[record.agent] = Counted()
        counted.calls += 1
        counted.last = self._wall()
        if record.decision == "refuse":
            counted.refused[record.code] += 1


class Agents:
    """The handler."""

    def __init__(self, sight: Sight, rates: Rates) -> None:
        self._sight = sight
        self._rates = rates
        self._tallies = Tallies(sight.clock.wall)
        if not sight.identity.static:
            sight.recorders.add(self._tallies)

    def page(self, visit: Visit) -> Item:
        """A page of them, by their names. Raises BadParameter."""
        flights = Counter(call.agent for call in self._sight.under_way())
        items = self._alone(flights) if self._sight.identity.static else self._each(flights)
        return page(items, _key, visit.request.query)

    def _alone(self, flights: Counter[str]) -> list[Item]:
        refused: Counter[str] = Counter()
        calls = 0
        for tally in self._sight.metrics.tallies().values():
            for (outcome, code), number in tally.calls.items():
                calls += number
                if outcome == "refused":
                    refused[code] += number
        counted = Counted()
        counted.calls, counted.refused = calls, refused
        counted.last = self._rates.last_call()
        name = self._sight.identity.agent
        return [_item(name, counted, sum(flights.values())) | self._fares(name)]

    def _each(self, flights: Counter[str]) -> Iterable[Item]:
        known = self._tallies.by_agent
        for name in {*known, *(name for name in flights if len(known) < MOST)}:
            yield _item(name, known.get(name, Counted()), flights[name]) | self._fares(name)
        if self._tallies.others.calls:
            yield {**_item("", self._tallies.others, 0), "id": None, "others": True}

    def _fares(self, name: str) -> Item:
        """How it fares and behaves, where somebody watches."""
        watched = self._sight.watched
        if watched is None or watched.agents.rules is None:
            return {}
        return watched.agents.shown(name)


def _item(name: str, counted: Counted, in_flight: int) -> Item:
    return {
        "id": name or None,  # null: nobody knew
        "others": False,
        "calls": counted.calls,
        "last_seen": in_utc(counted.last) if counted.last else None,
        "in_flight": in_flight,
        "refused": dict(counted.refused),
    }


def _key(item: Item) -> Key:
    return "others" if item["others"] else "", item["id"] or ""
