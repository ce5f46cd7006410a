"""What is said of money: to agents, where there is no room for a call, and to people."""

from collections.abc import Iterable, Sequence

import msgspec

from proxy.clock import NEVER
from proxy.refusal import Refusal
from proxy.state.account import Account
from proxy.state.allotment import Allotment
from proxy.state.caps import Cap, Limit
from proxy.state.partners import Shares
from proxy.state.price import Price, dollars
from proxy.units import in_utc


def spent_out(account: Account, micros: int, leases: Shares | None = None) -> Refusal:
    """There is no room in it for so much. `leases`: that other pods may have some of it."""
    full = account.fullest(micros) or list(account.windows())
    one = max(full, key=_resets)
    refusal = _refusal(account.cap, _whose(account), one, micros, account.reserved, full)
    known = one.all_spent + account.reserved + micros > one.limit.micros
    if leases is None or known or account.has_room(micros):
        return refusal
    rest = "other pods hold the rest"
    if leases.scarce:
        rest = f"the store that pods share has the rest, and cannot be asked: {leases.scarce}"
    detail = f"{refusal.detail}; {rest}"
    return msgspec.structs.replace(refusal, detail=detail, next_step="retry_later")


def one_call(cap: Cap, limit: int, spent: int, micros: int) -> Refusal:
    """A call may cost no more than so much, and it has spent something already."""
    detail = f"It would cost {dollars(spent + micros)} USD; one call may cost {dollars(limit)}"
    return Refusal(
        "budget_exceeded",
        detail,
        policy=cap.name,
        scope="request",
        next_step="retry_modified",
        facts=_facts(cap, "request", limit, spent, None),
    )


def _refusal(
    cap: Cap, whose: str, one: Allotment, micros: int, reserved: int, full: Sequence[Allotment]
) -> Refusal:
    limit, resets = one.limit, max(map(_resets, full))
    held = f", {dollars(reserved)} is reserved" if reserved else ""
    spent = one.all_spent
    left = f"{dollars(spent)} of {dollars(limit.micros)} USD is spent{held}"
    return Refusal(
        "budget_exceeded",
        f"Budget {cap.name} for {whose} has no room for {dollars(micros)} USD: {left}",
        policy=cap.name,
        scope=cap.per,
        facts=_facts(cap, limit.window, limit.micros, spent, told_at(resets)),
    )


def _facts(
    cap: Cap, window: str, limit: int, spent: int, resets_at: str | None
) -> tuple[tuple[str, object], ...]:
    return (
        ("name", cap.name),
        ("window", window),
        ("limit", dollars(limit)),
        ("spent", dollars(spent)),
        ("resets_at", resets_at),
    )


def _whose(account: Account) -> str:
    per = account.cap.per
    return f"{per} {account.key}" if account.key else f"calls without {per}"


def _resets(one: Allotment) -> float:
    return one.resets_at


def told_at(at: float) -> str | None:
    """A moment as RFC 3339 has it; None: never."""
    if at == NEVER:
        return None
    return in_utc(at, "seconds")


def unpriced(tool: str, policy: str) -> Refusal:
    """Nobody says what it costs, and that is not allowed."""
    detail = f"Nobody has said what {tool} costs, and what has no price is not allowed"
    return Refusal("denied", detail, policy=policy, scope="tool", next_step="ask_owner")


def nameless(cap: Cap) -> Refusal:
    """A cap must know whose money it is, and the call does not say it."""
    detail = f"Budget {cap.name} counts by {cap.per}, and this call says none"
    step = "retry_modified"
    return Refusal("denied", detail, policy=cap.name, scope=cap.per, next_step=step)


def priced(price: Price, amount: int) -> str:
    """What a call costs, to people."""
    if not price.known:
        return f"nobody says what it costs; {dollars(amount)} USD is assumed"
    about = "at least " if price.open else ""
    about = about if price.tariff is None else "about "
    return f"costs {about}{dollars(amount)} USD"


def left(cap: Cap, account: Account | None, at: float) -> str:
    """What is spent of a cap, to people, when the clock shows `at`. None: nobody has spent
    anything yet."""
    if account is None and cap.per == "request":
        return f"{cap.name}: at most {dollars(cap.limits[0].micros)} a call"
    if account is None:
        limits = ", ".join(f"{dollars(one.micros)} {_within(one)}" for one in cap.limits)
        return f"{cap.name}: nothing spent of {limits}"
    told = (
        f"{dollars(one.all_spent)} of {dollars(one.limit.micros)} {_within(one.limit)}"
        for one in account.windows(at)
    )
    return f"{cap.name}: {', '.join(told)}, {dollars(account.reserved)} reserved"


def standing(
    found: Iterable[tuple[Cap, Account | None]], micros: int, at: float
) -> tuple[list[str], Refusal | None]:
    """What is spent of each cap, to people, and what would be said to a call of this price."""
    notes: list[str] = []
    refusal: Refusal | None = None
    for cap, account in found:
        notes.append(left(cap, account, at))
        if micros and cap.on_exceed != "shadow":
            refusal = refusal or _full(cap, account, micros, at)
    return notes, refusal


def _full(cap: Cap, account: Account | None, micros: int, at: float) -> Refusal | None:
    if account is None and cap.per == "request":
        limit = cap.limits[0].micros
        return one_call(cap, limit, 0, micros) if micros > limit else None
    account = account or Account(cap, "", at)
    there = account.has_room(micros) or account.starves(micros)  # other pods may have some
    return None if there else spent_out(account, micros)


def _within(limit: Limit) -> str:
    match limit.window:
        case "total":
            return "in all"
        case "rolling":
            return f"in {limit.seconds} s"
        case window:
            return f"a {window}"
