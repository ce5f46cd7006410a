"""`budgets`: no more is spent than somebody allows (spec 4.2), and what it costs is known (4.1).

It stands at each sending, for each costs what it costs: retries, hedges, links of a fallback, and
those that fail. Before it goes, its price is reserved in *every* budget that it falls under, all or
none, in one step of the loop; nothing can come between the look and the taking. When it is over,
however it ended, what it cost in truth takes the place of what was reserved: once, for that is what
the guard promises of `settle`. So `spent + reserved <= limit` holds at every moment.

What was not sent costs nothing. What was sent costs its price, also if it failed, was cut or lost
a race: the upstream may have worked, and nobody can tell. An answer may say a price of its own
(`from_reply`), and bodies may cost by their size (`per_kb`); then what is reserved is an estimate,
and the truth may be more. That is charged in full, and shown as overrun. A stream that grows past
its reservation takes more while it runs, or is ended (`cut_streams`).

Two things make a call wait, both rarely. An account may only be drawn on as far as the journal has
promised (`state/account.py`), so the first call of a key, and one that spends more than a hundredth
of a limit at once, wait for one commit. And a budget may ask a person (`on_exceed: approve`).
"""

from collections.abc import Awaitable, Iterator
from functools import partial

import msgspec

from proxy.attempt import Attempt
from proxy.call import Call, Stop, Unrecorded
from proxy.counts import COST_UNKNOWN, REFUSALS, UNRECORDED
from proxy.expression import Expression
from proxy.keys import LEDGER
from proxy.protocols.coding import decoded
from proxy.protocols.condition import Condition
from proxy.record import intent_of
from proxy.refusal import Refusal
from proxy.reply import Reply
from proxy.stage import (
    Ground,
    NothingTaken,
    Said,
    Section,
    Site,
    Target,
    Trackless,
    Verdict,
    Withdraws,
)
from proxy.state.account import Account
from proxy.state.caps import Cap
from proxy.state.grant import LONGEST_READ, Grant, size_of
from proxy.state.ledger import Ledger
from proxy.state.payers import Asks, Payers
from proxy.state.price import FREE, Price
from proxy.state.promises import TOLD, Promises
from proxy.state.purse import Purse
from proxy.state.spent_out import nameless, one_call, priced, spent_out, standing, unpriced

_NOT_FOR_TWO = 0.7
"""Of a budget: where more is used, no second sending runs beside a slow one (spec 3.6)."""


class Covered(msgspec.Struct, frozen=True):
    """A cap that calls of a kind fall under; only some of them, if it has a condition."""

    cap: Cap
    when: Expression | None = None


class Budgets(Section, frozen=True, kw_only=True):
    """What calls of a kind cost, and what they fall under. No policy holds it: it is put in force
    by what prices, budgets and `cost` say together."""

    caps: tuple[Covered, ...] = ()
    price: Price = FREE
    when: Expression | None = None  # where it does not hold, it is `otherwise`
    otherwise: Price = FREE
    policy: str = ""  # that gave the price
    deny_unknown: bool = False


