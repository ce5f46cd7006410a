"""What `holdfast top` shows, of what the proxy said (`/v1/overview`); nothing is drawn here.

Nothing is counted here either: the dashboard shows the same answer. Only ages are reckoned, by the
proxy's clock, for that of who looks may be wrong.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

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
    per_second: float
    refused: int
    ago: float | None  # since its last call
    spent: str | None  # today, in US dollars


class Waiting(msgspec.Struct, frozen=True):
    """Calls that wait for a person."""

    count: int
    oldest: float | None = None  # seconds
    tool: str | None = None  # of the oldest
    agent: str | None = None


class Alert(msgspec.Struct, frozen=True):
    """What people are called for."""

    severity: str
    name: str
    summary: str
    ago: float | None
    seen_to: str | None  # who has said so


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
    firing: int
    alerts: list[Alert]  # the most urgent of them
    opened: int
    circuits: list[Open]  # that are open, the newest first
    tools: list[Tool]
    spent: str | None  # today
    purses: list[Purse]  # the fullest first
    agents: list[Agent]  # the busiest
    waiting: Waiting
    journal: Journal | None
    store_lacks: str | None  # why it grants nothing, where pods share one


def figures(told: Item) -> Figures:
    """Raises anything at all where that is not what the proxy says."""
    now = _moment(told["at"])
    money, kills, policies = told["money"], told["kills"], told["policies"]
    refused = sorted(told["refused"].items(), key=lambda one: (-one[1], one[0]))
    together = {"upstream": "", "tool": "", "circuit": None, **told["together"]}
    return Figures(
        version=told["version"],
        word="draining" if told["draining"] else "ready" if told["ready"] else "not ready",
        uptime=told["uptime"],
        listen=told["listen"],
        policies=policies["version"],
        rejected=policies["rejected"] and policies["rejected"]["why"],
        killed=kills["count"],
        kills=[_kill(item, now) for item in kills["items"]],
        total=_tool(together),
        refused=dict(refused),
        firing=told["alerts"]["firing"],
        alerts=[_alert(item, now) for item in told["alerts"]["items"]],
        opened=told["open"]["count"],
        circuits=[_open(item) for item in told["open"]["items"]],
        tools=[_tool(item) for item in told["tools"]],
        spent=money and money["spent"],
        purses=sorted(_purses(money["fullest"], now), key=lambda one: -one.share) if money else [],
        agents=[_agent(item, now) for item in told["agents"]["items"]],
        waiting=_waiting(told["waiting"]),
        journal=_journal(told["journal"]),
        store_lacks=_store_lacks(told["store"]),
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
            yield Purse(
                budget=item["budget"],
                whose=item["per"] if item["key"] is None else f"{item['per']} {item['key']}",
                window=f"{one['seconds']} s" if one["seconds"] else one["window"],
                share=one["share"],
                left=one["left"],
                limit=one["limit"],
                resets_in=_until(one["resets_at"], now),
            )


def _agent(item: Item, now: float) -> Agent:
    return Agent(
        name=item["id"],
        others=item["others"],
        in_flight=item["in_flight"],
        per_second=item["per_second"],
        refused=sum(item["refused"].values()),
        ago=_since(item["last_seen"], now),
        spent=item["spent"],
    )


def _alert(item: Item, now: float) -> Alert:
    ago, seen_to = _since(item["starts"], now), item["acknowledged_by"]
    return Alert(item["severity"], item["name"], item["summary"], ago, seen_to)


def _waiting(item: Item) -> Waiting:
    first = item["oldest"]
    if first is None:
        return Waiting(item["count"])
    return Waiting(item["count"], first["for"], first["tool"], first["agent"])


def _journal(item: Item | None) -> Journal | None:
    if item is None:
        return None
    fields = ("ok", "state", "why", "held", "dropped", "tampered")
    return Journal(*(item[field] for field in fields))


def _store_lacks(item: Item | None) -> str | None:
    return None if item is None or item["grants"] else item["why"] or "it grants nothing"
