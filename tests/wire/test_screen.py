"""What an answer passes on its way, so that it is heard."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.reply import Failure, Reply
from proxy.wire.body import Body
from proxy.wire.screen import LONGEST, Reading, Screen, read
from tests.fakes import FakeSource
from tests.hearings import FakeHearing

EVENTS = b"data: start\n\nevent: k\ndata: a\n\n: note\n\ndata: b\n\ndata: end\n\n"
SSE = {b"content-type": b"text/event-stream"}


class Seen:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.got = b""
        self.ends: list[Failure | None] = []

    def write(self, piece: bytes) -> None:
        """See Sink."""
        self.got += piece

    def end(self, last: bytes, trailers: object) -> None:
        """See Sink."""
        self.got += last
        self.ends.append(None)

    def broken(self, failure: Failure) -> None:
        """See Sink."""
        self.ends.append(failure)


def passed(
    whole: bytes, hearing: FakeHearing, fields: dict[bytes, bytes] | None = None, size: int = 7
) -> tuple[Seen, Screen]:
    """What comes of a stream in pieces of this size."""
    body, seen = Body(FakeSource()), Seen()
    screen = Screen(Reply(200, fields=SSE | (fields or {})), hearing)
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)] or [b""]
    body.feed(pieces[0]) if len(pieces) > 1 else None  # it may have begun before it is heard
    body.hear(screen)
    body.flow(seen)
    for piece in pieces[1:-1]:
        body.feed(piece)
    body.finish(pieces[-1], [])
    return seen, screen


@given(st.integers(1, 80))
def test_a_stream_goes_on_byte_for_byte(size: int) -> None:
    """And all that it says is heard."""
    hearing = FakeHearing()
    seen, _ = passed(EVENTS, hearing, size=size)
    assert (seen.got, seen.ends) == (EVENTS, [None])
    assert hearing.heard == [(b"", b"start"), (b"k", b"a"), (b"", b"b"), (b"", b"end")]


@given(st.integers(1, 80))
def test_one_without_its_end_is_cut(size: int) -> None:
    """Though all bytes came: they go on, and then it breaks off."""
    whole = EVENTS.removesuffix(b"data: end\n\n")
    seen, screen = passed(whole, FakeHearing(), size=size)
    assert (seen.got, seen.ends, screen.cut) == (whole, [Failure.TRUNCATED], True)


def test_one_that_goes_on_in_another_one_is_not_cut() -> None:
    """It says from where it can be asked for, and its server may close it at any time."""
    seen, _ = passed(b"id: 1\nretry: 5\ndata:\n\ndata: a\n\n", FakeHearing())
    assert seen.ends == [None]


def test_one_that_tells_an_error_has_ended() -> None:
    """It passes as it is."""
    whole = b"data: a\n\ndata: error\n\n"
    seen, _ = passed(whole, FakeHearing())
    assert (seen.got, seen.ends) == (whole, [None])


def test_a_coding_without_a_name_is_none() -> None:
    """It is heard, and cut where it should be."""
    _, screen = passed(b"data: a\n\n", FakeHearing(), {b"content-encoding": b" "})
    assert (screen.deaf, screen.cut) == (False, True)


@pytest.mark.parametrize(
    ("said", "length", "ended", "end"),
    [
        (EVENTS, None, False, None),
        (EVENTS.removesuffix(b"data: end\n\n"), None, False, Failure.TIMEOUT),
        (EVENTS, 1000, False, Failure.TIMEOUT),
        (EVENTS, None, True, Failure.TIMEOUT),
    ],
)
def test_one_that_has_said_all_is_not_waited_for(
    said: bytes, length: int | None, ended: bool, end: Failure | None
) -> None:
    """Some upstreams leave the connection open behind their end. Not so where more bytes are
    promised, or nothing is the end."""
    body, seen = Body(FakeSource()), Seen()
    body.hear(Screen(Reply(200, fields=SSE, length=length), FakeHearing(ended=ended)))
    body.flow(seen)
    body.feed(said)
    body.fail(Failure.TIMEOUT)
    assert (seen.got, seen.ends) == (said, [end])


def test_an_end_without_an_empty_line_counts() -> None:
    """Some upstreams leave it out."""
    whole = b"data: a\n\ndata: end"
    seen, _ = passed(whole, FakeHearing())
    assert (seen.got, seen.ends) == (whole, [None])


@given(st.integers(1, 80))
def test_what_is_sifted_is_changed_message_by_message(size: int) -> None:
    """What is under way waits for its end; what is left out leaves no trace."""
    whole = b"data: a\n\ndata: drop\n\nevent: e\ndata: swap\n\ndata: end\n\n"
    seen, _ = passed(whole, FakeHearing(sifts=True), size=size)
    assert seen.got == b"data: a\n\nevent: e\ndata: swapped\n\ndata: end\n\n"
    assert seen.ends == [None]


def test_what_breaks_off_within_a_message_ends_before_it_where_it_is_sifted() -> None:
    """So that an event of ours can follow."""
    seen, _ = passed(b"data: a\n\ndata: dr", FakeHearing(sifts=True))
    assert seen.ends == [Failure.TRUNCATED]
    assert seen.got.startswith(b"data: a\n\n")


@pytest.mark.parametrize("coding", [b"gzip", b"x-gzip", b"deflate"])
def test_a_coded_stream_is_heard_on_a_copy(coding: bytes) -> None:
    """And goes on as it came, also where it would be sifted."""
    whole = zlib.compress(EVENTS) if coding == b"deflate" else gzip.compress(EVENTS)
    hearing = FakeHearing(sifts=True)
    seen, _ = passed(whole, hearing, {b"content-encoding": coding})
    assert (seen.got, seen.ends) == (whole, [None])
    assert [data for _, data in hearing.heard] == [b"start", b"a", b"b", b"end"]


@pytest.mark.parametrize(
    ("coding", "whole"),
    [
        (b"br", b"who knows"),
        (b"gzip", b"no gzip at all"),
        (b"gzip", gzip.compress(b"x" * (300 << 20), 1)[: 1 << 20]),
        (b"identity", b"data: " + b"x" * (LONGEST + 1) + b"\n\n"),
    ],
)
def test_what_cannot_be_heard_is_not_said_to_be_cut(coding: bytes, whole: bytes) -> None:
    """Nor is a bomb unpacked."""
    seen, screen = passed(whole, FakeHearing(), {b"content-encoding": coding}, size=65_536)
    assert (seen.got, seen.ends, screen.deaf) == (whole, [None], True)


@pytest.mark.parametrize(
    ("coding", "whole", "least"),
    [
        (b"br", b"x" * 900, 900),
        (b"gzip, identity", b"x" * 900, 900),
        (b"gzip", gzip.compress(b"data: " + b"x" * (4 << 20)), 1_000),
        (b"gzip", gzip.compress(b": \n\n") + b"no gzip" * 100, 700),
        (b"identity", b"data: %b\n\n" % (b"x" * (3 << 20)), 3 * 6_000),
    ],
)
def test_what_cannot_be_heard_counts_as_text(coding: bytes, whole: bytes, least: int) -> None:
    """Who asks for a coding that we cannot read has no model's words for nothing."""
    hearing = FakeHearing()
    passed(whole, hearing, {b"content-encoding": coding}, size=900)
    assert hearing.written >= least


