"""Plain HTTP: what every call is that no other protocol knows."""

import math
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from proxy.call import Call, Effect, RequestHead, Whole
from proxy.memo import remembered
from proxy.protocols.arguments import NOTHING, Arguments
from proxy.protocols.canonical import Canonical
from proxy.protocols.failing import used_up
from proxy.protocols.hearing import Hearing
from proxy.protocols.made import Made
from proxy.protocols.protocol import Described, Reads, Rules, Spelled
from proxy.protocols.sse import event
from proxy.protocols.statuses import executed_by, result_of
from proxy.refusal import Refusal
from proxy.reply import NEVER_SENT, SUCCESS, Executed, Failure, Reply, Result

_EFFECTS = {
    "GET": Effect.READ,
    "HEAD": Effect.READ,
    "OPTIONS": Effect.READ,
    "PUT": Effect.IDEMPOTENT,
    "DELETE": Effect.IDEMPOTENT,
}
_ID = re.compile(
    r"\d+|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{16,}|(?=[^/]*\d)[A-Za-z0-9_-]{20,}"
    r"|[A-Za-z]{1,8}[_-](?=[^/]*\d)[A-Za-z0-9]{6,}"
)
# A key with what stands around it (`bot7:…`, `x;session=…`) or in parts (a JWT). Not the escapes of
# letters: words of other scripts are long, and have digits.
_KEY = re.compile(
    r"(?<![\w%~+-])(?=(?>[A-Za-z_~+=-]++|%2[BF]|%3D)*+\d)"
    r"(?>[A-Za-z0-9_~+=-]|%2[BF]|%3D){20,}+(?![\w%~+-])",
    re.ASCII,
)
# What is given along (`;token=…`, a query whose mark is escaped), and people's addresses.
_GIVEN = re.compile(r"(?:=|%3D).|[^/](?:@|%40)[A-Za-z0-9.-]*\.[A-Za-z]{2,}")
_UNRESERVED = re.compile(rb"%(?:2[dDeE]|3[0-9]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aAeE])")
IS_LINE = re.compile(r"[A-Z-]+ /[!-~]*")
"""A tool of plain HTTP, as policies and metrics have it."""
_STREAMS = (b"text/event-stream", b"application/x-ndjson")
_ESCAPE = re.compile(rb"%[0-9a-fA-F]{2}")
_LONGEST_TOOL = 256

_YES = Executed.YES  # looking into an enum costs more than the rest


@remembered
def matched_path(target: bytes) -> str:
    """The path that policies match: no query, letters and digits unescaped, other escapes in
    capitals, dot segments resolved.

    What goes upstream keeps its bytes. But a rule for `/admin` must also see `/%61dmin` and
    `/x/../admin` (RFC 3986 6.2.2).
    """
    path = target.partition(b"?")[0]
    if b"%" in path:
        path = _UNRESERVED.sub(lambda match: unquote_to_bytes(match[0]), path)
        path = _ESCAPE.sub(lambda match: match[0].upper(), path)
    if b"/." in path or b"//" in path:
        path = _without_dots(path)
    return path.decode("latin-1")


@remembered
def climbs_out(target: bytes) -> bool:
    """Do its dot segments lead above where it begins?"""
    path = _UNRESERVED.sub(lambda match: unquote_to_bytes(match[0]), target.partition(b"?")[0])
    if b".." not in path:
        return False
    depth = 0
    for segment in path.replace(b"\\", b"/").split(b"/")[1:]:
        depth += -1 if segment == b".." else segment not in {b".", b""}
        if depth < 0:
            return True
    return False


def _without_dots(path: bytes) -> bytes:
    kept: list[bytes] = []
    segments = path.split(b"/")[1:]
    for segment in segments:
        if segment == b"..":
            del kept[-1:]
        elif segment not in {b".", b""}:
            kept.append(segment)
    ends_open = segments[-1] in {b"", b".", b".."} and kept
    return b"/" + b"/".join(kept) + (b"/" if ends_open else b"")


