"""Requests that are not valid HTTP, by what is wrong with them (spec 2.2)."""

import pytest

from tests.harness import chunked

H = b"Host: a\r\n"


def get(*lines: bytes, host: bytes = H) -> bytes:
    """A GET with these raw lines, each with its own end."""
    return b"GET / HTTP/1.1\r\n" + host + b"".join(lines) + b"\r\n"


def post(*lines: bytes, body: bytes = b"") -> bytes:
    """A POST likewise."""
    return b"POST / HTTP/1.1\r\n" + H + b"".join(lines) + b"\r\n" + body


def coded(body: bytes) -> bytes:
    """A POST with these bytes as its chunked body."""
    return post(b"Transfer-Encoding: chunked\r\n", body=body)


CHUNKS = b"3\r\nabc\r\n0\r\n\r\n"
CL = b"Content-Length: "
TE = b"Transfer-Encoding: "

FRAMING = {
    "length and coding": post(CL + b"3\r\n", TE + b"chunked\r\n", body=CHUNKS),
    "coding and length": post(TE + b"chunked\r\n", CL + b"3\r\n", body=CHUNKS),
    "length and unknown coding": post(CL + b"3\r\n", TE + b"x\r\n", body=b"abc"),
    "length and empty coding": post(CL + b"3\r\n", TE + b"\r\n", body=b"abc"),
    "length twice, different": post(CL + b"3\r\n", CL + b"4\r\n", body=b"abcd"),
    "length twice, the same": post(CL + b"3\r\n", CL + b"3\r\n", body=b"abc"),
    "length as a list": post(CL + b"3, 3\r\n", body=b"abc"),
    "length with plus": post(CL + b"+3\r\n", body=b"abc"),
    "length with minus": post(CL + b"-3\r\n", body=b"abc"),
    "length in hex": post(CL + b"0x3\r\n", body=b"abc"),
    "length with letter": post(CL + b"3a\r\n", body=b"abc"),
    "length with underscore": post(CL + b"1_0\r\n", body=b"abcdefghij"),
    "length with dot": post(CL + b"3.0\r\n", body=b"abc"),
    "length with space within": post(CL + b"3 3\r\n", body=b"abc"),
    "length empty": post(CL + b"\r\n", body=b""),
    "length in other digits": post(CL + "\u0663".encode() + b"\r\n", body=b"abc"),
    "length of latin digits": post(CL + b"\xb2\r\n", body=b"ab"),
    "length over 64 bits": post(CL + b"18446744073709551619\r\n", body=b"abc"),
    "length of a hundred digits": post(CL + b"9" * 100 + b"\r\n", body=b"abc"),
    "length with vertical tab": post(CL + b"\x0b3\r\n", body=b"abc"),
    "coding gzip": post(TE + b"gzip\r\n", body=CHUNKS),
    "coding identity": post(TE + b"identity\r\n", body=CHUNKS),
    "coding empty": post(TE + b"\r\n", body=CHUNKS),
    "coding gzip, chunked": post(TE + b"gzip, chunked\r\n", body=CHUNKS),
    "coding chunked, gzip": post(TE + b"chunked, gzip\r\n", body=CHUNKS),
    "coding chunked twice": post(TE + b"chunked, chunked\r\n", body=CHUNKS),
    "coding chunked on two lines": post(TE + b"chunked\r\n", TE + b"chunked\r\n", body=CHUNKS),
    "coding then identity": post(TE + b"chunked\r\n", TE + b"identity\r\n", body=CHUNKS),
    "coding xchunked": post(TE + b"xchunked\r\n", body=CHUNKS),
    "coding chunkedx": post(TE + b"chunkedx\r\n", body=CHUNKS),
    "coding with parameter": post(TE + b"chunked;q=1\r\n", body=CHUNKS),
    "coding quoted": post(TE + b'"chunked"\r\n', body=CHUNKS),
    "coding with comma": post(TE + b"chunked,\r\n", body=CHUNKS),
    "coding with leading comma": post(TE + b",chunked\r\n", body=CHUNKS),
    "coding behind vertical tab": post(TE + b"\x0bchunked\r\n", body=CHUNKS),
    "coding in HTTP/1.0": (
        b"POST / HTTP/1.0\r\n" + H + TE + b"chunked\r\n\r\n" + CHUNKS  # RFC 9112 6.1
    ),
}

