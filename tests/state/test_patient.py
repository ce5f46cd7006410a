"""Waiting for others, and not for oneself."""

import asyncio
import time

import pytest

from proxy.state.patient import TURNS, patient


async def test_who_does_not_answer_is_not_waited_for():
    """It ends as any other time limit does."""
    with pytest.raises(TimeoutError):
        async with patient(0.01):
            await asyncio.Event().wait()


async def test_who_answers_is_not_stopped():
    """Nor is anybody later."""
    async with patient(0.01):
        pass
    loop = asyncio.get_running_loop()
    later = loop.create_future()
    loop.call_later(0.03, later.set_result, None)
    await later


async def test_an_answer_that_lies_there_is_read():
    """The loop was busy for longer than it would have waited."""
    loop = asyncio.get_running_loop()
    there, ours = asyncio.Event(), []

    def busy():
        until = time.monotonic() + 0.03
        while time.monotonic() < until:
            ours.append(1)
        soon(TURNS - 5)

    def soon(turns):
        if turns:
            loop.call_soon(soon, turns - 1)
        else:
            there.set()

    loop.call_soon(busy)
    async with patient(0.02):
        await there.wait()
    assert ours


async def test_it_is_not_waited_for_ever():
    """Whoever always has something to do waits some times as long."""
    loop = asyncio.get_running_loop()
    ends = False

    def busy():
        until = time.monotonic() + 0.005
        while time.monotonic() < until:
            pass
        if not ends:
            loop.call_soon(busy)

    busy()
    with pytest.raises(TimeoutError):
        async with patient(0.01):
            await asyncio.Event().wait()
    ends = True


async def test_who_is_cancelled_is_cancelled():
    """And no timer is left."""
    entered = asyncio.Event()

    async def waits():
        async with patient(60.0):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(waits())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
