"""proxy/lab/sandbox/tools.py"""

from decimal import Decimal
from typing import Any

import pytest

from proxy.lab.sandbox.catalogue import OPENING_BALANCES
from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.ledger import Ledger
from proxy.lab.sandbox.tools import TOOLS, run


class FakeTime:
    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def ledger(time: FakeTime) -> Ledger:
    return Ledger(0, time, OPENING_BALANCES)


def refused(ledger: Ledger, tool: str, /, **given: object) -> tuple[int, str]:
    with pytest.raises(GatewayError) as caught:
        run(ledger, tool, given)
    return caught.value.status, caught.value.code


def escrow(ledger: Ledger, **more: object) -> str:
    given = {"payer_agent_id": "local-agent", "payee_agent_id": "seller-01", "amount": 10} | more
    return str(run(ledger, "create_escrow", given)["escrow_id"])


def test_the_tools_are_those_of_the_first_slice() -> None:
    """Exactly the tools that were promised can be called."""
    assert set(TOOLS) == {
        "get_balance", "deposit", "create_wallet", "create_escrow", "release_escrow",
        "cancel_escrow", "list_escrows", "set_budget", "record_transaction",
        "create_audit_trail", "publish_event", "estimate_cost", "search_services",
        "check_rate_limit", "submit_metrics",
    }  # fmt: skip


def test_an_unknown_tool_is_404(ledger: Ledger) -> None:
    """A tool that is not there is said to be unknown."""
    assert refused(ledger, "mint_money") == (404, "unknown_tool")


def test_balance_by_agent_and_by_wallet(ledger: Ledger) -> None:
    """get_balance takes an agent or a wallet, and shows money as text and micros."""
    found = run(ledger, "get_balance", {"agent_id": "local-agent"})
    assert (found["balance"], found["balance_micros"]) == ("1000.00", 1_000_000_000)
    assert run(ledger, "get_balance", {"wallet_id": found["wallet_id"]}) == found


def test_a_wallet_begins_with_its_initial_balance(ledger: Ledger) -> None:
    """create_wallet opens it with what was given, or nothing."""
    assert run(ledger, "create_wallet", {"agent_id": "a"})["balance"] == "0.00"
    given = {"agent_id": "b", "initial_balance": Decimal("2.5"), "currency": "USD"}
    assert run(ledger, "create_wallet", given)["balance_micros"] == 2_500_000


def test_a_deposit_is_added(ledger: Ledger) -> None:
    """deposit says what came in and what there is now."""
    done = run(ledger, "deposit", {"agent_id": "seller-01", "amount": "12.50"})
    assert (done["amount_micros"], done["balance"]) == (12_500_000, "12.50")
    assert str(done["transaction_id"]).startswith("txn_")


def test_spending_past_the_budget_is_402(ledger: Ledger) -> None:
    """set_budget caps payments and escrows alike, and shows what is left."""
    run(ledger, "set_budget", {"agent_id": "local-agent", "limit": 15})
    escrow(ledger, amount=10)
    over = {"agent_id": "local-agent", "amount": "5.000001"}
    assert refused(ledger, "record_transaction", **over) == (402, "budget_exceeded")
    budget = run(ledger, "get_balance", {"agent_id": "local-agent"})["budget"]
    assert budget == {
        "limit": "15.00", "limit_micros": 15_000_000, "spent": "10.00",
        "spent_micros": 10_000_000, "remaining": "5.00", "remaining_micros": 5_000_000,
    }  # fmt: skip


def test_a_transaction_pays_the_counterparty(ledger: Ledger) -> None:
    """record_transaction moves money to the counterparty's wallet."""
    given = {"agent_id": "local-agent", "amount": 3, "counterparty_id": "seller-01"}
    done = run(ledger, "record_transaction", given)
    assert (done["amount"], done["balance"]) == ("3.00", "997.00")
    assert run(ledger, "get_balance", {"agent_id": "seller-01"})["balance"] == "3.00"


@pytest.mark.parametrize(("tool", "status"), [
    ("release_escrow", "released"), ("cancel_escrow", "cancelled"),
])  # fmt: skip
def test_an_escrow_ends(ledger: Ledger, tool: str, status: str) -> None:
    """release_escrow and cancel_escrow end what create_escrow began, once."""
    escrow_id = escrow(ledger)
    assert run(ledger, tool, {"escrow_id": escrow_id})["status"] == status
    assert refused(ledger, tool, escrow_id=escrow_id) == (409, "escrow_not_pending")


def test_an_escrow_that_nobody_ended_expires(ledger: Ledger, time: FakeTime) -> None:
    """After expires_in seconds the money is back and a release comes too late."""
    escrow_id = escrow(ledger, expires_in=30)
    time.seconds += 30
    assert refused(ledger, "release_escrow", escrow_id=escrow_id) == (409, "escrow_not_pending")
    assert run(ledger, "get_balance", {"agent_id": "local-agent"})["balance"] == "1000.00"
    listed = run(ledger, "list_escrows", {"status": "expired"})
    assert listed["total"] == 1


def test_other_names_for_the_parties_work(ledger: Ledger) -> None:
    """payer_id and agent_id, payee_id and counterparty_id mean the same."""
    given = {"agent_id": "local-agent", "counterparty_id": "seller-01", "amount": "1"}
    done = run(ledger, "create_escrow", given)
    assert (done["payer_agent_id"], done["payee_agent_id"]) == ("local-agent", "seller-01")


