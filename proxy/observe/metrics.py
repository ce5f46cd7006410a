"""Metrics: what is counted of calls, as plain ints, and how it is read.

`note` runs once for each call, on the loop, in about a microsecond: one lookup to the row of an
(upstream, tool), then additions to ints. `read` copies what is there, on the loop too, so that it
is one moment's truth; making text of the copy takes a thousand times longer and happens elsewhere
(exposition.py).
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from proxy.clock import Clock
from proxy.counts import Counts
from proxy.keep import Keep
from proxy.observe import catalogue
from proxy.observe.catalogue import Metric
from proxy.observe.conventions import Conventions
from proxy.observe.family import (
    LONG,
    SHORT,
    Exemplar,
    Family,
    Histogram,
    Labels,
    Spread,
    Steps,
    each,
    summed,
)
from proxy.observe.kept import KeptRows
from proxy.observe.names import Names
from proxy.record import Record


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


class Row:
    """What is counted of one (upstream, tool)."""

    __slots__ = (
        "attempts", "calls", "conventional", "costs", "duration", "first_byte", "kind", "overhead",
        "queue_wait", "tokens",
    )  # fmt: skip

    def __init__(self) -> None:
        self.calls: defaultdict[Labels, int] = defaultdict(int)  # layer, outcome, reason
        self.attempts: defaultdict[Labels, int] = defaultdict(int)  # upstream, result
        self.duration = Histogram(LONG)
        self.first_byte = Histogram(LONG)
        self.overhead = Histogram(SHORT)
        self.queue_wait: Histogram | None = None  # most tools have no queue
        self.kind = "tool"  # or model
        self.conventional = False  # has OpenTelemetry words for such calls?
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

    def __init__(
        self, keep: Keep, policies: Policies, wall: Callable[[], float] = Clock.wall
    ) -> None:
        """`keep` holds the circuits and what the stages count."""
        self._wall = wall
        self._policies = policies
        self._bound: dict[tuple[str, str], Row] = {}  # by the names that records say
        self._rows: dict[tuple[str, str], Row] = {}  # by the values of labels
        self._names = Names()
        self._agents = self._names.agents
        self._kept = KeptRows(keep, self._names)
        self._conventions = Conventions(self._names)
        self._refusals: defaultdict[tuple[str, str], int] = defaultdict(int)  # code, policy
        self.journal: Callable[[], Iterable[Family]] = _no_journal
        self.store: Callable[[], Iterable[Family]] = _no_store
        self.lookout: Callable[[], Iterable[Family]] = tuple
        """What is to be read of the journal, the store, and what operators are told."""
        self.bad_requests = Counts(("reason",))  # reasons of ours, never what was sent

    def name_tools(self, tools: Iterable[str]) -> None:
        """The tools that policies name exactly; called at start and after each reload."""
        self._names.name_tools(tools)

    def note(self, record: Record) -> None:
        """Count a finished call."""
        row = self._bound.get((record.upstream, record.tool))
        if row is None:
            row = self._row(record.upstream, record.tool, record.outcome == "ok")
            row.kind = "model" if record.layer == "llm" else "tool"
            row.conventional |= record.layer == "llm" or record.protocol == "mcp"
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
            self._note_tokens(row, record.agent, record.tokens)
        if record.decision == "refuse":
            self._refusals[record.code, record.policy] += 1
        if record.span or row.conventional:
            self._note_more(row, record)

    def _note_tokens(self, row: Row, agent: str, tokens: dict[str, int]) -> None:
        label = self._agents.of(agent)
        for kind, number in tokens.items():
            row.tokens[label, kind] += number

    def _note_more(self, row: Row, record: Record) -> None:
        """What is to be said of few calls: those that are traced, and those of models and MCP."""
        wall = self._wall()
        if row.conventional:
            self._conventions.note(record, wall)
        if record.span:
            trace, span, first = record.trace, record.span, record.ttfb_us
            row.duration.remember(Exemplar(trace, span, record.duration_us, wall))
            if first >= 0:
                row.first_byte.remember(Exemplar(trace, span, first, wall))

    @staticmethod
    def _note_queue(row: Row, us: int) -> None:
        if row.queue_wait is None:
            row.queue_wait = Histogram(LONG)
        row.queue_wait.counts[bisect_left(LONG, us)] += 1
        row.queue_wait.sum_us += us

    def _row(self, upstream: str, tool: str, succeeded: bool) -> Row:
        names = self._names
        labels = names.paired(names.upstreams.of(upstream), names.tools.of(tool, succeeded))
        row = self._rows.get(labels)
        if row is None:
            row = self._rows[labels] = Row()
        if labels == (upstream, tool):  # only names with a label of their own, or memory would grow
            self._bound[labels] = row
        return row

    def read(self) -> list[Family]:
        """All there is to know now, each metric once, also those without a row yet."""
        return [family for family in self.steps() if family is not None]

    def steps(self) -> Steps:
        """The same bit by bit, for who lets the loop go on in between."""
        yield from self._read_rows()
        yield from self._conventions.read()
        yield from self._kept.read(self._refusals.copy())
        bad = self._kept.relabelled(catalogue.BAD_REQUESTS, self.bad_requests)
        yield Family(catalogue.BAD_REQUESTS, (yield from bad))
        yield from self.journal()
        yield from self.store()
        yield from self.lookout()
        yield Family(catalogue.RELOAD_SUCCESS, {(): int(not self._policies.rejected)})
        yield Family(catalogue.CONFIG, {(self._policies.version,): 1})

    def tallies(self) -> dict[tuple[str, str], Tally]:
        """A copy of what was counted of each upstream and tool, by the values of their labels."""
        return {labels: row.tally() for labels, row in self._rows.items()}

    def rows(self) -> Iterable[Row]:
        """What was counted of each upstream and tool, itself: to be looked at and left."""
        return self._rows.values()

    def shown(self, upstream: str, tool: str) -> tuple[str, str]:
        """The names under which such a call is counted."""
        return self._names.shown(upstream, tool)

    def _read_rows(self) -> Steps:
        rows = list(self._rows.items())
        calls = ((labels + key, n) for labels, row in rows for key, n in tuple(row.calls.items()))
        yield Family(catalogue.CALLS, (yield from summed(calls)))
        for metric, of in _SPREADS:
            yield Family(metric, (yield from each(rows, of)))
        attempts = (
            ((self._names.upstreams.of(upstream), labels[1], result), n)
            for labels, row in rows
            for (upstream, result), n in tuple(row.attempts.items())
        )
        yield Family(catalogue.ATTEMPTS, (yield from summed(attempts)))
        costs = (
            ((agent, *labels, row.kind), micros)
            for labels, row in rows
            for agent, micros in tuple(row.costs.items())
        )
        yield Family(catalogue.COST, (yield from summed(costs)))
        used = (
            ((agent, *labels, kind), number)
            for labels, row in rows
            for (agent, kind), number in tuple(row.tokens.items())
        )
        yield Family(catalogue.TOKENS, (yield from summed(used)))


_SPREADS: tuple[tuple[Metric, Callable[[Row], Spread | None]], ...] = (
    (catalogue.DURATION, lambda row: row.duration.spread()),
    (catalogue.FIRST_BYTE, lambda row: row.first_byte.spread()),
    (catalogue.OVERHEAD, lambda row: row.overhead.spread()),
    (catalogue.QUEUE_WAIT, lambda row: None if row.queue_wait is None else row.queue_wait.spread()),
)


def _no_journal() -> Iterable[Family]:
    return (Family(metric, {}) for metric in catalogue.JOURNAL + catalogue.PAYLOADS)


def _no_store() -> Iterable[Family]:
    return (Family(metric, {}) for metric in catalogue.STORE)
