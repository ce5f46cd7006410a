"""Waits before an attempt. How `retry` uses them is in tests/stages/test_retry.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.state.backoff import Backoff, Throttled, Waits, spread
from proxy.units import Seconds


def waits(chance: float | None = None, cap: float = 30.0, **usual: float) -> Waits:
    """Without chance, or with this one."""
    seconds = {name: Seconds(value) for name, value in usual.items()}
    backoff = Backoff(jitter="none" if chance is None else "full", **seconds)  # type: ignore[arg-type]  # base and max
    return Waits(backoff, Throttled(), cap, lambda: chance or 0.0)


def test_they_grow_to_the_longest() -> None:
    """`base · factor^n`; after a throttled attempt with a base and a max of their own."""
    made = waits(base=1.0, max=3.0)
    usual = [made.after(number, 99.0, None, throttled=False)[0] for number in (1, 2, 3, 4)]
    throttled = [made.after(number, 99.0, None, throttled=True)[0] for number in (1, 2, 6)]
    assert (usual, throttled) == ([1.0, 2.0, 3.0, 3.0], [1.0, 2.0, 20.0])


@given(st.floats(0, 1), st.integers(1, 20))
def test_chance_makes_them_shorter(chance: float, made: int) -> None:
    """Down to nothing: full jitter."""
    longest = min(5.0, 0.1 * 2.0 ** (made - 1))
    wait, objection = waits(chance).after(made, 99.0, None, throttled=False)
    assert (wait, objection) == (chance * longest, "")


@given(st.floats(0, 1), st.floats(0, 60), st.floats(-1, 60), st.floats(0, 60), st.booleans())
def test_what_is_asked_for_is_never_shortened(
    chance: float, asked: float, room: float, cap: float, throttled: bool
) -> None:
    """It is waited for, and at most a tenth longer, or not at all."""
    wait, objection = waits(chance, cap).after(3, room, asked, throttled=throttled)
    if asked > min(cap, room):
        assert (wait, objection) == (0.0, "pushback")
    elif objection:
        assert (wait, objection) == (0.0, "deadline")
    else:
        assert asked <= wait <= room


def test_what_is_asked_for_alone() -> None:
    """No backoff is put on top; chance makes it longer where there is room for that."""
    assert waits().asked(2.0, 5.0) == (2.0, "")
    assert waits(0.5).asked(2.0, 5.0) == (2.1, "")
    assert waits(0.5).asked(2.0, 2.05) == (2.0, "")
    assert waits().asked(0.0, 0.0) == (0.0, "")
    assert waits().asked(2.0, 1.0) == (0.0, "pushback")


def test_a_wait_must_leave_room() -> None:
    """For the attempt after it."""
    assert waits(base=1.0).after(1, 0.9, None, throttled=False) == (0.0, "deadline")


@pytest.mark.parametrize("kind", [Backoff, Throttled])
def test_the_first_wait_is_not_longer_than_the_longest(kind: type[Backoff | Throttled]) -> None:
    """One of the two would not be meant."""
    with pytest.raises(ValueError, match=r"base: must not be longer than max \(2s\), found 3s"):
        kind(base=Seconds(3.0), max=Seconds(2.0))
    assert kind(base=Seconds(2.0), max=Seconds(2.0)).max == 2.0


@pytest.mark.parametrize(
    ("room", "chance", "waits"),
    [(20.0, 0.0, 10.0), (20.0, 1.0, 11.0), (10.5, 0.5, 10.5), (10.4, 0.5, 10.0), (5.0, 0.0, 10.0)],
)
def test_a_wait_that_was_asked_for_is_longer_where_there_is_room(
    room: float, chance: float, waits: float
) -> None:
    """Never shorter: whether it fits at all is asked before."""
    assert spread(10.0, room, chance) == pytest.approx(waits)
