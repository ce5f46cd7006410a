"""Heads as they are sent on: what came, byte for byte, but for what a proxy must change (spec 2.1)."""

from proxy.call import Header, RequestHead
from proxy.reply import Reply

HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade"}
)  # RFC 9110 7.6.1
_NOT_ANSWERED_WITH_BODY = frozenset({204, 304})
# A Connection header may name any field as hop by hop. These say what the message is, and stay.
_NEVER_DROPPED = frozenset({b"host", b"content-length", b"content-type", b"content-encoding", b"via"})


def dropped_names(headers_by_name: dict[bytes, bytes]) -> frozenset[bytes]:
    """The names that a message's Connection header adds to those which are always hop by hop."""
    connection = headers_by_name.get(b"connection")
    if connection is None:
        return HOP_BY_HOP
    tokens = {token.strip().lower() for token in connection.split(b",")} - _NEVER_DROPPED
    return HOP_BY_HOP if tokens <= HOP_BY_HOP | {b"close"} else HOP_BY_HOP | tokens


class RequestWriter:
    """Writes the heads of the requests to one upstream."""

    def __init__(
        self,
        base: bytes,
        host: bytes | None,
        instance: str,
        credential: tuple[bytes, bytes] | None = None,
    ) -> None:
        """`base` goes before each target, `host` replaces Host (None: the agent's stays)."""
        self._base = base
        self._host = host
        self._via = {minor: b"Via: 1.%d holdfast-%b\r\n" % (minor, instance.encode()) for minor in (0, 1)}
        self._dropped: frozenset[bytes] = frozenset({b"host"} if host is not None else ())
        self._own = b"" if host is None else b"Host: " + host + b"\r\n"
        if credential is not None:
            name, value = credential
            self._dropped |= {b"authorization", b"x-api-key"}
            self._own += name + b": " + value + b"\r\n"

    def head(self, head: RequestHead, target: bytes, extra: bytes, *, expect: bool) -> bytes:
        """The head for one attempt; `extra` are whole lines, `expect` lets an expectation through."""
        dropped = dropped_names(head.fields)
        own = self._dropped
        parts = [head.method.encode(), b" ", self._base, target, b" HTTP/1.1\r\n", self._own]
        for lower, name, value in head.headers:
            if lower in dropped or lower in own or lower.startswith(b"holdfast-"):
                continue
            if lower == b"expect" and not expect:
                continue
            parts += (name, b": ", value, b"\r\n")
        if head.chunked:
            parts.append(b"Transfer-Encoding: chunked\r\n")
        if head.upgrade:
            parts.append(b"Connection: Upgrade\r\nUpgrade: " + head.fields[b"upgrade"] + b"\r\n")
        parts += (extra, self._via[head.minor_version], b"\r\n")
        return b"".join(parts)


def answers_without_body(method: str, status: int) -> bool:
    """Has the answer no body, whatever its headers say (RFC 9110 6.4.1)?"""
    return method == "HEAD" or status in _NOT_ANSWERED_WITH_BODY or 100 <= status < 200


def answer_head(reply: Reply, framing: bytes, extra: bytes) -> bytes:
    """The head of an answer to the agent; `framing` and `extra` are whole lines."""
    dropped = dropped_names(reply.fields)
    parts = [b"HTTP/1.1 %d " % reply.status, reply.reason, b"\r\n"]
    for lower, name, value in reply.headers:
        if lower in dropped or lower.startswith(b"holdfast-"):
            continue
        parts += (name, b": ", value, b"\r\n")
    parts += (framing, extra, b"\r\n")
    return b"".join(parts)


def interim_head(status: int, reason: bytes, headers: list[Header]) -> bytes:
    """A 1xx, passed on."""
    parts = [b"HTTP/1.1 %d " % status, reason, b"\r\n"]
    for lower, name, value in headers:
        if lower not in HOP_BY_HOP and not lower.startswith(b"holdfast-"):
            parts += (name, b": ", value, b"\r\n")
    parts.append(b"\r\n")
    return b"".join(parts)


def trailer_section(trailers: list[Header]) -> bytes:
    """The end of a chunked body."""
    if not trailers:
        return b"0\r\n\r\n"
    parts = [b"0\r\n"]
    for lower, name, value in trailers:
        if not lower.startswith(b"holdfast-"):
            parts += (name, b": ", value, b"\r\n")
    parts.append(b"\r\n")
    return b"".join(parts)
