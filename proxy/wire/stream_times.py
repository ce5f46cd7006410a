"""The clocks of a stream: how long it may be silent, say nothing that matters, and last at all.

They run from its commit on, where the times of its call and attempt end. What the agent does not
read is not the upstream's silence: while it is held back two of them stand still, and when it is
listened to again they begin anew, for much may have come meanwhile and not been looked at. The
third, the longest life, goes on: it is a limit of ours and nobody's failure.
"""

from proxy.attempt import Attempt
from proxy.clock import NEVER
from proxy.protocols.sse import looks_at
from proxy.reply import Failure


class StreamTimes:
    """The clocks of one answer that may be a stream. Times are seconds on `Clock.now`."""

    __slots__ = (
        "_idle",
        "_life",
        "_looks",
        "_over_at",
        "_progress",
        "_silent_at",
        "_stuck_at",
        "running",
    )

    def __init__(self, attempt: Attempt, fields: dict[bytes, bytes]) -> None:
        """`fields` are the headers of the answer: they say what its bytes are."""
        self._idle = _limit(attempt.stream_idle)
        self._progress = _limit(attempt.stream_progress)
        self._life = _limit(attempt.stream_max)
        self._looks = None if attempt.stream_progress is None else looks_at(fields)
        self._silent_at = self._stuck_at = self._over_at = NEVER
        self.running = False

    @classmethod
    def of(cls, attempt: Attempt, fields: dict[bytes, bytes]) -> "StreamTimes | None":
        """None where no limit is set."""
        limits = (attempt.stream_idle, attempt.stream_progress, attempt.stream_max)
        return None if limits == (None, None, None) else cls(attempt, fields)

    def begin(self, now: float, *, held: bool) -> float:
        """It is a stream, and committed. `held`: nobody reads it yet. When it is over if no more
        comes: so too for the others."""
        self.running = True
        self._over_at = now + self._life
        return self.hold() if held else self.resume(now)

    def hold(self) -> float:
        """Nobody reads it for now."""
        self._silent_at = self._stuck_at = NEVER
        return self._over_at

    def resume(self, now: float) -> float:
        """It is read again, if it is a stream."""
        if self.running:
            self._silent_at = now + self._idle
            self._stuck_at = now + self._progress
        return self._due()

    def hear(self, piece: bytes, now: float, *, held: bool) -> float:
        """Bytes came, and `piece` was in them. Of what cannot be read every byte is progress."""
        looks = self._looks
        progressed = bool(piece) and (looks is None or looks.progressed(piece))
        if self.running and not held:
            self._silent_at = now + self._idle
            if progressed:
                self._stuck_at = now + self._progress
        return self._due()

    def over(self, now: float) -> tuple[Failure, str]:
        """Which of them has ended it: what failed, and in words, the clock's name first."""
        if self._over_at <= now:
            return Failure.EXPIRED, f"stream_max: the stream went on for {self._life:g} s"
        if self._silent_at <= now:
            return Failure.TIMEOUT, f"stream_idle: not a byte came for {self._idle:g} s"
        return (
            Failure.TIMEOUT,
            f"stream_progress: nothing that matters came for {self._progress:g} s",
        )

    def _due(self) -> float:
        return min(self._silent_at, self._stuck_at, self._over_at)


def _limit(seconds: float | None) -> float:
    return NEVER if seconds is None else seconds
