"""What an upstream asked for: to be left alone, for one tool, until then."""

from collections.abc import Callable


class Quiet:
    """Until when one tool is left alone. Only ever extended."""

    __slots__ = ("__weakref__", "_now", "quota", "until")

    def __init__(self, now: Callable[[], float]) -> None:
        self.until = float("-inf")  # on `Clock.now`
        self.quota = False  # a quota is used up: who waits would wait in vain
        self._now = now

    @property
    def idle(self) -> bool:
        """May it make room for others in the Keep?"""
        return self.until <= self._now()

    def extend(self, until: float, quota: bool) -> None:
        """Leave it alone until then, or longer if that was said before."""
        if until > self.until:
            self.until = until
            self.quota = quota
