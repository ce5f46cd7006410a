"""The fleet: which pods there are, and from when on what the store knows can be trusted.

**Pods.** Each says every second that it lives (`Beat`). One that was not heard of for `ALIVE`
counts as gone for a while or for good: nobody can tell which, so what it holds stays held. One that
ends as it should leaves (`Leave`). A pod is its data dir: who comes back with the same one is the
same pod, in a later *life*, and what an earlier life still sends is void; so is what a life sends
that was closed for good (`LAST`), for a person said that it will not come back. Two processes that
say to be the same life of the same pod have copies of one data dir; the second is turned away.

**Epochs.** A store that was restarted, emptied or failed over may have forgotten what it granted
last. So each life of the server is an epoch of its own. It begins *gathering*: nothing new is
granted until every pod that is known has told what it holds. Pods that died count as known: their
journals tell it, or a person says that it goes on without (`holdfast budget reconcile`). In a store
that knows nobody the first pod to come waits a moment, for others that may be on their way back;
each names those that it has heard of.
"""

from typing import Any, NamedTuple

import msgspec

from proxy.state.memory import Memory
from proxy.state.store import Argument, Verb

ALIVE = 5_000
"""Milliseconds after its last beat for which a pod counts as alive."""
SETTLE = 1_500
"""Milliseconds in which pods that were here before may come, where a store knows none."""
KEPT = 40 * 86_400_000
"""Milliseconds for which all this is kept when nobody comes."""
LEFT = 60_000
"""Milliseconds in which one that left is not counted again because others still name it."""
LAST = (1 << 53) - 1
"""The number after which nothing of a life counts."""


class Pod(msgspec.Struct, frozen=True):
    """Who speaks."""

    id: str  # of its data dir
    life: int = 1  # grows with each start
    mark: str = "-"  # of this process: no two have the same
    name: str = "-"  # for people: the name of its machine

    @property
    def args(self) -> list[Argument]:
        """Who it is, as scripts are told that begin with `is_known`."""
        return [self.id, self.life, self.mark, self.name]


class Known(msgspec.Struct, frozen=True):
    """A pod as the store knows it."""

    pod: Pod
    seen: int  # its last beat; 0: another one named it
    gathered: bool  # it has told what it holds, in this epoch


class Fleet(msgspec.Struct, frozen=True):
    """What a pod is told when it says that it lives."""

    now: int
    ours: bool = True  # False: another process speaks for this pod, or its life is over
    epoch: int = 0
    open: bool = False  # False: the store gathers, and grants nothing new
    live: int = 1  # pods heard of within `ALIVE`
    pods: tuple[Known, ...] = ()  # all that are known; only where it was asked for
    ended: bool = False  # this life is over: it was given up, or a later one was here


class _Epoch(NamedTuple):
    number: int
    run: str
    open: bool
    until: int  # it does not open before


