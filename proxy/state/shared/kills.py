"""Kills, as pods tell each other of them: what is told of a scope, and the verbs for that.

The store holds one *word* for each scope, under a mark, and does not know what it says: to read
and to join words is the pods' (`proxy/state/throws.py`). A pod that has more to say names the mark
of the word that it knows (`TellKills`); if there is another one by now, it is given that instead,
joins it, and says it again. So nothing is overwritten that the writer had not heard, also by a
command that comes late. Who asks for what is new names the last number that he saw (`NewKills`).

How many words there may be is the teller's to say: stages, which agents can make throw, find no
room before people do.
"""

from hashlib import blake2b
from typing import Annotated, Any, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta

from proxy.state.killed import POLICIES, InFlight, Kill
from proxy.state.memory import Memory
from proxy.state.scopes import ALL, KINDS, LONGEST, Scope
from proxy.state.shared.fleet import KEPT
from proxy.state.shared.names import text_of
from proxy.state.store import Argument, Verb
from proxy.state.throws import OFF, ON, Lift, Thrown, moment_of

TOPIC = "kills"
"""Under which words are published."""
PAGE = 200
"""Words in one answer."""
NOTHING = "-"
"""The mark of a scope of which nothing is known."""
_AHEAD = 10 * 366 * 86_400_000
"""Milliseconds by which the name of a throw may be ahead of the clock, however wrong that is. Names
grow: after the greatest one that there is nobody could throw anything that others understand."""
_FARTHEST = 253_402_300_799_000  # the end of the year 9999: what lies behind is no moment

Name = Annotated[str, Meta(min_length=1, max_length=64)]
Who = Annotated[str, Meta(max_length=500)]
Moment = Annotated[int, Meta(ge=0, le=_FARTHEST)]


class _On(msgspec.Struct, frozen=True, omit_defaults=True):
    name: Name
    reason: Who
    by: Who
    origin: Who
    since: Moment
    pod: Who = ""
    until: Moment | None = None
    in_flight: InFlight = "end"
    place: Who = ""


class _Word(msgspec.Struct, frozen=True, omit_defaults=True):
    scope: str
    on: Annotated[tuple[_On, ...], Meta(max_length=ON)] = ()
    off: Annotated[tuple[Name, ...], Meta(max_length=OFF)] = ()
    at: Moment = 0
    by: Who = ""
    reason: Who = ""
    pod: Who = ""


_decode = msgspec.json.Decoder(_Word).decode


class Word(NamedTuple):
    """What the store has of a scope."""

    scope: str
    mark: str
    said: bytes


def said(known: Thrown, pod: str) -> bytes:
    """Of a scope. `pod`: our name, which stands for what was done here."""
    on = tuple(_told(name, kill, pod) for name, kill in sorted(known.on.items()))
    lift = known.lift
    where = (lift.pod or pod) if lift.at else ""
    told = (lift.by, lift.reason, where)
    by, reason, where = (text[:500] for text in told)
    off = tuple(sorted(known.off))
    return msgspec.json.encode(_Word(str(known.scope), on, off, lift.at, by, reason, where))


def heard(text: bytes, pod: str, now: float) -> Thrown | None:
    """The same, back; None: it is no such thing. It cannot have been lifted later than now."""
    try:
        word = _decode(text)
    except ValueError:  # also msgspec's
        return None
    scope = Scope(word.scope)
    names = [*word.off, *(each.name for each in word.on)]
    if not _is_scope(scope) or max(map(moment_of, names), default=0) > now * 1000 + _AHEAD:
        return None
    on = {each.name: _kill(scope, each, pod) for each in word.on if each.name not in word.off}
    at = min(word.at, int(now * 1000))
    lift = Lift(at, word.by, word.reason, "" if word.pod == pod else word.pod)
    return Thrown(scope, on, frozenset(word.off), lift)


def _is_scope(scope: Scope) -> bool:
    """People write printable ones; a workflow may have any letters, as its agent wrote it."""
    return scope == ALL or (scope.kind in KINDS and 0 < len(scope.name) <= LONGEST)


