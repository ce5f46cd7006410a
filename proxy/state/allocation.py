"""What limits to propose, from what was spent: `median cost per task × safety × tasks a day`.

The median, for one task that went wrong says nothing of the others; and of tasks that cost
something, for the others need no budget. Amounts are whole micro-dollars, and fractions until the
end: nothing is rounded but what is proposed, and that up.
"""

from collections.abc import Iterator
from fractions import Fraction
from math import ceil
from statistics import median

import msgspec

FEWEST = 30
"""Tasks. Of fewer a median says little."""
_DAY = 86_400


class Proposal(msgspec.Struct, frozen=True):
    """For one agent. Amounts are micro-dollars."""

    agent: str
    tasks: int  # that cost something
    per_task: int  # the median, rounded up
    a_day: Fraction  # tasks
    day: int | None  # what is proposed for a day; None: the tasks are too few


class Usage:
    """What agents spent, by task."""

    def __init__(self) -> None:
        self._spent: dict[str, dict[str, int]] = {}

    def note(self, agent: str, task: str, micros: int) -> None:
        """A call cost so much. One that is of no task is to have a name of its own."""
        if micros > 0:
            tasks = self._spent.setdefault(agent, {})
            tasks[task] = tasks.get(task, 0) + micros

    def proposals(self, seconds: int, safety: Fraction) -> Iterator[Proposal]:
        """By agent, where all that was spent in so many seconds was noted. Less than a day counts
        as one: what was not seen is not made up."""
        days = Fraction(max(seconds, _DAY), _DAY)
        for agent, tasks in sorted(self._spent.items()):
            usual = median(map(Fraction, tasks.values()))
            a_day = len(tasks) / days
            day = ceil(usual * safety * a_day) if len(tasks) >= FEWEST else None
            yield Proposal(agent, len(tasks), ceil(usual), a_day, day)
