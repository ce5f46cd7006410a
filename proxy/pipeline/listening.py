"""An answer that its protocol listens to, on its way to the commit."""

from collections.abc import Awaitable

import msgspec

from proxy.call import Whole
from proxy.clock import Clock
from proxy.protocols.hearing import Hearing
from proxy.reply import Failure, Reply
from proxy.wire.body import Body
from proxy.wire.compose import with_length
from proxy.wire.screen import LONGEST, Reading, Screen, read

_HELD = 16 << 10
"""Bytes of a stream that are held before it says something that matters."""
_PATIENCE = 2.0
"""Seconds likewise."""
_WHOLE = 64 << 10
"""Bytes of an answer that is read for what it came to."""


class Listening(msgspec.Struct, frozen=True):
    """What is listened to, and how."""

    reply: Reply
    hearing: Hearing
    streams: bool

    def waits(self, body: Body, clock: Clock, *, hold: bool) -> Awaitable[object] | None:
        """What the commit waits for; None: for nothing. `hold`: it may be sent again until then."""
        hearing = self.hearing
        if self.streams:
            return self._content(body, clock) if hold else None
        if hearing.sifts:
            return self._sifted(body)
        if not hold:
            return None
        return body.read(_WHOLE) if hearing.decides else body.begun()

    async def _content(self, body: Body, clock: Clock) -> None:
        """Until it has said something that matters, or has had enough time and room."""
        hearing = self.hearing
        until = clock.now() + _PATIENCE
        alarm = clock.alarm(body.nudge)
        alarm.set(until)
        try:
            while not (
                hearing.content
                or hearing.ended
                or hearing.told is not None
                or body.over
                or body.held >= _HELD
                or clock.now() >= until
            ):
                await body.more()
        finally:
            alarm.close()

    async def _sifted(self, body: Body) -> None:
        """All of it, as what is to go on is not as long as what came. What is too large to be read
        goes on as it is."""
        await body.read(LONGEST)
        whole = body.whole
        if whole is not None:
            _sift(self.reply, self.hearing, whole)


def listen(reply: Reply, hearing: Hearing, *, streams: bool) -> Listening:
    """From here on it is heard: what is here of it at once, and the rest as it comes."""
    reply.hearing = hearing
    body = reply.body
    assert body is not None
    if body.whole is not None:
        _all_here(reply, hearing, body.whole, streams=streams)
    elif streams:
        assert isinstance(body, Body)
        body.hear(Screen(reply, hearing))
    elif not hearing.sifts:
        assert isinstance(body, Body)
        body.hear(Reading(reply, hearing))
    return Listening(reply, hearing, streams)


def _all_here(reply: Reply, hearing: Hearing, content: bytes, *, streams: bool) -> None:
    if not streams:
        _sift(reply, hearing, content)
        return
    screen = Screen(reply, hearing)
    passed = screen.ends(content)
    if screen.cut:
        reply.failure, reply.status, reply.lines = Failure.TRUNCATED, 0, b""
        reply.detail = "the stream ended without its end"
    elif passed != content:
        _replace(reply, passed)


def _sift(reply: Reply, hearing: Hearing, content: bytes) -> None:
    instead = read(hearing, content, reply.fields.get(b"content-encoding", b""))
    if hearing.sifts and instead is not None:
        _replace(reply, instead)


def _replace(reply: Reply, content: bytes) -> None:
    """This is its body from here on. There may have been another one that came, whole by now."""
    reply.body = Whole(content)
    reply.length = len(content)
    reply.lines = with_length(reply.lines, len(content))
