"""The tasks of one objective, from their first call to their end (spec 5.2).

A task begins with the first call that the objective is for and that names it. It ends

- as somebody says: its agent or an operator (`POST /v1/tasks/{id}/outcome`);
- with the call whose head says so (`holdfast-task-end`). `failure` is one. `success` comes true if
  the call does: else the task ends as the call did, for the agent has said it before it knew;
- with the success of a terminal tool;
- by being idle. Then it ends as its last call did. Where that went well, and still nobody said that
  it was over, it is abandoned.

Its cost is that of its calls, its time that from the begin of the first to its end, without what
people took to decide: while a call was held for them, or its agent was told to come again.

What agents make up is bounded. There are so many open tasks, and so many of one agent; what begins
beyond is not followed, and its calls are counted as such: of it nothing is said that might be
wrong. A task that begins and ends with the same call takes no room. Of one that has ended it is
remembered so, for as long as a task may be idle: a call of it that comes late begins none, changes
nothing of how it ended, and is counted as late.

Whose a task is, is part of its name: no agent ends another's.
"""

import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TypeAlias

import msgspec

from proxy.globs import holds
from proxy.observe.slo.ends import ABANDONED, FAILURE, NAMED, SUCCESS, End, verdict
from proxy.observe.slo.objective import Objective
from proxy.observe.slo.series import Series
from proxy.record import Record

MOST = 10_000
"""Open tasks of an objective."""
MOST_OF_ONE = 2_000
"""The same of one agent: none takes the room of all others."""
REMEMBERED = 10_000
"""Ended ones whose late calls are known; the one that ended first makes room."""

Name: TypeAlias = tuple[str, str]
"""Of a task: its agent, and what that calls it."""
_WAITS = "approval_pending"  # its agent was told to come again when people have decided
SAID = {"success": SUCCESS, "failure": FAILURE}
"""What may be said of a task that ends."""


