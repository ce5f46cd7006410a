"""What came of a call that people had approved, for the same call that comes again.

It is never sent twice. So whoever comes again gets its answer, where that is here; else what is
known of it.
"""

from collections.abc import Callable

import msgspec

from proxy.call import Call, Whole
from proxy.refusal import Refusal
from proxy.reply import KEPT, Executed, Reply, Result
from proxy.state.asking import LARGEST

ROOM = 64 << 20
"""Bytes of answers of the process."""


class Outcome(msgspec.Struct, frozen=True):
    """An answer, or what is said in its place."""

    refusal: Refusal | None = None
    status: int = 0
    lines: bytes = b""
    fields: dict[bytes, bytes] = {}
    content: bytes = b""
    length: int | None = None
    result: Result | None = None
    executed: Executed = Executed.UNKNOWN

    @property
    def size(self) -> int:
        """Bytes that it costs, about."""
        return len(self.content) + 2 * len(self.lines)

    def reply(self) -> Reply:
        """The same once more."""
        if self.refusal is not None:
            return Reply(0, refusal=self.refusal, executed=self.refusal.executed)
        return Reply(
            status=self.status,
            lines=self.lines,
            fields=self.fields,
            body=Whole(self.content),
            length=self.length,
            result=self.result,
            executed=self.executed,
            tier=KEPT,
            reason="approval_replayed",
        )


class Coming(msgspec.Struct, frozen=True):
    """An answer on its way, as its head was."""

    call: Call
    lines: bytes
    kept: bool  # its body is held as it passes


def coming(call: Call, reply: Reply, room: int, streams: Callable[[Reply], bool]) -> Coming:
    """Have its body held, where it may be given again: no stream, and no more than there is room
    for."""
    body, expected = reply.body, LARGEST if reply.length is None else reply.length
    if body is not None:
        if reply.tunnel is not None or expected > min(LARGEST, room) or streams(reply):
            return Coming(call, reply.lines, kept=False)
        body.keep(LARGEST)
    return Coming(call, reply.lines, kept=True)


def outcome(at: Coming, reply: Reply, refused: Callable[[str, Executed], Refusal]) -> Outcome:
    """What came of it, now that it is finished. `refused` says what is known where there is no
    answer to give again."""
    body = reply.body
    if reply.refusal is not None:
        told = f"the approved call {at.call.id} came to {reply.refusal.code}"
        return Outcome(refused(told, reply.executed))
    if reply.failure is not None:
        told = f"the approved call {at.call.id} ended without an answer ({reply.failure})"
        return Outcome(refused(told, reply.executed))
    content = b"" if body is None else body.whole
    if not at.kept or content is None or (body is not None and body.trailers):
        told = f"the approved call {at.call.id} was answered, and the answer was not kept"
        return Outcome(refused(told, reply.executed))
    lines, length = at.lines, reply.length
    if length is None and reply.status >= 200 and reply.status not in {204, 304}:
        length = len(content)
        lines += b"Content-Length: %d\r\n" % length
    return Outcome(
        None,
        reply.status,
        lines,
        reply.fields,
        content,
        length,
        reply.result,
        reply.executed,
    )
