"""Records that found no place while the journal could not be written, and the one that tells of it.

They are counted, not kept; which was the first, which the last, and since when is what is known.
"""

import threading
from collections.abc import Callable

from proxy.journal.entries import Entry, Recovery
from proxy.journal.lines import rfc3339
from proxy.journal.segments import Timed

_WHY = "the journal could not be written, and no more could be held"


class Losses:
    """From any thread."""

    def __init__(self, stamp: Callable[[], int], name: Callable[[], str]) -> None:
        """`stamp`: now, in nanoseconds since 1970. `name` makes ids."""
        self.count = 0
        """In all."""
        self._stamp = stamp
        self._name = name
        self._lock = threading.Lock()
        self._told = 0  # of them
        self._since = 0
        self._first = self._last = ""

    def add(self, entry: Entry) -> None:
        """One more."""
        with self._lock:
            if self.count == self._told:
                self._since, self._first = self._stamp(), entry.id
            self.count += 1
            self._last = entry.id

    @property
    def untold(self) -> bool:
        """Are there some that nothing told of yet?"""
        return self.count > self._told

    def entry(self) -> Timed | None:
        """What tells of those that nothing told of yet; None: there are none."""
        with self._lock:
            records, self._told = self.count - self._told, self.count
            if not records:
                return None
            told = Recovery(
                self._name(),
                "dropped",
                records=records,
                first=self._first,
                last=self._last,
                since=rfc3339(self._since),
                detail=_WHY,
            )
            return self._stamp(), told
