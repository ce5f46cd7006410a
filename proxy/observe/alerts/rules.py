"""What policies say of alerts: timing, routes, ladders. Frozen data, judged by `config`."""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec


class Which(Protocol):
    """Of which alerts it is."""

    def holds(self, labels: Mapping[str, str], /) -> bool:
        """Is it for one with these? They have `source`, `name` and `severity` as well."""
        ...


class Every:
    """Of all."""

    def holds(self, labels: Mapping[str, str], /) -> bool:
        """Part of Which."""
        return True


class Timing(msgspec.Struct, frozen=True):
    """Against flapping. Seconds."""

    which: Which
    holds_for: float  # before it fires
    resolves_after: float  # so long it must be over before it is resolved


class Route(msgspec.Struct, frozen=True):
    """Which alerts go to whom."""

    which: Which
    to: tuple[str, ...]


class ToolCall(msgspec.Struct, frozen=True):
    """A tool that a step calls."""

    upstream: str
    tool: str
    arguments: dict[str, Any] = {}  # texts of it may have `{label}` in them


class Step(msgspec.Struct, frozen=True):
    """What is done when an alert has fired for so long and nobody has acknowledged it. Texts may
    have `{label}` in them: what the alert says of it."""

    after: float  # seconds that it has fired
    notify: tuple[str, ...] = ()
    tighten: tuple[str, ...] = ()
    open_breaker: tuple[str, ...] = ()
    kill: tuple[str, ...] = ()
    call: tuple[ToolCall, ...] = ()


class Ladder(msgspec.Struct, frozen=True):
    """Steps, the first one first."""

    name: str
    which: Which
    steps: tuple[Step, ...]


class Rules(msgspec.Struct, frozen=True):
    """All of it."""

    routes: tuple[Route, ...] = ()
    receivers: frozenset[str] = frozenset()  # their names
    timings: tuple[Timing, ...] = ()  # the first that holds counts
    ladders: tuple[Ladder, ...] = ()  # likewise
    repeat: float = 4 * 3600.0  # seconds
    runbook: str = ""  # a URL with `{name}` and labels in it
    dashboard: str = ""

    def timing(self, labels: Mapping[str, str]) -> Timing:
        """Of an alert with these labels."""
        return next((each for each in self.timings if each.which.holds(labels)), AS_USUAL)

    def to(self, labels: Mapping[str, str]) -> set[str]:
        """Who is told of it, by the routes."""
        routes = (route.to for route in self.routes if route.which.holds(labels))
        return {name for names in routes for name in names} & self.receivers

    def ladder(self, labels: Mapping[str, str]) -> Ladder | None:
        """Which it climbs, if any."""
        return next((each for each in self.ladders if each.which.holds(labels)), None)


RESOLVES_AFTER = 60.0
"""Seconds that a condition must be over before its alert is resolved."""
AS_USUAL = Timing(Every(), 0.0, RESOLVES_AFTER)
