"""Pages of calls: bounded, newest first, whatever becomes of the segments meanwhile."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.journal import search
from proxy.journal.disk import RealDisk
from proxy.journal.query import Query, pattern
from proxy.journal.retention import compress
from proxy.journal.search import Cursor, Search
from proxy.record import Intent, Record
from tests.fakes import FakeClock
from tests.journal.written import Written, lines

EVERYTHING = Query()
MANY = 1 << 30

_NAMES = ("x", "x", "x", "x", "x", "x", "x", "x", "x")
"""Of an intent: agent, upstream and so on."""


def pause():
    """Nobody waits here."""


def call(name, **members):
    words = ("agent", "upstream", "protocol", "layer", "tool", "method", "policy_version")
    told: dict[str, Any] = dict.fromkeys(words, "x")
    told |= {"decision": "allow", "outcome": "ok", "executed": "yes"}
    told |= {"status": 200, "attempts": (), "duration_us": 1000, "overhead_us": 3}
    return Record(id=name, **(told | members))


def intent(name):
    return Intent(name, *_NAMES)


def write(log, *entries, seconds=1.0):
    for entry in entries:
        log.clock.advance(seconds)
        log.journal.note(entry)
        log.round()


def pack(log, kept=2):
    files = log.folder.segments()
    for file in files[: len(files) - kept]:
        if not file.closed:
            assert compress(RealDisk(), file.path, lambda: False)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Of many segments, all but the last two compressed, with lines of its own between."""
    log = Written(tmp_path_factory.mktemp("journal"), segment_bytes=2500).open()
    for number in range(20):
        write(log, intent(f"c{number}"), call(f"c{number}", tool="even" if number % 2 else "odd"))
    pack(log)
    assert [file.closed for file in log.folder.segments()].count(True) > 3
    yield log
    log.die()


def names(found):
    return [json.loads(line)["id"] for line in found]


def everything(log, query=EVERYTHING, limit=3, looked=MANY, step=1 << 16):
    """All pages, one after the other, each of a search of its own."""
    found, cursor, pages = [], None, 0
    while True:
        page = Search(log.folder.path, pause, looked, step).page(query, limit, cursor)
        assert len(page.lines) <= limit
        found += page.lines
        pages += 1
        if page.next is None:
            return found, pages
        assert cursor is None or page.next < cursor
        cursor = page.next


@given(
    limit=st.integers(1, 30),
    looked=st.integers(1, 60_000),
    step=st.sampled_from([1, 100, 700, 5000, 1 << 16]),
    most=st.sampled_from([1, 1500, MANY]),
    tool=st.sampled_from(["*", "even", "nobody's"]),
)
def test_pages_hold_each_call_once_however_small_they_are(written, limit, looked, step, most, tool):
    """The newest first, and nothing but calls that have ended."""
    query = Query({"tool": pattern([tool])})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "MOST", most)
        found, _ = everything(written, query, limit, looked, step)

    whole = [line for line in lines(written.folder.path)[::-1] if b'"type":"call.fin' in line]
    wanted = {"*": ("odd", "even"), "even": ("even",), "nobody's": ()}[tool]
    assert found == [line for line in whole if json.loads(line)["tool"] in wanted]


def test_a_page_is_bounded_by_what_it_looks_at(written):
    """Also where nothing fits; so there are more pages than calls."""
    found, pages = everything(written, Query({"tool": pattern(["nobody's"])}), looked=1000)

    assert found == []
    assert pages > 5


def test_it_pauses(written):
    """After each step, so that others get their turn; what is raised there ends it."""
    paused = []
    Search(written.folder.path, lambda: paused.append(1), step=1000).page(EVERYTHING, 100)
    assert len(paused) > 10

    def over():
        raise KeyError

    with pytest.raises(KeyError):
        Search(written.folder.path, over).page(EVERYTHING, 1)


def counted(asked, method):
    """A one for each time that it does so."""
    does, done = getattr(asked, method), []

    def counts(*given):
        done.append(1)
        return does(*given)

    setattr(asked, method, counts)
    return done


def at(log, name):
    (line,) = [line for line in lines(log.folder.path) if names([line]) == [name]][-1:]
    return json.loads(line)["ts"]


def test_times_leave_segments_out(written):
    """Those before and behind are not read."""
    query = Query(since=at(written, "c3"), until=at(written, "c5"))
    asked = Search(written.folder.path, pause)
    read = counted(asked, "_blocks")

    assert names(asked.page(query, 10).lines) == ["c4", "c3"]
    assert 0 < sum(read) < 4


def test_one_call_by_its_id(written):
    """Both of its lines, wherever they stand; of nobody's there is none."""
    for number in (0, 7, 19):
        found = Search(written.folder.path, pause).named(f"c{number}", EVERYTHING)
        assert found.intent is not None
        assert found.finished is not None
        assert names([found.intent, found.finished]) == [f"c{number}"] * 2
        assert b'"type":"call.intent"' in found.intent
    nobody = Search(written.folder.path, pause).named("c", EVERYTHING)
    assert nobody == (None, None, "")
    outside = Search(written.folder.path, pause).named("c7", Query(until=at(written, "c1")))
    assert outside == (None, None, "")


