"""A policy cannot be dodged by spelling (spec 2.2).

The tool `blocked` has its breaker forced open, so that a call which is recognised as it is refused
503; a spelling that slips past would be answered 200 by the upstream.
"""

import gzip
import zlib

import pytest

from tests.harness import Proxy, RawUpstream, chunked, holdfast, request
from tests.wire.guarded import BLOCKED, FREE, JSON, passes, post, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

# the same tool by other spellings


RECOGNISED = {
    "plain": BLOCKED,
    "escaped name": b'{"tool":"bl\\u006fcked","input":{}}',
    "escaped key": b'{"\\u0074ool":"blocked","input":{}}',
    "escaped slashes": b'{"t\\u006f\\u006fl":"\\u0062locked","input":{}}',
    "white space": b' \r\n\t{ "tool" : "blocked" , "input" : { } } \n',
    "input first": b'{"input":{"tool":"free"},"tool":"blocked"}',
    "other members": b'{"x":[1,{"tool":"free"}],"tool":"blocked","input":{},"y":null}',
    "a decoy in input": b'{"tool":"blocked","input":{"tool":"free","tool":"free"}}',
    "no input": b'{"tool":"blocked"}',
    "large input": b'{"tool":"blocked","input":"' + b"a" * 300_000 + b'"}',
}


@pytest.mark.parametrize("body", RECOGNISED.values(), ids=RECOGNISED.keys())
async def test_a_tool_is_recognised_however_it_is_written(
    guarded: Proxy, upstream: RawUpstream, body: bytes
) -> None:
    """JSON has many spellings of one name."""
    await refused(guarded, upstream, post(body), 503, codes=("circuit_open",))


@pytest.mark.parametrize(
    "kind",
    [
        "Application/JSON",
        "application/json; charset=utf-8",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/problem+json",
    ],
)
async def test_a_content_type_does_not_hide_a_call(
    guarded: Proxy, upstream: RawUpstream, kind: str
) -> None:
    """A body that is a tool call is one, whatever it is said to be."""
    raw = post(BLOCKED, f"Content-Type: {kind}")
    await refused(
        guarded, upstream, raw, 503, 400, codes=("circuit_open", "bad_request", "ambiguous_call")
    )


async def test_no_content_type_does_not_hide_a_call(guarded: Proxy, upstream: RawUpstream) -> None:
    """Nor does saying nothing."""
    await refused(guarded, upstream, request("/", method="POST", body=BLOCKED), 503)


@pytest.mark.parametrize("target", ["/", "/execute", "/a/b?c=d", "/anything.php"])
async def test_the_path_does_not_hide_a_call(
    guarded: Proxy, upstream: RawUpstream, target: str
) -> None:
    """The envelope is a call on any path."""
    await refused(guarded, upstream, post(BLOCKED, target=target), 503)


async def test_chunks_do_not_hide_a_call(guarded: Proxy, upstream: RawUpstream) -> None:
    """Nor does the framing."""
    raw = request("/", JSON, "Transfer-Encoding: chunked", method="POST")
    await refused(guarded, upstream, raw + chunked(BLOCKED[:5], BLOCKED[5:12], BLOCKED[12:]), 503)


PACKED = {
    "gzip": ("gzip", gzip.compress(BLOCKED)),
    "x-gzip": ("x-gzip", gzip.compress(BLOCKED)),
    "GZip": ("GZip", gzip.compress(BLOCKED)),
    "deflate": ("deflate", zlib.compress(BLOCKED)),
    "identity": ("identity", BLOCKED),
    "two gzip members": ("gzip", gzip.compress(BLOCKED[:10]) + gzip.compress(BLOCKED[10:])),
}


