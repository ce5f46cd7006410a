"""Objectives of calls and tasks at work, and what follows from error budgets that are used up.

`ticks` are looked at every second, in their order: tasks end, then objectives are judged, then what
follows from them comes into force.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from proxy.call import Call
from proxy.clock import Clock
from proxy.config.loaded import Loaded
from proxy.config.tightening import tightened
from proxy.journal.snapshot import Rebuilt
from proxy.keep import Keep
from proxy.keys import DESK
from proxy.observe.alerts.condition import Tell
from proxy.observe.family import Family
from proxy.observe.slo.book import Slos
from proxy.observe.slo.figures import families as families_of_slos
from proxy.observe.slo.following import Following
from proxy.observe.slo.on_exhausted import OnExhausted
from proxy.observe.slo.task_figures import families as families_of_tasks
from proxy.observe.slo.tasks import Name
from proxy.record import Noted
from proxy.state.case import PENDING
from proxy.state.desk import Desk


class Objectives:
    """`begin` when the journal takes records; `obey` for each set of policies."""

    def __init__(
        self, clock: Clock, keep: Keep, tell: Tell, climbed: Callable[[], frozenset[str]]
    ) -> None:
        """`climbed`: the policies that alerts want in force, by the steps they stand on."""
        self._keep = keep
        self._tell = tell
        self._climbed = climbed
        self.slos = Slos(clock)
        """What is counted for objectives, and how they stand."""
        self.slos.tell = tell
        self.tasks = Following(self.slos.now, self.slos.reach, clock.uuid, clock.drill)
        """The tasks that objectives count."""
        self.acts = OnExhausted(self.slos.now)
        """What follows from budgets that are used up."""
        self.rooms: Sequence[Rebuilt] = (self.slos, self.tasks)
        self.ticks: Sequence[Callable[[], None]] = (self._end_tasks, self.slos.tick, self._act)
        self.changed: Callable[[], None] = _nothing
        """Is told when other policies may be in force by what is told here."""
        self._calls: Callable[[], Iterable[Call]] = tuple
        self._stepped: frozenset[str] = frozenset()

    def begin(self, noted: Noted, calls: Callable[[], Iterable[Call]]) -> None:
        """What was rebuilt is there, and what is noted from now on is written. `calls`: those under
        way. What is used up has followed when it returns, before anybody is served."""
        self._calls = calls
        self.slos.begin()
        self.tasks.begin(noted)
        self.slos.tick()
        self._act()

    def obey(self, loaded: Loaded) -> None:
        """These policies are in force."""
        self.slos.obey(loaded.slos)
        self.acts.obey(loaded.slos)
        self.tasks.follow((each.objective, each.series) for each in self.slos.entries.values())

    def tightened(self, loaded: Loaded) -> Loaded:
        """What is in force of these now."""
        return tightened(loaded, self.acts.in_force, self._stepped)

    def families(self) -> Iterator[Family]:
        """What metrics say of it."""
        yield from families_of_slos(self.slos.entries.values())
        yield from families_of_tasks(self.tasks.tasks)

    def _act(self) -> None:
        exhausted = self.slos.exhausted
        for condition in self.acts.told(self.slos.figures()):
            self._tell(condition)
        before, self._stepped = self._stepped, self._climbed()
        if self.acts.look(exhausted) or before != self._stepped:
            self.changed()

    def _end_tasks(self) -> None:
        self.tasks.look(self._busy)

    def _busy(self) -> set[Name]:
        """The tasks of which a call is under way, or waits for people."""
        desk: Desk | None = self._keep.seen(DESK)
        waiting = () if desk is None else (each for each in desk.files if each.state == PENDING)
        found = {(call.agent, call.task) for call in self._calls()}
        return found | {(each.request.agent, each.request.task) for each in waiting}


def _nothing() -> None:
    """Nobody wants to know."""
