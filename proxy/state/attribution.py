"""Whose money a workflow's is: four views of the same sum (spec 4.2).

What an agent spends is what it spent *itself*. An agent that is called by another one spends on its
behalf, and so may be billed to it: to that which waits for it, not to whoever began. What several
share may be told apart by how much each of them does, or not at all. Whichever view is taken, what
it tells of the agents adds up to what was spent, to the micro-dollar: what does not divide goes to
those whose share was cut most.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

VIEWS = ("self", "caller_pays", "proportional", "pool")
_MOST = 1_000
"""Agents of one workflow, and pairs of them; the others share a name."""
OTHERS = "other"


class Work(msgspec.Struct):
    """What was spent for one workflow, in micro-dollars."""

    spent: dict[str, int] = {}
    """By each agent."""
    calls: dict[str, int] = {}
    """That cost something, of each agent."""
    lent: dict[tuple[str, str], int] = {}
    """Of that, by whom for which agent that waited for it."""

    @property
    def total(self) -> int:
        """By all of them."""
        return sum(self.spent.values())

    def book(self, agent: str, caller: str, micros: int, calls: int) -> None:
        """It was spent, by so many more calls. `caller` waits for the agent; empty: nobody."""
        try:
            self.spent[agent] += micros
        except KeyError:
            agent = agent if len(self.spent) < _MOST else OTHERS
            self.spent[agent] = self.spent.get(agent, 0) + micros
            self.calls.setdefault(agent, 0)
        self.calls[agent] += calls
        if caller and caller != agent:
            pair = (agent, caller)
            if pair not in self.lent and len(self.lent) >= _MOST:
                return  # it is billed to who spent it
            self.lent[pair] = self.lent.get(pair, 0) + micros

    def by(self, view: str) -> dict[str, int]:
        """By agent, as one of VIEWS has it. Raises KeyError for another."""
        match view:
            case "self":
                return dict(self.spent)
            case "caller_pays":
                return self._billed()
            case "proportional":
                return divided(self.total, self.calls)
            case "pool":
                return divided(self.total, dict.fromkeys(self.spent, 1))
            case _:
                raise KeyError(view)

    def _billed(self) -> dict[str, int]:
        billed = dict(self.spent)
        for (agent, caller), micros in self.lent.items():
            billed[agent] -= micros
            billed[caller] = billed.get(caller, 0) + micros
        return billed

    def dump(self) -> Any:
        """As JSON has it."""
        lent = [[*pair, micros] for pair, micros in self.lent.items()]
        return [self.spent, self.calls, lent]

    @classmethod
    def load(cls, state: Any) -> "Work":
        """Take what `dump` gave."""
        spent, calls, lent = state
        return cls(spent, calls, {(agent, caller): micros for agent, caller, micros in lent})


def divided(total: int, weights: Mapping[str, int]) -> dict[str, int]:
    """A sum, by weights that are whole numbers; what does not divide goes to the largest remainders
    (Hamilton), of equal ones to the first by name. Where no weight is, all weigh the same."""
    if not weights:
        return {}
    whole = sum(weights.values())
    if not whole:
        return divided(total, dict.fromkeys(weights, 1))
    shares = {name: divmod(total * weight, whole) for name, weight in weights.items()}
    left = total - sum(share for share, _ in shares.values())
    order = sorted(shares, key=lambda name: (-shares[name][1], name))
    more = set(order[:left])
    return {name: share + (name in more) for name, (share, _) in shares.items()}
