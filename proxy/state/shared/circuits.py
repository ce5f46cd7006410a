"""Circuits that pods open, try and close together.

**Votes.** A pod that has opened a circuit of its own says so, and until when: its vote, which ends
by itself. When as many pods as the quorum asks for have one, the fleet's circuit opens, for as long
as the most patient of them would have left the upstream alone.

**Generations.** Each opening and each closing has a number, greater than all before, also than what
a store knew that has lost it (who asks says what he knows). A vote of before a closing is void, and
so is what a probe of an earlier opening came to. Who hears of an older one after a newer one does
not care.

**Probes.** When its time is over one pod may try, and no other one until it has said what came of
it, or its lease is over: a pod may die. A pod has one probe for a circuit at a time, so its newer
one takes the place of an older one. Where the store has forgotten the circuit, nobody tries for
`SETTLE`: whoever has a lease says so in that time (`TellCircuits`).

All is told as it is (passed so often in all, open for so long since then), never as a change: what
is asked twice or late does no harm.
"""

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from proxy.state.memory import Memory
from proxy.state.shared.fleet import ALIVE, alive
from proxy.state.store import Argument, Verb

TOPIC = "circuits"
KEPT = 86_400_000
"""Milliseconds for which a circuit is remembered when nobody asks for it."""
MOST = 4_000
"""Circuits that are remembered; the one that changed longest ago makes room."""
LONGEST = 3_600_000
"""Milliseconds that a circuit is open at most, and that a lease lasts."""
GRACE = 1_000
"""Milliseconds that a vote outlives its circuit's time: others may hear of it so much later."""
SETTLE = 1_500
"""Milliseconds in which a store that has forgotten a circuit lets nobody try it."""
STALE = 5_000
"""Milliseconds after which what was asked is not on its way any more, and nobody waits for it."""
PAGE = 200
"""Circuits that are told at a time."""
_SCRIPT = "circuits"

Number = Annotated[int, Meta(ge=0, le=2**53)]
Flag = Annotated[int, Meta(ge=0, le=1)]


class View(msgspec.Struct, frozen=True, array_like=True):
    """What the fleet has of a circuit. Times are milliseconds."""

    circuit: Annotated[str, Meta(max_length=64)]
    generation: Number
    open: Flag  # until its probes have passed
    left: Number = 0  # until it may be tried
    span: Number = 0  # that it was opened for, before chance
    slow: Flag = 0  # it opened because it answers too late
    passed: Number = 0  # probes in a row


class ProbeAnswer(msgspec.Struct, frozen=True):
    """What comes of asking for a probe."""

    granted: bool
    wait: int = 0  # milliseconds until it may be asked for again
    view: View | None = None


class Held(msgspec.Struct, frozen=True):
    """A view that a pod remembers, and its lease where it has one."""

    view: View
    number: int = 0  # of the probe; 0: it has none
    lease: int = 0  # milliseconds that are left of it


class _Kept(msgspec.Struct):
    """A circuit in a store; moments are milliseconds since 1970."""

    generation: int
    open: bool = False
    until: int = 0
    span: int = 0
    slow: int = 0
    passed: int = 0
    owner: str = ""  # the pod that tries
    number: int = 0  # its how many-th probe
    lease: int = 0  # until when


class _Asked(Verb[View | None], frozen=True):
    """What is answered with a view."""

    script = _SCRIPT

    def answer(self, reply: Any) -> View | None:
        """Part of Verb."""
        return view_of(reply)


class Vote(_Asked, frozen=True):
    """A pod has this circuit open."""

    circuit: str
    pod: str
    after: int  # the newest generation that it has heard of
    open_for: int  # milliseconds from `at`; 0: it has not, any more
    at: int  # when that was, on the store's clock as the pod knows it
    span: int = 0
    slow: int = 0
    quorum: int = 0  # pods that must have one; 0: by how many live

    def on(self, memory: Memory) -> View | None:
        """Part of Verb."""
        circuit, now = _seen(memory, self.circuit), memory.now()
        if circuit is not None and (circuit.generation, circuit.open) > (self.after, False):
            return _view(memory, self.circuit)
        votes: dict[str, tuple[int, int]] = memory.of(_votes(self.circuit), dict)
        left = min(self.open_for, LONGEST) - max(0, now - self.at)
        mine, soon = votes.get(self.pod, (0, 0))[1], now + STALE
        if mine <= self.at or self.at <= soon < mine:  # its clock was ahead, and is not any more
            votes[self.pod] = now + left if self.open_for else 0, self.at
        for pod in [pod for pod, (until, at) in votes.items() if _over(until, at, now)]:
            del votes[pod]
        counted = [until for until, _ in votes.values() if until + GRACE > now]
        last = max(counted, default=now)
        memory.ends(_votes(self.circuit), max(last, now + STALE) - now + GRACE)
        if len(counted) >= (self.quorum or _quorum(memory)):
            number = _stamp(memory, self.after)
            kept = _Kept(number, open=True, until=last, span=self.span, slow=self.slow)
            _tell(memory, self.circuit, kept, number)
        return _view(memory, self.circuit)

    def args(self) -> list[Argument]:
        """Part of Verb."""
        what: list[Argument] = [self.pod, self.after, self.open_for, self.at]
        rest = [self.span, self.slow, self.quorum, LONGEST, GRACE, STALE]
        return [*_head("vote", self.circuit), *what, *rest]


