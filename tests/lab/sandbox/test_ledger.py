"""proxy/lab/sandbox/ledger.py"""

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.ledger import Ledger


class FakeTime:
    """Seconds since 1970, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1_000_020.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def ledger(time: FakeTime) -> Ledger:
    return Ledger(7, time, {"buyer": 100, "seller": 0})


def refused(act: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(GatewayError) as caught:
        act()
    return caught.value.status, caught.value.code


def test_ids_follow_from_the_seed(time: FakeTime) -> None:
    """The same seed gives the same ids, another seed others."""
    first, again, other = (Ledger(seed, time, {"a": 1}) for seed in (1, 1, 2))
    assert first.wallet_of("a").wallet_id == again.wallet_of("a").wallet_id
    assert first.wallet_of("a").wallet_id != other.wallet_of("a").wallet_id


def test_wallets_are_found_by_agent_and_by_id(ledger: Ledger) -> None:
    """Both names lead to the same wallet."""
    wallet = ledger.wallet_of("buyer")
    assert ledger.wallet(wallet.wallet_id) is wallet


def test_what_is_not_there_is_404(ledger: Ledger) -> None:
    """Unknown agents, wallets and escrows are told apart."""
    assert refused(lambda: ledger.wallet_of("x")) == (404, "wallet_not_found")
    assert refused(lambda: ledger.wallet("x")) == (404, "wallet_not_found")
    assert refused(lambda: ledger.escrow("x")) == (404, "escrow_not_found")


def test_one_wallet_an_agent(ledger: Ledger) -> None:
    """A second wallet for an agent is a conflict."""
    assert refused(lambda: ledger.open_wallet("buyer", 5)) == (409, "wallet_exists")
    assert ledger.deposited_micros == 100


def test_a_charge_goes_to_the_counterparty(ledger: Ledger) -> None:
    """Who has a wallet here is paid into it; others are paid out."""
    buyer, seller = ledger.wallet_of("buyer"), ledger.wallet_of("seller")
    ledger.charge(buyer, 30, "seller", None)
    ledger.charge(buyer, 20, "stranger", None)
    ledger.charge(buyer, 10, None, None)
    assert (buyer.balance_micros, seller.balance_micros, ledger.paid_out_micros) == (40, 30, 30)


def test_more_than_the_balance_is_402(ledger: Ledger) -> None:
    """Nobody spends what is not there, and trying changes nothing."""
    buyer = ledger.wallet_of("buyer")
    assert refused(lambda: ledger.charge(buyer, 101, None, None)) == (402, "insufficient_funds")
    assert (buyer.balance_micros, buyer.spent_micros) == (100, 0)


def test_the_budget_can_be_spent_to_the_last_micro(ledger: Ledger) -> None:
    """A budget holds exactly: the whole of it passes, one more does not."""
    buyer = ledger.wallet_of("buyer")
    ledger.set_budget(buyer, 50)
    ledger.charge(buyer, 50, None, None)
    assert refused(lambda: ledger.charge(buyer, 1, None, None)) == (402, "budget_exceeded")


def hold(ledger: Ledger, micros: int = 40, lasts_seconds: int | None = None) -> str:
    buyer, seller = ledger.wallet_of("buyer"), ledger.wallet_of("seller")
    held = ledger.hold(buyer, seller, micros, description=None, lasts_seconds=lasts_seconds)
    return held.escrow_id


def test_a_released_escrow_pays_the_payee(ledger: Ledger) -> None:
    """pending → released moves the held money over."""
    escrow = ledger.escrow(hold(ledger))
    ledger.release(escrow)
    assert escrow.status == "released"
    assert (escrow.payer.held_micros, escrow.payee.balance_micros) == (0, 40)


def test_a_cancelled_escrow_gives_money_and_budget_back(ledger: Ledger) -> None:
    """pending → cancelled leaves the payer as before."""
    buyer = ledger.wallet_of("buyer")
    ledger.set_budget(buyer, 40)
    escrow = ledger.escrow(hold(ledger))
    ledger.cancel(escrow)
    assert (buyer.balance_micros, buyer.held_micros, buyer.spent_micros) == (100, 0, 0)


def test_an_escrow_ends_once(ledger: Ledger) -> None:
    """What was released or cancelled can be neither again."""
    released, cancelled = ledger.escrow(hold(ledger)), ledger.escrow(hold(ledger))
    ledger.release(released)
    ledger.cancel(cancelled)
    for escrow in (released, cancelled):
        for end in (ledger.release, ledger.cancel):
            assert refused(lambda e=escrow, f=end: f(e)) == (409, "escrow_not_pending")  # type: ignore[misc]


def test_an_escrow_expires_when_its_time_has_come(ledger: Ledger, time: FakeTime) -> None:
    """pending → expired, at its second and not before."""
    escrow = ledger.escrow(hold(ledger, lasts_seconds=60))
    statuses = []
    for seconds in (59, 1):
        time.seconds += seconds
        ledger.expire_due()
        statuses.append(escrow.status)
    assert statuses == ["pending", "expired"]
    assert escrow.payer.balance_micros == 100


def test_expiry_leaves_what_has_ended(ledger: Ledger, time: FakeTime) -> None:
    """An escrow that was released in time stays released."""
    escrow = ledger.escrow(hold(ledger, lasts_seconds=60))
    ledger.release(escrow)
    time.seconds += 61
    ledger.expire_due()
    assert escrow.status == "released"


def test_entries_are_numbered_without_gaps(ledger: Ledger) -> None:
    """Audit entries and events each count from 1."""
    sequences = [ledger.note_audit("a", "did", None).sequence for _ in range(3)]
    assert sequences == [1, 2, 3]
    assert ledger.note_event("a", "happened", {}).sequence == 1


def test_calls_are_counted_by_the_minute(ledger: Ledger, time: FakeTime) -> None:
    """The count of an agent starts again with the minute."""
    ledger.note_call("a")
    ledger.note_call("a")
    assert ledger.calls_this_minute("a") == (2, 60 - int(time.seconds % 60))
    time.seconds += 60
    assert ledger.calls_this_minute("a")[0] == 0
    ledger.note_call("a")
    assert ledger.calls_this_minute("a")[0] == 1


agents = st.sampled_from(["a", "b", "c"])
amounts = st.integers(min_value=1, max_value=120)
step = st.one_of(
    st.tuples(st.just("deposit"), agents, agents, amounts),
    st.tuples(st.just("budget"), agents, agents, amounts),
    st.tuples(st.just("charge"), agents, agents, amounts),
    st.tuples(st.just("charge_out"), agents, agents, amounts),
    st.tuples(st.just("hold"), agents, agents, amounts),
    st.tuples(st.just("release"), agents, agents, amounts),
    st.tuples(st.just("cancel"), agents, agents, amounts),
    st.tuples(st.just("time"), agents, agents, amounts),
)


def take(ledger: Ledger, time: FakeTime, one_step: tuple[str, str, str, int]) -> None:
    what, first, second, number = one_step
    one, two = ledger.wallet_of(first), ledger.wallet_of(second)
    held = list(ledger.escrows.values())
    match what:
        case "deposit":
            ledger.deposit(one, number, None)
        case "budget":
            ledger.set_budget(one, number)
        case "charge":
            ledger.charge(one, number, second, None)
        case "charge_out":
            ledger.charge(one, number, None, None)
        case "hold":
            ledger.hold(one, two, number, description=None, lasts_seconds=number)
        case "time":
            time.seconds += number
            ledger.expire_due()
        case _ if held:
            escrow = held[number % len(held)]
            ledger.release(escrow) if what == "release" else ledger.cancel(escrow)


@given(st.lists(step, max_size=60))
def test_money_is_conserved(steps: list[tuple[str, str, str, int]]) -> None:
    """After any sequence: nothing appeared or vanished, nothing is negative, held adds up."""
    time = FakeTime()
    ledger = Ledger(0, time, {"a": 100, "b": 50, "c": 0})
    for each in steps:
        with contextlib.suppress(GatewayError):
            take(ledger, time, each)
        assert ledger.total_micros() == ledger.deposited_micros
        for wallet in ledger.wallets.values():
            assert wallet.balance_micros >= 0
            assert wallet.spent_micros >= 0
            assert wallet.held_micros == sum(
                e.amount_micros
                for e in ledger.escrows.values()
                if e.payer is wallet and e.status == "pending"
            )
