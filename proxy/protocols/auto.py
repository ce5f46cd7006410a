"""An upstream that may speak anything: each request is read by the first protocol that knows it.

None of them claims a request that may be something else, but for one that could be read as its own
as well: that it refuses, as it would on an upstream of its own. So no spelling leads past policies
for what the request is in truth.
"""

from collections.abc import Sequence
from typing import Protocol as Shape

from proxy.call import Call, RequestHead
from proxy.protocols.protocol import Protocol, Reads, Rules
from proxy.protocols.tools import Tools
from proxy.refusal import Refusal


class Knows(Protocol, Shape):
    """A protocol that can tell its requests from those of others."""

    def knows(self, head: RequestHead, content: bytes | None, /) -> bool:
        """Is this surely a request of its own, by head and body?"""


class Auto(Tools):
    """See the head of this file. What nobody knows is a call of a tool, or plain HTTP."""

    has_kinds = True

    def __init__(self, others: Sequence[Knows]) -> None:
        """`others` are asked in this order."""
        self._others = tuple(others)

    def reads(self, head: RequestHead) -> Reads:
        """See Protocol: as much as the one that reads most."""
        wanted = {each.reads(head) for each in self._others} | {super().reads(head)}
        return next(much for much in _MOST_FIRST if much in wanted)

    def recognise(self, call: Call, content: bytes | None, rules: Rules) -> Refusal | None:
        """See Protocol."""
        for each in self._others:
            if each.knows(call.head, content):
                return each.recognise(call, content, rules)
        return super().recognise(call, content, rules)


_MOST_FIRST = (Reads.WHOLE, Reads.BEGINNING, Reads.NOTHING)
