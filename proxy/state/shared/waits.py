"""Who waits for whom, at all pods: edges, and the rings that they close (spec 4.6).

An edge says that a call of one agent to another one is under way, for some work. Its pod says so
again every second, with the time of saying it: an edge is gone `LASTS` after that, so no message
that comes late, and no pod that died, keeps one. Edges of different work never meet.

**A ring has one victim**: the youngest of its calls, that which closed it. So the edges are gone
through from the oldest on. One that would close a ring with those before it is a victim, and counts
for no other ring; the others stand. Every pod comes to the same, of whatever part of the ring its
own calls are; each is told of its own victims. What is left without them has no ring.

An agent that calls itself does not wait in a ring: often it is another one of the same name.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

import msgspec

from proxy.state.memory import Memory
from proxy.state.shared.names import text_of
from proxy.state.store import Argument, Verb

LASTS = 4_000
"""Milliseconds for which an edge stands after its pod has said so."""
MOST = 256
"""Edges of one work; beyond them none is added."""


class Edge(msgspec.Struct, frozen=True):
    """One call that is under way."""

    call: str
    caller: str  # a digest of the agent's name, and of that which is called
    called: str
    since: int  # milliseconds on the store's clock
    name: str  # of the agent that calls, for people


class Waiting(msgspec.Struct, frozen=True):
    """What a pod knows of one work."""

    work: str  # a digest
    edges: tuple[Edge, ...] = ()
    gone: tuple[str, ...] = ()  # calls that have ended


class At(NamedTuple):
    """An agent that waits in a ring."""

    call: str
    name: str


Ring: TypeAlias = tuple[At, ...]
"""The victim first, then who is called, and so on round."""


class _Kept(NamedTuple):
    edge: Edge
    pod: str
    until: int


class Wait(Verb[tuple[Ring, ...]], frozen=True):
    """These calls wait, and those have ended. Gives the rings whose victims are of this pod."""

    script = "waits"

    pod: str
    at: int
    """When it was said, in milliseconds on the store's clock."""
    works: tuple[Waiting, ...]

    def on(self, memory: Memory) -> tuple[Ring, ...]:
        """Part of Verb."""
        found: list[Ring] = []
        for waiting in self.works:
            found += self._of(memory, waiting)
        return tuple(found)

    def _of(self, memory: Memory, waiting: Waiting) -> Iterator[Ring]:
        now, name = memory.now(), f"wait:{waiting.work}"
        kept: dict[str, _Kept] = memory.of(name, dict)
        for call, each in tuple(kept.items()):
            if each.until <= now:
                del kept[call]
        for call in waiting.gone:
            kept.pop(call, None)
        until = min(now, self.at) + LASTS
        for edge in waiting.edges:
            if until > now and (edge.call in kept or len(kept) < MOST):
                kept[edge.call] = _Kept(edge, self.pod, until)
        memory.ends(name, LASTS)
        for ring in rings(each.edge for each in kept.values()):
            if kept[ring[0].call].pod == self.pod:
                yield tuple(At(edge.call, edge.name) for edge in ring)

    def args(self) -> list[Argument]:
        """Part of Verb."""
        args: list[Argument] = [self.pod, self.at, LASTS, MOST]
        for waiting in self.works:
            args += [waiting.work, len(waiting.gone), len(waiting.edges), *waiting.gone]
            for edge in waiting.edges:
                name = edge.name.encode().hex() or "-"
                args += [edge.call, edge.caller, edge.called, edge.since, name]
        return args

    def answer(self, reply: Any) -> tuple[Ring, ...]:
        """Part of Verb."""
        return tuple(
            tuple(At(text_of(ring[at]), _name(ring[at + 1])) for at in range(0, len(ring), 2))
            for ring in reply
        )


def rings(edges: Iterable[Edge]) -> list[list[Edge]]:
    """One for each victim, the oldest first: the victim, and the way back to who made that call."""
    ways: dict[str, list[Edge]] = {}
    found = []
    for edge in sorted(_inner(edges), key=lambda each: (each.since, each.call.encode())):
        back = _way(ways, edge.called, edge.caller)
        if back is None:
            ways.setdefault(edge.caller, []).append(edge)
        else:
            found.append([edge, *back])
    return found


def _inner(edges: Iterable[Edge]) -> list[Edge]:
    """Without those that lead from nobody who is waited for, or to nobody who waits: mostly none is
    left."""
    left = [edge for edge in edges if edge.caller != edge.called]
    while True:
        callers, called = {edge.caller for edge in left}, {edge.called for edge in left}
        inner = [edge for edge in left if edge.caller in called and edge.called in callers]
        if len(inner) == len(left):
            return inner
        left = inner


def _way(ways: dict[str, list[Edge]], start: str, end: str) -> list[Edge] | None:
    """The shortest, by the oldest edges; None: there is none."""
    came: dict[str, Edge | None] = {start: None}
    ahead = deque([start])
    while ahead and end not in came:
        for edge in ways.get(ahead.popleft(), ()):
            if edge.called not in came:
                came[edge.called] = edge
                ahead.append(edge.called)
    if end not in came:
        return None
    back: list[Edge] = []
    at = came[end]
    while at is not None:
        back.insert(0, at)
        at = came[at.caller]
    return back


def _name(raw: bytes) -> str:
    try:
        return bytes.fromhex(text_of(raw)).decode(errors="replace")
    except ValueError:
        return ""
