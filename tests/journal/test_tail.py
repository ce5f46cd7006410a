"""proxy/journal/tail.py: a reader that keeps its place, beside a writer that goes on."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.journal import tail as module
from proxy.journal.chain import Place, claims
from proxy.journal.tail import UNKNOWN, Hole, oldest, seq_of
from tests.journal.written import DAY, Written, lines

_made: list[module.Tail] = []


def Tail(*given) -> module.Tail:  # noqa: N802 -- as the class that it makes
    """One that is closed at the end of the test."""
    _made.append(module.Tail(*given))
    return _made[-1]


@pytest.fixture(autouse=True)
def closing() -> Iterator[None]:
    yield
    while _made:
        _made.pop().close()


def seqs(got: list[bytes]) -> list[int]:
    return [seq_of(line) for line in got]


def all_of(tail: module.Tail, upto: int, most: int = 100) -> tuple[list[int], list[Hole]]:
    """Everything up to there, in as many steps as it takes."""
    found: list[int] = []
    holes: list[Hole] = []
    while True:
        read = tail.more(upto, most)
        found += seqs(read.lines)
        holes += [] if read.hole is None else [read.hole]
        if not read.lines and read.hole is None:
            return found, holes


def place_of(data_dir: Path, seq: int) -> Place:
    told = next(line for line in lines(data_dir) if seq_of(line) == seq)
    found = claims(told)
    assert found is not None
    return Place(seq, bytes.fromhex(found.hash))


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path).open()


def test_a_new_reader_begins_with_the_oldest_record(written: Written, tmp_path: Path):
    """And says whose they are."""
    written.note("a", "b")
    tail = Tail(tmp_path, oldest(tmp_path))

    assert all_of(tail, written.journal.seq) == ([1, 2, 3], [])
    assert tail.origin == written.terms.origin
    assert tail.at == place_of(tmp_path, 3)


def test_there_is_no_journal_yet(tmp_path: Path):
    """Nothing is read, and nothing is wrong."""
    tail = Tail(tmp_path, oldest(tmp_path))

    assert tail.at == Place(0, UNKNOWN)
    assert all_of(tail, 5) == ([], [])


def test_what_is_added_is_read_the_next_time(written: Written, tmp_path: Path):
    """A few at a time, and none twice."""
    tail = Tail(tmp_path, oldest(tmp_path))
    read: list[int] = []
    for round_ in range(20):
        written.note(*(f"{round_}-{number}" for number in range(round_ % 4)))
        got, holes = all_of(tail, written.journal.seq, most=2)
        read += got
        assert holes == []

    assert read == list(range(1, written.journal.seq + 1))


def test_what_is_not_committed_is_not_read(written: Written, tmp_path: Path):
    """It may be taken back, and something else may come in its place."""
    written.note("a", "b", "c")
    tail = Tail(tmp_path, oldest(tmp_path))

    assert all_of(tail, 2) == ([1, 2], [])
    assert all_of(tail, 4) == ([3, 4], [])


def test_a_line_that_is_not_whole_is_left(written: Written, tmp_path: Path):
    """Until it is."""
    written.note("a")
    whole = written.folder.segment(1).read_bytes()
    written.folder.segment(1).write_bytes(whole[:-1])
    tail = Tail(tmp_path, oldest(tmp_path))
    assert all_of(tail, 2) == ([1], [])

    written.folder.segment(1).write_bytes(whole)

    assert all_of(tail, 2) == ([2], [])


def test_it_goes_on_where_it_was(written: Written, tmp_path: Path):
    """After a restart: by the seq, if the record has the hash that is kept."""
    written.note(*"abcdef")

    assert all_of(Tail(tmp_path, place_of(tmp_path, 4)), 7) == ([5, 6, 7], [])
    assert all_of(Tail(tmp_path, place_of(tmp_path, 7)), 7) == ([], [])
    assert all_of(Tail(tmp_path, Place(4, UNKNOWN)), 7) == ([5, 6, 7], [])


def many(tmp_path: Path, **terms) -> Written:
    """Seven segments of two records each, the head of each included."""
    written = Written(tmp_path, **{"segment_bytes": 1, **terms}).open()
    for name in "abcdefg":
        written.note(name)
    assert len(written.folder.segments()) == 7
    return written


@pytest.mark.parametrize("tidied", [False, True])
@pytest.mark.parametrize("at", range(1, 15))
def test_from_any_place_over_all_segments(tmp_path: Path, at: int, tidied: bool):
    """Compressed or not."""
    written = many(tmp_path)
    if tidied:
        written.tidy()
        assert any(file.closed for file in written.folder.segments())
    last = written.journal.seq

    for most in (1, 3, 100):
        tail = Tail(tmp_path, place_of(tmp_path, min(at, last)))
        assert all_of(tail, last, most) == (list(range(at + 1, last + 1)), [])


def test_a_segment_is_compressed_while_it_is_read(tmp_path: Path):
    """What is open stays readable; the next ones have other names."""
    written = many(tmp_path)
    tail = Tail(tmp_path, oldest(tmp_path))
    assert seqs(tail.more(written.journal.seq, 1).lines) == [1]

    written.tidy()

    assert all_of(tail, written.journal.seq)[0] == list(range(2, written.journal.seq + 1))


def test_one_is_compressed_between_two_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its first line was read, and then it is not there under that name."""
    written = many(tmp_path)
    real = module._opened

    def later(file, block):
        written.tidy()
        return real(file, block)

    monkeypatch.setattr(module, "_opened", later)

    assert all_of(Tail(tmp_path, oldest(tmp_path)), written.journal.seq)[0] == list(
        range(1, written.journal.seq + 1)
    )


