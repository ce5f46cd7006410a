"""How many calls at once an upstream bears, felt out: additive increase, multiplicative decrease.

As TCP feels for the width of a line (RFC 5681 3.1). Only a loss says that it was too many: an
upstream that throttles, says 503, or does not answer in time. That an answer takes long says
nothing here, for the answers of models take as long as they are long.
"""

_LESS = 0.7  # as CUBIC and the adaptive mode of AWS's SDKs have it (RFC 9438 4.6)
_BUSY = 0.8  # of the limit; who never meets it learns nothing of it


class Aimd:
    """What one limit has seen. Times are seconds on `Clock.now`."""

    __slots__ = ("_fell_at", "_good")

    def __init__(self) -> None:
        self._good = 0  # good results since the limit last changed
        self._fell_at = float("-inf")

    def good(self, began: float, limit: int, held: int) -> int:
        """The limit after a good result of an attempt that began then, while `held` were held.

        One more for each round, that is when as many as may be under way came back well.
        """
        if held < limit * _BUSY or began <= self._fell_at:
            return limit
        self._good += 1
        if self._good < limit:
            return limit
        self._good = 0
        return limit + 1

    def lost(self, began: float, now: float, limit: int) -> int:
        """The limit after a loss; of all that were under way together, the first one counts."""
        if began <= self._fell_at:
            return limit
        self._fell_at = now
        self._good = 0
        return int(limit * _LESS)
