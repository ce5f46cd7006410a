"""Erasures: what the journal says of payloads that were destroyed, and what a crash left open.

First it is recorded that somebody asked (`begun`, durable), then keys and rows are destroyed, then
it is recorded that it was done. The other way round, a process that dies in between would have
destroyed evidence, and nobody could tell who asked for it, or that it ever was. This way the next
start finds an erasure that began and never ended, and does it again before it serves anybody:
destroying twice what was destroyed once changes nothing, and nothing new was kept meanwhile.

One that fails is recorded as `failed`, so that no later start destroys what was kept after it.
"""

from typing import Any, ClassVar

import msgspec

BEGUN, DONE, FAILED = "begun", "done", "failed"
AGE = "age"
"""What is erased where nobody asked: what is older than it may be."""


NO_SUBJECT = (
    "subject: nothing is kept under a subject: no call says whom it is about, and this version has "
    "no setting that would; erase by task (Holdfast-Task of its calls) or by agent"
)


class Erasure(msgspec.Struct, frozen=True, omit_defaults=True):
    """Payloads are destroyed. Both its lines have one id."""

    id: str
    stage: str  # begun | done | failed
    what: str  # task | agent | age
    whose: str = ""  # the task's or agent's name
    by: str = ""  # who asked, as far as it is known
    reason: str = ""
    payloads: int = -1  # rows that were destroyed
    keys: int = -1
    days: int = 0  # of age: what is older
    why: str = ""  # it failed
    type: ClassVar[str] = "erasure"


class Erasures:
    """Part of Rebuilt: those that began and have no end yet."""

    name = "erasures"
    types = frozenset({Erasure.type})

    def __init__(self) -> None:
        self.open: dict[str, Erasure] = {}

    def hear(self, entry: Erasure) -> None:
        """It is about to be noted."""
        if entry.stage == BEGUN:
            self.open[entry.id] = entry
        else:
            self.open.pop(entry.id, None)

    def dump(self) -> Any:
        """Part of Rebuilt."""
        return [msgspec.to_builtins(entry) for entry in self.open.values()]

    def load(self, state: Any, /) -> None:
        """Part of Rebuilt."""
        self.open = {entry.id: entry for entry in msgspec.convert(state, list[Erasure])}

    def apply(self, record: dict[str, Any], /) -> None:
        """Part of Rebuilt. Nothing is taken from a line that is no such record."""
        try:
            self.hear(msgspec.convert(record, Erasure))
        except msgspec.ValidationError:
            return
