"""Is there room for a sending? In every budget that it falls under, and for its call by itself."""

from collections.abc import Awaitable, Callable

from proxy.attempt import Attempt
from proxy.call import Call
from proxy.counts import Counts
from proxy.refusal import Refusal
from proxy.stage import Verdict
from proxy.state.caps import Cap
from proxy.state.grant import Grant
from proxy.state.ledger import Ledger
from proxy.state.purse import Purse
from proxy.state.spent_out import one_call, spent_out

_NOT_FOR_TWO = 0.7
"""Of a budget: where more is used, no second sending runs beside a slow one (spec 3.6)."""


class Room:
    """For the calls of one link."""

    __slots__ = ("_alone", "_ledger", "_purse", "_shadowed")

    def __init__(
        self,
        alone: Callable[[Call], list[Cap]],
        purse: Callable[[Call], Purse],
        shadowed: Counts,
        ledger: Ledger,
    ) -> None:
        """`alone`: the caps of a call by itself; `purse`: what it has spent. `shadowed` counts what
        goes though a cap in shadow mode has no room."""
        self._alone = alone
        self._purse = purse
        self._shadowed = shadowed
        self._ledger = ledger

    def asked(self, call: Call, grant: Grant) -> Verdict | Awaitable[Verdict]:
        """Must other pods be asked before? None: look what `lacks`. To be awaited: then look at
        all again."""
        leases = self._ledger.leases
        return None if leases is None else leases.lets(call, grant)

    def lacks(self, attempt: Attempt, grant: Grant) -> tuple[Cap, Refusal] | None:
        """The first budget that has none, and what is said then."""
        amount, now = grant.amount, self._ledger.wall()
        for account in grant.accounts:
            account.clear(amount, now)
            crowded = attempt.hedge and account.is_beyond(_NOT_FOR_TWO)
            if amount and (crowded or not account.has_room(amount)):
                refusal = spent_out(account, amount, self._ledger.leases)
                if not self._goes(attempt.call, account.cap, refusal):
                    return account.cap, refusal
        return self._too_dear(attempt.call, amount)

    def _too_dear(self, call: Call, amount: int) -> tuple[Cap, Refusal] | None:
        """For one call."""
        purse = self._purse(call)
        gone = purse.spent + purse.held
        for cap in self._alone(call):
            limit = cap.limits[0].micros
            if gone + amount <= limit:
                continue
            refusal = one_call(cap, limit, gone, amount)
            if not self._goes(call, cap, refusal):
                return cap, refusal
        return None

    def _goes(self, call: Call, cap: Cap, refusal: Refusal) -> bool:
        """Though a cap has no room?"""
        if cap.on_exceed != "shadow":
            return cap.on_exceed == "approve" and self._purse(call).approved
        call.shadowed = call.shadowed or (refusal.code, refusal.policy)
        self._shadowed.add(refusal.code, refusal.policy, "false")
        return True
