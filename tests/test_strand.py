"""A coroutine that is resumed by what it waits for."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.strand import Signal, Strand
from tests.fakes import Turn


class Run:
    """A strand on its way, and how it ended."""

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.ends: list[BaseException | None] = []
        self.strand = Strand(coroutine, self.ends.append)

    def step(self) -> "Run":
        """Begin."""
        self.strand.step()
        return self

    @property
    def ended(self) -> bool:
        """Was its end told, and without an error?"""
        return self.ends == [None]


async def waits(signal: Any, seen: list[Any]) -> None:
    """Note the fact, or that it was cancelled."""
    try:
        seen.append(await signal)
    except asyncio.CancelledError:
        seen.append("cancelled")
        raise


async def settle() -> None:
    """Let the loop hand futures over."""
    for _ in range(3):
        await Turn()


def test_it_runs_when_it_is_stepped_and_not_before() -> None:
    """Making one does nothing; the first step runs to the end where nothing is waited for."""
    seen: list[Any] = []

    async def work() -> None:
        seen.append("ran")

    run = Run(work())
    assert seen == []
    run.step()
    assert (seen, run.ended) == (["ran"], True)


def test_a_fact_that_is_there_already_is_not_waited_for() -> None:
    """A signal set before it is awaited hands its fact over at once."""
    signal: Signal[int] = Signal()
    signal.set(1)
    seen: list[Any] = []
    assert Run(waits(signal, seen)).step().ended
    assert seen == [1]


def test_setting_a_signal_resumes_inside_set() -> None:
    """When `set` returns the coroutine has gone on to its next wait, without any event loop."""
    first: Signal[int] = Signal()
    second: Signal[int] = Signal()
    seen: list[Any] = []

    async def work() -> None:
        seen.append(await first)
        seen.append(await second)

    run = Run(work()).step()
    assert seen == []
    first.set(1)
    assert (seen, run.ends) == ([1], [])
    second.set(2)
    assert (seen, run.ended) == ([1, 2], True)


@given(st.lists(st.integers(), min_size=1, max_size=5), st.integers(0, 5))
def test_the_first_fact_wins(facts: list[int], before: int) -> None:
    """Later settings are ignored, whether the strand already waited or not."""
    signal: Signal[int] = Signal()
    seen: list[Any] = []
    run = Run(waits(signal, seen))
    if before >= len(facts):
        run.step()
    for at, fact in enumerate(facts):
        if at == before:
            run.step()
        signal.set(fact)
    assert (seen, run.ended) == ([facts[0]], True)


def test_signals_that_set_each_other_off_run_in_one_stack() -> None:
    """One strand may set the signal that another waits for."""
    first: Signal[int] = Signal()
    second: Signal[int] = Signal()
    seen: list[Any] = []

    async def passes_on() -> None:
        second.set(await first + 1)

    runs = [Run(passes_on()).step(), Run(waits(second, seen)).step()]
    first.set(1)
    assert seen == [2]
    assert all(run.ended for run in runs)


def test_cancelling_at_a_signal_raises_there() -> None:
    """CancelledError where it waits; it is told as an end without error."""
    signal: Signal[int] = Signal()
    seen: list[Any] = []
    run = Run(waits(signal, seen)).step()
    run.strand.cancel()
    assert (seen, run.ended) == (["cancelled"], True)


def test_a_fact_for_a_cancelled_strand_wakes_nobody() -> None:
    """The signal forgot it."""
    signal: Signal[int] = Signal()
    run = Run(waits(signal, [])).step()
    run.strand.cancel()
    signal.set(1)
    assert run.ended


def test_a_cancelled_strand_may_go_on_to_wait() -> None:
    """Who catches the cancellation can still do what must be done, and is not cancelled twice."""
    signal: Signal[int] = Signal()
    after: Signal[str] = Signal()
    seen: list[Any] = []

    async def work() -> None:
        try:
            await signal
        except asyncio.CancelledError:
            seen.append(await after)

    run = Run(work()).step()
    run.strand.cancel()
    assert run.ends == []
    after.set("cleaned up")
    assert (seen, run.ended) == (["cleaned up"], True)


async def test_a_future_resumes_it_through_the_loop() -> None:
    """Its result is that of the await, a turn of the loop after it was set."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    seen: list[Any] = []
    run = Run(waits(future, seen)).step()
    future.set_result(1)
    assert seen == []
    await settle()
    assert (seen, run.ended) == ([1], True)


