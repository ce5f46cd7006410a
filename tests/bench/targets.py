"""The numbers to reach, and whether one run reached them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.bench.calls import Figures, Row
from tests.bench.cold_start import Start
from tests.bench.dashboards import PAGES, Opened
from tests.bench.journal import Verified, Waits
from tests.bench.scrape import Pauses
from tests.bench.sections import paired
from tests.bench.smooth import LONG, Smooth
from tests.bench.streams import Delays
from tests.bench.upload import Upload

US = 1e-6


@dataclass
class Results:
    """All figures of one run. Keys are names of peers; what was not measured is not in it."""

    machine: dict[str, str]
    missing: dict[str, str] = field(default_factory=dict)
    calls: dict[str, Row] = field(default_factory=dict)
    uploads: dict[str, list[Upload]] = field(default_factory=dict)
    streams: dict[str, Delays] = field(default_factory=dict)
    models: dict[str, Delays] = field(default_factory=dict)
    start: Start | None = None
    sections: dict[str, Row] = field(default_factory=dict)
    journal: dict[str, Row] = field(default_factory=dict)
    budgets: dict[str, Row] = field(default_factory=dict)
    store: dict[str, Row] = field(default_factory=dict)
    traces: dict[str, Row] = field(default_factory=dict)
    told: dict[str, Row] = field(default_factory=dict)
    dashboards: dict[str, Row] = field(default_factory=dict)
    opened: Opened | None = None
    smooth: Smooth | None = None
    waits: Waits | None = None
    verified: Verified | None = None
    scrapes: list[Pauses] = field(default_factory=list)

    def figures(self, peer: str, connections: int) -> Figures | None:
        """None where there are none, or where calls failed."""
        row = self.calls.get(peer)
        if row is None or row.figures[connections].errors:
            return None
        return row.figures[connections]

    def added_delay(
        self, peer: str, streams: Mapping[str, Delays] | None = None
    ) -> tuple[float, float] | None:
        """Median and p99 of a chunk's delay, less those without a peer; in seconds."""
        streams = self.streams if streams is None else streams
        through, direct = streams.get(peer), streams.get("direct")
        if through is None or direct is None or through.lost or not through.events:
            return None
        return through.p50 - direct.p50, through.p99 - direct.p99


@dataclass(frozen=True)
class Target:
    """One number to reach. `got` is None where it was not measured."""

    says: str
    limit: float
    at_least: bool  # else: at most
    unit: str
    got: float | None

    @property
    def verdict(self) -> str:
        if self.got is None:
            return "not measured"
        reached = self.got >= self.limit if self.at_least else self.got <= self.limit
        return "ok" if reached else "MISSED"


def targets(results: Results) -> list[Target]:
    """All of them, in the order of the report."""
    return [
        *_speed(results),
        *_sections(results),
        *_journal(results),
        *_budgets(results),
        *_store(results),
        *_traces(results),
        *_told(results),
        *_dashboards(results),
        *_scrapes(results),
        *_memory(results),
        *_own(results),
    ]


def _speed(results: Results) -> list[Target]:
    rates = [
        ("envoy", "calls/s, 32 connections, against Envoy doing the same job", 1.5),
        ("relay", "calls/s, 32 connections, against the bare relay", 0.45),
    ]
    speed = [
        Target(says, limit, True, "x", ratio(results, peer, 32, lambda figures: figures.rate))
        for peer, says, limit in rates
    ]
    p50 = ratio(results, "envoy", 1, lambda figures: figures.p50)
    says = "p50, 1 connection, against Envoy doing the same job"
    return [*speed, Target(says, 1.0, False, "x", p50)]


def _sections(results: Results) -> list[Target]:
    says = "calls/s, 32 connections, against the base"
    limits = (("unused", f"{says}, same sections", 0.97), ("every", f"{says}, every section", 0.85))
    return [
        Target(words, limit, True, "x", against(results.sections, name, "base", 32))
        for name, words, limit in limits
    ]


def _journal(results: Results) -> list[Target]:
    waits, many = results.waits, results.verified
    kept = against(results.journal, "kept", "unkept", 32)
    added = waits.added if waits else None
    rate = many.records / many.seconds if many else None
    growth = many.growth_mb if many else None
    size = f"{many.records:,} records" if many else "records"
    return [
        Target("calls/s, 32 connections, reads, against no records", 0.8, True, "x", kept),
        Target("a write's wait beyond two commits", 1.0, False, "ms", _scaled(added, 1e-3)),
        Target("audit verify, records/s", 200_000, True, "/s", rate),
        Target(f"RSS growth, {size}, after the first fifth", 2, False, "MB", growth),
    ]


