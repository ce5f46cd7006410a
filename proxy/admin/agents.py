"""`GET /v1/agents`: who calls, how much, and when last.

Where one agent is all there is its numbers are those of the metrics, and a call pays nothing for
them. Where several are told apart each finished call is counted for its own; at most so many of
them, for whoever may name himself by a header may take a name for each call.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from heapq import nsmallest
from typing import NamedTuple

from proxy.admin.budgets import spent_today
from proxy.admin.lists import Item, Key, page
from proxy.admin.rates import EVERY, FAILED, SPAN, Rates, together
from proxy.admin.routes import Visit
from proxy.admin.sight import Sight
from proxy.observe.behaviour.wellness import STATES
from proxy.record import Record
from proxy.state.price import dollars
from proxy.units import in_utc

MOST = 1000
"""Agents that are told apart; the others share one row."""


_COPIES = int(SPAN / EVERY)


class Counted:
    """What is counted of one agent."""

    __slots__ = ("calls", "copies", "failed", "last", "refused")

    def __init__(self) -> None:
        self.calls = 0
        self.failed = 0
        self.last = 0.0  # on Clock.wall
        self.refused: Counter[str] = Counter()  # by code
        self.copies: deque[tuple[int, int]] = deque(maxlen=_COPIES)  # calls and failed, of late

    def copy(self) -> None:
        """Note how far it has come."""
        self.copies.append((self.calls, self.failed))

    def lately(self, copies: int) -> tuple[int, int]:
        """Calls and failed ones since the oldest of so many copies, or since it is known."""
        before = self.copies[0] if len(self.copies) >= copies else (0, 0)
        return self.calls - before[0], self.failed - before[1]


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
        elif record.outcome in FAILED:
            counted.failed += 1

    def copy(self) -> None:
        """Note how far each has come."""
        for counted in (*self.by_agent.values(), self.others):
            counted.copy()


class Agents:
    """The handler."""

    def __init__(self, sight: Sight, rates: Rates) -> None:
        self._sight = sight
        self._rates = rates
        self._tallies = Tallies(sight.clock.wall)
        if not sight.identity.static:
            sight.recorders.add(self._tallies)
            rates.followers.append(self._tallies.copy)

    def page(self, visit: Visit) -> Item:
        """A page of them, by their names. Raises BadParameter."""
        look = self._look()
        return page(map(look.item, look.rows), _key, visit.request.query)

    def busiest(self, most: int) -> Item:
        """How many there are, how many of them fare how, and those that call most."""
        look = self._look()
        first = nsmallest(most, look.rows, key=_idleness)
        return {
            "count": sum(not row.others for row in look.rows),
            "health": look.health(),
            "items": [look.item(row) for row in first],
        }

    def _look(self) -> "_Look":
        flights = Counter(call.agent for call in self._sight.under_way())
        static = self._sight.identity.static
        rows = [self._alone(flights)] if static else [*self._each(flights)]
        return _Look(self._sight, rows)

    def _alone(self, flights: Counter[str]) -> "_Row":
        refused: Counter[str] = Counter()
        calls = 0
        for tally in self._sight.metrics.tallies().values():
            for (outcome, code), number in tally.calls.items():
                calls += number
                if outcome == "refused":
                    refused[code] += number
        lately = together([*self._rates.lately().values()])
        name, last = self._sight.identity.agent, self._rates.last_call()
        in_flight = sum(flights.values())
        return _Row(name, calls, last, in_flight, refused, lately.per_second, lately.errors)

    def _each(self, flights: Counter[str]) -> Iterator["_Row"]:
        known, seconds = self._tallies.by_agent, self._rates.seconds
        copies = self._rates.copies
        for name in {*known, *(name for name in flights if len(known) < MOST)}:
            counted = known.get(name) or Counted()
            yield _row(name, counted, flights[name], copies, seconds)
        if self._tallies.others.calls:
            row = _row("", self._tallies.others, 0, copies, seconds)
            yield row._replace(others=True)


class _Row(NamedTuple):
    """What is shown of one of them."""

    name: str
    calls: int
    last: float
    in_flight: int
    refused: Counter[str]
    per_second: float  # in the last minute, as its errors
    errors: float | None
    others: bool = False


def _row(name: str, counted: Counted, in_flight: int, copies: int, seconds: float) -> _Row:
    calls, failed = counted.lately(copies)
    return _Row(
        name,
        counted.calls,
        counted.last,
        in_flight,
        counted.refused,
        calls / seconds if seconds else 0.0,
        failed / calls if calls else None,
    )


def _idleness(row: _Row) -> tuple[float, int, float, str]:
    return -row.per_second, -row.in_flight, -row.last, row.name


class _Look:
    """All of them at one moment, and what others know of each."""

    def __init__(self, sight: Sight, rows: list[_Row]) -> None:
        self.rows = rows
        self._spent = spent_today(sight)
        watched = sight.watched
        rules = None if watched is None else watched.agents.rules
        self._watch = None if watched is None or rules is None else watched.agents

    def item(self, row: _Row) -> Item:
        """As it is shown; how it fares and behaves, where somebody watches."""
        fares = {} if self._watch is None or row.others else self._watch.shown(row.name)
        spent = self._spent
        return {
            "id": row.name or None,  # null: nobody knew
            "others": row.others,
            "calls": row.calls,
            "last_seen": in_utc(row.last) if row.last else None,
            "in_flight": row.in_flight,
            "refused": dict(row.refused),
            "per_second": round(row.per_second, 3),
            "errors_lately": None if row.errors is None else round(row.errors, 4),
            "spent": None if spent is None or row.others else dollars(spent.get(row.name, 0)),
            **fares,
        }

    def health(self) -> dict[str, int] | None:
        """How many fare how; None: nobody watches."""
        if self._watch is None:
            return None
        watch = self._watch
        states = Counter(watch.state_of(row.name) for row in self.rows if not row.others)
        return {state: states[state] for state in STATES}


def _key(item: Item) -> Key:
    return "others" if item["others"] else "", item["id"] or ""
