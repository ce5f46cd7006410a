"""The store of one process: it answers as one elsewhere would, or does not."""

import asyncio

import pytest

from proxy.state.memory import Memory
from proxy.state.store import Near, Unreachable, Verb
from tests.fakes import FakeClock, Turn


class Put(Verb[int], frozen=True):
    """Something, under a key."""

    script = "put"

    number: int

    def on(self, memory):
        memory.put("key", self.number)
        memory.publish("topic", b"%d" % self.number)
        return self.number + 1


@pytest.fixture
def memory():
    return Memory(FakeClock().wall)


async def test_a_verb_is_done(memory):
    """And answered."""
    assert await Near(memory).ask(Put(1), 1.0) == 2
    assert memory.seen("key") == 1


async def test_a_broken_store_does_nothing(memory):
    """It says why."""
    store = Near(memory)
    await store.check()
    memory.breaks("it hangs")
    with pytest.raises(Unreachable, match="it hangs"):
        await store.check()
    with pytest.raises(Unreachable, match="it hangs"):
        await store.ask(Put(1), 1.0)
    with pytest.raises(Unreachable, match="it hangs"):
        await store.listen(lambda *_: None)
    await store.close()

    assert memory.seen("key") is None


async def test_who_listens_is_told_when_it_ends(memory):
    """Something may be missed from then on."""
    store, heard = Near(memory), []
    task = asyncio.ensure_future(store.listen(lambda *said: heard.append(said)))
    await Turn()
    await store.ask(Put(1), 1.0)
    memory.breaks("it hangs")
    with pytest.raises(Unreachable, match="it hangs"):
        await task

    assert heard == [("topic", b"1")]


async def test_who_listens_is_told_of_a_restart_as_well(memory):
    """Then it is there again at once, and yet something may have been missed."""
    task = asyncio.ensure_future(Near(memory).listen(lambda *_: None))
    await Turn()
    memory.restarts(empty=False)
    with pytest.raises(Unreachable, match="broke off"):
        await task


@pytest.mark.parametrize(
    "ask", [lambda verb: verb.on(None), Verb.args, lambda verb: verb.answer(0)]
)
def test_a_verb_says_what_it_does(ask):
    """In all three ways."""
    with pytest.raises(NotImplementedError):
        ask(Verb())
