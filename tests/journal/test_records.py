"""Finding records, in any order, beside who writes them."""

import gzip
import json

import pytest

from proxy.clock import Clock
from proxy.journal.disk import RealDisk
from proxy.journal.folder import Folder
from proxy.journal.journal import Journal
from proxy.journal.records import Follower, Records
from proxy.journal.retention import compress
from proxy.journal.segments import Terms
from tests.journal.disks import QuickDisk
from tests.journal.noted import Intent, Note
from tests.journal.written import Written, lines

BLOCKS = (1, 7, 1 << 18)


@pytest.fixture
def written(tmp_path):
    """Of some segments, all but the last two compressed; it runs on."""
    log = Written(tmp_path, segment_bytes=900).open()
    for number in range(12):
        log.note(f"a{number}")
    for file in log.folder.segments()[:-2]:
        pack(file.path)
    assert len(log.folder.segments()) > 3
    return log


def pack(path):
    assert compress(RealDisk(), path, lambda: False)


def flat(blocks):
    return [line for block in blocks for line in block]


def seqs(blocks):
    return [json.loads(line)["seq"] for line in flat(blocks)]


@pytest.mark.parametrize("block", BLOCKS)
def test_all_of_them_in_both_directions(written, tmp_path, block):
    """Whatever the blocks in which they are read."""
    whole = lines(tmp_path)

    assert flat(Records(tmp_path, block).oldest_first()) == whole
    assert flat(Records(tmp_path, block).newest_first()) == whole[::-1]


@pytest.mark.parametrize("torn", [b"x", b'{"seq":99,"id":"half', b"x" * 50])
def test_a_last_line_that_is_not_whole_yet_is_left_out(written, tmp_path, torn):
    """The writer is about to write it."""
    whole = lines(tmp_path)
    with written.folder.segments()[-1].path.open("ab") as file:
        file.write(torn)

    assert flat(Records(tmp_path, 9).oldest_first()) == whole
    assert flat(Records(tmp_path, 9).newest_first()) == whole[::-1]


def test_a_segment_without_a_line_has_none(written, tmp_path):
    """It was just begun."""
    number = written.folder.segments()[-1].number + 1
    written.folder.segment(number).write_bytes(b"{")

    assert flat(Records(tmp_path).newest_first()) == lines(tmp_path)[::-1]


@pytest.mark.parametrize("backwards", [False, True])
def test_what_is_compressed_or_deleted_meanwhile(written, tmp_path, backwards):
    """The one has another name then, and the other is gone."""
    whole, count = lines(tmp_path), len(lines(tmp_path))
    records = Records(tmp_path)
    before = records._folder.segments()
    gone = gzip.decompress(before[0].path.read_bytes()).count(b"\n")
    records._folder.segments = lambda: before  # type: ignore[method-assign]  # as it was
    pack(before[-2].path)
    before[0].path.unlink()

    found = flat(records.newest_first() if backwards else records.oldest_first())

    assert found == (whole[: gone - 1 : -1] if backwards else whole[gone:])
    assert len(found) == count - gone


def test_compressed_between_two_looks(written, tmp_path, monkeypatch):
    """It was there when its first line was read, and has another name when the rest is."""
    whole = lines(tmp_path)
    records = Records(tmp_path)
    found = records._parts()
    monkeypatch.setattr(records, "_parts", lambda: found)
    pack(found[-2].file.path)

    assert flat(records.newest_first()) == whole[::-1]


@pytest.mark.parametrize("backwards", [False, True])
def test_a_segment_that_is_broken_is_told(written, tmp_path, backwards):
    """What stands before the break, and in the others, is read."""
    path = written.folder.segments()[0].path
    path.write_bytes(path.read_bytes()[:-9])
    records = Records(tmp_path)

    found = flat(records.newest_first() if backwards else records.oldest_first())

    assert len(found) > 6
    assert records.broken[0].startswith("00000001.jsonl.gz cannot be unpacked: ")


@pytest.mark.parametrize("block", BLOCKS)
def test_what_the_disk_made_of_an_abandoned_segment_does_not_count(tmp_path, block):
    """Behind what the next segment says that it has."""
    first = Written(tmp_path).open()
    first.note("a", "b")
    first.stop()
    whole = lines(tmp_path)
    head = json.loads(whole[0])
    head |= {"seq": 4, "segment": 2}
    head["before"] = {"segment": 1, "records": 3, "hash": "0" * 64, "abandoned": "fsync"}
    last = json.dumps(head, separators=(",", ":")).encode()
    first.folder.segment(2).write_bytes(last + b"\n")
    with first.folder.segment(1).open("ab") as file:
        file.write(b"never acknowledged\n" * 3)

    assert len(whole) == 3
    assert flat(Records(tmp_path, block).oldest_first()) == [*whole, last]
    assert flat(Records(tmp_path, block).newest_first()) == [last, *whole[::-1]]


def test_by_seq(written, tmp_path):
    """Only the segment that has it is read."""
    whole = lines(tmp_path)
    records = Records(tmp_path)

    assert [records.at(seq) for seq in range(1, len(whole) + 1)] == whole
    assert records.at(0) is None
    assert records.at(len(whole) + 1) is None


def test_by_seq_where_a_first_line_is_broken(written, tmp_path):
    """It may be in the segment that does not say where it belongs."""
    path = written.folder.segments()[-1].path
    content = path.read_bytes()
    path.write_bytes(b"x" + content[1:])

    last = content.splitlines()[-1]
    assert Records(tmp_path).at(json.loads(last)["seq"]) == last


