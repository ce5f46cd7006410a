"""The state of the sandbox: wallets, escrows, and what was written down about them.

Money is conserved. At every moment

    deposited = balances of all wallets + amounts of pending escrows + paid out

where *paid out* is what left for parties without a wallet here. Each method checks everything
before it changes anything, so a call that raises GatewayError has changed nothing.
"""

import hashlib
import heapq
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.money import dollars

EscrowStatus = Literal["pending", "released", "cancelled", "expired"]
ESCROW_STATUSES: tuple[EscrowStatus, ...] = ("pending", "released", "cancelled", "expired")
KEPT = 10_000
"""Transactions, audit entries and events that are remembered, of each kind."""
CALLS_PER_MINUTE = 600
"""What `check_rate_limit` reports as the limit; it is a report, nothing enforces it."""


@dataclass(slots=True)
class Wallet:
    """One agent's money. `spent_micros` counts since the wallet was opened."""

    wallet_id: str
    agent_id: str
    created_at: float
    balance_micros: int = 0
    held_micros: int = 0
    spent_micros: int = 0
    budget_micros: int | None = None


@dataclass(slots=True)
class Escrow:
    """Money set aside by a payer until it is released to the payee or goes back."""

    escrow_id: str
    payer: Wallet
    payee: Wallet
    amount_micros: int
    description: str | None
    created_at: float
    expires_at: float | None
    metadata: object = None
    status: EscrowStatus = "pending"


@dataclass(frozen=True, slots=True)
class Transaction:
    """One movement of money, as it was booked."""

    transaction_id: str
    kind: str
    agent_id: str
    amount_micros: int
    counterparty_id: str | None
    description: str | None
    created_at: float


@dataclass(frozen=True, slots=True)
class Entry:
    """An audit entry or an event: somebody's words, kept as they came."""

    entry_id: str
    sequence: int
    agent_id: str
    subject: str
    content: object
    created_at: float