class Probe(Verb[ProbeAnswer], frozen=True):
    """A pod wants to try it."""

    script = _SCRIPT

    known: View
    pod: str
    number: int  # grows with each probe of the pod
    lease: int  # milliseconds
    at: int

    def on(self, memory: Memory) -> ProbeAnswer:
        """Part of Verb."""
        name, now, known = self.known.circuit, memory.now(), self.known
        kept = _seen(memory, name)
        if kept is None or kept.generation < known.generation:
            kept = _Kept(known.generation, True, now + SETTLE, known.span, known.slow, known.passed)
            _tell(memory, name, kept, _stamp(memory, known.generation))
        wait = 0
        if kept.open:
            mine = kept.owner == self.pod and kept.number < self.number
            wait = max(kept.until, 0 if mine or not kept.owner else kept.lease) - now
        granted = kept.open and wait <= 0 and now - self.at <= STALE
        if granted:
            kept.owner, kept.number = self.pod, self.number
            kept.lease = now + min(self.lease, LONGEST)
            if kept.generation == known.generation:
                kept.passed = max(kept.passed, known.passed)
            _write(memory, name, kept)
        return ProbeAnswer(granted, max(0, wait), _view(memory, name))

    def args(self) -> list[Argument]:
        """Part of Verb."""
        view = self.known
        known: list[Argument] = [view.generation, view.span, view.slow, view.passed]
        mine: list[Argument] = [self.pod, self.number, self.lease, self.at]
        return [*_head("probe", view.circuit), *known, *mine, SETTLE, LONGEST, STALE]

    def answer(self, reply: Any) -> ProbeAnswer:
        """Part of Verb."""
        granted, wait, told = reply
        return ProbeAnswer(bool(granted), min(max(0, int(wait)), LONGEST), view_of(told))


class Probed(_Asked, frozen=True):
    """What came of a probe."""

    circuit: str
    generation: int
    pod: str
    number: int  # 0: it had no lease of the store, for there was no store
    came_to: str  # passed | failed | back
    at: int
    passed: int = 0  # in a row, in all
    probes: int = 1  # so many close it
    open_for: int = 0  # milliseconds from `at`
    span: int = 0
    slow: int = 0

    def on(self, memory: Memory) -> View | None:
        """Part of Verb."""
        kept, now = _seen(memory, self.circuit), memory.now()
        if kept is None or not kept.open or kept.generation != self.generation:
            return _view(memory, self.circuit)
        if self.number and (kept.owner, kept.number) != (self.pod, self.number):
            return _view(memory, self.circuit)
        if self.number:
            kept.owner, kept.lease = "", 0
        if self.came_to == "failed":
            left = min(self.open_for, LONGEST) - max(0, now - self.at)
            number = _stamp(memory, kept.generation)
            kept = _Kept(number, True, now + max(0, left), self.span, self.slow)
            _tell(memory, self.circuit, kept, number)
        elif self.came_to == "passed" and self.passed >= self.probes:
            number = _stamp(memory, kept.generation)
            _tell(memory, self.circuit, _Kept(number), number)
        else:
            kept.passed = max(kept.passed, self.passed)
            _write(memory, self.circuit, kept)
        return _view(memory, self.circuit)

    def args(self) -> list[Argument]:
        """Part of Verb."""
        whose: list[Argument] = [self.generation, self.pod, self.number, self.came_to, self.at]
        rest = [self.passed, self.probes, self.open_for, self.span, self.slow, LONGEST]
        return [*_head("probed", self.circuit), *whose, *rest]


