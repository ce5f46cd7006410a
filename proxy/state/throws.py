"""What was thrown and what was lifted, so that pods agree on it (spec 4.4, 3.11).

A kill must never be lost because two pods did something at once, a message came late, or the store
forgot. So each throw has a name of its own, and to revive a scope is to lift the throws that were
known where it was revived: these, and no others. Of two views of a scope the *join* is: thrown is
what either has thrown and none has lifted; lifted is what either has lifted. It is the same in any
order, and however often it is done, so pods only have to exchange what they know, at any time and
by any way, and end with the same. Who throws anew what is killed already replaces what he knows of.

Names begin with a moment, which is later than that of all throws of the scope that were known: so
they are in the order of what people knew, also where clocks differ (a hybrid logical clock). That
makes the newest one the same everywhere, and of lifted ones the newest are kept, `OFF` of a scope.
A throw of before those, by a pod that was away all the time, stops its scope once more.

That an end has come (`until`) is no lift: each pod sees that by itself, and none can end a kill for
others because its clock is wrong.
"""

from collections.abc import Iterable, Iterator

import msgspec

from proxy.state.killed import InFlight, Kill
from proxy.state.scopes import Scope

ON = 8
"""Throws of one scope side by side, that did not know of each other. More are joined into one."""
OFF = 32
"""Lifted throws that are remembered of a scope."""
LIFTED = 2_000
"""Scopes that are remembered because something was lifted."""
REMEMBERED = 7 * 86_400_000
"""Milliseconds for which they are."""


class Lift(msgspec.Struct, frozen=True):
    """Somebody revived it."""

    at: int = 0  # milliseconds since 1970
    by: str = ""
    reason: str = ""
    pod: str = ""  # where; empty: here


class Thrown(msgspec.Struct, frozen=True):
    """All that is known of one scope."""

    scope: Scope
    on: dict[str, Kill] = {}  # throws that stand, by name
    off: frozenset[str] = frozenset()  # those that were lifted
    lift: Lift = Lift()  # the last one

    def thrown(self, name: str, kill: Kill) -> "Thrown":
        """Once more: it replaces all that is known."""
        return _made(self.scope, {name: kill}, self.off.union(self.on), self.lift)

    def again(self, on: dict[str, Kill]) -> "Thrown":
        """These stand, and no others: so it was noted."""
        return _made(self.scope, on, self.off.union(self.on).difference(on), self.lift)

    def lifted(self, names: Iterable[str], lift: Lift) -> "Thrown":
        """Without these."""
        return _made(self.scope, self.on, self.off.union(names), _later(self.lift, lift))

    def joined(self, other: "Thrown") -> "Thrown":
        """What both know. Itself, where the other knows nothing more."""
        on = dict(self.on)
        for name, kill in other.on.items():
            on[name] = _wider(on[name], kill) if name in on else kill
        both = _made(self.scope, on, self.off | other.off, _later(self.lift, other.lift))
        return self if both.same(self) else both

    def same(self, other: "Thrown") -> bool:
        """Does it stop and lift the same? Whoever did it, and why, is the same then."""
        return self.off == other.off and _terms(self) == _terms(other)

    def kill(self, now: float) -> Kill | None:
        """What is in effect of it: the newest that was thrown, as wide as all of them."""
        found: Kill | None = None
        for _, kill in sorted(self.on.items()):
            if kill.until is not None and kill.until <= now:
                continue
            found = kill if found is None else _wider(kill, found)
        return found

    def past(self, now: float, age: int) -> bool:
        """Has nothing of it stood for so many milliseconds?"""
        return self.kill(now) is None and _last(self) < now * 1000 - age

    def name(self, now: float, uuid: str) -> str:
        """For a throw of now, by who knows all this."""
        newest = max([*self.on, *self.off], default="")
        moment = max(int(now * 1000), moment_of(newest) + 1)
        return f"{moment:012x}.{uuid[:18]}"


class Throws:
    """Of all scopes. What is thrown is bounded by who throws (`Kills`), the rest here."""

    def __init__(self) -> None:
        self._of: dict[Scope, Thrown] = {}

    def __iter__(self) -> Iterator[Thrown]:
        return iter(list(self._of.values()))

    def __len__(self) -> int:
        return len(self._of)

    def of(self, scope: Scope) -> Thrown:
        """What is known of it; maybe nothing."""
        return self._of.get(scope) or Thrown(scope)

    def knows(self, scope: Scope) -> bool:
        """Is anything?"""
        return scope in self._of

    def throw(self, kill: Kill, now: float, uuid: str) -> str:
        """Somebody did, here and now. Gives its name."""
        known = self.of(kill.scope)
        name = known.name(now, uuid)
        self._of[kill.scope] = known.thrown(name, kill)
        return name

    def take(self, known: Thrown) -> None:
        """So it is from now on."""
        self._of[known.scope] = known

    def forget(self, now: float) -> None:
        """Let go of what was lifted, or had its end, long ago, or is one of too many."""
        ended = sorted((each for each in self if each.kill(now) is None), key=_last)
        for place, each in enumerate(ended):
            if place < len(ended) - LIFTED or each.past(now, REMEMBERED):
                del self._of[each.scope]


def _made(scope: Scope, on: dict[str, Kill], off: frozenset[str], lift: Lift) -> Thrown:
    left = {name: kill for name, kill in on.items() if name not in off}
    names = sorted(left)
    for name in names[:-ON]:
        left[names[-1]] = _wider(left[names[-1]], left.pop(name))
    kept = off if len(off) <= OFF else frozenset(sorted(off)[-OFF:])
    return Thrown(scope, left, kept, lift)


def _wider(kill: Kill, other: Kill) -> Kill:
    """The first one, which stops at least what the other does."""
    until = None if None in (kill.until, other.until) else _most(kill.until, other.until)
    flight: InFlight = "end" if "end" in (kill.in_flight, other.in_flight) else "finish"
    since = min(kill.since, other.since)
    return msgspec.structs.replace(kill, since=since, until=until, in_flight=flight)


def _most(*moments: float | None) -> float:
    return max(moment for moment in moments if moment is not None)


def _terms(known: Thrown) -> dict[str, tuple[float | None, str]]:
    return {name: (kill.until, kill.in_flight) for name, kill in known.on.items()}


def _later(lift: Lift, other: Lift) -> Lift:
    return max(lift, other, key=lambda each: (each.at, each.by, each.reason))


def moment_of(name: str) -> int:
    """Of a throw, in milliseconds since 1970; 0 where its name has none."""
    try:
        return int(name.partition(".")[0], 16)
    except ValueError:
        return 0


def _last(known: Thrown) -> int:
    ends = [int((kill.until or 0.0) * 1000) for kill in known.on.values()]
    return max([known.lift.at, *ends])
