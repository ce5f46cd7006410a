"""What people are asked about a call: the request, what it is bound to, what they are shown of it.

A request is bound to one call by a digest over all that makes it that call: who asks, for what
work, of which upstream and tool, method and target, and the exact bytes of the body. Each part
stands there with its length, so that no end of one can pass for the beginning of the next. The
headers that people are shown are bound as well: what somebody said yes to is what goes. Of those
that may be a secret people see the name only, and they are bound all the same, for such a one may
say for whom, or from which account. Credentials that clients renew are neither shown nor bound, nor
is what differs from one repetition of a client to the next, in its head or its body (the id of a
JSON-RPC request); of all of them the list is closed.

Of all that, the journal has the digest alone. What is shown is kept encrypted beside it
(`proxy/journal/exhibits.py`) and destroyed when the request is over.
"""

import hashlib
from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec

from proxy.call import Call, RequestHead
from proxy.state.shelf import says_who

LARGEST = 1 << 20
"""Bytes of the largest body that people can be shown."""
HIDDEN = "(not shown)"
"""In the place of what may be a secret."""


class Terms(msgspec.Struct, frozen=True):
    """How people are asked. Seconds, all of them."""

    policy: str
    needs: int = 1  # so many different people; 0: none, but it is listed
    groups: tuple[str, ...] = ()  # whoever decides is in one of them; empty: anybody who may
    expires: float = 900.0  # nobody decides later
    replay: float = 600.0  # its answer is given again to the same call
    why: str = "approval"  # approval | budget | loop | escalated | fallback
    detail: str = ""  # for people, in a few words; never of the payload
    place: str = ""  # where its upstream is


class Requested(msgspec.Struct, frozen=True, omit_defaults=True):
    """People are asked. Milliseconds since 1970 (`_ms`)."""

    id: str
    digest: str  # SHA-256, of the call that it is bound to
    call: str  # the id of the first such call
    agent: str
    upstream: str
    tool: str
    method: str
    policy: str
    needs: int
    asked_ms: int
    expires_ms: int
    replay_ms: int = 0  # so long its answer is given again
    why: str = "approval"
    groups: tuple[str, ...] = ()
    workflow: str = ""
    task: str = ""
    detail: str = ""
    place: str = ""  # the URL of its upstream: a yes is for that one, whatever has its name later
    type: ClassVar[str] = "approval.requested"

    def meets(self, terms: Terms) -> bool:
        """Would the same be asked by these terms, or less?"""
        same = self.groups == terms.groups and self.place == terms.place
        return same and self.needs >= terms.needs


class Decided(msgspec.Struct, frozen=True, omit_defaults=True):
    """Somebody has decided."""

    id: str  # the request's
    decision: str  # approve | deny
    by: str
    reason: str = ""
    break_glass: bool = False  # one person stood for all
    pod: str = ""  # where it was said, if it was at another one
    type: ClassVar[str] = "approval.decided"


class Consumed(msgspec.Struct, frozen=True):
    """The call is about to be sent. It is never sent again."""

    id: str
    call: str  # under this id
    until_ms: int  # the same call is told of it so long, and is then asked about anew
    type: ClassVar[str] = "approval.consumed"


class Expired(msgspec.Struct, frozen=True):
    """Nothing comes of it any more."""

    id: str
    why: str  # time | changed | journal | disk | crowded
    type: ClassVar[str] = "approval.expired"


class Exhibit(msgspec.Struct, frozen=True):
    """What people are shown of a call."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def encoded(self) -> bytes:
        """To be kept."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def decoded(cls, content: bytes) -> "Exhibit":
        """As it was encoded."""
        return msgspec.msgpack.decode(content, type=cls)


def shown(head: RequestHead) -> tuple[tuple[str, str], ...]:
    """The headers that matter: without the values of secrets."""
    return tuple(
        (lower.decode("latin-1"), HIDDEN if says_who(lower) else value.decode("latin-1"))
        for lower, value in _that_matter(head)
    )


def _that_matter(head: RequestHead) -> Iterator[tuple[bytes, bytes]]:
    """Without credentials, and without what a client changes with each repetition."""
    for lower, _, value in head.headers:
        if lower not in _PASSING and lower not in _RENEWED and not lower.startswith(_KINDS):
            yield lower, value


def exhibit(call: Call, content: bytes) -> Exhibit:
    """All of a call that people are shown."""
    path = call.target.decode("latin-1")
    return Exhibit(call.head.method, path, shown(call.head), content)


def digest(call: Call, content: bytes, why: str) -> str:
    """What a request is bound to, as hexadecimal digits."""
    parts: list[str | bytes] = [
        *(call.agent, call.workflow, call.upstream, call.tool, call.head.method, call.target),
        content if call.means is None else call.means(content),
        why,
        *(part for header in _that_matter(call.head) for part in header),
    ]
    bound = hashlib.sha256(b"holdfast approval 1\n")
    for part in parts:
        raw = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        bound.update(len(raw).to_bytes(8, "big"))
        bound.update(raw)
    return bound.hexdigest()


def read(kind: type[Any], record: dict[str, Any]) -> Any:
    """An entry of that type out of a line of the journal; None: it is none."""
    try:
        return msgspec.convert(record, kind)
    except msgspec.ValidationError:
        return None


_PASSING = frozenset(
    {
        b"accept", b"accept-encoding", b"accept-language", b"amz-sdk-invocation-id",
        b"amz-sdk-request", b"baggage", b"cache-control", b"connection", b"content-length",
        b"date", b"expect", b"forwarded", b"grpc-previous-rpc-attempts", b"grpc-timeout", b"host",
        b"idempotency-key", b"keep-alive", b"pragma", b"prefer", b"priority", b"referer", b"te",
        b"traceparent", b"tracestate", b"trailer", b"transfer-encoding", b"upgrade", b"user-agent",
        b"via", b"x-correlation-id", b"x-envoy-attempt-count", b"x-envoy-expected-rq-timeout-ms",
        b"x-forwarded-for", b"x-forwarded-port", b"x-request-id", b"x-trace-id", b"x-workflow-id",
        b"x-task-id",
    }
)  # fmt: skip
"""Headers of the way and of the client, not of the call."""
_KINDS = (b"holdfast-", b"sec-", b"x-b3-", b"x-datadog-", b"x-stainless-")
_RENEWED = frozenset(
    {
        b"api-key", b"authorization", b"cookie", b"dpop", b"proxy-authorization", b"signature",
        b"signature-input", b"x-amz-security-token", b"x-api-key", b"x-csrf-token",
        b"x-goog-api-key", b"x-session-token", b"x-xsrf-token",
    }
)  # fmt: skip
"""Credentials, which a client may have got anew when it comes again."""
