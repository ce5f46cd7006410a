"""proxy/observe/metrics.py"""

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from proxy.call import InFlight
from proxy.counts import BREAKER_TRANSITIONS, REFUSALS, RETRIES, Counts
from proxy.keep import Keep
from proxy.keys import (
    KILLS,
    SHELF,
    CircuitKey,
    InFlightKey,
    PermitsKey,
    PulseKey,
    QueuedKey,
    shadowed,
)
from proxy.observe.family import LONG, SHORT, Spread
from proxy.observe.labels import LIMIT, OTHER
from proxy.record import AttemptRecord
from proxy.state.killed import Kill
from proxy.state.scopes import Scope
from proxy.state.shelf import Shelf
from tests.fakes import make_call, make_reply
from tests.observe.records import Anything, metrics, record, rows


def test_a_call_is_counted_by_how_it_ended():
    """Equal ends are one row, others another."""
    found = metrics()
    for _ in range(3):
        found.note(record())
    found.note(record(outcome="failed", code="upstream_timeout"))
    assert rows(found, "holdfast_calls_total") == {
        ("gateway", "get_balance", "tool", "ok", ""): 3,
        ("gateway", "get_balance", "tool", "failed", "upstream_timeout"): 1,
    }


def test_every_attempt_is_counted_where_it_was_sent():
    """A retry on another upstream is that upstream's."""
    found = metrics()
    attempts = (
        AttemptRecord(1, "failure", 3, "gateway", 503),
        AttemptRecord(2, "success", 3, "spare", 200),
    )
    found.note(record(attempts=attempts))
    assert rows(found, "holdfast_attempts_total") == {
        ("gateway", "get_balance", "failure"): 1,
        ("spare", "get_balance", "success"): 1,
    }


def test_a_call_that_sent_nothing_has_no_first_byte():
    """It would count as the fastest of all."""
    found = metrics()
    found.note(record(ttfb_us=-1))
    (spread,) = rows(found, "holdfast_time_to_first_byte_seconds").values()
    assert isinstance(spread, Spread)
    assert spread.count == 0


@given(st.lists(st.integers(0, 2 * LONG[-1]), max_size=50))
def test_histograms_are_exact(durations):
    """Every bucket says how many were up to its bound; count and sum are those of the calls."""
    found = metrics()
    for us in durations:
        found.note(record(duration_us=us, overhead_us=us, ttfb_us=us))
    for name, bounds in (
        ("holdfast_call_duration_seconds", LONG),
        ("holdfast_time_to_first_byte_seconds", LONG),
        ("holdfast_overhead_seconds", SHORT),
    ):
        for spread in rows(found, name).values():
            assert isinstance(spread, Spread)
            assert spread.upto == tuple(
                (bound, sum(us <= bound for us in durations)) for bound in bounds
            )
            assert (spread.count, spread.sum_us) == (len(durations), sum(durations))


DEPOSIT = ("gateway", "deposit", "", "", "", "tool")


def flight(keep: Keep, tool: str, now: int = 0) -> InFlight:
    """Calls of a tool on their way, counted where pipelines count them."""
    return keep.of(InFlightKey("", "gateway", tool), lambda: InFlight(now))


def test_in_flight_is_what_is_on_its_way_now():
    """It goes up and down with the calls."""
    keep = Keep()
    found, calls = metrics(keep), flight(keep, "get_balance", 2)
    assert rows(found, "holdfast_inflight") == {("gateway", OTHER): 2}
    calls.now -= 1
    assert rows(found, "holdfast_inflight") == {("gateway", OTHER): 1}


def test_who_waits_is_added_up_over_bulkheads():
    """As calls in flight are."""
    keep = Keep()
    held = [
        keep.of(QueuedKey(domain, "gateway", "deposit"), lambda: Anything(now=2))
        for domain in ("", "core")
    ]
    found = metrics(keep)
    found.name_tools(["deposit"])
    assert rows(found, "holdfast_queued") == {("gateway", "deposit"): 4}
    held[0].now = 0
    assert rows(found, "holdfast_queued") == {("gateway", "deposit"): 2}


def test_only_calls_that_stood_in_a_queue_are_in_its_histogram():
    """The others would say that nobody ever waits."""
    found = metrics()
    found.note(record())
    assert rows(found, "holdfast_queue_wait_seconds") == {}
    found.note(record(queue_us=700))
    found.note(record(queue_us=2_000))
    (spread,) = rows(found, "holdfast_queue_wait_seconds").values()
    assert isinstance(spread, Spread)
    assert (spread.count, spread.sum_us, spread.upto[:3]) == (
        2, 2_700, ((500, 0), (1_000, 1), (2_500, 2)),
    )  # fmt: skip


