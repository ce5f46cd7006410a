"""Reserving: all of it or nothing, after whoever must be asked. Its gates: test_budget.py."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from proxy.attempt import Attempt
from proxy.call import Call
from proxy.counts import REFUSALS, UNRECORDED
from proxy.refusal import Refusal
from proxy.stage import Trackless
from proxy.state.caps import Cap, Limit
from proxy.state.grant import Grant
from proxy.state.ledger import Ledger
from proxy.state.payers import Payers
from proxy.state.price import Price
from proxy.state.promises import TOLD, Promises
from proxy.state.purse import Purse
from proxy.state.reserving import Reserving
from proxy.state.room import Room
from tests.fakes import make_attempt, make_call, make_target

PRICE = Price(100)


class Scene:
    """Two budgets, and a call that falls under both."""

    def __init__(self, on_exceed: str = "reject") -> None:
        self.caps = [
            Cap("agent", "agent", (Limit("day", 1_000),), on_exceed=on_exceed),
            Cap("fleet", "fleet", (Limit("day", 10_000),)),
        ]
        self.ledger = Ledger(lambda: 1_700_000_000.0, lambda: "id")
        self.ledger.obey(self.caps)
        target = make_target()
        payers = Payers([(None, cap) for cap in self.caps], target, self.ledger)
        promises = Promises(self.ledger, Trackless(), UNRECORDED.counts(), denied=False)
        room = Room(payers.alone, self.purse, REFUSALS.counts(), self.ledger)
        self.took: list[Grant] = []
        self.attempt = make_attempt(make_call())
        self.accounts = payers.of(self.attempt.call)
        self.reserving = Reserving(self.ledger, payers, promises, room, self.purse, self.takes)

    def purse(self, call: Call) -> Purse:
        """That of the call."""
        if call.purse is None:
            call.purse = Purse()
        return call.purse

    def takes(self, attempt: Attempt, grant: Grant) -> None:
        """It is reserved."""
        self.took.append(grant)

    def asks(self) -> Any:
        """To reserve its price."""
        return self.reserving.carefully(self.attempt, Grant(self.accounts, 100, PRICE))

    @property
    def reserved(self) -> list[int]:
        """In each."""
        return [account.reserved for account in self.accounts]


class Pods:
    """Others, who are asked."""

    barred = False
    scarce = ""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def lets(self, call: Call, grant: Grant) -> Any:
        """The next answer."""
        return self.answers.pop(0)

    def renew(self, accounts: Any, micros: int) -> None:
        """Nothing comes of it."""


async def later(verdict: Refusal | None = None) -> Refusal | None:
    """In a while."""
    await asyncio.sleep(0)
    return verdict


def test_it_is_reserved_in_all() -> None:
    """And told of in the same step."""
    scene = Scene()
    assert scene.asks() is None
    assert scene.reserved == [100, 100]
    assert len(scene.took) == 1


def test_where_one_has_no_room_nothing_is_reserved() -> None:
    """Be there ever so much in the others."""
    scene = Scene()
    scene.accounts[0].reserve(950)
    assert scene.asks().code == "budget_exceeded"
    assert scene.reserved == [950, 0]
    assert scene.took == []


async def test_other_pods_are_asked_first() -> None:
    """Until they say that it is to be looked at; then all is looked at."""
    scene = Scene()
    scene.ledger.leases = Pods(later(), later(), None)  # type: ignore[assignment]
    asked = scene.asks()
    assert scene.reserved == [0, 0]

    assert await asked is None
    assert scene.reserved == [100, 100]


def test_a_store_that_is_gone_may_say_no() -> None:
    """At once."""
    scene = Scene()
    no = Refusal("store_unavailable", "gone")
    scene.ledger.leases = Pods(no)  # type: ignore[assignment]
    assert scene.asks() is no


async def test_a_person_lets_it_go() -> None:
    """Though there is no room; the next sending of this call need not ask."""
    scene = Scene("approve")
    scene.accounts[0].reserve(950)
    scene.ledger.ask = lambda call, refusal: later()
    asked: Awaitable[Any] = scene.asks()

    assert await asked is None
    assert scene.purse(scene.attempt.call).approved
    assert scene.asks() is None
    assert scene.reserved == [1_150, 200]


async def test_a_call_that_is_over_meanwhile_is_not_let_go() -> None:
    """Nobody would settle it."""
    scene = Scene("approve")
    scene.accounts[0].reserve(950)
    scene.ledger.ask = lambda call, refusal: later()
    asked = scene.asks()
    scene.purse(scene.attempt.call).over = True

    assert await asked is TOLD
    assert scene.reserved == [950, 0]