@remembered
def folded(path: str) -> str:
    """The path with what looks like an id in place of a segment written as `{id}`.

    Also what looks like a key, or is a value with its name before it: a tool's name is in records,
    metrics and spans, which many may read.
    """
    segments = ["{id}" if _names_one(segment) else segment for segment in path.split("/")]
    return "/".join(segments)[:_LONGEST_TOOL]


def _names_one(segment: str) -> bool:
    return bool(_ID.fullmatch(segment) or _KEY.search(segment) or _GIVEN.search(segment))


class Http:
    """Anything: the tool is its method and path."""

    name = "http"
    layer = "http"
    names_tools = False
    has_kinds = False
    listens = False
    has_results = False
    asks_for_streams = False

    def reads(self, head: RequestHead) -> Reads:
        """Nothing: any body passes as it comes."""
        return Reads.NOTHING

    def spell(self, tool: str, method: str, target: bytes, content: bytes) -> Spelled:
        """See Protocol."""
        if tool and not IS_LINE.fullmatch(tool):
            raise ValueError("a tool of plain HTTP is a method and a path, such as GET /orders/7")
        named, _, path = tool.partition(" ")
        usual = "POST" if content else "GET"
        return Spelled(method or named or usual, target or path.encode() or b"/", content)

    def recognise(self, call: Call, content: bytes | None, rules: Rules) -> Refusal | None:
        """See Protocol."""
        if rules.base and climbs_out(call.target):
            return Refusal("ambiguous_call", "the path leads out of the upstream's own")
        call.protocol = "http"
        call.layer = "http"
        call.path = path = matched_path(call.target)
        method = call.head.method
        call.tool = f"{method} {folded(path)}"
        call.usual_effect = _EFFECTS.get(method, Effect.WRITE)
        return None

    def describe(self, call: Call) -> Described:
        """See Protocol."""
        return Described(call.operation)

    def arguments(self, call: Call) -> Arguments:
        """See Protocol: nothing, its body is not read."""
        return NOTHING

    def canonical(self) -> Canonical | None:
        """See Protocol: a body may be anything."""
        return None

    def amends(self, call: Call, content: bytes) -> bytes | None:
        """See Protocol: no body is touched."""
        return None

    def looks_read(self, beginning: bytes) -> bool:
        """See Protocol."""
        return False

    def streams(self, reply: Reply) -> bool:
        """See Protocol; an upgraded connection is one too."""
        kind = reply.fields.get(b"content-type", b"").lower()
        return reply.tunnel is not None or kind.startswith(_STREAMS)

    def judge(self, reply: Reply) -> None:
        """See Protocol; the rules are those of spec 2.6 for statuses."""
        if reply.failure is not None:
            reply.result = _of_failure(reply.failure)
            reply.executed = Executed.NO if reply.failure in NEVER_SENT else Executed.UNKNOWN
            return
        status = reply.status
        if status < 400:
            reply.result = SUCCESS
            reply.executed = _YES
        else:
            reply.result, reply.quota_exhausted = _of_error(reply, status)
            reply.executed = executed_by(reply.result, status)

    def hears(self, call: Call, reply: Reply) -> Hearing | None:
        """See Protocol: an answer may be anything."""
        return None

    def again(self, call: Call, content: bytes, coding: bytes) -> bytes | None:
        """See Protocol: the same bytes."""
        return content

    def reads_body(self, call: Call, status: int) -> bool:
        """See Protocol: who asked for a stream reads the body of an error."""
        return status >= 400 or not call.stream

    def result(self, call: Call, result: dict[str, Any]) -> Made | None:
        """See Protocol: there are no results."""
        return None

    def refuse(self, refusal: Refusal, call: Call, attempts: int) -> Reply:
        """See Protocol: a problem."""
        return problem(refusal, call.id, attempts, call.head.fields.get(b"accept", b""))

    def breaks_off(self, refusal: Refusal, call: Call, attempts: int) -> bytes:
        """See Protocol: the problem, as an event of its own."""
        return event(b"error", msgspec.json.encode(refusal.problem(call.id, attempts)))


