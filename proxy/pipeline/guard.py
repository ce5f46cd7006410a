"""The one loop in which gates are asked, and the one place where what they gave is given back.

Written once, for all gates: waiting for those that must ask somebody, the verdicts of shadow
policies, giving back on refusal, failure and cancellation, and settling when the reply is finished.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from msgspec.structs import replace

from proxy.attempt import Attempt
from proxy.call import Call
from proxy.clock import Clock
from proxy.counts import Counts
from proxy.refusal import Refusal
from proxy.reply import Executed, Reply, cancelled, refused, settle_all
from proxy.stage import (
    AttemptGate,
    CallGate,
    Listens,
    NothingTaken,
    Queues,
    Sender,
    Verdict,
    Withdraws,
)

Subject = TypeVar("Subject", Call, Attempt)
Gate = TypeVar("Gate", CallGate, AttemptGate)
Hears: TypeAlias = Callable[[Any, Reply], None]
Decides: TypeAlias = Callable[[Any, Reply], Awaitable[None] | None]

_SHADOW_BROKE = Refusal("internal_error", "a shadow broke")


class Guard(Generic[Subject, Gate]):
    """Lets a call or an attempt through when every gate agrees."""

    def __init__(
        self,
        gates: list[Gate],
        shadows: list[Gate],
        inner: Callable[[Subject], Awaitable[Reply]],
        clock: Clock,
        counted: Counts,
    ) -> None:
        """`shadows` are asked and never obeyed; `counted` counts what they would have refused."""
        self._gates: list[Gate] = gates
        self._admits: tuple[tuple[Callable[[Subject], Any], Gate], ...] = tuple(
            (gate.admit, gate)  # type: ignore[misc]  # a guard of calls has gates of calls
            for gate in gates
        )
        self._settle = _as_one(_settles(gates))
        self._shadows: list[Gate] = shadows
        self._inner: Callable[[Subject], Awaitable[Reply]] = inner
        self._decide: Decides = _decided
        self._hear = self._hearers(gates)
        self._clock = clock
        self._counted = counted

    async def __call__(self, subject: Subject) -> Reply:
        """The reply of what stands behind, or the refusal of the first gate that says no."""
        gate: Gate | None = None  # that is asked just now; those before it let it through
        verdict: Any = None
        shadows: list[Gate] = []  # those that let it through
        try:
            for admit, gate in self._admits:
                verdict = admit(subject)
                if verdict is not None:
                    if type(verdict) is not Refusal:
                        verdict = await self._asked(gate, subject, verdict)
                    if verdict is not None:
                        reply = self._refused(subject, verdict)
                        break
            else:
                gate = None
                if self._shadows:
                    shadows = self._ask_shadows(subject)
                reply = await self._inner(subject)
                waits = self._decide(subject, reply)
                if waits is not None:
                    await waits
        except BaseException:  # cancelled, or a bug: either way what was taken goes back
            self._lost(self._before(gate) + shadows, subject, sent=subject.sent)
            raise
        if verdict is None:
            self._admitted(subject, reply, shadows)
        else:
            self._give_back(self._before(gate), subject, reply)
        return reply

    def _before(self, gate: Gate | None) -> list[Gate]:
        """The gates that are asked before this one; None: all of them."""
        return self._gates if gate is None else self._gates[: self._gates.index(gate)]

    def _refused(self, subject: Subject, verdict: Refusal) -> Reply:
        """It does not run; an earlier attempt of its call may have."""
        if verdict.executed is Executed.NO and self._call(subject).sent:
            verdict = replace(verdict, executed=Executed.UNKNOWN)
        return refused(verdict)

    @staticmethod
    def _call(subject: Any) -> Call:
        return subject  # type: ignore[no-any-return]  # it is one, or has one

    def _ask_shadows(self, subject: Subject) -> list[Gate]:
        """Those that let it through. None of them may hold the call up, or bring it down."""
        admitted: list[Gate] = []
        for gate in self._shadows:
            try:
                verdict: Any = gate.admit(subject)  # type: ignore[arg-type]  # as above
            except Exception:  # a bug, but not this call's
                verdict = _SHADOW_BROKE
            if verdict is None:
                admitted.append(gate)
            elif isinstance(verdict, Refusal):
                self._would_refuse(subject, verdict)
            else:
                _ = self._clock.spawn(self._count_later(gate, subject, verdict))
        return admitted

    async def _count_later(self, gate: Gate, subject: Subject, answer: Awaitable[Verdict]) -> None:
        """A shadow that asks somebody: what it took goes back as soon as it has it."""
        try:
            verdict = await answer
            if verdict is None:
                self._lost([gate], subject, sent=False)
        except Exception:  # as above
            verdict = _SHADOW_BROKE
        if verdict is not None:
            self._would_refuse(subject, verdict)

    def _would_refuse(self, subject: Subject, verdict: Refusal) -> None:
        """It is counted, and the call's record tells of the first."""
        call = self._call(subject)
        call.shadowed = call.shadowed or (verdict.code, verdict.policy)
        self._counted.add(verdict.code, verdict.policy, "false")

    def _admitted(self, subject: Subject, reply: Reply, shadows: list[Gate]) -> None:
        """Whoever let it through hears of its commit, and of its end, the last one first."""
        if shadows:
            reply.finishers += [(settle, subject) for settle in _settles(shadows)]
        if self._settle is not None:
            reply.finishers.append((self._settle, subject))
        try:
            for hear in self._hear:
                hear(subject, reply)
        except Exception:  # a bug: nobody else knows of this reply
            reply.close()
            raise
        if shadows:
            self._tell_shadows(subject, reply, shadows)

    def _tell_shadows(self, subject: Subject, reply: Reply, shadows: list[Gate]) -> None:
        for hear in self._hearers(shadows):
            try:
                hear(subject, reply)
            except Exception:  # a bug, but not this call's
                self._would_refuse(subject, _SHADOW_BROKE)

    @staticmethod
    def _hearers(gates: list[Any]) -> tuple[Hears, ...]:
        """How those that want to know are told of the commit."""
        return tuple(gate.committed for gate in gates if isinstance(gate, Listens))

    def _lost(self, admitted: list[Gate], subject: Subject, *, sent: bool) -> None:
        """Nobody will have a reply to it, nor could anybody tell of a settler's bug."""
        reply = cancelled(sent=sent)
        self._give_back(admitted, subject, reply)
        if reply.bug is not None:
            raise reply.bug

    def _give_back(self, admitted: list[Gate], subject: Subject, reply: Reply) -> None:
        settle_all([(settle, subject) for settle in _settles(admitted)], reply)

    async def _asked(self, gate: Gate, subject: Subject, answer: Awaitable[Verdict]) -> Verdict:
        """Wait for a gate. A grant that comes when the call was cancelled is given back."""
        task = self._clock.spawn(_verdict(answer))
        began = self._clock.now()
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if isinstance(gate, NothingTaken | Withdraws):
                asyncio.get_running_loop().call_soon(task.cancel)  # it has begun by then
            if not isinstance(gate, NothingTaken):  # one that withdraws may just have been granted
                task.add_done_callback(lambda done: self._late(done, gate, subject))
            raise
        finally:
            self._waited(subject, began, gate)

    def _late(self, done: "asyncio.Task[Verdict]", gate: Gate, subject: Subject) -> None:
        if not done.cancelled() and done.exception() is None and done.result() is None:
            self._lost([gate], subject, sent=subject.sent)

    def _waited(self, subject: Any, began: float, gate: Any) -> None:
        """Waiting for others is not our own time."""
        subject.waited += self._clock.now() - began


