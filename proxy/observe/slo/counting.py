"""Which objectives a finished call is for, and how it counts for each."""

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any, TypeAlias

from proxy.observe.slo.ends import end_of, end_of_line, verdict
from proxy.observe.slo.objective import FACTS, Objective
from proxy.observe.slo.series import Series
from proxy.record import Record

MOST = 4096
"""Combinations of facts whose objectives are remembered. Agents make names up: when it is full it
begins anew, and whoever fills it gains nothing."""
LONGEST = 512
"""Characters of all facts together; longer ones are looked up each time."""

_USUAL = ("upstream", "fleet")  # of few values; two at least, for then `attrgetter` gives a tuple
Counted: TypeAlias = tuple[tuple[Objective, Series], ...]
Key: TypeAlias = tuple[str, ...]


class Counting:
    """What is counted of calls: one lookup by the facts that any objective asks for, then sums."""

    def __init__(self, counted: Iterable[tuple[Objective, Series]]) -> None:
        self._counted: Counted = tuple(counted)
        asked = {*_USUAL, *(key for each, _ in self._counted for key in each.match.keys)}
        self._keys = tuple(key for key in FACTS if key in asked)
        self._key: Callable[[Record], Key] = attrgetter(*self._keys)
        self._memo: dict[Key, Counted] = {}

    def __bool__(self) -> bool:
        """Is there anything to count?"""
        return bool(self._counted)

    def note(self, record: Record) -> None:
        """A call has ended."""
        key = self._key(record)
        counted = self._memo.get(key)
        if counted is None:
            counted = self._found(key)
        took = record.duration_us - record.held_us
        if record.outcome != "ok":
            self._ended_otherwise(record, counted, took)
            return
        micros = record.cost_micros
        for objective, series in counted:
            # Nearly always: as `verdict` has it of a success, whose call would cost more than this.
            sli, ring = objective.sli, series.ring
            if (sli == "latency" and took > objective.most_us) or (
                sli == "cost" and micros > objective.most_micros
            ):
                ring.bad += 1
            else:
                ring.good += 1
            if series.times is not None:
                series.times.note(took)

    @staticmethod
    def _ended_otherwise(record: Record, counted: Counted, took: int) -> None:
        end = end_of(record)
        for objective, series in counted:
            said = verdict(objective, end, took, record.cost_micros)
            series.take(said)
            if series.times is not None and isinstance(said, bool):
                series.times.note(took)

    def again(self, told: Mapping[str, Any]) -> None:
        """The same of a record as it stands in the journal."""
        key = tuple([told.get(name, "") for name in self._keys])
        counted = self._memo.get(key)
        if counted is None:
            counted = self._found(key)
        if counted:
            end = end_of_line(told)
            took = told.get("duration_us", 0) - told.get("held_us", 0)
            for objective, series in counted:
                series.take(verdict(objective, end, took, told.get("cost_micros", 0)))

    def _found(self, key: Key) -> Counted:
        facts = dict(zip(self._keys, key, strict=True))
        counted = tuple(each for each in self._counted if each[0].match.holds(facts))
        if sum(map(len, key)) <= LONGEST:
            if len(self._memo) >= MOST:
                self._memo.clear()
            self._memo[key] = counted
        return counted
