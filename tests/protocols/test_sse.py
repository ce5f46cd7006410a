"""What of a stream says something, however its bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.protocols import sse
from proxy.protocols.sse import END, Events, Lines, Looks, at_an_end, holds_events, looks_at

SSE = {b"content-type": b"text/event-stream"}
NDJSON = {b"content-type": b"application/x-ndjson"}


@given(st.text("\r\na", max_size=9))
def test_where_a_stream_stands_between_two_events(text: str) -> None:
    """At its beginning, and where its last line is empty: as who reads all of it sees it."""
    stream = text.encode()
    lines = stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert at_an_end(stream[-END:]) is (not stream or lines.endswith(b"\n\n"))


def test_what_holds_events_as_they_are() -> None:
    """Nothing else, and nothing that is encoded."""
    assert holds_events(SSE)
    assert not holds_events(NDJSON)
    assert not holds_events({**SSE, b"content-encoding": b"gzip"})


def marks(looks: Looks, stream: bytes) -> list[int]:
    """How many bytes had come when something had been said, read byte by byte."""
    return [at + 1 for at in range(len(stream)) if looks.progressed(stream[at : at + 1])]


@pytest.mark.parametrize(
    "stream",
    [
        b"data: x\n\n",
        b"data:x\r\n\r\n",
        b"data: x\r\r",
        b"\xef\xbb\xbfdata: x\n\n",
        b"event: message\ndata: x\n\n",
        b"data: x\nevent: message\n\n",
        b"event: pings\ndata: x\n\n",
        b"event: ping\nevent: message\ndata: x\n\n",
        b": hello\ndata: {\ndata:\n\n",
        b"id: 1\nretry: 5\ndata: x\n\n",
        b"event: " + b"p" * 500 + b"\ndata: x\n\n",
        b"data: " + b"x" * 5000 + b"\n\n",
    ],
)
def test_an_event_with_data_says_something(stream: bytes) -> None:
    """At its end and not before, whatever ends its lines."""
    last = stream.removesuffix(b"\n") if b"\r\n" in stream else stream  # its CR ends the line
    assert marks(Events(), stream) == [len(last)]


@pytest.mark.parametrize(
    "stream",
    [
        b"event: ping\ndata: {}\n\n",
        b"data: {}\nevent:ping\n\n",
        b"event: ping\r\ndata: {}\r\n\r\n",
        b": data: x\n\n",
        b":\n\n",
        b"\n\n\r\n\r\n",
        b"event: message\n\n",
        b"id: 7\ndata:\n\n",
        b"data\ndata: \n\n",
        b"database: x\n\n",
        b" data: x\n\n",
        b"x\xef\xbb\xbfdata: x\n\n",
        b"data: not ended\n",
        b"retry: 10\n\n" * 5,
    ],
)
def test_what_says_nothing(stream: bytes) -> None:
    """Pings, comments, blank lines, other fields, empty data, and events without an end."""
    assert marks(Events(), stream) == []


def test_each_event_stands_for_itself() -> None:
    """A ping's type is not that of the event after it, nor does its data stay."""
    pings, says = b"event: ping\ndata: {}\n\n", b"data: x\n\n"
    assert marks(Events(), pings + says) == [len(pings + says)]
    assert marks(Events(), says + pings + b"event: message\n\n") == [len(says)]


def test_a_comment_without_end_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it, or a train of comments, may be."""
    monkeypatch.setattr(sse, "MOST", 64)
    assert marks(Events(), b": " + b"x" * 300) == []
    assert marks(Events(), b": beat\n" * 300) == []


@pytest.mark.parametrize("end", [b"\n\n", b"", b"\nevent: ping\n\n"])
def test_an_event_too_long_to_wait_for_counts_as_it_comes(
    monkeypatch: pytest.MonkeyPatch, end: bytes
) -> None:
    """From the limit on until it ends, be it a ping in the end; the next one is looked at again."""
    monkeypatch.setattr(sse, "MOST", 64)
    stream = b"data: " + b"x" * 94 + end
    found = marks(Events(), stream)
    assert found[0] == 65
    assert found[-1] == len(stream)
    if end:
        events = Events()
        assert events.progressed(stream + b"event: ping\ndata: x\n\n")
        assert marks(events, b"event: ping\ndata: x\n\n") == []
        assert marks(events, b"data: x\n\n") == [9]


def test_data_of_many_lines_is_long_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of an event's lines count together."""
    monkeypatch.setattr(sse, "MOST", 64)
    assert marks(Events(), b"data: x\n" * 8) == []
    assert marks(Events(), b"data: x\n" * 12)[0] == 77


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (b'{"a":1}\n{"a":2}\n', [8, 16]),
        (b'{"a":1}\r\n', [9]),
        (b"\n\r\n \t\n", []),
        (b'{"a":1}', []),
        (b'\n\n{"a":1}\n\n', [10]),
    ],
)
def test_a_line_that_is_not_blank_says_something(stream: bytes, said: list[int]) -> None:
    """At its end; JSON is not read."""
    assert marks(Lines(), stream) == said


def test_a_line_too_long_to_wait_for_counts_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless there is nothing in it."""
    monkeypatch.setattr(sse, "MOST", 64)
    assert marks(Lines(), b"x" * 66) == [65, 66]
    assert marks(Lines(), b" " * 99) == []


WORDS = st.lists(
    st.sampled_from(
        [b"data: x", b"data", b"data:", b"event: ping", b"event: a", b":", b"x" * 40, b"id: 1",
         b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n", b" ", b"\xef\xbb\xbf"]
    ),
    max_size=30,
)  # fmt: skip


@pytest.mark.parametrize("made", [Events, Lines])
@given(words=WORDS, cuts=st.lists(st.integers(0, 400), max_size=10))
def test_it_may_be_cut_at_any_byte(made: type[Events] | type[Lines], words, cuts) -> None:
    """A piece says something if one of its bytes does, however the stream is cut."""
    stream = b"".join(words)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sse, "MOST", 48)
        said = marks(made(), stream)
        looks = made()
        ends = sorted({min(cut, len(stream)) for cut in cuts} | {len(stream)})
        begin = 0
        for end in ends:
            found = looks.progressed(stream[begin:end]) if end > begin else False
            assert found == any(begin < at <= end for at in said)
            begin = end


@pytest.mark.parametrize(
    ("fields", "made"),
    [
        (SSE, Events),
        ({b"content-type": b"Text/Event-Stream; charset=utf-8"}, Events),
        ({**SSE, b"content-encoding": b"Identity"}, Events),
        (NDJSON, Lines),
        ({**SSE, b"content-encoding": b"gzip"}, None),
        ({b"content-type": b"application/json"}, None),
        ({}, None),
    ],
)
def test_what_can_be_looked_at(fields: dict[bytes, bytes], made: type | None) -> None:
    """Events and lines as they are; not what is encoded, nor anything else."""
    looks = looks_at(fields)
    assert looks is None if made is None else type(looks) is made
