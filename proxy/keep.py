"""The keep: what outlives a reload in this process, by its key."""

from collections.abc import Callable, Hashable, Iterator
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from proxy.keys import Names


class Follows(Protocol):
    """An entry of the keep that obeys what policies say."""

    def follow(self, rules: Any, /) -> None:
        """Obey these from now on. What was counted, taken or learned stays."""


Kept = TypeVar("Kept")
Obeys = TypeVar("Obeys", bound=Follows)


class Keep:
    """What outlives a reload in this process, looked up by key: circuits, budgets, cool-downs.

    At most `limit` entries; the one looked up longest ago that is `idle` makes room. If none is,
    the entry is handed out and not kept, so that an agent that makes up names cannot push out an
    open circuit, nor fill the memory.

    Who holds an entry need not fear that another is made beside it: as long as somebody does, it is
    found, kept or not. So a pipeline's idle circuit may make room, and when it opens all see it.
    Pipelines are bounded in number, and so are the entries that only they hold.

    What obeys policies obeys those of the newest table that spoke to it: calls that began before a
    reload may compile their pipelines after it, and must not bring back the rules of then. Where
    policies of one table say different things of one entry, the last one that spoke counts.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._entries: dict[Hashable, Any] = {}
        self._held: WeakValueDictionary[Hashable, Any] = WeakValueDictionary()  # these, and more
        self._spoke: WeakKeyDictionary[Any, int] = WeakKeyDictionary()  # the newest that did
        self._tables = 0

    def generation(self) -> int:
        """The number of a new table: greater than those of all before."""
        self._tables += 1
        return self._tables

    def of(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """The entry under `key`, made if there is none. It must bear weak references."""
        entry = self._entries.pop(key, None)
        if entry is None:
            entry = self._held.get(key)
            if entry is None:
                entry = self._held[key] = make()
            if len(self._entries) >= self._limit and not self._make_room():
                return entry  # type: ignore[no-any-return]  # as below
        self._entries[key] = entry
        return entry  # type: ignore[no-any-return]  # it is what `make` made under this key

    def followed(
        self, key: Hashable, make: Callable[[], Obeys], rules: Any, generation: int
    ) -> Obeys:
        """The same, and it follows these rules, unless a newer table has spoken."""
        entry = self.of(key, make)
        spoke = self._spoke.get(entry, -1)
        if generation >= spoke:
            if generation > spoke:
                self._spoke[entry] = generation
            entry.follow(rules)
        return entry

    def seen(self, key: Hashable) -> Any:
        """The entry under `key`, or None; looking at it changes nothing."""
        entry = self._entries.get(key)
        return self._held.get(key) if entry is None else entry

    def items(self) -> list[tuple[Hashable, Any]]:
        """All entries that are kept or held, for those who show them."""
        return list({**self._entries, **self._held}.items())

    def each(self, kind: type[Names]) -> Iterator[tuple[Names, Any]]:
        """Those of one kind, of what is enforced and of shadows."""
        return ((key, entry) for key, entry in self.items() if isinstance(key, kind))

    def _make_room(self) -> bool:
        for key, entry in self._entries.items():
            if getattr(entry, "idle", True):
                del self._entries[key]
                return True
        return False
