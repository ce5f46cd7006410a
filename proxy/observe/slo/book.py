"""The book of objectives: what was counted for each, over reloads and restarts, and how it stands.

It is a room of the journal: its state is what rings held when the snapshot was made, and the calls
that ended after it are counted again by their records, each in the slot of its `ts`. Between the
last that is known of one process and the start of the next nobody counted: that time is a gap, and
no good one (`Sums.coverage`).

An objective that changes keeps its counts where it counts the same events in the same way
(`_definition`): its share, its window and its alerts may change as they like. What is not in the
policies any more is kept for a while: who puts it back finds it as it was.
"""

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from proxy.clock import Clock
from proxy.observe.alerts.condition import Condition, Tell
from proxy.observe.slo.axis import Axis
from proxy.observe.slo.burning import Burning, Standing, State, look, of_budget
from proxy.observe.slo.counting import Counting
from proxy.observe.slo.objective import Objective
from proxy.observe.slo.ring import Kept, Ring, Sums
from proxy.observe.slo.series import Series
from proxy.observe.slo.shared import FleetSeries, FleetSlos, KeptFleet
from proxy.observe.slo.times import Times
from proxy.record import Record
from proxy.state.shared.names import digest
from proxy.units import Moment

VERSION = 1
MOST_SET_ASIDE = 16
"""Series of objectives that no policy has any more."""
AT_ONCE = 20
"""Objectives of one look: they take 0.1 ms each, and calls wait meanwhile."""
LATELY = 256
"""Calls that are known to be in a state: the journal may have their records a moment later, where
their bodies are looked through first."""

_REPLAYED = frozenset({"call.finished", "start", "stop", "checkpoint", "slo.alert", "slo.resolved"})
"""Calls, and what says until when the process was there: what was over then must not burn again."""


class _KeptSeries(msgspec.Struct):
    name: str
    definition: str
    ring: Kept
    excluded: dict[str, int]
    fleet: KeptFleet | None = None


class _KeptBook(msgspec.Struct):
    v: int
    now_ms: int
    offset_ms: int
    lately: list[str]
    series: list[_KeptSeries]


class Entry:
    """One objective: what is counted, and how it stands."""

    __slots__ = ("_burning", "definition", "fleet", "kept", "objective", "series", "standing")

    def __init__(self, objective: Objective, series: Series) -> None:
        self.objective = objective
        self.series = series
        self.definition = _definition(objective)
        if objective.sli == "latency" and series.times is None:
            series.times = Times()
        self.standing: Standing | None = None  # before it was looked at for the first time
        self.fleet: FleetSeries | None = None
        """What all pods counted, where they share a store."""
        self.kept: KeptFleet | None = None  # of that, from before the store was there
        self._burning = Burning(objective)

    @property
    def subject(self) -> str:
        """What it is called in the store. Pods with other policies may have another one of its
        name; what these count does not meet."""
        return f"slo:{self.objective.name}:{digest(self.definition)}"

    @property
    def state(self) -> State:
        """How it stands, in a word."""
        return "insufficient_data" if self.standing is None else self.standing.state

    def over(self, window: float) -> Sums:
        """What was counted in the last so many seconds: by all pods, where they are heard."""
        if self.fleet is not None and self.fleet.fresh:
            return self.fleet.over(window)
        return self.series.ring.over(window)

    def look(self) -> Iterator[Condition]:
        """How does it stand? What is to be told of it."""
        self.standing = look(self.objective, self.over)
        return self._burning.tells(self.standing)

    def obey(self, objective: Objective) -> None:
        """It may have changed, and its counts stay."""
        self.objective = self._burning.objective = objective
        if objective.window != self.series.ring.window:
            self.series.ring = self.series.ring.resized(objective.window)
        if self.fleet is not None:
            self.fleet.resize(objective.window)

    def share(self, fleet: FleetSlos) -> None:
        """There are other pods."""
        self.fleet = fleet.of(self.subject, self.series, self.objective.window)
        if self.kept is not None:
            with contextlib.suppress(ValueError):  # what makes no sense begins anew
                self.fleet.load(self.kept)

    def dump(self) -> _KeptSeries:
        """For a snapshot."""
        series = self.series
        fleet = self.kept if self.fleet is None else self.fleet.dump()
        return _KeptSeries(series.name, self.definition, series.ring.dump(), series.excluded, fleet)

    def ends(self) -> Iterator[Condition]:
        """It is in force no more."""
        return self._burning.ends()