def test_what_retention_deleted_is_a_hole(tmp_path: Path):
    """Before the place, and it goes on behind it."""
    written = many(tmp_path)
    place = place_of(tmp_path, 2)
    for number in (1, 2, 3):
        written.folder.segment(number).unlink()
    first = oldest(tmp_path).seq + 1

    found = all_of(Tail(tmp_path, place), written.journal.seq)

    assert found == (
        list(range(first, written.journal.seq + 1)),
        [Hole("missing", 3, first - 1)],
    )


def test_one_is_deleted_under_the_reader(tmp_path: Path):
    """Of what is open all is read; of those behind it that are gone a hole is told."""
    written = many(tmp_path)
    tail = Tail(tmp_path, oldest(tmp_path))
    assert seqs(tail.more(written.journal.seq, 1).lines) == [1]
    for number in (1, 2, 3):
        written.folder.segment(number).unlink()

    found, holes = all_of(tail, written.journal.seq)

    assert holes == [Hole("missing", 2, found[0] - 1)] or holes[0].first == found[0] + 1
    assert sorted([1, *found, *(n for h in holes for n in range(h.first, h.last + 1))]) == list(
        range(1, written.journal.seq + 1)
    )


def test_all_is_deleted_under_the_reader(tmp_path: Path):
    """Nothing is there: it waits."""
    written = many(tmp_path)
    tail = Tail(tmp_path, place_of(tmp_path, 3))
    for file in written.folder.segments():
        file.path.unlink()

    assert all_of(tail, 99) == ([], [])


def test_a_record_is_deleted_in_a_segment(written: Written, tmp_path: Path):
    """Somebody cut a line out, and made another one no record."""
    written.note(*"abcdef")
    path = written.folder.segment(1)
    told = path.read_bytes().split(b"\n")
    told[2] = b"no record"
    del told[4]
    path.write_bytes(b"\n".join(told))

    assert all_of(Tail(tmp_path, oldest(tmp_path)), 7) == (
        [1, 2, 4, 6, 7],
        [Hole("missing", 3, 3), Hole("missing", 5, 5)],
    )


def test_a_segment_whose_first_line_is_broken_is_left_out(tmp_path: Path):
    """Nobody knows where it stands; what is behind it is found, also by a place."""
    written = many(tmp_path)
    for number in (2, 5):
        path = written.folder.segment(number)
        path.write_bytes(b"x" + path.read_bytes())
    last = written.journal.seq

    found, holes = all_of(Tail(tmp_path, oldest(tmp_path)), last)

    assert [hole.kind for hole in holes] == ["missing", "missing"]
    assert found[-1] == last
    assert all_of(Tail(tmp_path, place_of(tmp_path, found[-2])), last) == ([last], [])
    missing = holes[1].first
    assert all_of(Tail(tmp_path, Place(missing, b"h" * 32), [place_of(tmp_path, 1)]), last)[1]


def test_a_compressed_segment_that_is_cut_off(tmp_path: Path):
    """What can be unpacked is read; the rest is a hole."""
    written = many(tmp_path)
    written.tidy()
    path = written.folder.segments()[2].path
    path.write_bytes(path.read_bytes()[:-12])
    last = written.journal.seq

    found, holes = all_of(Tail(tmp_path, oldest(tmp_path)), last)

    assert found[-1] == last
    assert {hole.kind for hole in holes} <= {"missing"}
    assert len(found) + sum(hole.last - hole.first + 1 for hole in holes) == last


def test_records_that_were_followed_are_no_more(written: Written, tmp_path: Path):
    """Power was lost with `sync: async`: others have come in their places."""
    written.note(*"abcdef")
    places = [place_of(tmp_path, seq) for seq in (2, 4)]
    sent = place_of(tmp_path, 7)
    path = written.folder.segment(1)
    kept = path.read_bytes().split(b"\n")[:4]
    written.die()
    path.write_bytes(b"\n".join(kept) + b"\n")
    again = Written(tmp_path, clock=written.clock).open()
    again.note(*"ghijkl")
    last = again.journal.seq
    assert last > 7

    found = all_of(Tail(tmp_path, sent, places), last)

    assert found == (list(range(5, last + 1)), [Hole("rewritten", 5, 7)])


def test_the_place_is_behind_the_end_of_the_journal(written: Written, tmp_path: Path):
    """An older copy was put back; the newest mark that is there holds."""
    written.note(*"abc")
    marks = [Place(1, b"x" * 32), place_of(tmp_path, 2), Place(3, b"y" * 32)]

    found = all_of(Tail(tmp_path, Place(90, b"z" * 32), marks), 4)

    assert found == ([3, 4], [Hole("rewritten", 3, 90)])


