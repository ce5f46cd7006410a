"""The one loop in which gates are asked, and the one place where what they gave is given back.

Written once, for all gates: waiting for those that must ask somebody, the verdicts of shadow
policies, giving back on refusal, failure and cancellation, and settling when the reply is finished.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from proxy.attempt import Attempt
from proxy.call import Call
from proxy.clock import Clock
from proxy.counts import Counts
from proxy.refusal import Refusal
from proxy.reply import Executed, Failure, Reply, Result, settle_all
from proxy.stage import AttemptGate, CallGate, NothingTaken, Sender, Verdict

Subject = TypeVar("Subject", Call, Attempt)
Gate = TypeVar("Gate", CallGate, AttemptGate)
Hears: TypeAlias = Callable[[Any, Reply], None]
Decides: TypeAlias = Callable[[Any, Reply], Awaitable[None] | None]


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
        self._settles = _settles(gates)
        self._shadows: list[Gate] = shadows
        self._inner: Callable[[Subject], Awaitable[Reply]] = inner
        self._decide: Decides = _decided
        self._hear = self._hearers(gates)
        self._clock = clock
        self._counted = counted

    async def __call__(self, subject: Subject) -> Reply:
        """The reply of what stands behind, or the refusal of the first gate that says no."""
        asked = 0
        verdict: Any = None
        shadows: list[Gate] = []  # those that let it through
        try:
            for admit, gate in self._admits:
                verdict = admit(subject)
                if verdict is not None:
                    if type(verdict) is not Refusal:
                        verdict = await self._asked(gate, subject, verdict)
                    if verdict is not None:
                        reply = Reply(status=0, refusal=verdict, executed=Executed.NO)
                        break
                asked += 1
            else:
                if self._shadows:
                    await self._ask_shadows(subject, shadows)
                reply = await self._inner(subject)
                waits = self._decide(subject, reply)
                if waits is not None:
                    await waits
        except BaseException:  # cancelled, or a bug: either way what was taken goes back
            self._give_back(self._gates[:asked] + shadows, subject, _cancelled())
            raise
        if verdict is None:
            self._admitted(subject, reply, shadows)
        else:
            self._give_back(self._gates[:asked], subject, reply)
        return reply

    async def _ask_shadows(self, subject: Subject, admitted: list[Gate]) -> None:
        for gate in self._shadows:
            verdict: Any = gate.admit(subject)  # type: ignore[arg-type]  # as above
            if verdict is not None and not isinstance(verdict, Refusal):
                verdict = await self._asked(gate, subject, verdict)
            if verdict is None:
                admitted.append(gate)
            else:
                self._counted.add(verdict.code, verdict.policy, "false")

    def _admitted(self, subject: Subject, reply: Reply, shadows: list[Gate]) -> None:
        """Whoever let it through hears of its commit, and of its end, the last one first."""
        if shadows:
            reply.finishers += [(settle, subject) for settle in _settles(shadows)]
        for settle in self._settles:
            reply.finishers.append((settle, subject))
        try:
            for hear in self._hear:
                hear(subject, reply)
            if shadows:
                for hear in self._hearers(shadows):
                    hear(subject, reply)
        except Exception:  # a bug: nobody else knows of this reply
            reply.close()
            raise

    @staticmethod
    def _hearers(gates: list[Gate]) -> tuple[Hears, ...]:
        """How those that want to know are told of the commit: attempts have one, calls have not."""
        return ()

    def _give_back(self, admitted: list[Gate], subject: Subject, reply: Reply) -> None:
        settle_all([(settle, subject) for settle in _settles(admitted)], reply)

    async def _asked(self, gate: Gate, subject: Subject, answer: Awaitable[Verdict]) -> Verdict:
        """Wait for a gate. A grant that comes when the call was cancelled is given back."""
        task = self._clock.spawn(_verdict(answer))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(lambda done: _give_back(done, gate, subject))
            raise


class CallGuard(Guard[Call, CallGate]):
    """Asks once for each call."""


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
    def _hearers(gates: list[AttemptGate]) -> tuple[Hears, ...]:
        deaf: Any = NothingTaken.committed
        return tuple(gate.committed for gate in gates if type(gate).committed is not deaf)


def _settles(gates: Sequence[Any]) -> tuple[Hears, ...]:
    """How those that took something are told of the end, the last one first."""
    return tuple(gate.settle for gate in reversed(gates) if not isinstance(gate, NothingTaken))


def _decided(subject: Any, reply: Reply) -> None:
    """A call's result is that of its last attempt."""


async def _verdict(answer: Awaitable[Verdict]) -> Verdict:
    return await answer


def _give_back(done: "asyncio.Task[Verdict]", gate: Any, subject: Call | Attempt) -> None:
    if not done.cancelled() and done.exception() is None and done.result() is None:
        settle_all([(settle, subject) for settle in _settles([gate])], _cancelled())


def _cancelled() -> Reply:
    return Reply(status=0, failure=Failure.CANCELLED, result=Result.CANCELLED)