class Slos:
    """A room, and a recorder. `obey` for each set of policies; `begin` when what was rebuilt is
    there; then `tick` every second or so."""

    name = "slos"

    def __init__(self, clock: Clock) -> None:
        self.types: frozenset[str] = frozenset()
        """Part of Rebuilt. Where nothing is counted nothing is read again."""
        self._axis = Axis(clock)
        self._begun = False
        self._entries: dict[str, Entry] = {}
        self._aside: dict[str, tuple[str, Series]] = {}  # by name, with their definitions
        self._calls = Counting(())
        self._lately: deque[str] = deque(maxlen=LATELY)
        self._known: frozenset[str] = frozenset()
        self._exhausted: frozenset[str] = frozenset()
        self._waiting: list[Entry] = []  # to be looked at
        self._at_once = AT_ONCE
        self._clock = clock
        self._fleet: FleetSlos | None = None
        self.tell: Tell = _nobody
        """Who hears of what burns."""

    @property
    def counts_calls(self) -> bool:
        """Is it to hear of calls?"""
        return bool(self._calls)

    @property
    def entries(self) -> Mapping[str, Entry]:
        """What is in force, by name."""
        return self._entries

    @property
    def exhausted(self) -> frozenset[str]:
        """The names of those whose budgets are used up."""
        return self._exhausted

    def figures(self) -> dict[str, dict[str, str]]:
        """Those whose budgets are used up, and what people are told of each."""
        found = ((name, self._entries.get(name)) for name in self._exhausted)
        return {
            name: of_budget(entry.objective, entry.standing)
            for name, entry in found
            if entry is not None and entry.standing is not None
        }

    def note(self, record: Record) -> None:
        """Part of Recorder."""
        self._lately.append(record.id)
        self._calls.note(record)

    def obey(self, objectives: Iterable[Objective]) -> None:
        """These are in force. Others are set aside."""
        before, self._entries = self._entries, {}
        for objective in objectives:
            entry = before.get(objective.name)
            if entry is not None and entry.definition == _definition(objective):
                del before[objective.name]
                entry.obey(objective)
            else:
                entry = Entry(objective, self._series(objective))
                if self._fleet is not None:
                    entry.share(self._fleet)
            self._entries[objective.name] = entry
        for name, entry in before.items():
            self._say(entry.ends())
            if self._fleet is not None:
                self._fleet.forget(entry.subject)
            self._set_aside(name, entry.definition, entry.series)
        self.types = _REPLAYED if self._entries else frozenset()
        self._waiting, self._at_once = [], len(self._entries)  # first, all are looked at
        self._calls = Counting(
            (each.objective, each.series)
            for each in self._entries.values()
            if each.objective.per == "call"
        )

    def begin(self) -> None:
        """What was rebuilt is there. Until now nobody counted."""
        self._advance(self._axis.begin(), here=False)
        self._begun = True
        self._known = frozenset()
        for series in (
            *(each.series for each in self._entries.values()),
            *(each for _, each in self._aside.values()),
        ):
            series.begin()

    def now(self) -> float:
        """On the time of rings (`axis.py`)."""
        return self._axis.now()

    def reach(self, ts: float, drill: int = 1) -> float:
        """While it is rebuilt: what follows happened then, in seconds since 1970, in a drill of
        this speed. Where that is on the time of rings."""
        at = self._axis.reach(ts, drill)
        self._advance(at)
        return at

    def share(self) -> FleetSlos:
        """There is a store: how they stand is asked of all pods. When it has begun."""
        if self._fleet is None:
            self._fleet = FleetSlos(self._clock)
            for entry in self._entries.values():
                entry.share(self._fleet)
        return self._fleet

    def tick(self) -> None:
        """Look at each; where there are many, at some of them, and at the others next time."""
        self._advance(self._axis.now())
        if self._fleet is not None:
            self._fleet.look()
        for entry in self._turns():
            self._say(entry.look())
        standings = ((name, each.standing) for name, each in self._entries.items())
        exhausted = {name for name, standing in standings if is_exhausted(standing)}
        self._exhausted = frozenset(exhausted)

    def _turns(self) -> list[Entry]:
        if not self._waiting:
            self._waiting = [*self._entries.values()]
        turns, self._waiting = self._waiting[: self._at_once], self._waiting[self._at_once :]
        self._at_once = AT_ONCE
        return turns

    def dump(self) -> Any:
        """Part of Rebuilt."""
        now = self._axis.now()
        self._advance(now)
        series = [each.dump() for each in self._entries.values()]
        series += [
            _KeptSeries(each.name, definition, each.ring.dump(), each.excluded)
            for definition, each in self._aside.values()
        ]
        offset = int(self._axis.offset * 1000)
        return _KeptBook(VERSION, int(now * 1000), offset, list(self._lately), series)

    def load(self, state: Any) -> None:
        """Part of Rebuilt. What makes no sense begins anew."""
        try:
            kept = msgspec.convert(state, _KeptBook)
        except msgspec.ValidationError:
            return
        if kept.v != VERSION:
            return
        self._axis.load(kept.now_ms / 1000, kept.offset_ms / 1000)
        self._known = frozenset(kept.lately)
        for each in kept.series:
            self._restore(each)
        self._advance(kept.now_ms / 1000, here=False)

    def apply(self, record: dict[str, Any]) -> None:
        """Part of Rebuilt."""
        if self._begun:
            return  # this process ends, or what it found of another one was counted
        kind = record["type"]
        here = kind != "start"
        drill = record.get("drill", 1) if here else 1
        self._advance(self._axis.reach(float(Moment.parse(record["ts"])), drill), here=here)
        if kind == "call.finished" and record["id"] not in self._known:
            self._calls.again(record)

    def _restore(self, kept: _KeptSeries) -> None:
        try:
            ring = Ring.load(kept.ring)
        except ValueError:
            return
        entry = self._entries.get(kept.name)
        if entry is None or entry.definition != kept.definition:
            series = Series(kept.name, ring)
            series.excluded.update(kept.excluded)
            self._set_aside(kept.name, kept.definition, series)
            return
        window = entry.objective.window
        entry.series.ring = ring if ring.window == window else ring.resized(window)
        entry.series.excluded.update(kept.excluded)
        entry.kept = kept.fleet

    def _series(self, objective: Objective) -> Series:
        """Of an objective that comes into force: its own from before, or a new one."""
        definition, series = self._aside.pop(objective.name, ("", None))
        if series is None or definition != _definition(objective):
            series = Series(objective.name, Ring(objective.window, 0.0))
        elif series.ring.window != objective.window:
            series.ring = series.ring.resized(objective.window)
        if self._begun:
            series.ring.advance(self._axis.now(), here=False)
        return series

    def _set_aside(self, name: str, definition: str, series: Series) -> None:
        if not series.good and not series.bad and not series.excluded:
            return
        self._aside[name] = definition, series
        while len(self._aside) > MOST_SET_ASIDE:
            del self._aside[next(iter(self._aside))]

    def _advance(self, at: float, *, here: bool = True) -> None:
        for entry in self._entries.values():
            ring = entry.series.ring
            # One that was made before anything was known begins with the first thing that is.
            ring.advance(at, here=here and ring.now > 0)

    def _say(self, told: Iterable[Condition]) -> None:
        for condition in told:
            self.tell(condition)


def is_exhausted(standing: Standing | None) -> bool:
    """Is its budget used up, as far as it was looked at?"""
    return standing is not None and standing.state == "exhausted"


def _definition(objective: Objective) -> str:
    """What it counts, and how: where that is the same, counts may go on."""
    match = msgspec.json.encode(objective.match).decode()
    most = objective.most_us or objective.most_micros
    return f"{objective.sli} {objective.per} {most} {match}"


def _nobody(_: Any) -> None:
    """Nobody listens."""
