"""`budgets`: no more is spent than somebody allows (spec 4.2), and what it costs is known (4.1).

It stands at each sending, for each costs what it costs: retries, hedges, links of a fallback, and
those that fail. Before it goes, its price is reserved in *every* budget that it falls under, all or
none, in one step of the loop; nothing can come between the look and the taking. When it is over,
however it ended, what it cost in truth takes the place of what was reserved: once, for that is what
the guard promises of `settle`. So `spent + reserved <= limit` holds at every moment.

What was not sent costs nothing. What was sent costs its price, also if it failed, was cut or lost
a race: the upstream may have worked, and nobody can tell. An answer may say a price of its own
(`from_reply`), bodies may cost by their size (`per_kb`), models by the tokens that they say they
used; then what is reserved is an estimate, and the truth may be more. That is charged in full, and
shown as overrun. A stream that grows past its reservation takes more, or is ended (`cut_streams`).
Where nothing of that can be, the money of many sendings is reserved at once (`state/till.py`).

Where there is something to be thought of, `state/reserving.py` does it: what makes a call wait, and
who says no. Here is what is known without that, what it cost, and what is said of it.
"""

from collections.abc import Awaitable, Iterator
from functools import partial

import msgspec

from proxy.attempt import Attempt
from proxy.call import Call, Stop, Unrecorded
from proxy.counts import COST_UNKNOWN, REFUSALS, UNRECORDED
from proxy.expression import Expression
from proxy.protocols.coding import decoded
from proxy.protocols.condition import Condition
from proxy.record import intent_of
from proxy.refusal import Refusal
from proxy.reply import SUCCESS, Reply
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
from proxy.state.grant import LONGEST_READ, Grant
from proxy.state.ledger import Ledger
from proxy.state.payers import Asks, Payers
from proxy.state.price import FREE, Price, meant
from proxy.state.promises import Promises
from proxy.state.purse import Purse
from proxy.state.reserving import Reserving
from proxy.state.room import Room
from proxy.state.spent_out import nameless, priced, standing, unpriced
from proxy.state.till import Paid, Till, Tills, worth_while


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
        "_books", "_deny", "_intent", "_ledger", "_otherwise", "_payers", "_price", "_promises",
        "_reserving", "_soon", "_unknown", "_wall", "_when",
    )  # fmt: skip

    def __init__(self, section: Budgets, site: Site, payers: Payers) -> None:
        ground, target = site.ground, site.target
        self._soon = ground.clock.soon
        trail = Trackless() if ground.shadow else ground.trail
        self._ledger = ledger = Ledger.on(ground)
        self._wall = ledger.wall
        self._books = not ground.shadow  # else nobody has spent it
        self._payers = payers
        self._price, self._otherwise = section.price, section.otherwise
        self._when = Condition.on(section.when, section.policy, "cost", ground)
        refusal = unpriced(target.tool or target.upstream, section.policy)
        self._deny = refusal if section.deny_unknown else None
        self._unknown = ground.kept(COST_UNKNOWN.key, COST_UNKNOWN.counts)
        missed = ground.kept(UNRECORDED.key, UNRECORDED.counts)
        denied = target.unrecorded is Unrecorded.DENY
        self._promises = promises = Promises(ledger, trail, missed, denied=denied)
        shadowed = ground.kept(REFUSALS.key, REFUSALS.counts)
        room = Room(payers.alone, self._purse, shadowed, ledger)
        self._reserving = Reserving(ledger, payers, promises, room, self._purse, self._took)
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
        payers = payers_of(section, site.target, site.ground)
        if site.ground.shadow:
            return ShadowSpending(section, site, payers)
        if any(price.open for price in prices):
            return MeteredSpending(section, site, payers)
        if section.when is not None or not (payers.plain and section.price.known):
            return cls(section, site, payers)
        tilled = worth_while(section.price, [one.cap for one in section.caps])
        return (TilledSpending if tilled else PlainSpending)(section, site, payers)

    # --- before ---

    def admit(self, attempt: Attempt) -> Verdict | Awaitable[Verdict]:
        """Reserves what it costs, in every budget. Refuses `budget_exceeded`, or `denied` where it
        cannot be told whose budget it is, or what it costs."""
        call, price, now = attempt.call, self._price, self._wall()
        if self._when is not None:
            holds = self._when.holds(call)
            if type(holds) is Refusal:
                return holds
            price = meant(holds, price, self._otherwise, call, now)
        if not price.known:
            self._unknown.add(call.upstream, call.tool)
            if self._deny is not None:
                return self._deny
        accounts = self._payers.asked(call)
        if isinstance(accounts, Refusal):
            return accounts
        return self._reserving.carefully(attempt, Grant.thought(accounts, price, call, now))

    def _took(self, attempt: Attempt, grant: Grant) -> None:
        call = attempt.call
        purse = self._purse(call)
        purse.take(grant)
        attempt.taken[self] = grant
        if len(purse.grants) == 1 and self._books:
            self._ledger.under_way.enter(call)

    def _purse(self, call: Call) -> Purse:
        purse: Purse | Till | Paid | None = call.purse
        if purse is None:
            return self._ledger.purse(call, self._intent)
        if not isinstance(purse, Purse):
            purse = call.purse = purse.apart()
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
                account.total >= account.quiet_below  # some of that may lie in tills
                or account.total > account.promised
            ):
                self._promises.heed(account, call)
        purse = self._purse(call)
        grant.settled = spent
        purse.held -= amount
        purse.spent += spent
        if not attempt.sent:
            purse.known = purse.spent or -1
        elif spent and self._books:
            first = purse.spent == spent
            self._ledger.book(call.agent, call.workflow, spent, call.caller, first, now)

    committed = NothingTaken.committed  # it need not hear of it

    # --- looking ---

    def says(self, call: Call) -> Said:
        """What it costs, and what is left."""
        price, now = self._price, self._wall()
        if self._when is not None:
            holds = self._when.look(call)
            if type(holds) is Refusal:
                return Said(holds.detail, holds)
            price = meant(holds, price, self._otherwise, call, now)
        amount = price.estimate_of(call, now)
        found, lacking = self._payers.seen(call)
        notes, refusal = standing(found, amount, now)
        refusal = refusal if lacking is None else nameless(lacking)
        refusal = refusal if price.known else self._deny or refusal
        return Said("; ".join([priced(price, amount), *notes]), refusal)


