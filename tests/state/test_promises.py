"""What the journal promises of accounts."""

import asyncio
from collections.abc import Sequence
from itertools import count

import pytest

from proxy.counts import UNRECORDED
from proxy.refusal import Refusal
from proxy.state.account import Account
from proxy.state.caps import Cap, Limit
from proxy.state.ledger import Ledger
from proxy.state.promises import UNPROMISED, Promises
from proxy.state.told_of_money import Lease
from tests.fakes import FakeTrail, make_call

CAP = Cap("cap", "agent", (Limit("day", 10_000),))


class Scene:
    """A ledger whose leases are noted in a trail that has not written them."""

    def __init__(self, kind: str = "ok", *, denied: bool = False, trail: FakeTrail | None = None):
        self.trail = trail or FakeTrail(kind)
        numbers = count()
        self.ledger = Ledger(lambda: 0.0, lambda: f"u{next(numbers)}")
        self.ledger.obey((CAP,))
        self.leases: list[Lease] = []
        self.ledger.note = self.leases.append
        self.missed = UNRECORDED.counts()
        self.promises = Promises(self.ledger, self.trail, self.missed, denied=denied)
        self.account: Account = self.ledger.account(CAP, "k")
        self.account.enter(0.0)


async def test_it_is_promised_when_the_journal_has_it() -> None:
    """A hundredth of the limit more than was asked for."""
    scene = Scene()
    made = scene.promises.make([scene.account], 500)
    assert not isinstance(made, Refusal)
    assert made is not None
    waits = asyncio.ensure_future(made)
    await asyncio.sleep(0)
    assert scene.account.promised == 0
    await scene.trail.says(True)
    assert await waits is None
    assert [(lease.budget, lease.key, lease.high) for lease in scene.leases] == [("cap", "k", 600)]
    assert scene.account.promised == 600


@pytest.mark.parametrize("denied", [False, True])
async def test_a_journal_that_fails_meanwhile(denied: bool) -> None:
    """The call is refused; or it goes, and is counted."""
    scene = Scene(denied=denied)
    made = scene.promises.make([scene.account], 500)
    assert not isinstance(made, Refusal)
    assert made is not None
    waits = asyncio.ensure_future(made)
    await asyncio.sleep(0)
    await scene.trail.says(False)
    assert await waits is (UNPROMISED if denied else None)
    assert scene.account.promised == (0 if denied else 600)
    assert scene.missed.rows == ({} if denied else {("lease",): 1})


@pytest.mark.parametrize("denied", [False, True])
async def test_a_journal_that_cannot_be_written(denied: bool) -> None:
    """Nobody waits for it."""
    scene = Scene("failed", denied=denied)
    assert scene.promises.make([scene.account], 500) is (UNPROMISED if denied else None)
    assert scene.account.promised == (0 if denied else 600)


@pytest.mark.parametrize("kept", [True, False])
async def test_it_is_renewed_ahead_of_time(kept: bool) -> None:
    """Once; and asked for again if it failed."""
    scene = Scene()
    account = scene.account
    account.ask(500)
    account.promise(600)
    account.reserve(500)
    scene.promises.renew([account], 10)
    assert scene.leases == []  # there is enough
    scene.promises.renew([account], 90)
    scene.promises.renew([account], 90)
    assert len(scene.leases) == 1
    await scene.trail.says(kept)
    assert account.promised == (690 if kept else 600)
    assert account.asked == account.promised


async def test_a_promise_that_nobody_will_hear_of_is_asked_for_again() -> None:
    """The process ends while it is written."""
    scene = Scene()
    durable: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    scene.trail.durable = lambda: durable  # type: ignore[method-assign,assignment]  # of a test
    scene.account.total = 1
    scene.promises.heed(scene.account, make_call())
    durable.cancel()
    await asyncio.sleep(0)
    assert (scene.account.promised, scene.account.asked) == (0, 0)


async def test_what_was_dearer_makes_the_end_of_its_answer_wait() -> None:
    """Unless it waits for something already."""
    scene = Scene()
    scene.account.total = 700
    call = make_call()
    scene.promises.heed(scene.account, call)
    assert call.lasting == scene.trail.durable
    other = make_call(lasting=lambda: None)
    before = other.lasting
    scene.promises.heed(scene.account, other)
    assert other.lasting is before
    await scene.trail.says(True)
    assert scene.account.promised >= 700


async def test_without_a_journal_all_is_promised_at_once() -> None:
    """There is nothing that a crash could lose."""
    scene = Scene()
    scene.trail.durable = lambda: None  # type: ignore[method-assign,assignment,return-value]  # of a test
    assert scene.promises.make([scene.account], 500) is None
    assert scene.account.promised == 600
    scene.account.reserve(590)
    scene.promises.renew([scene.account], 10)
    assert scene.account.promised == 700


async def test_a_body_that_flows_within_what_is_promised_asks_for_nothing() -> None:
    """Only of accounts that need more."""
    scene = Scene()
    other = scene.ledger.account(CAP, "other")
    other.promise(10_000)
    scene.account.reserve(5)
    scene.promises.follow([other, scene.account])
    assert [lease.key for lease in scene.leases] == ["k"]


async def test_a_shadow_does_not_stand_in_the_way_of_who_must_wait() -> None:
    """It has no journal; what the call itself owes is waited for all the same."""
    shadow, scene = Scene(), Scene()
    shadow.trail.durable = lambda: None  # type: ignore[method-assign,assignment,return-value]  # of a test
    call = make_call()
    for each in (shadow, scene):
        each.account.total = 700
        each.promises.heed(each.account, call)
    assert (shadow.account.promised, call.lasting) == (800, scene.trail.durable)


async def test_a_body_that_outgrows_what_is_asked_for_asks_again() -> None:
    """It does not wait for the answer to what was asked before: its call may never end."""
    scene = Scene()
    scene.account.reserve(5)
    scene.promises.follow([scene.account])
    scene.account.reserve(5_000)
    scene.promises.follow([scene.account])
    assert [lease.high for lease in scene.leases] == [105, 5_105]
    await scene.trail.says(True)
    assert scene.account.promised == 5_105


async def test_shares_of_pods_are_renewed_with_promises() -> None:
    """Where limits are shared: for the next calls, and for a body that flows."""
    scene = Scene()
    asked: list[int] = []

    class Pods:
        barred = False

        def renew(self, accounts: Sequence[Account], micros: int) -> None:
            asked.append(micros)

    scene.ledger.leases = Pods()  # type: ignore[assignment]  # no more is asked of it here
    scene.promises.renew([scene.account], 70)
    scene.promises.follow([scene.account])

    assert asked == [70, 0]
