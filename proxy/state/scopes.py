"""Scopes: what a kill is for, and the net of all of them, in which calls are looked up."""

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeAlias, TypeVar

from proxy.call import CONTROL, Call
from proxy.globs import holds

ALL = "all"
KINDS = ("fleet", "agent", "tool", "workflow", "upstream", "bulkhead")
"""Of the scopes that name something."""
LONGEST = 256
"""Characters of a name. No agent or workflow has one of more than half as many."""
_GLOBS = frozenset({"agent", "tool"})
_EXPECTED = (
    "expected all, fleet:NAME, agent:GLOB, tool:GLOB, workflow:ID, upstream:NAME or bulkhead:NAME"
)


class Scope(str):
    """What a kill is for: `all`, or a kind and a name."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "Scope":
        """Raises ValueError, with what is allowed."""
        if not isinstance(text, str):
            raise ValueError(_EXPECTED)
        kind, colon, name = text.partition(":")
        if text != ALL and not (kind in KINDS and colon and name):
            raise ValueError(f"{_EXPECTED}, found {text[:LONGEST]!r}")
        if len(name) > LONGEST or not name.isprintable() or name != name.strip():
            raise ValueError(
                f"expected a name of at most {LONGEST} printable characters, "
                f"without spaces at its ends, found {name[:LONGEST]!r}"
            )
        return cls(text)

    @property
    def kind(self) -> str:
        """`all`, `fleet`, `agent` …"""
        return str(self).partition(":")[0]

    @property
    def name(self) -> str:
        """A name, an id or a glob; empty for `all`."""
        return str(self).partition(":")[2]

    @property
    def label(self) -> str:
        """What metrics call it: ids are no values of labels."""
        return "workflow" if self.kind == "workflow" else str(self)


class Scoped(Protocol):
    """What is caught in a net."""

    @property
    def scope(self) -> Scope:
        """What it is for."""


Caught = TypeVar("Caught", bound=Scoped)


class Net(Generic[Caught]):
    """All scopes at once: names in full are looked up, globs are tried one after the other.

    The widest scope answers: who is told that all is stopped looks no further.
    """

    __slots__ = ("_all", "_exact", "_globs")

    def __init__(self, caught: Iterable[Caught]) -> None:
        self._all: Caught | None = None
        self._exact: dict[str, dict[str, Caught]] = {}
        self._globs: dict[str, list[tuple[str, Caught]]] = {}
        for each in caught:
            kind, name = each.scope.kind, each.scope.name
            if kind == ALL:
                self._all = each
            elif kind in _GLOBS and "*" in name:
                self._globs.setdefault(kind, []).append((name, each))
            else:
                self._exact.setdefault(kind, {})[name] = each

    def of(self, call: Call, upstream: str) -> Caught | None:
        """What stops a call, or an attempt of it that goes to this upstream. What only sets calls
        up is no tool's, and no workflow's (spec 4.4)."""
        if call.kind == CONTROL:
            return self._all or self._by(_OF_CONTROL, call) or self._of("upstream", upstream)
        return self.early(call, upstream) or self._of("tool", call.tool)

    def early(self, call: Call, upstream: str) -> Caught | None:
        """The same for a call whose body was not read: its tool is not known yet."""
        return self._all or self._by(_FACTS, call) or self._of("upstream", upstream)

    def _by(self, facts: "tuple[Fact, ...]", call: Call) -> Caught | None:
        for kind, fact in facts:
            found = self._of(kind, fact(call))
            if found is not None:
                return found
        return None

    def _of(self, kind: str, name: str) -> Caught | None:
        exact = self._exact.get(kind)
        if exact is not None and name in exact:
            return exact[name]
        for glob, each in self._globs.get(kind, ()):
            if holds(glob, name):
                return each
        return None


Fact: TypeAlias = tuple[str, Callable[[Call], str]]
_OF_CONTROL: tuple[Fact, ...] = (
    ("fleet", lambda call: call.fleet),
    ("agent", lambda call: call.agent),
)
_FACTS: tuple[Fact, ...] = (
    *_OF_CONTROL,
    ("bulkhead", lambda call: call.domain),
    ("workflow", lambda call: call.workflow),
)
