"""What `holdfast top` shows, reckoned from what the proxy said; nothing is drawn here.

Ages are reckoned by the proxy's clock: that of who looks may be wrong.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from proxy.cli.top_asked import Crowd, Seen

Item = dict[str, Any]


class Kill(msgspec.Struct, frozen=True):
    """What is killed."""

    scope: str
    reason: str
    by: str
    ago: float  # seconds
    left: float | None  # seconds until it ends by itself


class Open(msgspec.Struct, frozen=True):
    """A circuit that is open."""

    key: str
    ago: float | None
    why: str | None
    next_probe_in: float | None


class Tool(msgspec.Struct, frozen=True):
    """A tool, or all of them together."""

    upstream: str
    tool: str
    circuit: str | None
    per_second: float
    errors: float | None
    refused: int
    in_flight: int
    queued: int
    p95: float | None
    p99: float | None
    per_hour: str  # US dollars


class Purse(msgspec.Struct, frozen=True):
    """One window of a budget, for one key."""

    budget: str
    whose: str
    window: str
    share: float
    left: str  # US dollars, as the others
    limit: str
    resets_in: float | None


class Agent(msgspec.Struct, frozen=True):
    """Who calls."""

    name: str | None  # None: nobody knew, or many that share a row
    others: bool
    in_flight: int
    per_second: float | None  # None: not known yet
    refused: int
    ago: float | None  # since its last call
    spent: str | None  # today, in US dollars


class Waiting(msgspec.Struct, frozen=True):
    """Calls that wait for a person."""

    count: int
    more: bool  # than the count
    oldest: float | None  # seconds
    tool: str | None = None  # of the oldest
    agent: str | None = None


class Journal(msgspec.Struct, frozen=True):
    """How the journal does."""

    ok: bool
    state: str
    why: str | None
    held: int
    dropped: int
    tampered: str | None


class Figures(msgspec.Struct, frozen=True):
    """All of it, at one moment."""

    version: str
    word: str  # ready | not ready | draining
    uptime: float
    listen: str | None
    policies: str | None  # their version
    rejected: str | None  # why the last reload failed
    killed: int
    kills: list[Kill]  # the newest of them
    total: Tool
    refused: dict[str, int]  # by code, the most first
    circuits: list[Open]  # that are open, the newest first
    tools: list[Tool]
    spent: str | None  # today
    purses: list[Purse]  # the fullest first
    agents: list[Agent] | None  # the busiest first; None: the proxy does not tell
    waiting: Waiting | None
    journal: Journal | None


def figures(seen: Seen) -> Figures:
    """Raises anything at all where what was seen is not what the proxy says."""
    status = seen.status
    now = _moment(status["started"]) + status["uptime"]
    money, kills, policies = status["money"], status["kills"], status["policies"]
    refused = sorted(status["refused"].items(), key=lambda one: (-one[1], one[0]))
    together = {"upstream": "", "tool": "", "circuit": None, **status["together"]}
    return Figures(
        version=status["version"],
        word="draining" if status["draining"] else "ready" if status["ready"] else "not ready",
        uptime=status["uptime"],
        listen=status["listen"],
        policies=policies["version"],
        rejected=policies["rejected"] and policies["rejected"]["why"],
        killed=kills["count"],
        kills=[_kill(item, now) for item in kills["items"]],
        total=_tool(together),
        refused=dict(refused),
        circuits=sorted(map(_open, seen.circuits), key=lambda one: (one.ago or 0.0, one.key)),
        tools=[_tool(item) for item in status["tools"]],
        spent=money and money["spent"],
        purses=sorted(_purses(money["fullest"], now), key=lambda one: -one.share) if money else [],
        agents=_agents(seen.crowd, seen.earlier, money, now),
        waiting=_waiting(seen.approvals, now),
        journal=_journal(status["journal"]),
    )


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _since(text: str | None, now: float) -> float | None:
    return None if text is None else max(0.0, round(now - _moment(text), 3))


def _until(text: str | None, now: float) -> float | None:
    return None if text is None else max(0.0, round(_moment(text) - now, 3))


def _kill(item: Item, now: float) -> Kill:
    return Kill(
        scope=item["scope"],
        reason=item["reason"],
        by=item["by"],
        ago=_since(item["since"], now) or 0.0,
        left=_until(item["until"], now),
    )


def _open(item: Item) -> Open:
    key = f"{item['bulkhead']}:{item['key']}" if item["bulkhead"] else item["key"]
    return Open(key, item["for"], item["why"], item["next_probe_in"])


def _tool(item: Item) -> Tool:
    return Tool(
        upstream=item["upstream"],
        tool=item["tool"],
        circuit=item["circuit"],
        per_second=item["per_second"],
        errors=item["errors"],
        refused=sum(item["refused"].values()),
        in_flight=item["in_flight"],
        queued=item["queued"],
        p95=item["p95"],
        p99=item["p99"],
        per_hour=item["cost_per_hour"],
    )


def _purses(items: list[Item], now: float) -> Iterator[Purse]:
    for item in items:
        for one in item["windows"]:
            left = Decimal(one["limit"]) - Decimal(one["spent"]) - Decimal(one["reserved"])
            yield Purse(
                budget=item["budget"],
                whose=item["per"] if item["key"] is None else f"{item['per']} {item['key']}",
                window=f"{one['seconds']} s" if one["seconds"] else one["window"],
                share=one["share"],
                left=f"{max(left, Decimal('0.00')):f}",
                limit=one["limit"],
                resets_in=_until(one["resets_at"], now),
            )


def _agents(
    crowd: Crowd | None, earlier: Crowd | None, money: Item | None, now: float
) -> list[Agent] | None:
    spent = {one["agent"] or None: one["spent"] for one in money["agents"]} if money else {}
    if crowd is None:
        known = [Agent(name, False, 0, None, 0, None, much) for name, much in spent.items()]
        return known or None
    before: dict[tuple[bool, str | None], int] = {}
    seconds = 0.0
    if earlier is not None:
        before = {(item["others"], item["id"]): item["calls"] for item in earlier.items}
        seconds = crowd.at - earlier.at
    agents = [
        Agent(
            name=item["id"],
            others=item["others"],
            in_flight=item["in_flight"],
            per_second=_rate(item["calls"], before.get((item["others"], item["id"]), 0), seconds),
            refused=sum(item["refused"].values()),
            ago=_since(item["last_seen"], now),
            spent=None if item["others"] else spent.get(item["id"]),
        )
        for item in crowd.items
    ]
    return sorted(agents, key=_busy)


def _rate(calls: int, before: int, seconds: float) -> float | None:
    """None: nobody looked before. A proxy that was started again counts from nothing."""
    grown = calls - before if calls >= before else calls
    return round(grown / seconds, 3) if seconds > 0 else None


def _busy(agent: Agent) -> tuple[float, int, float, str]:
    never = float("inf")
    last = never if agent.ago is None else agent.ago
    return -(agent.per_second or 0.0), -agent.in_flight, last, agent.name or ""


def _waiting(page: Item | None, now: float) -> Waiting | None:
    if page is None:
        return None
    items = page["items"]
    if not items:
        return Waiting(0, False, None)
    first = min(items, key=lambda item: _moment(item["asked"]))
    return Waiting(
        count=len(items),
        more=page["next"] is not None,
        oldest=_since(first["asked"], now),
        tool=first["tool"] or None,
        agent=first["agent"] or None,
    )


def _journal(item: Item | None) -> Journal | None:
    if item is None:
        return None
    fields = ("ok", "state", "why", "held", "dropped", "tampered")
    return Journal(*(item[field] for field in fields))
