"""The ledger: every account of every budget, who spent what, and how both survive a crash.

The journal is the truth. A finished call's record says what it was charged to (`charges`), and what
is spent is the sum of that. What a crash may lose is the last batch of records; for that there are
promises (`state/account.py`): a `budget.lease` says how far an account may go before anybody hears
of it again. Whoever starts after a crash counts as spent what was promised and is not accounted
for, by calls that ended or by intents of calls that did not. After a clean stop nothing is.

An agent may make up as many workflows as it likes, so keys are counted, and the oldest that nobody
uses makes room. That gives the agent nothing: a new key is a new budget either way, and a cap that
holds is one by something that it cannot make up.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

import msgspec

from proxy.call import Call
from proxy.keys import LEDGER
from proxy.record import Intent
from proxy.stage import Ground
from proxy.state.account import Account
from proxy.state.attribution import Work
from proxy.state.books import Books, add
from proxy.state.caps import Cap
from proxy.state.partners import Shares
from proxy.state.purse import Purse
from proxy.state.reserves import Reserves
from proxy.state.told_of_money import Alert, Lease, Passed
from proxy.state.under_way import UnderWay
from proxy.units import Moment

MOST_KEYS = 10_000
"""Of one budget, at once."""
_MOST_TILLS = 1_024
_LOOKED_THROUGH = 64  # accounts, for one that may make room
_NOTHING: tuple[int, dict[str, int]] = (0, {})


def _nowhere(entry: Any) -> None:
    """Nobody keeps a journal."""


def _nobody(account: Account, passed: Passed) -> None:
    """Nobody listens."""


def _goes_on(call: Any, refusal: Any) -> None:
    """Nobody ends it."""


class Ledger:
    """All accounts. A room of the journal."""

    __slots__ = (
        "__weakref__", "_accounts", "_books", "_caps", "_counted", "_open", "_uuid", "abort", "ask",
        "evicted", "forgotten", "heard", "leases", "note", "tills", "under_way", "wall",
    )  # fmt: skip

    name = "ledger"
    types = frozenset(
        {"call.intent", "call.finished", "budget.lease", "budget.alert", "start", "stop"}
    )
    idle = False  # never makes room for others in the Keep

    def __init__(self, wall: Callable[[], float], uuid: Callable[[], str]) -> None:
        self.wall = wall
        self.evicted = 0
        """Grows when accounts are forgotten: who remembers which are whose asks again."""
        self.forgotten: dict[str, int] = {}
        """The overrun of those, by budget."""
        self._books = Books()
        self.tills: dict[Reserves, None] = {}
        """Those that are open."""
        self.under_way = UnderWay()
        self.leases: Shares | None = None
        """Asks other pods, where limits are shared."""
        self.note: Callable[[Any], None] = _nowhere
        self.heard: Callable[[Account, Passed], None] = _nobody
        self.abort: Callable[[Any, Any], None] = _goes_on
        """Ends the workflow of a call, of which this refusal is said."""
        self.ask: Callable[[Any, Any], Awaitable[Any]] | None = None
        """Asks a person whether a call may go, of which this refusal is said."""
        self._uuid = uuid
        self._caps: dict[str, Cap] = {}
        self._accounts: dict[str, dict[str, Account]] = {}
        self._open: dict[str, dict[str, int]] = {}  # calls without an end, while it is rebuilt
        self._counted: dict[str, tuple[int, dict[str, int]]] = {}  # likewise: what is known of them

    @classmethod
    def on(cls, ground: Ground) -> "Ledger":
        """The one of this process; a shadow's is its own."""
        clock = ground.clock
        return ground.kept(LEDGER, lambda: cls(clock.fast_wall, clock.uuid))

    # --- accounts ---

    def obey(self, caps: Iterable[Cap]) -> None:
        """These are in force. Accounts of others stay as they are, for their caps may come back.
        Alerts that are due by them are raised now: where a limit is full already, there may be no
        call any more that would."""
        self.reckon()
        self._caps = {cap.name: cap for cap in caps}
        at = self.wall()
        for name, cap in self._caps.items():
            for account in self.of(name).values():
                if account.cap != cap:
                    account.obey(cap, at)
                if account.spent >= account.quiet_below:
                    account.clear(0, at)  # perhaps that was in another window
                    self.look(account)
        if self.leases is not None:
            self.leases.obeyed()

    def account(self, cap: Cap, key: str, at: float | None = None) -> Account:
        """Of a cap that is in force, or was when a call began. `at`: then, and not now."""
        accounts = self._accounts.setdefault(cap.name, {})
        account = accounts.get(key)
        if account is None:
            if len(accounts) >= MOST_KEYS:
                self._make_room(accounts)
            current = self._in_force(cap.name) or cap
            account = accounts[key] = self._made(current, key, self.wall() if at is None else at)
        return account

    def _made(self, cap: Cap, key: str, at: float) -> Account:
        if self.leases is None:
            return Account(cap, key, at)
        account = self.leases.back(f"{cap.name}:{key}") or Account(cap, key, at, leased=True)
        account.obey(cap, at)
        account.bar(self.leases.barred)
        return account

    def share(self, leases: Shares, wall: Callable[[], float]) -> None:
        """From now on limits are shared with other pods. `wall`: the clock that they share."""
        self.leases, self.wall = leases, wall
        for account in self.accounts():
            account.lease()

    def _make_room(self, accounts: dict[str, Account]) -> None:
        """The one used longest ago of some of the oldest, of which nothing is reserved."""
        oldest = list(islice(accounts.values(), _LOOKED_THROUGH))
        for account in oldest:
            account.reckon()
        idle = [account for account in oldest if not account.reserved]
        for account in oldest:  # the others are not looked at again soon
            accounts[account.key] = accounts.pop(account.key)
        if idle:
            gone = accounts.pop(min(idle, key=lambda account: account.touched).key)
            self.evicted += 1
            if self.leases is not None:
                self.leases.gone(gone)
            if gone.overrun:
                add(self.forgotten, gone.cap.name, gone.overrun)

    def accounts(self) -> Iterator[Account]:
        """All of them; those of caps that are in force first."""
        self.reckon()
        for name in sorted(self._accounts, key=lambda name: name not in self._caps):
            yield from self._accounts[name].values()

    def of(self, budget: str) -> Mapping[str, Account]:
        """Those of one, by their keys."""
        self.reckon()
        return self._accounts.get(budget, {}) if self._in_force(budget) else {}

    def _in_force(self, budget: str) -> Cap | None:
        """The cap of this name that has accounts. That of a single call has none, whatever was
        called so before."""
        cap = self._caps.get(budget)
        return None if cap is None or cap.per == "request" else cap

    def seen(self, cap: Cap, key: str) -> Account | None:
        """The account, for who only looks."""
        return self._accounts.get(cap.name, {}).get(key)

    @property
    def caps(self) -> dict[str, Cap]:
        """Those in force, by their names."""
        return self._caps

    # --- spending ---

    @property
    def total(self) -> int:
        """All that was ever spent, in micro-dollars."""
        self.reckon()
        return self._books.total

    @property
    def by_agent(self) -> dict[str, int]:
        """The same of each agent."""
        self.reckon()
        return self._books.by_agent

    @property
    def by_workflow(self) -> dict[str, Work]:
        """What was spent in the workflows of late."""
        self.reckon()
        return self._books.by_workflow

    def today(self, at: float) -> dict[str, int]:
        """What each agent spent on the day in which it is."""
        self.reckon()
        return self._books.today.on(at)

    def midnight(self, at: float) -> float:
        """When the day ends in which it is."""
        if at >= self._books.today.until:
            self.today(at)
        return self._books.today.until

    def reckon(self) -> None:
        """All that is spent is to be known: who looks sees no till. On the loop."""
        for till in tuple(self.tills):
            till.close()

    def make_room_for_tills(self) -> None:
        """There is to be another one; but an agent may make up as many workflows as it likes."""
        if len(self.tills) >= _MOST_TILLS:
            self.reckon()

    def purse(self, call: Call, intent: Callable[[Call], Intent] | None) -> Purse:
        """For a call that may spend, until its record is noted. `intent`: makes its intent, if it
        needs one."""
        made = call.purse = Purse(self.under_way.calls, intent)
        return made

    def book(
        self,
        agent: str,
        workflow: str,
        micros: int,
        caller: str = "",
        calls: int = 1,
        at: float | None = None,
    ) -> None:
        """It was spent by one, by so many more calls, whatever budgets there are. `at`: then, and
        not now."""
        at = self.wall() if at is None else at
        if at >= self._books.today.until:
            self.reckon()  # what lies in tills is of the day before
        self._books.book(agent, workflow, micros, caller, calls, at)

    def lease(self, account: Account, micros: int) -> int:
        """Ask the journal for what an account needs. What it then may come to."""
        high = account.ask(micros)
        self.note(Lease(self._uuid(), account.cap.name, account.key, high))
        return high

    def lower(self, account: Account) -> None:
        """Its share is less than was promised of it."""
        high = max(account.ceiling, account.total)
        account.lower(high)
        self.note(Lease(self._uuid(), account.cap.name, account.key, high, lower=True))

    def look(self, account: Account) -> None:
        """Much was spent of it: are there alerts to be raised?"""
        for passed in account.passed():
            say = partial(self._alert, account, passed)
            if self.leases is None:
                say()
            else:
                told = (account.label, passed.window, passed.share, passed.resets_at)
                self.leases.once("|".join(map(str, told)), say)

    def _alert(self, account: Account, passed: Passed) -> None:
        self.note(
            Alert(
                self._uuid(), account.cap.name, account.key, passed.window, passed.share,
                passed.spent, passed.limit,
            )
        )  # fmt: skip
        self.heard(account, passed)

    # --- the journal: part of Rebuilt ---

    def dump(self) -> Any:
        """Its state, as JSON has it. What calls have spent that go on is in it, and will be in
        their records once more: so it is told apart as well."""
        self.reckon()
        return {
            **self._books.dump(),
            "accounts": msgspec.Raw(
                b"[%b]" % b",".join([account.row() for account in self.accounts()])
            ),
            "purses": [list(spent) for spent in self.under_way.spent()],
        }

    def load(self, state: Any) -> None:
        """Take what `dump` gave. Accounts of budgets that no policy has any more are dropped."""
        self._books = Books.load(state)
        self._counted = {call: (spent, charges) for call, spent, charges in state["purses"]}
        for name, key, spent, promised, touched, kept in state["accounts"]:
            cap = self._in_force(name)
            if cap is not None:
                account = self.account(cap, key)
                account.restore(spent, promised, kept)
                account.touched = touched

    def apply(self, record: dict[str, Any]) -> None:
        """Part of Rebuilt: what the journal tells was done."""
        kind = record["type"]
        if kind == "call.finished":
            self._open.pop(record["id"], None)
            self._charge(record)
        elif kind == "call.intent":
            if "charges" in record:
                self._open[record["id"]] = record["charges"]
        elif kind == "start":
            self._account_for(_at(record))
        elif kind == "stop":
            self._all_told()
        else:
            self._recall(record)

    def _charge(self, record: dict[str, Any]) -> None:
        at = _at(record)
        counted, of = self._counted.pop(record["id"], _NOTHING)
        micros = record.get("cost_micros", 0) - counted
        if micros > 0:
            workflow, caller = record.get("workflow", ""), record.get("caller", "")
            self.book(record["agent"], workflow, micros, caller, not counted, at)
        for label, charged in record.get("charges", {}).items():
            account, more = self._labelled(label, at), charged - of.get(label, 0)
            if account is not None and more > 0:
                account.charge(more, at)

    def _recall(self, record: dict[str, Any]) -> None:
        """A promise, or an alert that was raised."""
        at = _at(record)
        account = self._labelled(f"{record['budget']}:{record['key']}", at)
        if account is None:
            return
        if record["type"] == "budget.lease":
            take = account.lower if record.get("lower") else account.promise
            take(record["high"])
            return
        account.raised(record["window"], record["share"], at)

    def _account_for(self, at: float) -> None:
        """The process begins anew. What was promised, and nobody accounts for, counts as spent."""
        missing: dict[str, int] = {}
        for call, charges in self._open.items():
            _, of = self._counted.get(call, _NOTHING)
            for label, reserved in charges.items():
                missing[label] = missing.get(label, 0) + max(0, reserved - of.get(label, 0))
        for account in self.accounts():
            lost = account.promised - account.total - missing.get(account.label, 0)
            if lost > 0 and account.promised:
                account.charge(lost, at)

    def _all_told(self) -> None:
        """The process ended as it should: all is in the journal."""
        for account in self.accounts():
            account.promised = account.asked = account.spent
            account.promise(account.spent)

    def _labelled(self, label: str, at: float) -> Account | None:
        name, _, key = label.partition(":")
        cap = self._in_force(name)
        return None if cap is None else self.account(cap, key, at)


def _at(record: dict[str, Any]) -> float:
    """When it was noted. A plain float, for it is kept in snapshots."""
    return float(Moment.parse(record["ts"]))
