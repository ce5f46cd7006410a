"""What pods say to each other about requests at their desks: the forms, and how they are closed.

A decision that is made elsewhere is a `Word` to the pod that holds the request. It has a number of
its own, is for that request at that pod, and is void `VOID` seconds after it was said: whoever said
it has withdrawn it by then, or does not know what became of it. Whoever holds the store may hold
a word back and turn the store's clock, so the pods' own clocks are compared as well, roughly.
"""

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from proxy.state.case import File
from proxy.state.sealed import Envelope

VOID = 3.0
"""Seconds after which a word is void."""
SKEW = 60.0
"""Seconds by which the clocks of two pods may differ."""
Text = Annotated[str, Meta(max_length=1_000)]
Form = TypeVar("Form", bound=msgspec.Struct)


class Told(msgspec.Struct, frozen=True):
    """A request, as it stands on the board of the pod that holds it."""

    file: File
    due: int | None  # when it expires, in milliseconds on the store's clock; None: when it has run
    host: Text  # the pod's machine, for people
    shown: bool  # the exact call is there too


class Word(msgspec.Struct, frozen=True):
    """Somebody decides, at another pod."""

    request: Text
    decision: Literal["approve", "deny"]
    by: Text
    groups: Annotated[tuple[Text, ...], Meta(max_length=1_000)]
    anybody: bool  # as a `Person` has it
    reason: Text
    break_glass: bool
    pod: Text  # where it is said
    at: float  # on the store's clock
    wall: float  # on the pod's own


class Answer(msgspec.Struct, frozen=True):
    """What came of it."""

    kind: Text  # as `Undecided` has it; empty: it is decided
    text: Text
    file: File | None
    left: float  # seconds until it expires


def closed(envelope: Envelope, form: msgspec.Struct, *about: str) -> bytes:
    """For the store."""
    return envelope.close(msgspec.msgpack.encode(form), type(form).__name__, *about)


def opened(envelope: Envelope, kind: type[Form], raw: Any, *about: str) -> Form | None:
    """What was closed; None: it is nothing of ours."""
    content = envelope.open(raw, kind.__name__, *about)
    if content is None:
        return None
    try:
        return msgspec.msgpack.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
