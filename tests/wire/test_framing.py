"""Where bodies end, for every way a stream of bytes may be cut (RFC 9112 6 and 7)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.framing import ChunkedDecoder, CloseDecoder, Decoder, LengthDecoder
from proxy.wire.head import Limits
from tests.wire.malformed import CHUNKED

REST = b"GET /next HTTP/1.1\r\n"
parts = st.lists(st.binary(min_size=1, max_size=50), max_size=8)
cuts = st.lists(st.integers(1, 40), min_size=1, max_size=60)
extensions = st.sampled_from([b"", b";a", b";a=b", b'; a="b;c"', b" ;x"])
spellings = st.sampled_from([b"%x", b"%X", b"%04x"])
trailer_lists = st.lists(
    st.tuples(st.sampled_from([b"X-A", b"x-b", b"X-C"]), st.sampled_from([b"", b"1", b"caf\xe9"])),
    max_size=3,
)


def fed(decoder: Decoder, raw: bytes, sizes: list[int]) -> tuple[bytes, bytes]:
    """(the body, what came behind it), fed in pieces of these sizes again and again."""
    body = b""
    turn = 0
    while raw and not decoder.ended and decoder.bad is None:
        size = sizes[turn % len(sizes)]
        body += decoder.feed(raw[:size])
        raw = raw[size:]
        turn += 1
    return body, decoder.rest + raw


@given(st.data(), parts, trailer_lists, cuts)
def test_chunks_are_the_same_however_they_are_cut(
    draw: st.DataObject,
    pieces: list[bytes],
    trailers: list[tuple[bytes, bytes]],
    sizes: list[int],
) -> None:
    """Body, trailers and what follows, at any split of the stream and any spelling of sizes."""
    raw = b""
    for piece in pieces:
        raw += draw.draw(spellings) % len(piece) + draw.draw(extensions) + b"\r\n" + piece + b"\r\n"
    raw += b"0\r\n" + b"".join(n + b": " + v + b"\r\n" for n, v in trailers) + b"\r\n"
    decoder = ChunkedDecoder(Limits())
    assert fed(decoder, raw + REST, sizes) == (b"".join(pieces), REST)
    assert (decoder.ended, decoder.bad) == (True, None)
    assert [(name, value) for _, name, value in decoder.trailers] == trailers
    assert decoder.end_of_connection()


@given(parts, st.integers(0, 400), cuts)
def test_chunks_that_are_cut_short_are_not_whole(
    pieces: list[bytes], at: int, sizes: list[int]
) -> None:
    """Any beginning of a chunked body that is not all of it has not ended."""
    raw = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    decoder = ChunkedDecoder(Limits())
    body, _ = fed(decoder, raw[: min(at, len(raw) - 1)], sizes)
    assert b"".join(pieces).startswith(body)
    assert (decoder.ended, decoder.bad, decoder.end_of_connection()) == (False, None, False)


@pytest.mark.parametrize("raw", CHUNKED.values(), ids=CHUNKED.keys())
@pytest.mark.parametrize("sizes", [[1], [2], [3], [100_000]], ids=str)
def test_malformed_chunks_are_refused_however_they_are_cut(raw: bytes, sizes: list[int]) -> None:
    """Bad, and not ended, whether they come byte by byte or at once."""
    decoder = ChunkedDecoder(Limits())
    body, _ = fed(decoder, raw, sizes)
    assert decoder.bad is not None
    assert not decoder.ended
    assert len(body) <= 4


@given(st.binary(max_size=400), cuts)
def test_any_bytes_are_judged_the_same_however_they_are_cut(noise: bytes, sizes: list[int]) -> None:
    """Ended, bad or waiting does not depend on the split, and nothing raises."""
    whole, split = ChunkedDecoder(Limits()), ChunkedDecoder(Limits())
    at_once, behind = fed(whole, noise, [len(noise) + 1])
    in_pieces, behind_pieces = fed(split, noise, sizes)
    assert (whole.ended, whole.bad is None) == (split.ended, split.bad is None)
    if whole.ended:
        assert (at_once, behind) == (in_pieces, behind_pieces)
    else:
        # Where a chunk turns out to be bad, what came before it may have been passed on.
        assert at_once.startswith(in_pieces) or in_pieces.startswith(at_once)


@given(st.binary(max_size=200), st.integers(0, 200), cuts)
def test_a_length_ends_where_it_says(content: bytes, length: int, sizes: list[int]) -> None:
    """Neither a byte more nor less, at any split."""
    decoder = LengthDecoder(length)
    body, rest = fed(decoder, content, sizes)
    assert body == content[:length]
    assert decoder.ended == (len(content) >= length)
    assert decoder.end_of_connection() == decoder.ended
    if decoder.ended:
        assert rest == content[length:]


@given(st.binary(max_size=200), cuts)
def test_a_body_may_end_with_its_connection(content: bytes, sizes: list[int]) -> None:
    """Everything is body until then."""
    decoder = CloseDecoder()
    assert fed(decoder, content, sizes) == (content, b"")
    assert not decoder.ended
    assert decoder.end_of_connection()