def test_no_mark_holds(written: Written, tmp_path: Path):
    """It is another journal: all of it is read."""
    written.note(*"abc")

    found = all_of(Tail(tmp_path, Place(3, b"z" * 32), [Place(2, b"y" * 32)]), 4)

    assert found == ([1, 2, 3, 4], [Hole("rewritten", 1, 3)])


def test_the_journal_shrinks_while_it_is_followed(written: Written, tmp_path: Path):
    """It is found anew."""
    written.note(*"abc")
    tail = Tail(tmp_path, oldest(tmp_path))
    assert all_of(tail, 4)[0] == [1, 2, 3, 4]

    assert all_of(tail, 3) == ([1, 2, 3], [Hole("rewritten", 1, 4)])


def test_lines_of_a_segment_that_was_given_up_do_not_count(tmp_path: Path):
    """What stands behind its last record was never durable; the next segment says so."""
    written = Written(tmp_path).open()
    written.note("a", "b")
    with written.folder.segment(1).open("ab") as file:
        file.write(lines(tmp_path)[2].replace(b'{"seq":3,', b'{"seq":4,') + b"\n")
    tail = Tail(tmp_path, oldest(tmp_path))
    assert all_of(tail, 3)[0] == [1, 2, 3]
    written.journal._log.abandon("a test")
    written.journal._log._file = None
    written.note("c")

    found, holes = all_of(tail, written.journal.seq)

    assert (found, holes) == ([4, 5], [])
    assert tail.at == place_of(tmp_path, written.journal.seq)


def test_a_long_line(written: Written, tmp_path: Path):
    """Longer than a block, by far: it is read whole."""
    written.note("a", text="x" * (4 << 20))
    written.note("b")

    assert all_of(Tail(tmp_path, oldest(tmp_path)), 3) == ([1, 2, 3], [])


def test_the_disk_cannot_be_read_for_a_while(
    written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It says so, and nothing is lost or read twice when it can."""
    written.note(*"abc")
    tail = Tail(tmp_path, oldest(tmp_path))
    assert seqs(tail.more(4, 1).lines) == [1]
    with monkeypatch.context() as patch:

        def broken(self):
            raise OSError(5, "broken")

        patch.setattr(module._Plain, "ahead", broken)
        with pytest.raises(OSError, match="broken"):
            tail.more(4, 10)

    assert all_of(tail, 4) == ([2, 3, 4], [])


def test_it_lets_go_of_its_file(written: Written, tmp_path: Path):
    """And may be asked again."""
    written.note("a")
    tail = Tail(tmp_path, oldest(tmp_path))
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    all_of(tail, 2)
    tail.close()
    tail.close()

    assert not before or len(os.listdir("/proc/self/fd")) == before
    written.note("b")
    assert all_of(tail, 3) == ([3], [])


def test_packed_segments_are_let_go_of(tmp_path: Path):
    """In the middle of one."""
    written = many(tmp_path)
    written.tidy()
    tail = Tail(tmp_path, oldest(tmp_path))
    assert seqs(tail.more(9, 1).lines) == [1]

    tail.close()

    assert all_of(tail, 9)[0] == list(range(2, 10))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(["note", "two", "read", "one", "tidy", "restart", "day"]), max_size=25)
)
def test_in_any_order_each_record_comes_once(tmp_path_factory: pytest.TempPathFactory, steps):
    """Writing, compressing, reading and beginning anew, however they are mixed."""
    folder = tmp_path_factory.mktemp("tail")
    written = Written(folder, segment_bytes=1500).open()
    tail = Tail(folder, oldest(folder))
    read: list[int] = []
    for number, step in enumerate(steps):
        if step in ("note", "two"):
            written.note(*(f"{number}-{each}" for each in range(1 + (step == "two"))))
        elif step == "tidy":
            written.tidy()
        elif step == "day":
            written.clock.advance(DAY)
        elif step == "restart":
            tail = Tail(folder, tail.at)
        else:
            read += all_of(tail, written.journal.seq, 1 if step == "one" else 100)[0]
    written.tidy()
    read += all_of(tail, written.journal.seq)[0]
    written.die()

    assert read == list(range(1, written.journal.seq + 1))


def test_a_mark_that_retention_deleted(tmp_path: Path):
    """It says nothing any more."""
    written = many(tmp_path)
    marks = [place_of(tmp_path, 1)]
    written.folder.segment(1).unlink()
    last = written.journal.seq

    found, holes = all_of(Tail(tmp_path, Place(last, b"z" * 32), marks), last)

    assert (found, holes) == (list(range(3, last + 1)), [Hole("rewritten", 3, last)])


def test_not_more_bytes_at_a_time_than_asked(written: Written, tmp_path: Path):
    """But for the last record of them, and one in any case."""
    written.note(*"abcd", text="x" * 1000)
    tail = Tail(tmp_path, oldest(tmp_path))

    assert [seqs(tail.more(5, 9, room).lines) for room in (1, 1500, 9000)] == [[1], [2, 3], [4, 5]]
