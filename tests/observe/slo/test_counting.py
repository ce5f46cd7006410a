"""Counting: which objectives a call is for, and how it counts for each."""

import msgspec

from proxy.observe.slo.counting import LONGEST, MOST, Counting
from proxy.observe.slo.objective import Objective
from proxy.observe.slo.ring import Ring
from proxy.observe.slo.series import Series
from tests.observe.records import record
from tests.observe.slo.objectives import matching, objective


def counted(**objectives: Objective) -> tuple[Counting, dict[str, Series]]:
    """Of these, and what is counted for each."""
    series = {name: Series(name, Ring(3600.0, 0.0)) for name in objectives}
    return Counting((each, series[name]) for name, each in objectives.items()), series


def said(series: Series) -> tuple[int, int, dict[str, int]]:
    return series.good, series.bad, series.excluded


def test_each_counts_its_own() -> None:
    """By what it asks for: its end, how long it took without people, and what it cost."""
    counting, series = counted(
        ends=objective(),
        quick=objective(sli="latency", most_us=5_000_000),
        cheap=objective(sli="cost", most_micros=150_000),
    )
    for made in (
        record(duration_us=5_000_000, cost_micros=150_000),
        record(duration_us=5_000_001, cost_micros=150_001),
        record(duration_us=65_000_000, held_us=60_000_000),
        record(outcome="failed", code="upstream_timeout", attempts=(), duration_us=9_000_000),
        record(outcome="refused", code="denied", decision="refuse", attempts=()),
        record(outcome="cancelled", code="agent_gone"),
    ):
        counting.note(made)
    assert said(series["ends"]) == (3, 1, {"refused": 1, "cancelled": 1})
    assert said(series["quick"]) == (2, 2, {"refused": 1, "cancelled": 1})
    assert said(series["cheap"]) == (3, 1, {"refused": 1, "cancelled": 1})


def test_only_calls_that_match() -> None:
    """One fact or several; one who asks for none has all."""
    counting, series = counted(
        all=objective(),
        one=objective(match=matching(agent="pricing-*")),
        both=objective(match=matching(agent="pricing-*", tool="get_*")),
        none=objective(match=matching(workflow="w-*")),
    )
    for _ in range(2):  # looked up, and remembered
        counting.note(record())
        counting.note(record("pay"))
        counting.note(record(agent="other"))
    assert {name: each.good for name, each in series.items()} == {
        "all": 6, "one": 4, "both": 2, "none": 0,
    }  # fmt: skip


def test_by_one_fact_alone() -> None:
    """It is a key as well."""
    counting, series = counted(one=objective(match=matching(tool="get_*")))
    counting.note(record())
    counting.note(record("pay"))
    assert series["one"].good == 1


def test_a_line_of_the_journal_counts_as_its_record_did() -> None:
    """Also with what it leaves out because it is as usual."""
    asked = {
        "ends": objective(match=matching(agent="pricing-*", workflow="!x")),
        "quick": objective(sli="latency", most_us=2_000_000),
        "cheap": objective(sli="cost", most_micros=10),
    }
    live, by_record = counted(**asked)
    again, by_line = counted(**asked)
    for made in (
        record(),
        record(outcome="failed", code="upstream_unreachable", cost_micros=11),
        record(outcome="refused", code="killed", attempts=(), workflow="x"),
        record(outcome="fallback", tier=3, duration_us=3_000_000, held_us=500_000),
    ):
        live.note(made)
        again.again(msgspec.json.decode(msgspec.json.encode(made)))
    assert {name: said(each) for name, each in by_record.items()} == {
        name: said(each) for name, each in by_line.items()
    }
    assert by_record["ends"].bad == 2


def test_what_agents_make_up_takes_no_memory() -> None:
    """Many names, and long ones."""
    counting, series = counted(one=objective(match=matching(tool="get_*")))
    for number in range(MOST + 100):
        counting.note(record(f"get_{number}"))
    assert len(counting._memo) <= MOST
    before = len(counting._memo)
    counting.note(record("get_" + "x" * LONGEST))
    assert len(counting._memo) == before
    assert series["one"].good == MOST + 101


def test_nothing_is_counted_for_nobody() -> None:
    """It is known before any call."""
    counting, _ = counted()
    counting.note(record())
    assert not counting
    assert counted(one=objective())[0]