class Spending(Withdraws):
    """The gate of one link."""

    __slots__ = (
        "_deny", "_intent", "_ledger", "_otherwise", "_payers", "_plain", "_price", "_promises",
        "_shadowed", "_soon", "_trail", "_unknown", "_wall", "_when",
    )  # fmt: skip

    def __init__(self, section: Budgets, site: Site) -> None:
        ground, target = site.ground, site.target
        self._wall = ground.clock.wall
        self._soon = ground.clock.soon
        self._trail = trail = Trackless() if ground.shadow else ground.trail
        self._ledger = ledger = ledger_of(ground)
        self._payers = payers_of(section, target, ground)
        self._price, self._otherwise = section.price, section.otherwise
        self._when = asks(section.when, section.policy, "cost", ground)
        price = section.price
        self._plain = self._when is None and self._payers.plain and price.known and not price.open
        refusal = unpriced(target.tool or target.upstream, section.policy)
        self._deny = refusal if section.deny_unknown else None
        self._unknown = ground.kept(COST_UNKNOWN.key, COST_UNKNOWN.counts)
        missed = ground.kept(UNRECORDED.key, UNRECORDED.counts)
        denied = target.unrecorded is Unrecorded.DENY
        self._promises = Promises(ledger, trail, missed, denied=denied)
        self._shadowed = ground.kept(REFUSALS.key, REFUSALS.counts)
        # A call that must leave a trace anyhow has its intent from the stage that sees to that.
        bare = bool(section.caps) and not target.traced and not ground.shadow
        self._intent = partial(intent_of, effect=target.effect, risk=target.risk) if bare else None

    @classmethod
    def build(cls, section: Budgets, site: Site) -> "Spending | None":
        """For one link; None where it has nothing to count and nothing to ask."""
        prices = [section.price] if section.when is None else [section.price, section.otherwise]
        free = all(price == FREE for price in prices)
        if free and not any(one.cap.require for one in section.caps):
            return None
        if site.ground.shadow:
            return ShadowSpending(section, site)
        return (MeteredSpending if any(price.open for price in prices) else cls)(section, site)

    # --- before ---

    def admit(self, attempt: Attempt) -> Verdict | Awaitable[Verdict]:
        """Reserves what it costs, in every budget. Refuses `budget_exceeded`, or `denied` where it
        cannot be told whose budget it is, or what it costs."""
        if not self._plain or attempt.hedge:
            return self._asked(attempt)
        # As `_carefully` does it, where there is nothing to be thought of: nearly always.
        call, amount, now = attempt.call, self._price.fixed, self._wall()
        accounts = self._payers.of(call)
        for account in accounts:
            if account.total + amount > account.bound or not account.since <= now < account.until:
                return self._carefully(attempt, Grant(accounts, amount, self._price))
        for account in accounts:
            account.total += amount
            account.reserved += amount
        self._took(attempt, Grant(accounts, amount, self._price))
        return None

    def _asked(self, attempt: Attempt) -> Verdict | Awaitable[Verdict]:
        """What hangs on the call: conditions, who it says that it is, a price that nobody said."""
        call, price = attempt.call, self._price
        if self._when is not None:
            holds = self._when.holds(call)
            if type(holds) is Refusal:
                return holds
            price = meant(holds, price, self._otherwise)
        if not price.known:
            self._unknown.add(call.upstream, call.tool)
            if self._deny is not None:
                return self._deny
        accounts = self._payers.asked(call)
        if isinstance(accounts, Refusal):
            return accounts
        amount = price.estimate(size_of(call)) if price.open else price.fixed
        return self._carefully(attempt, Grant(accounts, amount, price))

    def _carefully(self, attempt: Attempt, grant: Grant) -> Verdict | Awaitable[Verdict]:
        """Something is to be thought of: a limit, the time, a promise, what one call may cost."""
        exceeded = self._exceeded(attempt, grant)
        if exceeded is not None:
            return self._said_no(attempt, grant, *exceeded)
        short = [account for account in grant.accounts if account.wants(grant.amount)]
        if short:
            promised = self._promises.make(short, grant.amount)
            if isinstance(promised, Refusal):
                return promised
            if promised is not None:
                return self._after(attempt, grant, promised)
        self._promises.renew(grant.accounts, grant.amount)
        self._take(attempt, grant)
        return None

    def _exceeded(self, attempt: Attempt, grant: Grant) -> tuple[Cap, Refusal] | None:
        """The first budget that has no room, and what is said then."""
        amount, now = grant.amount, self._wall()
        for account in grant.accounts:
            if not account.since <= now < account.until:
                account.enter(now)
            crowded = attempt.hedge and account.used > _NOT_FOR_TWO
            if amount and (crowded or not account.has_room(amount)):
                refusal = spent_out(account, amount)
                if not self._goes(attempt.call, account.cap, refusal):
                    return account.cap, refusal
        return self._too_dear(attempt.call, amount)

    def _too_dear(self, call: Call, amount: int) -> tuple[Cap, Refusal] | None:
        """For one call."""
        purse = self._purse(call)
        gone = purse.spent + purse.held
        for cap in self._payers.alone(call):
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

    async def _after(self, attempt: Attempt, grant: Grant, answer: Awaitable[Verdict]) -> Verdict:
        """When the journal or a person has said yes. All is looked at again: others came between,
        and budgets that ask nobody have a say."""
        purse = self._purse(attempt.call)
        verdict = await answer or (TOLD if purse.over else self._carefully(attempt, grant))
        return verdict if verdict is None or isinstance(verdict, Refusal) else await verdict

    def _take(self, attempt: Attempt, grant: Grant) -> None:
        for account in grant.accounts:
            account.reserve(grant.amount)
        self._took(attempt, grant)

    def _took(self, attempt: Attempt, grant: Grant) -> None:
        call = attempt.call
        purse, amount = self._purse(call), grant.amount
        purse.held += amount
        purse.known = purse.spent + purse.held
        purse.grants += (grant,)
        attempt.taken[self] = grant

    def _purse(self, call: Call) -> Purse:
        purse: Purse | None = call.purse
        if purse is None:
            purse = call.purse = self._ledger.purse(call, self._intent)
        return purse

    # --- after ---

    def settle(self, attempt: Attempt, reply: Reply) -> None:
        """What it cost takes the place of what was reserved."""
        call, grant = attempt.call, attempt.taken[self]
        price, amount, now = grant.price, grant.amount, self._wall()
        spent = 0 if not attempt.sent else _cost(grant, reply) if price.open else price.fixed
        for account in grant.accounts:
            # As `Account.settle` does it, but that most cost just what was thought.
            if spent != amount or not account.since <= now < account.until:
                account.settle(amount, spent, now)
            else:
                account.reserved -= amount
                account.touched = now
            if (
                account.total - account.reserved >= account.quiet_below
                or account.total > account.promised
            ):
                self._notice(call, account)
        purse = self._purse(call)
        grant.settled = spent
        purse.held -= amount
        purse.spent += spent
        if spent:
            self._booked(call, spent, purse.spent == spent)
        elif not attempt.sent:
            purse.known = purse.spent or -1

    def _notice(self, call: Call, account: Account) -> None:
        """There are alerts to be raised, or nobody promised as much."""
        if account.spent >= account.quiet_below:
            self._ledger.look(account)
        if account.total > account.promised:
            self._promises.owe(account, call)

    def _booked(self, call: Call, spent: int, first: bool) -> None:
        self._ledger.book(call.agent, call.workflow, spent, call.caller, first)

    committed = NothingTaken.committed  # it need not hear of it

    # --- looking ---

    def says(self, call: Call) -> Said:
        """What it costs, and what is left."""
        price = self._price
        if self._when is not None:
            holds = self._when.look(call)
            if type(holds) is Refusal:
                return Said(holds.detail, holds)
            price = meant(holds, price, self._otherwise)
        amount = price.estimate(size_of(call)) if price.open else price.fixed
        found, lacking = self._payers.seen(call)
        notes, refusal = standing(found, amount, self._wall())
        refusal = refusal if lacking is None else nameless(lacking)
        refusal = refusal if price.known else self._deny or refusal
        return Said("; ".join([priced(price, amount), *notes]), refusal)


