"""What people and money rule of calls: kept over a restart, by the journal.

Each room remembers by the journal (`Rebuilt` in `proxy/journal/snapshot.py`): it changes its state
and notes the record of that in one step of the loop, and at the start it is rebuilt from both.
"""

from collections.abc import Awaitable, Sequence
from typing import Any, Protocol

from proxy.config.types import Loaded
from proxy.journal.snapshot import Rebuilt
from proxy.keep import Keep


class Notes(Protocol):
    """Where the rooms leave their traces: the journal."""

    def note(self, entry: Any, /) -> None:
        """To be written. Never waits, never raises."""

    def durable(self) -> Awaitable[bool]:
        """Is all that was noted?"""


class Control:
    """`begin` when the journal takes records; `obey` for each set of policies."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self.rooms: Sequence[Rebuilt] = ()
        """Those that the journal rebuilds before anybody is served."""

    def begin(self, notes: Notes) -> None:
        """They have been rebuilt, and what they do from now on is noted."""

    def obey(self, loaded: Loaded) -> None:
        """These policies are in force."""
