"""The one loop in which gates are asked, and the one place where what they gave is given back.

Written once, for all gates: waiting for those that must ask somebody, the verdicts of shadow
policies, giving back on refusal, failure and cancellation, and settling when the reply is finished.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from proxy.attempt import Attempt
from proxy.call import Call
from proxy.clock import Clock
from proxy.counts import Counts
from proxy.refusal import Refusal
from proxy.reply import Failure, Reply, Result
from proxy.stage import AttemptGate, CallGate, NothingTaken, Verdict

Subject = TypeVar("Subject", Call, Attempt)
Gate = TypeVar("Gate", CallGate, AttemptGate)


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
        """`shadows` are asked as well and obeyed never; `counted` counts what they would have refused."""
        self._gates = tuple((gate, True) for gate in gates) + tuple((gate, False) for gate in shadows)
        self._inner = inner
        self._clock = clock
        self._counted = counted

    async def __call__(self, subject: Subject) -> Reply:
        """The reply of what stands behind, or the refusal of the first gate that says no."""
        admitted: list[Any] = []
        try:
            for gate, enforced in self._gates:
                verdict = gate.admit(subject)  # type: ignore[arg-type]  # a guard of calls has gates of calls
                if verdict is not None and type(verdict) is not Refusal:
                    verdict = await self._asked(gate, subject, verdict)  # type: ignore[arg-type]
                if verdict is None:
                    if not isinstance(gate, NothingTaken):
                        admitted.append(gate)
                elif enforced:
                    _settle(admitted, subject, refused := Reply(status=0, refusal=verdict))  # type: ignore[arg-type]
                    return refused
                else:
                    self._counted.add(verdict.code, verdict.policy, "false")  # type: ignore[union-attr]
            reply = await self._inner(subject)
        except BaseException:  # cancelled, or a bug: either way what was taken goes back
            _settle(admitted, subject, Reply(status=0, failure=Failure.CANCELLED, result=Result.CANCELLED))
            raise
        if admitted:
            self._committed(admitted, subject, reply)
            reply.finishers.append(Admission(admitted, subject))
        return reply

    def _committed(self, admitted: list[Any], subject: Subject, reply: Reply) -> None:
        """The result is decided; only attempts' gates care."""

    async def _asked(self, gate: Gate, subject: Subject, answer: Awaitable[Verdict]) -> Verdict:
        """Wait for a gate. If the call is cancelled meanwhile, a grant that comes late is given back."""
        task = self._clock.spawn(_verdict(answer))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(lambda done: _give_back(done, gate, subject))
            raise


class CallGuard(Guard[Call, CallGate]):
    """Asks once for each call."""


class AttemptGuard(Guard[Attempt, AttemptGate]):
    """Asks once for each sending."""

    def _committed(self, admitted: list[Any], subject: Attempt, reply: Reply) -> None:
        for gate in admitted:
            gate.committed(subject, reply)


class Admission:
    """Who let a call or an attempt through, until its reply is finished."""

    __slots__ = ("_gates", "_subject")

    def __init__(self, gates: list[Any], subject: Call | Attempt) -> None:
        self._gates = gates
        self._subject = subject

    def settle(self, reply: Reply) -> None:
        """Part of Settles."""
        _settle(self._gates, self._subject, reply)


def _settle(gates: list[Any], subject: Call | Attempt, reply: Reply) -> None:
    for gate in reversed(gates):
        gate.settle(subject, reply)


async def _verdict(answer: Awaitable[Verdict]) -> Verdict:
    return await answer


def _give_back(done: "asyncio.Task[Verdict]", gate: Any, subject: Call | Attempt) -> None:
    if not done.cancelled() and done.exception() is None and done.result() is None:
        gate.settle(subject, Reply(status=0, failure=Failure.CANCELLED, result=Result.CANCELLED))