LINE_ENDS = {
    "LF after the request line": b"GET / HTTP/1.1\n" + H + b"\r\n",
    "LF after a header": get(b"X-A: 1\n", b"X-B: 2\r\n"),
    "LF at the head's end": b"GET / HTTP/1.1\r\nHost: a\r\n\n",
    "LF LF at the head's end": b"GET / HTTP/1.1\r\nHost: a\n\n",
    "LF only": b"GET / HTTP/1.1\nHost: a\n\n",
    "LF within a value": get(b"X-A: 1\nX-B: 2\r\n"),
    "CR within a value": get(b"X-A: 1\r2\r\n"),
    "CR CR LF": get(b"X-A: 1\r\r\n"),
    "CR within a name": get(b"X\r-A: 1\r\n"),
    "CR in the request line": b"GET /\r HTTP/1.1\r\n" + H + b"\r\n",
    "CR after the request line": b"GET / HTTP/1.1\r" + H + b"\r\n\r\n",
    "NUL in a value": get(b"X-A: 1\x002\r\n"),
    "NUL in a name": get(b"X\x00A: 1\r\n"),
    "NUL in the target": b"GET /\x00 HTTP/1.1\r\n" + H + b"\r\n",
    "NUL in the method": b"GE\x00T / HTTP/1.1\r\n" + H + b"\r\n",
    "obs-fold by space": get(b"X-A: 1\r\n 2\r\n"),
    "obs-fold by tab": get(b"X-A: 1\r\n\t2\r\n"),
    "obs-fold of a length": post(CL + b"\r\n 3\r\n", body=b"abc"),
    "obs-fold of a coding": post(TE + b"\r\n chunked\r\n", body=CHUNKS),
    "space before the first header": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "control byte in a value": get(b"X-A: 1\x012\r\n"),
    "DEL in a value": get(b"X-A: 1\x7f2\r\n"),
}

NAMES = {
    "space before the colon": get(b"X-A : 1\r\n"),
    "tab before the colon": get(b"X-A\t: 1\r\n"),
    "space before the colon of a length": post(b"Content-Length : 3\r\n", body=b"abc"),
    "space before the colon of a coding": post(b"Transfer-Encoding : chunked\r\n", body=CHUNKS),
    "no colon": get(b"X-A\r\n"),
    "no name": get(b": 1\r\n"),
    "space in a name": get(b"X A: 1\r\n"),
    "bracket in a name": get(b"X(A: 1\r\n"),
    "at in a name": get(b"X@A: 1\r\n"),
    "quote in a name": get(b'X"A: 1\r\n'),
    "slash in a name": get(b"X/A: 1\r\n"),
    "brace in a name": get(b"X{A: 1\r\n"),
    "high byte in a name": get(b"X\xe9A: 1\r\n"),
    "high byte before a length": post(b"\xa0Content-Length: 3\r\n", body=b"abc"),
}

START_LINES = {
    "bracket in the method": b"G(T / HTTP/1.1\r\n" + H + b"\r\n",
    "at in the method": b"G@T / HTTP/1.1\r\n" + H + b"\r\n",
    "high byte in the method": b"G\xc9T / HTTP/1.1\r\n" + H + b"\r\n",
    "no method": b" / HTTP/1.1\r\n" + H + b"\r\n",
    "no target": b"GET HTTP/1.1\r\n" + H + b"\r\n",
    "no version": b"GET /\r\n" + H + b"\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "two spaces before the target": b"GET  / HTTP/1.1\r\n" + H + b"\r\n",
    "two spaces after the target": b"GET /  HTTP/1.1\r\n" + H + b"\r\n",
    "tab for a space": b"GET\t/ HTTP/1.1\r\n" + H + b"\r\n",
    "space in the target": b"GET /a b HTTP/1.1\r\n" + H + b"\r\n",
    "words after the version": b"GET / HTTP/1.1 x\r\n" + H + b"\r\n",
    "space after the version": b"GET / HTTP/1.1 \r\n" + H + b"\r\n",
    "version in small letters": b"GET / http/1.1\r\n" + H + b"\r\n",
    "another protocol": b"GET / ICY/1.1\r\n" + H + b"\r\n",
    "version without minor": b"GET / HTTP/1\r\n" + H + b"\r\n",
    "version with more digits": b"GET / HTTP/1.10\r\n" + H + b"\r\n",
    "version with letters": b"GET / HTTP/x.y\r\n" + H + b"\r\n",
    "target without slash": b"GET foo HTTP/1.1\r\n" + H + b"\r\n",
    "asterisk for GET": b"GET * HTTP/1.1\r\n" + H + b"\r\n",
    "control byte in the target": b"GET /\x01 HTTP/1.1\r\n" + H + b"\r\n",
    "DEL in the target": b"GET /\x7f HTTP/1.1\r\n" + H + b"\r\n",
    "another scheme": b"GET ftp://a/ HTTP/1.1\r\n" + H + b"\r\n",
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00\r\n" * 20 + b"\r\n\r\n",
    "an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
}