class TellCircuits(Verb[None], frozen=True):
    """What a pod remembers of circuits, for a store that may have forgotten it."""

    script = _SCRIPT

    pod: str
    held: tuple[Held, ...]

    def on(self, memory: Memory) -> None:
        """Part of Verb."""
        now = memory.now()
        for each in self.held:
            view = each.view
            kept = _seen(memory, view.circuit)
            if kept is None or kept.generation < view.generation:
                until = now + min(view.left, LONGEST)
                kept = _Kept(view.generation, bool(view.open), until, view.span, view.slow)
                kept.passed = view.passed
                _tell(memory, view.circuit, kept, _stamp(memory, view.generation))
            if each.number and kept.generation == view.generation and not kept.owner:
                kept.owner, kept.number = self.pod, each.number
                kept.lease = now + min(each.lease, LONGEST)
                _write(memory, view.circuit, kept)

    def args(self) -> list[Argument]:
        """Part of Verb."""
        said = [*_head("tell", ""), self.pod, LONGEST]
        for each in self.held:
            view = each.view
            said += [view.circuit, view.generation, view.open, view.left, view.span, view.slow]
            said += [view.passed, each.number, each.lease]
        return said

    def answer(self, reply: Any) -> None:
        """Part of Verb."""


class Changes(msgspec.Struct, frozen=True):
    """What was opened and closed."""

    upto: int
    views: tuple[View, ...]
    whole: bool  # there is no more


class NewCircuits(Verb[Changes], frozen=True):
    """What was opened or closed since then? `PAGE` at a time, the oldest first."""

    script = _SCRIPT

    stamp: int

    def on(self, memory: Memory) -> Changes:
        """Part of Verb."""
        index: dict[str, int] = memory.of("circuits", dict)
        found = [(stamp, name) for name, stamp in index.items() if stamp > self.stamp]
        page = sorted(found)[:PAGE]
        upto = page[-1][0] if page else self.stamp
        views = [_view(memory, name) for _, name in page]
        return Changes(upto, tuple(view for view in views if view), len(page) < PAGE)

    def args(self) -> list[Argument]:
        """Part of Verb."""
        return [*_head("new", ""), self.stamp, PAGE]

    def answer(self, reply: Any) -> Changes:
        """Part of Verb."""
        upto, count, *told = reply
        views = (view_of(each) for each in told)
        return Changes(int(upto), tuple(view for view in views if view), int(count) < PAGE)


def view_of(said: Any) -> View | None:
    """As it was told or published; None where that is nothing, or is no view."""
    try:
        return msgspec.json.decode(said or b"null", type=View | None)
    except (msgspec.DecodeError, TypeError):
        return None


def _head(what: str, circuit: str) -> Iterable[Argument]:
    return what, circuit, KEPT, MOST


def _key(circuit: str) -> str:
    return f"circuit:{circuit}"


def _votes(circuit: str) -> str:
    return f"votes:{circuit}"


def _seen(memory: Memory, circuit: str) -> _Kept | None:
    kept: _Kept | None = memory.seen(_key(circuit))
    return kept


def _view(memory: Memory, circuit: str) -> View | None:
    kept = _seen(memory, circuit)
    if kept is None:
        return None
    left = max(0, kept.until - memory.now())
    return View(
        circuit, kept.generation, int(kept.open), left, kept.span, kept.slow, kept.passed
    )  # fmt: skip


def _over(until: int, at: int, now: int) -> bool:
    """Neither does the vote count, nor may an older one of the same pod still be on its way."""
    return until + GRACE <= now and at + STALE <= now


def _quorum(memory: Memory) -> int:
    """Two of few, three of ten; of one, one. When the server has been away the first pod to come
    back is not alone: all that are known count in a new epoch, until those that live have come."""
    pods: dict[str, tuple[Any, int]] = memory.seen("pods") or {}
    if len(pods) <= 1:
        return 1
    epoch, now = memory.seen("epoch"), memory.now()
    live = alive(memory)
    if epoch is not None and epoch.until + ALIVE > now:
        live = len(pods)
    return max(2, (3 * live + 9) // 10)


def _stamp(memory: Memory, above: int) -> int:
    """Greater than each before, and than this one."""
    last: int = memory.of("circuits.stamp", int)
    stamp = max(last, above, memory.now() - 1) + 1
    memory.put("circuits.stamp", stamp)
    memory.ends("circuits.stamp", KEPT)
    return stamp


def _write(memory: Memory, circuit: str, kept: _Kept) -> None:
    now = memory.now()
    memory.put(_key(circuit), kept)
    memory.ends(_key(circuit), KEPT + max(kept.until, kept.lease, now) - now)


def _tell(memory: Memory, circuit: str, kept: _Kept, stamp: int) -> None:
    """It is so from now on, and everybody hears it."""
    _write(memory, circuit, kept)
    memory.drop(_votes(circuit))
    index: dict[str, int] = memory.of("circuits", dict)
    index[circuit] = stamp
    memory.ends("circuits", 2 * KEPT)
    while len(index) > MOST:
        oldest = min(index, key=index.__getitem__)
        del index[oldest]
        memory.drop(_key(oldest))
    memory.publish(TOPIC, msgspec.json.encode(_view(memory, circuit)))
