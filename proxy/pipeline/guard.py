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
from proxy.reply import Executed, Failure, Reply, Result
from proxy.stage import AttemptGate, CallGate, Handler, NothingTaken, Verdict

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
        """`shadows` are asked and never obeyed; `counted` counts what they would have refused."""
        asked = [(gate, True) for gate in gates] + [(gate, False) for gate in shadows]
        self._gates: tuple[tuple[Callable[[Subject], Any], Gate, bool], ...] = tuple(
            (gate.admit, gate, enforced)  # type: ignore[misc]  # a guard of calls has gates of calls
            for gate, enforced in asked
        )
        self._takers: list[Any] = [gate for gate, _ in asked if not isinstance(gate, NothingTaken)]
        self._inner: Callable[[Subject], Awaitable[Reply]] = inner
        self._clock = clock
        self._counted = counted

    async def __call__(self, subject: Subject) -> Reply:
        """The reply of what stands behind, or the refusal of the first gate that says no."""
        takers = self._takers
        asked = 0
        try:
            for admit, gate, enforced in self._gates:
                verdict = admit(subject)
                if verdict is not None:
                    if type(verdict) is not Refusal:
                        verdict = await self._asked(gate, subject, verdict)
                    if verdict is not None:
                        takers = [taker for taker in takers if taker is not gate]
                        if enforced:
                            return self._refused(takers, asked, subject, verdict)
                        self._counted.add(verdict.code, verdict.policy, "false")
                asked += 1
            reply = await self._inner(subject)
        except BaseException:  # cancelled, or a bug: either way what was taken goes back
            self._settle(takers, asked, subject, _cancelled())
            raise
        if takers:
            reply.finishers.append(Admission(takers, subject))
            try:
                self._committed(takers, subject, reply)
            except Exception:  # a bug: nobody else knows of this reply
                reply.close()
                raise
        return reply

    def _refused(self, takers: list[Any], asked: int, subject: Subject, refusal: Refusal) -> Reply:
        reply = Reply(status=0, refusal=refusal, executed=Executed.NO)
        self._settle(takers, asked, subject, reply)
        return reply

    def _settle(self, takers: list[Any], asked: int, subject: Subject, reply: Reply) -> None:
        """Give back what the first `asked` gates gave."""
        admitted = [gate for _, gate, _ in self._gates[:asked]]
        Admission([taker for taker in takers if taker in admitted], subject).settle(reply)

    def _committed(self, takers: list[Any], subject: Subject, reply: Reply) -> None:
        """The result is decided; only attempts' gates care."""

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


class CallChecks:
    """Asks gates that take nothing and answer at once: nothing is given back or waited for.

    What a `Guard` does would do as well. But each guard is one more coroutine on the way of every
    call, and in front of it stands often nothing but a deadline (1.2 of 23 µs, 2026-11).
    """

    def __init__(self, gates: list[CallGate], inner: Handler) -> None:
        self._admits = tuple(gate.admit for gate in gates)
        self._inner = inner

    def __call__(self, call: Call) -> Awaitable[Reply]:
        """The reply of what stands behind, or the refusal of the first gate that says no."""
        for admit in self._admits:
            verdict = admit(call)
            if verdict is not None:
                return _no(verdict)
        return self._inner(call)


async def _no(verdict: Refusal | Awaitable[Verdict]) -> Reply:
    assert isinstance(verdict, Refusal), "a gate that takes nothing need not wait"
    return Reply(status=0, refusal=verdict, executed=Executed.NO)


class AttemptGuard(Guard[Attempt, AttemptGate]):
    """Asks once for each sending."""

    def _committed(self, takers: list[Any], subject: Attempt, reply: Reply) -> None:
        for gate in takers:
            gate.committed(subject, reply)


class Admission:
    """Who let a call or an attempt through, until its reply is finished."""

    __slots__ = ("_gates", "_subject")

    def __init__(self, gates: list[Any], subject: Call | Attempt) -> None:
        self._gates = gates
        self._subject = subject

    def settle(self, reply: Reply) -> None:
        """Part of Settles."""
        bug: Exception | None = None
        for gate in reversed(self._gates):
            try:
                gate.settle(self._subject, reply)
            except Exception as error:  # the others must still settle
                bug = bug or error
        if bug is not None:
            raise bug


async def _verdict(answer: Awaitable[Verdict]) -> Verdict:
    return await answer


def _give_back(done: "asyncio.Task[Verdict]", gate: Any, subject: Call | Attempt) -> None:
    if not done.cancelled() and done.exception() is None and done.result() is None:
        gate.settle(subject, _cancelled())


def _cancelled() -> Reply:
    return Reply(status=0, failure=Failure.CANCELLED, result=Result.CANCELLED)
