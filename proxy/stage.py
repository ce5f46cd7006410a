"""The shapes of a stage. A gate decides *whether* a call goes, a wrapper decides *how*.

A policy's section is frozen data and keeps nothing; a stage is built from it at compile time and
keeps nothing that must survive a reload: that lives in the `Keep`, under a key that outlives it.
"""

from collections.abc import Awaitable, Callable, Hashable, Iterator
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

import msgspec

from proxy.attempt import Attempt
from proxy.call import Call, Effect
from proxy.clock import Clock
from proxy.keys import Key, Names, shadowed
from proxy.refusal import Refusal
from proxy.reply import Reply

LATE = 0.01
"""Seconds by which a timer may wake us too late for an attempt that must last `min_attempt`."""
SPREAD = 0.1
"""Who is told to come back in 10 s comes back in 10 to 11: not all at the same moment."""

Handler: TypeAlias = Callable[[Call], Awaitable[Reply]]
"""Pipeline, call wrapper and call guard: all the same. Returns at the commit point."""
Sender: TypeAlias = Callable[[Attempt], Awaitable[Reply]]
"""Attempt guard, commit and send: all the same. Returns at the commit point."""
Links: TypeAlias = Callable[[Call, str, str], Handler]
"""Of a call, an upstream and a model: what sends the call there, by that upstream's own policies.
An empty name stands for the call's own."""
Verdict: TypeAlias = Refusal | None


class Said(msgspec.Struct, frozen=True):
    """What a stage would do with a call now, told to people by `explain`."""

    note: str  # in a few words, with its numbers: "closed, 2 of 12 calls failed"
    refusal: Refusal | None = None  # what it would answer


class Speaks(Protocol):
    """What every stage can, gates too: to be asked, and not passed."""

    def says(self, call: Call, /) -> Said:
        """What it would do with the call now. Takes, waits for and changes nothing."""


class Wrapper(Speaks, Protocol):
    """Decides how: it holds what stands behind it, and hands a call on once, never, or often."""

    def handle(self, call: Call, /) -> Awaitable[Reply]:
        """The call's reply, at its commit. What stands in front calls this method itself."""


class CallGate(Protocol):
    """Asked once for each call."""

    def admit(self, call: Call, /) -> Verdict | Awaitable[Verdict]:
        """None: go on. A refusal: stop. A plain def unless it must ask the store or a person."""

    def settle(self, call: Call, reply: Reply, /) -> None:
        """Once for each call admitted, when its reply is finished. Never waits, never raises."""


class AttemptGate(Protocol):
    """Asked once for each sending."""

    def admit(self, attempt: Attempt, /) -> Verdict | Awaitable[Verdict]:
        """As for a call."""

    def committed(self, attempt: Attempt, reply: Reply, /) -> None:
        """The result is decided, though a stream may go on for an hour."""

    def settle(self, attempt: Attempt, reply: Reply, /) -> None:
        """Once for each attempt admitted, when its reply is finished. Permits go back here."""


class NothingTaken:
    """A gate that takes nothing: nobody settles it. One that is to hear of commits says how."""

    __slots__ = ()

    def committed(self, attempt: Attempt, reply: Reply, /) -> None:
        """Part of AttemptGate."""

    def settle(self, subject: Any, reply: Reply, /) -> None:
        """Part of CallGate and AttemptGate."""


class Withdraws:
    """A gate that may be left while it makes somebody wait: it is told by a cancellation, and lets
    go of his place. Should it have let him through just before, he is settled like any other. Other
    gates are heard to their end, for what they grant may lie with a store."""

    __slots__ = ()


class Queues(Withdraws):
    """One that makes attempts stand in a queue of ours; the guard counts such waiting apart."""

    __slots__ = ()


class Check(NothingTaken):
    """A gate of calls that takes nothing and answers at once, without asking anybody."""

    __slots__ = ()


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One section of a policy: what a file says, with its defaults.

    One that is a list above all may be written as such: `written_as_list` names the field that the
    list is.
    """

    written_as_list: ClassVar[str] = ""
    holds: ClassVar[bool] = False
    """It wants to know how an attempt ended before its answer goes to the agent."""
    restricts: ClassVar[bool] = False
    """It only ever keeps calls back: it holds as well where its policy's condition fails."""
    reads_only: ClassVar[bool] = False
    """It acts on calls whose effect is read, and on no others."""

    def lack(self) -> str:
        """What must be given and is not, in the words of an error; empty: nothing.

        Asked of what is in force for a policy, for one policy may give what another one does not.
        """
        return ""


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


class Target(msgspec.Struct, frozen=True):
    """What a pipeline is compiled for."""

    upstream: str
    protocol: str
    layer: str
    tool: str
    effect: Effect
    domain: str = ""  # the bulkhead of the calling agent: it shares nothing with other ones
    model: str = ""
    sent_as: str = ""  # the model that its calls are sent as, where that is not their own
    backups: tuple[str, ...] = ()  # other upstreams that its own names
    idempotent_upstream: bool = False  # it honours idempotency keys


def latest_start(call: Call) -> float:
    """The last moment on `Clock.now` until which it may be made to wait, so that there is time for
    another attempt."""
    return call.deadline - call.min_attempt - LATE


def spread(wait: float, room: float, chance: float) -> float:
    """A wait that somebody asked for, longer by chance (0 to 1) if there is room for that."""
    longer = wait * (1 + SPREAD * chance)
    return longer if longer <= room else wait


def no_links(call: Call, upstream: str, model: str) -> Handler:
    """Where there is no table, there is no other upstream. Raises LookupError."""
    raise LookupError(upstream)


class Ground(msgspec.Struct, frozen=True):
    """What every stage stands on."""

    clock: Clock
    keep: Keep
    shadow: bool = False  # counters of its own, apart from what is enforced
    links: Links = no_links
    generation: int = 0  # of the table: it grows with each one made on one keep

    def kept(self, key: Key, make: Callable[[], Kept]) -> Kept:
        """The entry of the keep; a shadow's is never the enforced one."""
        return self.keep.of(shadowed(key) if self.shadow else key, make)

    def followed(self, key: Key, make: Callable[[], Obeys], rules: Any) -> Obeys:
        """The same for one that obeys: it follows these rules, unless a newer table has spoken."""
        where = shadowed(key) if self.shadow else key
        return self.keep.followed(where, make, rules, self.generation)

    def seen(self, key: Key) -> Any:
        """The same for who only looks: None if there is none."""
        return self.keep.seen(shadowed(key) if self.shadow else key)


def nobody(subject: Any, /) -> Awaitable[Reply]:
    """Stands where nothing is meant to be called. Raises AssertionError."""
    raise AssertionError("there is nobody behind")


class Site(msgspec.Struct, frozen=True):
    """Where a stage is built: what it is given beside its section."""

    target: Target
    ground: Ground
    policy: str = ""  # that gave what it enforces (`Entry.giver` in `proxy/stages`)
    inner: Handler = nobody  # a wrapper's: what stands behind it
    sender: Sender = nobody  # in the phase `link`: sends one attempt through its gates
