"""Who pays for a call: the accounts that it is charged to, and what limits it alone.

Which caps a call falls under is known when its pipeline is compiled, but for those that have a
condition: these are asked of each call, and hold where they fail.
"""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from proxy.call import Call
from proxy.refusal import Refusal
from proxy.stage import Target
from proxy.state.account import Account
from proxy.state.caps import Cap
from proxy.state.grant import Grant
from proxy.state.ledger import Ledger
from proxy.state.spent_out import nameless
from proxy.state.whose import Whose

Asks: TypeAlias = Callable[[Call], bool | Refusal | None]
"""Is a cap meant for this call? None: it cannot be told; a refusal: it may be read in two ways."""


class Payers:
    """Of the calls of one pipeline."""

    __slots__ = ("_conditional", "_ledger", "_request", "_whose", "of", "plain", "reads")

    def __init__(
        self, caps: Iterable[tuple[Asks | None, Cap]], target: Target, ledger: Ledger
    ) -> None:
        caps = list(caps)
        self._ledger = ledger
        kept = [(asks, cap) for asks, cap in caps if cap.per != "request"]
        self._request = [(asks, cap) for asks, cap in caps if cap.per == "request"]
        self._whose = Whose([cap for asks, cap in kept if asks is None], target, ledger)
        self._conditional = [
            (asks, Whose([cap], target, ledger)) for asks, cap in kept if asks is not None
        ]
        self.plain = not (self._conditional or self._request or self._whose.needed)
        """Is there nothing to be asked of a call but who it is? Then `of` it."""
        self.of = self._whose.of
        self.reads = self._whose.reads
        """By what of a call they are found."""

    def asked(self, call: Call) -> tuple[Account, ...] | Refusal:
        """The accounts of a call of which more must be asked; or why there can be none."""
        lacking = self._whose.lacks(call)
        accounts = self._whose.of(call)
        for asks, whose in self._conditional:
            holds = asks(call)
            if isinstance(holds, Refusal):
                return holds
            if holds is not False:
                lacking = lacking or whose.lacks(call)
                accounts += whose.of(call)
        return accounts if lacking is None else nameless(lacking)

    def again(self, call: Call, grant: Grant) -> Refusal | None:
        """A call has waited with nothing reserved, so its accounts may have made room for other
        keys: those of now take their place. A refusal, as `asked` gives it."""
        known = self._ledger.seen
        if all(known(account.cap, account.key) is account for account in grant.accounts):
            return None
        found = self.asked(call)
        if isinstance(found, Refusal):
            return found
        grant.accounts = found
        return None

    def alone(self, call: Call) -> list[Cap]:
        """The caps of this call by itself."""
        return [cap for asks, cap in self._request if asks is None or asks(call) is not False]

    def seen(self, call: Call) -> tuple[list[tuple[Cap, Account | None]], Cap | None]:
        """For who only looks: what it would be charged to, and who must know more of it."""
        found, lacking = self._whose.seen(call), self._whose.lacks(call)
        for asks, whose in self._conditional:
            if asks(call) is not False:
                found += whose.seen(call)
                lacking = lacking or whose.lacks(call)
        return found + [(cap, None) for cap in self.alone(call)], lacking
