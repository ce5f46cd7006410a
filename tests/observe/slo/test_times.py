"""proxy/observe/slo/times.py"""

import math
import statistics

from hypothesis import given
from hypothesis import strategies as st

from proxy.observe.slo.times import KEPT, LEAST, Times
from tests.observe.slo.work import Works, of_tasks


def of(*took: int) -> Times:
    """After events that took so many microseconds."""
    times = Times()
    for each in took:
        times.note(each)
    return times


def test_nothing_is_said_of_few():
    """From a hundred on it is."""
    assert of(*range(LEAST - 1)).shown() is None
    assert of(*([1_000_000] * LEAST)).shown() == {"p50": 1.0, "p95": 1.0, "p99": 1.0}


@given(st.lists(st.integers(0, 10**9), min_size=LEAST, max_size=LEAST + 400))
def test_they_are_exact(took: list[int]):
    """So many of a hundred took no longer, and fewer took less."""
    shown = of(*took).shown()
    assert shown is not None
    ordered = sorted(took)
    for name, share in (("p50", 50), ("p95", 95), ("p99", 99)):
        assert shown[name] == round(ordered[math.ceil(share * len(took) / 100) - 1] / 1e6, 6)
    assert shown["p50"] <= statistics.median_high(took) / 1e6 + 1e-6


def test_only_the_last_ones_count():
    """However many there were; what is longer than anybody waits is cut."""
    shown = of(*([9_000_000] * KEPT), *([1_000_000] * (KEPT - 1)), 10**12).shown()
    assert shown == {"p50": 1.0, "p95": 1.0, "p99": 1.0}
    assert of(*([10**12] * LEAST)).shown() == {"p50": 2147.483647} | dict.fromkeys(
        ("p95", "p99"), 2147.483647
    )


def test_tasks_are_timed_as_well():
    """Those that count."""
    works = Works(of_tasks(sli="latency", most_us=9_000_000))
    times = works.series["done"].times = Times()
    for number in range(LEAST):
        works.call(f"t{number}", 2.0, task_end="success")
    works.call("x", task_end="success", outcome="cancelled", code="agent_gone")
    assert times.shown() == {"p50": 2.0, "p95": 2.0, "p99": 2.0}
