"""Gates that may be left while they make somebody wait, and those that make him queue."""

import asyncio

import pytest

from proxy.attempt import Attempt
from proxy.pipeline.guard import AttemptGuard
from proxy.reply import Reply, Result
from proxy.stage import Queues, Verdict, Withdraws
from proxy.strand import Strand
from tests.fakes import FakeClock, Turn, make_attempt
from tests.pipeline.scene import NO, Gate, guarded, settle_down


class Leaving(Gate, Withdraws):
    """It takes back what it gave if it is left before anybody has heard of it."""

    def __init__(self) -> None:
        super().__init__("leaving", [])
        self.told: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self.answer = self._waits()

    async def _waits(self) -> Verdict:
        try:
            return await self.told
        except asyncio.CancelledError:
            self.diary.append("taken back" if self.granted else "left")
            raise

    @property
    def granted(self) -> bool:
        """Was it given by then?"""
        return self.told.done() and not self.told.cancelled()


class Queueing(Leaving, Queues):
    """One with a queue."""


class Passing:
    """An attempt before such a gate, driven as calls are."""

    def __init__(self, gate: Leaving) -> None:
        self.attempt = make_attempt()
        self.clock = FakeClock()
        self.reply: Reply | None = None
        guard = guarded([gate])
        guard._clock = self.clock
        self._strand = Strand(self._passes(guard, self.attempt), lambda bug: None)
        self._strand.step()

    async def _passes(self, guard: AttemptGuard, attempt: Attempt) -> None:
        self.reply = await guard(attempt)

    def cancel(self) -> None:
        """Its call is cancelled."""
        self._strand.cancel()


async def test_it_is_left_when_the_call_is_cancelled() -> None:
    """Nobody waits on for a call that is gone; there is nothing to settle."""
    gate = Leaving()
    passing = Passing(gate)
    await settle_down()
    passing.cancel()
    await settle_down()
    assert gate.diary == ["leaving asked", "left"]


@pytest.mark.parametrize("turns", range(3))
async def test_what_it_gave_meanwhile_goes_back_once(turns: int) -> None:
    """By itself if it is left before it went on; else it is settled as a grant that came late."""
    gate = Leaving()
    passing = Passing(gate)
    await settle_down()
    gate.told.set_result(None)
    for _ in range(turns):
        await Turn()
    assert passing.reply is None
    passing.cancel()
    await settle_down()
    assert gate.diary[1:] in (["taken back"], ["leaving settled"])
    assert [reply.result for reply in gate.settled] in ([], [Result.CANCELLED])


async def test_a_refusal_that_comes_too_late_is_nothing() -> None:
    """It took nothing."""
    gate = Leaving()
    passing = Passing(gate)
    await settle_down()
    gate.told.set_result(NO)
    await Turn()
    passing.cancel()
    await settle_down()
    assert gate.settled == []


@pytest.mark.parametrize(("kind", "queued"), [(Leaving, 0.0), (Queueing, 2.0)])
@pytest.mark.parametrize("cancelled", [False, True])
async def test_standing_in_a_queue_is_told_apart(
    kind: type[Leaving], queued: float, cancelled: bool
) -> None:
    """All waiting is waiting; this one is counted as such too, however it ended."""
    gate = kind()
    passing = Passing(gate)
    await settle_down()
    passing.clock.advance(2.0)
    if cancelled:
        passing.cancel()
    else:
        gate.told.set_result(None)
        await settle_down()
    call = passing.attempt.call
    assert (call.waited, call.queued) == (2.0, queued)
    await settle_down()
