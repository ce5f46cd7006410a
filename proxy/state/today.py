"""What each agent spent today: since midnight, in UTC."""

import msgspec

_DAY = 86_400


class Today(msgspec.Struct):
    """What each agent spent since midnight, in UTC."""

    until: float = 0.0  # the next midnight
    spent: dict[str, int] = {}

    def on(self, at: float) -> dict[str, int]:
        """That of the day in which it is; of a day before the last one it counts as of that."""
        if at >= self.until:
            self.until, self.spent = at // _DAY * _DAY + _DAY, {}
        return self.spent
