"""What operators may see of the running process, and what they may do to it.

Whoever looks changes nothing.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import msgspec

from proxy.admin.health import Health
from proxy.call import Call
from proxy.clock import Clock
from proxy.config.tokens import Tokens
from proxy.journal.entries import Entry
from proxy.journal.erasures import Erasure
from proxy.journal.sealing import Trouble
from proxy.keep import Keep
from proxy.keys import ALERTS, KILLS, NEWS
from proxy.news import News
from proxy.observe.alerts.book import Alerts
from proxy.observe.behaviour.watch import Watch
from proxy.observe.metrics import Metrics
from proxy.observe.slo.book import Slos
from proxy.observe.slo.following import Following
from proxy.observe.slo.on_exhausted import OnExhausted
from proxy.pipeline.table import Table
from proxy.protocols.identity import Identity
from proxy.recorders import Recorders
from proxy.state.kills import Kills
from proxy.state.link import Link
from proxy.state.shared.fleet import Fleet, Pod

Erase: TypeAlias = Callable[[str, str, str, str], Awaitable[Erasure]]
"""Of what (task | agent), whose, who asks, and why. Raises Held, Trouble."""


Reload: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]
"""Of who asks for it: reads policies and tokens again. Gives what is wrong with them."""


async def _nothing_to_read(by: str) -> Sequence[str]:
    """Where there are no files."""
    return ()


async def _nothing_kept(what: str, whose: str, by: str, reason: str) -> Erasure:
    """Where there is no journal. Raises Trouble."""
    raise Trouble("closed", "nothing is kept here")


async def _nowhere(entry: Entry) -> bool:
    """Where there is no journal."""
    return False


class Fellows(Protocol):
    """The other pods, where the settings name a store."""

    link: Link

    @property
    def known(self) -> Fleet:
        """As they were seen last."""
        ...

    async def look(self) -> Fleet:
        """As the store has them now. Raises Unreachable."""
        ...

    async def give_up(self, pod: Pod, /) -> None:
        """It will not come back: what it held counts as spent. Raises Unreachable."""
        ...


class Watched(NamedTuple):
    """What operators are told."""

    slos: Slos
    tasks: Following
    acts: OnExhausted
    agents: Watch


class Sight(msgspec.Struct, frozen=True):
    """The parts, as they are at work."""

    health: Health
    metrics: Metrics
    clock: Clock
    keep: Keep
    identity: Identity
    table: Callable[[], Table]  # the one in force now
    recorders: Recorders
    """Who is told of each call that has ended; may change at any time."""
    erase: Erase = _nothing_kept
    tokens: Callable[[], Tokens] = Tokens
    reload: Reload = _nothing_to_read
    under_way: Callable[[], Iterable[Call]] = tuple
    written: Callable[[Entry], Awaitable[bool]] = _nowhere
    """Notes something, and says whether that is durable."""
    fellows: Fellows | None = None
    """None: nothing is shared."""
    watched: Watched | None = None
    """None: nobody counts."""
    mirrors: Callable[[], list[dict[str, Any]]] = list
    """How each of them gets on."""

    @property
    def alerts(self) -> Alerts:
        """What people are called for."""
        return self.keep.of(ALERTS, lambda: Alerts(self.clock, self.keep.of(NEWS, News)))

    @property
    def kills(self) -> Kills:
        """What is killed."""
        return self.keep.of(KILLS, Kills)
