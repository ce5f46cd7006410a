"""What a proxy says to `holdfast top`, and the figures of it."""

from typing import Any

from proxy.cli.top_figures import Figures, figures

COUNTS: dict[str, Any] = {
    "in_flight": 3, "queued": 0, "calls": 7, "per_second": 0.5, "errors": None, "refused": {},
    "cost_per_hour": "0.00", "p95": 0.0041, "p99": 0.0093,
}  # fmt: skip
TOOL: dict[str, Any] = {"upstream": "gateway", "tool": "pay", "circuit": "closed", **COUNTS}
UPSTREAM: dict[str, Any] = {"name": "gateway", "circuit": None}
KILL: dict[str, Any] = {
    "scope": "agent:pay-*", "reason": "wrong recipients", "by": "alice",
    "since": "2026-11-28T03:00:00.000Z", "until": "2026-11-28T03:11:00.000Z",
}  # fmt: skip
WINDOW: dict[str, Any] = {
    "window": "hour", "seconds": None, "limit": "5.00", "spent": "4.10", "reserved": "0.02",
    "left": "0.88", "share": 0.824, "resets_at": "2026-11-28T04:00:00Z", "alerts": [],
}  # fmt: skip
BUDGET: dict[str, Any] = {"budget": "agent", "per": "agent", "key": "a-1", "windows": [WINDOW]}
MONEY: dict[str, Any] = {
    "spent": "4.10", "agents": [{"agent": "a-1", "spent": "4.10"}], "fullest": [BUDGET],
}  # fmt: skip
JOURNAL: dict[str, Any] = {
    "ok": True, "state": "ok", "why": None, "held": 0, "dropped": 0, "tampered": None,
}  # fmt: skip
CIRCUIT: dict[str, Any] = {
    "key": "gateway/pay", "bulkhead": None, "shadow": False, "state": "open", "for": 4.0,
    "why": "consecutive", "next_probe_in": 6.0,
}  # fmt: skip
AGENT: dict[str, Any] = {
    "id": "a-1", "others": False, "calls": 10, "last_seen": "2026-11-28T03:00:55.000Z",
    "in_flight": 2, "refused": {"killed": 3}, "per_second": 2.0, "spent": None,
}  # fmt: skip
ASKED: dict[str, Any] = {"for": 120.0, "tool": "pay", "agent": "a-1"}
ALERT: dict[str, Any] = {
    "severity": "page", "name": "SloBurn", "summary": "works: 4 of 29 bad in 6h",
    "starts": "2026-11-28T03:00:30.000Z", "acknowledged_by": None,
}  # fmt: skip


def status(**changes: Any) -> dict[str, Any]:
    """The page, a minute after the start at 03:00."""
    page: dict[str, Any] = {
        "version": "0.1.0", "started": "2026-11-28T03:00:00.000Z", "uptime": 60.0, "ready": True,
        "draining": False, "listen": "127.0.0.1:8700", "journal": JOURNAL, "money": None,
        "policies": {"version": "ab12cd", "loaded": "2026-11-28T03:00:00.000Z", "rejected": None},
        "kills": {"count": 0, "items": []}, "seconds": 58.0, "together": COUNTS,
        "upstreams": [UPSTREAM], "tools": [TOOL], "refused": {}, "at": "2026-11-28T03:01:00.000Z",
        "open": listed(), "agents": listed(), "waiting": {"count": 0, "oldest": None},
        "alerts": {"firing": 0, "items": []}, "store": None,
    }  # fmt: skip
    return page | changes


def listed(*items: Any, count: int | None = None) -> dict[str, Any]:
    """The first few, and how many there are."""
    return {"count": len(items) if count is None else count, "items": list(items)}


def waiting(*asked: dict[str, Any], count: int = 1) -> dict[str, Any]:
    """Calls that wait, of which this is the oldest."""
    return {"count": count, "oldest": asked[0]}


def seen(**changes: Any) -> Figures:
    """Of an overview that says so."""
    return figures(status(**changes))
