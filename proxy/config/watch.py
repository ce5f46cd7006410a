"""Notices that the policy files changed. Looks at their content twice a second: no library, and it
sees what each of an editor's rename, a ConfigMap's symlink swap and a plain write does.

A change counts once two looks in a row agree, so that a file that is just being replaced is not
taken for one that was deleted, whose rules would then be gone for a moment.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from proxy.clock import Clock
from proxy.config.disk import LARGEST, content
from proxy.config.load import policy_files

INTERVAL = 0.5
"""Seconds from look to look. Two of them, and the load, stay under the 2 s of spec 1.3."""


PATIENCE = 3
"""Looks. A file that never comes to rest is loaded as it is, if none is missing."""


class Watch:
    """Make it before the first load, so that what changes during that load is seen as well.

    `changed` is called for every change, in the loop, and must not raise.
    """

    def __init__(self, folder: str | Path, changed: Callable[[], object], clock: Clock) -> None:
        self._folder = Path(folder) if folder else None
        self._changed = changed
        self._clock = clock
        self._also: frozenset[Path] = frozenset()
        self._unsettled = 0  # looks in a row that saw something new
        self._acted_on = self._seen = self.look()

    async def run(self) -> None:
        """Look until cancelled. Files are read in a thread: a slow disk stops no call."""
        while True:
            await self._clock.sleep(INTERVAL)
            self.saw(await asyncio.to_thread(self.look))

    def look(self) -> dict[Path, bytes]:
        """What the files hold now."""
        return digests((*self._policy_files(), *self._also))

    def saw(self, files: dict[Path, bytes]) -> None:
        """Call `changed` if this look and the one before agree on something new, or never do."""
        before, self._seen = self._seen, files
        self._unsettled = 0 if files == self._acted_on else self._unsettled + 1
        restless = self._unsettled >= PATIENCE and files.keys() >= self._acted_on.keys()
        if self._unsettled and (files == before or restless):
            self._acted_on, self._unsettled = files, 0
            self._changed()

    def loaded(self, named: Mapping[Path, bytes]) -> None:
        """Call it after each load, with `digests` of the files that the policies name."""
        before, self._also = self._also, frozenset(named)
        kept = {path: told for path, told in self._acted_on.items() if path not in before}
        # Files named for the first time are no change by themselves.
        again = {path: self._acted_on.get(path, told) for path, told in named.items()}
        self._acted_on = {**kept, **again}

    def _policy_files(self) -> list[Path]:
        if self._folder is None:
            return []
        try:
            return policy_files(self._folder)
        except OSError:
            return []


def digests(paths: Iterable[Path]) -> dict[Path, bytes]:
    """What each file holds, in short; nothing for one that cannot be read."""
    return {path: _digest(path) for path in paths}


def _digest(path: Path) -> bytes:
    try:
        told = hashlib.sha256(held := content(path))
        if len(held) > LARGEST:  # authorities may be so long; of policies it is an error
            told.update(str(path.stat().st_mtime_ns).encode())
        return told.digest()
    except OSError:
        return b""
