"""What a protocol is: knowledge of bytes, without I/O."""

import enum
from collections.abc import Callable
from typing import Any
from typing import Protocol as Shape

import msgspec

from proxy.call import Call, RequestHead
from proxy.protocols.arguments import Arguments
from proxy.protocols.canonical import Canonical
from proxy.protocols.hearing import Hearing
from proxy.protocols.made import Made
from proxy.protocols.trace import Trace
from proxy.refusal import Refusal
from proxy.reply import Reply

BODY_BUFFER = 16 << 20
"""Bytes of the largest body that is read to find what its call is for (`limits.body_buffer`)."""


class Reads(enum.Enum):
    """How much of a body must be read before it is known what the call is for."""

    NOTHING = "nothing"
    BEGINNING = "beginning"  # whether it looks like something that must be read whole
    WHOLE = "whole"


def unheard(_warning: str) -> None:
    """Where nobody is to be told."""


class Rules(msgspec.Struct, frozen=True):
    """What an upstream's settings say about recognising its calls."""

    pass_unrecognised: bool = False  # JSON that is not one valid document passes
    body_buffer: int = BODY_BUFFER  # bytes, of a decoded body as well
    base: bytes = b""  # what the upstream sees before each target
    upstream: str = ""  # its name
    mount: bytes = b"/"  # where agents reach it: a path, with no slash at its end but for the root
    origin: bytes = b""  # where it is: scheme and authority
    trust_annotations: bool = False  # what an MCP server says of its tools' effects counts
    mcp_refusals: str = "result"  # how its agents are refused a tool: result | protocol_error
    a2a_rewrite_signed: bool = False  # signatures of cards go, where their URLs are changed
    warn: Callable[[str], None] = unheard  # tells the operator something of it, once
    inject_usage: bool = False  # streams of models are asked for what they used


class Spelled(msgspec.Struct, frozen=True):
    """How an agent would send a call."""

    method: str
    target: bytes
    body: bytes = b""


class Described(msgspec.Struct, frozen=True, gc=False):
    """A call in the words of its protocol, for who traces it. No word of its payload."""

    operation: str = ""  # what the protocol calls it; empty: it has no word for it
    version: str = ""  # of the protocol, as far as the request says it
    request: str = ""  # the id by which its client finds the answer
    trace: Trace | None = None  # that the message itself says it belongs to


class Protocol(Shape):
    """One way in which agents and tools speak."""

    name: str
    layer: str
    """Of its calls, as `Call.layer` has it."""
    names_tools: bool
    """Have its tools names of their own? Else a method and a path stand for one."""
    has_kinds: bool
    """Has it traffic beside its calls (`Call.kind`), or tools of which only their server knows what
    they do?"""
    listens: bool
    """Does it hear some of its answers? Else `hears` need not be asked."""
    has_results: bool
    """Is a policy's own answer to one of its calls a `result`, and not a body?"""
    asks_for_streams: bool
    """Do its clients say whether they want a stream (`Call.stream`)?"""

    def reads(self, head: RequestHead, /) -> Reads:
        """What must be read before `recognise`."""

    def looks_read(self, beginning: bytes, /) -> bool:
        """Must a body that begins like this be read whole? Asked where only `BEGINNING` is read."""

    def spell(self, tool: str, method: str, target: bytes, content: bytes, /) -> Spelled:
        """How an agent calls this tool with `content` as its input, so that `recognise` knows it.

        For those who ask what would become of a call. What is empty is what is usual. Raises
        ValueError for what is no tool of this protocol.
        """

    def recognise(self, call: Call, content: bytes | None, rules: Rules, /) -> Refusal | None:
        """Fill in what the call is for; `content` is the whole body, where it was read.

        A refusal where it could be read in more than one way.
        """

    def describe(self, call: Call, /) -> Described:
        """The call in words of this protocol. Asked at its end, if it is traced."""

    def arguments(self, call: Call, /) -> Arguments:
        """What the call gives its tool; an empty object where this protocol knows of nothing.

        Called once it was recognised. Raises Ambiguous where it could be read in more than one way.
        """

    def canonical(self) -> Canonical | None:
        """What brings the arguments of a body into one form, so that calls can be compared; None:
        its calls have none."""

    def amends(self, call: Call, content: bytes, /) -> bytes | None:
        """What goes upstream instead of this body, where its upstream's settings have us ask for
        more than the agent did; None: it is well as it is. Called for each sending."""

    def streams(self, reply: Reply, /) -> bool:
        """Is the answer a stream, whose end may be an hour away (spec 3.10)?"""

    def judge(self, reply: Reply, /) -> None:
        """Decide the result (spec 2.6) of an answer at its commit, and what was executed."""

    def hears(self, call: Call, reply: Reply, /) -> Hearing | None:
        """Who listens to this answer, whose head is here; None: nobody need. Once for each."""

    def again(self, call: Call, content: bytes, coding: bytes, /) -> bytes | None:
        """An answer that an equal call was given, as the answer to this one; None: it cannot be.
        `coding`: its Content-Encoding."""

    def reads_body(self, call: Call, status: int, /) -> bool:
        """Does the client of this call understand an answer that a policy gives as status and
        body? Not where it asked for a stream and the status is a good one."""

    def result(self, call: Call, result: dict[str, Any], /) -> Made | None:
        """A good answer to this call, with this result, which a policy gives; None: in this
        protocol, or for this call, there is no such thing."""

    def refuse(self, refusal: Refusal, call: Call, attempts: int, /) -> Reply:
        """The refusal, in the shape that clients of this protocol understand."""

    def breaks_off(self, refusal: Refusal, call: Call, attempts: int, /) -> bytes:
        """The event by which clients of this protocol are told that a stream of events, which has
        begun, ends here; empty where they know of none."""
