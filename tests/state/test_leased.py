"""What a pod has drawn of a rate, and has not used."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.state import leased
from proxy.state.leased import Leased
from proxy.state.shared.rates import Back, UnitsDrawn

MINUTE = 60e6


def told(given: int, end: float = 0.0) -> UnitsDrawn:
    """A draw; `end` is where the last of it drains."""
    return UnitsDrawn(given, 0.0, end or given * MINUTE, 7, 3.0)


def make(*draws: tuple[int, float]) -> Leased:
    """So many units each, and until when they may be spent."""
    lies = Leased()
    for units, until in draws:
        lies.add(told(units), MINUTE, until)
    return lies


def back(lies: Leased) -> list[tuple[int, float]]:
    """What goes back now: units, and where the last of them drains, in minutes."""
    return [(each.units, each.end / MINUTE) for each in lies.gone(99)]


def test_what_was_drawn_is_spent() -> None:
    """All or nothing; what must be spent first goes first."""
    lies = make((2, 20.0), (3, 10.0))
    assert lies.units == 5
    paid = lies.pay(1.0, 4)
    assert paid is not None
    assert [(piece.units, piece.until) for piece in paid] == [(3, 10.0), (1, 20.0)]
    assert lies.pay(1.0, 2) is None
    assert lies.units == 1


def test_what_lies_for_too_long_goes_back() -> None:
    """Nobody spends it any more."""
    lies = make((2, 10.0), (3, 20.0))
    assert lies.pay(10.1, 4) is None
    assert (lies.units, lies.returns) == (3, True)
    assert back(lies) == [(2, 2.0)]
    assert (lies.returns, lies.empty) == (False, False)
    lies.close()
    assert back(lies) == [(3, 3.0)]
    assert lies.empty


def test_it_goes_back_as_it_was_drawn() -> None:
    """Whose line it is, and how it stood then."""
    lies = make((1, 1.0))
    lies.expire(2.0)
    assert lies.gone(1) == (Back(1, MINUTE, 7, 3.0),)


def test_what_a_call_did_not_use_is_spent_by_another() -> None:
    """As long as it may be; the last of it first, for what was used had drained before."""
    lies = make((5, 10.0))
    paid = lies.pay(1.0, 4)
    assert paid is not None
    lies.unused(paid, 3, 2.0)
    assert lies.units == 4
    lies.close()
    assert sorted(back(lies)) == [(1, 5.0), (3, 4.0)]


def test_of_several_draws_the_last_comes_back_first() -> None:
    """Also when it is too late to spend it."""
    lies = make((2, 10.0), (2, 20.0))
    paid = lies.pay(1.0, 4)
    assert paid is not None
    lies.unused(paid, 3, 15.0)
    assert lies.units == 2
    assert back(lies) == [(1, 2.0)]


def test_nothing_of_nothing_comes_back() -> None:
    """A draw that gave nothing leaves nothing; nor does a call that used all."""
    lies = make((0, 10.0), (1, 10.0))
    paid = lies.pay(1.0, 1)
    assert paid is not None
    lies.unused(paid, 0, 1.0)
    assert lies.empty


def test_there_is_only_so_much_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not lie here goes back; what there is no room for is lost, and drains."""
    monkeypatch.setattr(leased, "MOST", 2)
    lies = make(*[(1, 10.0)] * 5)
    assert lies.units == 2
    assert len(back(lies)) == 2
    assert lies.gone(9) == ()


def test_only_so_many_go_back_at_once() -> None:
    """The others later."""
    lies = make(*[(1, 1.0)] * 3)
    lies.close()
    assert [len(lies.gone(2)), len(lies.gone(2))] == [2, 1]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("draw"), st.integers(1, 9)),
        st.tuples(st.just("pay"), st.integers(1, 9)),
        st.tuples(st.just("unused"), st.integers(0, 9)),
        st.tuples(st.just("passes"), st.integers(1, 9)),
        st.tuples(st.just("gone"), st.integers(1, 3)),
    ),
    max_size=40,
)


@given(STEPS)
def test_no_unit_is_lost_or_made(steps: list[tuple[str, int]]) -> None:
    """Each that was drawn lies here, was used, or went back; and each minute of the line is told
    of once."""
    lies, now, end = Leased(), 0.0, 0
    spent: list[Any] = []
    minutes: list[int] = []

    def went(backs: Any) -> None:
        for each in backs:
            last = round(each.end / MINUTE)
            minutes.extend(range(last - each.units, last))

    for step, number in steps:
        if step == "draw":
            end += number
            lies.add(told(number, end * MINUTE), MINUTE, now + 10)
        elif step == "pay":
            paid = lies.pay(now, number)
            spent += [] if paid is None else [paid]
        elif step == "unused" and spent:
            paid = spent.pop()
            units = min(number, sum(piece.units for piece in paid))
            used = sum(piece.units for piece in paid) - units
            first = [
                minute
                for piece in paid
                for minute in range(
                    round(piece.end / MINUTE) - piece.units, round(piece.end / MINUTE)
                )
            ]
            minutes.extend(first[:used])
            lies.unused(paid, units, now)
        elif step == "passes":
            now += number
        elif step == "gone":
            went(lies.gone(number))
        assert lies.units == sum(piece.units for piece in lies._held)
    for paid in spent:
        went(piece.back for piece in paid)
    lies.close()
    went(lies.gone(99))
    assert sorted(minutes) == list(range(end))
