"""The figures of a run, as text."""

from collections.abc import Iterable, Iterator

from tests.bench import budgets, dashboards, journal, store, told, traces
from tests.bench.calls import CONNECTIONS, Figures, Row
from tests.bench.peers import STARTERS
from tests.bench.sections import NAMES
from tests.bench.streams import Delays
from tests.bench.targets import US, Results, against, ratio, targets

MEANS = {
    "holdfast": "Holdfast, shipped policies",
    "relay": "bare relay",
    "envoy": "Envoy, same job",
    "envoy-plain": "Envoy, plain",
    "direct": "direct (no peer)",
    "base": "the base",
    "unused": "this, same sections",
    "every": "this, every section",
    "unkept": "without records of calls",
    "kept": "with them",
    "openai": "this, openai",
    "auto": "this, auto",
    "free": "nothing has a price",
    "priced": "a price, three budgets",
    "alone": "money, a rate, by itself",
    "shared": "the same, with a Redis",
    "untraced": "no traces",
    "sampled": "one call in 100 is traced",
    "traced": "each call is traced",
    "untold": "nobody is told of calls",
    "watched": "SLOs, alerts, behaviour",
    "told": "likewise, all is mirrored",
    "told-traced": "likewise, 1 in 100 traced",
    "unopened": "nobody looks",
    "opened": "ten dashboards are open",
}
WORTHY = 0.9  # share of its core below which a peer was not the bottleneck


def report(results: Results) -> Iterator[str]:
    """Line by line."""
    yield from (f"{name}: {value}" for name, value in results.machine.items())
    if results.calls:
        yield from _calls(results)
    if results.sections:
        yield from _sections(results)
    if results.journal:
        yield from _journal(results)
    alike = (
        ("budgets", results.budgets, budgets.NAMES),
        ("store", results.store, store.NAMES),
        ("traces", results.traces, traces.NAMES),
        ("told", results.told, told.NAMES),
        ("dashboards", results.dashboards, dashboards.NAMES),
    )
    for title, rows, names in alike:
        yield from _pair(rows, names, results.missing, title)
    yield from _opened(results)
    if results.uploads:
        yield from _uploads(results)
    if results.streams:
        yield from _streams(results, results.streams, "event streams")
    if results.models:
        yield from _streams(results, results.models, "chats of a model")
    yield from _scrapes(results)
    if results.start:
        start = results.start
        yield ""
        yield (
            f"cold start: ready {start.ready:.3f} s (slowest {start.slowest_ready:.3f} s), first "
            f"answered call {start.first_answer:.3f} s, RSS idle {_mb(start.idle_rss_mb)} MB"
        )
    if results.missing:
        yield ""
        yield from (f"not measured: {reason}" for reason in results.missing.values())
    yield from _targets(results)


def _rates(
    rows: dict[str, Row], names: Iterable[str], missing: dict[str, str], title: str = ""
) -> Iterator[str]:
    columns = f"{'calls/s':>9}{'p50 us':>9}{'p99 us':>9}{'cpu us':>8}{'busy':>6}{'spread':>16}"
    for connections in CONNECTIONS:
        yield ""
        yield f"{title:<28}{columns}   {connections} connection{'s' if connections > 1 else ''}"
        for name in names:
            row = rows.get(name)
            if row is not None:
                yield f"{MEANS[name]:<28}" + _figures(row.figures[connections])
            elif name in missing:
                yield f"{MEANS[name]:<28}  not measured, see below"
    yield ""


def _scrapes(results: Results) -> Iterator[str]:
    if results.scrapes:
        yield ""
    for found in results.scrapes:
        yield (
            f"a scrape of {found.samples:,} samples: {found.page * 1e3:.1f} ms, longest pause of "
            f"the loop {found.longest * 1e3:.2f} ms (worst {found.worst * 1e3:.2f} ms, at rest "
            f"{found.at_rest * 1e3:.2f} ms)"
        )


def _opened(results: Results) -> Iterator[str]:
    if results.opened:
        before, after = _mb(results.opened.before_mb), _mb(results.opened.after_mb)
        yield f"RSS under load, {dashboards.PAGES} dashboards opened: {before} > {after} MB"
    if results.smooth:
        yield f"longest task of a page that shows much: {results.smooth.longest:.0f} ms"


def _pair(
    rows: dict[str, Row], names: Iterable[str], missing: dict[str, str], title: str
) -> Iterator[str]:
    if rows:
        yield from _rates(rows, names, missing, title)
        yield from _doubts(rows)


def _sections(results: Results) -> Iterator[str]:
    yield from _rates(results.sections, NAMES, results.missing, "sections")
    for name in ("unused", "every"):
        ratios = [(n, against(results.sections, name, "base", n)) for n in CONNECTIONS]
        parts = [f"{n} conn: {got:.2f} x calls/s" for n, got in ratios if got is not None]
        if parts:
            yield f"{MEANS[name]} / {MEANS['base']}, round by round: " + "; ".join(parts)
    yield from _doubts(results.sections)


