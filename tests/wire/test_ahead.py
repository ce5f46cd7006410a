"""What has come and is not looked at yet: heads in pieces, and bodies behind them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.ahead import Ahead
from proxy.wire.head import BadMessage, Limits

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LIMITS = Limits(header_bytes=100)


def fed(ahead: Ahead, piece: bytes) -> bytes | BadMessage | None:
    """What is there once this has come."""
    ahead.add(piece)
    return ahead.head()


@given(
    st.lists(st.tuples(st.integers(0, 9), st.binary(max_size=20)), max_size=9),
    st.lists(st.integers(1, 40), max_size=30),
)
def test_heads_and_bodies_are_the_same_in_any_pieces(
    messages: list[tuple[int, bytes]], sizes: list[int]
) -> None:
    """Behind any empty lines, one after the other; and nothing is left of them."""
    whole = b"".join(b"\r\n" * empty + HEAD + body for empty, body in messages)
    ahead, found = Ahead(LIMITS), list[bytes]()
    pieces = iter([*sizes, len(whole)])
    for _, body in messages:
        while (block := ahead.head()) is None or len(ahead.held) < len(body):
            if block is not None:
                break
            size = next(pieces)
            ahead.add(whole[:size])
            whole = whole[size:]
        assert isinstance(block, bytes)
        while len(ahead.held) < len(body):
            size = next(pieces)
            ahead.add(whole[:size])
            whole = whole[size:]
        found += [block, ahead.take(len(body))]
    assert found == [part for _, body in messages for part in (HEAD, body)]
    assert ahead.all() + whole == b""


@pytest.mark.parametrize("piece", [b"\r\n", b"\n\r", b"\r\n\r\n\r\n"])
def test_empty_lines_are_kept_by_nobody_and_have_an_end(piece: bytes) -> None:
    """However they are cut: no more of them than a head may be large."""
    ahead, sent = Ahead(LIMITS), 0
    found = fed(ahead, b"\r") if piece == b"\n\r" else None
    while found is None:
        found = fed(ahead, piece)
        sent += len(piece)
        assert len(ahead.held) <= 1
        assert sent <= LIMITS.header_bytes + 2 * len(piece)
    assert isinstance(found, BadMessage)
    assert found.code == "head_too_large"


def test_a_head_without_an_end_is_too_large_at_some_point() -> None:
    """Not before."""
    ahead = Ahead(LIMITS)
    assert fed(ahead, b"G" * 100) is None
    found = fed(ahead, b"G")
    assert isinstance(found, BadMessage)
    assert found.code == "head_too_large"


def test_a_bare_lf_is_seen_at_once() -> None:
    """Also where its line came in another piece; but the LF behind a CR is none."""
    ahead = Ahead(LIMITS)
    assert fed(ahead, b"GET / HTTP/1.1\r") is None
    assert fed(ahead, b"\nHost: a") is None
    found = fed(ahead, b"\n")
    assert isinstance(found, BadMessage)
    assert found.reason == "bare_lf"