def test_permits_are_shown_by_whose_they_are():
    """Those of a bulkhead by its name; of agents added up; of shadows not at all."""
    keep = Keep()
    there = {
        PermitsKey("", "p", *DEPOSIT): (2, 1),
        PermitsKey("core", "p", *DEPOSIT): (2, 0),
        PermitsKey("", "q", "", "", "ann", "", "", "agent"): (3, 3),
        PermitsKey("", "q", "", "", "bob", "", "", "agent"): (3, 1),
        PermitsKey("core", "core", "", "", "", "", "", "", "bulkhead_permits"): (64, 5),
        shadowed(PermitsKey("", "p", *DEPOSIT)): (9, 9),
    }
    for key, (limit, held) in there.items():
        keep.of(key, partial(Anything, limit=limit, held=held))
    found = metrics(keep)
    found.name_tools(["deposit"])
    assert rows(found, "holdfast_bulkhead_limit") == {
        ("p", "gateway", "deposit"): 4, ("q", "", ""): 6, ("core", "", ""): 64,
    }  # fmt: skip
    assert rows(found, "holdfast_bulkhead_inflight") == {
        ("p", "gateway", "deposit"): 1, ("q", "", ""): 4, ("core", "", ""): 5,
    }  # fmt: skip


def test_a_tool_that_becomes_known_meanwhile_ends_where_it_is_shown():
    """Else `other` would be one too high for ever, and the tool below zero."""
    keep = Keep()
    found, calls = metrics(keep), flight(keep, "get_balance", 1)
    found.note(record())
    assert rows(found, "holdfast_inflight") == {("gateway", "get_balance"): 1}
    calls.now -= 1
    assert set(rows(found, "holdfast_inflight").values()) == {0}


def test_what_is_in_flight_of_unknown_tools_is_added_up():
    """They share one row, apart from those that have a name here."""
    keep = Keep()
    found = metrics(keep)
    found.name_tools(["deposit"])
    held = [flight(keep, *of) for of in (("made_up", 2), ("made_up_too", 3), ("deposit", 4))]
    assert len(held) == 3
    assert rows(found, "holdfast_inflight") == {("gateway", OTHER): 5, ("gateway", "deposit"): 4}


def test_named_tools_are_known_before_any_success():
    """The first failure of a tool that a policy names shows under its name."""
    found = metrics()
    found.name_tools(["deposit"])
    found.note(record("deposit", outcome="failed"))
    assert ("gateway", "deposit", "tool", "failed", "") in rows(found, "holdfast_calls_total")


def test_made_up_tools_cost_one_row():
    """An agent that makes up names fills neither memory nor the scraper."""
    keep = Keep()
    found = metrics(keep)
    for number in range(10 * LIMIT):
        found.note(record(f"made_up_{number}", outcome="failed"))
        flight(keep, f"made_up_{number}")
    assert set(rows(found, "holdfast_inflight")) == {("gateway", OTHER)}
    assert len(found._bound) == 0


def test_what_is_kept_to_be_given_again_is_shown():
    """How many answers, and their memory; nothing where no policy asks for it."""
    keep = Keep()
    found = metrics(keep)
    assert rows(found, "holdfast_cache_entries") == {(): 0}
    shelf = keep.of(SHELF, Shelf)
    shelf.keep(("key",), make_call(), make_reply(200), 1000.0)
    assert rows(found, "holdfast_cache_entries") == {(): 1}
    assert rows(found, "holdfast_cache_bytes") == {(): shelf.bytes}
    assert shelf.bytes > 1000


def test_refusals_are_counted_by_policy_and_shadow_ones_apart():
    """Refused calls come from records, shadow verdicts from the guard's counts in the keep."""
    keep = Keep()
    shadow = keep.of(shadowed(REFUSALS.key), REFUSALS.counts)
    shadow.add("circuit_open", "trial", "false")
    found = metrics(keep)
    found.note(record(decision="refuse", outcome="refused", code="circuit_open", policy="tools"))
    assert rows(found, "holdfast_refusals_total") == {
        ("circuit_open", "tools", "true"): 1,
        ("circuit_open", "trial", "false"): 1,
    }


def test_counts_of_stages_are_shown_in_the_metrics_order():
    """A stage may keep its labels in another order."""
    keep = Keep()
    counts = keep.of(RETRIES.key, lambda: Counts(("reason", "upstream", "decision")))
    counts.add("503", "gateway", "sent")
    assert rows(metrics(keep), "holdfast_retries_total") == {("gateway", "sent", "503"): 1}


