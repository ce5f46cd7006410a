"""Whose money it is: the accounts that a call is charged to, by what each cap counts by.

A tool is that of one upstream. What one pipeline is for is known when it is compiled; who calls,
and for what work, is read from each call, and found again by that.
"""

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from proxy.call import Call
from proxy.stage import Target
from proxy.state.account import Account
from proxy.state.caps import Cap
from proxy.state.ledger import Ledger

_MOST = 4_096
"""Whose accounts are remembered, of one pipeline."""
_OF_A_CALL = ("agent", "workflow", "task", "model")


class Whose:
    """The accounts of some caps, for the calls of one pipeline."""

    __slots__ = ("_caps", "_evicted", "_found", "_ledger", "_read", "_target", "needed", "reads")

    def __init__(self, caps: Iterable[Cap], target: Target, ledger: Ledger) -> None:
        self._caps = tuple(caps)
        self._target = target
        self._ledger = ledger
        asked = {cap.per for cap in self._caps}
        self.reads = fields = tuple(name for name in _OF_A_CALL if name in asked)
        """What of a call says whose accounts they are."""
        self._read: Callable[[Call], Any] = attrgetter(*fields) if fields else _alike
        self._found: dict[Any, tuple[Account, ...]] = {}
        self._evicted = ledger.evicted
        self.needed = tuple(cap for cap in self._caps if cap.require and cap.per in _OF_A_CALL)
        """Those for which a call must say who it is."""

    def of(self, call: Call) -> tuple[Account, ...]:
        """Those of this call."""
        if self._evicted != self._ledger.evicted:
            self._found.clear()
            self._evicted = self._ledger.evicted
        who = self._read(call)
        found = self._found.get(who)
        return self._looked_up(who, call) if found is None else found

    def seen(self, call: Call) -> list[tuple[Cap, Account | None]]:
        """The same for who only looks: no account is opened."""
        return [(cap, self._ledger.seen(cap, self.key(cap, call))) for cap in self._caps]

    def lacks(self, call: Call) -> Cap | None:
        """The first cap that needs to know what this call does not say."""
        return next((cap for cap in self.needed if not self.key(cap, call)), None)

    def _looked_up(self, who: Any, call: Call) -> tuple[Account, ...]:
        if len(self._found) >= _MOST:
            self._found.clear()
        accounts = tuple(self._ledger.account(cap, self.key(cap, call)) for cap in self._caps)
        if self._evicted != self._ledger.evicted:  # others made room for one of them
            self._found.clear()
            self._evicted = self._ledger.evicted
        self._found[who] = accounts
        return accounts

    def key(self, cap: Cap, call: Call) -> str:
        """By what a cap counts the call; empty: the call does not say it."""
        target = self._target
        match cap.per:
            case "tool":
                return f"{target.upstream}/{target.tool}"
            case "upstream":
                return target.upstream
            case "bulkhead":
                return call.domain
            case "model":
                return target.sent_as or call.model
            case _:
                return str(getattr(call, cap.per))


def _alike(_: Call) -> None:
    """All calls of the pipeline fall under the same accounts."""
