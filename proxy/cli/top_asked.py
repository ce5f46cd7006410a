"""What `holdfast top` asks a running proxy for, and how often: the proxy serves agents meanwhile.

One page (`/v1/status`) is asked for at each look. Others are asked for only when there is something
to see there, or every few seconds.
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from proxy.cli.asking import Unanswered

Ask = Callable[[str, Mapping[str, str] | None], Any]
"""Of a path and a query. Raises Unanswered."""
SELDOM = 5.0
"""Seconds between two looks at lists that may be long."""
_MOST = {"limit": "1000"}
_FEW = {"limit": "100"}


class Crowd(msgspec.Struct, frozen=True):
    """The agents at one moment."""

    at: float  # on Clock.now
    items: list[dict[str, Any]]


class Seen(msgspec.Struct, frozen=True):
    """What the pages said. What a proxy does not have, or does not show to us, is None."""

    status: dict[str, Any]
    circuits: list[dict[str, Any]] = []  # those that are open
    crowd: Crowd | None = None
    earlier: Crowd | None = None  # the one before that
    approvals: dict[str, Any] | None = None  # the oldest that wait


class Looker:
    """Asks, one page after the other."""

    def __init__(self, ask: Ask, now: Callable[[], float]) -> None:
        self._ask = ask
        self._now = now
        self._seldom = float("-inf")  # when the long lists were asked for
        self._crowd: Crowd | None = None
        self._earlier: Crowd | None = None
        self._approvals: dict[str, Any] | None = None

    def look(self) -> Seen:
        """Once. Raises Unanswered; and anything at all where what answers is no proxy of ours."""
        status = self._ask("/v1/status", None)
        items = [*status["upstreams"], *status["tools"]]
        unwell = any(item["circuit"] not in {None, "closed"} for item in items)
        circuits = self._circuits() if unwell else []
        if self._now() - self._seldom >= SELDOM:
            self._look_around()
        return Seen(status, circuits, self._crowd, self._earlier, self._approvals)

    def _circuits(self) -> list[dict[str, Any]]:
        page = self._maybe("/v1/breakers", {"state": "open", **_FEW})
        return [] if page is None else [item for item in page["items"] if not item["shadow"]]

    def _look_around(self) -> None:
        self._seldom = self._now()
        self._approvals = self._maybe("/v1/approvals", {"state": "pending", **_FEW})
        page = self._maybe("/v1/agents", _MOST)
        crowd = None if page is None else Crowd(self._now(), page["items"])
        self._crowd, self._earlier = crowd, self._crowd

    def _maybe(self, path: str, query: Mapping[str, str]) -> Any:
        with contextlib.suppress(Unanswered):
            return self._ask(path, query)
        return None
