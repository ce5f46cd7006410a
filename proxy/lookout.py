"""What operators are told: SLOs, alerts, behaviour, traces and mirrors, each drawn from records.

Nothing here has a say in a call. Recorders hear of each one when it has ended; all else happens
beside the path. What must outlive the process is a room of the journal (`Rebuilt`), as with
`Control`.
"""

import asyncio
import ipaddress
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from proxy import __version__
from proxy.admin.sight import Watched
from proxy.call import Call
from proxy.clock import Clock
from proxy.config.loaded import Loaded
from proxy.config.receivers import receivers_of
from proxy.config.settings import Address, Settings
from proxy.config.tightening import tightened
from proxy.config.types import Upstream
from proxy.journal.snapshot import Rebuilt
from proxy.keep import Keep
from proxy.keys import DESK, NEWS
from proxy.mirroring import Mirroring
from proxy.mirrors.sender import Sender
from proxy.news import News
from proxy.observe.alerts.delivery import Deliveries
from proxy.observe.alerts.people import Whence
from proxy.observe.behaviour.figures import families as families_of_agents
from proxy.observe.behaviour.watch import Watch
from proxy.observe.metrics import Family
from proxy.observe.slo.acts import Acts
from proxy.observe.slo.book import Slos
from proxy.observe.slo.figures import families as families_of_slos
from proxy.observe.slo.following import Following
from proxy.observe.slo.task_figures import families as families_of_tasks
from proxy.observe.slo.tasks import Name
from proxy.observe.traces.finished import Where
from proxy.observe.traces.tracer import Tracer
from proxy.observe.traces.traces import Collector, Traces
from proxy.record import Noted, Recorder
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
        self._news = keep.of(NEWS, News)
        self._data_dir = Path(settings.data_dir)
        self._post = Sender(clock)
        whence = Whence(settings.agent.id, _reached_at(settings.admin))
        self.delivery = Deliveries(self._data_dir, clock, self._post, whence, self._news.tell, bug)
        """Who tells people of alerts."""
        self.slos = Slos(clock)
        """What is counted for objectives, and how they stand."""
        self.tasks = Following(self.slos.now, self.slos.reach, clock.uuid, clock.drill)
        """The tasks that objectives count."""
        self.acts = Acts(self.slos.now)
        """What follows from budgets that are used up."""
        self.agents = Watch(clock)
        """What agents usually do, and how they fare."""
        self.rooms: Sequence[Rebuilt] = (self.slos, self.tasks, self.agents)
        """Those that the journal rebuilds before anybody is served."""
        self.recorders: list[Recorder] = []
        """Those who hear of each call; they come and go with the policies."""
        self._mirroring = Mirroring(settings, clock, keep, self._post)
        self._calls: Callable[[], Iterable[Call]] = tuple
        self._ticks: Sequence[Callable[[], None]] = (
            self._look_at_tasks,
            self.slos.tick,
            self._act,
            self.agents.look,
        )
        self.stepped: Callable[[], frozenset[str]] = frozenset
        """The policies that alerts want in force, by the steps they stand on."""
        self._stepped: frozenset[str] = frozenset()
        self.changed: Callable[[], None] = _nothing
        """Is told when other policies may be in force by what is told here."""
        self.traces = _traces(settings, clock, self._news)
        """Where calls are traced."""

    @property
    def watched(self) -> Watched:
        """What the admin side shows."""
        return Watched(self.slos, self.tasks, self.acts, self.agents)

    @property
    def tracer(self) -> Tracer | None:
        """Traces calls; None: they are not traced."""
        return None if self.traces is None else self.traces.tracer

    def shares(self) -> Sequence[Part]:
        """What is shared with other pods, where there is a store. In a drill minutes pass faster
        than the store's, and each pod goes by itself."""
        return () if self._clock.drill > 1 else (self.slos.share(),)

    def begin(
        self,
        noted: Noted,
        calls: Callable[[], Iterable[Call]],
        written: Callable[[], int],
    ) -> None:
        """What was rebuilt is there, and what is noted from now on is written. `calls`: those under
        way. `written`: the seq of the last record that is committed."""
        self._calls = calls
        self.slos.begin()
        self.tasks.begin(noted)
        self.slos.tick()  # before anybody is served: what is used up, is
        self._act()
        if self.traces is not None:
            self.traces.start()
        self._mirroring.begin(written)

    def obey(self, loaded: Loaded) -> None:
        """These policies are in force."""
        self.slos.obey(loaded.slos)
        self.acts.obey(loaded.slos)
        self._hears(self.slos, self.slos.counts_calls)
        self.tasks.follow((each.objective, each.series) for each in self.slos.entries.values())
        self._hears(self.tasks, bool(self.tasks.tasks))
        self.agents.follow(loaded.behaviour)
        self._hears(self.agents, loaded.behaviour is not None)
        self.delivery.obey(receivers_of(loaded.alerts.receivers, loaded.upstreams))
        if self.traces is not None:
            self.traces.tracer.places = {
                name: _where(each) for name, each in loaded.upstreams.items()
            }
        self._mirroring.obey(loaded)

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
        _ = self._clock.spawn(self.delivery.run())
        while True:
            await self._clock.sleep(max(_LEAST, self._clock.lasting(TICK)))
            for tick in self._ticks:
                tick()

    async def stop(self) -> None:
        """Nothing is told any more. Before the journal ends."""
        await asyncio.gather(self._mirroring.stop(), self.delivery.stop())
        await self._post.close()
        if self.traces is not None:
            await self.traces.stop()

    def tightened(self, loaded: Loaded) -> Loaded:
        """What is in force of these now."""
        return tightened(loaded, self.acts.in_force, self._stepped)

    def _act(self) -> None:
        exhausted = self.slos.exhausted
        for condition in self.acts.told(exhausted):
            self.slos.tell(condition)
        before, self._stepped = self._stepped, self.stepped()
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
        yield from self.delivery.families()
        if self.traces is not None:
            yield from self.traces.families()
        yield from self._mirroring.families()


def _nothing() -> None:
    """Nobody wants to know."""


def _reached_at(admin: Address) -> str:
    """The URL of the admin side; empty where nobody else could open it."""
    host, _, port = admin.rpartition(":")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        own = host in {"", "localhost"} or admin.startswith("unix:")
    else:
        own = address.is_loopback or address.is_unspecified
    return "" if own or port == "0" else f"http://{admin}"


def _traces(settings: Settings, clock: Clock, news: News) -> Traces | None:
    trace = settings.trace
    if not trace.on:
        return None
    headers = {name: secret.encode().decode() for name, secret in trace.headers.items()}
    ours = {
        "service.name": "holdfast",
        "service.namespace": settings.agent.fleet,
        "service.instance.id": clock.uuid(),
        "service.version": __version__,
    }
    return Traces(clock, news, trace.sample, Collector(trace.otlp.traces, headers, ours))


def _where(upstream: Upstream) -> Where:
    origin = upstream.url.origin
    url = f"{'https' if origin.tls else 'http'}://{origin.authority}{origin.base}"
    return Where(url, origin.host, origin.port, upstream.path or "/")
