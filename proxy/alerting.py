"""What people are called for: alerts with their sources, routes, ladders and delivery, at work."""

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from proxy.clock import Clock
from proxy.config.alert_rules import rules_of
from proxy.config.loaded import Loaded
from proxy.config.receivers import receivers_of
from proxy.config.settings import Address, Settings
from proxy.journal.writer import State
from proxy.keep import Keep
from proxy.keys import ALERTS, LOOPS, NEWS
from proxy.news import News
from proxy.observe.alerts import figures
from proxy.observe.alerts.acting import Acts
from proxy.observe.alerts.book import SWEEP, Alerts
from proxy.observe.alerts.delivery import Deliveries
from proxy.observe.alerts.looping import LoopNews
from proxy.observe.alerts.notice import Whence
from proxy.observe.alerts.sources import Sources
from proxy.observe.family import Family
from proxy.posts import Post, tool_call
from proxy.record import Noted
from proxy.state.loops import Loops


class Journal(Noted, Protocol):
    """Where alerts are recorded."""

    @property
    def state(self) -> State:
        """Can it be written?"""
        ...


class Alerting:
    """`begin` when the journal takes records; `obey` for each set of policies; `ticks` each second,
    behind those of the sources; `run`; `stop`."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        keep: Keep,
        post: Post,
        bug: Callable[[BaseException], None],
    ) -> None:
        """`bug` hears of errors of ours."""
        self._clock = clock
        self._post = post
        self._loaded = Loaded("")
        self._looks_at = 0.0
        news: News = keep.of(NEWS, News)
        whence = Whence(settings.agent.id, _reached_at(settings.admin))
        self.delivery = Deliveries(Path(settings.data_dir), clock, post, whence, news.tell, bug)
        """Who tells people of alerts."""
        self.alerts: Alerts = keep.of(ALERTS, lambda: Alerts(clock, news))
        """What they are called for. Every source of conditions tells it; it is a room of the
        journal."""
        self.delivery.firing = self.alerts.said_again
        self.alerts.trouble = self.delivery.trouble
        self._acts = Acts(clock, keep, self.alerts.notify, self.call)
        self._sources = Sources(self.alerts.tell, keep, clock.fast_wall)
        news.listeners.append(self._sources.hear)
        keep.of(LOOPS, Loops).heard = LoopNews(clock.now, news).hear
        self.ticks: Sequence[Callable[[], None]] = (self._look, self.alerts.tick, self._hold)

    def begin(self, noted: Journal) -> None:
        """What was rebuilt is there, and what is noted from now on is written."""
        self._sources.begin(lambda: noted.state)
        self.alerts.begin(noted, self.delivery.send, self._acts)

    def obey(self, loaded: Loaded) -> None:
        """These policies are in force."""
        self._loaded = loaded
        self._sources.upstreams = loaded.upstreams
        self._looks_at = 0.0  # what is in no policy any more is over
        self.delivery.obey(receivers_of(loaded.alerts.receivers, loaded.upstreams))
        self.alerts.obey(rules_of(loaded.alerts))
        self.alerts.only("upstream", "upstream", frozenset(loaded.upstreams))

    def families(self) -> Iterator[Family]:
        """What metrics say of it."""
        yield from figures.families(self.alerts)
        yield from self.delivery.families()

    def _look(self) -> None:
        """How things stand that news tell of."""
        if self._clock.now() >= self._looks_at:
            self._looks_at = self._clock.now() + SWEEP
            self.alerts.stands(*self._sources.look())
            self.alerts.end_those(self._sources.is_over)

    def _hold(self) -> None:
        self._acts.hold(self.alerts.held_open)

    async def call(self, upstream: str, tool: str, arguments: dict[str, Any], key: str) -> str:
        """A step of a ladder calls a tool of the gateway. Straight: what policies stop of agents
        must not stop the word that something is wrong. Gives why it was not taken."""
        there = self._loaded.upstreams.get(upstream)
        if there is None:
            return "there is no such upstream"
        content, headers = tool_call(tool, arguments, key)
        # Of several credentials one is sent: two of a kind would contradict each other.
        known = tuple((name.decode(), value.decode()) for name, value in there.credentials[:1])
        answer = await self._post(
            f"{str(there.url).rstrip('/')}/", content, (*headers, *known), private=True
        )
        return "" if answer.taken else answer.why or f"it answered {answer.status}"


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
