"""A keep for those who only look: asking what would become of a call must change nothing.

Stages that are built to be asked look their state up as all stages do. What is in force they see
as it is now; but it does not obey the policy that they were built from, for another may be in
force, and what is made for them is forgotten with them. So is what they count: it did not happen.
"""

from collections.abc import Callable, Hashable
from typing import Any

from proxy.counts import Counts
from proxy.keep import Keep, Kept, Obeys


class Glance(Keep):
    """What another keep holds, and beside it whatever is looked up and is not there."""

    def __init__(self, live: Keep) -> None:
        super().__init__()
        self._live = live

    def of(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """The entry as it is now, and not to be changed; if there is none, one for here alone."""
        live = self._live.seen(key)
        if live is None or isinstance(live, Counts):
            return super().of(key, make)
        return live  # type: ignore[no-any-return]  # it is what `make` once made under this key

    def followed(
        self, key: Hashable, make: Callable[[], Obeys], rules: Any, generation: int
    ) -> Obeys:
        """The same: what is in force goes on obeying what it obeys."""
        live: Obeys | None = self._live.seen(key)
        return super().followed(key, make, rules, generation) if live is None else live

    def seen(self, key: Hashable) -> Any:
        """The entry as it is now, or one made here, or None."""
        live = self._live.seen(key)
        return super().seen(key) if live is None else live
