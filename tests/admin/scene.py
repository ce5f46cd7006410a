"""What the admin side is shown in tests: a table at work, and what was counted of it."""

from typing import Any

from proxy.admin.health import Health
from proxy.admin.sight import Sight
from proxy.keep import Keep
from proxy.observe.metrics import Metrics
from proxy.protocols.identity import Identity
from proxy.recorders import Recorders
from tests.fakes import EPOCH, FakeClock
from tests.tables import Desk

POLICIES = """
policies:
  - name: default
    timeout: {total: 45s}
    breaker: {consecutive: 2, open: {base: 5s, jitter: 0}}
  - {name: reads, match: {tool: ["get_*", "!get_x"]}, effect: read, retry: {attempts: 1}}
  - {name: trial, mode: shadow, breaker: {consecutive: 1}}
"""


class Scene:
    """A process that serves one upstream. Calls are made at the `desk`, records are noted."""

    def __init__(self, *script: Any, policies: str = POLICIES) -> None:
        self.clock = FakeClock(asleep=False)
        self.keep = Keep()
        self.desk = Desk(policies, *script, clock=self.clock, keep=self.keep)
        self.health = Health(listen="127.0.0.1:8700", began=EPOCH + 990.0)
        self.health.loaded("ab12cd", EPOCH + 991.0)
        self.metrics = Metrics(self.keep, self.health)
        self.sight = Sight(
            self.health,
            self.metrics,
            self.clock,
            self.keep,
            Identity("ann", "crew"),
            lambda: self.desk.table,
            Recorders(self.clock),
        )
