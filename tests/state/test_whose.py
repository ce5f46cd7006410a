"""Whose money it is."""

from itertools import count
from typing import Any

import pytest

from proxy.call import Call
from proxy.state import ledger as ledgers
from proxy.state import whose as whoses
from proxy.state.caps import Cap, Limit
from proxy.state.ledger import Ledger
from proxy.state.whose import Whose
from tests.fakes import make_call, make_target

DAY = (Limit("day", 1_000),)


def cap(per: str, **more: Any) -> Cap:
    """One that is called as it counts."""
    return Cap(per, per, DAY, **more)


def books(*caps: Cap) -> Ledger:
    """A ledger under which these are in force."""
    numbers = count()
    made = Ledger(lambda: 0.0, lambda: str(next(numbers)))
    made.obey(caps)
    return made


def keys(whose: Whose, call: Call) -> dict[str, str]:
    """By budget."""
    return {account.cap.name: account.key for account in whose.of(call)}


PER = ("agent", "workflow", "task", "tool", "model", "upstream", "bulkhead", "fleet")


def test_each_is_found_by_what_it_counts_by() -> None:
    """A tool is that of its upstream; who and what for is read of the call."""
    caps = [cap(per) for per in PER]
    call = make_call(
        agent="ann", workflow="w", task="t", model="m", domain="shop", fleet="f", tool="other"
    )
    assert keys(Whose(caps, make_target(), books(*caps)), call) == {
        "agent": "ann", "workflow": "w", "task": "t", "tool": "gateway/search", "model": "m",
        "upstream": "gateway", "bulkhead": "shop", "fleet": "f",
    }  # fmt: skip


def test_a_model_is_the_one_that_is_sent() -> None:
    """Where a policy asks for another one."""
    caps = [cap("model")]
    call = make_call(model="asked")
    assert keys(Whose(caps, make_target(sent_as="cheap"), books(*caps)), call) == {"model": "cheap"}


@pytest.mark.parametrize("name", ["a:b", "x\ny", "é", '"', "\x00", "w" * 256, "other", "none"])
def test_names_are_keys_as_they_are(name: str) -> None:
    """Whatever an agent calls its work: its account is found again, also by its label."""
    caps = [cap("workflow")]
    ledger = books(*caps)
    whose = Whose(caps, make_target(), ledger)
    (account,) = whose.of(make_call(workflow=name))
    assert whose.of(make_call(workflow=name)) == (account,)
    assert account.key == name
    assert ledger._labelled(account.label, 0.0) is account


def test_who_says_nothing_shares_an_account() -> None:
    """Unless the cap must know."""
    caps = [cap("workflow"), cap("task", require=True), cap("tool", require=True)]
    whose = Whose(caps, make_target(tool=""), books(*caps))
    assert [one.per for one in whose.needed] == ["task"]
    assert keys(whose, make_call())["workflow"] == ""
    assert whose.lacks(make_call()) is caps[1]
    assert whose.lacks(make_call(task="t")) is None


def test_looking_opens_no_account() -> None:
    """It tells what is there."""
    caps = [cap("agent"), cap("fleet")]
    ledger = books(*caps)
    whose = Whose(caps, make_target(), ledger)
    call = make_call(agent="ann")
    assert whose.seen(call) == [(caps[0], None), (caps[1], None)]
    assert list(ledger.accounts()) == []
    accounts = whose.of(call)
    assert [account for _, account in whose.seen(call)] == list(accounts)


def test_an_account_that_made_room_is_not_charged_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes again gets the one that the ledger knows."""
    monkeypatch.setattr(ledgers, "MOST_KEYS", 2)
    caps = [cap("agent")]
    ledger = books(*caps)
    whose = Whose(caps, make_target(), ledger)
    (first,) = whose.of(make_call(agent="a"))
    whose.of(make_call(agent="b"))
    whose.of(make_call(agent="c"))
    (again,) = whose.of(make_call(agent="a"))
    assert again is not first
    assert again is ledger.seen(caps[0], "a")


def test_other_pipelines_may_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then what is remembered is looked up again."""
    monkeypatch.setattr(ledgers, "MOST_KEYS", 1)
    caps = [cap("agent")]
    ledger = books(*caps)
    here, there = (Whose(caps, make_target(tool=tool), ledger) for tool in ("here", "there"))
    (first,) = here.of(make_call(agent="a"))
    there.of(make_call(agent="b"))
    (again,) = here.of(make_call(agent="a"))
    assert again is not first
    assert list(ledger.accounts()) == [again]


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent can make up as many as it likes."""
    monkeypatch.setattr(whoses, "_MOST", 2)
    caps = [cap("workflow")]
    whose = Whose(caps, make_target(), books(*caps))
    accounts = {name: whose.of(make_call(workflow=name)) for name in "abcde"}
    assert len(whose._found) <= 2
    assert {name: whose.of(make_call(workflow=name)) for name in "abcde"} == accounts


def test_without_caps_nobody_is_charged() -> None:
    """Nor is anything read of the call."""
    whose = Whose([], make_target(), books())
    assert whose.of(make_call(agent="a")) == ()
    assert whose.of(make_call(agent="b")) == ()
