"""Answers in the agent's framing: where they end can be told, and an early end is never a whole."""

import asyncio
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import Header, RequestHead, Whole
from proxy.reply import Failure, Reply
from proxy.strand import Strand
from proxy.wire.answer import Answer, last_answer, leaves_open, whole_answer
from proxy.wire.body import Body
from tests.fakes import FakeSource

LINES = b"HTTP/1.1 200 OK\r\nX-A: 1\r\n"
EXTRA = b"holdfast-call: c\r\n"
CHUNKED = b"Transfer-Encoding: chunked"
CLOSE = b"Connection: close"
KEEP = b"Connection: keep-alive"


class Wire:
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        self.written = b""
        self.closing = False

    def write(self, piece: bytes) -> None:
        assert piece
        self.written += piece

    def writelines(self, pieces: tuple[bytes, ...]) -> None:
        self.written += b"".join(pieces)

    def is_closing(self) -> bool:
        return self.closing


def head(method: str = "GET", minor: int = 1) -> RequestHead:
    """What was asked."""
    return RequestHead(method, b"/", minor, [], {})


def whole(
    content: bytes = b"body",
    *,
    asked: RequestHead,
    status: int = 200,
    length: int | None = None,
    stays: bool = True,
    trailers: list[Header] | None = None,
) -> tuple[list[bytes], bytes]:
    """The added lines and the body of an answer that is here."""
    reply = Reply(status, LINES, body=Whole(content, trailers or []), length=length)
    return parted(whole_answer(reply, asked, EXTRA, stays=stays))


def parted(raw: bytes) -> tuple[list[bytes], bytes]:
    """The lines that were added to those of the reply, and the body."""
    start, _, body = raw.partition(b"\r\n\r\n")
    assert start.startswith(LINES)
    return (start + b"\r\n").removeprefix(LINES).split(b"\r\n")[:-1], body


def added(lines: list[bytes]) -> list[bytes]:
    """Those about the framing; what was to be added is there."""
    assert lines.count(EXTRA[:-2]) == 1
    return [line for line in lines if line != EXTRA[:-2]]


ALONE = [(method, status) for method in ("GET", "HEAD") for status in (204, 304)] + [("HEAD", 200)]


@pytest.mark.parametrize("length", [4, None])
@pytest.mark.parametrize("minor", [0, 1])
@pytest.mark.parametrize("stays", [False, True])
@pytest.mark.parametrize(("method", "status"), [("GET", 200), *ALONE])
def test_how_an_answer_is_framed(method, status, stays, minor, length):
    """Chunks for HTTP/1.1 where no length is known; what becomes of the connection is said.

    HTTP/1.1 stays unless it says close, HTTP/1.0 ends unless it says keep-alive (RFC 9112 9.3).
    Answers to HEAD, 204 and 304 have no body and no framing of one.
    """
    lines, body = whole(asked=head(method, minor), status=status, length=length, stays=stays)
    bodiless = method == "HEAD" or status != 200
    chunks = minor == 1 and length is None and not bodiless
    expected = [CHUNKED] if chunks else []
    if not stays:
        expected.append(CLOSE)
    elif minor == 0:
        expected.append(KEEP)
    assert added(lines) == expected
    assert body == (b"" if bodiless else b"4\r\nbody\r\n0\r\n\r\n" if chunks else b"body")


@pytest.mark.parametrize(
    ("method", "minor", "status", "length", "opens"),
    [
        ("GET", 1, 200, None, True),
        ("GET", 1, 200, 4, True),
        ("GET", 0, 200, 4, True),
        ("GET", 0, 200, None, False),
        ("HEAD", 0, 200, None, True),
        ("GET", 0, 204, None, True),
        ("GET", 0, 304, None, True),
    ],
)
def test_when_the_connection_may_stay_open(method, minor, status, length, opens):
    """Only where the end can be told without it: HTTP/1.0 without a length ends with its close."""
    assert leaves_open(Reply(status, length=length), head(method, minor)) is opens


@pytest.mark.parametrize("body", [Whole(b"body"), Whole(b""), None])
def test_an_answer_to_what_was_no_request(body: Whole | None):
    """It is the last one on its connection, and says so; nobody knows what was asked."""
    content = b"" if body is None else body.whole
    lines, found = parted(last_answer(Reply(400, LINES, body=body, length=4), EXTRA))
    assert (added(lines), found) == ([CLOSE], content)


def test_an_answer_without_a_body_object():
    """Nothing is there to be sent, and that is framed as well."""
    raw = whole_answer(Reply(200, LINES), head(), b"", stays=True)
    assert raw == LINES + CHUNKED + b"\r\n\r\n0\r\n\r\n"


def test_a_whole_answer_in_chunks_has_its_trailers():
    """And no chunk where there are no bytes, for that would be the end."""
    trailers: list[Header] = [(b"x-t", b"X-T", b"1")]
    assert whole(asked=head(), trailers=trailers)[1] == b"4\r\nbody\r\n0\r\nX-T: 1\r\n\r\n"
    assert whole(b"", asked=head(), trailers=trailers)[1] == b"0\r\nX-T: 1\r\n\r\n"
    assert whole(b"", asked=head())[1] == b"0\r\n\r\n"


# answers that flow


