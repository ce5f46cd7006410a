"""The time of rings: seconds that only grow, over restarts too.

While the process lives it goes with the clock that cannot jump; what the wall says is only how it
is labelled. A restart puts it on by as much as the wall went on since, for the other clock begins
anew: so what a record's `ts` says is a place on it, too. Where the wall went back meanwhile it
stands still, and no slot is written twice.

In a drill it runs ahead of the wall, and so do records: what passed between two of them passed so
many times faster. Only time in which no process was there is as long as it is.
"""

from proxy.clock import Clock


class Axis:
    """While it is rebuilt: `load`, `reach`. From `begin` on it goes by itself."""

    def __init__(self, clock: Clock) -> None:
        # The one place where it is said which time it is, for a drill has a faster one; what
        # records say is the real time.
        self._now, self._wall = clock.fast_now, clock.wall
        self._base: float | None = None  # of it, where the clock shows zero
        self._offset = 0.0  # of the wall to it, in the process before this one
        self._reached = 0.0

    def now(self) -> float:
        """Where it is."""
        return self._reached if self._base is None else self._base + self._now()

    @property
    def offset(self) -> float:
        """By how much the wall is ahead of it: for a snapshot."""
        return self._offset if self._base is None else self._wall() - self.now()

    def load(self, now: float, offset: float) -> None:
        """As it was when a process before this one kept it."""
        self._reached, self._offset = now, offset

    def reach(self, wall: float, drill: int = 1) -> float:
        """Where a moment of that process is, by what its wall said. `drill`: so many times faster
        it was, since the moment before."""
        passed = wall - self._offset - self._reached
        if passed > 0:
            faster = passed * (drill - 1) if self._reached else 0.0
            self._reached += passed + faster
            self._offset -= faster
        return self._reached

    def begin(self) -> float:
        """It goes on from here: where it is now."""
        self._base = self.reach(self._wall()) - self._now()
        return self.now()