class MeteredSpending(Spending):
    """Where it is not known before what a sending costs."""

    __slots__ = ()

    def _took(self, attempt: Attempt, grant: Grant) -> None:
        """Part of Spending."""
        super()._took(attempt, grant)
        if grant.price.open:
            call = attempt.call
            self._purse(call).known = -1
            grant.watch_request(call, partial(self._grow, call, grant))

    def committed(self, attempt: Attempt, reply: Reply) -> None:
        """From here on it may be known what the call costs."""
        call, grant = attempt.call, attempt.taken[self]
        if grant.price.open:
            grant.watch_answer(reply, partial(self._grow, call, grant))
            if reply.whole:
                purse = self._purse(call)
                beside = purse.held != grant.amount  # what runs beside it is not over
                purse.known = -1 if beside else purse.spent + _cost(grant, reply)

    def _grow(self, call: Call, grant: Grant, missing: int) -> None:
        """It costs more by now than was reserved. A stream for which there is no room ends."""
        alone, now = self._payers.alone(call), self._wall()
        because = self._purse(call).grow(grant, alone, missing, now)
        if because is None:
            self._promises.follow(grant.accounts)
        else:
            self._outgrown(call, because)

    def _outgrown(self, call: Call, because: Refusal) -> None:
        self._soon(partial(call.stop, Stop.BUDGET, because))  # not in the middle of its bytes


class ShadowSpending(MeteredSpending):
    """Says what would have been refused: on accounts of its own, and it waits for nobody."""

    __slots__ = ()

    def _purse(self, call: Call) -> Purse:
        return Purse(call.id)

    def _booked(self, call: Call, spent: int, first: bool) -> None:
        """Nobody has spent it."""

    def _said_no(self, attempt: Attempt, grant: Grant, cap: Cap, refusal: Refusal) -> Verdict:
        return refusal

    def _outgrown(self, call: Call, because: Refusal) -> None:
        """It goes on."""


def ledger_of(ground: Ground) -> Ledger:
    """The one of this process; a shadow's is its own."""
    clock = ground.clock
    return ground.kept(LEDGER, lambda: Ledger(clock.wall, clock.uuid))


def meant(holds: bool | Refusal | None, price: Price, otherwise: Price) -> Price:
    """Where it cannot be told, the dearer one: who makes a condition fail gains nothing."""
    if type(holds) is bool:
        return price if holds else otherwise
    return max(price, otherwise, key=lambda each: (each.fixed, each.per_kb))


def payers_of(section: Budgets, target: Target, ground: Ground) -> Payers:
    """Of the calls of one link."""
    return Payers(_caps(section, ground), target, ledger_of(ground))


def _caps(section: Budgets, ground: Ground) -> Iterator[tuple[Asks | None, Cap]]:
    for one in section.caps:
        when = asks(one.when, one.cap.name, "budgets", ground)
        yield None if when is None else when.holds, one.cap


def asks(when: Expression | None, policy: str, where: str, ground: Ground) -> Condition | None:
    """A condition in force, if there is one."""
    return None if when is None else Condition(when, policy, where, ground)


def _cost(grant: Grant, reply: Reply) -> int:
    """Of one that was sent."""
    coding = reply.fields.get(b"content-encoding", b"")
    return grant.cost(partial(_without, coding))


def _without(coding: bytes, content: bytes) -> bytes | None:
    plain = decoded(content, coding, LONGEST_READ)
    return None if isinstance(plain, Refusal) else plain
