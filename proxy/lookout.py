"""What operators are told, put together: objectives, behaviour, alerts, traces and mirrors.

All of it is drawn from records, and nothing here has a say in a call. Recorders hear of each one
when it has ended; all else happens beside the path. What must outlive the process is a room of the
journal (`Rebuilt`), as with `Control`.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence

from proxy.admin.sight import Watched
from proxy.alerting import Alerting, Journal
from proxy.call import Call
from proxy.clock import Clock
from proxy.config.loaded import Loaded
from proxy.config.settings import Settings
from proxy.journal.snapshot import Rebuilt
from proxy.keep import Keep
from proxy.mirroring import Mirroring
from proxy.mirrors.sender import Sender
from proxy.objectives import Objectives
from proxy.observe.behaviour.figures import families as families_of_agents
from proxy.observe.behaviour.watch import Watch
from proxy.observe.family import Family
from proxy.record import Recorder
from proxy.recorders import Recorders
from proxy.state.link import Part
from proxy.tracing import Tracing

TICK = 1.0
"""Seconds from look to look at what was counted; windows are far longer."""
_LEAST = 0.05  # where windows pass faster, in a drill


class Lookout:
    """`begin` when the journal takes records; `obey` for each set of policies; `run`; `stop`."""

    def __init__(
        self, settings: Settings, clock: Clock, keep: Keep, bug: Callable[[BaseException], None]
    ) -> None:
        """`bug` hears of errors of ours."""
        self._clock = clock
        self._bug = bug
        self._post = Sender(clock)
        self.alerting = Alerting(settings, clock, keep, self._post, bug)
        """Who is called, and for what."""
        alerts = self.alerting.alerts
        self.objectives = Objectives(clock, keep, alerts.tell, lambda: alerts.tightened)
        """Objectives, and what follows from them."""
        self.agents = Watch(clock)
        """What agents usually do, and how they fare."""
        self.agents.tell = alerts.tell
        self.mirroring = Mirroring(settings, clock, keep, self._post)
        """Where records go as well."""
        self.tracing = Tracing(settings, clock, keep)
        """Where spans of calls go."""
        self.rooms: Sequence[Rebuilt] = (*self.objectives.rooms, self.agents, alerts)
        """Those that the journal rebuilds before anybody is served."""
        self.recorders = Recorders(clock)
        """Those who hear of each call; they come and go with the policies."""
        # Who is told of something comes behind those who tell of it.
        self._ticks = (*self.objectives.ticks, self.agents.look, *self.alerting.ticks)

    @property
    def watched(self) -> Watched:
        """What the admin side shows."""
        kept = self.objectives
        return Watched(kept.slos, kept.tasks, kept.acts, self.agents)

    def shares(self) -> Sequence[Part]:
        """What is shared with other pods, where there is a store. In a drill minutes pass faster
        than the store's, and each pod goes by itself."""
        return () if self._clock.drill > 1 else (self.objectives.slos.share(),)

    def begin(
        self,
        noted: Journal,
        calls: Callable[[], Iterable[Call]],
        written: Callable[[], int],
    ) -> None:
        """What was rebuilt is there, and what is noted from now on is written. `calls`: those under
        way. `written`: the seq of the last record that is committed."""
        self.alerting.begin(noted)
        self.objectives.begin(noted, calls)
        self.tracing.begin()
        self.mirroring.begin(written)

    def obey(self, loaded: Loaded) -> None:
        """These policies are in force. What ended under others was counted by them."""
        self.recorders.catch_up()
        self.objectives.obey(loaded)
        self.agents.follow(loaded.behaviour)
        self.alerting.obey(loaded)
        self.mirroring.obey(loaded)
        self.tracing.obey(loaded)
        self._hears(self.objectives.slos, self.objectives.slos.counts_calls)
        self._hears(self.objectives.tasks, bool(self.objectives.tasks.tasks))
        self._hears(self.agents, loaded.behaviour is not None)

    def _hears(self, recorder: Recorder, wants: bool) -> None:
        """Of calls, where it wants to: who does not costs them nothing."""
        self.recorders.drop(recorder)
        if wants:
            self.recorders.add(recorder)

    def families(self) -> Iterator[Family]:
        """What metrics say of it."""
        yield from self.objectives.families()
        yield from families_of_agents(self.agents)
        yield from self.alerting.families()
        yield from self.mirroring.families()
        yield from self.tracing.families()

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        _ = self._clock.spawn(self.alerting.delivery.run())
        while True:
            await self._clock.sleep(max(_LEAST, self._clock.lasting(TICK)))
            self.recorders.catch_up()
            for tick in self._ticks:
                try:
                    tick()
                except Exception as error:  # the others go on
                    self._bug(error)

    async def stop(self) -> None:
        """Nothing is told any more. Before the journal ends."""
        ends = (self.mirroring.stop(), self.alerting.delivery.stop(), self.tracing.stop())
        await asyncio.gather(*ends)
        await self._post.close()
