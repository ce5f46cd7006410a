"""How long is waited from one failure to the next try of the same thing, beside calls."""

from proxy.clock import Clock

FIRST = 1.0
"""Seconds, after the first failure in a row; then twice as many each time."""


class Retries:
    """`failed` gives the wait, `well` when it was taken. Pods that failed together do not come back
    together: chance makes a wait shorter, by half of it at most."""

    def __init__(self, clock: Clock, longest: float) -> None:
        """`longest`: seconds that are waited at most."""
        self._clock = clock
        self._longest = longest
        self._wait = FIRST

    def failed(self) -> float:
        """Seconds until the next try."""
        wait = self._wait * (0.5 + self._clock.chance.random() / 2)
        self._wait = min(self._longest, self._wait * 2)
        return wait

    def well(self) -> None:
        """The next failure is the first."""
        self._wait = FIRST
