"""What operators may see of the running process. Whoever looks changes nothing."""

from collections.abc import Callable

import msgspec

from proxy.admin.health import Health
from proxy.clock import Clock
from proxy.keep import Keep
from proxy.observe.metrics import Metrics
from proxy.pipeline.table import Table
from proxy.protocols.identity import Identity


class Sight(msgspec.Struct, frozen=True):
    """The parts, as they are at work."""

    health: Health
    metrics: Metrics
    clock: Clock
    keep: Keep
    identity: Identity
    table: Callable[[], Table]  # the one in force now
