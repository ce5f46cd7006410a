"""A till: money that is reserved at once for many sendings alike.

A price, and the accounts that it is reserved in and charged to, are mostly those of the call
before. So what each call would do to each account is done for many together. A till is filled once:
the price of up to `_MOST` sendings is reserved, in all accounts or in none. A call takes one price
out of it, and puts down that it was spent; nothing else is to be thought of. When it is *closed*,
what is left goes back, and what was spent is booked, in one sum.

That changes nothing of what is promised:

- all that is in a till is reserved in the accounts, so `spent + reserved <= limit` holds;
- it takes no more than a quarter of what may be spent before anybody must be asked or told: a
  limit, the journal, an alert. While it lasts, nothing of that can come about by it;
- it ends where the first window of its accounts does, or the day, and closes before the next one
  is entered: what was spent is booked in the windows in which it was. What is reserved is of no
  window, so who takes of it need not look at the clock; who pays does;
- nobody is refused, waits, or is alerted for what lies in a till: where an account has come to its
  bound its tills are closed first. So they are where somebody looks (`Account.reckon`).

Only the usual call takes of it: the first sending, that was answered well. Any other gets a purse
of its own for it (`apart`), and what it had of the till is then its own, as if it had always been.
"""

from collections.abc import Callable, Hashable, Iterable
from operator import attrgetter
from typing import Any, ClassVar, final

import msgspec

from proxy.call import Call
from proxy.clock import NEVER
from proxy.record import Intent
from proxy.state.account import AHEAD, Account
from proxy.state.caps import Cap
from proxy.state.grant import Grant
from proxy.state.ledger import Ledger
from proxy.state.price import Price
from proxy.state.purse import Purse

_MOST = 256
_LEAST = 8
"""Sendings of one till. For fewer it is not worth the while."""
_PART = 4
"""Of what is there, so much is left to others: all but a fourth."""
_KEYS = 4_096
"""Whose tills are remembered, of one gate."""
_CLOSED = -1.0

_BOOKED = ("agent", "workflow", "caller")
"""What the ledger asks of a call, whatever budgets there are."""

Makes = Callable[[Call], Intent]


@final
class Paid(msgspec.Struct, frozen=True):
    """Instead of a purse: of a call that took its price of a till, and has spent it. One for all of
    them. Amounts are micro-dollars."""

    calls: dict[str, Call]
    accounts: tuple[Account, ...]
    price: Price
    intent: Makes | None
    spent: int
    reserved: int
    known: int
    charges: dict[str, int]
    told: Callable[[str, None], object]
    """Called with the id of the call, and None, when its record is noted; from any thread. Of those
    under way `dict.pop` itself, for each call calls it."""
    said: bytes = b""  # as a till has it
    over: ClassVar[bool] = True  # its record is about to be made

    def ends(self) -> None:
        """The call is over; it was before."""

    def promised(self) -> dict[str, int]:
        """What each account is charged."""
        return self.charges

    def apart(self) -> Purse:
        """It goes on: a purse of its own, which says the same."""
        grant = Grant(self.accounts, self.reserved, self.price, settled=self.spent)
        return Purse(self.calls, self.intent, spent=self.spent, known=self.spent, grants=(grant,))