class PlainSpending(Spending):
    """Where nothing is to be asked of a call but who it is: nearly everywhere."""

    __slots__ = ()

    def admit(self, attempt: Attempt) -> Verdict | Awaitable[Verdict]:
        """As Spending does it, where there is mostly nothing to be thought of."""
        if attempt.hedge:
            return super().admit(attempt)
        return self._alone(attempt, self._payers.of(attempt.call), self._wall())

    def _alone(
        self, attempt: Attempt, accounts: tuple[Account, ...], now: float
    ) -> Verdict | Awaitable[Verdict]:
        amount = self._price.fixed
        for account in accounts:
            if account.total + amount > account.bound or not account.since <= now < account.until:
                return self._reserving.carefully(attempt, Grant(accounts, amount, self._price))
        for account in accounts:
            account.total += amount
            account.reserved += amount
        self._took(attempt, Grant(accounts, amount, self._price))
        return None


class TilledSpending(PlainSpending):
    """Where limits are far: most calls take what they cost of a till (`state/till.py`)."""

    __slots__ = ("_by", "_calls", "_few", "_found", "_tills", "_under_way")

    def __init__(self, section: Budgets, site: Site, payers: Payers) -> None:
        super().__init__(section, site, payers)
        self._under_way = self._ledger.under_way
        self._calls = self._under_way.calls
        self._tills = tills = Tills(self._ledger, section.price, self._intent, payers.reads)
        self._found, self._few, self._by = tills.found, tills.few, tills.by

    def admit(self, attempt: Attempt) -> Verdict | Awaitable[Verdict]:
        """Mostly it was done before, for many calls at once."""
        call = attempt.call
        if call.purse is not None or attempt.hedge:
            return super().admit(attempt)
        who = call.agent if self._few and not call.workflow else self._by(call)
        till = self._found.get(who)
        if till is None or not till.left:
            accounts, now = self._payers.of(call), self._wall()
            till = self._tills.opened(call, accounts, now)
            if till is None:
                return self._alone(attempt, accounts, now)
        till.left -= 1
        call.purse = till
        self._calls[call.id] = call
        if self._under_way.idle:
            self._under_way.wake()
        return None

    def settle(self, attempt: Attempt, reply: Reply) -> None:
        """Most calls are answered well, and have spent what was thought."""
        call = attempt.call
        till = call.purse
        if type(till) is Till and reply.result is SUCCESS and attempt.sent:
            now = self._wall()
            if till.since <= now < till.until:
                till.due -= 1
                till.touched = now
                call.purse = till.paid
                if not till.due:
                    till.close()
                return
        if self not in attempt.taken:  # it came by a till, as the first of its call
            attempt.taken[self] = self._purse(call).grants[0]
        super().settle(attempt, reply)


class MeteredSpending(Spending):
    """Where it is not known before what a sending costs."""

    __slots__ = ()

    def _took(self, attempt: Attempt, grant: Grant) -> None:
        """Part of Spending."""
        super()._took(attempt, grant)
        call = attempt.call
        if grant.price.open:
            grant.looks_ahead(shared=self._ledger.leases is not None)
            self._purse(call).known = -1
            grant.watch_request(call, partial(self._grow, call, grant))

    def settle(self, attempt: Attempt, reply: Reply) -> None:
        """What it cost takes the place of what was reserved."""
        super().settle(attempt, reply)
        attempt.taken[self].looks_ahead(shared=False)

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
        return Purse()

    def _outgrown(self, call: Call, because: Refusal) -> None:
        """It goes on."""


def payers_of(section: Budgets, target: Target, ground: Ground) -> Payers:
    """Of the calls of one link."""
    return Payers(_caps(section, ground), target, Ledger.on(ground))


def _caps(section: Budgets, ground: Ground) -> Iterator[tuple[Asks | None, Cap]]:
    for one in section.caps:
        when = Condition.on(one.when, one.cap.name, "budgets", ground)
        yield None if when is None else when.holds, one.cap


def _cost(grant: Grant, reply: Reply) -> int:
    """Of one that was sent."""
    coding = reply.fields.get(b"content-encoding", b"")
    return grant.cost(reply, partial(_without, coding))


def _without(coding: bytes, content: bytes) -> bytes | None:
    plain = decoded(content, coding, LONGEST_READ)
    return None if isinstance(plain, Refusal) else plain
