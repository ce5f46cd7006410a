"""What is posted and may be JSON: how much of it is read, and whether it must be one document.

A body that only looks like JSON is held to the same rules as one that says so (spec 2.2): there are
tools that read it whatever its type says.
"""

from proxy.call import Call, RequestHead
from proxy.protocols.claims import JSON, claimed, looks_like_json
from proxy.protocols.coding import decoded
from proxy.protocols.protocol import Reads
from proxy.refusal import Refusal

_NOTHING, _WHOLE = Reads.NOTHING, Reads.WHOLE  # looking into an enum costs more than the question


def reads(head: RequestHead) -> Reads:
    """The body of a POST: what it is for may stand in there, whatever its type says."""
    if head.method != "POST":
        return _NOTHING
    fields = head.fields
    kind = fields.get(b"content-type", b"")
    if not kind or kind == JSON or claimed(kind)[0] or b"content-encoding" in fields:
        return _WHOLE
    return Reads.BEGINNING


def must_be_json(kind: bytes, content: bytes) -> tuple[bool, bool]:
    """Must a body of this type be one JSON document; and is its text UTF-8?"""
    if kind == JSON:
        return True, True
    json, utf_8 = claimed(kind)
    return json or looks_like_json(content), utf_8


def plain(call: Call, content: bytes, limit: int) -> bytes | Refusal:
    """A body without its coding, at most `limit` bytes; or why it cannot be read."""
    coding = call.head.fields.get(b"content-encoding")
    return content if coding is None else decoded(content, coding, limit)
