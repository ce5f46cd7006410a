"""proxy/mirrors/to_stdout.py: a line an event, over real pipes."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


class Sparing(RealDisk):
    """Writes so many bytes at a time, and no more than there are; then nobody is there."""

    def __init__(self, *sizes: int) -> None:
        self.left = list(sizes)
        self.asked: list[int] = []

    def write(self, file: int, content: Any) -> int:  # type: ignore[override]
        self.asked.append(len(content))
        if not self.left:
            raise BrokenPipeError(32, "Broken pipe")
        return super().write(file, content[: self.left.pop(0)])


@pytest.mark.parametrize("cut", [1, 150, 300, 450])
async def test_what_was_written_is_not_written_again(pipe: Pipe, cut: int):
    """Wherever a write ends in what goes out together."""
    events = [event(1), event(2), event(3)]
    whole = lines(*events)
    assert cut < len(whole)
    sink = ToStdout(Sparing(cut), pipe.writes)

    said = await sink.take(events)
    begun = len(lines(*events[: said.taken]))
    assert begun <= cut < begun + len(lines(events[said.taken]))
    sink._disk = RealDisk()
    assert (await sink.take(events[said.taken :])).why == ""

    assert await asyncio.to_thread(pipe.read, len(whole)) == whole


async def test_a_write_that_ends_with_a_line(pipe: Pipe):
    """Nothing of the next one was begun, and it goes out whole."""
    events = [event(1), event(2)]
    sink = ToStdout(Sparing(len(lines(events[0]))), pipe.writes)

    assert (await sink.take(events)).taken == 1
    sink._disk = RealDisk()
    assert (await sink.take(events[1:])).taken == 1

    assert await asyncio.to_thread(pipe.read, len(lines(*events))) == lines(*events)


async def test_whole_lines_go_together(pipe: Pipe):
    """As many as a pipe takes at once; what ends in between ends between two lines."""
    events = [event(100 + n) for n in range(100)]
    disk = Sparing(*[1 << 20] * 100)

    assert (await ToStdout(disk, pipe.writes).take(events)).taken == 100

    assert sum(disk.asked) == len(lines(*events))
    line = len(lines(events[0]))
    assert all(size <= 4096 and size % line == 0 for size in disk.asked)
    assert len(disk.asked) < 10


async def test_a_file_takes_more_at_once(tmp_path: Path):
    """There is always room; or its disk is full, and it says so."""
    events = [event(100 + n) for n in range(100)]
    disk = Sparing(1 << 20)

    with (tmp_path / "out").open("wb") as file:
        assert (await ToStdout(disk, file.fileno()).take(events)).taken == 100

    assert (tmp_path / "out").read_bytes() == lines(*events)
    assert len(disk.asked) == 1


async def test_it_is_closed(pipe: Pipe):
    """By whoever started the process."""
    os.close(pipe.writes)
    closed, pipe.writes = pipe.writes, -1

    said = await ToStdout(RealDisk(), closed).take([event(1)])

    assert (said.taken, said.why) == (0, "standard output: Bad file descriptor")


async def test_nothing_is_kept(pipe: Pipe):
    """All that it knows is in the events."""
    sink = ToStdout(RealDisk(), pipe.writes)
    sink.load(None)

    assert (await sink.idle()).why == ""
    assert sink.dump() is None
