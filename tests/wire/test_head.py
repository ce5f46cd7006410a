"""Heads, without sockets: what is valid, and what is found in it (spec 2.2)."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import SIGNS, RequestHead
from proxy.wire.compose import HOP_BY_HOP
from proxy.wire.head import (
    AnswerHead,
    BadMessage,
    Limits,
    parse_answer_head,
    parse_request_head,
    parse_trailers,
    unfinished,
)
from tests.harness import answer, request
from tests.wire import malformed
from tests.wire.test_bad_answers import HEADS

LIMITS = Limits()
TOKEN = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"
FRAMES = {"host", "connection", "content-length", "transfer-encoding", "expect", "upgrade"}
names = st.text(TOKEN, min_size=1, max_size=20).filter(lambda name: name.lower() not in FRAMES)
inner = bytes([*range(0x21, 0x7F), *range(0x80, 0x100)])
values = st.lists(st.sampled_from([bytes([byte]) for byte in inner + b" \t"]), max_size=30).map(
    lambda letters: b"".join(letters).strip(b" \t")
)
headers = st.lists(st.tuples(names.map(str.encode), values), max_size=20)


def written(start: bytes, lines: list[tuple[bytes, bytes]]) -> bytes:
    """A head as bytes."""
    return start + b"\r\n" + b"".join(n + b": " + v + b"\r\n" for n, v in lines) + b"\r\n"


def parsed(raw: bytes, limits: Limits = LIMITS) -> RequestHead:
    """A request's head that must be valid."""
    head = parse_request_head(raw, limits)
    assert isinstance(head, RequestHead), head
    return head


def head_of(raw: bytes) -> bytes:
    """Up to and with the empty line."""
    return raw[: raw.index(b"\r\n\r\n") + 4]


@given(headers)
def test_headers_are_found_as_they_were_written(lines: list[tuple[bytes, bytes]]) -> None:
    """Name and value of every line, in their order, byte for byte."""
    head = parsed(written(b"GET / HTTP/1.1", [(b"Host", b"a"), *lines]))
    assert [(name, value) for _, name, value in head.headers] == [(b"Host", b"a"), *lines]
    assert all(lower == name.lower() for lower, name, _ in head.headers)


SIGNED = st.sampled_from(sorted(SIGNS)).flatmap(
    lambda name: st.sampled_from([name, name.title(), name.upper()])
)


@given(headers, st.lists(st.tuples(SIGNED, values), max_size=2))
def test_a_head_knows_whether_it_has_signs(
    lines: list[tuple[bytes, bytes]], signs: list[tuple[bytes, bytes]]
) -> None:
    """In any letters, whatever stands around them and whatever they say."""
    others = [(name, value) for name, value in lines if name.lower() not in SIGNS]
    at = len(others) // 2
    head = parsed(written(b"GET / HTTP/1.1\r\nHost: x", others[:at] + signs + others[at:]))
    assert head.signs is bool(signs)


@given(headers, st.integers(100, 599), values)
def test_headers_of_answers_too(
    lines: list[tuple[bytes, bytes]], status: int, reason: bytes
) -> None:
    """With the status and the reason."""
    head = parse_answer_head(written(b"HTTP/1.1 %d " % status + reason, lines), LIMITS)
    assert isinstance(head, AnswerHead), head
    kept = [(name, value) for name, value in lines if name.lower() not in HOP_BY_HOP]
    assert head.status == status
    assert head.lines == b"HTTP/1.1 %d %b\r\n" % (status, reason) + b"".join(
        b"%b: %b\r\n" % line for line in kept
    )


@given(headers)
def test_trailers_are_found_as_they_were_written(lines: list[tuple[bytes, bytes]]) -> None:
    """A trailer section is read like headers."""
    section = b"".join(name + b": " + value + b"\r\n" for name, value in lines) + b"\r\n"
    found = parse_trailers(section, LIMITS)
    if isinstance(found, BadMessage):
        assert "trailer" in found.detail
    else:
        assert [(name, value) for _, name, value in found] == lines


@given(st.binary(max_size=300))
def test_any_bytes_are_judged(noise: bytes) -> None:
    """Nothing raises: what comes from outside is a value, never an exception."""
    assert isinstance(parse_request_head(noise + b"\r\n\r\n", LIMITS), RequestHead | BadMessage)
    assert isinstance(parse_answer_head(noise + b"\r\n\r\n", LIMITS), AnswerHead | BadMessage)
    assert isinstance(parse_trailers(noise + b"\r\n\r\n", LIMITS), list | BadMessage)
    assert unfinished(noise, LIMITS) is None or isinstance(unfinished(noise, LIMITS), BadMessage)