class Flow:
    """An answer on its way, and what came of it."""

    def __init__(self, asked: RequestHead, *, length: int | None = None, discard: bool = False):
        self.tap = FakeSource()
        self.body = Body(self.tap)
        self.wire = Wire()
        reply = Reply(200, LINES, body=self.body, length=length)
        transport = cast("asyncio.Transport", self.wire)
        self.answer = Answer(transport, reply, asked, keep_alive=True)
        self.ends: list[Failure | None] = []
        self.bugs: list[BaseException | None] = []
        Strand(self._run(discard), self.bugs.append).step()

    async def _run(self, discard: bool) -> None:
        self.ends.append(await self.answer.flow(discard=discard))

    @property
    def sent(self) -> bytes:
        """With the last bytes, which the connection writes when the record is made."""
        assert self.bugs == [None]
        return self.wire.written + self.answer.last_bytes()


pieces_of = st.lists(
    st.binary(min_size=1, max_size=50) | st.integers(16_300, 16_500).map(lambda size: b"x" * size),
    max_size=5,
)


def unchunked(raw: bytes) -> bytes:
    """The body of chunks; they must be whole, and nothing after them."""
    content = b""
    while not raw.startswith(b"0\r\n"):
        line, _, raw = raw.partition(b"\r\n")
        size = int(line, 16)
        assert size > 0
        assert raw[size : size + 2] == b"\r\n"
        content, raw = content + raw[:size], raw[size + 2 :]
    assert raw == b"0\r\n\r\n"
    return content


@given(pieces_of, st.binary(max_size=20))
def test_what_flows_in_chunks_is_what_came(pieces, last):
    """Of any size, each as it comes; the end is there just once."""
    flow = Flow(head())
    for piece in pieces:
        before = len(flow.wire.written)
        flow.body.feed(piece)
        assert piece in flow.wire.written[before:]
    flow.body.finish(last, [])
    assert unchunked(flow.sent) == b"".join(pieces) + last
    assert flow.ends == [None]


@given(pieces_of, st.binary(max_size=20))
def test_what_flows_without_chunks_is_what_came(pieces, last):
    """By its length, and by the end of the connection of an HTTP/1.0 agent."""
    total = sum(map(len, pieces)) + len(last)
    for flow in (Flow(head(), length=total), Flow(head(minor=0))):
        for piece in pieces:
            flow.body.feed(piece)
        flow.body.finish(last, [])
        assert flow.sent == b"".join(pieces) + last


@given(pieces_of, st.booleans())
def test_what_breaks_off_has_no_end(pieces, chunks):
    """No last chunk is ever made up for it."""
    flow = Flow(head(), length=None if chunks else 10**9)
    for piece in pieces:
        flow.body.feed(piece)
    flow.body.fail(Failure.TRUNCATED)
    assert flow.ends == [Failure.TRUNCATED]
    assert flow.answer.last_bytes() == b""
    if chunks:
        assert unchunked(flow.wire.written + b"0\r\n\r\n") == b"".join(pieces)


def test_the_last_bytes_wait_for_the_record():
    """What ends an answer goes after its outcome is known, not before."""
    flow = Flow(head())
    flow.body.feed(b"one")
    flow.body.finish(b"two", [(b"x-t", b"X-T", b"1")])
    assert flow.wire.written == b"3\r\none\r\n"
    assert flow.answer.last_bytes() == b"3\r\ntwo\r\n0\r\nX-T: 1\r\n\r\n"


def test_what_nobody_reads_is_thrown_away_and_its_end_awaited():
    """The agent left, before or within: how it ends is still told."""
    early, late = Flow(head(), discard=True), Flow(head())
    late.body.feed(b"one")
    late.answer.pause()
    late.answer.discard()
    assert not late.tap.paused
    for flow in (early, late):
        flow.body.feed(b"two")
        flow.body.fail(Failure.TIMEOUT)
        assert b"two" not in flow.wire.written
        assert flow.ends == [Failure.TIMEOUT]


def test_nothing_is_written_to_a_connection_that_closes():
    """The transport would complain."""
    flow = Flow(head())
    flow.wire.closing = True
    flow.body.feed(b"one")
    assert flow.wire.written == b""


def test_a_slow_agent_stops_the_upstream():
    """And lets it go on."""
    flow = Flow(head())
    flow.answer.pause()
    assert flow.tap.paused
    flow.answer.resume()
    assert not flow.tap.paused


@pytest.mark.parametrize("minor", [0, 1])
@pytest.mark.parametrize("length", [4, None])
def test_the_head_of_an_answer_that_flows(minor, length):
    """Framed as a whole one, before any byte of it has come."""
    flow = Flow(head(minor=minor), length=length)
    lines = flow.answer.start(EXTRA).removeprefix(LINES).removesuffix(b"\r\n\r\n").split(b"\r\n")
    by_close = minor == 0 and length is None
    expected = [CHUNKED] if minor and length is None else []
    expected += [CLOSE] if by_close else [KEEP] if minor == 0 else []
    assert added(lines) == expected
    assert flow.answer.keep_alive is not by_close


class Outlet:
    """The upstream's end of a tunnel."""

    def join(self, body: object) -> None:
        """Nobody joins here."""

    def watch(self, tap: object) -> None:
        """Nobody looks."""


def test_the_head_of_a_tunnel():
    """101 says again what was agreed; the bytes that follow have no frame."""
    body = Body(FakeSource())
    fields = {b"upgrade": b"chat/1"}
    reply = Reply(101, LINES, fields, body=body, tunnel=Outlet())
    wire = Wire()
    answer = Answer(cast("asyncio.Transport", wire), reply, head(), keep_alive=True)
    assert answer.tunnelled
    assert answer.start(b"") == LINES + b"Connection: Upgrade\r\nUpgrade: chat/1\r\n\r\n"
    body.flow(answer)
    body.feed(b"raw")
    body.finish(b"", [])
    assert (wire.written, answer.last_bytes()) == (b"raw", b"")
