"""The shapes of a stage. A gate decides *whether* a call goes, a wrapper decides *how*.

A policy's section is frozen data and keeps nothing; a stage is built from it at compile time and
keeps nothing that must survive a reload: that lives in the `Keep`, under a key that outlives it.
"""

from asyncio import Future
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, TypeAlias

import msgspec

from proxy.attempt import Attempt
from proxy.call import Call, Effect, Risk, Taking, Unrecorded
from proxy.clock import Clock
from proxy.keep import Keep, Kept, Obeys
from proxy.keys import Key, shadowed
from proxy.refusal import Refusal
from proxy.reply import Reply

Handler: TypeAlias = Callable[[Call], Awaitable[Reply]]
"""Pipeline, call wrapper and call guard: all the same. Returns at the commit point."""
Sender: TypeAlias = Callable[[Attempt], Awaitable[Reply]]
"""Attempt guard, commit and send: all the same. Returns at the commit point."""
Links: TypeAlias = Callable[[Call, str, str], Handler]
"""Of a call, an upstream and a model: what sends the call there, by that upstream's own policies.
An empty name stands for the call's own."""
Verdict: TypeAlias = Refusal | None


class Quote(Protocol):
    """Knows what calls cost, and what there is."""

    def __call__(self, call: Call, /) -> tuple[float, float]:
        """What one sending costs, in US dollars; and what is left of its budgets: 1 all of each, 0
        nothing of one."""
        ...

    def full(self, call: Call, /) -> Refusal | None:
        """What is said now by a budget that has no room for it, and asks nobody."""
        ...


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


class Listens:
    """A gate of calls that hears what comes back, at its commit."""

    __slots__ = ()

    def committed(self, call: Call, reply: Reply, /) -> None:
        """For each call admitted that has a reply, before any of that goes to the agent."""


class Check(NothingTaken):
    """A gate of calls that takes nothing and answers at once, without asking anybody."""

    __slots__ = ()


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One section of a policy: what a file says, with its defaults.

    One that is a list above all may be written as such, or as a number: `written_as_list` and
    `written_as_number` name the field that it is.
    """

    written_as_list: ClassVar[str] = ""
    written_as_number: ClassVar[str] = ""
    by_number: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """Fields that a number gives as well: who writes just that wants nothing of policies before."""
    ways: ClassVar[tuple[str, ...]] = ()
    """Words that its `mode` may say beside those of all sections: they go to its field `way`."""
    by_true: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """Fields that `true` gives, where it is written so; others come from policies before."""
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
    risk: Risk = Risk.MEDIUM
    unrecorded: Unrecorded = Unrecorded.ALLOW
    unrecorded_giver: tuple[str, str] = ("", "")  # the policy by which it is so, and what it says

    @property
    def traced(self) -> bool:
        """Must such a call leave a trace, whatever happens to this process?"""
        return self.effect is Effect.WRITE or self.risk.great


def no_links(call: Call, upstream: str, model: str) -> Handler:
    """Where there is no table, there is no other upstream. Raises LookupError."""
    raise LookupError(upstream)


class Sound(Protocol):
    """How a trail is."""

    @property
    def kind(self) -> str:
        """ok: what is noted will be durable soon. Any other word: not for now."""


class Trail(Protocol):
    """Where calls leave their traces: the journal, as stages see it."""

    @property
    def state(self) -> Sound:
        """Can it be written?"""

    def note(self, entry: Any, /) -> None:
        """To be written. Never waits, never raises."""

    def durable(self) -> "Future[bool] | None":
        """When all that was noted is durable: True; False: it cannot be made so now. None: it is
        already. Nobody waits for long, and whoever no longer wants to know may cancel it."""

    def taking(self, call: Call, wish: Any, /) -> Taking | None:
        """What takes the bodies of a call, so that they can be kept. None: nothing can be."""


class _Ok(msgspec.Struct, frozen=True):
    kind: str = "ok"


class Trackless:
    """A trail that keeps nothing, and is always well: where there is no journal."""

    state: Sound = _Ok()

    def note(self, entry: Any, /) -> None:
        """Part of Trail."""

    def durable(self) -> None:
        """Part of Trail."""

    def taking(self, call: Call, wish: Any, /) -> None:
        """Part of Trail."""


class Ground(msgspec.Struct, frozen=True):
    """What every stage stands on."""

    clock: Clock
    keep: Keep
    shadow: bool = False  # counters of its own, apart from what is enforced
    links: Links = no_links
    generation: int = 0  # of the table: it grows with each one made on one keep
    places: Mapping[str, str] = MappingProxyType({})  # the URL of each upstream
    world: bytes = b""  # a digest of where its upstreams are, and of our credentials there
    trail: Trail = Trackless()
    newest: Handler | None = None
    """Takes a call that was held once more through all that is in force, of the newest table."""

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


class _Free:
    """Part of Quote: where nobody speaks of money."""

    def __call__(self, call: Call, /) -> tuple[float, float]:
        return 0.0, 1.0

    def full(self, call: Call, /) -> None:
        """Part of Quote."""


no_quote: Quote = _Free()


class Site(msgspec.Struct, frozen=True):
    """Where a stage is built: what it is given beside its section."""

    target: Target
    ground: Ground
    policy: str = ""  # that gave what it enforces (`Entry.giver` in `proxy/stages`)
    inner: Handler = nobody  # a wrapper's: what stands behind it
    sender: Sender = nobody  # in the phase `link`: sends one attempt through its gates
    quote: Quote = no_quote