def test_looking_for_one_is_bounded(written):
    """It says how far it has looked; from there one may go on."""
    asked = Search(written.folder.path, pause, looked=5000).named("c0", EVERYTHING)
    assert (asked.finished, asked.unseen > at(written, "c5")) == (None, True)

    again = Search(written.folder.path, pause).named("c0", Query(until=asked.unseen))
    assert again.finished is not None


@pytest.fixture
def log(tmp_path):
    made = Written(tmp_path, clock=FakeClock(), segment_bytes=1500).open()
    yield made
    made.die()


def test_a_call_that_left_no_intent_is_not_looked_for_further(log):
    """Than it can have begun; one of which nobody knows when it began is."""
    for number in range(12):
        write(log, call(f"a{number}"), seconds=10)
    write(log, call("read"), call("lost", outcome="unknown", duration_us=0), seconds=10)
    count = len(log.folder.segments())

    for name, looked in (("read", range(1, 3)), ("lost", range(count, count + 1))):
        asked = Search(log.folder.path, pause)
        read = counted(asked, "_blocks")
        found = asked.named(name, EVERYTHING)
        assert (found.intent, found.finished is None, found.unseen) == (None, False, "")
        assert sum(read) in looked


def test_a_call_under_way_has_its_intent(log):
    """And no end yet."""
    write(log, intent("a"))
    found = Search(log.folder.path, pause).named("a", EVERYTHING)

    assert (found.intent is None, found.finished, found.unseen) == (False, None, "")


def test_lines_that_are_no_records_are_passed_over(log):
    """What they say of themselves leads nowhere."""
    write(log, call("a"))
    path = log.folder.segments()[-1].path
    for wrong in (b"nonsense", b'{"seq":9,"id":"b","ts":"\xff","type":"call.finished"}'):
        with path.open("ab") as file:
            file.write(wrong + b"\n")
    page = Search(log.folder.path, pause, looked=1, step=1).page(EVERYTHING, 9)
    assert names(page.lines) == ["a"]
    assert Search(log.folder.path, pause).named("b", EVERYTHING) == (None, None, "")


@pytest.mark.parametrize("ts", ["never", "0001-01-01T00:00:00"])
def test_a_time_that_is_none_says_nothing(log, ts):
    """All is looked at then."""
    write(log, call("a"))
    line = b'{"seq":9,"id":"b","ts":"%b","type":"call.finished","duration_us":99}' % ts.encode()
    with log.folder.segments()[-1].path.open("ab") as file:
        file.write(line + b"\n")

    assert Search(log.folder.path, pause).named("b", EVERYTHING).finished == line


def test_what_was_given_up_does_not_count(log):
    """Behind what the next segment says that it has."""
    write(log, call("a"))
    (first,) = log.folder.segments()
    count = len(lines(log.folder.path))
    head = json.loads(lines(log.folder.path)[0]) | {"seq": count + 1, "segment": 2}
    head["before"] = {"segment": 1, "records": count, "hash": "0" * 64, "abandoned": "fsync"}
    log.folder.segment(2).write_bytes(json.dumps(head, separators=(",", ":")).encode() + b"\n")
    with first.path.open("ab") as file:
        file.write(lines(log.folder.path)[count - 1].replace(b'"id":"a"', b'"id":"b"') + b"\n")

    for step in (1, 1 << 16):
        assert names(Search(log.folder.path, pause, step=step).page(EVERYTHING, 9).lines) == ["a"]
    assert Search(log.folder.path, pause, step=1).named("b", EVERYTHING).finished is None


def test_what_is_compressed_meanwhile_is_found(log):
    """Under its other name."""
    write(log, call("a"), call("b"), call("c"))
    asked = Search(log.folder.path, pause)
    files = asked._folder.segments()
    asked._folder.segments = lambda: files  # as it was
    pack(log, kept=0)

    assert names(asked.page(EVERYTHING, 9).lines) == ["c", "b", "a"]


def test_what_cannot_be_unpacked_is_read_as_far_as_it_goes(log):
    """That it is broken is told by verify, and by the journal itself."""
    write(log, *map(call, "abcdef"))
    pack(log, kept=1)
    path = log.folder.segments()[0].path
    path.write_bytes(path.read_bytes()[:-20])

    found = names(Search(log.folder.path, pause, step=1).page(EVERYTHING, 9).lines)
    assert found[0] == "f"
    assert len(found) < 6


def test_a_folder_without_a_journal(tmp_path):
    """Has no calls."""
    assert Search(tmp_path, pause).page(EVERYTHING, 9) == ([], None)
    assert Search(tmp_path, pause).page(EVERYTHING, 9, Cursor(7, 1)) == ([], None)


def test_the_day_is_that_of_the_clock(written):
    """The fake one's; so the times above are what they seem."""
    began = datetime.fromtimestamp(written.clock.wall(), UTC)

    assert at(written, "c19")[:10] == began.date().isoformat()
