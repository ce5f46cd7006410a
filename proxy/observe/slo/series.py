"""A series: what is counted for one objective."""

from proxy.observe.slo.ring import Ring

MOST_REASONS = 64
"""Reasons are our own words, of one table; this is for what that table may get wrong."""


class Series:
    """Good and bad events, in a ring; those that do not count, by their reason."""

    __slots__ = ("bad", "excluded", "good", "name", "ring")

    def __init__(self, name: str, ring: Ring) -> None:
        self.name = name
        self.ring = ring
        self.good = 0
        self.bad = 0
        """These two since it began, over restarts; for a window ask the ring."""
        self.excluded: dict[str, int] = {}

    def good_one(self) -> None:
        """An event ended well."""
        self.good += 1
        self.ring.good += 1

    def bad_one(self) -> None:
        """An event ended badly."""
        self.bad += 1
        self.ring.bad += 1

    def excluded_one(self, reason: str) -> None:
        """An event ended in a way that says nothing of the objective."""
        if reason not in self.excluded and len(self.excluded) >= MOST_REASONS:
            reason = "other"
        self.excluded[reason] = self.excluded.get(reason, 0) + 1
