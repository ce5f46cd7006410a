"""What was worked out is remembered, by short keys only: long ones would fill the memory."""

from collections.abc import Callable
from typing import TypeVar

Key = TypeVar("Key", bytes, str)
Found = TypeVar("Found")


class Memo(dict[Key, Found]):
    """A pure function's answers: `memo[key]` is looked up, or worked out and, if short, kept.

    When it is full it begins anew. That is faster than to know which answer was asked for last,
    and whoever fills it on purpose gains nothing but that others are worked out once more.
    """

    def __init__(
        self,
        function: Callable[[Key], Found],
        *,
        most: int = 4096,
        longest: int = 512,
        keeps: Callable[[Found], bool] = lambda found: True,
    ) -> None:
        """At most `most` answers to keys of at most `longest` are kept, if `keeps` says so."""
        super().__init__()
        self._function: Callable[[Key], Found] = function
        self._most = most
        self._longest = longest
        self._keeps = keeps

    def __missing__(self, key: Key) -> Found:
        found = self._function(key)
        if len(key) <= self._longest and self._keeps(found):
            if len(self) >= self._most:
                self.clear()
            self[key] = found
        return found


def remembered(function: Callable[[Key], Found]) -> Callable[[Key], Found]:
    """A pure function of one short key, remembered: a hit costs one lookup."""
    memo: Memo[Key, Found] = Memo(function)
    found: Callable[[Key], Found] = memo.__getitem__
    return found
