"""How long the last events of an objective took: for people, who ask for p95 and p99.

They are the last so many, exactly, and not out of buckets. Nothing is decided by them, so they
begin anew with the process.
"""

from array import array

LEAST = 100
"""With fewer nothing is said: a p99 of ten is a maximum."""
KEPT = 500
_LONGEST = (1 << 31) - 1  # microseconds: 36 minutes; longer ones count as that
_SHARES = {"p50": 50, "p95": 95, "p99": 99}  # percent


class Times:
    """The last of them."""

    __slots__ = ("_at", "_took")

    def __init__(self) -> None:
        self._took = array("i")
        self._at = 0

    def note(self, took_us: int) -> None:
        """One more."""
        took = min(max(0, took_us), _LONGEST)
        if len(self._took) < KEPT:
            self._took.append(took)
            return
        self._took[self._at] = took
        self._at = (self._at + 1) % KEPT

    def shown(self) -> dict[str, float] | None:
        """Seconds: so many of a hundred took no longer (the nearest rank). None: too few."""
        count = len(self._took)
        if count < LEAST:
            return None
        ordered = sorted(self._took)
        return {
            name: round(ordered[-(-share * count // 100) - 1] / 1e6, 6)
            for name, share in _SHARES.items()
        }