def test_a_stream_may_be_coded_in_parts() -> None:
    """Each chunk by itself, as some servers do (RFC 1952 2.2)."""
    whole = b"".join(gzip.compress(part + b"\n\n") for part in EVENTS.split(b"\n\n")[:-1])
    hearing = FakeHearing()
    seen, screen = passed(whole, hearing, {b"content-encoding": b"gzip"})
    assert (seen.got, seen.ends, screen.deaf) == (whole, [None], False)
    assert [data for _, data in hearing.heard] == [b"start", b"a", b"b", b"end"]


def test_lines_of_json_are_messages() -> None:
    """Of NDJSON."""
    hearing = FakeHearing(sifts=True)
    fields = {b"content-type": b"application/x-ndjson"}
    seen, _ = passed(b"a\nswap\ndrop\nend\n", hearing, fields)
    assert (seen.got, seen.ends) == (b"a\nswapped\nend\n", [None])


def test_a_whole_answer_is_heard_when_it_is_here() -> None:
    """Without its coding; it goes on as it came."""
    hearing = FakeHearing()
    body, seen = Body(FakeSource()), Seen()
    whole = gzip.compress(b"words")
    body.hear(Reading(Reply(200, fields={b"content-encoding": b"gzip"}), hearing))
    body.flow(seen)
    body.feed(whole[:5])
    assert hearing.heard == []
    body.finish(whole[5:], [])
    assert (seen.got, seen.ends, hearing.heard) == (whole, [None], [(b"", b"words")])


def test_one_that_is_too_long_is_not_heard() -> None:
    """Nor kept."""
    hearing, reading = FakeHearing(), Reading(Reply(200), FakeHearing())
    for _ in range(3):
        assert len(reading.passes(b"x" * LONGEST)) == LONGEST
    assert reading.ends(b"") == b""
    assert (reading.deaf, reading.cut, hearing.heard) == (True, False, [])
    assert read(hearing, b"no gzip", b"gzip") is None
    assert hearing.heard == []
