"""What a call was answered, so far that it is known again: a digest, and its beginning.

It is looked at while it passes. Nothing of it is held but its first bytes, and they are for nobody
but who had the answer.
"""

from hashlib import sha256
from typing import Any

import msgspec

from proxy.call import Call
from proxy.reply import SUCCESS, Reply, Result
from proxy.state.shelf import recipe

LARGEST = 1 << 20
"""Bytes of an answer that may be the same as another one, and of a request whose arguments are read
to see whether it is."""
_SHOWN = 160
"""Characters of an answer that are told again."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What came of a call."""

    digest: bytes | None  # None: like no other
    failing: bool = False
    start: bytes = b""  # its first bytes
    status: int = 0
    who: bytes = b""  # the credentials that it was given to

    def alike(self, other: "Answer") -> bool:
        """Is it the same once more?"""
        told = self.digest is not None
        return told and self.digest == other.digest and self.failing == other.failing

    def unsaid(self) -> "Answer":
        """The same, of which no byte is told again."""
        return Answer(self.digest, self.failing, b"", self.status, self.who)


class Hearing(msgspec.Struct, eq=False):
    """Part of Tap: sees an answer pass."""

    size: int = 0
    start: bytes = b""
    complete: bool = False
    whole: bytes | None = None  # where it was here at once
    passed: Any = None  # else the hash of what was seen of it

    def saw(self, at: int, piece: bytes) -> None:
        """Part of Tap. An answer is sent on once."""
        self.size += len(piece)
        if self.size <= LARGEST:
            if self.passed is None:
                self.passed = sha256(piece)
            else:
                self.passed.update(piece)
        if len(self.start) < _SHOWN:
            self.start += piece[:_SHOWN]

    def ended(self) -> None:
        """Part of Tap."""
        self.complete = True

    def all(self, content: bytes) -> None:
        """It is here as a whole."""
        self.whole, self.size, self.start = content, len(content), content[:_SHOWN]
        self.complete = True

    def digest(self, status: int, coding: bytes) -> bytes | None:
        """Of the answer; None: it is too large to be known again."""
        if self.size > LARGEST:
            return None
        end = b"\0%d %b" % (status, coding)
        if self.whole is not None:
            return sha256(self.whole + end).digest()[:16]
        told = sha256() if self.passed is None else self.passed.copy()
        told.update(end)
        return told.digest()[:16]


_NO_ANSWER = frozenset({None, Result.CANCELLED, Result.THROTTLED})
"""Results of which nothing is learned: it never ran, or is to be repeated later."""


def answer_of(call: Call, heard: Hearing | None, reply: Reply) -> Answer | None:
    """What came of the call; None: no answer."""
    result, status = reply.result, reply.status
    if heard is None or reply.tunnel is not None:
        return None
    if result is SUCCESS:
        if reply.says is None:
            digest = heard.digest(status, reply.fields.get(b"content-encoding", b""))
        else:
            digest = sha256(reply.says()).digest()[:16]
        return Answer(digest, False, heard.start, status, who_of(call))
    if result in _NO_ANSWER or reply.refused:
        return None
    how = f"{result} {status} {reply.failure}".encode()
    return Answer(how, True, heard.start, status, who_of(call))


def who_of(call: Call) -> bytes:
    """A digest of the credentials that it came with."""
    told = _WHO.key(call, b"")[0]
    assert isinstance(told, bytes)  # it is what the head says
    return told


_WHO = recipe()


def shown(start: bytes) -> str | None:
    """What an answer begins with, as far as it is text; None: it is none."""
    text = " ".join(start.decode(errors="replace").split())[:_SHOWN]
    return text if text and text.rstrip("\ufffd").isprintable() else None
