"""proxy/cli/top_figures.py: what the screen shows, reckoned from what the proxy said."""

import msgspec
import pytest

from proxy.cli.top_figures import Agent, Alert, Kill, Open, Purse, Waiting
from tests.cli.top_scene import (
    AGENT,
    ALERT,
    ASKED,
    BUDGET,
    CIRCUIT,
    COUNTS,
    JOURNAL,
    KILL,
    MONEY,
    WINDOW,
    listed,
    seen,
    status,
    waiting,
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


def test_circuits_are_told_with_the_domain_that_they_are_in():
    """In the order of the proxy, with how many there are."""
    old = CIRCUIT | {"key": "bank", "for": 900.0, "bulkhead": "shop"}
    told = seen(open=listed(CIRCUIT, old, count=30))

    assert told.opened == 30
    assert told.circuits[0] == Open("gateway/pay", 4.0, "consecutive", 6.0)
    assert told.circuits[1].key == "shop:bank"


def test_budgets_are_told_by_what_is_left():
    """The fullest window first."""
    over = WINDOW | {"window": "rolling", "seconds": 600, "left": "0.00", "share": 1.1}
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

    assert (told.spent, told.purses, told.agents, told.waiting) == (None, [], [], Waiting(0))


def test_agents_are_those_that_the_proxy_tells_of():
    """In its order, with what each spent; others share a row and have no bill."""
    rest = AGENT | {"id": None, "others": True, "last_seen": None}
    told = seen(agents=listed(AGENT | {"spent": "4.10"}, rest))

    assert told.agents == [
        Agent("a-1", False, 2, 2.0, 3, 5.0, "4.10"),
        Agent(None, True, 2, 2.0, 3, None, None),
    ]


def test_alerts_that_fire_are_told():
    """With who sees to them."""
    told = seen(alerts={"firing": 7, "items": [ALERT | {"acknowledged_by": "bob"}]})

    assert told.firing == 7
    assert told.alerts == [Alert("page", "SloBurn", "works: 4 of 29 bad in 6h", 30.0, "bob")]


def test_what_waits_for_people():
    """How many, and which the longest."""
    assert seen(waiting=waiting(ASKED, count=2)).waiting == Waiting(2, 120.0, "pay", "a-1")
    assert seen().waiting == Waiting(0)


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


@pytest.mark.parametrize(
    ("store", "lacks"),
    [
        (None, None),
        ({"ok": True, "why": None, "grants": True}, None),
        ({"ok": True, "why": "it gathers", "grants": False}, "it gathers"),
        ({"ok": False, "why": None, "grants": False}, "it grants nothing"),
    ],
)
def test_a_store_that_grants_nothing_is_told(store, lacks):
    """Whether it does not answer, or not yet give anything; one that grants is well."""
    assert seen(store=store).store_lacks == lacks
