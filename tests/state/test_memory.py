"""A store's memory: it forgets what ends, and can do all that a server can do to us."""

import asyncio

import pytest

from proxy.state.memory import Memory
from tests.fakes import FakeClock, Turn


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def memory(clock):
    return Memory(clock.wall)


def test_a_key_is_made_once(memory):
    """Who comes later finds what the first one made."""
    memory.of("key", dict)["a"] = 1

    assert memory.of("key", dict) == {"a": 1}
    assert memory.seen("key") == {"a": 1}
    assert memory.seen("other") is None


def test_a_key_ends(memory, clock):
    """At its time, and not before; it may be told anew."""
    memory.put("key", "value")
    memory.ends("key", 1_000)
    clock.advance(0.9)
    memory.ends("key", 1_000)
    clock.advance(0.9)
    assert memory.seen("key") == "value"

    clock.advance(0.2)
    assert memory.seen("key") is None
    assert memory.of("key", list) == []


def test_what_is_made_anew_ends_no_earlier(memory, clock):
    """The time of the one before went with it."""
    memory.of("key", list)
    memory.ends("key", 1_000)
    clock.advance(2.0)
    memory.of("key", list).append(1)
    clock.advance(1_000.0)

    assert memory.of("key", list) == [1]


def test_time_is_in_milliseconds(memory, clock):
    """On the store's own clock."""
    before = memory.now()
    clock.advance(1.5)

    assert memory.now() == before + 1_500


async def test_all_who_listen_are_told(memory):
    """Until they go."""
    heard, other = [], []
    first = asyncio.ensure_future(memory.heard_by(lambda *said: heard.append(said)))
    second = asyncio.ensure_future(memory.heard_by(lambda *said: other.append(said)))
    await Turn()
    memory.publish("topic", b"1")
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    memory.publish("topic", b"2")
    memory.breaks("it hangs")
    memory.breaks("it hangs still")
    await first

    assert heard == [("topic", b"1"), ("topic", b"2")]
    assert other == [("topic", b"1")]
    assert memory.broken == "it hangs still"
    memory.heals()
    assert memory.broken == ""


@pytest.mark.parametrize("empty", [True, False])
async def test_another_life_has_another_name(memory, empty):
    """With nothing left of the one before, or all of it."""
    memory.put("key", "value")
    memory.ends("key", 1_000)
    before = memory.run
    memory.restarts(empty=empty)

    assert memory.run != before
    assert memory.seen("key") == (None if empty else "value")
    assert memory.broken == ""
