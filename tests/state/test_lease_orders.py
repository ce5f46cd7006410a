"""The protocol of leases of money, in any order of what may happen to pods, messages and the store.

Pods here are small ones: they know what they hold, tell totals, and ask. What they say lies in the
net until it is delivered, be that late, twice, out of order or never, and answers may be lost. The
store restarts, is emptied, or is replaced by one that knows less, while the one of before still
answers whom it reaches. Clocks differ, and jump.

Beside it stands the truth, which nobody in it knows: what was spent. What was spent and what pods
may still spend without asking never passes the limit, in any window.
"""

import copy
from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from proxy.state.memory import Memory
from proxy.state.shared.fleet import Beat, Fleet, Pod
from proxy.state.shared.money import Close, Draw, Drawn, Line, name_of
from proxy.state.store import Verb

LIMIT = 1_000
PARTS, PART, SKEW = 4, 60.0, 25.0
"""A window is cut into so many parts, each of so many seconds; so much may a clock be wrong."""
NAME = name_of("fleet", "default", "rolling", int(PARTS * PART), 0)
NAMES = ("a", "b", "c")
BEGINS = 1_790_000_000.0
HERE, BEFORE = "the store", "the one of before"
ways = st.sampled_from(["at once", "at once", "astray", "slowly"])
"""Of a message. Astray: to the store of before."""
some = st.sampled_from([LIMIT, LIMIT // 2, LIMIT // 3, 1, 0])
names = st.sampled_from(NAMES)
steps = st.sampled_from([4, 4, 4, 3, 2, 1])


class Message(msgspec.Struct, eq=False):
    """On its way to a store. Its answer is for one life of one pod."""

    verb: Verb[Any]
    sender: "Small"
    life: int
    take: Callable[[Any], None]


class Small:
    """A pod. All amounts are what it knows itself; its journal is never less than the truth."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.life = 0
        self.spent: dict[int, int] = {}  # as its journal has it, by the part of the window
        self.skew = 0.0  # seconds by which its clock is ahead
        self.peers: tuple[str, ...] = NAMES
        self.up = False
        self.begin()

    def begin(self) -> None:
        """Another life."""
        self.life += 1
        self.up = True
        self.held = 0
        self.number = 0
        self.fleet = Fleet(0)
        self.ready = False  # what an earlier life held is given back
        self.told = 0  # the epoch in which it has said what it spent
        self.gathered = 0  # likewise, and nothing else is held
        self.asks: Message | None = None  # one question at a time
        self.since = 0  # what was spent after it was asked

    @property
    def pod(self) -> Pod:
        return Pod(self.name, self.life, f"m{self.life}", self.name)

    def next(self) -> int:
        self.number += 1
        return self.number

    def spend(self, micros: int, part: int) -> None:
        """Without asking anybody."""
        self.held -= micros
        self.since += micros
        self.spent[part] = self.spent.get(part, 0) + micros

    def line(self, back: int, need: int, want: int, part: int) -> Line:
        """What goes back is gone from here on; so is what was spent and does not count any more."""
        self.held -= min(back, self.held)
        self.since = 0
        oldest = part - PARTS
        self.spent = {at: micros for at, micros in self.spent.items() if at >= oldest}
        return Line(
            NAME, LIMIT, dict(self.spent), self.held, oldest, part, min(1, need), need, want
        )  # fmt: skip

    def takes(self, drawn: tuple[Drawn, ...] | None) -> bool:
        """What the store said to its question. False: nothing was done."""
        if drawn is None:
            return False
        (one,) = drawn
        self.held = one.held - self.since
        for at, micros in one.own.items():
            self.spent[at] = max(self.spent.get(at, 0), micros)
        return True


class Leases(RuleBasedStateMachine):
    """Three pods, one limit."""

    def __init__(self) -> None:
        super().__init__()
        self.now = BEGINS
        self.memory = Memory(lambda: self.now)
        self.before: Memory | None = None
        self.copy: Memory | None = None
        self.pods = {name: Small(name) for name in NAMES}
        self.net: list[Message] = []
        self.truth: list[tuple[float, int]] = []  # when something was spent, and how much

    # --- the net ---

    def goes(self, message: Message, way: str) -> None:
        """It lies in the net, or is done at once."""
        if way == "slowly":
            self.net.append(message)
        else:
            self.arrives(message, self.store(BEFORE if way == "astray" else HERE), heard=True)

    def arrives(self, message: Message, where: Memory, *, heard: bool) -> None:
        """It is done. Its answer is lost if nobody waits for it any more."""
        answer = message.verb.on(where)
        sender = message.sender
        if heard and sender.up and sender.life == message.life:
            message.take(answer)

    def store(self, where: str) -> Memory:
        """The one of before, where there is one."""
        return self.before if where == BEFORE and self.before is not None else self.memory

    @precondition(lambda self: self.net)
    @rule(
        at=st.integers(0, 20),
        heard=st.sampled_from([True, True, True, False]),
        where=st.sampled_from([HERE, HERE, BEFORE]),
        again=st.sampled_from([False, False, False, True]),
    )
    def delivers(self, at: int, heard: bool, where: str, again: bool) -> None:
        """Any of those on their way; it may come once more."""
        message = self.net[at % len(self.net)]
        if not again:
            self.net.remove(message)
        self.arrives(message, self.store(where), heard=heard)

    @precondition(lambda self: self.net)
    @rule(at=st.integers(0, 20))
    def loses(self, at: int) -> None:
        """It never comes."""
        self.net.remove(self.net[at % len(self.net)])

    # --- pods ---

    @initialize()
    def all_meet(self) -> None:
        """They have heard of each other, and the store grants."""
        for name in NAMES:
            self.beats(name, way="at once")
        self.passes(2.0)
        self.all_gather()
        assert all(pod.fleet.open and pod.ready for pod in self.pods.values())

    def all_gather(self) -> None:
        """For once nothing goes wrong, and all are there."""
        for _ in range(3):
            for name in NAMES:
                self.comes_back(name)
                self.lives(name, LIMIT, (0, 0), 4, "at once")

    @rule(seconds=st.lists(st.tuples(names, some, st.tuples(some, some), steps, ways), max_size=6))
    def some_seconds(self, seconds: list[tuple[str, int, tuple[int, int], int, str]]) -> None:
        """Of some pods, one after the other."""
        for name, back, more, upto, way in seconds:
            self.lives(name, back, more, upto, way)

    def lives(self, name: str, back: int, more: tuple[int, int], upto: int, way: str) -> None:
        """A second of it, or some of what it does in one. It waits no longer for what it asked
        before, which may be done at any time from now on; it gives back; it asks."""
        self.pods[name].asks = None
        need, want = more
        doings: list[Callable[[], None]] = [
            lambda: self.beats(name, way),
            lambda: self.asks(name, back, 0, 0, way),
            lambda: self.closes(name, way),
            lambda: self.asks(name, 0, need, want, way),
        ]
        for does in doings[:upto]:
            does()

    @rule(name=names, micros=st.integers(1, 60))
    def spends(self, name: str, micros: int) -> None:
        """As much as it holds, at most."""
        pod = self.pods[name]
        if pod.up:
            micros = min(micros, max(0, pod.held))
            pod.spend(micros, self.part(pod))
            self.truth.append((self.now, micros))

    @rule(name=names, skew=st.sampled_from([-SKEW, 0.0, SKEW]))
    def is_set(self, name: str, skew: float) -> None:
        """Its clock."""
        self.pods[name].skew = skew

    def part(self, pod: Small) -> int:
        """That is on, by the clock of a pod."""
        return int((self.now + pod.skew) // PART)

    def beats(self, name: str, way: str) -> None:
        """It says that it lives. A new life is told by Sentinels which store is the one of now."""
        pod = self.pods[name]
        if not pod.up:
            return
        if way == "astray" and not pod.fleet.epoch:
            way = "at once"

        def take(fleet: Fleet) -> None:
            if fleet.ours and fleet.epoch < pod.fleet.epoch:
                return  # a server that was another's replica once, or does not know that it is over
            pod.fleet = fleet
            if fleet.pods:
                pod.peers = tuple(known.pod.id for known in fleet.pods)

        beat = Beat(pod.pod, pod.gathered, pod.peers, whole=True, knows=pod.fleet.epoch)
        self.goes(Message(beat, pod, pod.life, take), way)

    def asks(self, name: str, back: int, need: int, want: int, way: str) -> None:
        """It tells what it spent, gives some back, and wants more. In a new life, or epoch, it
        only tells."""
        pod = self.pods[name]
        if not pod.up or pod.asks is not None or not pod.fleet.ours:
            return
        epoch = pod.fleet.epoch
        if not pod.ready or pod.gathered != epoch:
            need = want = 0
        line = pod.line(back, need, want, self.part(pod))

        def take(drawn: tuple[Drawn, ...] | None) -> None:
            if pod.asks is not message:
                return
            pod.asks = None
            if pod.takes(drawn):
                pod.told = epoch
                pod.gathered = epoch if pod.ready else 0

        message = Message(Draw(pod.pod, pod.next(), epoch, (line,)), pod, pod.life, take)
        pod.asks = message
        self.goes(message, way)

    def closes(self, name: str, way: str) -> None:
        """It has told what it spent; what an earlier life held is free."""
        pod = self.pods[name]
        epoch = pod.fleet.epoch
        if not pod.up or pod.ready or pod.asks is not None or not epoch or pod.told != epoch:
            return

        def take(_: None) -> None:
            if pod.asks is not message:
                return
            pod.asks = None
            pod.ready = True
            pod.gathered = epoch

        message = Message(Close(pod.pod, pod.next()), pod, pod.life, take)
        pod.asks = message
        self.goes(message, way)

    @rule(name=names, unsure=st.integers(0, 50), again=st.sampled_from([True, True, False]))
    def dies(self, name: str, unsure: int, again: bool) -> None:
        """It may have spent more than it knows of: that counts as spent when it is back."""
        pod = self.pods[name]
        if pod.up:
            pod.up = False
            pod.spend(unsure, self.part(pod))
        if again:
            self.comes_back(name)

    def comes_back(self, name: str) -> None:
        """With what its journal has."""
        pod = self.pods[name]
        if not pod.up:
            pod.begin()

    # --- the store ---

    @rule(after=st.sampled_from([0.001, 0.05, 2.0, PART, PART * PARTS, 2 * PART * PARTS]))
    def passes(self, after: float) -> None:
        """Time."""
        self.now += after

    @rule()
    def is_copied(self) -> None:
        """So much a replica has."""
        self.copy = self._twin()

    @rule(how=st.sampled_from(["restarts", "is emptied", "fails over"]), settles=st.booleans())
    def goes_down(self, how: str, settles: bool) -> None:
        """It restarts with all that it knew, or with nothing; or a replica is in its place, and
        it answers whom it reaches. `settles`: after it all goes well, for a moment."""
        if how == "fails over":
            self.before, self.memory = self.memory, self.copy or self._twin()
            self.copy = None
        self.memory.restarts(empty=how == "is emptied")
        if settles:
            self.all_gather()

    # --- what must hold ---

    @invariant()
    def the_limit_holds(self) -> None:
        """What was spent in the window, and what may be without asking. Where clocks differ, a
        window may be shorter by as much."""
        begins = self.now - PART * PARTS + 2 * SKEW
        spent = sum(micros for at, micros in self.truth if at > begins)
        held = sum(max(0, pod.held) for pod in self.pods.values() if pod.up)
        assert spent + held <= LIMIT

    # --- how ---

    def _twin(self) -> Memory:
        twin = Memory(lambda: self.now)
        twin._kept = copy.deepcopy(self.memory._kept)
        twin._until = dict(self.memory._until)
        twin.run = self.memory.run
        return twin


TestLeases = Leases.TestCase
TestLeases.settings = settings(max_examples=200, stateful_step_count=40)
