"""`/v1/journal`: how the journal does, how far it is, what lies on the disk, and its mirrors."""

import asyncio
import contextlib

from proxy.admin import views
from proxy.admin.lists import Item
from proxy.admin.routes import Visit
from proxy.admin.sight import Sight
from proxy.journal.folder import Folder

KEPT = 5.0
"""Seconds that a look at the disk counts: there may be thousands of segments."""


class JournalPage:
    """The handler."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        self._until = float("-inf")
        self._seen = {"segments": 0, "bytes": 0}

    async def page(self, _: Visit) -> Item | None:
        """As it is now; what it takes of the disk may be a few seconds old. None: not open yet."""
        told = views.journal(self._sight)
        journal = self._sight.health.journal
        if told is None or journal is None:
            return None
        now = self._sight.clock.now()
        if now >= self._until:
            self._until = now + KEPT  # before the look, so that two of them never run at once
            self._seen = await asyncio.to_thread(on_disk, journal.folder)
        return {**told, **self._seen, "mirrors": self._sight.mirrors()}


def on_disk(folder: Folder) -> dict[str, int]:
    """How many segments there are, and their bytes, as they lie there. What cannot be read, or is
    deleted meanwhile, does not count."""
    sizes = []
    with contextlib.suppress(OSError):
        for segment in folder.segments():
            with contextlib.suppress(OSError):
                sizes.append(segment.path.stat().st_size)
    return {"segments": len(sizes), "bytes": sum(sizes)}