@pytest.mark.parametrize(("coding", "body"), PACKED.values(), ids=PACKED.keys())
async def test_a_coding_does_not_hide_a_call(
    guarded: Proxy, upstream: RawUpstream, coding: str, body: bytes
) -> None:
    """A packed body is unpacked to look."""
    raw = post(body, f"Content-Encoding: {coding}")
    await refused(guarded, upstream, raw, 503, 400, 415)


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_packed_body_is_forwarded_as_it_was(
    guarded: Proxy, upstream: RawUpstream, coding: str, pack: object
) -> None:
    """Only looked at: the upstream gets the agent's bytes and its content-encoding."""
    body = pack(FREE)  # type: ignore[operator]
    await passes(guarded, upstream, post(body, f"Content-Encoding: {coding}"), body)
    assert upstream.requests[0].value("content-encoding") == coding.encode()


async def test_a_lie_about_the_coding_does_not_hide_a_call(
    guarded: Proxy, upstream: RawUpstream
) -> None:
    """A body that is not what its content-encoding says is refused."""
    await refused(guarded, upstream, post(BLOCKED, "Content-Encoding: gzip"), 400, 415)


@pytest.mark.parametrize("coding", ["compress", "rot13", "br", "zstd", "gzip, br", "deflate, gzip"])
async def test_a_coding_that_cannot_be_read_is_refused(
    guarded: Proxy, upstream: RawUpstream, coding: str
) -> None:
    """415 `unsupported_encoding` (400 where the library is installed: these bytes are not br)."""
    raw = post(BLOCKED, f"Content-Encoding: {coding}")
    await refused(guarded, upstream, raw, 415, 400, codes=("unsupported_encoding", "bad_request"))


async def test_an_unknown_coding_is_415(guarded: Proxy, upstream: RawUpstream) -> None:
    """The status that says what is wrong."""
    await refused(guarded, upstream, post(FREE, "Content-Encoding: rot13"), 415)


async def test_a_coding_on_two_lines_is_read_as_a_list(
    guarded: Proxy, upstream: RawUpstream
) -> None:
    """Two `Content-Encoding` lines are one list (RFC 9110 5.3): not only the last is believed."""
    raw = post(BLOCKED, "Content-Encoding: gzip", "Content-Encoding: identity")
    await refused(guarded, upstream, raw, 400, 415)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_bomb_is_refused(guarded: Proxy, upstream: RawUpstream, coding: str) -> None:
    """More than 100:1, or over `body_buffer` once unpacked."""
    bomb = b'{"tool":"free","input":"' + b"0" * 10_000_000 + b'"}'
    body = gzip.compress(bomb, 9) if coding == "gzip" else zlib.compress(bomb, 9)
    assert len(body) < 1 << 20
    raw = post(body, f"Content-Encoding: {coding}")
    await refused(guarded, upstream, raw, 400, 413, 415)


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(FREE) + b"junk",
        gzip.compress(FREE) + gzip.compress(BLOCKED),
        gzip.compress(FREE)[:-4],
        gzip.compress(FREE)[:-8] + b"\0" * 8,
        b"",
    ],
    ids=["junk behind", "a second document", "cut short", "bad checksum", "nothing"],
)
async def test_a_broken_package_is_refused(
    guarded: Proxy, upstream: RawUpstream, body: bytes
) -> None:
    """What one reader would accept and another not is nobody's."""
    raw = request(
        "/",
        JSON,
        "Content-Encoding: gzip",
        f"Content-Length: {len(body)}",
        method="POST",
        body=body,
    )
    await refused(guarded, upstream, raw, 400, 415)


# what can be read in two ways


AMBIGUOUS = {
    "tool twice": b'{"tool":"free","tool":"blocked","input":{}}',
    "tool twice, the same": b'{"tool":"free","tool":"free","input":{}}',
    "tool twice, by an escape": b'{"tool":"free","\\u0074ool":"blocked","input":{}}',
    "tool twice, apart": b'{"tool":"free","input":{},"x":1,"tool":"blocked"}',
    "tool twice, once not a string": b'{"tool":"free","tool":7,"input":{}}',
    "tool twice, first not a string": b'{"tool":null,"tool":"blocked","input":{}}',
}

