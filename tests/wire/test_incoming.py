"""The body of a request: to its end, to where it is not valid, or until it comes too slowly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import RequestHead
from proxy.reply import Failure
from proxy.wire.body import Memory
from proxy.wire.head import Limits
from proxy.wire.incoming import PACE_FOR, Incoming
from tests.fakes import FakeSource
from tests.harness import chunked
from tests.wire.test_body import Glass


class Upload:
    """One incoming body, who it flows to, and what was said when no more of it comes."""

    def __init__(self, length: int | None = None) -> None:
        head = RequestHead("POST", b"/", 1, [], {}, length=length, chunked=length is None)
        self.glass = Glass()
        self.over: list[bool] = []
        self.incoming = Incoming(head, FakeSource(), Limits(), Memory(1 << 20), self._over)
        self.incoming.body.flow(self.glass)

    def _over(self) -> None:
        self.over.append(self.glass.trailers is None and self.glass.failure is None)

    def take(self, data: bytes, sizes: list[int]) -> None:
        """In pieces; what comes after the end is not given to it."""
        while data and not self.over:
            size = sizes.pop(0) if sizes else len(data)
            self.incoming.take(data[:size])
            data = data[size:]


sizes = st.lists(st.integers(1, 9), max_size=60)


@given(st.binary(min_size=1, max_size=99), st.binary(max_size=20), sizes, st.booleans())
def test_a_body_ends_where_it_ends(content, behind, cuts, chunks):
    """However it is cut; what comes after it in the same piece is kept for the next request."""
    upload = Upload(None if chunks else len(content))
    raw = chunked(content[:30], b"x", trailers=(b"X-T: 1",)) if chunks else content
    upload.take(raw + behind, cuts)
    assert upload.glass.held == (content[:30] + b"x" if chunks else content)
    assert upload.glass.trailers == ([(b"x-t", b"X-T", b"1")] if chunks else [])
    assert upload.incoming.bad is None
    assert behind.startswith(upload.incoming.rest)


@pytest.mark.parametrize("length", [3, None])
def test_the_connection_hears_of_the_end_before_whoever_waits_for_it(length):
    """Who waits may answer at once, and the connection must know then that it may go on."""
    upload = Upload(length)
    upload.take(chunked(b"abc") if length is None else b"abc", [])
    assert upload.over == [True]
    assert upload.glass.trailers == []


def test_chunks_that_are_not_valid_end_the_body():
    """What came before them is passed on; the rest never looks whole (spec 2.2)."""
    upload = Upload()
    upload.take(b"3\r\nabc\r\nzz\r\n", [8])
    assert upload.glass.held == b"abc"
    assert (upload.glass.failure, upload.glass.trailers) == (Failure.BAD_REQUEST, None)
    assert upload.incoming.bad is not None
    assert (upload.incoming.bad.code, upload.incoming.bad.reason) == ("bad_request", "chunk_size")
    assert upload.over == [True]


def test_a_body_has_begun_with_its_first_byte():
    """Who expects a 100 and sends all the same has no need of it."""
    upload = Upload(3)
    assert not upload.incoming.begun
    upload.take(b"a", [])
    assert upload.incoming.begun


ENOUGH = int(1024 * PACE_FOR)


@pytest.mark.parametrize(("came", "keeps"), [(ENOUGH, True), (ENOUGH - 1, False), (0, False)])
def test_a_body_has_to_keep_pace(came, keeps):
    """1 KiB a second over the time that is measured: to the byte."""
    upload = Upload(10**9)
    upload.take(b"before it is measured" * 99_999, [])
    upload.incoming.measure()
    upload.take(b"x" * came, [])
    assert upload.incoming.keeps_pace() is keeps
    assert upload.glass.failure is (None if keeps else Failure.BAD_REQUEST)


def test_a_fast_beginning_does_not_excuse_a_slow_rest():
    """Each time is measured for itself."""
    upload = Upload(10**9)
    upload.incoming.measure()
    upload.take(b"x" * ENOUGH * 3, [])
    assert upload.incoming.keeps_pace()
    upload.take(b"x" * (ENOUGH - 1), [])
    assert not upload.incoming.keeps_pace()
    assert upload.incoming.bad is not None
    assert (upload.incoming.bad.code, upload.incoming.bad.reason) == (
        "request_timeout",
        "slow_body",
    )
    assert upload.over == [True]