class Ledger:
    """Everything the tools read and change.

    Ids follow from the seed and the order of calls; `now` gives seconds since 1970.
    """

    def __init__(
        self, seed: int, now: Callable[[], float], opening_balances: Mapping[str, int]
    ) -> None:
        self._seed = seed
        self._now = now
        self._made: Counter[str] = Counter()
        self.wallets: dict[str, Wallet] = {}
        self.escrows: dict[str, Escrow] = {}
        self.transactions: deque[Transaction] = deque(maxlen=KEPT)
        self.audit: deque[Entry] = deque(maxlen=KEPT)
        self.events: deque[Entry] = deque(maxlen=KEPT)
        self.metrics: deque[Entry] = deque(maxlen=KEPT)
        self.deposited_micros = 0
        self.paid_out_micros = 0
        self._agent_of: dict[str, str] = {}
        self._expiries: list[tuple[float, str]] = []
        self._minute = 0
        self._calls: Counter[str] = Counter()
        for agent_id, micros in opening_balances.items():
            self.open_wallet(agent_id, micros)

    # Wallets

    def open_wallet(self, agent_id: str, micros: int) -> Wallet:
        """409 when the agent has one."""
        if agent_id in self.wallets:
            raise GatewayError(409, "wallet_exists", f"agent {agent_id!r} already has a wallet")
        wallet = Wallet(self._new_id("wal"), agent_id, self._now())
        self.wallets[agent_id] = wallet
        self._agent_of[wallet.wallet_id] = agent_id
        if micros:
            self.deposit(wallet, micros, "opening balance")
        return wallet

    def wallet_of(self, agent_id: str) -> Wallet:
        """404 when the agent has none."""
        if agent_id not in self.wallets:
            raise GatewayError(404, "wallet_not_found", f"agent {agent_id!r} has no wallet")
        return self.wallets[agent_id]

    def wallet(self, wallet_id: str) -> Wallet:
        """404 when there is none with this id."""
        if wallet_id not in self._agent_of:
            raise GatewayError(404, "wallet_not_found", f"there is no wallet {wallet_id!r}")
        return self.wallets[self._agent_of[wallet_id]]

    def deposit(self, wallet: Wallet, micros: int, description: str | None) -> Transaction:
        """New money comes in."""
        wallet.balance_micros += micros
        self.deposited_micros += micros
        return self._book("deposit", wallet, micros, None, description)

    def set_budget(self, wallet: Wallet, micros: int | None) -> None:
        """Cap what the wallet may spend in all, with what it has spent already. None: no cap."""
        wallet.budget_micros = micros

    def charge(
        self, wallet: Wallet, micros: int, counterparty_id: str | None, description: str | None
    ) -> Transaction:
        """Pay now: to the counterparty's wallet, or out of the sandbox if it has none here."""
        self._must_afford(wallet, micros)
        wallet.balance_micros -= micros
        wallet.spent_micros += micros
        payee = self.wallets.get(counterparty_id or "")
        if payee is None:
            self.paid_out_micros += micros
        else:
            payee.balance_micros += micros
        return self._book("charge", wallet, micros, counterparty_id, description)

    # Escrows

    def hold(
        self,
        payer: Wallet,
        payee: Wallet,
        micros: int,
        *,
        description: str | None,
        lasts_seconds: int | None,
        metadata: object = None,
    ) -> Escrow:
        """Set money aside; it goes back by itself after `lasts_seconds`, if those are given."""
        self._must_afford(payer, micros)
        now = self._now()
        expires_at = None if lasts_seconds is None else now + lasts_seconds
        escrow_id = self._new_id("esc")
        escrow = Escrow(escrow_id, payer, payee, micros, description, now, expires_at, metadata)
        self.escrows[escrow_id] = escrow
        if expires_at is not None:
            heapq.heappush(self._expiries, (expires_at, escrow_id))
        payer.balance_micros -= micros
        payer.held_micros += micros
        payer.spent_micros += micros
        self._book("escrow_hold", payer, micros, payee.agent_id, description)
        return escrow

    def escrow(self, escrow_id: str) -> Escrow:
        """404 when there is none with this id."""
        if escrow_id not in self.escrows:
            raise GatewayError(404, "escrow_not_found", f"there is no escrow {escrow_id!r}")
        return self.escrows[escrow_id]

    def release(self, escrow: Escrow) -> None:
        """Give the money to the payee; 409 when it is not pending."""
        self._must_be_pending(escrow)
        escrow.status = "released"
        escrow.payer.held_micros -= escrow.amount_micros
        escrow.payee.balance_micros += escrow.amount_micros
        self._book("escrow_release", escrow.payee, escrow.amount_micros, escrow.payer.agent_id)

    def cancel(self, escrow: Escrow) -> None:
        """Give the money back to the payer, and to its budget; 409 when it is not pending."""
        self._must_be_pending(escrow)
        self._give_back(escrow, "cancelled")

    def expire_due(self) -> None:
        """Give back what was held too long. Called before each tool: no timer is needed."""
        while self._expiries and self._expiries[0][0] <= self._now():
            _, escrow_id = heapq.heappop(self._expiries)
            escrow = self.escrows[escrow_id]
            if escrow.status == "pending":
                self._give_back(escrow, "expired")

    # What is written down

    def note_audit(self, agent_id: str, action: str, content: object) -> Entry:
        """Append an audit entry; its sequence starts at 1 and has no gaps."""
        entry = self._entry("aud", agent_id, action, content)
        self.audit.append(entry)
        return entry

    def note_event(self, agent_id: str, event_type: str, content: object) -> Entry:
        """Append an event; its sequence starts at 1 and has no gaps."""
        entry = self._entry("evt", agent_id, event_type, content)
        self.events.append(entry)
        return entry

    def note_metrics(self, agent_id: str, content: object) -> Entry:
        """Append what somebody counted of an agent."""
        entry = self._entry("met", agent_id, "metrics", content)
        self.metrics.append(entry)
        return entry

    def note_call(self, agent_id: str) -> None:
        """Count a call towards the agent's minute."""
        minute = int(self._now() // 60)
        if minute != self._minute:
            self._minute = minute
            self._calls.clear()
        self._calls[agent_id] += 1

    def calls_this_minute(self, agent_id: str) -> tuple[int, int]:
        """Calls counted, and the seconds until the count starts again."""
        now = self._now()
        used = self._calls[agent_id] if int(now // 60) == self._minute else 0
        return used, 60 - int(now % 60)

    def total_micros(self) -> int:
        """All the money there is; equal to `deposited_micros`, or there is a bug."""
        wallets = sum(wallet.balance_micros for wallet in self.wallets.values())
        pending = sum(e.amount_micros for e in self.escrows.values() if e.status == "pending")
        return wallets + pending + self.paid_out_micros

    # Inside

    def _must_afford(self, wallet: Wallet, micros: int) -> None:
        budget = wallet.budget_micros
        if budget is not None and wallet.spent_micros + micros > budget:
            raise GatewayError(
                402,
                "budget_exceeded",
                f"spending {dollars(micros)} would pass the budget of {dollars(budget)};"
                f" {dollars(wallet.spent_micros)} is spent",
            )
        if micros > wallet.balance_micros:
            raise GatewayError(
                402,
                "insufficient_funds",
                f"the balance is {dollars(wallet.balance_micros)}, {dollars(micros)} is needed",
            )

    def _must_be_pending(self, escrow: Escrow) -> None:
        if escrow.status != "pending":
            raise GatewayError(
                409, "escrow_not_pending", f"escrow {escrow.escrow_id!r} is {escrow.status}"
            )

    def _give_back(self, escrow: Escrow, status: Literal["cancelled", "expired"]) -> None:
        escrow.status = status
        escrow.payer.held_micros -= escrow.amount_micros
        escrow.payer.spent_micros -= escrow.amount_micros
        escrow.payer.balance_micros += escrow.amount_micros
        self._book("escrow_refund", escrow.payer, escrow.amount_micros, escrow.payee.agent_id)

    def _book(
        self,
        kind: str,
        wallet: Wallet,
        micros: int,
        counterparty_id: str | None,
        description: str | None = None,
    ) -> Transaction:
        booked = Transaction(
            self._new_id("txn"),
            kind,
            wallet.agent_id,
            micros,
            counterparty_id,
            description,
            self._now(),
        )
        self.transactions.append(booked)
        return booked

    def _entry(self, kind: str, agent_id: str, subject: str, content: object) -> Entry:
        entry_id = self._new_id(kind)
        return Entry(entry_id, self._made[kind], agent_id, subject, content, self._now())

    def _new_id(self, kind: str) -> str:
        self._made[kind] += 1
        digest = hashlib.sha256(f"{self._seed}/{kind}/{self._made[kind]}".encode())
        return f"{kind}_{digest.hexdigest()[:16]}"