NOT_ONE_DOCUMENT = {
    "two documents": FREE + BLOCKED,
    "two documents on lines": FREE + b"\n" + BLOCKED,
    "garbage behind": FREE + b" x",
    "NUL behind": FREE + b"\0",
    "a comma behind": FREE + b",",
    "garbage in front": b"x" + FREE,
    "cut short": FREE[:-1],
    "a comma too many": b'{"tool":"free","input":{},}',
    "a comment": b'{"tool":"free"/* x */,"input":{}}',
    "single quotes": b"{'tool':'free'}",
    "bare names": b'{tool:"free"}',
    "NaN": b'{"tool":"free","input":NaN}',
    "Infinity": b'{"tool":"free","input":-Infinity}',
    "a leading zero": b'{"tool":"free","input":01}',
    "a raw newline in a string": b'{"tool":"fr\nee","input":{}}',
    "a raw NUL in a string": b'{"tool":"fr\0ee","input":{}}',
    "a bad escape": b'{"tool":"fr\\xee","input":{}}',
    "nothing": b"",
    "white space": b"  \r\n",
}

ENCODINGS = {
    "a BOM": b"\xef\xbb\xbf" + FREE,
    "UTF-16 with BOM": FREE.decode().encode("utf-16"),
    "UTF-16 little": FREE.decode().encode("utf-16-le"),
    "UTF-16 big": FREE.decode().encode("utf-16-be"),
    "UTF-32": FREE.decode().encode("utf-32-le"),
    "Latin-1": b'{"tool":"caf\xe9","input":{}}',
    "Latin-1 in input": b'{"tool":"free","input":"caf\xe9"}',
    "overlong": b'{"tool":"fr\xc1\xa5e","input":{}}',
    "overlong slash in input": b'{"tool":"free","input":"\xc0\xaf"}',
    "a surrogate": b'{"tool":"free","input":"\xed\xa0\x80"}',
    "over the last code point": b'{"tool":"free","input":"\xf5\x80\x80\x80"}',
}


def group(cases: dict[str, bytes]) -> pytest.MarkDecorator:
    """Parameters with their names."""
    return pytest.mark.parametrize("body", cases.values(), ids=cases.keys())


@group(AMBIGUOUS)
async def test_a_tool_named_twice_is_refused(
    guarded: Proxy, upstream: RawUpstream, body: bytes
) -> None:
    """400: which of the two an upstream believes cannot be known."""
    await refused(guarded, upstream, post(body), 400, codes=("ambiguous_call", "bad_request"))


@group(NOT_ONE_DOCUMENT)
async def test_what_is_not_one_document_is_refused(
    guarded: Proxy, upstream: RawUpstream, body: bytes
) -> None:
    """A POST that claims JSON has to be exactly one JSON document."""
    raw = request("/", JSON, f"Content-Length: {len(body)}", method="POST", body=body)
    await refused(guarded, upstream, raw, 400)


@pytest.mark.parametrize("name", ["two documents", "garbage behind", "cut short", "bare names"])
async def test_what_looks_like_json_is_held_to_it(
    guarded: Proxy, upstream: RawUpstream, name: str
) -> None:
    """Also when it is said to be text."""
    raw = post(NOT_ONE_DOCUMENT[name], "Content-Type: text/plain")
    await refused(guarded, upstream, raw, 400)


@group(ENCODINGS)
async def test_other_encodings_than_utf_8_are_refused(
    guarded: Proxy, upstream: RawUpstream, body: bytes
) -> None:
    """Also where only the arguments are."""
    await refused(guarded, upstream, post(body), 400, 415)


async def test_another_charset_is_refused(guarded: Proxy, upstream: RawUpstream) -> None:
    """UTF-7 is ASCII bytes with another meaning; the content-type cannot ask for it."""
    raw = post(FREE, "Content-Type: application/json; charset=utf-7")
    await refused(guarded, upstream, raw, 400, 415)


def nested(depth: int) -> bytes:
    """An envelope that is `depth` levels deep, itself counted."""
    return b'{"tool":"free","input":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


async def test_depth_has_a_limit(guarded: Proxy, upstream: RawUpstream) -> None:
    """64 levels pass, 65 are refused."""
    await passes(guarded, upstream, post(nested(64)), nested(64))
    upstream.then()
    await refused(guarded, upstream, post(nested(65)), 400)