class Beat(Verb[Fleet], frozen=True):
    """A pod lives."""

    script = "fleet_beat"

    pod: Pod
    gathered: int = 0
    """The epoch in which it has told all that it holds."""
    peers: tuple[str, ...] = ()
    """Pods that it has heard of, for a store that knows none."""
    whole: bool = False
    """All pods are to be told of."""
    knows: int = 0
    """The newest epoch that it has heard of. A store that has an older one has forgotten something,
    or is one that lost its place to another: it begins anew."""

    def on(self, memory: Memory) -> Fleet:
        """Part of Verb."""
        pods: dict[str, tuple[Pod, int]] = memory.of("pods", dict)
        told: set[str] = memory.of("gathered", set)
        now, known = memory.now(), pods.get(self.pod.id)
        if known is not None and _is_other(known[0], self.pod):
            return Fleet(now, ours=False)
        numbers: dict[str, tuple[int, int]] = memory.of("numbers", dict)
        if numbers.get(self.pod.id, (0, 0)) >= (self.pod.life, LAST):
            return Fleet(now, ours=False, ended=True)
        pods[self.pod.id] = self.pod, now
        epoch: _Epoch = memory.of("epoch", lambda: _Epoch(0, "", open=False, until=0))
        if epoch.run != memory.run or self.knows > epoch.number:
            until = now + (0 if epoch.number else SETTLE)
            number = max(now, epoch.number + 1, self.knows + 1)
            epoch = _Epoch(number, memory.run, open=False, until=until)
            told.clear()
        if not epoch.open:
            for peer in self.peers:
                if memory.seen(f"left:{peer}") is None:
                    pods.setdefault(peer, (Pod(peer, 0), 0))
            if self.gathered == epoch.number:
                told.add(self.pod.id)
            if now >= epoch.until and told >= pods.keys():
                epoch = epoch._replace(open=True)
        memory.put("epoch", epoch)
        for name in ("pods", "gathered", "epoch"):
            memory.ends(name, KEPT)
        every = [Known(pod, seen, pod.id in told) for pod, seen in pods.values()]
        every.sort(key=lambda each: each.pod.id)
        told_of = tuple(every) if self.whole else ()
        return Fleet(now, True, epoch.number, epoch.open, alive(memory), told_of)

    def args(self) -> list[Argument]:
        """Part of Verb."""
        asked: list[Argument] = [self.gathered, int(self.whole), self.knows]
        return [*self.pod.args, *asked, SETTLE, LAST, *self.peers]

    def answer(self, reply: Any) -> Fleet:
        """Part of Verb."""
        now, ours, epoch, is_open, live = msgspec.convert(reply[:5], tuple[int, int, int, int, int])
        pods = reply[5:]
        known = (_known(*pods[at : at + 4]) for at in range(0, len(pods), 4))
        every = sorted(known, key=lambda each: each.pod.id)
        return Fleet(now, ours == 1, epoch, bool(is_open), live, tuple(every), ended=ours < 0)


class Leave(Verb[None], frozen=True):
    """Pods are no more, and hold nothing: they have left, or a person says so."""

    script = "fleet_leave"

    pods: tuple[str, ...]

    def on(self, memory: Memory) -> None:
        """Part of Verb."""
        pods: dict[str, tuple[Pod, int]] = memory.of("pods", dict)
        for pod in self.pods:
            pods.pop(pod, None)
            memory.put(f"left:{pod}", True)
            memory.ends(f"left:{pod}", LEFT)
        memory.of("gathered", set).difference_update(self.pods)

    def args(self) -> list[Argument]:
        """Part of Verb."""
        return [LEFT, *self.pods]

    def answer(self, reply: Any) -> None:
        """Part of Verb."""


class End(Verb[None], frozen=True):
    """Nothing counts that this life of a pod says from here on."""

    script = "fleet_end"

    pod: str
    life: int

    def on(self, memory: Memory) -> None:
        """Part of Verb."""
        _ = is_next(memory, self.pod, self.life, LAST)  # what is later stays as it is

    def args(self) -> list[Argument]:
        """Part of Verb."""
        return [self.pod, self.life, LAST]

    def answer(self, reply: Any) -> None:
        """Part of Verb."""


def alive(memory: Memory) -> int:
    """So many pods were heard of lately."""
    pods: dict[str, tuple[Pod, int]] = memory.seen("pods") or {}
    return sum(seen > memory.now() - ALIVE for _, seen in pods.values())


def is_known(memory: Memory, pod: Pod) -> bool:
    """Is it the one that speaks for itself, and no earlier life or copy?"""
    known = memory.of("pods", dict).get(pod.id)
    return known is not None and bool(known[0] == pod)


def is_next(memory: Memory, pod: str, life: int, number: int) -> bool:
    """Is what it says not void? Then nothing that it said before counts any more."""
    numbers: dict[str, tuple[int, int]] = memory.of("numbers", dict)
    if numbers.get(pod, (-1, 0)) >= (life, number):
        return False
    numbers[pod] = life, number
    memory.ends("numbers", KEPT)
    return True


def _is_other(known: Pod, pod: Pod) -> bool:
    """Is it a later life than this one, or a copy of it?"""
    return known.life > pod.life or (known.life == pod.life and known.mark != pod.mark)


def _known(pod: bytes, told: bytes, seen: bytes, gathered: int) -> Known:
    life, mark, name = told.decode().split(" ", 2)
    return Known(Pod(pod.decode(), int(life), mark, name), int(seen), bool(gathered))