@final
class Till:
    """Of calls alike. It is itself what its calls have instead of a purse until they are over."""

    __slots__ = (
        "_agent", "_caller", "_ledger", "_workflow", "due", "intent", "known", "left", "paid",
        "reserved", "said", "since", "size", "touched", "until",
    )  # fmt: skip

    spent: ClassVar[int] = 0
    over: ClassVar[bool] = False

    def __init__(
        self,
        call: Call,
        ledger: Ledger,
        accounts: tuple[Account, ...],
        price: Price,
        intent: Makes | None,
        size: int,
        now: float,
    ) -> None:
        """Of calls as this one, `size` of them. Reserves what they cost: there is room for that."""
        amount = price.fixed
        self._ledger = ledger
        self._agent, self._workflow, self._caller = call.agent, call.workflow, call.caller
        self.intent = intent
        self.known = self.reserved = amount
        """What one of its calls will have cost, and has reserved."""
        self.said = b""
        """What answers say of that; made by who says it, for the first of its calls."""
        charges = {account.label: amount for account in accounts}
        calls = ledger.under_way.calls
        self.paid = Paid(calls, accounts, price, intent, amount, amount, amount, charges, calls.pop)
        self.left = self.due = self.size = size
        """Those that may still come, that have not paid, and all of them."""
        self.touched = now
        self.since = max((account.since for account in accounts), default=-NEVER)
        self.until = min((account.until for account in accounts), default=NEVER)
        self.until = min(self.until, ledger.midnight(now))
        for account in accounts:
            account.reserve(size * amount)
            account.tills[self] = None
        ledger.tills[self] = None

    @property
    def charges(self) -> dict[str, int]:
        """Of a call that has spent nothing yet."""
        return {}

    def promised(self) -> dict[str, int]:
        """What each account is charged, should nobody hear of the call again."""
        return self.paid.charges

    def told(self, name: str, otherwise: None = None) -> None:
        """The record of one of its calls is noted, now. From any thread."""
        self.paid.told(name, otherwise)

    def ends(self) -> None:
        """One of its calls is over."""

    def apart(self) -> Purse:
        """One of its calls takes what it has with it: a purse of its own, in which it is held."""
        paid = self.paid
        self.size -= 1
        self.due -= 1
        if not self.due:
            self.close()
        grant = Grant(paid.accounts, paid.reserved, paid.price)
        return Purse(
            paid.calls, self.intent, held=paid.reserved, known=paid.reserved, grants=(grant,)
        )

    def close(self) -> None:
        """Gives back what is left, and books what was spent, at the time of the last of it. What
        its calls that are under way have stays reserved. Once more does nothing."""
        if self.until == _CLOSED:
            return
        self.until = _CLOSED
        paid, done = self.paid, self.size - self.due
        back, spent = self.left * paid.reserved, done * paid.spent
        self.left = 0
        del self._ledger.tills[self]
        for account in paid.accounts:
            account.total -= back
            account.reserved -= back + spent
            if done:
                account.touched = max(account.touched, self.touched)
            account.tills.pop(self, None)
        if done:
            who = self._agent, self._workflow
            self._ledger.book(*who, spent, self._caller, done, self.touched)


def worth_while(price: Price, caps: Iterable[Cap]) -> bool:
    """May there be tills at all: is enough promised at a time (`state/account.py`)? Not of keys
    that come to their end when nobody uses them, for nobody sees whether they do."""
    least = _LEAST * _PART * price.fixed
    return price.fixed > 0 and all(
        not cap.ttl and limit.micros // AHEAD >= least for cap in caps for limit in cap.limits
    )


class Tills:
    """Of one gate: those of its callers."""

    __slots__ = ("_intent", "_ledger", "_price", "by", "few", "found")

    def __init__(
        self, ledger: Ledger, price: Price, intent: Makes | None, reads: tuple[str, ...]
    ) -> None:
        """`reads`: by what of a call its accounts are found."""
        self._ledger = ledger
        self._price = price
        self._intent = intent
        self.found: dict[Hashable, Till | None] = {}
        """By `who`; None: such a call came once."""
        fields = dict.fromkeys((*_BOOKED, *reads))
        self.by: Callable[[Call], Any] = attrgetter(*fields)
        self.few = len(fields) == len(_BOOKED)
        """Is nothing else asked of calls? Those of no workflow are found by their agent: who waits
        for them counts in workflows only."""

    def who(self, call: Call) -> Hashable:
        """By what its till is found. (Gates have these lines too.)"""
        if self.few and not call.workflow:
            return call.agent
        return self.by(call)  # type: ignore[no-any-return]  # a tuple

    def opened(self, call: Call, accounts: tuple[Account, ...], now: float) -> Till | None:
        """A new one for such calls, in the place of one that is used up. None: this is the first of
        them, or there is too little."""
        size = self._size(accounts, now)
        if size < _LEAST:
            return None
        who = self.who(call)
        if who not in self.found:
            if len(self.found) >= _KEYS:
                self.found.clear()
            self.found[who] = None
            return None
        self._ledger.make_room_for_tills()
        made = self.found[who] = Till(
            call, self._ledger, accounts, self._price, self._intent, size, now
        )
        return made

    def _size(self, accounts: tuple[Account, ...], now: float) -> int:
        amount, size = self._price.fixed, _MOST
        for account in accounts:
            if not account.since <= now < account.until:
                return 0
            free = min(account.bound, account.quiet_below) - account.total
            size = min(size, free // amount // _PART)
            if size < _LEAST:
                break
        return size