class Ended(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One that has ended: when, and how."""

    agent: str
    task: str
    at: int
    how: str


class Task(msgspec.Struct, array_like=True, gc=False):
    """One that is open. Microseconds since 1970."""

    agent: str
    task: str
    began: int
    last: int  # when its last call ended
    micros: int = 0
    held: int = 0
    end: str = ""  # of its last call
    waits: bool = False  # for people, since then

    @property
    def name(self) -> Name:
        """Whose it is, and which."""
        return self.agent, self.task

    def take(self, record: Record, end: End, now: int, drill: int) -> None:
        """A call of it has ended. `drill`: time passes so many times faster here."""
        began = now - record.duration_us * drill
        if self.waits:
            self.held += max(0, began - self.last)
        if began < self.began:
            self.began = began
        self.held += record.held_us * drill
        self.micros += record.cost_micros
        self.last = now
        self.end, self.waits = end.name, record.code == _WAITS


class State(msgspec.Struct):
    """What is kept over a restart."""

    open: list[Task] = []
    ended: list[Ended] = []
    late: int = 0
    untracked: int = 0


class Tasks:
    """Those of one objective. Of all that happens it is told when: never back."""

    def __init__(self, objective: Objective, series: Series, drill: int = 1) -> None:
        """`drill`: in a rehearsal time passes so many times faster than calls take it."""
        self._drill = drill
        self.obey(objective, series)
        self.late = 0
        """Calls of tasks that had ended."""
        self.untracked = 0
        """Calls of tasks for which there was no room."""
        self._open: dict[Name, Task] = {}  # the one that is idle for the longest first
        self._ended: OrderedDict[Name, Ended] = OrderedDict()  # the one that ended first, first
        self._of_agent: dict[str, int] = {}

    def obey(self, objective: Objective, series: Series) -> None:
        """It is for the same calls, and says something else of them."""
        self.objective, self.series = objective, series
        self._idle = int(objective.idle * 1e6)

    # --- what happens ---

    def saw(self, name: Name, record: Record, how: End, now: int) -> None:
        """A call of this task has ended, and how."""
        if name in self._ended and not self._forgotten(name, now):
            self.late += 1
            return
        task = self._open.pop(name, None)
        fresh = task is None
        if task is None:
            task = Task(name[0], name[1], now, now)
        task.take(record, how, now, self._drill)
        said = record.task_end or self.objective.terminal
        if said and (end := self._ends(record, how)) is not None:
            self._close(task, end, now, fresh=fresh)
        elif fresh and not self._room(name[0]):
            self.untracked += 1
        else:
            self._open[name] = task
            if fresh:
                self._of_agent[name[0]] = self._of_agent.get(name[0], 0) + 1

    def _ends(self, record: Record, how: End) -> End | None:
        if record.task_end:
            return FAILURE if record.task_end == "failure" else how
        terminal = self.objective.terminal
        done = how.counts == "good" and any(holds(glob, record.tool) for glob in terminal)
        return SUCCESS if done else None

    def _room(self, agent: str) -> bool:
        return len(self._open) < MOST and self._of_agent.get(agent, 0) < MOST_OF_ONE

    def is_open(self, name: Name) -> bool:
        """Is it?"""
        return name in self._open

    def ended(self, name: Name) -> str:
        """How it ended; empty: it did not, or that is forgotten."""
        return self._ended[name].how if name in self._ended else ""

    def of(self, task: str) -> Iterator[Name]:
        """Those that are called so, of all agents, also those that have ended."""
        return (name for names in (self._open, self._ended) for name in names if name[1] == task)

    def end(self, name: Name, end: End, now: int) -> None:
        """Somebody says so. It is open."""
        self._close(self._open.pop(name), end, now)

    def idle(self, now: int, busy: Callable[[Name], bool]) -> Iterator[tuple[Name, End]]:
        """Those that have been idle for too long, and how they end; `abandon` is for each of them.
        `busy`: is one of its calls under way, or does it wait for people?"""
        due = itertools.takewhile(lambda task: now - task.last >= self._idle, self._open.values())
        for task in list(due):
            if busy(task.name):
                self._open[task.name] = self._open.pop(task.name)
                task.last = now
            else:
                last = NAMED.get(task.end, ABANDONED)
                yield task.name, ABANDONED if last.counts == "good" else last

    def abandon(self, name: Name, end: End, now: int) -> None:
        """Nothing came of it any more. It is remembered from now on, and it has lasted until its
        last call."""
        task = self._open.pop(name, None)
        if task is not None:
            self._close(task, end, now, until=task.last)

    def forget(self, now: int) -> None:
        """Ended ones whose calls would not be late any more."""
        while self._ended and self._forgotten(next(iter(self._ended)), now):
            pass

    def _forgotten(self, name: Name, now: int) -> bool:
        if now - self._ended[name].at < self._idle:
            return False
        del self._ended[name]
        return True

    def _close(
        self, task: Task, end: End, now: int, *, until: int | None = None, fresh: bool = False
    ) -> None:
        took = max(0, (now if until is None else until) - task.began - task.held) // self._drill
        said = verdict(self.objective, end, took, task.micros)
        self.series.take(said)
        if self.series.times is not None and isinstance(said, bool):
            self.series.times.note(took)
        if len(self._ended) >= REMEMBERED:
            self._ended.popitem(last=False)
        self._ended[task.name] = Ended(task.agent, task.task, now, end.name)
        if not fresh:
            self._left(task.agent)

    def _left(self, agent: str) -> None:
        count = self._of_agent[agent] - 1
        if count:
            self._of_agent[agent] = count
        else:
            del self._of_agent[agent]

    # --- over a restart ---

    @property
    def open(self) -> int:
        """How many there are."""
        return len(self._open)

    def dump(self) -> State:
        """All of it."""
        ended = list(self._ended.values())
        return State(list(self._open.values()), ended, self.late, self.untracked)

    def load(self, state: State) -> None:
        """What `dump` gave."""
        self.late, self.untracked = state.late, state.untracked
        for task in state.open[:MOST]:
            self._open[task.name] = task
            self._of_agent[task.agent] = self._of_agent.get(task.agent, 0) + 1
        for each in state.ended[-REMEMBERED:]:
            self._ended[each.agent, each.task] = each
