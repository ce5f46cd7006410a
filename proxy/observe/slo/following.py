"""Follows the tasks of all objectives that are `per: task`: hears of calls, of ends, of time.

What it knows is kept over a restart by the journal: it is a snapshot, and after it the calls that
ended and the ends that no call tells. A process that dies between a call's record and what follows
from it loses nothing, for it follows from the record once more. What a task has come to when nobody
said so is written down (`task.ended`): it hangs on the time that passed here.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Set
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple

import msgspec

from proxy.observe.slo.book import LATELY
from proxy.observe.slo.ends import ABANDONED, NAMED, end_of
from proxy.observe.slo.objective import FACTS, Objective
from proxy.observe.slo.series import Series
from proxy.observe.slo.tasks import SAID, Name, State, Tasks
from proxy.record import Noted, Record
from proxy.units import Moment

_WAITS = "approval_pending"
_MICROS = 1_000_000
_USUAL: tuple[str, ...] = ("agent", "fleet")  # two at least, for then `attrgetter` gives a tuple
_MOST = 4096  # combinations of facts whose objectives are remembered
_LONGEST = 1024  # characters of one; what is longer is matched anew
_FEW = 5  # agents that are named


class TaskEnded(msgspec.Struct, frozen=True, omit_defaults=True):
    """A task has ended, and no call of it says so."""

    id: str
    agent: str
    task: str
    end: str  # how, as the table of ends has it
    by: str = ""  # who said so; absent: nobody, it was idle
    slos: tuple[str, ...] = ()  # for which objectives; absent: for all
    type: ClassVar[str] = "task.ended"


class Kept(msgspec.Struct):
    """What is kept over a restart: of each objective which calls it is for, and its tasks."""

    tasks: dict[str, tuple[str, State]]
    lately: list[str]


class Untrue(Exception):
    """It has ended, and otherwise."""


class Unknown(Exception):
    """No objective follows such a task."""


class Several(Exception):
    """Tasks of several agents are called so."""


class Outcome(NamedTuple):
    """What somebody said of a task, and it counts."""

    agent: str
    slos: tuple[str, ...]  # that count it; empty: it had ended so before


class Following:
    """Part of Rebuilt. `follow` for each set of policies, `begin` when records are taken."""

    name = "tasks"

    def __init__(
        self,
        now: Callable[[], float],
        reach: Callable[[float, int], float],
        name: Callable[[], str],
        drill: int = 1,
    ) -> None:
        """`now`: seconds that only grow, over restarts too; `reach`: where a moment is there that
        the wall clock told (`axis.py`). `name` makes ids. `drill`: as `Clock` has it."""
        self._drill = drill
        self._now = now
        self._reach = reach
        self.types: frozenset[str] = frozenset()
        """Part of Rebuilt: of no records where nobody is interested in tasks."""
        self._id = name
        self._tasks: dict[str, Tasks] = {}  # by the objective
        self._digests: dict[str, str] = {}  # of the calls that these are for
        self._noted: Noted | None = None
        self._keys = _USUAL  # the facts that some objective asks for, and these
        self._facts: Callable[[Record], tuple[str, ...]] = attrgetter(*_USUAL)
        self._lately: deque[str] = deque(maxlen=LATELY)
        self._known: frozenset[str] = frozenset()
        self._concerned: dict[tuple[str, ...], tuple[Tasks, ...]] = {}

    # --- what is followed ---

    def follow(self, counted: Iterable[tuple[Objective, Series]]) -> None:
        """These are in force. Open tasks of one that is for the same calls as before stay; those
        of one that is gone, or is for others, are let go, and count nowhere."""
        tasks: dict[str, Tasks] = {}
        digests: dict[str, str] = {}
        for objective, series in counted:
            if objective.per != "task":
                continue
            name, digest = objective.name, repr(objective.match)
            before = self._tasks.get(name)
            if before is not None and self._digests[name] == digest:
                before.obey(objective, series)
            else:
                before = Tasks(objective, series, self._drill)
            tasks[name], digests[name] = before, digest
        self._tasks, self._digests = tasks, digests
        asked = {*_USUAL, *(key for each in tasks.values() for key in each.objective.match.keys)}
        self._keys = tuple(key for key in FACTS if key in asked)
        self._facts = attrgetter(*self._keys)
        self._concerned.clear()
        self.types = frozenset({Record.type, TaskEnded.type} if tasks else ())

    def begin(self, noted: Noted) -> None:
        """It was rebuilt, and what ends from now on is noted."""
        self._noted, self._known = noted, frozenset()

    async def durable(self) -> bool:
        """Is all that was noted?"""
        return self._noted is not None and await self._noted.durable()

    @property
    def tasks(self) -> Collection[Tasks]:
        """Those of each objective."""
        return self._tasks.values()

    # --- what happens ---

    def note(self, record: Record) -> None:
        """A call has ended."""
        if not record.task or not self._tasks:
            return
        facts = self._facts(record)
        concerned = self._concerned.get(facts)
        if concerned is None:
            concerned = self._concerned_by(facts)
        if concerned:
            self._lately.append(record.id)
            end, now = end_of(record), int(self._now() * _MICROS)
            name = (record.agent, record.task)
            for tasks in concerned:
                tasks.saw(name, record, end, now)

    def end(self, task: str, outcome: str, by: str, agent: str = "") -> Outcome:
        """Somebody says how it ended; once more the same changes nothing. Without `agent` it is
        that of whoever has one of this name. Raises Unknown, Several, Untrue."""
        name = self._whose(task, agent)
        open_in = [each for each in self._tasks.values() if each.is_open(name)]
        if not open_in:
            return self._has_ended(name, SAID[outcome].name)
        now = micros(self._now())
        for each in open_in:
            each.end(name, SAID[outcome], now)
        slos = tuple(each.objective.name for each in open_in)
        self._note(TaskEnded(self._id(), *name, SAID[outcome].name, by, slos))
        return Outcome(name[0], slos)

    def _whose(self, task: str, agent: str) -> Name:
        names = {name for each in self._tasks.values() for name in each.of(task)}
        names = {name for name in names if agent in ("", name[0])}
        if not names:
            raise Unknown
        if len(names) > 1:
            raise Several(", ".join(sorted(name[0] for name in names)[:_FEW]))
        return names.pop()

    def _has_ended(self, name: Name, end: str) -> Outcome:
        ends = {each.ended(name) for each in self._tasks.values()} - {""}
        if end not in ends:
            raise Untrue(", ".join(sorted(ends)))
        return Outcome(name[0], ())

    def look(self, busy: Callable[[], Set[Name]]) -> None:
        """Time has passed. `busy`: those of which a call is under way, or waits for people."""
        now, found = micros(self._now()), _Once(busy)
        over: dict[tuple[Name, str], list[str]] = {}
        for each in self._tasks.values():
            each.forget(now)
            for name, end in each.idle(now, found.has):
                over.setdefault((name, end.name), []).append(each.objective.name)
        for (name, how), slos in over.items():
            self._abandon(name, how, slos, now)
            self._note(TaskEnded(self._id(), *name, how, slos=tuple(slos)))

    def _abandon(self, name: Name, end: str, slos: Iterable[str], now: int) -> None:
        for slo in slos:
            if slo in self._tasks:
                self._tasks[slo].abandon(name, NAMED.get(end, ABANDONED), now)

    def _note(self, entry: TaskEnded) -> None:
        if self._noted is not None:
            self._noted.note(entry)

    def _concerned_by(self, facts: tuple[str, ...]) -> tuple[Tasks, ...]:
        """Whose calls have these facts, those that anybody asks for."""
        found = self._concerned.get(facts)
        if found is None:
            told = dict(zip(self._keys, facts, strict=True))
            found = tuple(each for each in self._tasks.values() if each.objective.match.holds(told))
            if sum(map(len, facts)) <= _LONGEST:
                if len(self._concerned) >= _MOST:
                    self._concerned.clear()
                self._concerned[facts] = found
        return found

    # --- over a restart ---

    def dump(self) -> Kept:
        """Part of Rebuilt."""
        tasks = {name: (self._digests[name], each.dump()) for name, each in self._tasks.items()}
        return Kept(tasks, list(self._lately))

    def load(self, state: Any, /) -> None:
        """Part of Rebuilt. What is no such state is left out: the records are still there."""
        with contextlib.suppress(msgspec.ValidationError):
            kept = msgspec.convert(state, Kept)
            self._known = frozenset(kept.lately)
            for name, (digest, tasks) in kept.tasks.items():
                if self._digests.get(name) == digest:
                    self._tasks[name].load(tasks)

    def apply(self, record: dict[str, Any], /) -> None:
        """Part of Rebuilt."""
        now = self._moment(record)
        with contextlib.suppress(msgspec.ValidationError):  # it is none of ours
            if record.get("type") == TaskEnded.type:
                self._ended(msgspec.convert(record, TaskEnded), now)
            elif record.get("task") and record.get("id") not in self._known:
                self._saw_once(msgspec.convert(record, Record), now)

    def _saw_once(self, record: Record, now: int) -> None:
        for tasks in self._concerned_by(self._facts(record)):
            tasks.saw((record.agent, record.task), record, end_of(record), now)

    def _ended(self, entry: TaskEnded, now: int) -> None:
        name, end = (entry.agent, entry.task), NAMED.get(entry.end, ABANDONED)
        if not entry.by:
            self._abandon(name, end.name, entry.slos, now)
            return
        for each in (self._tasks[slo] for slo in entry.slos if slo in self._tasks):
            if each.is_open(name):
                each.end(name, end, now)

    def _moment(self, record: dict[str, Any]) -> int:
        try:
            at = float(Moment.parse(record.get("ts")))
        except ValueError:  # nothing of ours
            at = self._now()
        return micros(self._reach(at, record.get("drill", 1)))


class _Once:
    """Found out when somebody asks for the first time, and then kept."""

    def __init__(self, find: Callable[[], Set[Name]]) -> None:
        self._find = find
        self._found: Set[Name] | None = None

    def has(self, name: Name) -> bool:
        """Is it among them?"""
        if self._found is None:
            self._found = self._find()
        return name in self._found


def micros(seconds: float) -> int:
    """As tasks have it."""
    return int(seconds * _MICROS)
