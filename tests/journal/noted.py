"""Entries for tests, as small as they can be."""

from typing import ClassVar

import msgspec


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """A finished call, as small as it can be."""

    id: str
    text: str = ""
    type: ClassVar[str] = "call.finished"


class Intent(msgspec.Struct, frozen=True, omit_defaults=True):
    """A call that is about to be sent."""

    id: str
    reserved_micros: int = 0
    type: ClassVar[str] = "call.intent"
