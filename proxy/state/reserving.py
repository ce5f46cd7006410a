"""Reserving what a sending costs, where there is something to be thought of: all of it, or nothing.

Three things make a call wait, all rarely. Where pods share limits, a pod asks for more of one that
it has no share of (`state/leases.py`). An account may only be drawn on as far as the journal has
promised (`state/account.py`), so the first call of a key, and one that spends more than a hundredth
of a limit at once, wait for one commit. And a budget may ask a person (`on_exceed: approve`).
Whoever has waited looks at all again: others came between.
"""

from collections.abc import Awaitable, Callable

from proxy.attempt import Attempt
from proxy.call import Call
from proxy.refusal import Refusal
from proxy.stage import Verdict
from proxy.state.caps import Cap
from proxy.state.grant import Grant
from proxy.state.ledger import Ledger
from proxy.state.payers import Payers
from proxy.state.promises import TOLD, Promises
from proxy.state.purse import Purse
from proxy.state.room import Room


class Reserving:
    """For the calls of one link."""

    __slots__ = ("_ledger", "_payers", "_promises", "_purse", "_room", "_took")

    def __init__(
        self,
        ledger: Ledger,
        payers: Payers,
        promises: Promises,
        room: Room,
        purse: Callable[[Call], Purse],
        took: Callable[[Attempt, Grant], None],
    ) -> None:
        """`purse`: what a call has spent; `took` is told of what is reserved, in the same step."""
        self._ledger = ledger
        self._payers = payers
        self._promises = promises
        self._room = room
        self._purse = purse
        self._took = took

    def carefully(self, attempt: Attempt, grant: Grant) -> Verdict | Awaitable[Verdict]:
        """A limit, the time, a promise, other pods, what one call may cost. Refuses
        `budget_exceeded`, and what those say who are asked."""
        call = attempt.call
        if call.purse is not None:
            self._purse(call)  # from now on it has one by itself
        asked = self._room.asked(call, grant)
        if asked is not None:
            return self._heeds(attempt, grant, asked)
        exceeded = self._room.lacks(attempt, grant)
        if exceeded is not None:
            return self._said_no(attempt, grant, *exceeded)
        short = [account for account in grant.accounts if account.wants(grant.amount)]
        if short:
            asked = self._promises.make(short, grant.amount)
            if asked is not None:
                return self._heeds(attempt, grant, asked)
        self._promises.renew(grant.accounts, grant.amount)
        for account in grant.accounts:
            account.reserve(grant.amount)
        self._took(attempt, grant)
        return None

    def _said_no(
        self, attempt: Attempt, grant: Grant, cap: Cap, refusal: Refusal
    ) -> Verdict | Awaitable[Verdict]:
        """What becomes of it, as the budget says."""
        call, ledger = attempt.call, self._ledger
        if cap.on_exceed == "abort" and call.workflow:
            ledger.abort(call, refusal)
        if cap.on_exceed == "approve" and ledger.ask is not None and not attempt.hedge:
            return self._after(attempt, grant, self._approved(call, ledger.ask(call, refusal)))
        return refusal

    async def _approved(self, call: Call, answer: Awaitable[Verdict]) -> Verdict:
        """A person lets it go though there is no room. Its next attempt need not ask again."""
        purse = self._purse(call)
        verdict = await answer
        purse.approved = verdict is None
        return verdict

    def _heeds(
        self, attempt: Attempt, grant: Grant, asked: Refusal | Awaitable[Verdict]
    ) -> Verdict | Awaitable[Verdict]:
        return asked if isinstance(asked, Refusal) else self._after(attempt, grant, asked)

    async def _after(self, attempt: Attempt, grant: Grant, answer: Awaitable[Verdict]) -> Verdict:
        """When others have said yes. All is looked at again, and budgets that ask nobody have a
        say."""
        purse = self._purse(attempt.call)
        no = await answer or (TOLD if purse.over else self._payers.again(attempt.call, grant))
        verdict = no or self.carefully(attempt, grant)
        return verdict if verdict is None or isinstance(verdict, Refusal) else await verdict
