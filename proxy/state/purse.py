"""A purse: what one call has spent and reserved, of all its attempts together."""

from collections.abc import Callable, Sequence

import msgspec

from proxy.call import Call
from proxy.record import Intent
from proxy.refusal import Refusal
from proxy.state.caps import Cap
from proxy.state.grant import Grant
from proxy.state.spent_out import one_call, spent_out


class Purse(msgspec.Struct):
    """Amounts are micro-dollars."""

    calls: dict[str, Call] = {}
    """Those of which the journal has no record yet, and so its own until then; by their ids."""
    intent: Callable[[Call], Intent] | None = None  # makes that; None: none is needed
    spent: int = 0  # by attempts that ended
    held: int = 0  # reserved by those that have not
    known: int = -1  # what it will have cost when it ends, once that is known; -1: it is not
    approved: bool = False  # a person let it go though a budget had no room
    grants: tuple[Grant, ...] = ()
    """All that were given for it. A tuple: the journal's thread may look at them."""
    said: bytes = b""  # as a till has it; what this spends may change
    over: bool = False  # the call is: no intent is made of it any more

    def take(self, grant: Grant) -> None:
        """One more of its sendings has this."""
        self.held += grant.amount
        self.known = self.spent + self.held
        self.grants += (grant,)

    def ends(self) -> None:
        """The call is over; its record will be noted."""
        self.over = True

    def told(self, name: str, otherwise: None = None) -> None:
        """The record of the call with that id is noted, now; or was, if it was said before that the
        call is over. From any thread. What settles later settles here all the same."""
        self.over = True
        self.calls.pop(name, otherwise)

    def grow(self, grant: Grant, alone: Sequence[Cap], missing: int, now: float) -> Refusal | None:
        """One of its sendings costs so much more by now than was reserved: that is reserved too,
        and some besides, so that it need not be asked for soon again. A refusal: there is no room,
        and the sending is to end for it; nothing is reserved. `alone`: the caps of this call by
        itself; `now`: what the clock shows."""
        most = grant.step(missing)
        for account in grant.accounts:
            account.clear(most, now)
        for micros in (most, missing):
            inside = all(account.has_room(micros) for account in grant.accounts)
            if inside and not any(self._over(cap, micros) for cap in alone):
                break
        else:
            refusal = self._cut(grant, alone, missing)
            if refusal is not None:
                return refusal
        grant.more(micros)
        self.held += micros
        return None

    def _cut(self, grant: Grant, alone: Sequence[Cap], missing: int) -> Refusal | None:
        """The first budget that has no room, and ends what outgrows it."""
        for account in grant.accounts:
            if self._cuts(account.cap) and not account.has_room(missing):
                return spent_out(account, missing)
        gone = self.spent + self.held
        for cap in alone:
            if self._cuts(cap) and self._over(cap, missing):
                return one_call(cap, cap.limits[0].micros, gone, missing)
        return None

    def _over(self, cap: Cap, micros: int) -> bool:
        return self.spent + self.held + micros > cap.limits[0].micros

    def _cuts(self, cap: Cap) -> bool:
        goes_on = cap.on_exceed == "shadow" or (cap.on_exceed == "approve" and self.approved)
        return cap.cut_streams and not goes_on

    @property
    def reserved(self) -> int:
        """By all of its attempts."""
        return sum(grant.amount for grant in self.grants)

    @property
    def estimated(self) -> bool:
        """Is the price of one of them not known, and was thought?"""
        return any(
            grant.estimated or (grant.settled > 0 and not grant.price.known)
            for grant in self.grants
        )

    @property
    def charges(self) -> dict[str, int]:
        """What each account was charged, by its label: `budget:key`."""
        return _by_account([(grant, grant.settled) for grant in self.grants if grant.settled > 0])

    def promised(self) -> dict[str, int]:
        """What each account is charged, should nobody hear of the call again."""
        return _by_account([(grant, grant.amount) for grant in self.grants])


def _by_account(amounts: list[tuple[Grant, int]]) -> dict[str, int]:
    if len(amounts) == 1:  # nearly always
        grant, micros = amounts[0]
        return {account.label: micros for account in grant.accounts}
    charges: dict[str, int] = {}
    for grant, micros in amounts:
        for account in grant.accounts:
            charges[account.label] = charges.get(account.label, 0) + micros
    return charges
