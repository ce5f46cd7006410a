"""Sums of calls, by agent and minute, as the gateway gets them with `submit_metrics`.

They are of the minute that stands in the records, and are kept with the place of the mirror: a
restart neither loses a call of them nor counts one twice.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from proxy.mirrors.event import Event
from proxy.mirrors.gateway_table import METRICS, Called, Step

MOST = 1_000
"""Agents that are told apart; the others share one row."""
OTHERS = "holdfast:others"
FIGURES = (
    "calls", "failed", "refused", "cost_micros", "duration_us", "input_tokens", "output_tokens",
)  # fmt: skip
_MINUTE = len("2026-11-28T06:23")


def minute_of(ts: str) -> str:
    """The minute of a time."""
    return ts[:_MINUTE]


class Sums:
    """Those of one minute."""

    def __init__(self) -> None:
        self.minute = ""
        """Empty: nothing is summed up."""
        self.agents: dict[str, list[int]] = {}
        self._first = 0  # seq: the same minute may be summed up once more, after it was told

    def add(self, event: Event, found: Called) -> None:
        """One more call, of this minute."""
        if not self.agents:
            self.minute, self._first = minute_of(event.ts), event.seq
        known = found.agent in self.agents or len(self.agents) < MOST
        row = self.agents.setdefault(found.agent if known and found.agent else OTHERS, [0] * 7)
        told = (
            1,
            int(found.outcome in ("failed", "truncated", "unknown")),
            int(found.decision == "refuse"),
            found.cost_micros,
            found.duration_us,
            found.tokens.get("input", 0),
            found.tokens.get("output", 0),
        )
        row[:] = [before + more for before, more in zip(row, told, strict=True)]

    def steps(self, source: str) -> Iterator[tuple[str, Step]]:
        """The call for each agent. What was told is to be dropped (`told`)."""
        for agent, row in list(self.agents.items()):
            name = f"{source}/{self.minute}/{self._first}/{agent}"
            given = {
                "agent_id": agent,
                "metrics": dict(zip(FIGURES, row, strict=True)),
                "period": {"from": f"{self.minute}:00Z", "seconds": 60, "source": source},
            }
            yield agent, Step(METRICS, given, sha256(name.encode()).hexdigest())

    def told(self, agent: str) -> None:
        """The gateway has it."""
        del self.agents[agent]
        self.minute = self.minute if self.agents else ""

    def dump(self) -> Any:
        """As JSON."""
        return {"minute": self.minute, "first": self._first, "agents": self.agents}

    def load(self, state: Any) -> None:
        """What `dump` gave."""
        self.minute, self._first = str(state["minute"]), int(state["first"])
        self.agents = {str(name): [int(n) for n in row] for name, row in state["agents"].items()}
