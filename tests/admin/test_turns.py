"""proxy/admin/turns.py."""

import asyncio
import threading

import pytest

from proxy.admin.turns import WAITING, Busy, Over, Turns


async def test_it_gives_what_the_work_gives():
    """Or raises what it raises."""
    turns = Turns()

    def fails(pause):
        raise KeyError("x")

    assert await turns.run(lambda pause: threading.current_thread().daemon) is True
    with pytest.raises(KeyError):
        await turns.run(fails)
    assert await turns.run(lambda pause: 1) == 1


async def test_one_at_a_time_and_few_may_wait():
    """The others are told so at once, whoever asks."""
    turns, gate = Turns(), threading.Event()
    at_once, most = 0, 0

    def work(pause):
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        assert gate.wait(10)
        pause()
        at_once -= 1
        return True

    asked = [asyncio.ensure_future(turns.run(work)) for _ in range(100)]
    refused = 0
    while refused < 100 - 1 - WAITING:
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        refused = sum(1 for each in asked if each.done())
    gate.set()
    found = await asyncio.gather(*asked, return_exceptions=True)

    assert [isinstance(each, Busy) for each in found].count(True) == 100 - 1 - WAITING
    assert found.count(True) == 1 + WAITING
    assert most == 1


async def test_what_never_ends_is_given_up():
    """It keeps its turn, for it still reads; who comes after it is told so."""
    turns, gate, ended = Turns(patience=0.0), threading.Event(), threading.Event()

    def hangs(pause):
        assert gate.wait(10)
        try:
            pause()
        except Over:
            ended.set()
            raise

    for _ in range(2):
        with pytest.raises(Busy):
            await turns.run(hangs)
    gate.set()
    assert await asyncio.to_thread(ended.wait, 10)
    turns._patience = 10.0
    assert await turns.run(lambda pause: 1) == 1


async def test_no_thread_to_be_had(monkeypatch):
    """The turn is given back."""
    turns = Turns()

    def none(self):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none)
        with pytest.raises(Busy):
            await turns.run(lambda pause: 1)
    assert await turns.run(lambda pause: 1) == 1


def test_the_loop_may_be_gone():
    """When the disk answers at last."""
    gate, at_work = threading.Event(), threading.Event()
    threads = []

    def work(pause):
        threads.append(threading.current_thread())
        at_work.set()
        assert gate.wait(10)

    async def left() -> None:
        asked = asyncio.ensure_future(Turns().run(work))
        await asyncio.to_thread(at_work.wait, 10)
        asked.cancel()

    asyncio.run(left())
    gate.set()
    threads[0].join(10)
    assert not threads[0].is_alive()