def mark_of(text: bytes) -> str:
    """The same words have the same mark."""
    return blake2b(text, digest_size=9).hexdigest()


def _told(name: str, kill: Kill, pod: str) -> _On:
    return _On(
        name,
        kill.reason[:500],
        kill.by[:500],
        kill.origin,
        round(kill.since * 1000),
        (kill.pod or pod)[:500],
        None if kill.until is None else round(kill.until * 1000),
        kill.in_flight,
        kill.place[-500:],
    )


def _kill(scope: Scope, told: _On, pod: str) -> Kill:
    until = None if told.until is None else told.until / 1000
    where = "" if told.pod == pod else told.pod
    return Kill(
        scope,
        told.reason,
        told.by,
        "admin" if told.origin == POLICIES else told.origin,  # those are each pod's own
        told.since / 1000,
        until,
        told.in_flight,
        told.place,
        where,
    )


class Tell(NamedTuple):
    """One scope's word, instead of the one that is known. Without a text: forget it."""

    scope: str
    knows: str  # the mark of that; NOTHING
    said: bytes
    room: int  # words that there may be at most, if it makes one more


class TellKills(Verb[tuple[Word, ...]], frozen=True):
    """Say these. Gives what stands there instead of what was known; without text: no room."""

    script = "kills_tell"

    words: tuple[Tell, ...]

    def on(self, memory: Memory) -> tuple[Word, ...]:
        """Part of Verb."""
        kept: _Kept = memory.of("kills", dict)
        number = max((number for number, _, _ in kept.values()), default=0)
        refused = []
        for scope, knows, text, room in self.words:
            _, its, there = kept.get(scope, (0, NOTHING, b""))
            mark = mark_of(text)
            if not text:
                if its == knows:
                    kept.pop(scope, None)
            elif its == NOTHING and len(kept) >= room:
                refused.append(Word(scope, NOTHING, b""))
            elif its not in (NOTHING, knows, mark):
                refused.append(Word(scope, its, there))
            elif its != mark:
                number = max(number + 1, memory.now())
                kept[scope] = number, mark, text
                memory.publish(TOPIC, text)
        memory.ends("kills", KEPT)
        return tuple(refused)

    def args(self) -> list[Argument]:
        """Part of Verb."""
        told: list[Argument] = [KEPT]
        for scope, knows, text, room in self.words:
            told += [scope, knows, mark_of(text), room, text]
        return told

    def answer(self, reply: Any) -> tuple[Word, ...]:
        """Part of Verb."""
        return _words(reply)


class NewWords(NamedTuple):
    """What is new."""

    number: int  # of the last one of these
    total: int  # words that there are in all
    more: bool  # there may be
    words: tuple[Word, ...]


class NewKills(Verb[NewWords], frozen=True):
    """What was said after the one of this number, the first of it first."""

    script = "kills_new"

    number: int

    def on(self, memory: Memory) -> NewWords:
        """Part of Verb."""
        kept: _Kept = memory.of("kills", dict)
        new = sorted(
            (number, scope, mark, text)
            for scope, (number, mark, text) in kept.items()
            if number > self.number
        )[:PAGE]
        words = tuple(Word(scope, mark, text) for _, scope, mark, text in new)
        last = new[-1][0] if new else self.number
        return NewWords(last, len(kept), len(new) == PAGE, words)

    def args(self) -> list[Argument]:
        """Part of Verb."""
        return [self.number, PAGE, KEPT]

    def answer(self, reply: Any) -> NewWords:
        """Part of Verb."""
        number, count, more, *words = reply
        return NewWords(number, count, bool(more), _words(words))


_Kept: TypeAlias = dict[str, tuple[int, str, bytes]]  # number, mark, text


def _words(reply: list[bytes]) -> tuple[Word, ...]:
    pairs = zip(reply[::2], reply[1::2], strict=True)
    return tuple(_word(text_of(scope), found) for scope, found in pairs)


def _word(scope: str, found: bytes) -> Word:
    mark, _, text = found.partition(b" ")
    return Word(scope, text_of(mark) or NOTHING, text)
