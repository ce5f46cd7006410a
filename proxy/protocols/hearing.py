"""What is heard in an answer while it passes: that it says something, what it used, how it ended.

A protocol makes one `Hearing` for each answer that it wants to listen to. Whoever passes the answer
on cuts it into messages (`screen.py` of the wire) and hands them over, on a copy: what is heard
changes nothing of what the agent gets, unless the hearing *sifts*.
"""

from typing import Protocol

import msgspec

from proxy.reply import Executed, Result


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one answer, counted alike for all vendors: what was read of a cache and written to
    one is part of `input`, and reasoning is part of `output`."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0  # all of it
    cache_write_1h: int = 0  # of that, what is kept for an hour and costs more
    reasoning: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.input + self.output


class Told(msgspec.Struct, frozen=True):
    """An error that an upstream tells in an answer whose status is good."""

    status: int  # that it would have had: policies speak of statuses
    result: Result
    executed: Executed = Executed.UNKNOWN
    quota: bool = False  # used up: waiting will not help


class Hearing(Protocol):
    """Hears one answer, message by message. Made by `Protocol.hears`."""

    content: bool
    """Was something said that cannot be unsaid? Until then the answer is held, where it may still
    be sent again (spec 3.10)."""
    ended: bool
    """Was the end heard that the protocol has beside that of the body? Without it the answer is
    truncated."""
    told: Told | None
    """The upstream's own error, in an answer that looks good."""
    failed_tool: bool
    """Did the tool itself fail, though it was called as it should be (MCP's `isError`)?"""
    usage: Usage | None
    """What it says that it used, so far: the newest word, never a sum of several."""
    written: int
    """Bytes of text that it has said so far, where nobody tells tokens yet."""
    decides: bool
    """Does what it says decide what the call came to? An answer that is no stream is then read
    before its commit, as far as somebody wants to know."""
    sifts: bool
    """Does it change what passes? Then messages pass whole, when they have ended."""

    def event(self, kind: bytes, data: bytes, /) -> bytes | None:
        """One event of a stream: its type (empty: none was given) and its data, or one line of
        NDJSON. What passes on where it sifts: None, as it came; other data; or nothing (b"")."""

    def whole(self, content: bytes, /) -> bytes | None:
        """All of an answer that is no stream, without its coding. What passes on where it sifts, as
        above."""
