"""What is posted and may be JSON: how much of it is read, and whether it must be one document.

A body that only looks like JSON is held to the same rules as one that says so (spec 2.2): there are
tools that read it whatever its type says.
"""

from proxy.call import RequestHead
from proxy.protocols.claims import JSON, claimed, looks_like_json
from proxy.protocols.coding import decoded
from proxy.protocols.document import Ambiguous, NotADocument
from proxy.protocols.protocol import Reads, Rules
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


def is_json(head: RequestHead, content: bytes) -> bool:
    """Must a body be one JSON document: does it claim to be, or look like it? Raises NotADocument
    for a charset that is not UTF-8."""
    kind = head.fields.get(b"content-type", b"")
    if kind == JSON:
        return True
    json, utf_8 = claimed(kind)
    if not json and not looks_like_json(content):
        return False
    if not utf_8:
        raise NotADocument("the body's charset is not UTF-8")
    return True


def plain(head: RequestHead, content: bytes, limit: int) -> bytes | Refusal:
    """A body without its coding, as `decoded` has it."""
    coding = head.fields.get(b"content-encoding")
    return content if coding is None else decoded(content, coding, limit)


def refused(why: Ambiguous, rules: Rules) -> Refusal | None:
    """What is said of a body that cannot be read in one way; None: it is no JSON document, and its
    upstream takes whatever comes."""
    if rules.pass_unrecognised and isinstance(why, NotADocument):
        return None
    return Refusal("ambiguous_call", str(why))
