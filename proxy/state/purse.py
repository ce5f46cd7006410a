"""A purse: what one call has spent and reserved, of all its attempts together."""

import msgspec

from proxy.state.grant import Grant


class Purse(msgspec.Struct):
    """Amounts are micro-dollars."""

    spent: int = 0  # by attempts that ended
    held: int = 0  # reserved by those that have not
    known: int = -1  # what it will have cost when it ends, once that is known; -1: it is not
    approved: bool = False  # a person let it go though a budget had no room
    grants: tuple[Grant, ...] = ()
    """All that were given for it. A tuple: the journal's thread may look at them."""
    others: "dict[str, Purse]" = {}
    """Those of all calls of which the journal has no record yet, by the call's id."""

    def told(self, call: str) -> None:
        """The record of its call was noted. From any thread."""
        self.others.pop(call, None)

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
