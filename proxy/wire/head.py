"""What a valid head is (spec 2.2), for requests and answers alike.

`httptools` (llhttp, strict) knows the grammar of RFC 9112. It is given one whole head and nothing
after it, a new parser for each head, so that framing the body stays ours: a parser that goes on
into the body cannot be told that an answer has none. What llhttp does not check is checked here:
sizes, counts, Host, the two ways to say how long a body is, and the form of the target.
"""

import re
from typing import TypeAlias

import httptools
import msgspec

from proxy.call import SIGNS, Header, RequestHead
from proxy.memo import Memo
from proxy.wire.compose import REWRITTEN, answer_lines, answers_without_body, lines_to_pass_on

END = b"\r\n\r\n"
LARGEST_LENGTH = 1 << 53
_BARE_LF = re.compile(rb"(?<!\r)\n")
_METHOD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ ")
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%\-]+)(?::[0-9]*)?")
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#]*)([/?][^#]*)?")
_ONCE = frozenset({b"host", b"content-length", b"transfer-encoding"})
_NOT_IN_TRAILERS = frozenset(
    {b"content-length", b"transfer-encoding", b"host", b"trailer", b"te", b"connection", b"upgrade",
     b"authorization", b"content-encoding", b"content-type", b"expect", b"max-forwards"}
)  # fmt: skip


_UPGRADED = "Pause on CONNECT/Upgrade"  # said of a 101, which is all there
_REASONS = {
    "Duplicate Content-Length": "repeated_content_length",
    "Content-Length can't be present with Transfer-Encoding": "length_and_coding",
    "Transfer-Encoding can't be present with Content-Length": "length_and_coding",
    "Invalid character in Content-Length": "content_length",
    "Missing expected CR after header value": "bare_lf",
    "Missing expected LF after header value": "bare_cr",
    "Unexpected whitespace after header value": "obs_fold",
    "Invalid header token": "header_name",
    "Invalid header value char": "header_value",
}


class BadMessage(msgspec.Struct, frozen=True):
    """Why a message is refused at the door."""

    reason: str  # a label of holdfast_bad_requests_total
    code: str  # of the refusal
    detail: str


class AnswerHead(msgspec.Struct, gc=False):
    """The head of an answer, as valid as a request's must be."""

    status: int
    lines: bytes  # status line and headers, as they go to the agent
    fields: dict[bytes, bytes]
    length: int | None
    chunked: bool
    keep_alive: bool
    bodied: bool = True  # its status allows a body


class Limits(msgspec.Struct, frozen=True):
    """How large a head may be."""

    header_bytes: int = 64 << 10
    headers: int = 128


Parsed: TypeAlias = RequestHead | BadMessage

_REMEMBERED = 512
_LONGEST_REMEMBERED = 4096


