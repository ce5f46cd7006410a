"""What was spent by whom, whatever budgets there are: in all, today, by agents, in workflows."""

from typing import Any

from proxy.state.attribution import Work
from proxy.state.today import Today

MOST_NAMES = 10_000
"""Agents, and workflows, of which it is known what they spent."""


class Books:
    """Amounts are micro-dollars."""

    __slots__ = ("by_agent", "by_workflow", "today", "total")

    def __init__(self) -> None:
        self.total = 0
        self.by_agent: dict[str, int] = {}
        self.today = Today()
        self.by_workflow: dict[str, Work] = {}
        """Those of late."""

    def book(
        self, agent: str, workflow: str, micros: int, caller: str, calls: int, at: float
    ) -> None:
        """It was spent then by one, by so many more calls."""
        self.total += micros
        spent = self.today.spent if at < self.today.until else self.today.on(at)
        try:
            spent[agent] += micros
        except KeyError:
            add(spent, agent, micros)
        try:
            self.by_agent[agent] += micros
        except KeyError:
            add(self.by_agent, agent, micros)
        if workflow:
            work = self.by_workflow.get(workflow)
            if work is None:
                if len(self.by_workflow) >= MOST_NAMES:
                    del self.by_workflow[next(iter(self.by_workflow))]
                work = self.by_workflow[workflow] = Work()
            work.book(agent, caller, micros, calls)

    def dump(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        return {
            "total": self.total,
            "agents": self.by_agent,
            "today": [self.today.until, self.today.spent],
            "workflows": {name: work.dump() for name, work in self.by_workflow.items()},
        }

    @classmethod
    def load(cls, state: Any) -> "Books":
        """What `dump` gave, back."""
        made = cls()
        made.total = state["total"]
        made.by_agent = state["agents"]
        made.today = Today(*state["today"])
        made.by_workflow = {name: Work.load(kept) for name, kept in state["workflows"].items()}
        return made


def add(spent: dict[str, int], name: str, micros: int) -> None:
    """To what one has spent; where there are too many names, to that of all others."""
    if name not in spent and len(spent) >= MOST_NAMES:
        name = "other"
    spent[name] = spent.get(name, 0) + micros
