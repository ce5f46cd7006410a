"""Objectives of tasks, what follows them, and a journal that remembers what was noted."""

from typing import Any

import msgspec

from proxy.config.match import Globs, Match
from proxy.journal.lines import rfc3339
from proxy.observe.slo.following import Following
from proxy.observe.slo.objective import Objective
from proxy.observe.slo.ring import Ring
from proxy.observe.slo.series import Series
from proxy.record import Record
from tests.fakes import FakeClock
from tests.observe.records import record

DAY = 86_400.0


def of_tasks(name: str = "done", sli: Any = "success", **facts: Any) -> Objective:
    """Of all tasks, but for what `facts` say; `globs` are those of its match."""
    globs = {key: Globs.of((text,)) for key, text in facts.pop("globs", {}).items()}
    return Objective(name, sli, "task", 0.99, DAY, Match(globs), (), **facts)


def series(name: str = "done") -> Series:
    """One that has counted nothing."""
    return Series(name, Ring(DAY, 0.0))


def counted(one: Series) -> tuple[int, int, dict[str, int]]:
    """Good, bad, excluded."""
    return one.good, one.bad, one.excluded


def reach(wall: float, drill: int = 1) -> float:
    """Where a moment is: where the wall says."""
    return wall


class Works:
    """Follows tasks on a clock that stands still; what is noted stands in `lines`, in its order."""

    def __init__(self, *objectives: Objective, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.lines: list[dict[str, Any]] = []
        self.series: dict[str, Series] = {}
        self.busy: set[tuple[str, str]] = set()
        self.followed = Following(self.clock.wall, reach, self.clock.uuid, self.clock.drill)
        self.follow(*(objectives or (of_tasks(),)))
        self.followed.begin(self)

    def follow(self, *objectives: Objective) -> None:
        """These are in force; each keeps its series."""
        names = [each.name for each in objectives]
        self.series = {name: self.series.get(name) or series(name) for name in names}
        self.followed.follow([(each, self.series[each.name]) for each in objectives])

    def note(self, entry: Any) -> None:
        """Part of Noted."""
        told = {"type": entry.type, "ts": rfc3339(int(self.clock.wall() * 1e9))}
        self.lines.append({**msgspec.json.decode(msgspec.json.encode(entry)), **told})

    async def durable(self) -> bool:
        """Part of Noted."""
        return True

    def call(self, task: str = "t", seconds: float = 1.0, **facts: Any) -> Record:
        """A call of it, that took so long and ends now."""
        facts = {"id": self.clock.uuid(), "task": task, "duration_us": int(seconds * 1e6), **facts}
        self.clock.time += seconds
        made = record(**facts)
        self.followed.note(made)
        self.note(made)
        return made

    def passes(self, seconds: float) -> None:
        """Time, and then somebody looks."""
        self.clock.time += seconds
        self.followed.look(lambda: self.busy)

    @property
    def came_to(self) -> tuple[int, int, dict[str, int]]:
        """What the first objective has counted."""
        return counted(next(iter(self.series.values())))

    @property
    def open(self) -> int:
        """How many tasks the first objective has open."""
        return next(iter(self.followed.tasks)).open

    def reborn(self, at: int = 0, state: Any = None) -> "Works":
        """The next process: it is told the lines from `at` on, after a state."""
        made = Works(*[each.objective for each in self.followed.tasks], clock=self.clock)
        if state is not None:
            made.followed.load(msgspec.json.decode(state))
        for line in self.lines[at:]:
            made.followed.apply(dict(line))
        made.passes(0)
        return made