@given(st.binary(max_size=30), st.integers(0, 60))
def test_a_head_that_is_tampered_with_is_refused_or_another_head(noise: bytes, at: int) -> None:
    """Bytes put anywhere into a head never leave its framing in doubt."""
    raw = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX-A: b\r\n\r\n"
    raw = raw[:at] + noise + raw[at:] + b"\r\n\r\n"
    head = parse_request_head(head_of(raw), LIMITS)
    if isinstance(head, BadMessage):
        return
    assert head.minor_version in (0, 1)
    assert not (head.chunked and head.length is not None)
    lengths = [value for lower, _, value in head.headers if lower == b"content-length"]
    assert len(lengths) == (head.length is not None)
    assert all(b"\n" not in value and b"\0" not in value for _, _, value in head.headers)


@malformed.cases(
    malformed.FRAMING, malformed.LINE_ENDS, malformed.NAMES, malformed.START_LINES, malformed.HOSTS
)
def test_what_is_malformed_is_refused(raw: bytes) -> None:
    """As a `bad_request`, by a reason that can be a label."""
    end = raw.find(b"\r\n\r\n")
    found = parse_request_head(raw[: end + 4], LIMITS) if end >= 0 else unfinished(raw, LIMITS)
    assert isinstance(found, BadMessage)
    assert found.code == "bad_request"
    assert found.reason.isidentifier()


@pytest.mark.parametrize("raw", HEADS.values(), ids=HEADS.keys())
def test_what_is_malformed_of_an_upstream_is_refused(raw: bytes) -> None:
    """The same rules, where the head is what is wrong."""
    end = raw.find(b"\r\n\r\n")
    found = parse_answer_head(raw[: end + 4], LIMITS) if end >= 0 else unfinished(raw, LIMITS)
    assert isinstance(found, BadMessage)


def test_limits_are_to_the_last_byte() -> None:
    """A head of exactly `header_bytes` and `headers` is read, one more is not."""
    raw = request("/", "A: 1", "B: 2")
    assert len(parsed(raw, Limits(header_bytes=len(raw), headers=3)).headers) == 3
    for limits in (Limits(header_bytes=len(raw) - 1), Limits(headers=2)):
        found = parse_request_head(raw, limits)
        assert isinstance(found, BadMessage)
        assert found.code == "head_too_large"


def test_an_unfinished_head_is_limited_too() -> None:
    """Its end does not have to come."""
    assert unfinished(b"x" * 10, Limits(header_bytes=10)) is None
    found = unfinished(b"x" * 11, Limits(header_bytes=10))
    assert found is not None
    assert found.code == "head_too_large"


@pytest.mark.parametrize(
    ("version", "line", "stays"),
    [
        ("1.1", "X: y", True),
        ("1.1", "Connection: close", False),
        ("1.1", "Connection: x , CLOSE", False),
        ("1.1", "Connection: closed", True),
        ("1.0", "X: y", False),
        ("1.0", "Connection: keep-alive", True),
        ("1.0", "Connection: keep-alive, close", False),
    ],
)
def test_whether_a_connection_stays(version: str, line: str, stays: bool) -> None:
    """RFC 9112 9.3."""
    assert parsed(request("/", line, version=version)).keep_alive is stays


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("/a%2F?b", b"/a%2F?b"),
        ("http://agent.test/x", b"/x"),
        ("HTTP://Agent.Test?x", b"/?x"),
        ("http://agent.test", b"/"),
        ("https://agent.test//", b"//"),
    ],
)
def test_a_target_is_brought_to_origin_form(target: str, found: bytes) -> None:
    """RFC 9112 3.2.2; the bytes of path and query are not touched."""
    assert parsed(request(target)).target == found


@pytest.mark.parametrize(
    "host",
    ["a", "a:80", "127.0.0.1:8700", "[::1]", "[::1]:8700", "a-b.c_d", "xn--e1afmkfd.test", ""],
)
def test_hosts_that_are_valid(host: str) -> None:
    """RFC 9110 7.2; empty where there is no authority."""
    assert parsed(request(host=host)).fields[b"host"] == host.encode()


def test_how_a_body_is_framed() -> None:
    """Length or chunks, in any case of letters."""
    assert parsed(request("/", "CONTENT-LENGTH: 007", method="POST")).length == 7
    assert parsed(request("/", "transfer-encoding: Chunked", method="POST")).chunked
    bare = parsed(request())
    assert (bare.length, bare.chunked) == (None, False)


def test_an_answer_says_whether_its_connection_stays() -> None:
    """HTTP/1.1 stays, 1.0 does not, unless they say otherwise."""
    for raw, stays in (
        (answer(200), True),
        (answer(200, "Connection: Close"), False),
        (b"HTTP/1.0 200 OK\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n", True),
    ):
        head = parse_answer_head(raw, LIMITS)
        assert isinstance(head, AnswerHead)
        assert head.keep_alive is stays
