"""A keep for those who only look: asking what would become of a call must change nothing.

Stages that are built to be asked look their state up as all stages do. What is in force they see
as it is now; but it does not obey the policy that they were built from, for another may be in
force, and what is made for them is forgotten with them.
"""

from collections.abc import Callable, Hashable
from typing import Any

from proxy.stage import Keep, Kept

_MOVES = frozenset({"follow", "add"})
"""What a stage does to its state where it is built, or where it counts."""
_LOOKS = {"of": "peek"}
"""What makes an entry of something kept, and what only looks for it."""


class Glance(Keep):
    """What another keep holds, and beside it whatever is looked up and is not there."""

    def __init__(self, live: Keep) -> None:
        super().__init__()
        self._live = live

    def of(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """The entry as it is now, and not to be changed; if there is none, one for here alone."""
        live = self._live.seen(key)
        return super().of(key, make) if live is None else Still(live)  # type: ignore[return-value]  # it is seen through

    def seen(self, key: Hashable) -> Any:
        """The entry as it is now, or one made here, or None."""
        live = self._live.seen(key)
        return super().seen(key) if live is None else live


class Still:
    """An entry that is seen and stays as it is."""

    __slots__ = ("__weakref__", "_entry")

    def __init__(self, entry: Any) -> None:
        self._entry = entry

    def __getattr__(self, name: str) -> Any:
        if name in _MOVES:
            return _nothing
        return getattr(self._entry, _LOOKS.get(name, name))


def _nothing(*_: Any, **__: Any) -> None:
    """Done instead."""
