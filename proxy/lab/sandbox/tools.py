"""The tools: plain functions from the ledger and an input to a result.

Each returns the JSON object that the answer carries as `result`, or raises GatewayError. Amounts
are given as a JSON number or a decimal string of US dollars, and come back both as decimal text
and as whole `…_micros`. Times are RFC 3339 in UTC.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from proxy.lab.sandbox.catalogue import OFFERS, PRICES
from proxy.lab.sandbox.errors import GatewayError, invalid
from proxy.lab.sandbox.fields import Fields
from proxy.lab.sandbox.ledger import CALLS_PER_MINUTE, ESCROW_STATUSES, Escrow, Ledger, Wallet
from proxy.lab.sandbox.money import shown

Result = dict[str, object]
Item = TypeVar("Item")
Tool = Callable[[Ledger, Fields], Result]

LONGEST_HOLD_SECONDS = 366 * 86400
_PAYER = ("payer_agent_id", "payer_id", "payer", "agent_id")
_PAYEE = ("payee_agent_id", "payee_id", "payee", "counterparty_id")


def run(ledger: Ledger, tool: str, given: Mapping[str, object]) -> Result:
    """Run one tool; 404 when there is none of this name."""
    if tool not in TOOLS:
        raise GatewayError(404, "unknown_tool", f"there is no tool {tool!r}")
    ledger.expire_due()
    agent_id = given.get("agent_id")
    if isinstance(agent_id, str):
        ledger.note_call(agent_id)
    return TOOLS[tool](ledger, Fields(given))


def get_balance(ledger: Ledger, fields: Fields) -> Result:
    """`agent_id` or `wallet_id`."""
    return _shown_wallet(_wallet(ledger, fields))


def create_wallet(ledger: Ledger, fields: Fields) -> Result:
    """`agent_id`, `initial_balance` (0)."""
    _check_currency(fields)
    agent_id = fields.text("agent_id")
    micros = fields.optional_amount("initial_balance") or 0
    return _shown_wallet(ledger.open_wallet(agent_id, micros))


def deposit(ledger: Ledger, fields: Fields) -> Result:
    """`agent_id` or `wallet_id`, `amount`, `description`."""
    _check_currency(fields)
    wallet = _wallet(ledger, fields)
    micros = fields.amount("amount")
    booked = ledger.deposit(wallet, micros, fields.optional_text("description"))
    return {
        "transaction_id": booked.transaction_id,
        **shown("amount", micros),
        **_shown_wallet(wallet),
    }


def set_budget(ledger: Ledger, fields: Fields) -> Result:
    """`agent_id` or `wallet_id`, `limit` (also: `amount`, `budget`; null: none from now on)."""
    _check_currency(fields)
    wallet = _wallet(ledger, fields)
    names = ("limit", "amount", "budget")
    none = fields.is_null(*names)
    ledger.set_budget(wallet, None if none else fields.amount(*names, least_micros=0))
    return _shown_wallet(wallet)


def record_transaction(ledger: Ledger, fields: Fields) -> Result:
    """`agent_id` or `wallet_id`, `amount`, `counterparty_id`, `description`: a payment.

    402 when it would pass the budget or the balance.
    """
    _check_currency(fields)
    wallet = _wallet(ledger, fields)
    micros = fields.amount("amount")
    counterparty_id = fields.optional_text("counterparty_id", "counterparty", "to_agent_id")
    if counterparty_id == wallet.agent_id:
        raise invalid("counterparty_id", "must not be the payer")
    description = fields.optional_text("description")
    booked = ledger.charge(wallet, micros, counterparty_id, description)
    return {
        "transaction_id": booked.transaction_id,
        "counterparty_id": counterparty_id,
        "created_at": _shown_time(booked.created_at),
        **shown("amount", micros),
        **_shown_wallet(wallet),
    }


def create_escrow(ledger: Ledger, fields: Fields) -> Result:
    """`payer_agent_id`, `payee_agent_id`, `amount`, `description`, `expires_in` (seconds),
    `metadata` (any JSON, shown with it).

    402 when it would pass the budget or the balance. Without `expires_in` it never expires.
    """
    _check_currency(fields)
    payer = ledger.wallet_of(fields.text(*_PAYER))
    payee = ledger.wallet_of(fields.text(*_PAYEE))
    if payer is payee:
        raise invalid(_PAYEE[0], "must not be the payer")
    escrow = ledger.hold(
        payer,
        payee,
        fields.amount("amount"),
        description=fields.optional_text("description"),
        lasts_seconds=fields.whole("expires_in", least=1, most=LONGEST_HOLD_SECONDS),
        metadata=fields.anything("metadata"),
    )
    return _shown_escrow(escrow)


def release_escrow(ledger: Ledger, fields: Fields) -> Result:
    """`escrow_id`."""
    escrow = ledger.escrow(fields.text("escrow_id"))
    ledger.release(escrow)
    return _shown_escrow(escrow)


def cancel_escrow(ledger: Ledger, fields: Fields) -> Result:
    """`escrow_id`."""
    escrow = ledger.escrow(fields.text("escrow_id"))
    ledger.cancel(escrow)
    return _shown_escrow(escrow)


def list_escrows(ledger: Ledger, fields: Fields) -> Result:
    """`agent_id` (as payer or payee), `status`, `limit` (50), `offset` (0); oldest first."""
    agent_id = fields.optional_text("agent_id")
    status = fields.choice("status", ESCROW_STATUSES)
    found = [
        escrow
        for escrow in ledger.escrows.values()
        if agent_id in (None, escrow.payer.agent_id, escrow.payee.agent_id)
        and status in (None, escrow.status)
    ]
    return {"escrows": [_shown_escrow(e) for e in _page(found, fields)], "total": len(found)}


def create_audit_trail(ledger: Ledger, fields: Fields) -> Result:
    """`agent_id`, `action`, `details` (any JSON)."""
    entry = ledger.note_audit(
        fields.text("agent_id"), fields.text("action"), fields.anything("details", "metadata")
    )
    return {
        "audit_id": entry.entry_id,
        "sequence": entry.sequence,
        "agent_id": entry.agent_id,
        "action": entry.subject,
        "created_at": _shown_time(entry.created_at),
    }


def publish_event(ledger: Ledger, fields: Fields) -> Result:
    """`agent_id`, `event_type`, `payload` (any JSON)."""
    entry = ledger.note_event(
        fields.text("agent_id", "source"),
        fields.text("event_type", "type"),
        fields.anything("payload", "data"),
    )
    return {
        "event_id": entry.entry_id,
        "sequence": entry.sequence,
        "agent_id": entry.agent_id,
        "event_type": entry.subject,
        "created_at": _shown_time(entry.created_at),
    }


def submit_metrics(ledger: Ledger, fields: Fields) -> Result:
    """`agent_id`, `metrics` (an object), `period` (any JSON)."""
    metrics = fields.anything("metrics")
    if not isinstance(metrics, Mapping):
        raise invalid("metrics", "must be an object")
    told = {"metrics": metrics, "period": fields.anything("period")}
    entry = ledger.note_metrics(fields.text("agent_id"), told)
    return {
        "metrics_id": entry.entry_id,
        "sequence": entry.sequence,
        "agent_id": entry.agent_id,
        "created_at": _shown_time(entry.created_at),
    }


def estimate_cost(_ledger: Ledger, fields: Fields) -> Result:
    """`tool`, `quantity` (1): what that many calls would cost."""
    tool = fields.text("tool", "tool_name")
    if tool not in PRICES:
        raise GatewayError(404, "unknown_tool", f"there is no tool {tool!r}")
    quantity = fields.whole("quantity", "calls", least=1, most=1_000_000) or 1
    return {
        "tool": tool,
        "quantity": quantity,
        "currency": "USD",
        **shown("unit_cost", PRICES[tool]),
        **shown("cost", PRICES[tool] * quantity),
    }


def search_services(_ledger: Ledger, fields: Fields) -> Result:
    """`query` (words, all of which must occur), `category`, `max_price`, `limit`, `offset`."""
    words = (fields.optional_text("query") or "").lower().split()
    category = fields.optional_text("category")
    most_micros = fields.optional_amount("max_price")
    found = [
        offer
        for offer in OFFERS
        if all(word in f"{offer.name} {offer.description}".lower() for word in words)
        and category in (None, offer.category)
        and (most_micros is None or offer.price_micros <= most_micros)
    ]
    return {"services": [offer.shown() for offer in _page(found, fields)], "total": len(found)}


def check_rate_limit(ledger: Ledger, fields: Fields) -> Result:
    """`agent_id`: its calls of this minute, this one included. A report; nothing is refused."""
    agent_id = fields.text("agent_id")
    used, resets_in_seconds = ledger.calls_this_minute(agent_id)
    return {
        "agent_id": agent_id,
        "limit": CALLS_PER_MINUTE,
        "window_seconds": 60,
        "used": used,
        "remaining": max(0, CALLS_PER_MINUTE - used),
        "resets_in_seconds": resets_in_seconds,
        "allowed": used <= CALLS_PER_MINUTE,
    }


TOOLS: Mapping[str, Tool] = {
    "get_balance": get_balance,
    "create_wallet": create_wallet,
    "deposit": deposit,
    "set_budget": set_budget,
    "record_transaction": record_transaction,
    "create_escrow": create_escrow,
    "release_escrow": release_escrow,
    "cancel_escrow": cancel_escrow,
    "list_escrows": list_escrows,
    "create_audit_trail": create_audit_trail,
    "publish_event": publish_event,
    "submit_metrics": submit_metrics,
    "estimate_cost": estimate_cost,
    "search_services": search_services,
    "check_rate_limit": check_rate_limit,
}


def _wallet(ledger: Ledger, fields: Fields) -> Wallet:
    wallet_id = fields.optional_text("wallet_id")
    if wallet_id is not None:
        return ledger.wallet(wallet_id)
    return ledger.wallet_of(fields.text("agent_id"))


def _check_currency(fields: Fields) -> None:
    fields.choice("currency", ("USD",))


def _page(found: list[Item], fields: Fields) -> list[Item]:
    offset = fields.whole("offset", least=0, most=1_000_000) or 0
    limit = fields.whole("limit", least=1, most=500) or 50
    return found[offset : offset + limit]


def _shown_wallet(wallet: Wallet) -> Result:
    return {
        "wallet_id": wallet.wallet_id,
        "agent_id": wallet.agent_id,
        "currency": "USD",
        **shown("balance", wallet.balance_micros),
        **shown("held", wallet.held_micros),
        "budget": _shown_budget(wallet),
        "created_at": _shown_time(wallet.created_at),
    }


def _shown_budget(wallet: Wallet) -> Result | None:
    if wallet.budget_micros is None:
        return None
    return {
        **shown("limit", wallet.budget_micros),
        **shown("spent", wallet.spent_micros),
        **shown("remaining", max(0, wallet.budget_micros - wallet.spent_micros)),
    }


def _shown_escrow(escrow: Escrow) -> Result:
    return {
        "escrow_id": escrow.escrow_id,
        "status": escrow.status,
        "payer_agent_id": escrow.payer.agent_id,
        "payee_agent_id": escrow.payee.agent_id,
        "currency": "USD",
        **shown("amount", escrow.amount_micros),
        "description": escrow.description,
        "metadata": escrow.metadata,
        "created_at": _shown_time(escrow.created_at),
        "expires_at": None if escrow.expires_at is None else _shown_time(escrow.expires_at),
    }


def _shown_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
