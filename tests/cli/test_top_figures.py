"""proxy/cli/top_figures.py: what the screen shows, reckoned from what the proxy said."""

import msgspec
import pytest

from proxy.cli.top_asked import Seen
from proxy.cli.top_figures import Agent, Kill, Open, Purse, Waiting, figures
from tests.cli.top_scene import (
    AGENT,
    ASKED,
    BUDGET,
    CIRCUIT,
    COUNTS,
    JOURNAL,
    KILL,
    MONEY,
    WINDOW,
    crowd,
    page,
    seen,
    status,
)


def test_ages_are_by_the_clock_of_the_proxy():
    """It says when it began and how long it is up: that of who looks may be wrong."""
    told = seen(kills={"count": 4, "items": [KILL, KILL | {"until": None}]})

    assert told.killed == 4
    assert told.kills[0] == Kill("agent:pay-*", "wrong recipients", "alice", 60.0, 600.0)
    assert told.kills[1].left is None


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, "ready"),
        ({"ready": False}, "not ready"),
        ({"ready": False, "draining": True}, "draining"),
    ],
)
def test_how_it_is_in_a_word(changes, word):
    """Draining says more than not ready."""
    assert seen(**changes).word == word


def test_the_most_frequent_refusals_come_first():
    """By code; the sum of a tool's is in its row."""
    told = seen(
        refused={"b": 2, "a": 2, "c": 9}, together=COUNTS | {"refused": {"b": 2, "a": 2, "c": 9}}
    )

    assert list(told.refused.items()) == [("c", 9), ("a", 2), ("b", 2)]
    assert told.total.refused == 13


def test_circuits_that_opened_last_come_first():
    """With the domain that they are in."""
    old = CIRCUIT | {"key": "bank", "for": 900.0, "bulkhead": "shop"}
    told = figures(Seen(status(), [old, CIRCUIT]))

    assert told.circuits[0] == Open("gateway/pay", 4.0, "consecutive", 6.0)
    assert told.circuits[1].key == "shop:bank"


def test_budgets_are_told_by_what_is_left():
    """The fullest window first; what is reserved is not left, and overrun is not less than none."""
    over = WINDOW | {"window": "rolling", "seconds": 600, "spent": "5.50", "share": 1.1}
    windows = [WINDOW | {"resets_at": None}, over]
    told = seen(money=MONEY | {"fullest": [BUDGET | {"key": None, "windows": windows}]})

    assert told.spent == "4.10"
    assert told.purses == [
        Purse("agent", "agent", "600 s", 1.1, "0.00", "5.00", 3540.0),
        Purse("agent", "agent", "hour", 0.824, "0.88", "5.00", None),
    ]


def test_where_nobody_counts_money_there_is_none():
    """Nor agents, where the proxy tells of none."""
    told = seen()

    assert (told.spent, told.purses, told.agents, told.waiting) == (None, [], None, None)


def test_agents_have_rates_once_they_were_seen_twice():
    """The busiest first; one that is new called all its calls since."""
    before = crowd(100.0, AGENT)
    now = crowd(105.0, AGENT | {"calls": 20}, AGENT | {"id": "new", "calls": 15, "in_flight": 0})
    told = figures(Seen(status(money=MONEY), crowd=now, earlier=before))

    assert told.agents == [
        Agent("new", False, 0, 3.0, 3, 5.0, None),
        Agent("a-1", False, 2, 2.0, 3, 5.0, "4.10"),
    ]


def test_agents_that_were_seen_once_have_no_rate():
    """Who calls now comes before who called last, and that before who never did."""
    never = AGENT | {"id": "never", "last_seen": None, "in_flight": 0}
    idle = AGENT | {"id": "idle", "in_flight": 0}
    agents = figures(Seen(status(), crowd=crowd(5.0, never, idle, AGENT))).agents or []

    assert [(agent.name, agent.per_second) for agent in agents] == [
        ("a-1", None),
        ("idle", None),
        ("never", None),
    ]


def test_a_proxy_that_was_started_again_counts_from_nothing():
    """No rate is negative."""
    before, now = crowd(100.0, AGENT | {"calls": 90}), crowd(102.0, AGENT)
    (agent,) = figures(Seen(status(), crowd=now, earlier=before)).agents or []

    assert agent.per_second == 5.0


def test_agents_that_share_a_row_have_no_bill():
    """Their row is not that of whom nobody knew."""
    money = MONEY | {"agents": [{"agent": "", "spent": "1.00"}]}
    others = AGENT | {"id": None, "others": True, "in_flight": 0}
    unknown = AGENT | {"id": None}
    agents = figures(Seen(status(money=money), crowd=crowd(1.0, others, unknown))).agents or []

    assert [(agent.others, agent.spent) for agent in agents] == [(False, "1.00"), (True, None)]


def test_without_a_list_of_agents_those_that_spent_are_known():
    """By what they spent."""
    told = figures(Seen(status(money=MONEY)))

    assert told.agents == [Agent("a-1", False, 0, None, 0, None, "4.10")]


def test_what_waits_for_people():
    """How many, and which the longest."""
    young = ASKED | {"asked": "2026-11-28T03:00:59.000Z", "tool": "x"}
    told = figures(Seen(status(), approvals=page(young, ASKED, more="c"))).waiting

    assert told == Waiting(2, True, 120.0, "pay", "a-1")
    assert figures(Seen(status(), approvals=page())).waiting == Waiting(0, False, None)


def test_what_went_wrong_in_the_house():
    """The journal, if it is open, and the last reload."""
    policies = status()["policies"] | {"rejected": {"at": "x", "why": "p.yaml:1: no"}}
    told = seen(journal=JOURNAL | {"ok": False, "state": "full", "held": 4}, policies=policies)

    assert told.journal is not None
    assert (told.journal.state, told.journal.held, told.rejected) == ("full", 4, "p.yaml:1: no")
    assert seen(journal=None).journal is None


def test_it_can_be_told_as_json():
    """All of it."""
    told = msgspec.to_builtins(seen(money=MONEY))

    assert told["tools"][0]["tool"] == "pay"
    assert msgspec.json.encode(told)