def _budgets(results: Results) -> list[Target]:
    priced = against(results.budgets, "priced", "free", 32)
    return [Target("calls/s, 32 connections, a price and budgets", 0.95, True, "x", priced)]


def _store(results: Results) -> list[Target]:
    shared = against(results.store, "shared", "alone", 32)
    return [Target("calls/s, 32 connections, a store that pods share", 0.95, True, "x", shared)]


def _traces(results: Results) -> list[Target]:
    sampled = against(results.traces, "sampled", "untraced", 32)
    return [Target("calls/s, 32 connections, one call in 100 traced", 0.97, True, "x", sampled)]


def _told(results: Results) -> list[Target]:
    says = "likewise, and a mirror of every record"
    limits = (
        ("watched", "untold", "calls/s, 32 connections, objectives, behaviour, alerts", 0.9),
        ("told", "untold", says, 0.9),
        ("told-traced", "told", "likewise, one call in 100 traced as well", 0.97),
        ("told-traced", "envoy", "all of it, against Envoy doing the same job", 1.3),
    )
    return [
        Target(words, limit, True, "x", against(results.told, ours, theirs, 32))
        for ours, theirs, words, limit in limits
    ]


def _dashboards(results: Results) -> list[Target]:
    kept = against(results.dashboards, "opened", "unopened", 32)
    growth = results.opened.growth_mb if results.opened else None
    long = results.smooth.long if results.smooth else None
    return [
        Target(f"calls/s, 32 connections, {PAGES} dashboards open", 0.95, True, "x", kept),
        Target(f"RSS growth, {PAGES} dashboards", 10, False, "MB", growth),
        Target(f"tasks of a page with much to show, over {LONG:.0f} ms", 0, False, "", long),
    ]


def _scrapes(results: Results) -> list[Target]:
    longest = results.scrapes[0].longest if results.scrapes else None
    return [
        Target("longest pause of the loop, 5,000 series", 5, False, "ms", _scaled(longest, 1e-3))
    ]


def against(rows: Mapping[str, Row], ours: str, theirs: str, connections: int) -> float | None:
    """Round by round; None where one of the two is missing or invalid."""
    both = [rows.get(ours), rows.get(theirs)]
    figures = [row.figures[connections] for row in both if row is not None]
    if len(figures) < len(both) or any(each.errors for each in figures):
        return None
    return paired(*figures)


def ratio(
    results: Results, peer: str, connections: int, of: Callable[[Figures], float]
) -> float | None:
    """Holdfast's figure over the peer's; None where one of them is missing or invalid."""
    ours, theirs = results.figures("holdfast", connections), results.figures(peer, connections)
    if ours is None or theirs is None or not of(theirs):
        return None
    return of(ours) / of(theirs)


def _memory(results: Results) -> list[Target]:
    start, streams = results.start, results.streams.get("holdfast")
    largest = max(results.uploads.get("holdfast", ()), key=lambda up: up.size_mb, default=None)
    size = f"{largest.size_mb:,} MB" if largest else "body"
    delay = results.added_delay("holdfast") or (None, None)
    heard = results.added_delay("openai", results.models) or (None, None)
    return [
        Target("ready after its start", 0.7, False, "s", start.ready if start else None),
        Target("RSS idle", 55, False, "MB", start.idle_rss_mb if start else None),
        Target("RSS with 1,000 streams", 90, False, "MB", streams.rss_mb if streams else None),
        Target(f"RSS growth, {size}", 10, False, "MB", largest.rss_growth_mb if largest else None),
        Target("a chunk's added delay, median", 1.0, False, "ms", _scaled(delay[0], 1e-3)),
        Target("a chunk's added delay, p99", 5.0, False, "ms", _scaled(delay[1], 1e-3)),
        Target("likewise, of a model's, median", 1.0, False, "ms", _scaled(heard[0], 1e-3)),
        Target("likewise, of a model's, p99", 5.0, False, "ms", _scaled(heard[1], 1e-3)),
    ]


def _own(results: Results) -> list[Target]:
    own = []
    for connections in (1, 32):
        figures = results.figures("holdfast", connections)
        got = _scaled(figures.own_p50 if figures else None, US)
        own.append(
            Target(
                f"own time p50, {connections} connection{'s' if connections > 1 else ''}",
                60,
                False,
                "us",
                got,
            )
        )
    return own


def _scaled(value: float | None, unit: float) -> float | None:
    return None if value is None else value / unit
