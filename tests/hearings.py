"""A hearing that is told what to make of messages, for tests of those who hand them over."""

from proxy.protocols.hearing import Told, Usage
from proxy.reply import Executed, Result

OVERLOADED = Told(529, Result.FAILURE, Executed.NO)


class FakeHearing:
    """`start` opens a message and says nothing, `end` ends it, `error` is one; the rest is content.
    `drop` and `swap` are what is sifted."""

    def __init__(self, *, sifts: bool = False, decides: bool = False, ended: bool = False) -> None:
        self.content = False
        self.ended = ended
        self.told: Told | None = None
        self.failed_tool = False
        self.usage: Usage | None = None
        self.written = 0
        self.decides = decides
        self.sifts = sifts
        self.heard: list[tuple[bytes, bytes]] = []

    def event(self, kind: bytes, data: bytes) -> bytes | None:
        """See Hearing."""
        self.heard.append((kind, data))
        if data == b"end":
            self.ended = True
        elif data == b"error":
            self.told = OVERLOADED
        elif data != b"start":
            self.content = True
            self.written += len(data)
            self.usage = Usage(input=10, output=self.written)
        return {b"drop": b"", b"swap": b"swapped"}.get(data) if self.sifts else None

    def whole(self, content: bytes) -> bytes | None:
        """See Hearing."""
        self.heard.append((b"", content))
        self.content = self.ended = True
        self.failed_tool = content == b"tool failed"
        if content == b"error":
            self.told = OVERLOADED
        self.usage = Usage(input=1, output=2)
        return b"swapped" if self.sifts and content == b"swap" else None