def test_by_id(written, tmp_path):
    """Of a call, its intent and its end; an id that stands elsewhere in a line is not meant."""
    written.journal.note(Intent("b"))
    written.round()
    written.note("b", "c", text='"id":"c",')

    found = list(Records(tmp_path).named("b"))
    assert [json.loads(line)["type"] for line in found] == ["call.intent", "call.finished"]
    assert len(list(Records(tmp_path).named("c"))) == 1
    assert list(Records(tmp_path).named("nobody")) == []


def test_who_wrote_it(written, tmp_path):
    """As the newest segment says; and whether there is anything."""
    assert Records(tmp_path).origin() == written.terms.origin
    assert Records(tmp_path).there
    assert not Records(tmp_path / "nowhere").there
    assert Records(tmp_path / "nowhere").origin() == ""


def test_following(tmp_path):
    """What is new each time, over the ends of segments, and no half of a line."""
    log = Written(tmp_path, segment_bytes=900).open()
    log.note("a")
    follower = Follower(tmp_path)
    assert flat(follower.more()) == []

    before = len(lines(tmp_path))
    path = log.folder.segments()[-1].path
    for number in range(9):
        log.note(f"b{number}")
    assert flat(follower.more()) == lines(tmp_path)[before:]
    assert log.folder.segments()[-1].path != path

    last = log.folder.segments()[-1].path
    with last.open("ab") as file:
        file.write(b'{"half')
        file.flush()
        assert flat(follower.more()) == []
        file.write(b'":1}\n')
    assert flat(follower.more()) == [b'{"half":1}']
    follower.close()
    follower.close()


def test_following_from_nothing(tmp_path):
    """Then all of it is new, also what was compressed before anybody looked."""
    follower = Follower(tmp_path)
    assert flat(follower.more()) == []

    log = Written(tmp_path, segment_bytes=900).open()
    for number in range(9):
        log.note(f"a{number}")
    pack(log.folder.segments()[0].path)

    assert flat(follower.more()) == lines(tmp_path)
    follower.close()


def test_following_behind_what_is_compressed(tmp_path):
    """Where the last segment is closed there is nothing to wait for but the next."""
    log = Written(tmp_path).open()
    log.note("a")
    log.stop()
    pack(log.folder.segment(1))
    follower = Follower(tmp_path)

    assert flat(follower.more()) == []
    log.folder.segment(2).write_bytes(b"b\n")
    assert flat(follower.more()) == [b"b"]
    follower.close()


def test_following_what_is_compressed_between_two_looks(tmp_path):
    """It has another name when it is opened."""
    log = Written(tmp_path, segment_bytes=900).open()
    follower = Follower(tmp_path)
    for number in range(9):
        log.note(f"a{number}")
    files = log.folder.segments()
    follower._folder.segments = lambda: files  # type: ignore[method-assign]  # as it was
    pack(files[1].path)

    assert [json.loads(line)["seq"] for line in flat(follower.more())][-1] == len(lines(tmp_path))
    follower.close()


def test_following_what_was_taken_back(tmp_path):
    """A disk that was full in the midst of a batch: what is written in its place is new."""
    path = Folder(tmp_path).segment(1)
    path.parent.mkdir()
    path.write_bytes(b"a\n")
    follower = Follower(tmp_path)
    path.write_bytes(b"a\nb\nc\n")
    assert flat(follower.more()) == [b"b", b"c"]

    path.write_bytes(b"a\n")
    assert flat(follower.more()) == []
    path.write_bytes(b"a\nb\n")
    assert flat(follower.more()) == [b"b"]
    follower.close()


def test_a_line_may_be_longer_than_a_block(tmp_path, monkeypatch):
    """Also for who follows."""
    monkeypatch.setattr("proxy.journal.records.BLOCK", 4)
    path = Folder(tmp_path).segment(1)
    path.parent.mkdir()
    path.write_bytes(b"abcdefghij")
    follower = Follower(tmp_path)
    path.write_bytes(b"abcdefghij\nklmnopqrst\nu")

    assert flat(follower.more()) == [b"abcdefghij", b"klmnopqrst"]
    follower.close()


def test_it_says_how_far_it_is(written, tmp_path):
    """In bytes of the files; what is deleted meanwhile has none."""
    told: list[tuple[int, int]] = []
    records = Records(tmp_path, progress=lambda read, size: told.append((read, size)))
    files = written.folder.segments()
    records._folder.segments = lambda: files  # type: ignore[method-assign]  # as it was
    files[0].path.unlink()
    size = sum(file.path.stat().st_size for file in files[1:])

    for way in (records.oldest_first, records.newest_first):
        told.clear()
        flat(way())
        assert (len(told), told[-1]) == (len(files), (size, size))


async def test_beside_a_running_journal(tmp_path):
    """Whenever one looks, the records are those from the first one on, without a gap."""
    journal = Journal(tmp_path, Terms(segment_bytes=9000), Clock(), disk=QuickDisk())
    journal.open()
    follower = Follower(tmp_path)
    new = lines(tmp_path)
    assert await journal.start()
    seen = 0
    for number in range(100):
        for part in range(10):
            journal.note(Note(f"{number}-{part}"))
        if number % 5 == 0:  # however slow the machine is, there are so many segments
            assert await journal.durable()
        found = seqs(Records(tmp_path).oldest_first())
        assert found == list(range(1, len(found) + 1))
        assert len(found) >= seen
        seen = len(found)
        found = seqs(Records(tmp_path).newest_first())
        assert found == list(range(len(found), 0, -1))
        new += flat(follower.more())
    assert await journal.stop()
    new += flat(follower.more())
    follower.close()

    assert new == lines(tmp_path)
    assert len(new) > 1000
    assert len(Folder(tmp_path).segments()) > 10
