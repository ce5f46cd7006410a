"""proxy/admin/rates.py."""

import asyncio

import pytest

from proxy.admin.rates import EVERY, POINTS, SPAN, STEP, Lately, Rates, together
from tests.fakes import FakeClock, Turn
from tests.observe.records import metrics, record

KEY = ("gateway", "get_balance")


def rates():
    """Rates of metrics that have seen nothing yet, on a clock that waits."""
    clock, counted = FakeClock(asleep=False), metrics()
    return clock, counted, Rates(counted, clock)


def test_before_the_first_minute_it_is_since_the_start():
    """Calls a second, the share of those that failed, refusals by code."""
    clock, counted, found = rates()
    clock.advance(4.0)
    for changes in (
        {},
        {"outcome": "failed", "code": "upstream_timeout"},
        {"outcome": "truncated"},
        {"outcome": "refused", "decision": "refuse", "code": "circuit_open"},
    ):
        counted.note(record(**changes))
    lately = found.lately()[KEY]

    assert (lately.seconds, lately.calls, lately.failed) == (4.0, 4, 2)
    assert (lately.per_second, lately.errors) == (1.0, 0.5)
    assert lately.refused == {"circuit_open": 1}


def test_what_is_older_than_a_minute_does_not_count():
    """It is the difference to the oldest copy."""
    clock, counted, found = rates()
    counted.note(record())
    for _ in range(int(SPAN / EVERY)):
        clock.advance(EVERY)
        found.copy()
    assert found.lately()[KEY].calls == 0
    counted.note(record())
    assert found.lately()[KEY].calls == 1
    assert found.lately()[KEY].seconds == SPAN - EVERY


def test_nothing_in_no_time_is_nothing():
    """Neither a rate nor a share is made up."""
    lately = Lately(0.0, 0, 0, {}, (0, 0))

    assert (lately.per_second, lately.errors, lately.quantile(0.95)) == (0.0, None, None)
    assert lately.micros_per_hour == 0


def test_a_quantile_lies_within_its_bucket():
    """Between its bounds, by how far into it the rank is."""
    _, counted, found = rates()
    for duration in [400] * 90 + [7_000] * 10:
        counted.note(record(duration_us=duration))
    lately = found.lately()[KEY]

    assert lately.quantile(0.9) == pytest.approx(0.0005)
    assert lately.quantile(0.95) == pytest.approx(0.0075)
    assert lately.quantile(1.0) == pytest.approx(0.010)


def test_beyond_the_last_bucket_the_last_bound_is_told():
    """More is not known."""
    _, counted, found = rates()
    counted.note(record(duration_us=10**12))

    assert found.lately()[KEY].quantile(0.95) == 600.0


def test_several_are_added_up():
    """None at all are nothing."""
    part = Lately(10.0, 2, 1, {"a": 1}, (1, 1), 5)
    both = together([part, Lately(10.0, 4, 0, {"a": 2, "b": 1}, (4, 0), 2)])

    assert both == Lately(10.0, 6, 1, {"a": 3, "b": 1}, (5, 1), 7)
    assert together([]).calls == 0


async def test_copies_are_made_while_it_runs():
    """Every few seconds, until it is cancelled."""
    clock, counted, found = rates()
    running = asyncio.ensure_future(found.run())
    await Turn()
    counted.note(record())
    for _ in range(int(SPAN / EVERY)):
        clock.advance(EVERY)
        await Turn()
        await Turn()
    assert found.lately()[KEY].calls == 0
    running.cancel()


def test_how_it_went_is_kept_in_steps():
    """One point for every few copies, of all calls of that time together; so many of them."""
    clock, counted, found = rates()
    for number in range(STEP * (POINTS + 2)):
        if number < STEP:
            counted.note(record())
        clock.advance(EVERY)
        found.copy()
        if number == 2 * STEP - 1:
            assert [point.calls for point in found.trend] == [3, 0]
            assert found.trend[0].per_second == 3 / (STEP * EVERY)

    assert len(found.trend) == POINTS
    assert all(point.calls == 0 for point in found.trend)


def test_who_follows_copies_when_numbers_are_copied():
    """At the same moment, so that both look back as far."""
    _, _, found = rates()
    seen: list[int] = []
    found.followers.append(lambda: seen.append(found.copies))
    found.copy()

    assert seen == [2]