HOSTS = {
    "no Host": b"GET / HTTP/1.1\r\nX-A: 1\r\n\r\n",
    "no headers": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": get(b"Host: b\r\n"),
    "the same Host twice": get(b"Host: a\r\n"),
    "Host in two cases": get(b"HOST: a\r\n"),
    "Host with a space": get(host=b"Host: a b\r\n"),
    "Host with a slash": get(host=b"Host: a/b\r\n"),
    "Host with userinfo": get(host=b"Host: x@a\r\n"),
    "Host with a query": get(host=b"Host: a?b\r\n"),
    "Host with a backslash": get(host=b"Host: a\\b\r\n"),
    "Host with a bad port": get(host=b"Host: a:8x\r\n"),
    "absolute-form for another host": b"GET http://b/ HTTP/1.1\r\n" + H + b"\r\n",
    "absolute-form for another port": b"GET http://a:81/ HTTP/1.1\r\n" + H + b"\r\n",
    "absolute-form with userinfo": b"GET http://x@a/ HTTP/1.1\r\n" + H + b"\r\n",
    "absolute-form without a host": b"GET http:/// HTTP/1.1\r\n" + H + b"\r\n",
}

LIMITS = {
    "a long target": b"GET /" + b"a" * (65 << 10) + b" HTTP/1.1\r\n" + H + b"\r\n",
    "a long value": get(b"X-A: " + b"a" * (65 << 10) + b"\r\n"),
    "a long name": get(b"X" * (65 << 10) + b": 1\r\n"),
    "many long headers": get(*[b"X-%d: %s\r\n" % (n, b"a" * 1024) for n in range(70)]),
    "too many headers": get(*[b"X-%d: v\r\n" % n for n in range(128)]),
    "a head without an end": b"GET / HTTP/1.1\r\n" + H + b"X-A: " + b"a" * (65 << 10),
    "a request line without an end": b"GET /" + b"a" * (65 << 10),
}

CHUNKED = {
    "size with a letter": b"g\r\nabc\r\n0\r\n\r\n",
    "size empty": b"\r\nabc\r\n0\r\n\r\n",
    "size negative": b"-3\r\nabc\r\n0\r\n\r\n",
    "size with plus": b"+3\r\nabc\r\n0\r\n\r\n",
    "size in 0x": b"0x3\r\nabc\r\n0\r\n\r\n",
    "size behind a space": b" 3\r\nabc\r\n0\r\n\r\n",
    "size with underscore": b"0_3\r\nabc\r\n0\r\n\r\n",
    "size with junk": b"3 x\r\nabc\r\n0\r\n\r\n",
    "size ends in LF": b"3\nabc\r\n0\r\n\r\n",
    "size ends in CR": b"3\rabc\r\n0\r\n\r\n",
    "size over 2^53": b"20000000000001\r\nabc",
    "size of 2^64 and 3": b"10000000000000003\r\nabc\r\n0\r\n\r\n",
    "size without an end": b"0" * 70_000,
    "chunk longer than its size": b"3\r\nabcd\r\n0\r\n\r\n",
    "chunk shorter than its size": b"3\r\nab\r\n0\r\n\r\n",
    "chunk ends in LF": b"3\r\nabc\n0\r\n\r\n",
    "chunk ends in CR": b"3\r\nabc\r0\r\n\r\n",
    "LF in an extension": b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "CR in an extension": b"3;a\rb\r\nabc\r\n0\r\n\r\n",
    "NUL in an extension": b"3;a\x00b\r\nabc\r\n0\r\n\r\n",
    "extension without an end": b"3;" + b"a" * 70_000,
    "last chunk ends in LF": b"3\r\nabc\r\n0\n\r\n",
    "end of trailers is LF": b"3\r\nabc\r\n0\r\nX: 1\r\n\n",
    "LF in trailers": b"3\r\nabc\r\n0\r\nX: 1\nY: 2\r\n\r\n",
    "fold in trailers": b"3\r\nabc\r\n0\r\nX: 1\r\n 2\r\n\r\n",
    "space before a trailer's colon": b"3\r\nabc\r\n0\r\nX : 1\r\n\r\n",
    "trailer without a colon": b"3\r\nabc\r\n0\r\nX\r\n\r\n",
    "bad trailer name": b"3\r\nabc\r\n0\r\nX(: 1\r\n\r\n",
    "trailers over the limits": b"3\r\nabc\r\n0\r\nX: " + b"a" * (65 << 10) + b"\r\n\r\n",
    "too many trailers": chunked(b"abc", trailers=(b"X: 1",) * 129),
}


def cases(*groups: dict[str, bytes]) -> pytest.MarkDecorator:
    """Parameters with the group's own words as ids."""
    every = [(name, raw) for group in groups for name, raw in group.items()]
    return pytest.mark.parametrize(
        "raw", [raw for _, raw in every], ids=[name for name, _ in every]
    )