class Heads:
    """Heads, looked up by all of their bytes: clients and servers repeat theirs again and again.

    Only good ones are remembered, and nobody changes them. One that is long, or different each
    time, costs what it costs.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.requests: Memo[bytes, Parsed] = Memo(
            lambda block: parse_request_head(block, limits),
            most=_REMEMBERED,
            longest=_LONGEST_REMEMBERED,
            keeps=_is_good,
        )
        self.answers: Memo[bytes, AnswerHead | BadMessage] = Memo(
            lambda block: parse_answer_head(block, limits),
            most=_REMEMBERED,
            longest=_LONGEST_REMEMBERED,
            keeps=_is_good,
        )


def _is_good(head: RequestHead | AnswerHead | BadMessage) -> bool:
    return not isinstance(head, BadMessage)


class _Lines:
    """Collects what llhttp finds."""

    __slots__ = ("headers", "reason", "target")

    def __init__(self) -> None:
        self.headers: list[Header] = []
        self.target = b""
        self.reason = b""

    def on_url(self, piece: bytes) -> None:
        self.target += piece

    def on_status(self, piece: bytes) -> None:
        self.reason += piece

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), name, value))


def _fields(headers: list[Header]) -> dict[bytes, bytes] | BadMessage:
    """Lower-case name → value; of a repeated name all, as a list (RFC 9110 5.3)."""
    fields = {lower: value for lower, _, value in headers}
    if len(fields) == len(headers):
        return fields
    for name in {lower for lower, _, _ in headers}:
        fields[name] = b", ".join(value for lower, _, value in headers if lower == name)
    for name in _ONCE:
        if sum(lower == name for lower, _, _ in headers) > 1:
            word = name.decode()
            return _bad(f"repeated_{word.replace('-', '_')}", f"{word} is repeated")
    return fields


def _without_padding(headers: list[Header]) -> list[Header]:
    # llhttp leaves the white space after a value, which is no part of it (RFC 9112 5.1).
    return [(lower, name, value.rstrip(b" \t")) for lower, name, value in headers]


def unfinished(block: bytes | bytearray, limits: Limits, known: int = 0) -> BadMessage | None:
    """What is already wrong with a head whose end has not come; `known` bytes were looked at."""
    if len(block) > limits.header_bytes:
        return too_large(limits)
    if _BARE_LF.search(block, max(0, known - 1)):
        return _bad("bare_lf", "a line ends with LF alone; lines end with CRLF")
    return None


def parse_request_head(block: bytes, limits: Limits) -> Parsed:
    """The head in `block`, which ends with its empty line; or why it is refused."""
    if len(block) > limits.header_bytes:
        return too_large(limits)
    lines = _Lines()
    parser = httptools.HttpRequestParser(lines)
    try:
        parser.feed_data(block)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserInvalidMethodError:
        return _unknown_method(block)
    except httptools.HttpParserError as error:
        return _malformed(error)
    return _request(block, lines, parser.get_method().decode("ascii"), limits)


def _request(block: bytes, lines: _Lines, method: str, limits: Limits) -> Parsed:
    headers = _checked(block, lines.headers, limits)
    if isinstance(headers, BadMessage):
        return headers
    fields = _fields(headers)
    if isinstance(fields, BadMessage):
        return fields
    minor = _minor_version(block, method, lines.target)
    if minor is None:
        return _bad(
            "request_line",
            "the first line is not: method, target, HTTP/1.0 or HTTP/1.1, parted by one space",
        )
    wrong = _wrong_framing(fields, minor) or _wrong_host(fields, minor)
    if wrong is not None:
        return wrong
    if method == "CONNECT":
        return BadMessage(
            "connect", "method_refused", "CONNECT is refused: this proxy does not tunnel to hosts"
        )
    target = _origin_form(method, lines.target, fields)
    if isinstance(target, BadMessage):
        return target
    length = fields.get(b"content-length")
    head = RequestHead(
        method=method,
        target=target,
        minor_version=minor,
        headers=headers,
        fields=fields,
        lines=lines_to_pass_on(headers, fields, REWRITTEN),
        length=None if length is None else int(length),
        chunked=b"transfer-encoding" in fields,
        signs=not SIGNS.isdisjoint(fields),
    )
    connection = fields.get(b"connection")
    if connection is not None or minor == 0:
        _connection(head, connection or b"")
    # RFC 9110 10.1.1: ignored from a 1.0 client, and without a body there is nothing to wait for.
    head.expects_continue = (
        fields.get(b"expect", b"").lower() == b"100-continue"
        and minor == 1
        and bool(head.length or head.chunked)
    )
    return head


def _connection(head: RequestHead, connection: bytes) -> None:
    tokens = {token.strip() for token in connection.lower().split(b",")}
    head.keep_alive = b"close" not in tokens and (
        head.minor_version == 1 or b"keep-alive" in tokens
    )
    head.upgrade = (
        b"upgrade" in tokens
        and b"upgrade" in head.fields
        and head.minor_version == 1
        and head.length is None
        and not head.chunked
        # h2c would carry calls that no policy sees (and RFC 9113 has withdrawn it).
        and b"h2c" not in head.fields[b"upgrade"].lower()
    )


def _minor_version(block: bytes, method: str, target: bytes) -> int | None:
    # llhttp also takes other versions, other protocols and two spaces. One look at the end of the
    # line and at its length rules all of them out.
    end = block.find(b"\r\n")
    if end != len(method) + len(target) + 10:
        return None
    version = block[end - 9 : end]
    return 1 if version == b" HTTP/1.1" else 0 if version == b" HTTP/1.0" else None


def _checked(block: bytes, headers: list[Header], limits: Limits) -> list[Header] | BadMessage:
    if len(headers) > limits.headers:
        return BadMessage(
            "too_many_headers", "head_too_large", f"more than {limits.headers} header lines"
        )
    return _without_padding(headers) if b" \r\n" in block or b"\t\r\n" in block else headers


def _wrong_framing(fields: dict[bytes, bytes], minor: int) -> BadMessage | None:
    length = fields.get(b"content-length")
    coding = fields.get(b"transfer-encoding")
    if length is not None and coding is not None:
        return _bad("length_and_coding", "both Content-Length and Transfer-Encoding are given")
    if length is not None and (
        not length.isdigit() or len(length) > 16 or int(length) > LARGEST_LENGTH
    ):
        return _bad("content_length", "Content-Length is not a number of bytes")
    if coding is not None and (coding.lower() != b"chunked" or minor == 0):
        return _bad("transfer_encoding", "the only Transfer-Encoding is chunked, on HTTP/1.1")
    return None


def _wrong_host(fields: dict[bytes, bytes], minor: int) -> BadMessage | None:
    host = fields.get(b"host")
    if host is None:
        return _bad("no_host", "HTTP/1.1 needs a Host") if minor == 1 else None
    if host and not _HOST.fullmatch(host):
        return _bad("bad_host", "Host is not a host and port")
    return None


def _origin_form(method: str, target: bytes, fields: dict[bytes, bytes]) -> bytes | BadMessage:
    """The path and query of the target, byte for byte."""
    if b"#" in target:
        return _bad("target", "the target has a fragment")
    if target.startswith(b"/"):
        return target
    if target == b"*" and method == "OPTIONS":
        return target
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        return _bad("target", "the target is neither a path nor an absolute URI")
    if absolute[1].lower() != fields.get(b"host", absolute[1]).lower():
        return _bad("authority", "the target names another authority than Host")
    path = absolute[2] or b"/"
    return path if path.startswith(b"/") else b"/" + path


def parse_answer_head(block: bytes, limits: Limits) -> AnswerHead | BadMessage:
    """The head in `block`, which ends with its empty line; or why the answer is not valid HTTP."""
    if len(block) > limits.header_bytes:
        return too_large(limits)
    lines = _Lines()
    parser = httptools.HttpResponseParser(lines)
    try:
        parser.feed_data(block)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as error:
        if str(error) != _UPGRADED:
            return _malformed(error)
    headers = _checked(block, lines.headers, limits)
    if isinstance(headers, BadMessage):
        return headers
    fields = _fields(headers)
    if isinstance(fields, BadMessage):
        return fields
    version, status = block[:9], parser.get_status_code()
    if version not in {b"HTTP/1.1 ", b"HTTP/1.0 "} or status < 100:
        return _bad(
            "status_line",
            "the first line is not: HTTP/1.0 or HTTP/1.1, a status from 100 on, a reason",
        )
    minor = 1 if version == b"HTTP/1.1 " else 0
    wrong = _wrong_framing(fields, minor)
    if wrong is not None:
        return wrong
    length = fields.get(b"content-length")
    connection = fields.get(b"connection", b"").lower()
    return AnswerHead(
        status=status,
        lines=answer_lines(status, lines.reason, headers, fields),
        fields=fields,
        length=None if length is None else int(length),
        chunked=b"transfer-encoding" in fields,
        keep_alive=b"keep-alive" in connection if minor == 0 else b"close" not in connection,
        bodied=not answers_without_body("GET", status),
    )


def parse_trailers(block: bytes, limits: Limits) -> list[Header] | BadMessage:
    """The trailer section in `block`, which ends with its empty line."""
    lines = _Lines()
    parser = httptools.HttpRequestParser(lines)
    parser.feed_data(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    lines.headers.clear()
    try:
        parser.feed_data(b"0\r\n" + block)
    except httptools.HttpParserError as error:
        return _malformed(error)
    headers = _checked(block, lines.headers, limits)
    if isinstance(headers, BadMessage):
        return headers
    for lower, _, _ in headers:
        if lower in _NOT_IN_TRAILERS:
            return _bad("trailer", f"{lower.decode()} must not come in trailers")
    return headers


def _unknown_method(block: bytes) -> BadMessage:
    if _METHOD.match(block):
        return BadMessage(
            "unknown_method", "unknown_method", "this method is not one of HTTP's registered ones"
        )
    return _bad("method", "the method holds bytes that are not allowed")


def _malformed(error: httptools.HttpParserError) -> BadMessage:
    # llhttp's reasons are fixed sentences; they hold nothing of the message.
    return _bad(_REASONS.get(str(error), "malformed"), str(error) or "not valid HTTP/1.1")


def too_large(limits: Limits) -> BadMessage:
    """What a head over the limit is refused with."""
    return BadMessage(
        "head_too_large", "head_too_large", f"the head is larger than {limits.header_bytes} bytes"
    )


def _bad(reason: str, detail: str) -> BadMessage:
    return BadMessage(reason, "bad_request", detail)
