"""proxy/observe/exposition.py, parsed back by prometheus_client's own parsers."""

import asyncio
import gzip
import re
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector

from proxy.call import InFlight
from proxy.counts import COUNTED
from proxy.journal.disk import RealDisk
from proxy.journal.writer import State
from proxy.keep import Keep
from proxy.keys import KILLS, LEDGER, CircuitKey, InFlightKey, PermitsKey, PulseKey, QueuedKey
from proxy.observe import catalogue
from proxy.observe.exposition import Exposition, wanted
from proxy.observe.family import Family
from proxy.observe.journal import CountedDisk, families
from proxy.state.killed import Kill
from proxy.state.scopes import Scope
from tests.fakes import FakeClock
from tests.observe.records import LOOKOUT, Anything, catalogued, metrics, record
from tests.observe.test_money import AGENT, Books

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"
OPEN = "application/openmetrics-text; version=1.0.0"


def busy():
    """Metrics of which each one has a row."""
    keep = Keep()
    for metric in COUNTED:
        keep.of(metric.key, metric.counts).add(*metric.labels)
    keep.of(CircuitKey("", "gateway", ""), lambda: Anything(state="open"))
    keep.of(PulseKey("gateway"), lambda: Anything(probed=True, well=True))
    keep.of(InFlightKey("", "gateway", "get_balance"), InFlight)
    keep.of(QueuedKey("", "gateway", "get_balance"), lambda: Anything(now=1))
    permits = PermitsKey("", "p", "gateway", "", "", "", "", "upstream")
    keep.of(permits, lambda: Anything(limit=2, held=1))
    keep.of(KILLS, lambda: Anything(items=lambda: [Kill(Scope("all"), "why", "a", "admin")]))
    books = Books(AGENT)
    keep.of(LEDGER, lambda: books.ledger)
    books.spend(AGENT, "ann", 2_000, reserved=10)
    found = metrics(keep)
    found.note(record(queue_us=20, cost_micros=2_000, tokens={"input": 3}))
    found.note(record(decision="refuse", outcome="refused", code="circuit_open", policy="tools"))
    found.note(record("gpt", layer="llm", upstream="model", tokens={"input": 3}))
    found.note(record("search", protocol="mcp", upstream="mcp"))
    found.bad_requests.add("bare_lf")
    of_payloads = [each for each in found.journal() if each.metric in catalogue.PAYLOADS]
    of_payloads = [each for each in of_payloads if each.metric != catalogue.PAYLOADS_LOST]
    lost = Family(catalogue.PAYLOADS_LOST, {("late",): 1})
    found.journal = lambda: [*journals(), *of_payloads, lost]
    rows = [*found.store()]
    labelled = {catalogue.STORE_FAILURES: "timeout", catalogue.STORE_LEASES: "money"}
    found.store = lambda: [
        Family(family.metric, {(labelled[family.metric],): 1})
        if family.metric in labelled
        else family
        for family in rows
    ]
    found.lookout = lambda: [Family(each, {("x",) * len(each.labels): 1}) for each in LOOKOUT]
    return found


def journals():
    """Those of a journal whose checkpoints are posted."""
    posted = SimpleNamespace(taken=1, failed=0, dropped=0)
    anchor = SimpleNamespace(name="https://w.example", posted=posted, waiting=0)
    facts = SimpleNamespace(seq=9, held=2, dropped=0, tampered="", state=State("ok", 0.0))
    return families(facts, CountedDisk(RealDisk(), FakeClock().now), [anchor])


async def scrape(found, accept: str = "") -> str:
    """The text of a page."""
    page = await Exposition(found, FakeClock()).page(accept)
    return page.plain.decode()


@pytest.mark.parametrize(("accept", "parse"), [("", parse_text), (OPEN, parse_open)])
async def test_both_formats_can_be_read(accept, parse):
    """What was counted comes out of the parser of each format."""
    samples = {
        (sample.name, sample.labels.get("le")): sample.value
        for family in parse(await scrape(busy(), accept))
        for sample in family.samples
        if sample.labels.get("tool") == "get_balance"
    }
    assert samples["holdfast_call_duration_seconds_count", None] == 2
    assert samples["holdfast_call_duration_seconds_sum", None] == 0.006
    assert samples["holdfast_call_duration_seconds_bucket", "0.0025"] == 0
    assert samples["holdfast_call_duration_seconds_bucket", "0.005"] == 2
    assert samples["holdfast_overhead_seconds_bucket", "5e-05"] == 2
    assert samples["holdfast_overhead_seconds_bucket", "+Inf"] == 2


async def test_each_metric_is_documented():
    """`docs/metrics.md` has a row for each exposed metric, with its labels; and no other rows."""
    text = await scrape(busy())
    exposed = {
        family.name if family.type != "counter" else family.name + "_total": {
            label for sample in family.samples for label in sample.labels
        }
        - {"le"}
        for family in parse_text(text)
    }
    documented = {
        name: set(filter(None, labels.replace(" ", "").split(",")))
        for name, labels in re.findall(
            r"^\| `(\w+)` \| ([\w, ]*)\|", DOCS.read_text(), re.MULTILINE
        )
    }
    assert documented == exposed


