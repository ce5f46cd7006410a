"""`/v1/budgets`: what may be spent, by whom, and what was; and whose money a workflow's is.

Amounts are US dollars as decimal text, as refusals have them. There may be thousands of keys that
agents made up, and this runs on the loop: only what is on the page is looked at closely.
"""

from collections.abc import Iterable, Iterator, Mapping
from heapq import nsmallest

from proxy.admin.answers import NotDone
from proxy.admin.lists import BadParameter, Item, Key, after, cursor, limit, page
from proxy.admin.routes import CURSOR, LIMIT, Parameter, Visit
from proxy.admin.sight import Sight
from proxy.config.places import visible
from proxy.keys import LEDGER
from proxy.state.account import Account
from proxy.state.allotment import Allotment
from proxy.state.attribution import VIEWS
from proxy.state.caps import NOBODY, WHOLE, Cap
from proxy.state.ledger import Ledger
from proxy.state.price import dollars
from proxy.state.spent_out import told_at

_LISTED = ("budget", "key", "limit", "cursor")
_DIVIDED = ("workflow", "by", "limit", "cursor")
ASKED = (
    Parameter("budget", "Only its accounts."),
    Parameter("key", "Only those of this key."),
    Parameter("workflow", "What each agent is charged of it, instead."),
    Parameter("by", "In which of its views.", {"type": "string", "enum": list(VIEWS)}),
    LIMIT,
    CURSOR,
)
"""The parameters of the page."""
_DAY = 86_400
_AGENTS, _FULLEST = 10, 5
"""On one screen."""


