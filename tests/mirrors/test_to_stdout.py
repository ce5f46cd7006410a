"""proxy/mirrors/to_stdout.py: a line an event, over real pipes."""

import asyncio
import os
from collections.abc import Iterator

import pytest

from proxy.journal.disk import RealDisk
from proxy.mirrors.event import Event
from proxy.mirrors.to_stdout import ToStdout
from tests.fakes import Turn

LONG = b'{"x":"' + b"y" * 300_000 + b'"}'


def event(seq: int, line: bytes = b"{}") -> Event:
    return Event(seq, "start", f"id/start/{seq}", "2026-01-01T00:00:00Z", "s", line)


class Pipe:
    """Both ends."""

    def __init__(self) -> None:
        self.reads, self.writes = os.pipe()

    def read(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            got += os.read(self.reads, size - len(got))
        return got

    def close(self) -> None:
        for end in {self.reads, self.writes} - {-1}:
            os.close(end)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def lines(*events: Event) -> bytes:
    return b"".join(each.encoded() + b"\n" for each in events)


async def test_each_event_is_a_line(pipe: Pipe):
    """Also one that is longer than a pipe."""
    events = [event(1), event(2, LONG), event(3)]
    expected = lines(*events)
    reading = asyncio.create_task(asyncio.to_thread(pipe.read, len(expected)))

    said = await ToStdout(RealDisk(), pipe.writes).take(events)

    assert said.taken == 3
    assert not said.why
    assert await reading == expected


async def test_nobody_reads(pipe: Pipe):
    """It says so, and goes on within the line when somebody does."""
    sink = ToStdout(RealDisk(), pipe.writes, patience=0.0)
    events = [event(1), event(2, LONG)]
    expected = lines(*events)
    sink._patience = 0.3

    said = await sink.take(events)

    assert said == (1, "nobody reads standard output", 0, False, 0.0)
    reading = asyncio.create_task(asyncio.to_thread(pipe.read, len(expected)))
    sink._patience = 60.0
    assert (await sink.take(events[1:])).taken == 1
    assert await reading == expected


async def test_it_ends_while_nobody_reads(pipe: Pipe):
    """Within a moment."""
    sink = ToStdout(RealDisk(), pipe.writes, patience=1e9)
    taking = asyncio.create_task(sink.take([event(1, LONG)]))
    await Turn()

    await sink.close()

    assert (await taking).why == "nobody reads standard output"


async def test_nobody_is_there_any_more(pipe: Pipe):
    """As a receiver that does not answer."""
    os.close(pipe.reads)
    pipe.reads = -1

    said = await ToStdout(RealDisk(), pipe.writes).take([event(1)])

    assert (said.taken, said.why) == (0, "standard output: Broken pipe")


async def test_nothing_is_kept(pipe: Pipe):
    """All that it knows is in the events."""
    sink = ToStdout(RealDisk(), pipe.writes)
    sink.load(None)

    assert (await sink.idle()).why == ""
    assert sink.dump() is None