class CallGuard(Guard[Call, CallGate]):
    """Asks once for each call, and tells the gates that want to know what comes back."""


class AttemptGuard(Guard[Attempt, AttemptGate]):
    """Asks once for each sending, and tells the gates what was decided at its commit."""

    def __init__(
        self,
        gates: list[AttemptGate],
        shadows: list[AttemptGate],
        inner: Sender,
        commit: Decides,
        clock: Clock,
        counted: Counts,
    ) -> None:
        super().__init__(gates, shadows, inner, clock, counted)
        self._decide = commit

    @staticmethod
    def _call(subject: Any) -> Call:
        return subject.call  # type: ignore[no-any-return]  # as above

    def _waited(self, subject: Any, began: float, gate: Any) -> None:
        """Nor is it the attempt's, which begins when it may go."""
        subject.started = self._clock.now()
        subject.call.waited += subject.started - began
        if isinstance(gate, Queues):
            subject.call.queued += subject.started - began

    @staticmethod
    def _hearers(gates: list[Any]) -> tuple[Hears, ...]:
        deaf: Any = NothingTaken.committed
        return tuple(gate.committed for gate in gates if type(gate).committed is not deaf)


def _settles(gates: Sequence[Any]) -> tuple[Hears, ...]:
    """How those that took something are told of the end, the last one first."""
    return tuple(gate.settle for gate in reversed(gates) if not isinstance(gate, NothingTaken))


def _as_one(settles: tuple[Hears, ...]) -> Hears | None:
    """One finisher for all of them; None where there are none."""

    # As `settle_all` does it, which would need a pair for each of them, made for each call.
    def settle(subject: Any, reply: Reply) -> None:
        for each in settles:
            try:
                each(subject, reply)
            except Exception as bug:  # the others must still settle
                reply.bug = reply.bug or bug

    return settle if len(settles) > 1 else next(iter(settles), None)


def _decided(subject: Any, reply: Reply) -> None:
    """A call's result is that of its last attempt."""


async def _verdict(answer: Awaitable[Verdict]) -> Verdict:
    return await answer
