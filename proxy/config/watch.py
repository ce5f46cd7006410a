"""Notices that the policy files changed. Looks at their content twice a second: no library, and it
sees what each of an editor's rename, a ConfigMap's symlink swap and a plain write does.

A change counts once two looks in a row agree, so that a file that is just being replaced is not
taken for one that was deleted, whose rules would then be gone for a moment.
"""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from proxy.clock import Clock
from proxy.config.load import policy_files

INTERVAL = 0.5
"""Seconds from look to look. Two of them, and the load, stay under the 2 s of spec 1.3."""


class Watch:
    """Make it before the first load, so that what changes during that load is seen as well.

    `changed` is called for every change, in the loop, and must not raise.
    """

    def __init__(self, folder: str | Path, changed: Callable[[], object], clock: Clock) -> None:
        self._folder = Path(folder) if folder else None
        self._changed = changed
        self._clock = clock
        self._also: frozenset[Path] = frozenset()
        self._acted_on = self._seen = self._look()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._clock.sleep(INTERVAL)
            self.look()

    def look(self) -> None:
        """Look once; call `changed` if this look and the one before agree on something new."""
        before, self._seen = self._seen, self._look()
        if self._seen == before and self._seen != self._acted_on:
            self._acted_on = self._seen
            self._changed()

    def loaded(self, also: Iterable[Path]) -> None:
        """Call it after each load, with the files that the policies name (`Loaded.files`)."""
        before, self._also = self._also, frozenset(also)
        now = self._look()
        kept = {path: told for path, told in self._acted_on.items() if path not in before}
        # Files named for the first time are no change by themselves.
        named = {path: self._acted_on.get(path, now[path]) for path in self._also}
        self._acted_on = {**kept, **named}

    def _look(self) -> dict[Path, bytes]:
        return {path: _digest(path) for path in (*self._policy_files(), *self._also)}

    def _policy_files(self) -> list[Path]:
        if self._folder is None:
            return []
        try:
            return policy_files(self._folder)
        except OSError:
            return []


def _digest(path: Path) -> bytes:
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return b""
