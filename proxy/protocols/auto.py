"""An upstream that may speak anything: each request is read by the first protocol that knows it.

None of them claims a request that may be something else, but for one that could be read as its own
as well: that it refuses, as it would on an upstream of its own. What would be a call of two of them
is refused here: one more member would make a message of MCP, which is never refused for a tool's
reasons, of any call. So no spelling leads past policies for what the request is in truth.
"""

from collections.abc import Sequence
from typing import Protocol as Shape

import msgspec

from proxy.call import CALL, Call, RequestHead
from proxy.protocols.a2a_operations import is_distinct
from proxy.protocols.coding import NO_LIMIT, decoded
from proxy.protocols.document import Ambiguous
from proxy.protocols.members import members
from proxy.protocols.protocol import Protocol, Reads, Rules
from proxy.protocols.tools import Tools, path_tool
from proxy.refusal import Refusal


class Knows(Protocol, Shape):
    """A protocol that can tell its requests from those of others."""

    def knows(self, head: RequestHead, content: bytes | None, /) -> bool:
        """Is this surely a request of its own, by head and body?"""


class Auto(Tools):
    """See the head of this file. What nobody knows is a call of a tool, or plain HTTP."""

    has_kinds = True

    def __init__(self, messages: Knows, models: Sequence[Knows], peers: Knows) -> None:
        """They are asked in this order. Messages, and those of peers, could stand on any path, and
        an upstream that knows nothing of them would read the path: so few paths count."""
        self._models = tuple(models)
        self._peers = peers
        self._words: dict[Knows, str] = {messages: "mcp", peers: "a2a"}
        """What a path says where their messages may stand; a server of MCP may be at `/v1/mcp`."""
        self._others = (messages, *models, peers)

    def reads(self, head: RequestHead) -> Reads:
        """See Protocol: as much as the one that reads most."""
        most = super().reads(head)
        for each in self._others:
            if most is _WHOLE:
                break  # at once, for what nearly all send
            most = max(most, each.reads(head), key=_LEAST_FIRST.index)
        return most

    def recognise(self, call: Call, content: bytes | None, rules: Rules) -> Refusal | None:
        """See Protocol."""
        for each in self._others:
            if each.knows(call.head, content):
                if content and call.head.method == "POST":
                    other = self._other(call, content, rules, each)
                    if other:
                        return Refusal("ambiguous_call", f"the request can also be read as {other}")
                refusal = each.recognise(call, content, rules)
                if each is self._peers and call.head.method == "POST":
                    # Who asks for a card so may ask for something else, by another member.
                    call.kind = CALL
                return refusal
        return super().recognise(call, content, rules)

    def _other(self, call: Call, content: bytes, rules: Rules, knows: Knows) -> str:
        """What else it would be to an upstream that does not speak the protocol that knows it."""
        if _has_tool(call.head, content):
            return "a call of a tool"
        word = self._words.get(knows)
        path = call.target.partition(b"?")[0]
        if word is None or is_distinct(path) or not path.strip(b"/"):
            return ""  # a model's own path, an operation's, or the upstream's
        if any(each.knows(call.head, content) for each in self._models):
            return "a call of a model"
        named, deceptive = path_tool(rules.base + call.target)
        if deceptive or named.lower() not in {"", word}:
            return "a call of a tool"
        if word.encode() in path.lower().split(b"/"):
            return ""
        return f"plain HTTP to its path; if the upstream speaks {word}, give it protocol: {word}"


def _has_tool(head: RequestHead, content: bytes) -> bool:
    """Does the body name a tool at its top level, in whatever spelling?"""
    coding = head.fields.get(b"content-encoding")
    if coding is not None:
        plain = decoded(content, coding, NO_LIMIT)
        content = b"" if isinstance(plain, Refusal) else plain
    if b"\\u" not in content and b'"tool"' not in content.lower():
        return False  # nearly always
    try:
        return "tool" in (members(content, "tool") or ())
    except Ambiguous:
        return True  # more than one, perhaps
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False  # who knows it refuses it, or lets it pass as what cannot be read


_WHOLE = Reads.WHOLE
_LEAST_FIRST = (Reads.NOTHING, Reads.BEGINNING, Reads.WHOLE)
