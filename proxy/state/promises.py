"""What the journal promises of accounts: asked for, waited for where it must be, and renewed ahead
of time (`state/account.py` has the reason)."""

from asyncio import Future
from collections.abc import Awaitable, Iterable, Sequence
from functools import partial
from typing import TypeAlias

from proxy.call import Call
from proxy.counts import Counts
from proxy.refusal import Refusal
from proxy.stage import Trail, Verdict
from proxy.state.account import Account
from proxy.state.ledger import Ledger

UNPROMISED = Refusal(
    "journal_unavailable",
    "The journal cannot be written, and what such a call costs must be in it first",
    scope="call",
)
TOLD = Refusal("budget_exceeded", "The call is over, and its record tells what it cost")
"""To whom nobody listens any more."""
_Asked: TypeAlias = list[tuple[Account, int]]
"""Accounts, and what each may come to once that is promised."""


class Promises:
    """For the calls of one pipeline."""

    __slots__ = ("_denied", "_ledger", "_missed", "_trail")

    def __init__(self, ledger: Ledger, trail: Trail, missed: Counts, *, denied: bool) -> None:
        """`denied`: a call that cannot be promised what it needs does not go. `missed` counts those
        that go all the same."""
        self._ledger = ledger
        self._trail = trail
        self._missed = missed
        self._denied = denied

    def make(self, short: Iterable[Account], micros: int) -> Verdict | Awaitable[Verdict]:
        """So much more is promised of each of these; to be awaited where the disk must be."""
        asked = [(account, self._ledger.lease(account, micros)) for account in short]
        if self._trail.state.kind != "ok":
            return self._unpromised(asked)
        durable = self._trail.durable()
        if durable is not None:
            return self._kept(asked, durable)
        _promise(asked)
        return None

    async def _kept(self, asked: _Asked, durable: "Future[bool]") -> Verdict:
        if not await durable:
            return self._unpromised(asked)
        _promise(asked)
        return None

    def _unpromised(self, asked: _Asked) -> Verdict:
        """The journal cannot promise anything now: may the call go on all the same?"""
        if self._denied:
            for account, _ in asked:
                account.refused()
            return UNPROMISED
        self._missed.add("lease")  # the alarm is the journal's own
        _promise(asked)
        return None

    def renew(self, accounts: Sequence[Account], micros: int) -> None:
        """Of those that will soon need more. Ahead of time, so that nobody waits."""
        if self._ledger.leases is not None:
            self._ledger.leases.renew(accounts, micros)
        for account in accounts:
            if account.wears_thin(micros):
                self._ask(account, micros)

    def follow(self, accounts: Sequence[Account]) -> None:
        """They were drawn on while a body flowed, which waits for nobody: it is promised as soon
        as may be, for its call may never end."""
        if self._ledger.leases is not None:
            self._ledger.leases.renew(accounts, 0)
        for account in accounts:
            if account.total > account.asked or account.wears_thin(0):
                self._ask(account, 0)

    def heed(self, account: Account, call: Call) -> None:
        """Much was spent of it: there may be alerts to be raised, or the call was dearer than
        anybody promised."""
        account.reckon()
        if account.spent >= account.quiet_below:
            self._ledger.look(account)
        if account.total > account.promised:
            self._owe(account, call)

    def _owe(self, account: Account, call: Call) -> None:
        """Its answer ends when that is promised."""
        waits = self._ask(account, 0)
        if waits and call.lasting is None:
            call.lasting = self._trail.durable

    def _ask(self, account: Account, micros: int) -> bool:
        """Is it to be waited for?"""
        high = self._ledger.lease(account, micros)
        durable = self._trail.durable()
        if durable is None:
            account.promise(high)
            return False
        durable.add_done_callback(partial(_heard, account, high))
        return True


def _promise(asked: _Asked) -> None:
    for account, high in asked:
        account.promise(high)


def _heard(account: Account, high: int, durable: "Future[bool]") -> None:
    """The journal has it, or has not: then the next who comes asks again."""
    if not durable.cancelled() and durable.result():
        account.promise(high)
    else:
        account.refused()
