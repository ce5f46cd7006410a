"""Content codings: what they hide is seen, and nothing that could be seen in two ways is let in."""

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.protocols.coding import decoded, is_known
from proxy.refusal import Refusal

PLENTY = 1 << 24
ALWAYS = 64 << 10
"""Bytes that may come out of however little."""


def bare(content: bytes) -> bytes:
    """A deflate stream without the wrapper that RFC 9110 asks for."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(content) + packer.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
}
PACKED = [*PACKERS.items(), ("deflate", bare)]

each_packer = pytest.mark.parametrize(("coding", "pack"), PACKED)


def code(found: bytes | Refusal) -> str:
    """Why it was refused."""
    assert isinstance(found, Refusal), found
    return found.code


@each_packer
@given(content=st.binary(max_size=5000))
def test_what_was_packed_is_unpacked(coding, pack, content):
    """gzip, its old name, and deflate with and without its wrapper."""
    assert decoded(pack(content), coding.encode(), PLENTY) == content


@pytest.mark.parametrize("coding", [b"GZIP", b" gzip ", b"X-GZip", b"gzip\t"])
def test_a_coding_has_many_spellings(coding):
    """Names of codings know no case (RFC 9110 8.4.1), and no white space around them."""
    assert decoded(gzip.compress(b"abc"), coding, PLENTY) == b"abc"


@pytest.mark.parametrize("coding", [b"", b"identity", b" Identity "])
def test_what_was_not_packed_stays_as_it_is(coding):
    """Whatever it looks like; even where it is longer than the limit, which is for unpacking."""
    content = gzip.compress(b"abc")
    assert decoded(content, coding, 1) == content


@pytest.mark.parametrize(
    "coding",
    [
        b"br", b"zstd", b"compress", b"gzip, gzip", b"gzip, identity", b"identity, gzip",
        b"deflate,gzip", b"gzip;q=1", b"chunked", b"*", b"gz ip", b"\xff", b",", b"gzip,",
    ],
)  # fmt: skip
def test_a_coding_that_is_not_known_is_refused(coding):
    """Also two of them, one in the other: nobody who is honest sends that."""
    assert code(decoded(gzip.compress(b"abc"), coding, PLENTY)) == "unsupported_encoding"


@each_packer
@given(content=st.binary(max_size=300), share=st.floats(0, 1, exclude_max=True))
def test_what_is_cut_short_is_refused(coding, pack, content, share):
    """Wherever it is cut: a lenient reader would take the part for the whole."""
    packed = pack(content)
    found = decoded(packed[: int(len(packed) * share)], coding.encode(), PLENTY)
    assert code(found) == "unsupported_encoding"


@each_packer
@given(content=st.binary(max_size=300), behind=st.binary(min_size=1, max_size=50))
def test_what_has_something_after_it_is_refused(coding, pack, content, behind):
    """Some readers stop at the end of the stream, others go on."""
    found = decoded(pack(content) + behind, coding.encode(), PLENTY)
    assert code(found) == "unsupported_encoding"


@pytest.mark.parametrize("coding", ["gzip", "x-gzip"])
def test_two_members_are_refused(coding):
    """gzip files may be put together; some readers see the first only."""
    found = decoded(gzip.compress(b"first") + gzip.compress(b"second"), coding.encode(), PLENTY)
    assert code(found) == "unsupported_encoding"


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_changed_byte_is_seen(content, data):
    """Refused, or it made no difference: gzip knows a checksum, and bytes that mean nothing."""
    packed = bytearray(gzip.compress(content))
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    found = decoded(bytes(packed), b"gzip", PLENTY)
    assert found == content or code(found)


@given(st.binary(max_size=300), st.sampled_from([*PACKERS, "identity", "br"]), st.integers(1, 500))
def test_no_bytes_are_an_error(noise, coding, limit):
    """What comes from outside is a value, never an exception."""
    found = decoded(noise, coding.encode(), limit)
    assert isinstance(found, bytes | Refusal)


@each_packer
@given(content=st.binary(max_size=2000) | st.integers(0, 60_000).map(lambda size: b"0" * size))
def test_the_limit_is_to_the_last_byte(coding, pack, content):
    """As many bytes as are allowed may come out, and not one more."""
    packed = pack(content)
    assert decoded(packed, coding.encode(), len(content) or 1) == content
    if len(content) > 1:
        assert code(decoded(packed, coding.encode(), len(content) - 1)) == "body_too_large"


@each_packer
def test_a_bomb_is_refused_though_the_limit_would_allow_it(coding, pack):
    """More than 100:1 is no body that anybody writes."""
    assert code(decoded(pack(b"0" * 10_000_000), coding.encode(), PLENTY)) == "body_too_large"


@each_packer
def test_a_little_may_come_out_of_very_little(coding, pack):
    """Spaces in 64 KiB are no bomb, whatever the ratio."""
    assert decoded(pack(b" " * ALWAYS), coding.encode(), PLENTY) == b" " * ALWAYS


@each_packer
def test_a_bomb_is_not_unpacked_to_find_that_it_is_one(coding, pack):
    """The memory that it costs is that of the limit, not of what it holds."""
    packed = pack(b"0" * 30_000_000)
    tracemalloc.start()
    try:
        assert code(decoded(packed, coding.encode(), ALWAYS)) == "body_too_large"
        assert tracemalloc.get_traced_memory()[1] < 10 * ALWAYS
    finally:
        tracemalloc.stop()


def two_faced() -> tuple[bytes, dict[str, bytes]]:
    """A body for `deflate` that is whole with its wrapper and without, and what it says each time.

    It is made of stored blocks. The wrapper's two bytes with the first block's head are a block
    head of the bare reading, which then skips five bytes that stand within the tool's name, and
    sees five later ones that the other skips.
    """
    head = b"1@\xc3\xbf<"  # of a last block with 0xC340 bytes; UTF-8 too
    start = b'{"input":"' + b"x" * (0x200B - 22) + b'","tool":"bl'
    middle = b'ocked","pad":"'.ljust(0xDFF2 - 0x200B - 5, b"y")
    end = b'"}'.rjust(0xC340 - len(middle) - 5, b"y")
    rest = b" " * (0xC340 - len(end))
    wrapped, plain = start + head + middle + end + rest, b"\r " + start + middle + head + end
    packed = b"\x48\x0d\x20\xf2\xdf\x0d\x20" + start + head + middle + head + end + rest
    return packed + zlib.adler32(wrapped).to_bytes(4, "big"), {"wrapped": wrapped, "bare": plain}


def test_a_body_that_reads_otherwise_without_its_wrapper_is_refused():
    """`deflate` has two readings in practice; where both come to an end neither is believed."""
    packed, readings = two_faced()
    inflater = zlib.decompressobj(wbits=-15)
    assert zlib.decompress(packed) == readings["wrapped"]
    assert (inflater.decompress(packed), inflater.eof) == (readings["bare"], True)
    tools = [json.loads(content)["tool"] for content in readings.values()]
    assert tools == ["bl1@ÿ<ocked", "blocked"]

    assert code(decoded(packed, b"deflate", PLENTY)) == "unsupported_encoding"


def test_some_codings_are_known() -> None:
    """In any letters."""
    assert all(map(is_known, (b"", b" Identity", b"gzip", b"X-GZIP", b"deflate")))
    assert not is_known(b"br")
