"""Money that pods share: of each limit one *line*, on which stands who spent and who holds what.

A pod *holds* what it was granted and has not spent: it may spend that without asking anybody. Of a
line `spent + held <= limit` is true at every moment, over all pods, and so whatever a pod does with
what it holds, the limit stands. Everything is said as totals: so much I have spent in this window,
so much I keep. Said twice it is said once; what comes later than it was said is void (`number`).

A window that rolls is cut into parts, as it is in a pod (`state/allotment.py`); a calendar's has
one. What pods have spent that are gone (`Close`) is kept as a sum: a fleet may grow and shrink
every minute. All pods hear of it (`NewGone`) and tell it to a store that forgot it (`TellGone`).
"""

from typing import Any

import msgspec

from proxy.state.memory import Memory
from proxy.state.shared.fleet import KEPT, Pod, alive, is_known, is_next
from proxy.state.shared.names import digest
from proxy.state.store import Argument, Verb

Parts = dict[int, int]
"""By the number of the part, what was spent in it. Micro-dollars, as all amounts are."""
RECALL = 100
"""Milliseconds in which pods are asked once at most to give back what is idle."""
TOPIC = "money"
"""What is published of it: lines of which somebody needs more than is free; and DEPARTED."""
DEPARTED = b"departed"
"""There is more that is gone."""


class Line(msgspec.Struct, frozen=True):
    """What a pod says of one limit, and asks."""

    name: str  # see `name_of`
    limit: int
    spent: Parts  # by this pod; parts that it does not name stay as they were told
    keep: int  # of what it holds
    oldest: int = 0  # of the parts that count; all after it do, for a clock may be ahead
    newest: int = 0  # the one that is on
    least: int = 0  # more is of no use to it if it is less than this
    need: int = 0  # calls wait for so much
    want: int = 0  # it would take so much
    young: bool = False  # the window has just begun: others may still hold something of before
    kept: int = 86_400_000  # milliseconds for which the line is kept, at least
    renewed: int = 0  # the same where something is given


class Drawn(msgspec.Struct, frozen=True):
    """What comes of it."""

    held: int
    spent: int  # by all pods, in the window
    all_held: int  # by all pods
    own: Parts  # by this pod, as far as the store knows
    left: int = 0  # milliseconds for which the line is kept, if nobody uses it


class Draw(Verb[tuple[Drawn, ...] | None], frozen=True):
    """Tell what was spent, keep some, give back the rest, take more. None: nothing was done, for
    the pod or the epoch is not the one that the store has, or a later draw was there before."""

    script = "money_draw"

    pod: Pod
    number: int
    epoch: int
    lines: tuple[Line, ...]

    def on(self, memory: Memory) -> tuple[Drawn, ...] | None:
        """Part of Verb."""
        pod, epoch = self.pod, memory.seen("epoch")
        if not is_known(memory, pod):
            return None
        if epoch.run != memory.run or epoch.number != self.epoch:
            return None
        if not is_next(memory, pod.id, pod.life, self.number):
            return None
        live = max(1, alive(memory))
        mine, now = memory.of(f"lines:{pod.id}", dict), memory.now()
        memory.put(f"lines:{pod.id}", {name: end for name, end in mine.items() if end > now})
        memory.ends(f"lines:{pod.id}", KEPT)
        return tuple(_drawn(memory, pod.id, line, live, epoch.open) for line in self.lines)

    def args(self) -> list[Argument]:
        """Part of Verb."""
        head: list[Argument] = [*self.pod.args, self.number, self.epoch]
        return [*head, RECALL, *(msgspec.msgpack.encode(_row(line)) for line in self.lines)]

    def answer(self, reply: Any) -> tuple[Drawn, ...] | None:
        """Part of Verb."""
        if not reply:
            return None
        return tuple(
            Drawn(held, spent, of_all, _pairs(own), left)
            for held, spent, of_all, own, left in reply
        )


