"""A guard of attempts, the gates that it asks, and a diary of what happens to them."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from proxy.attempt import Attempt
from proxy.call import Call
from proxy.clock import Clock
from proxy.counts import Counts
from proxy.pipeline.guard import AttemptGuard
from proxy.refusal import Refusal
from proxy.reply import Reply
from proxy.stage import NothingTaken, Verdict
from tests.fakes import FakeClock, ScriptedUpstream, Turn, decided, make_attempt, run

NO = Refusal("circuit_open", "The tool keeps failing", policy="p")


class Gate:
    """Says what it is told to say, and writes down what happens to it."""

    def __init__(self, name: str, diary: list[str], answer: Any = None) -> None:
        self.name = name
        self.diary = diary
        self.answer = answer
        self.settled: list[Reply] = []

    def admit(self, subject: Call | Attempt) -> Verdict | Awaitable[Verdict]:
        """An exception is raised, anything else is given."""
        self.diary.append(f"{self.name} asked")
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer  # type: ignore[no-any-return]  # a verdict, or an awaitable of one

    def committed(self, attempt: Attempt, reply: Reply) -> None:
        """Write it down."""
        self.diary.append(f"{self.name} heard {reply.result}")

    def settle(self, subject: Call | Attempt, reply: Reply) -> None:
        """Write it down."""
        self.settled.append(reply)
        self.diary.append(f"{self.name} settled")


class Clumsy(Gate):
    """A gate that breaks where none may: in `admit`, `committed` or `settle`."""

    def __init__(self, name: str, diary: list[str], where: str, answer: Any = None) -> None:
        super().__init__(name, diary, answer)
        self._where = where

    def admit(self, subject: Call | Attempt) -> Verdict | Awaitable[Verdict]:
        """Perhaps here."""
        verdict = super().admit(subject)
        self._break("admit")
        return verdict

    def committed(self, attempt: Attempt, reply: Reply) -> None:
        """Perhaps here."""
        super().committed(attempt, reply)
        self._break("committed")

    def settle(self, subject: Call | Attempt, reply: Reply) -> None:
        """Perhaps here."""
        super().settle(subject, reply)
        self._break("settle")

    def _break(self, where: str) -> None:
        if self._where == where:
            raise ZeroDivisionError


class Free(NothingTaken):
    """A gate that takes nothing."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.settled = 0

    def admit(self, subject: Any) -> Verdict | Awaitable[Verdict]:
        """As told."""
        return self.answer  # type: ignore[no-any-return]  # a verdict, or an awaitable of one

    def settle(self, subject: Any, reply: Reply) -> None:
        """Never."""
        self.settled += 1


class Hearing(Free):
    """One that is to hear of commits, as a cool-down is."""

    def __init__(self, answer: Any = None) -> None:
        super().__init__(answer)
        self.heard: list[Reply] = []

    def committed(self, attempt: Attempt, reply: Reply) -> None:
        """Keep it."""
        self.heard.append(reply)


class Scene:
    """A guard of attempts before an upstream."""

    def __init__(self, *answers: Any, shadows: tuple[Any, ...] = (), upstream: Any = 200) -> None:
        self.diary: list[str] = []
        names = "abcdef"
        self.gates: list[Gate] = [Gate(*pair) for pair in self._named(names, answers)]
        self.shadows = [Gate(*pair) for pair in self._named(names.upper(), shadows)]
        self.upstream: Any = ScriptedUpstream(upstream)
        self.counted = Counts(("code", "policy", "enforced"))
        self.clock: Clock = FakeClock()
        self.holds: Awaitable[None] | BaseException | None = None  # until the commit

    def _named(self, names: str, answers: tuple[Any, ...]) -> list[tuple[str, list[str], Any]]:
        return [(name, self.diary, answer) for name, answer in zip(names, answers, strict=False)]

    def guard(self) -> AttemptGuard:
        """The guard."""
        return AttemptGuard(
            list(self.gates),
            list(self.shadows),
            self.upstream,
            self._commits,
            self.clock,
            self.counted,
        )

    def _commits(self, attempt: Attempt, reply: Reply) -> Awaitable[None] | None:
        self.diary.append(f"{reply.status} decided")
        if isinstance(self.holds, BaseException):
            raise self.holds
        return self.holds

    def __call__(self) -> Reply:
        """The reply to one attempt."""
        return run(self.guard()(make_attempt()))

    def start(self) -> "asyncio.Task[Reply]":
        """The same in a task."""

        async def passes() -> Reply:
            return await self.guard()(make_attempt())

        return asyncio.get_running_loop().create_task(passes())


async def settle_down() -> None:
    """Let everything that is ready happen."""
    for _ in range(5):
        await Turn()


def guarded(gates: list[Any], shadows: list[Any] | None = None, step: Any = 200) -> AttemptGuard:
    """A guard with these gates before an upstream that gives this."""
    counted = Counts(("code", "policy", "enforced"))
    return AttemptGuard(gates, shadows or [], ScriptedUpstream(step), decided, FakeClock(), counted)
