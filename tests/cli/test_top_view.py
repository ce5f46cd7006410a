"""proxy/cli/top_view.py: what keys do."""

import msgspec
import pytest

from proxy.cli.top_view import ORDERS, View, ordered, pressed
from tests.cli.top_scene import TOOL, seen


def tools(**changes):
    """Three that differ in one thing."""
    names = ("a", "b", "c")
    items = [
        TOOL | {"tool": name} | {key: values[at] for key, values in changes.items()}
        for at, name in enumerate(names)
    ]
    return seen(tools=items).tools


@pytest.mark.parametrize(
    ("order", "changes"),
    [
        ("trouble", {"circuit": [None, "closed", "half_open"], "per_second": [1, 9, 0]}),
        ("calls", {"per_second": [0, 1, 2]}),
        ("errors", {"errors": [None, 0.1, 0.2]}),
        ("p99", {"p99": [None, 0.1, 0.2]}),
        ("cost", {"cost_per_hour": ["0.00", "9.00", "10.00"]}),
    ],
)
def test_the_worst_comes_first(order, changes):
    """Whatever is asked for."""
    assert [tool.tool for tool in ordered(tools(**changes), order)] == ["c", "b", "a"]


def test_tools_that_are_alike_stay_where_they_are():
    """By their names."""
    for order in ORDERS:
        assert [tool.tool for tool in ordered(tools()[::-1], order)] == ["a", "b", "c"]


def test_keys_to_leave_and_to_pause():
    """Pausing twice goes on."""
    view = View()

    assert pressed(view, "q", 3).left
    assert pressed(view, "p", 3).paused
    assert not pressed(pressed(view, "p", 3), "p", 3).paused
    assert pressed(view, "x", 3) == view


def test_scrolling_ends_at_both_ends():
    """Also where there is nothing to see."""
    view = View()

    assert pressed(view, "up", 3).first == 0
    for _ in range(5):
        view = pressed(view, "j", 3)
    assert view.first == 2
    assert pressed(view, "k", 3).first == 1
    assert pressed(View(), "down", 0).first == 0


def test_sorting_goes_round():
    """From the top of each."""
    view, found = msgspec.structs.replace(View(), first=2), []
    for _ in range(len(ORDERS) + 1):
        found.append(view.order)
        view = pressed(view, "s", 3)

    assert found == [*ORDERS, ORDERS[0]]
    assert view.first == 0
