"""What sections cost: this tree without new ones, with every one, and a tree of before, in turn.

The first and the last have the same policies, those of the tree of before. A machine is never quiet
for long, so each round's rate is compared with that of the same round, a few seconds apart.
"""

import statistics
from collections.abc import Callable
from pathlib import Path

from tests.bench.calls import Figures, Plan
from tests.bench.peers import Peer, Yard
from tests.bench.process import ROOT

QUICK = Plan(rounds=3, seconds=1, warm_up=1)
USUAL = Plan(rounds=9, seconds=2, warm_up=2)
EVERY = Path(__file__).with_name("sections.yaml")
NAMES = ("base", "unused", "every")


def starters(yard: Yard, before: Path) -> dict[str, Callable[[], Peer]]:
    """By name; `before` is the tree of before."""
    usual = before / "policies" / "10-defaults.yaml"
    return {
        "base": lambda: yard.holdfast_of(before, "base", usual),
        "unused": lambda: yard.holdfast_of(ROOT, "unused", usual),
        "every": lambda: yard.holdfast_of(ROOT, "every", EVERY),
    }


def paired(ours: Figures, theirs: Figures) -> float:
    """Our calls/s over theirs, round by round; the median of it."""
    pairs = zip(ours.rates, theirs.rates, strict=True)
    return statistics.median(our / their if their else 0.0 for our, their in pairs)
