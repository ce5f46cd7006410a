"""What a pod holds, as the store knows it: for who settles the money of one that died.

Only looked at: nothing is changed by it.
"""

from typing import Any

import msgspec

from proxy.state.memory import Memory
from proxy.state.shared.money import Parts
from proxy.state.store import Argument, Verb


class Holding(msgspec.Struct, frozen=True):
    """Of one line (`state/shared/money.py`)."""

    held: int  # granted, and neither spent nor given back
    told: Parts  # by the pod: what it spent, by part


class Holds(Verb[dict[str, Holding]], frozen=True):
    """The lines of a pod, by their names."""

    script = "holds"

    pod: str

    def on(self, memory: Memory) -> dict[str, Holding]:
        """Part of Verb."""
        found: dict[str, Holding] = {}
        for name in memory.seen(f"lines:{self.pod}") or ():
            line = memory.seen(name)
            if line is not None:
                own, folded = (of.get(self.pod, {}) for of in (line.spent, line.folded))
                told = {part: own.get(part, 0) + folded.get(part, 0) for part in {*own, *folded}}
                found[name] = Holding(line.held.get(self.pod, 0), told)
        return found

    def args(self) -> list[Argument]:
        """Part of Verb."""
        return [self.pod]

    def answer(self, reply: Any) -> dict[str, Holding]:
        """Part of Verb."""
        rows = msgspec.convert(reply, list[tuple[bytes, int, list[int]]])
        return {
            name.decode(): Holding(held, dict(zip(told[::2], told[1::2], strict=True)))
            for name, held, told in rows
        }