class Close(Verb[int], frozen=True):
    """What this pod holds is free again; `leaves`: what it spent stands with what others have that
    are gone. For one that has told all that it spent, or of which nobody will hear again: `lost`
    has what it held count as spent.

    While the store gathers, what a pod spent stays its own though it leaves: others may have to
    tell first what was gone before, and that would be taken for all of it. It is done for some
    lines at a time. The answer is from which on it is to be asked again; -1: that was all."""

    script = "money_close"

    pod: Pod
    number: int
    """As those of a draw."""
    leaves: bool = False
    lost: bool = False
    first: int = 0

    def on(self, memory: Memory) -> int:
        """Part of Verb."""
        pod = self.pod.id
        if not is_known(memory, self.pod):
            return -1
        if not is_next(memory, pod, self.pod.life, self.number) and not self.lost:
            return -1
        epoch = memory.seen("epoch")
        is_open = epoch is not None and epoch.open and epoch.run == memory.run
        folds = self.leaves and (is_open or self.lost)
        mine: dict[str, int] = memory.of(f"lines:{pod}", dict)
        names = sorted(mine, key=lambda name: (mine[name], name))[self.first :][:_CLOSES]
        for name in names:
            line: _Kept | None = memory.seen(name)
            if line is None:
                continue
            held, spent = line.held.pop(pod, 0), line.spent.get(pod, {})
            line.all_held -= held
            if folds:
                line.spent.pop(pod, None)
                folded = line.folded.setdefault(pod, {})
                for part, micros in spent.items():
                    _add(folded, part, micros)
                    _add(line.gone, part, micros)
                    _add(line.sums, part, -micros)
                if self.lost:
                    part = max(line.newest, *spent) if spent else line.newest
                    _add(folded, part, held)
                    _add(line.gone, part, held)
                line.left = [pod, *(each for each in line.left if each != pod)][:_FEW]
                _departed(memory, name)
        after = self.first + len(names)
        if folds:
            for name in names:
                del mine[name]
            memory.publish(TOPIC, DEPARTED)
            after = self.first
        return after if len(mine) > after else -1

    def args(self) -> list[Argument]:
        """Part of Verb."""
        flags = int(self.leaves), int(self.lost)
        return [*self.pod.args, self.number, *flags, self.first, _CLOSES, _FEW]

    def answer(self, reply: Any) -> int:
        """Part of Verb."""
        return int(reply)


class Gone(msgspec.Struct, frozen=True):
    """What pods have spent of a line that are gone."""

    name: str
    parts: Parts
    kept: int  # milliseconds for which that matters
    whose: dict[str, Parts] = {}  # the last of them: they may come back, and tell it themselves


class NewGone(Verb[tuple[int, tuple[Gone, ...]]], frozen=True):
    """What has been added to what is gone, since a number; and the number of now."""

    script = "money_gone_new"

    since: int

    def on(self, memory: Memory) -> tuple[int, tuple[Gone, ...]]:
        """Part of Verb."""
        every: dict[str, int] = memory.of("departed", dict)
        found: list[Gone] = []
        for name, number in sorted(every.items(), key=lambda pair: pair[1]):
            line: _Kept | None = memory.seen(name)
            if line is None:
                del every[name]
            elif number > self.since and len(found) < _AT_ONCE:
                whose = {pod: dict(line.folded.get(pod, {})) for pod in line.left}
                found.append(Gone(name, dict(line.gone), memory.left(name), whose))
        return max((every[one.name] for one in found), default=self.since), tuple(found)

    def args(self) -> list[Argument]:
        """Part of Verb."""
        return [self.since, _AT_ONCE]

    def answer(self, reply: Any) -> tuple[int, tuple[Gone, ...]]:
        """Part of Verb."""
        last, *rows = reply
        return last, tuple(
            Gone(
                name.decode(), _pairs(parts), kept, {pod.decode(): _pairs(of) for pod, of in every}
            )
            for name, parts, kept, every in rows
        )


class TellGone(Verb[None], frozen=True):
    """Pods that are gone had spent so much at least, as somebody has heard."""

    script = "money_gone_tell"

    gone: tuple[Gone, ...]

    def on(self, memory: Memory) -> None:
        """Part of Verb."""
        for one in self.gone:
            line: _Kept = memory.of(one.name, _Kept)
            memory.ends(one.name, max(one.kept, memory.left(one.name)))
            for part, micros in one.parts.items():
                line.gone[part] = max(line.gone.get(part, 0), micros)
            for pod, parts in one.whose.items():
                _fold(line, pod, parts)
            line.left = list(dict.fromkeys((*line.left, *one.whose)))[:_FEW]
            _departed(memory, one.name)

    def args(self) -> list[Argument]:
        """Part of Verb."""
        rows = (
            (
                one.name,
                _flat(one.parts),
                one.kept,
                [(of, _flat(it)) for of, it in one.whose.items()],
            )
            for one in self.gone
        )
        return [_FEW, *(msgspec.msgpack.encode(row) for row in rows)]

    def answer(self, reply: Any) -> None:
        """Part of Verb."""


_FEW = 16
"""Pods of a line that have left, of which it is told what each had spent."""
_CLOSES = 64
"""Lines that are closed at once."""
_AT_ONCE = 500
"""Lines that are told of in one answer."""