async def test_each_metric_of_the_catalogue_is_exposed():
    """Also before it has a row: dashboards find it, and see that it is zero."""
    text = await scrape(metrics())
    names = [metric.name for metric in catalogued()]
    assert [name for name in names if f"# TYPE {name} " not in text] == []


@given(st.lists(st.one_of(st.text(), st.text('"\\\n{}=,# é\x00\u2028', max_size=9)), min_size=1))
def test_hostile_names_do_not_break_the_text(names):
    """However a tool, an upstream or a policy is called, the text can be read and adds up."""
    found = metrics()
    found.name_tools(names)
    for name in names:
        found.note(record(name, upstream=name, policy=name, decision="refuse", code="circuit_open"))
    text = asyncio.run(scrape(found))
    calls = [
        sample
        for family in parse_text(text)
        if family.name == "holdfast_calls"
        for sample in family.samples
    ]
    assert sum(sample.value for sample in calls) == len(names)
    assert {sample.labels["tool"] for sample in calls} <= {*names, "other"}


async def test_a_name_of_ten_kilobytes_is_other():
    """It would stand on some sixty lines of each scrape."""
    found = metrics()
    found.note(record("x" * 10_240))
    assert "xxx" not in await scrape(found)


class Slow(Collector):
    """Something to be shown that takes its time on the clock."""

    def __init__(self, clock, seconds=0.5):
        self._clock = clock
        self._seconds = seconds

    def collect(self):
        """Nothing, after a while."""
        self._clock.time += self._seconds
        return []


@pytest.mark.parametrize(("took", "kept"), [(0.5, 1.0), (0.0625, 0.625)])
async def test_a_page_is_shown_again_for_a_while(took, kept):
    """Scraping takes a bounded share of the core: ten times what a page took, a second at most."""
    clock = FakeClock()
    exposition = Exposition(metrics(), clock)
    exposition._registry.register(Slow(clock, took))
    first = await exposition.page("")
    assert first.until == clock.time + kept
    assert await exposition.page("") is first
    clock.time = first.until
    assert await exposition.page("") is not first


async def test_reading_lets_others_go_first():
    """What is read of many upstreams and tools is read bit by bit."""
    found, clock = busy(), FakeClock()
    clock.now = count(0.0, 0.001).__next__  # each look at it is a millisecond later
    turns = 0

    async def others():
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside = asyncio.create_task(others())
    families = await Exposition(found, clock)._read()
    beside.cancel()
    assert turns >= len(families)
    assert families == found.read()


async def test_scrapers_at_the_same_time_share_a_page():
    """Ten scrapers cost one page, where it takes time to make."""
    clock = FakeClock()
    exposition = Exposition(metrics(), clock)
    exposition._registry.register(Slow(clock))
    pages = await asyncio.gather(*(exposition.page("") for _ in range(10)))
    assert all(page is pages[0] for page in pages)


async def test_the_formats_are_kept_apart():
    """Who asks for text never gets the other one's page."""
    exposition = Exposition(metrics(), FakeClock())
    text, openmetrics = await exposition.page(""), await exposition.page(OPEN)
    assert text.content_type.startswith("text/plain")
    assert openmetrics.content_type.startswith("application/openmetrics-text")
    assert openmetrics.plain.endswith(b"# EOF\n")


async def test_the_gzipped_page_is_the_same_page():
    """Byte for byte."""
    page = await Exposition(busy(), FakeClock()).page("")
    assert gzip.decompress(page.gzipped) == page.plain


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", ""),
        ("*/*", ""),
        ("application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.5", OPEN),
        ("text/plain, application/openmetrics-text", ""),
        ("Application/OpenMetrics-Text; version=nonsense; escaping=nonsense", OPEN),
        (",;,application/openmetrics-text", OPEN),
    ],
)
def test_the_first_known_format_is_taken(accept, expected):
    """Whatever else stands in the header."""
    assert wanted(accept) == expected


async def test_a_traced_call_stands_beside_its_bucket():
    """The last of each bucket, in OpenMetrics; plain text has no place for it."""
    found = metrics()
    traced = {"trace": "ab" * 16, "span": "cd" * 8}
    found.note(record(duration_us=3_000, ttfb_us=-1, **{**traced, "span": "00" * 8}))
    found.note(record(duration_us=4_000, ttfb_us=-1, **traced))
    found.note(record(duration_us=4_500))  # not sampled
    exemplars = {
        (sample.name, sample.labels["le"]): sample.exemplar
        for family in parse_open(await scrape(found, OPEN))
        for sample in family.samples
        if sample.exemplar
    }
    ((where, exemplar),) = exemplars.items()
    assert where == ("holdfast_call_duration_seconds_bucket", "0.005")
    assert exemplar.labels == {"trace_id": "ab" * 16, "span_id": "cd" * 8}
    assert exemplar.value == 0.004
    assert float(exemplar.timestamp) > 1_700_000_000
    assert "trace_id" not in await scrape(found)
