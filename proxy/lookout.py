"""What operators are told: SLOs, alerts, behaviour, traces and mirrors, each drawn from records.

Nothing here has a say in a call. Recorders hear of each one when it has ended; all else happens
beside the path. What must outlive the process is a room of the journal (`Rebuilt`), as with
`Control`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from proxy.admin.sight import Watched
from proxy.call import Call
from proxy.clock import Clock
from proxy.config.loaded import Loaded
from proxy.config.settings import Settings
from proxy.config.tightening import tightened
from proxy.journal.snapshot import Rebuilt
from proxy.keep import Keep
from proxy.keys import DESK
from proxy.mirrors.sender import Sender
from proxy.observe.behaviour.figures import families as families_of_agents
from proxy.observe.behaviour.watch import Watch
from proxy.observe.metrics import Family
from proxy.observe.slo.acts import Acts
from proxy.observe.slo.book import Slos
from proxy.observe.slo.figures import families as families_of_slos
from proxy.observe.slo.following import Following
from proxy.observe.slo.task_figures import families as families_of_tasks
from proxy.observe.slo.tasks import Name
from proxy.people import Journal, People
from proxy.record import Recorder
from proxy.state.case import PENDING
from proxy.state.desk import Desk
from proxy.state.link import Part

TICK = 1.0
"""Seconds from look to look at what was counted; windows are far longer."""
_LEAST = 0.05  # where windows pass faster, in a drill


class Lookout:
    """`begin` when the journal takes records; `obey` for each set of policies; `run`; `stop`."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        keep: Keep,
        bug: Callable[[BaseException], None],
    ) -> None:
        """`bug` hears of errors of ours."""
        self._clock = clock
        self._keep = keep
        self._bug = bug
        self._post = Sender(clock)
        self.people = People(settings, clock, keep, self._post, bug)
        """Who is called, and for what. Sources of conditions tell `people.alerts`."""
        self.slos = Slos(clock)
        """What is counted for objectives, and how they stand."""
        self.tasks = Following(self.slos.now, self.slos.reach, clock.uuid, clock.drill)
        """The tasks that objectives count."""
        self.acts = Acts(self.slos.now)
        """What follows from budgets that are used up."""
        self.agents = Watch(clock)
        """What agents usually do, and how they fare."""
        self.slos.tell = self.agents.tell = self.people.alerts.tell
        self.rooms: Sequence[Rebuilt] = (self.slos, self.tasks, self.agents, self.people.alerts)
        """Those that the journal rebuilds before anybody is served."""
        self.recorders: list[Recorder] = []
        """Those who hear of each call; they come and go with the policies."""
        self._calls: Callable[[], Iterable[Call]] = tuple
        self._ticks: Sequence[Callable[[], None]] = (
            self._look_at_tasks,
            self.slos.tick,
            self._act,
            self.agents.look,
            *self.people.ticks,
        )
        self._stepped: frozenset[str] = frozenset()
        self.changed: Callable[[], None] = _nothing
        """Is told when other policies may be in force by what is told here."""

    @property
    def watched(self) -> Watched:
        """What the admin side shows."""
        return Watched(self.slos, self.tasks, self.acts, self.agents)

    def shares(self) -> Sequence[Part]:
        """What is shared with other pods, where there is a store. In a drill minutes pass faster
        than the store's, and each pod goes by itself."""
        return () if self._clock.drill > 1 else (self.slos.share(),)

    def begin(self, noted: Journal, calls: Callable[[], Iterable[Call]]) -> None:
        """What was rebuilt is there, and what is noted from now on is written. `calls`: those under
        way."""
        self._calls = calls
        self.people.begin(noted)
        self.slos.begin()
        self.tasks.begin(noted)
        self.slos.tick()  # before anybody is served: what is used up, is
        self._act()

    def obey(self, loaded: Loaded) -> None:
        """These policies are in force."""
        self.slos.obey(loaded.slos)
        self.acts.obey(loaded.slos)
        self._hears(self.slos, self.slos.counts_calls)
        self.tasks.follow((each.objective, each.series) for each in self.slos.entries.values())
        self._hears(self.tasks, bool(self.tasks.tasks))
        self.agents.follow(loaded.behaviour)
        self._hears(self.agents, loaded.behaviour is not None)
        self.people.obey(loaded)

    def _hears(self, recorder: Recorder, wants: bool) -> None:
        """Of calls, where it wants to: who does not costs them nothing."""
        if recorder in self.recorders:
            self.recorders.remove(recorder)
        if wants:
            self.recorders.append(recorder)

    def families(self) -> Iterator[Family]:
        """What metrics say of it."""
        return iter(self._families())

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        _ = self._clock.spawn(self.people.delivery.run())
        while True:
            await self._clock.sleep(max(_LEAST, self._clock.lasting(TICK)))
            for tick in self._ticks:
                try:
                    tick()
                except Exception as error:  # the others go on
                    self._bug(error)

    async def stop(self) -> None:
        """Nothing is told any more. Before the journal ends."""
        await self.people.delivery.stop()
        await self._post.close()

    def tightened(self, loaded: Loaded) -> Loaded:
        """What is in force of these now."""
        return tightened(loaded, self.acts.in_force, self._stepped)

    def _act(self) -> None:
        exhausted = self.slos.exhausted
        for condition in self.acts.told(exhausted):
            self.slos.tell(condition)
        before, self._stepped = self._stepped, self.people.alerts.tightened
        if self.acts.look(exhausted) or before != self._stepped:
            self.changed()

    def _look_at_tasks(self) -> None:
        self.tasks.look(self._busy)

    def _busy(self) -> set[Name]:
        """The tasks of which a call is under way, or waits for people."""
        desk: Desk | None = self._keep.seen(DESK)
        waiting = () if desk is None else (each for each in desk.files if each.state == PENDING)
        found = {(call.agent, call.task) for call in self._calls()}
        return found | {(each.request.agent, each.request.task) for each in waiting}

    def _families(self) -> Iterable[Family]:
        yield from families_of_slos(self.slos.entries.values())
        yield from families_of_tasks(self.tasks.tasks)
        yield from families_of_agents(self.agents)
        yield from self.people.families()


def _nothing() -> None:
    """Nobody wants to know."""
