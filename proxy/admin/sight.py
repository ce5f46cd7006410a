"""What operators may see of the running process, and what they may do to it.

Whoever looks changes nothing.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec

from proxy.admin.health import Health
from proxy.clock import Clock
from proxy.journal.erasures import Erasure
from proxy.journal.sealing import Trouble
from proxy.keep import Keep
from proxy.keys import KILLS
from proxy.observe.metrics import Metrics
from proxy.pipeline.table import Table
from proxy.protocols.identity import Identity
from proxy.state.kills import Kills

Erase: TypeAlias = Callable[[str, str, str, str], Awaitable[Erasure]]
"""Of what (task | agent), whose, who asks, and why. Raises Held, Trouble."""


async def _nothing_kept(what: str, whose: str, by: str, reason: str) -> Erasure:
    """Where there is no journal. Raises Trouble."""
    raise Trouble("closed", "nothing is kept here")


class Sight(msgspec.Struct, frozen=True):
    """The parts, as they are at work."""

    health: Health
    metrics: Metrics
    clock: Clock
    keep: Keep
    identity: Identity
    table: Callable[[], Table]  # the one in force now
    erase: Erase = _nothing_kept

    @property
    def kills(self) -> Kills:
        """What is killed."""
        return self.keep.of(KILLS, Kills)