class Budgets:
    """The handler."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight

    def page(self, visit: Visit) -> Item:
        """Accounts, by budget and key; or, where a workflow is named, what each of its agents is
        charged. Raises BadParameter, NotDone."""
        query = visit.request.query
        divides = "workflow" in query or "by" in query
        _check(query, _DIVIDED if divides else _LISTED)
        ledger = self._sight.keep.seen(LEDGER) or Ledger(self._sight.clock.fast_wall, str)
        if divides:
            return _attributed(ledger, query)
        found = _accounts(ledger, query)
        most, last = limit(query), after(query)
        rest = (key for key in found if last is None or key > last)
        keys = nsmallest(most + 1, rest)
        now = ledger.wall()
        items = [_item(*found[key], now) for key in keys[:most]]
        return {"items": items, "next": cursor(keys[most - 1]) if len(keys) > most else None}


def money(sight: Sight) -> Item | None:
    """What is spent today, by whom, and the fullest budgets; null: nobody counts."""
    ledger = sight.keep.seen(LEDGER)
    if ledger is None or not (ledger.caps or ledger.total):
        return None
    now = ledger.wall()
    spent = ledger.today(now)
    most = nsmallest(_AGENTS, spent.items(), key=lambda one: (-one[1], one[0]))
    return {
        "since": told_at(now // _DAY * _DAY),
        "spent": dollars(sum(spent.values())),
        "agents": [{"agent": agent, "spent": dollars(micros)} for agent, micros in most],
        "fullest": fullest(ledger, _FULLEST),
    }


def spent_today(sight: Sight) -> dict[str, int] | None:
    """By each agent, in micro-dollars; None: nobody counts."""
    ledger: Ledger | None = sight.keep.seen(LEDGER)
    if ledger is None or not (ledger.caps or ledger.total):
        return None
    return ledger.today(ledger.wall())


def fullest(ledger: Ledger, most: int) -> list[Item]:
    """The accounts of which the greatest part of a window is used, that first."""
    return _first(_in_force(ledger), ledger.wall(), most)


def of_fleet(ledger: Ledger, most: int) -> list[Item]:
    """The same of those that pods share."""
    shared = (account for account in _in_force(ledger) if account.shares)
    return _first(shared, ledger.wall(), most)


def _first(accounts: Iterable[Account], now: float, most: int) -> list[Item]:
    used = ((-_used(one, now), one.label, one) for one in accounts)
    first = nsmallest(most, (one for one in used if one[0]), key=lambda one: one[:2])
    return [_item(account.cap, account, now) for _, _, account in first]


def _used(account: Account, now: float) -> float:
    account.windows(now)
    return account.used


def _in_force(ledger: Ledger) -> Iterator[Account]:
    return (account for account in ledger.accounts() if account.cap.name in ledger.caps)


def _accounts(ledger: Ledger, query: Mapping[str, str]) -> dict[Key, tuple[Cap, Account | None]]:
    """Those that are asked for; a cap of which nothing was spent yet stands for itself."""
    budget, whose = query.get("budget"), query.get("key")
    wanted = (cap for name, cap in ledger.caps.items() if budget in (None, name))
    found: dict[Key, tuple[Cap, Account | None]] = {}
    for cap in wanted:
        accounts = ledger.of(cap.name)
        if not accounts and whose is None:
            found[cap.name, ""] = (cap, None)
        for key, account in accounts.items():
            if whose in (None, key or NOBODY):
                found[cap.name, key] = (account.cap, account)
    return found


def _item(cap: Cap, account: Account | None, now: float) -> Item:
    key = None if account is None else account.key or NOBODY
    return {
        "budget": cap.name,
        "per": cap.per,
        "key": key,
        "windows": _empty(cap) if account is None else _windows(account, now),
        "on_exceed": cap.on_exceed,
        "alert_at": [share / WHOLE for share in cap.alert_at],
        "overrun": dollars(0 if account is None else account.overrun),
    }


def _empty(cap: Cap) -> list[Item]:
    return [
        {
            "window": one.window,
            "seconds": one.seconds or None,
            "limit": dollars(one.micros),
            "spent": dollars(0),
            "reserved": dollars(0),
            "left": dollars(one.micros),
            "share": 0.0,
            "resets_at": None,
            "alerts": [],
        }
        for one in cap.limits
    ]


def _windows(account: Account, now: float) -> list[Item]:
    return [_window(account, one) for one in account.windows(now)]


def _window(account: Account, one: Allotment) -> Item:
    micros = one.limit.micros
    raised = account.cap.alert_at[: one.alerted]
    return {
        "window": one.limit.window,
        "seconds": one.limit.seconds or None,
        "limit": dollars(micros),
        "spent": dollars(one.all_spent),
        "reserved": dollars(account.reserved),
        "left": dollars(max(0, micros - one.all_spent - account.reserved)),
        "share": round((one.all_spent + account.reserved) / micros, 4) if micros else 1.0,
        "resets_at": told_at(one.resets_at),
        "alerts": [share / WHOLE for share in raised],
    }


def _attributed(ledger: Ledger, query: Mapping[str, str]) -> Item:
    workflow, view = query.get("workflow", ""), query.get("by", VIEWS[0])
    if not workflow:
        raise BadParameter("workflow: say of which; by is for a workflow")
    if view not in VIEWS:
        raise BadParameter(f"by: expected {', '.join(VIEWS)}, found {visible(view)}")
    work = ledger.by_workflow.get(workflow)
    if work is None:
        raise NotDone(404, "nothing was spent in a workflow of this name, of late")
    total = work.total
    items = (
        {
            "agent": agent,
            "spent": dollars(micros),
            "share": round(micros / total, 4) if total else 0.0,
            "calls": work.calls.get(agent, 0),
        }
        for agent, micros in work.by(view).items()
    )
    shown = page(items, lambda item: (item["agent"],), query)
    return {"workflow": workflow, "by": view, "total": dollars(total), **shown}


def _check(query: Mapping[str, str], known: tuple[str, ...]) -> None:
    """A filter that is misspelled would else let everything through."""
    for name in query:
        if name not in known:
            raise BadParameter(f"{visible(name)}: is no parameter; known are {', '.join(known)}")
