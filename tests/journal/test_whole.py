"""Segments that others go through: what they find is what is there, or nothing."""

import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from multiprocessing import Pipe

import pytest

from proxy.journal import whole as room
from proxy.journal.chain import BEGINNING, Place
from proxy.journal.folder import Folder
from proxy.journal.verify import verify
from proxy.journal.whole import Job, Process, Whole, nobody, processes, whole, work
from tests.journal.written import Written, lines

TELLING = (b',"type":"recovery"',)


@pytest.fixture
def log(tmp_path):
    """Three segments, two of them packed."""
    written = Written(tmp_path, segment_bytes=2000).open()
    for n in range(12):
        written.note(f"call-{n}", text="x" * 200)
    written.tidy()
    written.stop()
    assert len(Folder(tmp_path).segments()) >= 3
    return tmp_path


@pytest.fixture
def small(monkeypatch):
    """Others help also where there is little to read."""
    monkeypatch.setattr(room, "MUCH", 0)


def first(data_dir) -> Job:
    """The first segment."""
    return Job(Folder(data_dir).segments()[0].path, BEGINNING, 0, TELLING)


def count(found: Whole | None) -> int:
    """Its lines."""
    assert found is not None
    return len(found.each())


class Here:
    """Part of Hand: at once, and told of."""

    def __init__(self, told: list[str]) -> None:
        self.told = told
        self.begun: list[Job] = []

    def begin(self, job: Job) -> None:
        self.told.append(f"begin {job.limit}")
        self.begun.append(job)

    def result(self) -> Whole | None:
        return whole(self.begun.pop(0))

    def end(self) -> None:
        self.told.append("end")


def test_what_holds_is_given_with_its_hashes(log):
    """And with the first and the last line of each block, and those that tell something."""
    ours = lines(log)
    found = whole(first(log)._replace(block=600))

    assert found is not None
    assert found.start == BEGINNING
    hashes = found.each()
    assert [line[-66:-2].decode() for line in ours[: len(hashes)]] == [h.hex() for h in hashes]
    shown = [line for block in found.seen for line in block]
    assert (shown[0], shown[-1]) == (ours[0], ours[len(hashes) - 1])
    assert set(shown) <= set(ours)


def test_what_tells_something_is_given_from_the_middle_of_a_block(log):
    """All lines of a type that is of interest."""
    found = whole(first(log)._replace(telling=(b',"type":"call.finished"',)))

    assert found is not None
    assert found.seen == [lines(log)[: len(found.each())]]


def test_only_so_many_lines_as_count(log):
    """What stands behind them is nothing; fewer than those are not all."""
    job = first(log)
    every = count(whole(job))

    assert count(whole(job._replace(limit=2, block=300))) == 2
    assert count(whole(job._replace(limit=every))) == every
    assert whole(job._replace(limit=every + 1)) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": Place(1, bytes(32))}, {"start": Place(0, b"x" * 32)}, {"most": 1, "block": 300},
        {"path": "missing"},
    ],
)  # fmt: skip
def test_what_does_not_hold_is_not_told(log, wrong):
    """Nor what is too much for memory, nor what cannot be read."""
    if "path" in wrong:
        wrong = {"path": log / "missing.jsonl"}
    assert whole(first(log)._replace(**wrong)) is None


@pytest.mark.parametrize("packed", [True, False])
def test_a_segment_that_was_cut_is_not_whole(log, packed):
    """In the middle of a line, or of an archive."""
    path = Folder(log).segments()[0 if packed else -1].path
    path.write_bytes(path.read_bytes()[:-3])

    assert whole(Job(path, BEGINNING, 0, TELLING)) is None


def test_another_process_says_the_same(log, small):
    """A real one, which knows nothing but the job."""
    assert verify(log, help_=processes(2)) == verify(log)


def test_few_bytes_are_not_worth_a_process(log):
    """Nor is one process."""
    told: list[str] = []

    assert list(processes(2, lambda: Here(told))([first(log)] * 3)) == [None] * 3
    assert not told


def test_jobs_are_done_ahead_and_given_in_their_order(log, small):
    """Whoever stops asking ends the work."""
    jobs = [first(log)._replace(limit=n) for n in (1, 2, 1, 2, 1, 2)]
    told: list[str] = []

    with closing(processes(2, lambda: Here(told))(jobs)) as found:
        assert count(next(found)) == 1
        assert told == ["begin 1", "begin 2", "begin 1", "begin 2", "begin 1"]
        assert [count(each) for each in found] == [2, 1, 2, 1, 2]
    assert told[5:] == ["begin 2", "end", "end"]


def no_process():
    """A machine that has no more of them."""
    raise OSError("no more processes")


class Killed(Process):
    """Dies as soon as it lives."""

    def __init__(self) -> None:
        super().__init__()
        self._process.kill()
        self._process.join()


@pytest.mark.parametrize("hand", [no_process, Killed])
def test_without_help_all_is_gone_through_here(log, small, hand):
    """Processes cannot be had, or are killed."""
    jobs = [first(log)] * 5

    assert list(processes(2, hand)(jobs)) == list(nobody(jobs)) == [None] * 5
    assert verify(log, help_=processes(2, hand)) == verify(log)


def test_the_other_process_leaves_ctrl_c_to_the_first(log):
    """And ends when that is gone."""
    ours, theirs = Pipe()
    ours.send(first(log))
    before = signal.getsignal(signal.SIGINT)

    def one():
        with ours:
            return ours.recv()

    try:
        with ThreadPoolExecutor(1) as aside:
            answer = aside.submit(one)
            work(theirs)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert answer.result() == whole(first(log))
