"""What operators are told: SLOs, alerts, behaviour, traces and mirrors, each drawn from records.

Nothing here has a say in a call. Recorders hear of each one when it has ended; all else happens
beside the path. What must outlive the process is a room of the journal (`Rebuilt`), as with
`Control`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from proxy.clock import Clock
from proxy.config.loaded import Loaded
from proxy.config.settings import Settings
from proxy.journal.snapshot import Rebuilt
from proxy.keep import Keep
from proxy.mirrors.sender import Sender
from proxy.observe.behaviour.figures import families as families_of_agents
from proxy.observe.behaviour.watch import Watch
from proxy.observe.metrics import Family
from proxy.observe.slo.book import Slos
from proxy.observe.slo.figures import families as families_of_slos
from proxy.people import Journal, People
from proxy.record import Recorder
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
        self._bug = bug
        self._post = Sender(clock)
        self.people = People(settings, clock, keep, self._post, bug)
        """Who is called, and for what. Sources of conditions tell `people.alerts`."""
        self.slos = Slos(clock)
        """What is counted for objectives, and how they stand."""
        self.watch = Watch(clock)
        """What agents usually do, and how they fare."""
        self.slos.tell = self.watch.tell = self.people.alerts.tell
        self.rooms: Sequence[Rebuilt] = (self.slos, self.watch, self.people.alerts)
        """Those that the journal rebuilds before anybody is served."""
        self.recorders: list[Recorder] = []
        """Those who hear of each call; they come and go with the policies."""
        self._ticks: Sequence[Callable[[], None]] = (
            self.slos.tick,
            self.watch.look,
            *self.people.ticks,
        )

    def shares(self) -> Sequence[Part]:
        """What is shared with other pods, where there is a store. In a drill minutes pass faster
        than the store's, and each pod goes by itself."""
        return () if self._clock.drill > 1 else (self.slos.share(),)

    def begin(self, noted: Journal) -> None:
        """What was rebuilt is there, and what is noted from now on is written."""
        self.people.begin(noted)
        self.slos.begin()
        self.slos.tick()  # before anybody is served: what is used up, is

    def obey(self, loaded: Loaded) -> None:
        """These policies are in force."""
        self.slos.obey(loaded.slos)
        self._hears(self.slos, self.slos.counts_calls)
        self.watch.follow(loaded.behaviour)
        self._hears(self.watch, loaded.behaviour is not None)
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

    def _families(self) -> Iterable[Family]:
        yield from families_of_slos(self.slos.entries.values())
        yield from families_of_agents(self.watch)
        yield from self.people.families()
