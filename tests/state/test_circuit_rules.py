"""The parts of a breaker section."""

import pytest

from proxy.stage import Section
from proxy.state.circuit_rules import Open, Slow
from proxy.units import Seconds


@pytest.mark.parametrize(("section", "field"), [(Open, "base"), (Slow, "over")])
def test_durations_of_zero_are_refused(section: type[Section], field: str) -> None:
    """A circuit that never stays open, and one to which every call is slow."""
    with pytest.raises(ValueError, match=f"{field}: must be longer than 0"):
        section(**{field: Seconds(0)})


def test_the_first_open_time_is_not_longer_than_the_longest() -> None:
    """One of the two would not be meant."""
    with pytest.raises(ValueError, match=r"base: must not be longer than max \(5s\), found 6s"):
        Open(base=Seconds(6.0), max=Seconds(5.0))
    assert Open(base=Seconds(5.0), max=Seconds(5.0)).max == 5.0
