"""proxy/observe/kept.py; what each metric says is tested in test_metrics and test_money."""

from proxy.call import InFlight
from proxy.keep import Keep
from proxy.keys import CircuitKey, InFlightKey
from proxy.observe.family import STEP
from proxy.observe.kept import KeptRows
from proxy.observe.names import Names
from tests.observe.records import Anything


def test_thousands_of_entries_are_read_in_steps():
    """Sorting them, and each metric of them, lets others go first."""
    keep = Keep()
    held = [
        (
            keep.of(CircuitKey("", "gateway", f"tool-{i}"), lambda: Anything(state="closed")),
            keep.of(InFlightKey("", "gateway", f"tool-{i}"), InFlight),
        )
        for i in range(10 * STEP)
    ]
    steps = list(KeptRows(keep, Names()).read({}))
    assert len(held) == 10 * STEP
    assert sum(step is None for step in steps) >= 40


def test_what_comes_while_it_is_read_does_not_disturb():
    """A call that begins between two steps makes entries of its own."""
    keep = Keep()
    flights = [keep.of(InFlightKey("", "gateway", "t"), InFlight)]
    for step, _ in enumerate(KeptRows(keep, Names()).read({})):
        flights.append(keep.of(InFlightKey("", "gateway", f"new-{step}"), InFlight))
    assert len(flights) > 10
