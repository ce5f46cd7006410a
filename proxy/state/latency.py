"""How long good answers take, as far as a hedge wants to know: the p95 of the last hundred.

A sorted copy now and then rather than a sketch: with a hundred samples it is exact, and it costs a
fifth of a microsecond a call.
"""

from proxy.clock import NEVER

SAMPLES = 100
"""Answers that are remembered."""
LEAST = 20
"""With fewer, a p95 would only be the slowest of them."""
_EVERY = 20  # answers between two sortings


class Latency:
    """Of one tool. Durations are seconds."""

    __slots__ = ("__weakref__", "_at", "_fresh", "_ring", "p95")

    idle = True  # may make room for others in the Keep: it is soon learned again

    def __init__(self) -> None:
        self.p95 = NEVER  # until there are enough
        self._ring: list[float] = []
        self._at = 0
        self._fresh = 0

    def note(self, seconds: float) -> None:
        """A good answer took so long to begin."""
        ring = self._ring
        if len(ring) < SAMPLES:
            ring.append(seconds)
        else:
            ring[self._at] = seconds
            self._at = (self._at + 1) % SAMPLES
        self._fresh += 1
        if self._fresh >= _EVERY:
            self._fresh = 0
            self.p95 = sorted(ring)[int(0.95 * (len(ring) - 1))]
