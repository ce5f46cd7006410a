"""The store: what the pods of a fleet agree on (spec 3.11).

A pod decides by what it has: a share of a budget, of a rate, what it last heard of circuits and
kills. The store is where those shares come from. So there is no general way to read and write it,
only *verbs*: each is one decision that nothing can interleave with, in one message there and back.

A verb is written down twice, side by side: as `on`, what it does to a `Memory`, in Python; and as a
script for Redis that does the same (`scripts/`, by the name of the verb's file in `shared/`). The
first is its definition: tests hold the second against it (`tests/state/shared`), and it is what
pods in one process share.

**What is promised.** A verb that answered was done. One that raised `Unreachable` was done or was
not, or will be at any time from now on, for a message may lie in a server that hangs: nobody may
repeat it as if it had not been. So verbs say what shall be (a total), never by how much it changes,
and where that matters they carry a number that grows, so that an old one that comes late is void.

**Time** is the store's, in milliseconds since 1970. Pods' clocks may differ, or jump.
"""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar

import msgspec

from proxy.state.memory import Memory

Answer = TypeVar("Answer")
Listener: TypeAlias = Callable[[str, bytes], None]
"""Is told what was published: a topic, and what was said. Never waits, never raises."""
Argument: TypeAlias = str | bytes | int


class Unreachable(Exception):
    """The store did not answer: what was asked is done, or is not. The text says why, and `reason`
    in a word of `REASONS`."""

    def __init__(self, why: str, reason: str = "other") -> None:
        super().__init__(why)
        self.reason = reason


REASONS = (
    *("timeout", "connection", "refused", "memory", "read_only", "loading", "reply", "other"),
    "crowded",
)
"""Why it did not answer: for metrics. crowded: this pod asked too much at once, so it was asked too
late or not at all."""


class Rejected(Exception):
    """The store does not want us: its credentials or its certificate are wrong. It will not be
    better by waiting."""


class Verb(msgspec.Struct, Generic[Answer], frozen=True):
    """One decision. Amounts are whole numbers below 2 ** 53: Redis scripts know no others."""

    script: ClassVar[str]
    """The name of its script."""

    def on(self, memory: Memory) -> Answer:
        """What it does."""
        raise NotImplementedError

    def args(self) -> list[Argument]:
        """What the script is given."""
        raise NotImplementedError

    def answer(self, reply: Any) -> Answer:
        """What the script said."""
        raise NotImplementedError


class Store(Protocol):
    """Where pods meet."""

    async def check(self) -> None:
        """Raises Rejected where it does not want us, and Unreachable where it is not there."""

    async def ask(self, verb: Verb[Answer], within: float) -> Answer:
        """Have it done, in so many seconds. Raises Unreachable."""

    async def listen(self, heard: Listener) -> None:
        """Hear what verbs publish, until cancelled. Raises Unreachable when it cannot any more:
        then something may have been missed."""

    def close(self) -> Awaitable[None]:
        """Nothing is asked of it any more."""


class Near:
    """A store in this process, for pods that are in one."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def check(self) -> None:
        """Part of Store."""
        self._answers()

    async def ask(self, verb: Verb[Answer], within: float) -> Answer:
        """Part of Store."""
        self._answers()
        return verb.on(self._memory)

    async def listen(self, heard: Listener) -> None:
        """Part of Store."""
        self._answers()
        await self._memory.heard_by(heard)
        self._answers()
        raise Unreachable("it broke off")

    def _answers(self) -> None:
        if self._memory.broken:
            raise Unreachable(self._memory.broken)

    async def close(self) -> None:
        """Part of Store."""
