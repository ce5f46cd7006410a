"""Until when a tool is left alone."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.state.quiet import Quiet


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans())))
def test_it_is_only_ever_extended(asked: list[tuple[float, bool]]) -> None:
    """To the latest time that was asked for, and what was said with that."""
    quiet = Quiet(lambda: 0.0)
    for until, quota in asked:
        quiet.extend(until, quota)
    latest = max((until for until, _ in asked), default=float("-inf"))
    assert quiet.until == latest
    assert quiet.quota is next((quota for until, quota in asked if until == latest), False)


def test_it_may_be_forgotten_once_it_is_over() -> None:
    """Not before."""
    now = [10.0]
    quiet = Quiet(lambda: now[0])
    assert quiet.idle
    quiet.extend(11.0, quota=False)
    assert not quiet.idle
    now[0] = 11.0
    assert quiet.idle