@pytest.mark.parametrize("opener", [b"[", b'{"a":'])
async def test_great_depth_is_refused_cheaply(
    guarded: Proxy, upstream: RawUpstream, opener: bytes
) -> None:
    """A hundred thousand levels are a 400, not a recursion error."""
    await refused(guarded, upstream, post(opener * 100_000), 400)


async def test_repeated_keys_where_nobody_reads_pass(guarded: Proxy, upstream: RawUpstream) -> None:
    """Duplicates in the arguments are the upstream's business while no policy reads them."""
    body = b'{"tool":"free","input":{"a":1,"a":2,"\\u0061":3}}'
    await passes(guarded, upstream, post(body), body)


async def test_bytes_are_not_rewritten(guarded: Proxy, upstream: RawUpstream) -> None:
    """What passes is passed as it was written: spaces, escapes, order, numbers."""
    body = b' {"input" : {"n":1.0e+02,"s":"\\u00e9\\/"},\n "tool":"fr\\u0065e"} '
    await passes(guarded, upstream, post(body), body)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/octet-stream", bytes(range(256))),
        ("application/x-www-form-urlencoded", b"tool=blocked"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n{}\r\n--x--"),
        ("application/json", b'{"no_tool":1}'),
        ("application/json", b"[1,2]"),
        ("application/json", b'"words"'),
    ],
)
async def test_other_posts_are_http_calls(
    guarded: Proxy, upstream: RawUpstream, kind: str, body: bytes
) -> None:
    """What is not a tool call passes, and is judged as `http`."""
    await passes(guarded, upstream, post(body, f"Content-Type: {kind}"), body)


# sizes


async def test_a_body_over_the_buffer_is_refused(guarded: Proxy, upstream: RawUpstream) -> None:
    """413 `body_too_large` for what must be read and is larger than `limits.body_buffer`."""
    body = b'{"tool":"free","input":"' + b"a" * (1 << 20) + b'"}'
    await refused(guarded, upstream, post(body), 413, codes=("body_too_large",))


async def test_a_body_over_the_buffer_is_refused_before_it_comes(
    guarded: Proxy, upstream: RawUpstream
) -> None:
    """Its length says so: the answer does not wait, and the connection ends with it."""
    async with await guarded.connect() as agent:
        agent.send(request("/", JSON, "Content-Length: 2000000", method="POST"))
        got = await agent.answer()
        assert (got.status, got.value("connection")) == (413, b"close")
        await agent.rest()


async def test_an_expectation_over_the_buffer_is_not_told_to_go_on(
    guarded: Proxy, upstream: RawUpstream
) -> None:
    """413 instead of 100."""
    async with await guarded.connect() as agent:
        length = "Content-Length: 2000000"
        agent.send(request("/", JSON, length, "Expect: 100-continue", method="POST"))
        got = await agent.answer()
        assert (got.status, got.interim) == (413, ())


async def test_chunks_over_the_buffer_are_refused(guarded: Proxy, upstream: RawUpstream) -> None:
    """Also when no length told it before."""
    async with await guarded.connect() as agent:
        agent.send(request("/", JSON, "Transfer-Encoding: chunked", method="POST"))
        piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
        for _ in range(17):
            agent.send(piece)
        assert (await agent.answer()).status == 413
        await agent.rest()
    assert upstream.heads == []


# the way out


async def test_unrecognised_may_pass(upstream: RawUpstream) -> None:
    """`unrecognised: pass` forwards what claims to be JSON and is not."""
    async with holdfast(upstream, "tools", mount={"unrecognised": "pass"}) as lenient:
        for body in (b'{"tool":', FREE + b" x"):
            upstream.then()
            await passes(lenient, upstream, post(body), body)


async def test_a_refusal_of_a_call_is_counted(guarded: Proxy, upstream: RawUpstream) -> None:
    """By reason, as every refusal at the door."""
    before = (await guarded.metrics()).sum("holdfast_bad_requests_total")
    await guarded.call(post(AMBIGUOUS["tool twice"]))
    assert (await guarded.metrics()).sum("holdfast_bad_requests_total") == before + 1
