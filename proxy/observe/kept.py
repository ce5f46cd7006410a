"""What metrics say of what lies in the keep: levels, permits, circuits, counts of stages, money.

Thousands of entries may lie there, so all of it is read in steps (`family.py`).
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, TypeAlias

from proxy.counts import REFUSALS, Counts
from proxy.keep import Keep
from proxy.keys import (
    KILLS,
    LEDGER,
    SHELF,
    CircuitKey,
    CountsKey,
    InFlightKey,
    PermitsKey,
    PulseKey,
    QueuedKey,
    shadowed,
)
from proxy.observe import catalogue
from proxy.observe.catalogue import Metric
from proxy.observe.family import STEP, Family, Making, Rows, Steps, summed
from proxy.observe.money import BudgetRows
from proxy.observe.names import Names
from proxy.state.kills import Kills
from proxy.state.shelf import Shelf

Entries: TypeAlias = list[tuple[Any, Any]]
"""Of one kind of key: keys and what lies there."""
_LEVELS = ((catalogue.INFLIGHT, InFlightKey), (catalogue.QUEUED, QueuedKey))
_PERMITS = ((catalogue.BULKHEAD_LIMIT, "limit"), (catalogue.BULKHEAD_INFLIGHT, "held"))
_SORTED = (InFlightKey, QueuedKey, PermitsKey, CircuitKey, PulseKey)


class KeptRows:
    """Reads them, again and again."""

    def __init__(self, keep: Keep, names: Names) -> None:
        self._keep = keep
        self._names = names
        self._budgets = BudgetRows()
        self._killed: dict[str, int] = {}  # what was, so that its row does not vanish

    def read(self, refused: Mapping[tuple[str, str], int]) -> Steps:
        """All of it; `refused` is what records say of refusals, by code and policy."""
        kept = dict(self._keep.items())
        sorted_ = yield from _sorted(kept)
        yield Family(catalogue.REFUSALS, (yield from self._refusals(refused, kept)))
        for metric in catalogue.COUNTED:
            counts = kept.get(CountsKey(metric.name), Counts(metric.labels))
            yield Family(metric, (yield from self.relabelled(metric, counts)))
        for metric, kind in _LEVELS:
            yield Family(metric, (yield from self._levels(sorted_[kind])))
        for metric, fact in _PERMITS:
            yield Family(metric, (yield from self._permits(fact, sorted_[PermitsKey])))
        circuits = yield from self._circuits(sorted_[CircuitKey])
        yield Family(catalogue.BREAKER_STATE, circuits)
        shelf = kept.get(SHELF, Shelf())
        yield Family(catalogue.CACHE_ENTRIES, {(): shelf.entries})
        yield Family(catalogue.CACHE_BYTES, {(): shelf.bytes})
        yield from self._money(kept)
        yield Family(catalogue.UPSTREAM_HEALTHY, self._pulses(sorted_[PulseKey]))
        yield Family(catalogue.KILLED, self._kills(kept.get(KILLS)))

    def relabelled(self, metric: Metric, counts: Counts) -> Making[Rows]:
        """The counts by what may be shown of their labels, in the metric's order."""
        order = [counts.labels.index(label) for label in metric.labels]
        label = self._names.label
        return summed(
            (tuple(label(counts.labels[at], values[at]) for at in order), number)
            for values, number in list(counts.rows.items())
        )

    def _refusals(
        self, refused: Mapping[tuple[str, str], int], kept: Mapping[Hashable, Any]
    ) -> Making[Rows]:
        """Those of records, and the verdicts of shadow policies, which are in no record."""
        shadow = kept.get(shadowed(REFUSALS.key), Counts(()))
        found = [((*key, "true"), number) for key, number in refused.items()]
        found += [((*key[:2], "false"), number) for key, number in shadow.rows.items()]
        return self.relabelled(catalogue.REFUSALS, Counts(catalogue.REFUSALS.labels, dict(found)))

    def _levels(self, levels: Entries) -> Making[Rows]:
        """What goes up and down, of all bulkheads together."""
        shown = self._names.shown
        return summed((shown(key.upstream, key.tool), level.now) for key, level in levels)

    def _permits(self, fact: str, permits: Entries) -> Making[Rows]:
        """Those of several agents, workflows and bulkheads are added up."""
        names = self._names
        return summed(
            (
                (names.label("policy", key.policy), *names.shown(key.upstream, key.tool)),
                getattr(each, fact),
            )
            for key, each in permits
        )

    def _circuits(self, circuits: Entries) -> Making[Rows]:
        """Circuits of several bulkheads, or of tools without a name here, share their rows."""
        found: Rows = {}
        for at, (key, circuit) in enumerate(circuits):
            labels = self._names.shown(key.upstream, key.tool)
            for state in catalogue.CIRCUIT_STATES:
                row = (*labels, state)
                found[row] = 1 if circuit.state == state else found.get(row, 0)
            if not at % STEP:
                yield
        return found

    def _money(self, kept: Mapping[Hashable, Any]) -> Steps:
        ledger = kept.get(LEDGER)
        read = ({}, {}, {}, {}) if ledger is None else (yield from self._budgets.reading(ledger))
        for metric, found in zip(catalogue.BUDGETS, read, strict=True):
            yield Family(metric, dict(found))

    def _pulses(self, pulses: Entries) -> Rows:
        return {
            (self._names.label("upstream", key.upstream),): int(pulse.well)
            for key, pulse in pulses
            if pulse.probed
        }

    def _kills(self, kills: Kills | None) -> Rows:
        now = () if kills is None else tuple(kills.items())
        labels = [self._names.label("scope", kill.scope.label) for kill in now]
        self._killed |= dict.fromkeys(labels, 0)
        return {(label,): n for label, n in (self._killed | dict.fromkeys(labels, 1)).items()}


def _sorted(kept: Mapping[Hashable, Any]) -> Making[dict[type, Entries]]:
    """By the kind of their keys, without what shadows have."""
    found: dict[type, Entries] = {kind: [] for kind in _SORTED}
    entries: Iterable[tuple[Any, Any]] = kept.items()
    for at, (key, entry) in enumerate(entries):
        kind = found.get(type(key))
        if kind is not None and not key.shadow:
            kind.append((key, entry))
        if not at % STEP:
            yield
    return found
