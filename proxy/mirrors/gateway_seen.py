"""The agents that a mirror saw in records: those whose budgets a wide kill is for."""

from collections import OrderedDict
from typing import Any

MOST = 1_000
"""The last ones: agents may take a new name for each call."""


class Seen:
    """Names, and the fleet of each."""

    def __init__(self) -> None:
        self.agents: OrderedDict[str, str] = OrderedDict()

    def add(self, agent: str, fleet: str) -> None:
        """One more call of it."""
        if agent:
            self.agents[agent] = fleet
            self.agents.move_to_end(agent)
            if len(self.agents) > MOST:
                self.agents.popitem(last=False)

    def dump(self) -> Any:
        """As JSON."""
        return list(self.agents.items())

    def load(self, state: Any) -> None:
        """What `dump` gave."""
        self.agents = OrderedDict((str(name), str(fleet)) for name, fleet in state)
