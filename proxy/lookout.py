"""What operators are told: SLOs, alerts, behaviour, traces and mirrors, each drawn from records.

Nothing here has a say in a call. Recorders hear of each one when it has ended; all else happens
beside the path. What must outlive the process is a room of the journal (`Rebuilt`), as with
`Control`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from proxy.clock import Clock
from proxy.config.loaded import Loaded
from proxy.config.settings import Settings
from proxy.journal.snapshot import Rebuilt
from proxy.keep import Keep
from proxy.keys import NEWS
from proxy.news import News
from proxy.observe.behaviour.watch import Watch
from proxy.observe.metrics import Family
from proxy.record import Noted, Recorder
from proxy.state.link import Part

TICK = 1.0
"""Seconds from look to look at what was counted; windows are far longer."""


class Lookout:
    """`begin` when the journal takes records; `obey` for each set of policies; `run`; `stop`."""

    def __init__(self, settings: Settings, clock: Clock, keep: Keep) -> None:
        self._clock = clock
        self._news = keep.of(NEWS, News)
        self._data_dir = Path(settings.data_dir)
        self.watch = Watch(clock)
        self.rooms: Sequence[Rebuilt] = (self.watch,)
        """Those that the journal rebuilds before anybody is served."""
        self.recorders: list[Recorder] = []
        """Those who hear of each call; they come and go."""
        self.parts: Sequence[Part] = ()
        """What is shared with other pods, where there is a store."""
        self._ticks: Sequence[Callable[[], None]] = (self.watch.look,)

    def begin(self, noted: Noted) -> None:
        """What was rebuilt is there, and what is noted from now on is written."""

    def obey(self, loaded: Loaded) -> None:
        """These policies are in force."""
        self.watch.follow(loaded.behaviour)
        self._hears(self.watch, wanted=loaded.behaviour is not None)

    def families(self) -> Iterator[Family]:
        """What metrics say of it."""
        return iter(self._families())

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self._clock.sleep(TICK)
            for tick in self._ticks:
                tick()

    async def stop(self) -> None:
        """Nothing is told any more. Before the journal ends."""

    def _families(self) -> Iterable[Family]:
        yield from self.watch.families()

    def _hears(self, recorder: Recorder, *, wanted: bool) -> None:
        if wanted and recorder not in self.recorders:
            self.recorders.append(recorder)
        elif not wanted and recorder in self.recorders:
            self.recorders.remove(recorder)
