"""What money costs: the shipped policies, and the same with a price and three budgets, in turn."""

from collections.abc import Callable
from pathlib import Path

from tests.bench.calls import Plan
from tests.bench.peers import SHIPPED, Peer, Yard
from tests.bench.process import ROOT

QUICK = Plan(rounds=3, seconds=1, warm_up=1)
USUAL = Plan(rounds=9, seconds=2, warm_up=2)
NAMES = ("free", "priced")
MONEY = """
  - name: priced
    cost: 0.000001

budgets:
  - {name: agent, per: agent, hour: 50000, day: 250000, month: 5000000}
  - {name: tool, per: tool, day: 1000000}
  - {name: fleet, per: fleet, day: 2000000}
"""


def starters(yard: Yard) -> dict[str, Callable[[], Peer]]:
    """By name: the same Holdfast, of which one counts what calls cost."""
    return {
        "free": lambda: yard.kept("free"),
        "priced": lambda: yard.holdfast_of(ROOT, "priced", _priced(yard.folder)),
    }


def _priced(folder: Path) -> Path:
    written = folder / "priced.yaml"
    written.write_text(SHIPPED.read_text("utf-8").rstrip() + "\n" + MONEY, "utf-8")
    return written