def test_escrows_are_listed_by_party_and_status(ledger: Ledger) -> None:
    """list_escrows filters, counts all, and gives a page."""
    first, second, third = escrow(ledger), escrow(ledger), escrow(ledger)
    run(ledger, "cancel_escrow", {"escrow_id": second})
    listed = run(ledger, "list_escrows", {"agent_id": "seller-01", "status": "pending"})
    assert [e["escrow_id"] for e in listed["escrows"]] == [first, third]  # type: ignore[attr-defined]
    assert run(ledger, "list_escrows", {"agent_id": "pricing-01"})["total"] == 0
    page = run(ledger, "list_escrows", {"limit": 1, "offset": 1})
    assert [e["escrow_id"] for e in page["escrows"]] == [second]  # type: ignore[attr-defined]
    assert page["total"] == 3


def test_what_is_written_down_is_kept(ledger: Ledger) -> None:
    """Audit entries and events keep what came with them."""
    run(ledger, "create_audit_trail", {"agent_id": "a", "action": "paid", "details": {"n": 1}})
    run(ledger, "publish_event", {"agent_id": "a", "event_type": "paid", "payload": [1]})
    assert [(e.subject, e.content) for e in ledger.audit] == [("paid", {"n": 1})]
    assert [(e.subject, e.content) for e in ledger.events] == [("paid", [1])]


def test_costs_are_multiplied(ledger: Ledger) -> None:
    """estimate_cost quotes a tool times a quantity, without charging."""
    quote = run(ledger, "estimate_cost", {"tool": "create_escrow", "quantity": 3})
    assert (quote["unit_cost"], quote["cost_micros"]) == ("0.05", 150_000)
    assert refused(ledger, "estimate_cost", tool="x") == (404, "unknown_tool")


def test_services_are_found_by_words_category_and_price(ledger: Ledger) -> None:
    """search_services needs all words, and obeys the other filters."""

    def found(**given: object) -> list[str]:
        listed = run(ledger, "search_services", given)["services"]
        return [service["service_id"] for service in listed]  # type: ignore[attr-defined]

    assert found(query="Invoices totals") == ["svc_invoice"]
    assert found(category="finance", max_price="0.01") == ["svc_fx"]
    assert len(found(limit=2)) == 2
    assert found(query="nothing like it") == []


def test_the_rate_limit_report_counts_calls(ledger: Ledger) -> None:
    """check_rate_limit counts the agent's calls of this minute, itself included."""
    run(ledger, "get_balance", {"agent_id": "local-agent"})
    report = run(ledger, "check_rate_limit", {"agent_id": "local-agent"})
    assert (report["used"], report["remaining"], report["allowed"]) == (2, 598, True)


@pytest.mark.parametrize(("tool", "given"), [
    ("get_balance", {}),
    ("deposit", {"agent_id": "local-agent", "amount": 0}),
    ("deposit", {"agent_id": "local-agent", "amount": 1, "currency": "EUR"}),
    ("create_wallet", {"agent_id": 7}),
    ("create_escrow", {"payer_agent_id": "local-agent", "payee_agent_id": "local-agent",
                       "amount": 1}),
    ("create_escrow", {"payer_agent_id": "local-agent", "payee_agent_id": "seller-01",
                       "amount": 1, "expires_in": 0}),
    ("record_transaction", {"agent_id": "local-agent", "amount": 1,
                            "counterparty_id": "local-agent"}),
    ("list_escrows", {"status": "lost"}),
    ("release_escrow", {}),
])  # fmt: skip
def test_wrong_input_is_400(ledger: Ledger, tool: str, given: dict[str, object]) -> None:
    """What is missing or makes no sense is refused, and changes nothing."""
    assert refused(ledger, tool, **given) == (400, "invalid_input")
    assert ledger.total_micros() == sum(OPENING_BALANCES.values())


def test_tools_read_time_in_utc(ledger: Ledger) -> None:
    """Times are RFC 3339 with an offset."""
    done = run(ledger, "publish_event", {"agent_id": "a", "event_type": "x"})
    assert done["created_at"] == "2023-11-14T22:13:20.000+00:00"


def test_a_budget_is_taken_away(ledger: Ledger) -> None:
    """By null, which is not the same as nothing."""
    run(ledger, "set_budget", {"agent_id": "local-agent", "limit": 0})
    assert refused(ledger, "set_budget", agent_id="local-agent")[0] == 400

    found = run(ledger, "set_budget", {"agent_id": "local-agent", "limit": None})

    assert found["budget"] is None


def test_an_escrow_shows_what_was_said_of_it(ledger: Ledger) -> None:
    """Its metadata, as it came."""
    escrow(ledger, metadata={"workflow_id": "w-1"})

    found: Any = run(ledger, "list_escrows", {"status": "pending"})

    assert found["escrows"][0]["metadata"] == {"workflow_id": "w-1"}


def test_metrics_are_kept(ledger: Ledger) -> None:
    """As they came; they are an object."""
    told = {"agent_id": "local-agent", "metrics": {"calls": 3}, "period": "a minute"}

    assert run(ledger, "submit_metrics", told)["sequence"] == 1

    assert ledger.metrics[0].content == {"metrics": {"calls": 3}, "period": "a minute"}
    assert refused(ledger, "submit_metrics", agent_id="a", metrics=3)[0] == 400