def _journal(results: Results) -> Iterator[str]:
    yield from _rates(results.journal, journal.NAMES, results.missing, "journal")
    waits, many = results.waits, results.verified
    if waits:
        yield (
            f"p50 at 1 connection: a read {waits.read / US:.0f} us, a write {waits.write / US:.0f} "
            f"us; one commit to this disk {waits.commit / US:.0f} us"
        )
    if many:
        yield (
            f"{many.records:,} records: verified in {many.seconds:.2f} s; RSS while they were "
            f"written {_mb(many.early_mb)} > {_mb(many.end_mb)} MB"
        )


def _calls(results: Results) -> Iterator[str]:
    yield from _rates(results.calls, STARTERS, results.missing)
    yield from _ratios(results)
    rss = [
        f"{MEANS[name]} {_mb(row.rss_mb)}"
        for name, row in results.calls.items()
        if name != "direct"
    ]
    yield f"RSS after the load, MB: {', '.join(rss)}"
    yield from _doubts(results.calls)


def _figures(figures: Figures) -> str:
    if figures.errors:
        kinds = ", ".join(f"{count} {kind}" for kind, count in figures.errors.items())
        return f"  INVALID: errors in its answers: {kinds}"
    cpu = "" if figures.cpu is None else f"{figures.cpu / US:.1f}"
    busy = "" if figures.busy is None else f"{figures.busy:.0%}"
    spread = f"{figures.lowest:,.0f}-{figures.highest:,.0f}"
    return (
        f"{figures.rate:>9,.0f}{figures.p50 / US:>9.0f}{figures.p99 / US:>9.0f}"
        f"{cpu:>8}{busy:>6}{spread:>16}"
    )


def _ratios(results: Results) -> Iterator[str]:
    for peer in ("envoy", "envoy-plain", "relay"):
        parts = []
        for connections in CONNECTIONS:
            rate = ratio(results, peer, connections, lambda figures: figures.rate)
            p50 = ratio(results, peer, connections, lambda figures: figures.p50)
            if rate is not None and p50 is not None:
                parts.append(f"{connections} conn: {rate:.2f} x calls/s, {p50:.2f} x p50")
        if parts:
            yield f"Holdfast / {MEANS[peer]}: " + "; ".join(parts)


def _doubts(rows: dict[str, Row]) -> Iterator[str]:
    """Peers that did not have their core: the machine or the load was the bottleneck."""
    for name, row in rows.items():
        busy = row.figures[CONNECTIONS[-1]].busy
        if busy is not None and busy < WORTHY:
            yield (
                f"note: {MEANS[name]} had only {busy:.0%} of its core at {CONNECTIONS[-1]} "
                "connections; the load generator or another process held it back"
            )


def _uploads(results: Results) -> Iterator[str]:
    yield ""
    yield f"{'upload':<28}{'size MB':>9}{'s':>9}{'MB/s':>9}{'RSS growth MB':>16}"
    for name, uploads in results.uploads.items():
        for up in uploads:
            yield (
                f"{MEANS[name]:<28}{up.size_mb:>9,}{up.seconds:>9.3f}{up.mb_per_second:>9,.0f}"
                f"{_mb(up.rss_growth_mb):>16}"
            )


def _streams(results: Results, streams: dict[str, Delays], title: str) -> Iterator[str]:
    yield ""
    yield (
        f"{title:<28}{'streams':>9}{'events':>9}{'p50 us':>9}{'p99 us':>9}"
        f"{'added p50':>11}{'added p99':>11}{'RSS MB':>14}"
    )
    for name, seen in streams.items():
        added = results.added_delay(name, streams) if name != "direct" else None
        p50, p99 = (f"{value / US:.0f}" for value in added) if added else ("", "")
        rss = f"{_mb(seen.rss_before_mb)} > {_mb(seen.rss_mb)}" if seen.rss_mb else ""
        lost = f"  INVALID: {seen.lost} streams ended" if seen.lost else ""
        yield (
            f"{MEANS[name]:<28}{seen.streams:>9,}{seen.events:>9,}{seen.p50 / US:>9.0f}"
            f"{seen.p99 / US:>9.0f}{p50:>11}{p99:>11}{rss:>14}{lost}"
        )


def _targets(results: Results) -> Iterator[str]:
    yield ""
    yield "numbers to reach"
    for target in targets(results):
        digits = ",.0f" if target.limit >= 1000 else ".2f"
        got = "" if target.got is None else f"{target.got:{digits}} {target.unit}"
        sign = ">=" if target.at_least else "<="
        wanted = f"{sign} {target.limit:g} {target.unit}"
        yield f"  {target.verdict:<13}{target.says:<62}{got:>12}   wanted {wanted}"


def _mb(value: float | None) -> str:
    return "?" if value is None else f"{value:.1f}"
