"""Who asks other pods what may be spent, where limits are shared (`state/leases.py`)."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from proxy.call import Call
from proxy.stage import Verdict
from proxy.state.account import Account
from proxy.state.grant import Grant


class Shares(Protocol):
    """Asks other pods what may be spent (`state/leases.py`)."""

    @property
    def barred(self) -> bool:
        """Is nothing spent now without asking?"""

    @property
    def scarce(self) -> str:
        """Why others cannot be asked now; empty: they can."""

    def lets(self, call: Call, grant: Grant, /) -> Verdict | Awaitable[Verdict]:
        """A sending is to be reserved; None: look whether there is room."""

    def renew(self, accounts: Iterable[Account], micros: int, /) -> None:
        """Of those that will soon need more."""

    def gone(self, account: Account, /) -> None:
        """It is not there any more."""

    def back(self, label: str, /) -> Account | None:
        """One that is gone, and not all told; it is there again."""

    def obeyed(self) -> None:
        """Other caps are in force: others are to hear soon what was spent of them here."""

    def once(self, name: str, then: Callable[[], None], /) -> None:
        """Do it, if no other pod has."""
