"""A stream, cut into its messages."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.protocols.frames import MOST, Frame, Frames, written

ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
LINES = st.sampled_from(
    [
        b"data: a",
        b"data:b",
        b"data",
        b"event: x",
        b"event:y",
        b": note",
        b"id: 7",
        b"data:  c",
        b"e",
    ]
)


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """A stream with one kind of line end, and what it says."""
    end = draw(ENDS)
    whole, said = b"", []
    for lines in draw(st.lists(st.lists(LINES, min_size=1, max_size=4), max_size=5)):
        whole += end.join(lines) + end + end
        kinds = [
            line.partition(b":")[2].removeprefix(b" ") for line in lines if line[:6] == b"event:"
        ]
        data = [
            line.partition(b":")[2].removeprefix(b" ")
            for line in lines
            if line.partition(b":")[0] == b"data"
        ]
        said.append((kinds[-1] if kinds else b"", b"\n".join(data)))
    return whole, said


def fed(frames: Frames, whole: bytes, cuts: list[int]) -> list[Frame]:
    """All frames of a stream that comes in these pieces."""
    edges = [0, *sorted(cut % (len(whole) + 1) for cut in cuts), len(whole)]
    pieces = [whole[at:to] for at, to in itertools.pairwise(edges)]
    return [frame for piece in pieces for frame in frames.feed(piece)]


@given(streams(), st.lists(st.integers(0, 200), max_size=6))
def test_events_are_the_same_wherever_they_are_cut(
    stream: tuple[bytes, list[tuple[bytes, bytes]]], cuts: list[int]
) -> None:
    """Whatever their lines end with; and not a byte is lost."""
    whole, said = stream
    frames = Frames(lines=False)
    found = fed(frames, whole, cuts)
    assert b"".join(frame.raw for frame in found) + frames.rest == whole
    told = [(frame.kind, frame.data) for frame in found if frame.raw.strip()]
    assert told == said


PARTS = st.sampled_from(
    [
        b"data: a",
        b"data:",
        b"event: x",
        b"id: 7",
        b" ",
        b"b",
        b"\n",
        b"\n\n",
        b"\r",
        b"\xef\xbb\xbf",
    ]
)


@given(st.lists(st.lists(PARTS, max_size=5).map(b"".join), max_size=6))
def test_pieces_say_what_their_bytes_say(pieces: list[bytes]) -> None:
    """An event that comes in one piece is cut in a shorter way, to the same end."""
    whole, bytewise = Frames(lines=False), Frames(lines=False)
    found = [frame for piece in pieces for frame in whole.feed(piece)]
    single = [bytes([byte]) for byte in b"".join(pieces)]
    again = [frame for byte in single for frame in bytewise.feed(byte)]
    assert said(found) == said(again)
    # Where a CR ends a piece, the LF that belongs to it stands before the next event.
    raw = [b"".join(frame.raw for frame in frames) for frames in (found, again)]
    assert raw[0] + whole.rest == raw[1] + bytewise.rest == b"".join(pieces)


def said(frames: list[Frame]) -> list[tuple[bytes, bytes, bool]]:
    """By those that say something."""
    return [
        (frame.kind, frame.data, frame.resumes) for frame in frames if frame.data or frame.resumes
    ]


@given(st.lists(st.binary(max_size=6).map(lambda raw: raw.replace(b"\n", b""))), st.integers(0, 40))
def test_lines_are_messages(lines: list[bytes], cut: int) -> None:
    """Of NDJSON."""
    whole = b"".join(line + b"\n" for line in lines)
    frames = Frames(lines=True)
    found = fed(frames, whole, [cut])
    assert [frame.data for frame in found] == [line.strip() for line in lines]
    assert b"".join(frame.raw for frame in found) == whole
    assert frames.last() is None


def test_a_mark_of_utf_8_is_no_part_of_the_first_line() -> None:
    """Where a stream may begin."""
    (frame,) = Frames(lines=False).feed(b"\xef\xbb\xbfdata: a\n\n")
    assert frame.data == b"a"


def test_what_has_no_empty_line_behind_it_is_there_at_the_end() -> None:
    """Some upstreams leave it out."""
    frames = Frames(lines=False)
    assert frames.feed(b"data: [DONE]\n") == []
    last = frames.last()
    assert last is not None
    assert (last.data, last.missed) == (b"[DONE]", False)


@pytest.mark.parametrize("lines", [True, False])
def test_a_message_that_is_too_long_is_not_kept(lines: bool) -> None:
    """Its end is found, and the next one is read."""
    frames = Frames(lines=lines)
    end = b"\n" if lines else b"\n\n"
    pieces = [b"data: ", *([b"x" * 65_536] * 40), b"y", end, b"data: z" + end]
    found, kept = [], 0
    for piece in pieces:
        found += frames.feed(piece)
        kept = max(kept, len(frames.rest))
    assert b"".join(frame.raw for frame in found) == b"".join(pieces)
    assert kept <= MOST
    assert [frame.missed for frame in found[-2:]] == [True, False]
    assert found[-1].data == (b"data: z" if lines else b"z")


def test_one_that_comes_at_once_and_is_too_long_is_missed_too() -> None:
    """Though its end is here."""
    (frame,) = Frames(lines=False).feed(b"data: " + b"x" * MOST + b"\n\n")
    assert (frame.missed, frame.data) == (True, b"")


def test_an_event_that_only_names_a_place_says_so() -> None:
    """From there the stream can be asked for once more."""
    found = Frames(lines=False).feed(b"id: 1\ndata:\n\nid: 2\ndata: a\n\ndata:\n\n: note\n\n")
    assert [frame.resumes for frame in found] == [True, False, False, False]
    assert found[0].data == b""


def test_what_we_write_reads_as_it_was_meant() -> None:
    """In both kinds of stream."""
    (frame,) = Frames(lines=False).feed(written(b"k", b"d", lines=False))
    assert (frame.kind, frame.data) == (b"k", b"d")
    (frame,) = Frames(lines=False).feed(written(b"", b"d", lines=False))
    assert (frame.kind, frame.data) == (b"", b"d")
    (frame,) = Frames(lines=True).feed(written(b"", b"d", lines=True))
    assert frame.data == b"d"
