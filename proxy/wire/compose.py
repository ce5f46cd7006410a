"""Heads as they are sent on: byte for byte, but for what a proxy must change (spec 2.1)."""

from collections.abc import Sequence

from msgspec.structs import replace

from proxy.call import Header, RequestHead

HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade"}
)  # RFC 9110 7.6.1
_NOT_ANSWERED_WITH_BODY = frozenset({204, 304})
# A Connection header may name any field as hop by hop. These say what the message is, and stay.
_NEVER_DROPPED = frozenset(
    {b"host", b"content-length", b"content-type", b"content-encoding", b"via"}
)


def dropped_names(headers_by_name: dict[bytes, bytes]) -> frozenset[bytes]:
    """The names that a message's Connection header adds to those which are always hop by hop."""
    connection = headers_by_name.get(b"connection")
    if connection is None:
        return HOP_BY_HOP
    tokens = {token.strip().lower() for token in connection.split(b",")} - _NEVER_DROPPED
    return HOP_BY_HOP if tokens <= HOP_BY_HOP | {b"close"} else HOP_BY_HOP | tokens


def lines_to_pass_on(
    headers: list[Header], fields: dict[bytes, bytes], without: frozenset[bytes]
) -> bytes:
    """The header lines that go on: all but those of this hop, ours, and `without`."""
    dropped = dropped_names(fields)
    parts: list[bytes] = []
    for lower, name, value in headers:
        if lower not in dropped and lower not in without and not lower.startswith(b"holdfast-"):
            parts += (name, b": ", value, b"\r\n")
    return b"".join(parts)


def with_content(head: RequestHead, content: bytes) -> RequestHead:
    """The head of the same request with another body, all of which goes with it."""
    length = b"%d" % len(content)
    headers = [
        (lower, name, length if lower == b"content-length" else value)
        for lower, name, value in head.headers
    ]
    if b"content-length" not in head.fields:
        headers.append((b"content-length", b"Content-Length", length))
    fields = {**head.fields, b"content-length": length}
    return replace(
        head,
        headers=headers,
        fields=fields,
        lines=lines_to_pass_on(headers, fields, REWRITTEN),
        length=len(content),
        chunked=False,
        worked_out={},
    )


_OF_OTHER_BYTES = frozenset(
    {
        *(b"content-length", b"content-encoding", b"content-md5", b"digest", b"content-digest"),
        *(b"repr-digest", b"etag"),
    }
)
"""What was said of the bytes of an answer, and is not so of others."""


def with_length(lines: bytes, length: int) -> bytes:
    """The head of an answer, whose body is another one, of so many bytes and without a coding."""
    first, *headers = lines.removesuffix(b"\r\n").split(b"\r\n")
    kept = [
        line for line in headers if line.partition(b":")[0].strip().lower() not in _OF_OTHER_BYTES
    ]
    return b"\r\n".join([first, *kept, b"content-length: %d" % length, b""])


NOT_OURS = (
    HOP_BY_HOP | _NEVER_DROPPED | {b"authorization", b"cookie", b"expect", b"trailer", b"x-api-key"}
)
"""What the wire itself reads or writes: no policy may put something else into these."""

REWRITTEN = frozenset({b"host", b"expect"})
_NONE: frozenset[bytes] = frozenset()
_CREDENTIALS = frozenset({b"authorization", b"x-api-key"})


class RequestWriter:
    """Writes the heads of the requests to one upstream."""

    def __init__(
        self,
        base: bytes,
        host: bytes | None,
        instance: str,
        credentials: tuple[tuple[bytes, bytes], ...] = (),
        signs: frozenset[bytes] = _NONE,
    ) -> None:
        """`base` goes before each target, `host` replaces Host (None: the agent's stays).

        Each of the `credentials` is the name and value of a header line; one of them is sent.
        Those of an agent's `signs` do not go on.
        """
        self._base = base
        self._via = tuple(
            b"Via: 1.%d holdfast-%b\r\n\r\n" % (minor, instance.encode()) for minor in (0, 1)
        )
        self._version = (
            b" HTTP/1.1\r\n" if host is None else b" HTTP/1.1\r\nHost: " + host + b"\r\n"
        )
        self._without = signs if host is None else signs | {b"host"}
        self._signs = signs
        self._keeps_host = host is None
        self._credentials: tuple[bytes, ...] = (b"",)
        self._replaced = _NONE
        if credentials:
            self._replaced = _CREDENTIALS | {name.lower() for name, _ in credentials}
            self._without |= self._replaced
            self._credentials = tuple(b"%b: %b\r\n" % credential for credential in credentials)

    def head(
        self, head: RequestHead, target: bytes, extra: bytes, *, expect: bool, credential: int = 0
    ) -> bytes:
        """The head for one attempt; `extra` are whole lines, `expect` passes an expectation on."""
        lines = head.lines
        fields = head.fields
        replaced = self._replaced and not self._replaced.isdisjoint(fields)
        if head.signs and self._signs and not self._signs.isdisjoint(fields):
            replaced = True
        if self._keeps_host or replaced or b"expect" in fields:
            answered = head.expects_continue and not expect  # by ourselves
            without = self._without | {b"expect"} if answered else self._without
            lines = lines_to_pass_on(head.headers, fields, without)
        if head.chunked:
            lines += b"Transfer-Encoding: chunked\r\n"
        elif head.upgrade:
            lines += b"Connection: Upgrade\r\nUpgrade: " + fields[b"upgrade"] + b"\r\n"
        base = self._base if target != b"*" else b""
        return b"".join(
            (
                head.method.encode(), b" ", base, target, self._version,
                lines, self._credentials[credential], extra, self._via[head.minor_version],
            )
        )  # fmt: skip


def answers_without_body(method: str, status: int) -> bool:
    """Has the answer no body, whatever its headers say (RFC 9110 6.4.1)?"""
    return method == "HEAD" or status in _NOT_ANSWERED_WITH_BODY or 100 <= status < 200


def answer_lines(
    status: int, reason: bytes, headers: list[Header], fields: dict[bytes, bytes]
) -> bytes:
    """Status line and headers of an answer, as they go to the agent."""
    return b"HTTP/1.1 %d %b\r\n%b" % (status, reason, lines_to_pass_on(headers, fields, _NONE))


def trailer_section(trailers: Sequence[Header]) -> bytes:
    """The end of a chunked body."""
    if not trailers:
        return b"0\r\n\r\n"
    parts = [b"0\r\n"]
    for lower, name, value in trailers:
        if not lower.startswith(b"holdfast-"):
            parts += (name, b": ", value, b"\r\n")
    parts.append(b"\r\n")
    return b"".join(parts)
