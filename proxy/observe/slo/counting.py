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

Counted: TypeAlias = tuple[tuple[Objective, Series], ...]
Key: TypeAlias = tuple[str, ...]


class Counting:
    """What is counted of calls: one lookup by the facts that any objective asks for, then sums."""

    def __init__(self, counted: Iterable[tuple[Objective, Series]]) -> None:
        self._counted: Counted = tuple(counted)
        self._keys = tuple(
            key for key in FACTS if any(key in each.match.keys for each, _ in self._counted)
        )
        self._key = _getter(self._keys)
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
        if not counted:
            return
        end, took, micros = end_of(record), record.duration_us - record.held_us, record.cost_micros
        for objective, series in counted:
            said = verdict(objective, end, took, micros)
            # As `Series.take`, whose call would cost as much as the sum.
            if said is True:
                series.ring.good += 1
            elif said is False:
                series.ring.bad += 1
            else:
                series.excluded_one(said)
                continue
            if series.times is not None:
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


def _getter(keys: Key) -> Callable[[Record], Key]:
    """The facts of a record, as a tuple also where they are one or none."""
    if not keys:
        return lambda _: ()
    get: Callable[[Record], Any] = attrgetter(*keys)
    return get if len(keys) > 1 else lambda record: (get(record),)
