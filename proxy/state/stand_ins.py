"""Who may answer where an upstream does not: what speaks against each, and what it comes to.

The chain that asks them is in `stages/fallback.py`. What is known of a call on its way down, from
link to link, is a `Fall`.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from proxy.call import Call, Effect, Whole
from proxy.keys import SHELF
from proxy.refusal import Refusal
from proxy.reply import BACKUP, KEPT, PRIMARY, SAID, SUCCESS, Executed, Reply, refused
from proxy.stage import Ground, Handler
from proxy.state.asking import Terms
from proxy.state.desk import Desk
from proxy.state.shelf import Entry, Key, Shelf


class Fall(msgspec.Struct, eq=False):
    """A call whose upstream did not answer, on its way down the chain."""

    call: Call
    reason: str  # why the upstream did not answer, as the answer says it
    first: Reply  # what the upstream's own link came to: handed back if nobody does better
    key: Key = ()  # by which the shelf knows the call; empty: nothing is kept of it
    may_have_run: bool = False  # some sending may
    cooling: bool = True  # every upstream that was asked only wants to be left alone for a while
    earliest: "tuple[float, StandIn] | None" = None  # on Clock.now: when the first may be asked

    def note(self, who: "StandIn", reply: Reply, now: float) -> None:
        """It did not answer."""
        refusal = reply.refusal
        self.may_have_run = self.may_have_run or reply.executed is not Executed.NO
        if refusal is None or not refusal.kind.cools or refusal.retry_after is None:
            self.cooling = False
            return
        at = now + refusal.retry_after
        if self.earliest is None or at < self.earliest[0]:
            self.earliest = (at, who)

    @property
    def executed(self) -> Executed:
        """Of an answer that no upstream gave: did the call run?"""
        return Executed.UNKNOWN if self.may_have_run else Executed.NO


class StandIn(Protocol):
    """Who may stand in."""

    name: str  # in metrics
    tier: int  # as Reply has it
    served_by: str  # as the answer names it, where it is an upstream or a model

    def objection(self, fall: Fall, /) -> str:
        """Why it is passed over; empty: it is not."""

    async def answer(self, fall: Fall, /) -> Reply:
        """What it comes to."""


class Own:
    """The upstream that was called."""

    tier = PRIMARY
    served_by = ""

    def __init__(self, name: str, inner: Handler, now: Callable[[], float]) -> None:
        self.name = name
        self._inner = inner
        self._now = now

    def objection(self, fall: Fall) -> str:
        """Part of StandIn: it takes time, and may run twice what ran already."""
        call = fall.call
        if call.effect is Effect.WRITE and fall.may_have_run:
            return "may_have_run"
        if call.deadline - self._now() < call.min_attempt:
            return "too_late"
        return "" if call.body.replayable else "not_replayable"

    async def answer(self, fall: Fall) -> Reply:
        """Part of StandIn."""
        return await self._inner(fall.call)


class Other(Own):
    """Another upstream, or the same one with another model."""

    tier = BACKUP

    def __init__(self, name: str, upstream: str, model: str, ground: Ground) -> None:
        """An empty upstream or model stands for the call's own."""
        self.served_by = name
        self._own = None if model else upstream
        super().__init__(
            name, lambda call: ground.links(call, upstream, model)(call), ground.clock.now
        )

    def objection(self, fall: Fall) -> str:
        """Part of StandIn. A rule for all may name one of them; failover may have asked it."""
        itself = self._own in {fall.call.upstream, fall.first.served_by}
        return "itself" if itself else super().objection(fall)


class _Ready:
    """An answer that takes no time and harms nobody."""

    tier = SAID
    served_by = ""

    def objection(self, fall: Fall) -> str:
        """Part of StandIn: there is none."""
        return ""


class Kept(_Ready):
    """The last good answer to the same call, which this pipeline has put on the shelf."""

    name = "cache"
    tier = KEPT

    def __init__(
        self, max_age: float, ground: Ground, again: Callable[[Call, Entry], Entry | None]
    ) -> None:
        """Not if it is older, in seconds. `again`: as the answer to this very call; None: it cannot
        be given to it."""
        self._max_age = max_age
        self._again = again
        self._now = ground.clock.now
        self._shelf = ground.kept(SHELF, Shelf)

    def objection(self, fall: Fall) -> str:
        """Part of StandIn."""
        entry = self._shelf.look(fall.key, fall.call.head.fields)
        if entry is None or entry.age(self._now()) > self._max_age:
            return "nothing"
        return "" if self._again(fall.call, entry) is not None else "not_understood"

    async def answer(self, fall: Fall) -> Reply:
        """Part of StandIn."""
        found = self._shelf.find(fall.key, fall.call.head.fields)
        entry = None if found is None else self._again(fall.call, found)
        assert entry is not None  # said by `objection`
        reply = entry.reply(b"Age: %d\r\n" % entry.age(self._now()))
        reply.executed = fall.executed
        return reply


class Written(_Ready):
    """What the policy says."""

    name = "static"

    def __init__(self, say: Callable[[Call], tuple[int, bytes, bytes] | None]) -> None:
        """`say`: status, head as it goes to the agent and content; None: this agent would not
        understand it."""
        self._say = say

    def objection(self, fall: Fall) -> str:
        """Part of StandIn."""
        return "not_understood" if self._say(fall.call) is None else ""

    async def answer(self, fall: Fall) -> Reply:
        """Part of StandIn."""
        said = self._say(fall.call)
        assert said is not None  # said by `objection`
        status, lines, content = said
        return Reply(
            status=status,
            lines=lines,
            body=Whole(content),
            length=len(content),
            result=SUCCESS,
            executed=fall.executed,
        )


class People(_Ready):
    """A queue of people: the agent is told that they must decide."""

    name = "human"

    def __init__(self, queue: str, policy: str, ground: Ground) -> None:
        self._queue = queue
        self._policy = policy
        self._desk = Desk.of(ground.keep, ground.clock)

    async def answer(self, fall: Fall) -> Reply:
        """Part of StandIn: it is on their desk."""
        detail = f"for {self._queue}: it failed ({fall.reason})"
        name = self._desk.enlist(fall.call, Terms(self._policy, why="fallback", detail=detail))
        refusal = Refusal(
            "approval_pending",
            f"It failed ({fall.reason}), and the people of {self._queue} must decide what to do",
            policy=self._policy,
            executed=fall.executed,
            scope=self._queue,
            final=True,
            next_step="ask_owner",
            facts=(("approval", name or None),),
        )
        return refused(refusal)
