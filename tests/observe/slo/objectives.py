"""Objectives, a book of them with a clock of its own, and traffic that it sees."""

from collections.abc import Iterable
from itertools import count
from typing import Any

import msgspec

from proxy.config.match import Globs, Match
from proxy.journal.lines import rfc3339
from proxy.observe.alerts.condition import Condition
from proxy.observe.slo.book import Entry, Slos
from proxy.observe.slo.burns import outage, usual
from proxy.observe.slo.objective import Objective
from tests.fakes import FakeClock
from tests.observe.records import record

DAY = 86_400.0
MONTH = 30 * DAY
_names = (f"c-{number}" for number in count())


def objective(share: float = 0.99, **changes: Any) -> Objective:
    """An SLO of all calls, with the alerts that fit it, but for `changes`."""
    window = changes.setdefault("window", MONTH)
    events = changes.setdefault("min_events", 10)
    facts: dict[str, Any] = {
        "name": "works",
        "sli": "success",
        "per": "call",
        "objective": share,
        "match": Match(),
        "burns": (*usual(share, window, events), outage(share, events)),
    }
    return Objective(**(facts | changes))


def matching(**globs: str) -> Match:
    """Calls with such facts."""
    return Match({key: Globs.of((glob,)) for key, glob in globs.items()})


class Watched:
    """A book, its clock, and what it told."""

    def __init__(self, *objectives: Objective, clock: FakeClock | None = None) -> None:
        self.clock = FakeClock() if clock is None else clock
        self.slos = Slos(self.clock)
        self.slos.tell = self._hear
        self.told: list[Condition] = []
        self.holding: dict[str, Condition] = {}
        """What holds now, by severity."""
        self.episodes: list[tuple[float, str, bool]] = []
        """When what began to hold, or ended."""
        self.slos.obey(objectives)

    @property
    def entry(self) -> Entry:
        """The only one, or the first."""
        return next(iter(self.slos.entries.values()))

    @property
    def state(self) -> str:
        """How it stands."""
        assert self.entry.standing is not None
        return self.entry.standing.state

    def begin(self) -> "Watched":
        """It is in force."""
        self.slos.begin()
        self.slos.tick()
        return self

    def _hear(self, condition: Condition) -> None:
        self.told.append(condition)
        held = self.holding.pop(condition.severity, None)
        if condition.holds:
            self.holding[condition.severity] = condition
        if condition.holds is not (held is not None):
            self.episodes.append((self.clock.time, condition.severity, condition.holds))

    def ends(self, good: int, bad: int) -> list[Any]:
        """So many calls end now. Their records, as the journal has them."""
        return [self.end("failed") for _ in range(bad)] + [self.end("ok") for _ in range(good)]

    def end(self, outcome: str, **changes: Any) -> Any:
        """One call ends so."""
        if outcome == "failed":
            changes.setdefault("code", "upstream_unreachable")
        made = record(id=next(_names), outcome=outcome, **changes)
        self.slos.note(made)
        ts = self.clock.wall()
        return msgspec.to_builtins(made) | {"type": made.type, "ts": stamp(ts)}

    def passes(self, seconds: float, good: int = 0, bad: int = 0, step: float = 10.0) -> None:
        """Time passes. In each step it is looked at, and so many calls end; these have no record,
        for there are millions."""
        for _ in range(round(seconds / step)):
            self.clock.advance(step)
            self.slos.tick()
            for entry in self.slos.entries.values():
                entry.series.ring.add(good, bad)

    def again(self, records: Iterable[Any] = (), *objectives: Objective) -> "Watched":
        """Another process: by what this one would have in a snapshot now, and records after it."""
        state = msgspec.json.decode(msgspec.json.encode(self.slos.dump()))
        return restarted(self, state, records, *objectives)


def restarted(
    before: Watched, state: Any, records: Iterable[Any], *objectives: Objective
) -> Watched:
    """Another process on the same clock. `state` None: there was no snapshot."""
    asked = objectives or tuple(each.objective for each in before.slos.entries.values())
    made = Watched(*asked, clock=before.clock)
    if state is not None:
        made.slos.load(state)
    for each in records:
        made.slos.apply(each)
    return made


def stamp(wall: float) -> str:
    """As a line of the journal has it."""
    return rfc3339(int(wall * 1e9))
