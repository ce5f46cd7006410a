"""`holdfast slo`, without a sub-command."""

import json
from typing import Any

import click
import pytest

from proxy.cli.slo_shown import page
from tests.cli.admin import serving

BUDGET: dict[str, Any] = {
    "remaining": 0.42, "events": 1200, "bad": 7, "coverage": 0.5, "exhausts_in": 200_000,
}  # fmt: skip
DONE: dict[str, Any] = {
    "slo": "task-completion", "sli": "success", "per": "task", "objective": 0.995, "window": "30d",
    "threshold": None, "match": {}, "from": "10.yaml:3", "state": "burning", "good": 5, "bad": 7,
    "excluded": {}, "budget": BUDGET,
    "burn": [
        {"window": "5m", "rate": None, "events": 0, "bad": 0},
        {"window": "1h", "rate": 16.25, "events": 10, "bad": 2},
        {"window": "6h", "rate": 2.0, "events": 10, "bad": 2},
    ],
    "alerts": [], "on_exhausted": {"does": [], "in_force": False}, "tasks": None,
}  # fmt: skip


def with_budget(name: str, remaining: float | None, **more: Any) -> dict[str, Any]:
    return DONE | {"slo": name, "budget": BUDGET | {"remaining": remaining}} | more


@pytest.fixture
def pages(here):
    with serving() as found:
        yield found


def rows(*items: dict[str, Any]) -> list[str]:
    return [" ".join(click.unstyle(line).split()) for line in page(list(items))]


def test_each_has_a_row_with_a_bar_for_its_budget(holdfast, pages):
    """And the fastest burn that is known."""
    pages.put("/v1/slos", {"items": [DONE], "next": None})
    ran = holdfast("slo", "--admin", pages.url)
    assert ran.code == 0
    assert [" ".join(line.split()) for line in ran.out.splitlines()] == [
        "SLO GOOD IS GOAL STATE BUDGET LEFT BURN EVENTS BAD LASTS",
        "task-completion success a task 99.5% burning ████░░░░░░ 42% 16.2× 1h 1200 7 2d",
    ]


def test_scripts_get_what_the_proxy_says(holdfast, pages):
    """All pages of it."""
    pages.put("/v1/slos", {"items": [DONE], "next": "x"}, {"items": [DONE], "next": None})
    ran = holdfast("slo", "--json", "--admin", pages.url)
    assert json.loads(ran.out) == {"items": [DONE, DONE], "next": None}


@pytest.mark.parametrize(
    ("remaining", "bar"),
    [
        (1.0, "██████████ 100%"),
        (0.001, "█░░░░░░░░░ 0%"),
        (0.0, "░░░░░░░░░░ 0%"),
        (-3.5, "░░░░░░░░░░ -350%"),
        (None, "no data"),
    ],
)
def test_a_bar_is_never_longer_than_it_is(remaining: float | None, bar: str):
    """Empty only where nothing is left; and nothing was counted is no full one."""
    assert bar in rows(with_budget("x", remaining))[1]


def test_what_was_not_looked_at_yet_says_nothing():
    """Not that all is well."""
    item = DONE | {"budget": None, "burn": [], "state": "insufficient_data"}
    assert rows(item)[1] == "task-completion success a task 99.5% insufficient data no data – – – –"


def test_what_good_is_and_how_long_it_lasts():
    """In the units of each."""
    slow = DONE | {"sli": "latency", "per": "call", "threshold": "5s", "objective": 0.99}
    dear = DONE | {"sli": "cost", "threshold": "0.15", "budget": BUDGET | {"exhausts_in": 0}}
    soon = DONE | {"budget": BUDGET | {"exhausts_in": 3_700}, "objective": 0.9999}
    told = rows(slow, dear, soon)
    assert "≤ 5s a call 99% burning" in told[1]
    assert "≤ $0.15 a task" in told[2]
    assert told[2].endswith(" 0")
    assert told[3].endswith(" 1h")
    assert "99.99%" in told[3]


def test_what_follows_is_said_below():
    """While it is in force."""
    acts = {"does": ["notify", "tighten: closed"], "in_force": True}
    told = rows(with_budget("works", -1.0, on_exhausted=acts), DONE)
    assert told[-1] == "works: its budget is used up, and so: notify, tighten: closed"
    assert rows() == ["there is no SLO"]


def test_what_is_no_answer_is_told(holdfast, pages):
    """In one line."""
    pages.put("/v1/slos", {"items": [{"slo": 5}], "next": None})
    ran = holdfast("slo", "--admin", pages.url)
    assert (ran.code, "no admin side" in ran.err) == (1, True)