def test_counts_of_unknown_tools_are_added_up():
    """Circuits of made-up tools share one row; the upstream's own has no tool."""
    keep = Keep()
    counts = keep.of(BREAKER_TRANSITIONS.key, BREAKER_TRANSITIONS.counts)
    for tool in ("made_up", "made_up_too", ""):
        counts.add("gateway", tool, "closed", "open")
    assert rows(metrics(keep), "holdfast_breaker_transitions_total") == {
        ("gateway", OTHER, "closed", "open"): 2,
        ("gateway", "", "closed", "open"): 1,
    }


def test_a_circuit_has_a_row_for_each_state():
    """1 for the one that it is in; of circuits that share a label, 1 for each that one is in."""
    keep = Keep()
    keep.of("something else", Anything)
    for tool, state in (("", "half_open"), ("made_up", "open"), ("made_up_too", "closed")):
        keep.of(CircuitKey("", "gateway", tool), partial(Anything, state=state))
    assert rows(metrics(keep), "holdfast_breaker_state") == {
        ("gateway", "", "closed"): 0,
        ("gateway", "", "open"): 0,
        ("gateway", "", "half_open"): 1,
        ("gateway", OTHER, "closed"): 1,
        ("gateway", OTHER, "open"): 1,
        ("gateway", OTHER, "half_open"): 0,
    }


def test_an_upstream_that_is_probed_is_well_or_not():
    """Of others nobody knows."""
    keep = Keep()
    for name, probed, well in (("a", True, True), ("b", True, False), ("c", False, True)):
        keep.of(PulseKey(name), partial(Anything, probed=probed, well=well))
    assert rows(metrics(keep), "holdfast_upstream_healthy") == {("a",): 1, ("b",): 0}


def test_bad_requests_are_counted_by_reason():
    """They are no calls, and have no record."""
    found = metrics()
    found.bad_requests.add("bare_lf")
    assert rows(found, "holdfast_bad_requests_total") == {("bare_lf",): 1}


def test_a_rejected_reload_shows(monkeypatch):
    """The older version stays the one in force."""
    found = metrics()
    assert rows(found, "holdfast_config_last_reload_success") == {(): 1}
    monkeypatch.setattr(found._policies, "rejected", "10.yaml:3:1: no such key")
    assert rows(found, "holdfast_config_last_reload_success") == {(): 0}
    assert rows(found, "holdfast_config_info") == {("ab12cd",): 1}


def test_tallies_are_copies():
    """By the names that are shown; layers are one, and what comes later is not in them."""
    found = metrics()
    found.note(record())
    found.note(record(layer="http"))
    found.note(record("made_up", outcome="failed", code="upstream_timeout"))
    told = found.tallies()
    found.note(record())

    assert told["gateway", "get_balance"].calls == {("ok", ""): 2}
    assert sum(told["gateway", "get_balance"].durations) == 2
    assert told["gateway", "other"].calls == {("failed", "upstream_timeout"): 1}


def test_names_as_they_are_shown():
    """A tool that nothing vouches for has none of its own; an upstream's circuit has no tool."""
    found = metrics()
    found.note(record())

    assert found.shown("gateway", "get_balance") == ("gateway", "get_balance")
    assert found.shown("gateway", "made_up") == ("gateway", "other")
    assert found.shown("gateway", "") == ("gateway", "")


def test_what_is_killed():
    """1, and 0 when it goes on; workflows are not told apart, and there is a last name."""
    kills = [Kill(Scope(scope), "why", "a", "admin") for scope in ("all", "workflow:w")]
    keep = Keep()
    room = keep.of(KILLS, lambda: Anything(items=lambda: kills))
    found = metrics(keep)
    assert rows(found, "holdfast_killed") == {("all",): 1, ("workflow",): 1}
    del kills[0]
    assert rows(found, "holdfast_killed") == {("all",): 0, ("workflow",): 1}
    kills += [Kill(Scope(f"agent:{n}"), "why", "a", "admin") for n in range(LIMIT)]
    told = rows(found, "holdfast_killed")
    assert (len(told), told[OTHER,]) == (LIMIT, 1)
    assert room is not None
    assert rows(metrics(Keep()), "holdfast_killed") == {}


def test_whatever_is_invented_is_few():
    """Ten thousand names of everything that an agent or a file can name: 200 values a label."""
    found = metrics()
    for i in range(10_000):
        for outcome in ("ok", "failed"):
            name = f"{outcome}-{i}"
            found.note(
                record(
                    name, agent=name, upstream=name, workflow=name, task=name, model=name,
                    fleet=name, policy=name, outcome=outcome, decision="refuse", code="denied",
                    cost_micros=1, tokens={"input": 1}, queue_us=1,
                    attempts=(AttemptRecord(1, "success", 1, name),),
                )
            )  # fmt: skip
    for family in found.read():
        for at, label in enumerate(family.metric.labels):
            assert len({row[at] for row in family.rows}) <= LIMIT, (family.metric.name, label)
        assert len(family.rows) < 1_000
