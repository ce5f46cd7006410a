"""The worst bug of this shape: a gate settled twice, or never. Searched for in all orders.

Real guards and the real retry wrapper, driven by a strand as calls are. Hypothesis says what each
gate answers and when (at once, later, after the call is over), what each sending comes to and
whether its answer is held until its commit, how the stream ends, and at which step the call is
cancelled, be it waiting or running.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from hypothesis import event, given, settings
from hypothesis import strategies as st

from proxy.attempt import Attempt
from proxy.call import Call, Effect
from proxy.counts import Counts
from proxy.pipeline.guard import AttemptGuard, CallGuard
from proxy.refusal import Refusal
from proxy.reply import Failure, Reply
from proxy.stage import NothingTaken, Site, Verdict
from proxy.stages.retry import Backoff, Repeat, Retry, Throttled
from proxy.strand import Signal, Strand
from proxy.units import Seconds
from tests.fakes import (
    FakeBody,
    FakeClock,
    ScriptedUpstream,
    Turn,
    make_call,
    make_ground,
    make_reply,
    make_target,
)

NO = Refusal("rate_limited", "no")
WAIT = Seconds(1.0)

ANSWERS = st.sampled_from(
    ["admit"] * 10 + ["admit later"] * 5 + ["refuse", "refuse later", "break", "break later"]
)
GATES = st.lists(st.lists(ANSWERS, min_size=3, max_size=3), max_size=3)
SENDINGS = st.lists(
    st.sampled_from(
        [
            "answer",
            "stream",
            "late answer",
            "error",
            "error",
            "late error",
            "late error",
            "held answer",
            "held error",
            "streamed error",
            "lost",
            "break",
        ]
    ),
    min_size=3,
    max_size=3,
)
HEARERS = st.lists(st.lists(ANSWERS, min_size=3, max_size=3), max_size=1)
ENDS = st.lists(st.sampled_from(["finish", "fail", "close"]), max_size=3)


class Plan(msgspec.Struct, frozen=True):
    """One history."""

    calls: list[list[str]]  # a gate of calls each, with what it answers to its first asking, …
    call_shadows: list[list[str]]
    attempts: list[list[str]]
    attempt_shadows: list[list[str]]
    hearers: list[list[str]]  # gates of attempts that take nothing, and hear of commits
    sendings: list[str]
    ends: list[str]
    cancelled_at: int | None  # the wait at which it is cancelled
    doomed_at: int | None  # the asking or sending in the middle of which it is cancelled


PLANS = st.builds(
    Plan,
    GATES,
    st.lists(st.lists(ANSWERS, min_size=3, max_size=3), max_size=1),
    GATES,
    st.lists(st.lists(ANSWERS, min_size=3, max_size=3), max_size=1),
    HEARERS,
    SENDINGS,
    ENDS,
    st.none() | st.integers(0, 12),
    st.none() | st.integers(0, 12),
)


class Grant:
    """What one gate gave one call or attempt."""

    def __init__(self, gate: "Gate", subject: Any) -> None:
        self.gate = gate
        self.subject = subject
        self.settled = 0
        self.heard = 0
        self.apart = False  # of a shadow that was not waited for


class Gate:
    """Answers by plan, and counts."""

    def __init__(self, world: "World", plan: list[str], *, shadow: bool = False) -> None:
        self._world = world
        self._plan = list(plan)
        self._shadow = shadow
        self.admitted = self._admitted

    def _admitted(self, subject: Any) -> None:
        self._world.log.append(("granted", Grant(self, subject)))

    def admit(self, subject: Call | Attempt) -> Verdict | Awaitable[Verdict]:
        """What the plan says; at most three askings."""
        world = self._world
        answer, _, later = self._plan.pop(0).partition(" ")
        world.happens((self, subject) if later else None)
        if later:
            return self._later(answer, subject)
        return self._answer(answer, subject)

    async def _later(self, answer: str, subject: Any) -> Verdict:
        """Whoever is asked decides, also if nobody waits for the answer any more."""
        await self._world.future()
        verdict = self._answer(answer, subject)
        if self._shadow and verdict is None:
            self._grant(subject).apart = True
        return verdict

    def _answer(self, answer: str, subject: Any) -> Verdict:
        if answer == "break":
            raise ZeroDivisionError
        if answer == "refuse":
            return NO
        self.admitted(subject)
        return None

    def committed(self, attempt: Attempt, reply: Reply) -> None:
        """Heard while the grant lasts."""
        grant = self._grant(attempt)
        assert not grant.settled
        grant.heard += 1

    def settle(self, subject: Call | Attempt, reply: Reply) -> None:
        """Given back."""
        grant = self._grant(subject)
        grant.settled += 1
        self._world.log.append(("settled", grant))

    def _grant(self, subject: Any) -> Grant:
        found = [one for one in self._world.grants if one.gate is self and one.subject is subject]
        assert len(found) == 1, f"{len(found)} grants: settled what was never admitted"
        return found[0]


class Hearer(NothingTaken):
    """Answers by plan, takes nothing, and counts the commits."""

    def __init__(self, world: "World", plan: list[str]) -> None:
        self._gate = Gate(world, plan)
        self._gate.admitted = self._admitted
        self.heard: dict[int, int] = {}  # by the attempt's number
        self.settled = 0

    def _admitted(self, subject: Any) -> None:
        self.heard[subject.number] = 0

    def admit(self, attempt: Attempt) -> Verdict | Awaitable[Verdict]:
        """What the plan says."""
        return self._gate.admit(attempt)

    def committed(self, attempt: Attempt, reply: Reply) -> None:
        """Of what it let through."""
        self.heard[attempt.number] += 1

    def settle(self, subject: Any, reply: Reply) -> None:
        """Never."""
        self.settled += 1


class World:
    """All that happens to one call."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.log: list[tuple[str, Grant]] = []
        self.clock = FakeClock(asleep=False)
        self.ends: list[BaseException | None] = []
        self.hearers: list[Hearer] = []
        self.asking: Any = None  # the gate that has to ask somebody, and for whom
        self.late: Any = None  # the same, when the call was cancelled
        self._happened = 0
        self._held = False  # the answer, until its commit
        self._waiting: list[Callable[[], None]] = []
        self._sendings = list(plan.sendings)
        self.strand = Strand(self._lives(), self.ends.append)

    @property
    def grants(self) -> list[Grant]:
        """All of them, in their order."""
        return [grant for what, grant in self.log if what == "granted"]

    def happens(self, asking: Any = None) -> None:
        """Something done in the call's own time; it may be cancelled in the middle of it."""
        self.asking = asking
        if self._happened == self.plan.doomed_at:
            self.strand.cancel()
        self._happened += 1

    def future(self) -> "asyncio.Future[None]":
        """Something to wait for, until `resume`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(lambda: None if future.done() else future.set_result(None))
        return future

    def resume(self) -> None:
        """What was waited for first happens; if nothing is, the time passes."""
        if self._waiting:
            self._waiting.pop(0)()
        else:
            self.clock.advance(100.0)

    async def _lives(self) -> None:
        """As the gateway does it."""
        call = make_call(cancel=self.strand.cancel)
        try:
            reply = await self._pipeline()(call)
        except asyncio.CancelledError:
            self.late = self.asking
            raise
        try:
            if not reply.whole:
                over: Signal[None] = Signal()
                self._waiting.append(lambda: over.set(None))
                await over
            for end in self.plan.ends:
                self._end(reply, end)
            reply.finish()
        finally:
            reply.close()

    def _end(self, reply: Reply, how: str) -> None:
        if how == "close":
            reply.close()
        else:
            reply.finish(Failure.TRUNCATED if how == "fail" else None)

    def _pipeline(self) -> CallGuard:
        plan, counted = self.plan, Counts(("code", "policy", "enforced"))
        attempts, calls = ([Gate(self, gate) for gate in of] for of in (plan.attempts, plan.calls))
        attempt_shadows, call_shadows = (
            [Gate(self, gate, shadow=True) for gate in of]
            for of in (plan.attempt_shadows, plan.call_shadows)
        )
        self.hearers = [Hearer(self, gate) for gate in plan.hearers]
        inner = AttemptGuard(
            [*attempts[:1], *self.hearers, *attempts[1:]],
            list(attempt_shadows),
            self._send,
            self._commit,
            self.clock,
            counted,
        )
        backoff = Backoff(base=WAIT, jitter="none")
        section = Retry(backoff=backoff, throttled=Throttled(base=WAIT, max=WAIT))
        site = Site(make_target(Effect.READ), make_ground(self.clock), sender=inner)
        handle = Repeat(section, site).handle
        return CallGuard(list(calls), list(call_shadows), handle, self.clock, counted)

    async def _send(self, attempt: Attempt) -> Reply:
        self.happens()
        sending = self._sendings.pop(0)
        self._held = sending.startswith("held")
        if sending.startswith("late"):
            await self.future()
        steps: dict[str, Any] = {
            "answer": 200,
            "late answer": 200,
            "held answer": 200,
            "stream": make_reply(200, body=FakeBody(None)),
            "streamed error": make_reply(503, body=FakeBody(None)),
            "lost": Failure.CONNECT,
            "break": ZeroDivisionError(),
        }
        return await ScriptedUpstream(steps.get(sending, 503))(attempt)

    def _commit(self, attempt: Attempt, reply: Reply) -> Awaitable[None] | None:
        self.happens()
        return self.future() if self._held else None


async def lived(plan: Plan) -> World:
    """A world in which everything has happened that can."""
    world = World(plan)
    world.strand.step()
    for step in range(40):
        if world.ends:
            break
        if step == plan.cancelled_at:
            world.strand.cancel()
        else:
            world.resume()
        for _ in range(4):
            await Turn()
    for _ in range(15):  # what was asked may be answered long after the call
        world.resume()
        for _ in range(3):
            await Turn()
    return world


def in_time(world: World) -> list[tuple[str, Grant]]:
    """What happened, without grants that nobody waited for: of shadows that ask somebody, and the
    one that may have come too late for its call."""
    gate, subject = world.late or (None, None)
    return [
        (what, grant)
        for what, grant in world.log
        if not (grant.apart or (grant.gate is gate and grant.subject is subject))
    ]


@given(PLANS)
@settings(max_examples=400)
async def test_every_gate_that_admits_is_settled_once_and_innermost_first(plan: Plan) -> None:
    """Admit, refuse, break, fail, retry, stream, cancel, late grants: in whatever order."""
    world = await lived(plan)

    assert len(world.ends) == 1, "the call never came to its end"
    assert [grant.settled for grant in world.grants] == [1] * len(world.grants)
    assert all(grant.heard <= 1 for grant in world.grants)
    for hearer in world.hearers:
        assert set(hearer.heard.values()) <= {0, 1}
        assert hearer.settled == 0
    assert all(grant.heard == 0 for grant in world.grants if grant.apart)
    held: list[Grant] = []
    for what, grant in in_time(world):
        if what == "granted":
            held.append(grant)
        else:
            assert held.pop() is grant, "settled before one that was admitted after it"
    assert held == []

    event(f"{'cancelled' if world.late or plan.cancelled_at is not None else 'not cancelled'}")
    event(f"late grant: {world.late is not None}, bug: {world.ends[0] is not None}")
    event(f"sent {3 - len(world._sendings)} times")


@given(PLANS)
@settings(max_examples=100)
async def test_nothing_but_planned_bugs_comes_out(plan: Plan) -> None:
    """A refusal, a failure or a cancellation is never an error, nor is anything that a shadow
    does: nothing of that comes out of the call, or is left for the loop to report."""
    reported: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: reported.append(told))
    gc.freeze()  # all that is here already is not gone through for each example
    world = await lived(plan)
    if world.ends[0] is not None:
        assert isinstance(world.ends[0], ZeroDivisionError)
        assert "break" in str((plan.calls, plan.attempts, plan.hearers, plan.sendings))
    gc.collect()
    gc.unfreeze()
    assert reported == []
