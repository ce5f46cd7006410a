"""proxy/lab/trials/clock.py."""

import asyncio
from typing import Any, cast

import pytest

from proxy.lab.trials.clock import EPOCH, OwnClock, OwnLoop, Stuck


def run(work: Any) -> Any:
    """The result of work that is given the clock of its own loop."""
    with asyncio.Runner(loop_factory=OwnLoop) as runner:
        return runner.run(work(OwnClock(cast("OwnLoop", runner.get_loop()))))


def test_a_day_takes_no_time():
    """It passes by being slept, on both clocks."""

    async def work(clock):
        began, wall = clock.now(), clock.wall()
        await clock.sleep(86_400.0)
        return clock.now() - began, clock.wall() - wall, wall

    assert run(work) == (86_400.0, 86_400.0, EPOCH)


def test_sleepers_wake_in_their_order():
    """Whoever started first; what waits for others is done in between."""

    async def work(clock):
        woken = []

        async def sleeper(seconds):
            await clock.sleep(seconds)
            woken.append((seconds, round(clock.now() % 1000, 6)))

        async with asyncio.timeout(10.0), asyncio.TaskGroup() as group:
            for seconds in (3.0, 1.0, 2.0):
                group.create_task(sleeper(seconds))
        return woken

    assert run(work) == [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]


def test_alarms_go_off():
    """They are timers of the loop as well."""

    async def work(clock):
        rung = asyncio.Event()
        clock.alarm(rung.set).set(clock.now() + 7.0)
        await rung.wait()
        return clock.now()

    assert run(work) == 1007.0


def test_who_waits_for_nothing_is_told():
    """Rather than waiting for ever."""

    async def work(clock):
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Stuck):
        run(work)


def test_chance_is_the_same_in_every_run():
    """A test that passes once passes again."""

    async def work(clock):
        return [clock.chance.random() for _ in range(3)]

    assert run(work) == run(work)