def problem(refusal: Refusal, call_id: str, attempts: int, accept: bytes) -> Reply:
    """Problem details (RFC 9457), or text for who accepts it."""
    told = refusal.problem(call_id, attempts)
    if b"text/markdown" in accept:
        content = _markdown(told["title"], told["message_for_model"])
        return answer(refusal, b"text/markdown; charset=utf-8", content)
    return answer(refusal, b"application/problem+json", msgspec.json.encode(told))


def as_price(judge: Callable[[Reply], None]) -> Callable[[Reply], None]:
    """A judge to whom a 402 names a price: the caller's to pay, and not the end of a quota."""

    def judged(reply: Reply) -> None:
        judge(reply)
        if reply.status == 402 and reply.failure is None:
            reply.result, reply.quota_exhausted = Result.CALLER_ERROR, False
            reply.executed = Executed.NO

    return judged


def answer(refusal: Refusal, kind: bytes, content: bytes, status: int = 0) -> Reply:
    """A reply that was made here, of this media type, with the headers that tell SDKs what to do.
    `status`: where the refusal's own is not the one that its clients understand."""
    status = status or refusal.status
    headers = [
        (b"content-type", kind),
        (b"content-length", b"%d" % len(content)),
        *_advice(refusal),
    ]
    lines = b"".join(b"%b: %b\r\n" % header for header in headers)
    return Reply(
        status=status,
        lines=b"HTTP/1.1 %d %b\r\n%b" % (status, REASONS.get(status, b"Refused"), lines),
        body=Whole(content),
        length=len(content),
        refusal=refusal,
        executed=refusal.executed,
    )


def _advice(refusal: Refusal) -> list[tuple[bytes, bytes]]:
    """Headers that tell SDKs what to do (spec 2.5)."""
    headers = [
        (b"x-should-retry", b"true" if refusal.should_retry else b"false"),
        (b"proxy-status", f"holdfast; error={refusal.kind.proxy_status}".encode()),
    ]
    if refusal.retry_after is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(refusal.retry_after))))
        headers.append((b"retry-after-ms", b"%d" % max(1, math.ceil(refusal.retry_after * 1000))))
    if refusal.quota:
        headers += _quota(refusal)
    if refusal.kind.status == 405:
        headers.append((b"allow", b"GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"))
    return headers


def _quota(refusal: Refusal) -> list[tuple[bytes, bytes]]:
    """The rate that is used up (draft-ietf-httpapi-ratelimit-headers)."""
    left = "r=0"
    if refusal.retry_after is not None:
        left += f";t={max(1, math.ceil(refusal.retry_after))}"
    return [
        (b"ratelimit-policy", f'"{refusal.policy}";{refusal.quota}'.encode()),
        (b"ratelimit", f'"{refusal.policy}";{left}'.encode()),
    ]


def _markdown(title: str, message: str) -> bytes:
    return f"# {title}\n\n{message}\n".encode()


def _of_failure(failure: Failure) -> Result:
    if failure is Failure.TRUNCATED:
        return Result.TRUNCATED
    if failure is Failure.CANCELLED:
        return Result.CANCELLED
    return Result.CALLER_ERROR if failure is Failure.BAD_REQUEST else Result.FAILURE


def _of_error(reply: Reply, status: int) -> tuple[Result, bool]:
    """The result of a status from 400 on, and whether a quota is used up."""
    if status == 429:
        content = b"" if reply.body is None else reply.body.whole or b""
        return Result.THROTTLED, used_up(content)
    if status == 503 and b"retry-after" in reply.fields:
        return Result.THROTTLED, False
    return result_of(status), status == 402


REASONS = {
    200: b"OK",
    202: b"Accepted",
    400: b"Bad Request",
    402: b"Payment Required",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    413: b"Content Too Large",
    415: b"Unsupported Media Type",
    422: b"Unprocessable Content",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
    508: b"Loop Detected",
}
