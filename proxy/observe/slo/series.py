"""A series: what is counted for one objective."""

from proxy.observe.slo.ring import Ring
from proxy.observe.slo.times import Times

MOST_REASONS = 64
"""Reasons are our own words, of one table; this is for what that table may get wrong."""


class Series:
    """Good and bad events, in a ring; those that do not count, by their reason."""

    __slots__ = ("_before", "excluded", "name", "ring", "times")

    def __init__(self, name: str, ring: Ring) -> None:
        self.name = name
        self.ring = ring
        self.excluded: dict[str, int] = {}
        self._before = (0, 0, 0)
        self.times: Times | None = None
        """How long events took that count, where somebody promised that."""

    def begin(self) -> None:
        """What was rebuilt is there. Counters of this process begin here, as all of them do: after
        a crash a few less may be known than were, and what falls Prometheus takes for a new
        beginning, and adds up once more."""
        self._before = self._counted

    @property
    def counts(self) -> tuple[int, int, int]:
        """Good, bad and excluded events since then."""
        (good, bad, excluded), before = self._counted, self._before
        return good - before[0], bad - before[1], excluded - before[2]

    @property
    def _counted(self) -> tuple[int, int, int]:
        return self.good, self.bad, sum(self.excluded.values())

    @property
    def good(self) -> int:
        """Since it began, over restarts; for a window ask the ring."""
        return self.ring.good

    @property
    def bad(self) -> int:
        """Likewise."""
        return self.ring.bad

    def excluded_one(self, reason: str) -> None:
        """An event ended in a way that says nothing of the objective."""
        if reason not in self.excluded and len(self.excluded) >= MOST_REASONS:
            reason = "other"
        self.excluded[reason] = self.excluded.get(reason, 0) + 1

    def take(self, said: bool | str) -> None:
        """One event: good or bad, or the reason why it does not count (`ends.verdict`)."""
        if said is True:
            self.ring.good += 1
        elif said is False:
            self.ring.bad += 1
        else:
            self.excluded_one(said)
