"""Metrics: what is counted of calls, as plain ints, and how it is read.

`note` runs once for each call, on the loop, in about a microsecond: one lookup to the row of an
(upstream, tool), then additions to ints. `read` copies what is there, on the loop too, so that it
is one moment's truth; making text of the copy takes a thousand times longer and happens elsewhere
(exposition.py).
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import accumulate
from typing import Any, Protocol, TypeAlias

import msgspec

from proxy.counts import REFUSALS, Counts
from proxy.keep import Keep
from proxy.keys import (
    KILLS,
    LEDGER,
    SHELF,
    CircuitKey,
    CountsKey,
    InFlightKey,
    Names,
    PermitsKey,
    PulseKey,
    QueuedKey,
    shadowed,
)
from proxy.observe import catalogue
from proxy.observe.catalogue import Metric
from proxy.observe.labels import OTHER, Tools, Vocabulary, presentable
from proxy.observe.money import BudgetRows
from proxy.record import Record
from proxy.state.kills import Kills
from proxy.state.shelf import Shelf

LONG = (
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000, 20_000_000, 30_000_000, 60_000_000, 120_000_000,
    300_000_000, 600_000_000,
)  # fmt: skip
"""Upper bounds of the buckets of a call, in µs: from a local tool to a long answer of a model."""
SHORT = (
    5, 10, 20, 30, 40, 50, 60, 80, 100, 150, 200, 300, 500,
    1_000, 2_000, 5_000, 10_000, 50_000, 100_000,
)  # fmt: skip
"""Upper bounds of the buckets of our own time, in µs."""

Labels: TypeAlias = tuple[str, ...]
Kept: TypeAlias = dict[Hashable, Any]  # what lies in the keep


class Spread(msgspec.Struct, frozen=True):
    """A histogram as it was read: (upper bound in µs, how many up to it), how many, their sum."""

    upto: tuple[tuple[int, int], ...]
    count: int
    sum_us: int


Rows: TypeAlias = dict[Labels, int | float | Spread]


class Family(msgspec.Struct, frozen=True):
    """A metric and its rows, as they were read."""

    metric: Metric
    rows: Rows


class Tally(msgspec.Struct, frozen=True):
    """A copy of what was counted of one upstream and tool."""

    calls: dict[tuple[str, str], int]  # by outcome and reason
    durations: tuple[int, ...]  # how many in each bucket of `LONG`, and the rest
    cost_micros: int = 0  # of all agents


class Policies(Protocol):
    """What is told of the policies in force."""

    @property
    def version(self) -> str:
        """Their short hash; empty before any were loaded."""

    @property
    def rejected(self) -> str:
        """Why the last reload failed; empty: it did not."""


class Histogram:
    """How often which duration. `counts` has one place more than `bounds`: the rest."""

    __slots__ = ("bounds", "counts", "sum_us")

    def __init__(self, bounds: tuple[int, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum_us = 0

    def spread(self) -> Spread:
        """A copy, cumulated as Prometheus wants it."""
        upto = tuple(zip(self.bounds, accumulate(self.counts), strict=False))
        return Spread(upto, sum(self.counts), self.sum_us)


class Row:
    """What is counted of one (upstream, tool)."""

    __slots__ = (
        "attempts", "calls", "costs", "duration", "first_byte", "kind", "overhead", "queue_wait",
        "tokens",
    )  # fmt: skip

    def __init__(self) -> None:
        self.calls: defaultdict[Labels, int] = defaultdict(int)  # layer, outcome, reason
        self.attempts: defaultdict[Labels, int] = defaultdict(int)  # upstream, result
        self.duration = Histogram(LONG)
        self.first_byte = Histogram(LONG)
        self.overhead = Histogram(SHORT)
        self.queue_wait: Histogram | None = None  # most tools have no queue
        self.kind = "tool"  # or model
        self.costs: dict[str, int] = {}  # by agent, in micro-dollars
        self.tokens: defaultdict[Labels, int] = defaultdict(int)  # agent, kind

    def tally(self) -> Tally:
        """A copy of the numbers that rates are made of."""
        calls: defaultdict[tuple[str, str], int] = defaultdict(int)
        for (_, outcome, reason), number in self.calls.items():
            calls[outcome, reason] += number
        return Tally(dict(calls), tuple(self.duration.counts), sum(self.costs.values()))


class Metrics:
    """A recorder that counts. Not for other threads than the loop's."""

    def __init__(self, keep: Keep, policies: Policies) -> None:
        """`keep` holds the circuits and what the stages count."""
        self._keep = keep
        self._policies = policies
        self._bound: dict[tuple[str, str], Row] = {}  # by the names that records say
        self._rows: dict[tuple[str, str], Row] = {}  # by the values of labels
        self._tools = Tools()
        self._upstreams = Vocabulary()
        self._agents = Vocabulary()
        self._budgets = BudgetRows()
        self._vocabularies = {
            "upstream": self._upstreams,
            "policy": Vocabulary(),
            "reason": Vocabulary(),
            "scope": Vocabulary(),
        }
        self._killed: dict[str, int] = {}  # what was, so that its row does not vanish
        self._refusals: defaultdict[tuple[str, str], int] = defaultdict(int)  # code, policy
        self.journal: Callable[[], Iterable[Family]] = _no_journal
        self.store: Callable[[], Iterable[Family]] = _no_store
        self.lookout: Callable[[], Iterable[Family]] = _no_lookout
        """What is to be read of the journal, the store, and what operators are told."""
        self.bad_requests = Counts(("reason",))  # reasons of ours, never what was sent

    def name_tools(self, tools: Iterable[str]) -> None:
        """The tools that policies name exactly; called at start and after each reload."""
        self._tools.name(tools)

    def note(self, record: Record) -> None:
        """Count a finished call."""
        row = self._bound.get((record.upstream, record.tool))
        if row is None:
            row = self._row(record.upstream, record.tool, record.outcome == "ok")
            row.kind = "model" if record.layer == "llm" else "tool"
        row.calls[record.layer, record.outcome, record.code] += 1
        # The same lines again and again rather than a method: a call costs as much as its work.
        histogram, us = row.duration, record.duration_us
        bucket = bisect_left(LONG, us)
        histogram.counts[bucket] += 1
        histogram.sum_us += us
        first = record.ttfb_us
        if first >= 0:
            histogram = row.first_byte
            histogram.counts[bucket if first == us else bisect_left(LONG, first)] += 1
            histogram.sum_us += first
        histogram, us = row.overhead, record.overhead_us
        histogram.counts[bisect_left(SHORT, us)] += 1
        histogram.sum_us += us
        if record.queue_us:
            self._note_queue(row, record.queue_us)
        for attempt in record.attempts:
            row.attempts[attempt.upstream, attempt.result] += 1
        if record.cost_micros:
            try:
                row.costs[record.agent] += record.cost_micros
            except KeyError:
                agent = self._agents.of(record.agent)
                row.costs[agent] = row.costs.get(agent, 0) + record.cost_micros
        if record.tokens is not None:
            agent = self._agents.of(record.agent)
            for kind, number in record.tokens.items():
                row.tokens[agent, kind] += number
        if record.decision == "refuse":
            self._refusals[record.code, record.policy] += 1

    @staticmethod
    def _note_queue(row: Row, us: int) -> None:
        if row.queue_wait is None:
            row.queue_wait = Histogram(LONG)
        row.queue_wait.counts[bisect_left(LONG, us)] += 1
        row.queue_wait.sum_us += us

    def _row(self, upstream: str, tool: str, succeeded: bool) -> Row:
        labels = (self._upstreams.of(upstream), self._tools.of(tool, succeeded))
        row = self._rows.get(labels)
        if row is None:
            row = self._rows[labels] = Row()
        if labels == (upstream, tool):  # only names with a label of their own, or memory would grow
            self._bound[labels] = row
        return row

    def read(self) -> list[Family]:
        """All there is to know now, each metric once, also those without a row yet."""
        kept = dict(self._keep.items())
        return [
            *self._read_rows(),
            Family(catalogue.REFUSALS, self._read_refusals(kept)),
            *(Family(metric, self._read_counts(metric, kept)) for metric in catalogue.COUNTED),
            Family(catalogue.INFLIGHT, self._read_levels(InFlightKey, kept)),
            Family(catalogue.QUEUED, self._read_levels(QueuedKey, kept)),
            Family(catalogue.BULKHEAD_LIMIT, self._read_permits("limit", kept)),
            Family(catalogue.BULKHEAD_INFLIGHT, self._read_permits("held", kept)),
            Family(catalogue.BREAKER_STATE, self._read_circuits(kept)),
            *_read_shelf(kept),
            *self._read_money(kept),
            Family(catalogue.UPSTREAM_HEALTHY, self._read_pulses(kept)),
            Family(catalogue.KILLED, self._read_kills(kept)),
            Family(
                catalogue.BAD_REQUESTS, self._relabelled(catalogue.BAD_REQUESTS, self.bad_requests)
            ),
            *self.journal(),
            *self.store(),
            *self.lookout(),
            Family(catalogue.RELOAD_SUCCESS, {(): int(not self._policies.rejected)}),
            Family(catalogue.CONFIG, {(self._policies.version,): 1}),
        ]

    def tallies(self) -> dict[tuple[str, str], Tally]:
        """A copy of what was counted of each upstream and tool, by the values of their labels."""
        return {labels: row.tally() for labels, row in self._rows.items()}

    def rows(self) -> Iterable[Row]:
        """What was counted of each upstream and tool, itself: to be looked at and left."""
        return self._rows.values()

    def shown(self, upstream: str, tool: str) -> tuple[str, str]:
        """The names under which such a call is counted."""
        return self._label("upstream", upstream), self._label("tool", tool)

    def _read_rows(self) -> Iterator[Family]:
        rows = self._rows.items()
        calls = ((labels + key, n) for labels, row in rows for key, n in row.calls.items())
        yield Family(catalogue.CALLS, _summed(calls))
        yield Family(catalogue.DURATION, {labels: row.duration.spread() for labels, row in rows})
        yield Family(
            catalogue.FIRST_BYTE, {labels: row.first_byte.spread() for labels, row in rows}
        )
        yield Family(catalogue.OVERHEAD, {labels: row.overhead.spread() for labels, row in rows})
        waits = ((labels, row.queue_wait) for labels, row in rows)
        yield Family(
            catalogue.QUEUE_WAIT,
            {labels: wait.spread() for labels, wait in waits if wait is not None},
        )
        attempts = (
            ((self._upstreams.of(upstream), labels[1], result), n)
            for labels, row in rows
            for (upstream, result), n in row.attempts.items()
        )
        yield Family(catalogue.ATTEMPTS, _summed(attempts))

    def _read_refusals(self, kept: Kept) -> Rows:
        """Those of records, and the verdicts of shadow policies, which are in no record."""
        shadow = kept.get(shadowed(REFUSALS.key), Counts(()))
        found = [((*key, "true"), number) for key, number in self._refusals.items()]
        found += [((*key[:2], "false"), number) for key, number in shadow.rows.items()]
        return self._relabelled(catalogue.REFUSALS, Counts(catalogue.REFUSALS.labels, dict(found)))

    def _read_counts(self, metric: Metric, kept: Kept) -> Rows:
        counts = kept.get(CountsKey(metric.name))
        return {} if counts is None else self._relabelled(metric, counts)

    def _relabelled(self, metric: Metric, counts: Counts) -> Rows:
        """The counts by what may be shown of their labels, in the metric's order."""
        order = [counts.labels.index(label) for label in metric.labels]
        return _summed(
            (tuple(self._label(counts.labels[at], values[at]) for at in order), number)
            for values, number in counts.rows.items()
        )

    def _label(self, label: str, value: str) -> str:
        if label == "tool":
            return self._tools.of(value) if value else ""  # empty: the upstream's own circuit
        vocabulary = self._vocabularies.get(label)
        if vocabulary is not None:
            return vocabulary.of(value)
        return value if presentable(value) else OTHER

    def _read_levels(self, kind: type[InFlightKey] | type[QueuedKey], kept: Kept) -> Rows:
        """What goes up and down, of all bulkheads together."""
        levels = _enforced(kept, kind)
        return _summed((self.shown(key.upstream, key.tool), level.now) for key, level in levels)

    def _read_permits(self, fact: str, kept: Kept) -> Rows:
        """Those of several agents, workflows and bulkheads are added up."""
        return _summed(
            (
                (self._label("policy", key.policy), *self.shown(key.upstream, key.tool)),
                getattr(each, fact),
            )
            for key, each in _enforced(kept, PermitsKey)
        )

    def _read_money(self, kept: Kept) -> Iterator[Family]:
        costs: Rows = {
            (agent, *labels, row.kind): micros
            for labels, row in self._rows.items()
            for agent, micros in row.costs.items()
        }
        yield Family(catalogue.COST, costs)
        used: Rows = {
            (agent, *labels, kind): number
            for labels, row in self._rows.items()
            for (agent, kind), number in row.tokens.items()
        }
        yield Family(catalogue.TOKENS, used)
        ledger = kept.get(LEDGER)
        rows = ({}, {}, {}, {}) if ledger is None else self._budgets.read(ledger)
        for metric, found in zip(catalogue.BUDGETS, rows, strict=True):
            yield Family(metric, dict(found))

    def _read_pulses(self, kept: Kept) -> Rows:
        return {
            (self._label("upstream", key.upstream),): int(pulse.well)
            for key, pulse in _enforced(kept, PulseKey)
            if pulse.probed
        }

    def _read_kills(self, kept: Kept) -> Rows:
        kills: Kills | None = kept.get(KILLS)
        now = [] if kills is None else kills.items()
        self._killed |= {self._label("scope", kill.scope.label): 0 for kill in now}
        killed = {self._label("scope", kill.scope.label): 1 for kill in now}
        return {(label,): number for label, number in (self._killed | killed).items()}

    def _read_circuits(self, kept: Kept) -> Rows:
        """Circuits of several bulkheads, or of tools without a name here, share their rows."""
        found: Rows = {}
        for key, circuit in _enforced(kept, CircuitKey):
            labels = self.shown(key.upstream, key.tool)
            for state in catalogue.CIRCUIT_STATES:
                row = (*labels, state)
                found[row] = 1 if circuit.state == state else found.get(row, 0)
        return found


def _enforced(kept: Kept, kind: type[Names]) -> Iterator[tuple[Names, Any]]:
    """What is kept of one kind, without what shadows have."""
    return ((key, entry) for key, entry in kept.items() if isinstance(key, kind) and not key.shadow)


def _no_journal() -> Iterator[Family]:
    return (Family(metric, {}) for metric in catalogue.JOURNAL + catalogue.PAYLOADS)


def _no_store() -> Iterator[Family]:
    return (Family(metric, {}) for metric in catalogue.STORE)


def _no_lookout() -> Iterator[Family]:
    return (Family(metric, {}) for metric in catalogue.BEHAVIOUR)


def _read_shelf(kept: Kept) -> Iterator[Family]:
    """There is none before a policy asks for one."""
    shelf = kept.get(SHELF, Shelf())
    yield Family(catalogue.CACHE_ENTRIES, {(): shelf.entries})
    yield Family(catalogue.CACHE_BYTES, {(): shelf.bytes})


def _summed(rows: Iterable[tuple[Labels, int]]) -> Rows:
    """Rows that are the same once their names became labels are one row."""
    total: defaultdict[Labels, int] = defaultdict(int)
    for labels, number in rows:
        total[labels] += number
    return dict(total)
