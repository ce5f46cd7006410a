"""What it costs to tell operators: the shipped policies by themselves, with objectives, behaviour
and alerts, with a mirror of all records as well, and with one call in a hundred traced; and Envoy.

Who is told is the upstream, which takes whatever it is posted, on the core of the load; the mirror
writes to the file that is the peer's standard output. The metrics of the one that is loaded are
read every second. Calls name no task, so the objective of tasks has only to see that.
"""

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.bench.calls import Plan
from tests.bench.load import Load, Outcome
from tests.bench.peers import SHIPPED, Address, Peer, Yard
from tests.bench.process import ROOT

QUICK = Plan(rounds=3, seconds=1, warm_up=1)
USUAL = Plan(rounds=9, seconds=2, warm_up=2)
NAMES = ("untold", "watched", "told", "told-traced", "envoy")
EVERY = 1.0
"""Seconds from one reading of the metrics to the next."""
CATCHES_UP = 20.0
"""Seconds that a mirror is waited for."""
FEW = 100
"""Records behind which it is not waited for: some come without calls, too."""
_READ = ("watched", "told", "told-traced")
_LAG = re.compile(r"^holdfast_mirror_lag_records(?:{.*})? (\S+)", re.MULTILINE)
WATCHED = """
slos:
  - {name: works, sli: success, objective: 0.999}
  - {name: quick, sli: latency, threshold: 1s, objective: 0.99}
  - {name: gateway-works, sli: success, objective: 0.99, match: {upstream: gateway}}
  - {name: tasks, sli: success, per: task, objective: 0.99}
behaviour: {}
alerts:
  receivers: [{name: hook, kind: webhook, url: "@URL@/alerts", allow_private: true}]
  routes: [{to: [hook]}]
"""
TOLD = (
    WATCHED
    + """
mirrors:
  - {name: copy, kind: stdout}
"""
)


def starters(yard: Yard) -> dict[str, Callable[[], Peer]]:
    """By name."""
    watched, policies = _policies(yard, "watched", WATCHED), _policies(yard, "told", TOLD)
    traced = ("--config", str(_settings(yard)))
    return {
        "untold": lambda: yard.holdfast_of(ROOT, "untold", SHIPPED),
        "watched": lambda: yard.holdfast_of(ROOT, "watched", watched),
        "told": lambda: yard.holdfast_of(ROOT, "told", policies),
        "told-traced": lambda: yard.holdfast_of(ROOT, "told-traced", policies, *traced),
        "envoy": yard.envoy,
    }


class Reading(Load):
    """A load; who is told all is asked for his metrics as long as it runs."""

    def watch(self, peers: Sequence[Peer]) -> None:
        """These are loaded from now on."""
        self._watched = {peer.listen: peer for peer in peers if peer.name in _READ}

    def run(self, target: Address, connections: int, seconds: int) -> Outcome:
        """As Load. Then its mirror is waited for: what it has to catch up is its own, and would be
        measured with the next peer."""
        peer = self._watched.get(target)
        with _read(peer):
            outcome = super().run(target, connections, seconds)
        until = time.monotonic() + CATCHES_UP
        while peer is not None and _lag(peer) > FEW and time.monotonic() < until:
            time.sleep(EVERY / 4)
        return outcome


@contextlib.contextmanager
def _read(peer: Peer | None) -> Iterator[None]:
    if peer is None:
        yield
        return
    over = threading.Event()

    def read() -> None:
        while not over.wait(EVERY / 2):  # so that a round of one second has one in its middle
            peer.metrics()
            if over.wait(EVERY / 2):
                return

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _lag(peer: Peer) -> float:
    """Records that its mirror has yet to tell."""
    return sum(map(float, _LAG.findall(peer.metrics())))


def _policies(yard: Yard, name: str, more: str) -> Path:
    host, port = yard.direct().listen
    written = yard.folder / f"{name}.yaml"
    told = more.replace("@URL@", f"http://{host}:{port}")
    written.write_text(SHIPPED.read_text("utf-8").rstrip() + "\n" + told, "utf-8")
    return written


def _settings(yard: Yard) -> Path:
    host, port = yard.direct().listen
    written = yard.folder / "told-traced-settings.yaml"
    written.write_text(f"trace: {{otlp: 'http://{host}:{port}/collector', sample: 0.01}}\n")
    return written
