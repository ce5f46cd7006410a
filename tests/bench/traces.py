"""What traces cost: the same Holdfast without them, with one in a hundred, and with each.

The collector is the upstream, which takes whatever it is posted, on the core of the load. Spans are
made in a thread of the process that serves the calls, which takes of its core.
"""

from collections.abc import Callable
from pathlib import Path

from tests.bench.calls import Plan
from tests.bench.peers import SHIPPED, Peer, Yard
from tests.bench.process import ROOT

QUICK = Plan(rounds=3, seconds=1, warm_up=1)
USUAL = Plan(rounds=9, seconds=2, warm_up=2)
NAMES = ("untraced", "sampled", "traced")
_SAMPLES = {"sampled": 0.01, "traced": 1}


def starters(yard: Yard) -> dict[str, Callable[[], Peer]]:
    """By name."""
    return {name: lambda name=name: _started(yard, name) for name in NAMES}  # type: ignore[misc]


def _started(yard: Yard, name: str) -> Peer:
    if name not in _SAMPLES:
        return yard.holdfast_of(ROOT, name, SHIPPED)
    host, port = yard.direct().listen
    written = Path(yard.folder) / f"{name}.yaml"
    collector = f"http://{host}:{port}/collector"
    written.write_text(f"trace: {{otlp: '{collector}', sample: {_SAMPLES[name]}}}\n", "utf-8")
    return yard.holdfast_of(ROOT, name, SHIPPED, "--config", str(written))