class Once(Verb[bool], frozen=True):
    """Was this not done yet, by any pod, for a month?"""

    script = "money_once"

    name: str

    def on(self, memory: Memory) -> bool:
        """Part of Verb."""
        if memory.seen(self._key) is not None:
            return False
        memory.put(self._key, True)
        memory.ends(self._key, _MONTH)
        return True

    @property
    def _key(self) -> str:
        return f"once:{digest(self.name)}"

    def args(self) -> list[Argument]:
        """Part of Verb."""
        return [self._key, _MONTH]

    def answer(self, reply: Any) -> bool:
        """Part of Verb."""
        return bool(reply)


_MONTH = 32 * 86_400_000


class _Kept(msgspec.Struct):
    """A line, in memory."""

    spent: dict[str, Parts] = {}  # by pod
    held: dict[str, int] = {}
    folded: dict[str, Parts] = {}  # what pods had spent when they left
    sums: Parts = {}  # of `spent`
    gone: Parts = {}
    all_held: int = 0
    newest: int = 0
    left: list[str] = []  # pods, the last first


def name_of(budget: str, key: str, window: str, seconds: int, since: int) -> str:
    """Of a line. Keys are what agents call themselves: nothing of them gets into the store."""
    return f"line:{digest(budget, key, window, seconds, since)}"


def _departed(memory: Memory, name: str) -> None:
    memory.put("departures", memory.of("departures", int) + 1)
    memory.of("departed", dict)[name] = memory.seen("departures")
    for key in ("departures", "departed"):
        memory.ends(key, KEPT)


def _drawn(memory: Memory, pod: str, asked: Line, live: int, granting: bool) -> Drawn:
    line: _Kept = memory.of(asked.name, _Kept)
    line.newest = max(line.newest, asked.newest)
    _tell(line, pod, asked)
    total = sum(line.sums.values()) + sum(line.gone.values())
    others = line.all_held - line.held.get(pod, 0)
    limit = asked.limit // 2 if asked.young else asked.limit
    free = limit - total - others - asked.keep
    more = 0
    if granting and free > 0 and free >= asked.least:
        more = min(free, max(asked.need, min(asked.want, free // (2 * live))))
    ends = max(asked.kept, memory.left(asked.name), asked.renewed if more else 0)
    memory.ends(asked.name, ends)
    memory.of(f"lines:{pod}", dict)[asked.name] = memory.now() + ends
    held = asked.keep + more
    line.all_held, line.held[pod] = others + held, held
    if more < asked.need and others > 0 and memory.seen(f"recall:{asked.name}") is None:
        memory.put(f"recall:{asked.name}", True)
        memory.ends(f"recall:{asked.name}", RECALL)
        memory.publish(TOPIC, asked.name.encode())
    own, folded = line.spent.get(pod, {}), line.folded.get(pod, {})
    return Drawn(
        held,
        total,
        line.all_held,
        {part: own.get(part, 0) + folded.get(part, 0) for part in {*own, *folded}},
        ends,
    )


def _tell(line: _Kept, pod: str, asked: Line) -> None:
    """What the pod says that it spent. Parts that are over for long are forgotten."""
    own, folded = line.spent.setdefault(pod, {}), line.folded.get(pod, {})
    for part, micros in asked.spent.items():
        more = micros - folded.get(part, 0) - own.get(part, 0)
        if more > 0:
            _add(own, part, more)
            _add(line.sums, part, more)
    for parts in (own, folded, line.sums, line.gone):
        for part in [part for part in parts if part < asked.oldest]:
            del parts[part]


def _fold(line: _Kept, pod: str, parts: Parts) -> None:
    """What it has told by itself, in this life of the store, is not to count twice."""
    own, folded = line.spent.get(pod, {}), line.folded.setdefault(pod, {})
    for part, micros in parts.items():
        more = micros - folded.get(part, 0)
        if more > 0:
            twice = min(more, own.get(part, 0))
            _add(folded, part, more)
            if twice:
                _add(own, part, -twice)
                _add(line.sums, part, -twice)


def _add(parts: Parts, part: int, micros: int) -> None:
    parts[part] = parts.get(part, 0) + micros


def _row(line: Line) -> list[Any]:
    """As the script reads it."""
    return [
        line.name, line.limit, line.oldest, line.newest, line.keep, line.least, line.need,
        line.want, line.young, line.kept, _flat(line.spent), line.renewed,
    ]  # fmt: skip


def _flat(parts: Parts) -> list[int]:
    return [number for pair in parts.items() for number in pair]


def _pairs(flat: list[int]) -> Parts:
    return dict(zip(flat[::2], flat[1::2], strict=True))
