"""proxy/lab/sandbox/desk.py"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.lab.sandbox.calls import Calls
from proxy.lab.sandbox.desk import Answer, Desk
from proxy.lab.sandbox.envelope import Asked
from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.ledger import Ledger

DEPOSIT = {"agent_id": "a", "amount": 5}


class Counter:
    """A desk with its ledger and calls, and short words to call it."""

    def __init__(self) -> None:
        self.ledger = Ledger(0, lambda: 1_000_000.0, {"a": 0, "b": 5_000_000})
        self.calls = Calls(lambda: 0.0)
        self.desk = Desk(self.ledger, self.calls)

    def ask(
        self, tool: str, given: dict[str, object], key: str | None = None, *, twice: bool = False
    ) -> Answer:
        received = self.calls.came("/", {})
        self.calls.understood(received, tool, key)
        answer = self.desk.answer_twice if twice else self.desk.answer
        return answer(Asked(tool, given, key), received)

    def balance(self) -> int:
        return self.ledger.wallet_of("a").balance_micros


@pytest.fixture
def counter() -> Counter:
    return Counter()


def test_a_call_without_key_runs_each_time(counter: Counter) -> None:
    """Two equal calls are two calls."""
    assert [counter.ask("deposit", {**DEPOSIT}).status for _ in "12"] == [200, 200]
    assert counter.balance() == 10_000_000


def test_a_call_with_key_runs_once(counter: Counter) -> None:
    """The repeat gets the same body, and a header that says it is one."""
    first, again = (counter.ask("deposit", {**DEPOSIT}, "k") for _ in "12")
    assert first.encoded() == again.encoded()
    assert (first.headers, again.headers) == ({}, {"idempotency-replayed": "true"})
    assert [call.replayed for call in counter.calls.last] == [False, True]
    assert counter.calls.executed["deposit"] == 1


def test_a_key_for_another_request_is_422(counter: Counter) -> None:
    """A key cannot be used for something else."""
    counter.ask("deposit", {**DEPOSIT}, "k")
    assert counter.ask("deposit", {**DEPOSIT, "amount": 6}, "k").status == 422


def test_a_refused_call_leaves_its_key_free(counter: Counter) -> None:
    """A call that was turned down changed nothing, and can be tried again with its key."""
    payment = {"agent_id": "a", "amount": 1}
    assert counter.ask("record_transaction", {**payment}, "k").status == 402
    assert counter.calls.executed["record_transaction"] == 0
    counter.ask("deposit", {**DEPOSIT})
    assert counter.ask("record_transaction", {**payment}, "k").status == 200


@pytest.mark.parametrize("key", [None, "k"])
def test_twice_doubles_the_effect(counter: Counter, key: str | None) -> None:
    """The answer is that of the first run; both runs are counted."""
    answer = counter.ask("deposit", {**DEPOSIT}, key, twice=True)
    assert b'"balance": "5.00"' in answer.encoded()
    assert (counter.balance(), counter.calls.executed["deposit"]) == (10_000_000, 2)


def test_twice_of_what_can_happen_once_is_answered(counter: Counter) -> None:
    """Where the second run is refused, the first one's answer stands."""
    assert counter.ask("create_wallet", {"agent_id": "new"}, twice=True).status == 200


def test_a_held_key_keeps_twins_out(counter: Counter) -> None:
    """While a call waits with its key, its twin gets 409; without key nothing is held."""
    with counter.desk.held(Asked("deposit", {**DEPOSIT}, "k")):
        assert counter.ask("deposit", {**DEPOSIT}, "k").status == 409
        with pytest.raises(GatewayError), counter.desk.held(Asked("deposit", {}, "k")):
            pass
    with counter.desk.held(Asked("deposit", {**DEPOSIT}, None)):
        assert counter.ask("deposit", {**DEPOSIT}).status == 200


amount = st.sampled_from(["0.000001", 7, "100", -1, "much"])
agent = st.sampled_from(["a", "b", "nobody"])
money_call = st.one_of(
    st.tuples(
        st.sampled_from(["deposit", "record_transaction", "set_budget"]),
        st.fixed_dictionaries({"agent_id": agent, "amount": amount, "counterparty_id": agent}),
    ),
    st.tuples(
        st.just("create_escrow"),
        st.fixed_dictionaries({"payer_id": agent, "payee_id": agent, "amount": amount}),
    ),
    st.tuples(
        st.sampled_from(["release_escrow", "cancel_escrow"]),
        st.fixed_dictionaries({"number": st.integers(0, 3)}),
    ),
)
keys = st.sampled_from([None, None, "k1", "k2"])


@given(st.lists(st.tuples(money_call, keys, st.booleans()), max_size=40))
def test_money_is_conserved(
    asked: list[tuple[tuple[str, dict[str, object]], str | None, bool]],
) -> None:
    """Whatever is asked, repeated or doubled: what was deposited is still all there."""
    counter = Counter()
    for (tool, fields), key, twice in asked:
        answer = counter.ask(tool, with_escrow(counter, fields), key, twice=twice)
        assert answer.status in {200, 400, 402, 404, 409, 422}
        assert counter.ledger.total_micros() == counter.ledger.deposited_micros


def with_escrow(counter: Counter, fields: dict[str, object]) -> dict[str, object]:
    """A `number` stands for one of the escrows there are, or for none."""
    if "number" not in fields:
        return fields
    escrows = [*counter.ledger.escrows, "esc_none"]
    return {"escrow_id": escrows[int(str(fields["number"])) % len(escrows)]}
