"""What a store costs: the same Holdfast with all that pods share, by itself and with a Redis.

The Redis is on the core of the load. Nothing on the path of a call waits for it; what is shared is
told and taken beside it, in the process that serves the calls, and that takes some of its time.
"""

from collections.abc import Callable
from pathlib import Path

from tests.bench.budgets import MONEY
from tests.bench.calls import Plan
from tests.bench.peers import SHIPPED, Peer, Yard
from tests.bench.process import ROOT

QUICK = Plan(rounds=3, seconds=1, warm_up=1)
USUAL = Plan(rounds=9, seconds=2, warm_up=2)
NAMES = ("alone", "shared")
SHARED = """
  - name: limited
    rate_limit: {rate: 1000000/s, burst: 1000000, per: [tool]}
"""


def starters(yard: Yard, url: str) -> dict[str, Callable[[], Peer]]:
    """By name; `url` is that of the store."""
    policies = _policies(yard.folder)
    return {
        "alone": lambda: yard.holdfast_of(ROOT, "alone", policies),
        "shared": lambda: yard.holdfast_of(ROOT, "shared", policies, "--store", url),
    }


def _policies(folder: Path) -> Path:
    """The shipped ones have circuits; money and a rate come to them."""
    written = folder / "store.yaml"
    written.write_text(SHIPPED.read_text("utf-8").rstrip() + "\n" + SHARED + MONEY, "utf-8")
    return written
