"""Trace context (W3C Trace Context, level 2): which trace a call belongs to, and where in it.

What comes is believed if it is exactly what the standard allows. Where it is not, the call begins a
trace of its own, and what vendors noted of the other one (`tracestate`) goes with that. What goes
on is written anew for each sending: the same trace and flags, its own id as the parent, and our
note left of all others.
"""

import re

import msgspec

TRACEPARENT, TRACESTATE, BAGGAGE = b"traceparent", b"tracestate", b"baggage"

SAMPLED = 1
"""The flag by which who called says that he keeps what he knows of this call."""
_KNOWN_FLAGS = 3  # and that the trace's id is chance; others mean nothing yet, and do not go on
_FLAGS = {f"{n:02x}": (f"{n & _KNOWN_FLAGS:02x}", bool(n & SAMPLED)) for n in range(256)}
_DIGITS = b"0123456789abcdef"
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_DASH = ord("-")
_LENGTH = 55  # bytes of version 00; later ones may have more, behind another dash
_MEMBER = (
    rb"[a-z0-9][a-z0-9_*/@-]{0,255}"
    rb"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_is_member = re.compile(_MEMBER).fullmatch
_are_members = re.compile(rb"%b(?:,%b){0,30}" % (_MEMBER, _MEMBER)).fullmatch
"""As nearly all come: some members, with nothing around them, and room for ours."""
OWN = b"holdfast"
"""The key of our note in tracestate; its value is the span that the upstream's is the child of."""
MOST_MEMBERS = 32
"""Of a tracestate. One that has more is not valid."""
LONGEST_STATE = 512
"""Bytes of others' members that are passed on in any case (3.3.1.5)."""
_LONGEST_MEMBER = 128
"""Bytes. Longer ones go first, where not all of them can stay."""


class Trace(msgspec.Struct, gc=False):
    """The trace of a call: as it came, or as it began here."""

    id: str  # 32 digits
    parent: str = ""  # 16 digits: the span that called; empty: the trace begins here
    flags: str = "00"  # two digits, as they go on
    sampled: bool = False
    begun: bool = False  # from here on what follows is known
    request: str = ""  # the span of the request that it came with, once that is told
    state: str = ""  # what others noted of it, each member after a comma


def parsed(traceparent: bytes) -> Trace | None:
    """What it says; None: it is not valid. A header that was repeated is not: its values are one,
    with a comma."""
    known = traceparent[:_LENGTH]
    if len(known) < _LENGTH or known.translate(None, _DIGITS) != b"---":
        return None
    if not known[2] == known[35] == known[52] == _DASH:
        return None
    if len(traceparent) != _LENGTH and not _may_be_longer(traceparent):
        return None
    text = known.decode()
    trace, span, (flags, sampled) = text[3:35], text[36:52], _FLAGS[text[53:]]
    if trace == _NO_TRACE or span == _NO_SPAN or text.startswith("ff"):
        return None
    return Trace(trace, span, flags, sampled)


def _may_be_longer(traceparent: bytes) -> bool:
    """Is it of a version to come, with more behind another dash?"""
    return traceparent[_LENGTH : _LENGTH + 1] == b"-" and not traceparent.startswith(b"00")


def kept_state(tracestate: bytes) -> str:
    """What others noted, as it goes on behind our own note: each member after a comma, in order.

    Nothing of one that is not valid. One place is ours, and the rightmost makes room; of more than
    `LONGEST_STATE` bytes the long members go, and then the rightmost.
    """
    usual = len(tracestate) <= LONGEST_STATE and b"holdfast=" not in tracestate
    if usual and _are_members(tracestate) is not None:
        return f",{tracestate.decode()}"
    members = [member.strip(b" \t") for member in tracestate.split(b",")]
    members = [member for member in members if member]
    if len(members) > MOST_MEMBERS or not all(map(_is_member, members)):
        return ""
    others = [member for member in members if not member.startswith(OWN + b"=")]
    return "".join(f",{member.decode()}" for member in _fitting(others[: MOST_MEMBERS - 1]))


def _fitting(members: list[bytes]) -> list[bytes]:
    length = len(b",".join(members))
    if length > LONGEST_STATE:
        members = [member for member in members if len(member) <= _LONGEST_MEMBER]
    while len(b",".join(members)) > LONGEST_STATE:
        del members[-1]
    return members


def lines_of(trace: Trace, span: str) -> bytes:
    """The header lines of one sending, whose span this is."""
    return (
        f"traceparent: 00-{trace.id}-{span}-{trace.flags}\r\n"
        f"tracestate: holdfast={span}{trace.state}\r\n"
    ).encode()
