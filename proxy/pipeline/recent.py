"""What was made for calls is remembered as long as such calls come."""

from collections.abc import Callable, Hashable
from typing import TypeVar

Found = TypeVar("Found")


class Recent(dict[Hashable, Found]):
    """The younger of two generations: `get` asks it, so a hit costs one lookup and writes nothing.

    What it does not have is fetched: from the older generation, or made. When the younger one holds
    half of all that may be kept, it becomes the older one. So keys that are made up push out only
    what was not asked for while as many others were.
    """

    __slots__ = ("_half", "_older")

    def __init__(self, most: int) -> None:
        """At most so many are kept, in both."""
        super().__init__()
        self._half = most // 2
        self._older: dict[Hashable, Found] = {}

    def fetch(self, key: Hashable, make: Callable[[], Found]) -> Found:
        """What is kept under `key` and is not here: it is, from now on."""
        found = self._older.pop(key, None)
        if found is None:
            found = make()
        if len(self) >= self._half:
            self._older = dict(self)
            self.clear()
        self[key] = found
        return found

    @property
    def kept(self) -> int:
        """How many there are, in both."""
        return len(self) + len(self._older)