async def test_a_future_that_fails_raises_in_it() -> None:
    """And what it lets out reaches `on_end`."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    run = Run(waits(future, [])).step()
    error = ValueError("no")
    future.set_exception(error)
    await settle()
    assert run.ends == [error]


async def test_a_task_may_be_awaited() -> None:
    """As any future; it runs in the loop meanwhile."""
    seen: list[Any] = []

    async def work() -> int:
        await Turn()
        return 7

    run = Run(waits(asyncio.get_running_loop().create_task(work()), seen)).step()
    for _ in range(5):
        await Turn()
    assert (seen, run.ended) == ([7], True)


async def test_a_future_cancelled_by_others_cancels_it() -> None:
    """The await raises, as it would in a task."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    seen: list[Any] = []
    run = Run(waits(future, seen)).step()
    future.cancel()
    await settle()
    assert (seen, run.ended) == (["cancelled"], True)


async def test_cancelling_at_a_future_cancels_the_future_too() -> None:
    """As a task would: nobody else waits for it. It is done at once, not a turn later."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    seen: list[Any] = []
    run = Run(waits(future, seen)).step()
    run.strand.cancel()
    assert (seen, run.ended, future.cancelled()) == (["cancelled"], True, True)
    await settle()
    assert run.ended


async def test_a_shielded_future_lives_on() -> None:
    """What is behind `asyncio.shield` does not hear of the cancellation."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    run = Run(waits(asyncio.shield(future), [])).step()
    run.strand.cancel()
    await settle()
    assert run.ended
    assert not future.done()
    future.cancel()


async def test_a_cancellation_beats_a_result_on_its_way() -> None:
    """A future is set, and before the loop hands it over the strand is cancelled: once, cleanly."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    seen: list[Any] = []
    run = Run(waits(future, seen)).step()
    future.set_result(1)
    run.strand.cancel()
    await settle()
    assert (seen, run.ended) == (["cancelled"], True)


def test_one_that_is_running_is_cancelled_at_its_next_wait() -> None:
    """What it does before that wait is done."""
    signal: Signal[int] = Signal()
    seen: list[Any] = []
    runs: list[Run] = []

    async def work() -> None:
        runs[0].strand.cancel()
        seen.append("still running")
        await waits(signal, seen)

    runs.append(Run(work()))
    runs[0].step()
    assert (seen, runs[0].ended) == (["still running", "cancelled"], True)


def test_one_that_is_running_and_waits_no_more_ends_well() -> None:
    """There is no wait at which it could be told."""
    runs: list[Run] = []
    seen: list[Any] = []

    async def work() -> None:
        runs[0].strand.cancel()
        seen.append("done")

    runs.append(Run(work()))
    runs[0].step()
    assert (seen, runs[0].ended) == (["done"], True)


def test_cancelling_after_the_end_does_nothing() -> None:
    """Its end is told once."""
    run = Run(waits(_set(1), [])).step()
    run.strand.cancel()
    assert run.ended


def _set(fact: int) -> Signal[int]:
    signal: Signal[int] = Signal()
    signal.set(fact)
    return signal


def test_errors_reach_whoever_waits_for_the_end() -> None:
    """A bug is handed to `on_end`, and does not come out of `set`."""
    error = RuntimeError("a bug")
    signal: Signal[None] = Signal()

    async def work() -> None:
        await signal
        raise error

    run = Run(work()).step()
    signal.set(None)
    assert run.ends == [error]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)])
def test_what_ends_the_process_is_not_swallowed(error: BaseException) -> None:
    """It goes on up the stack."""

    async def work() -> None:
        raise error

    run = Run(work())
    with pytest.raises(type(error)):
        run.step()
