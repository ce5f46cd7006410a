"""Kills of a fleet: what one pod stops or lets go on, all do (spec 4.4, 3.11).

What was thrown or lifted here is *untold* until the store has it. It is told at once, published to
all, and asked for three times a second by who missed that. Where the store has more than we knew,
both are joined (`proxy/state/throws.py`), and that is told if it is new there: so whoever speaks
first, speaks late or twice, was away, or finds a store that forgot, all end with the same.

The store only carries it. When it is gone all stays as it was, in this process and over a restart,
for the journal has it too. When it is back, or has lost something, what it lacks is told again.

A word of the store that makes no sense changes nothing here, and is written over by what we know.
What is published is believed as far as it is a word, but not taken for what the store has.
"""

import asyncio
import contextlib
from itertools import islice

from proxy.clock import Clock
from proxy.keep import Keep
from proxy.keys import LINK, NEWS
from proxy.news import KillTrouble, News
from proxy.state.kills import BY_STAGES, PEOPLES, STAGES, Kills, Reach
from proxy.state.link import Link
from proxy.state.scopes import ALL, Scope
from proxy.state.shared.kills import (
    NOTHING,
    TOPIC,
    NewKills,
    Tell,
    TellKills,
    Word,
    heard,
    mark_of,
    said,
)
from proxy.state.store import Unreachable
from proxy.state.throws import LIFTED, REMEMBERED, Thrown

EVERY = 0.3
"""Seconds from one look to the next, for who missed what was published."""
WHOLE = 3_600.0
"""Seconds from one look at all of it to the next; then what is old goes."""
RESTS = 5.0
"""Seconds between two looks at all of it because something is missing there, and between two tries
to tell what there was no room for."""
AT_ONCE = 50
"""Words told in one message."""
ROUNDS = 200
"""Messages in one exchange; what is left has to wait for the next one."""
OF_STAGES = STAGES + LIFTED
"""Words that the store has at most, of kills that stages threw, and of scopes that go on."""
OF_ALL = OF_STAGES + 4 * PEOPLES
_LINGERS = 3_600_000
"""Milliseconds for which the store remembers more than pods: none of them tells it anew."""
_ALL = Scope(ALL)


class FleetKills:
    """Part of Part. One for the process."""

    topic = TOPIC
    every = EVERY

    def __init__(self, kills: Kills, clock: Clock, keep: Keep) -> None:
        self._kills = kills
        self._clock = clock
        self._keep = keep
        self._news = keep.of(NEWS, News)
        self._marks: dict[str, str] = {}  # of the words that the store has
        self._number = 0  # of the last one that we saw
        self._untold: dict[Scope, None] = {}  # in the order of what happened
        self._full: set[Scope] = set()  # there was no room for them
        self._old: dict[str, str] = {}  # words that the store need not have any more; their marks
        self._heard: list[Thrown] = []  # a moment ago
        self._asks = asyncio.Lock()
        self._telling = False
        self._whole_at = self._missing_at = self._full_at = 0.0

    def begin(self) -> None:
        """The kills were rebuilt. All that they know may be news."""
        self._kills.changed = self._changed
        self._kills.reach = self.reach
        self.anew()

    @property
    def _link(self) -> Link | None:
        link: Link | None = self._keep.seen(LINK)
        return link

    # --- for who changes something here ---

    def _changed(self, scope: Scope) -> None:
        kill = self._kills.thrown(scope)
        if kill is not None and kill.origin in BY_STAGES:
            self._untold[scope] = None
        else:  # what people do does not wait behind the many that stages throw
            self._untold.pop(scope, None)
            self._untold = {scope: None, **self._untold}
        link = self._link
        if link is not None and link.up and not self._telling:
            self._telling = True
            _ = self._clock.spawn(self._tell_soon(link))

    async def _tell_soon(self, link: Link) -> None:
        self._telling = False
        with contextlib.suppress(Unreachable):
            await self.exchange(link)

    async def reach(self, scope: Scope) -> Reach | None:
        """How far it counts what was done to this scope. None: there are no other pods."""
        link = self._link
        if link is None:
            return None
        try:
            await self.exchange(link)
        except Unreachable as error:
            return Reach(0, f"the store of the fleet is not there: {error}")
        if scope in self._untold:
            return Reach(0, "the store of the fleet has no room for it")
        return Reach(link.live)

    async def refresh(self) -> None:
        """Know what the store knows, if it is there."""
        if self._link is not None:
            _ = await self.reach(_ALL)

    # --- part of Part ---

    async def exchange(self, link: Link) -> None:
        """Take what is new there, and tell what is new here. Raises Unreachable."""
        async with self._asks:
            await self._take(link)
            await self._tell(link)

    def heard(self, said: bytes) -> None:
        """Somebody did something: it counts here at once."""
        link = self._link
        known = None if link is None else heard(said, _name(link), link.wall())
        if known is not None:
            self._heard.append(known)
            if len(self._heard) == 1:  # they may come by the hundred
                self._clock.soon(self._hear)

    def _hear(self) -> None:
        told, self._heard = self._heard, []
        self._join(told)

    def anew(self) -> None:
        """The store may have forgotten anything."""
        self._number = 0
        self._marks.clear()
        self._old.clear()
        known = sorted(self._kills.throws, key=_room, reverse=True)
        self._untold = {each.scope: None for each in known}

    def lost(self) -> None:
        """All stays as it is."""

    async def leave(self, link: Link) -> None:
        """Tell what is left to be told. Raises Unreachable."""
        await self.exchange(link)

    # --- what is new there ---

    async def _take(self, link: Link) -> None:
        if self._clock.now() >= self._whole_at:
            self._whole_at = self._clock.now() + WHOLE
            self.anew()
        for _ in range(ROUNDS):
            new = await link.ask(NewKills(self._number))
            self._number = new.number
            self._learn(link, new.words)
            if not new.more and not self._misses(new.total):
                return

    def _misses(self, total: int) -> bool:
        """Is something gone there? Then all is looked at again."""
        if total == len(self._marks) or self._clock.now() < self._missing_at:
            return False
        self._missing_at = self._clock.now() + RESTS
        self.anew()
        return True

    def _learn(self, link: Link, words: tuple[Word, ...]) -> None:
        """The store has these."""
        now, told = link.wall(), []
        for word in words:
            self._marks[word.scope] = word.mark
            known = heard(word.said, _name(link), now)
            if known is None or known.scope != word.scope:
                sense = f"what the store of the fleet has of {word.scope[:80]!r} makes no sense"
                self._news.tell_once(KillTrouble(sense))
            elif known.past(now, REMEMBERED + _LINGERS):
                self._old[word.scope] = word.mark
            elif not known.past(now, REMEMBERED):
                told.append(known)
                self._untold.pop(known.scope, None)
        self._join(told)

    def _join(self, told: list[Thrown]) -> None:
        """And where we know more, that is to be told."""
        self._kills.follow(told)
        for known in told:
            if not self._kills.throws.of(known.scope).same(known):
                self._untold[known.scope] = None

    # --- what is new here ---

    async def _tell(self, link: Link) -> None:
        if self._clock.now() >= self._full_at:
            self._full_at = self._clock.now() + RESTS
            self._full.clear()
        for _ in range(ROUNDS):
            known = [self._kills.throws.of(scope) for scope in self._next()]
            words = [self._word(link, each) for each in known]
            words += [Tell(scope, mark, b"", 0) for scope, mark in self._old.items()][:AT_ONCE]
            if not words:
                break
            refused = await link.ask(TellKills(tuple(words)))
            self._take_in(words, known, {word.scope for word in refused})
            self._learn(link, tuple(word for word in refused if word.said))
            self._full.update(Scope(word.scope) for word in refused if not word.said)
        if self._full:
            self._news.tell_once(KillTrouble(_NO_ROOM))

    def _next(self) -> list[Scope]:
        """Those to tell now."""
        for scope in [each for each in self._untold if not self._kills.throws.knows(each)]:
            del self._untold[scope]  # forgotten meanwhile
        left = (scope for scope in self._untold if scope not in self._full)
        return list(islice(left, AT_ONCE))

    def _word(self, link: Link, known: Thrown) -> Tell:
        knows = self._marks.get(known.scope, NOTHING)
        return Tell(str(known.scope), knows, said(known, _name(link)), _room(known))

    def _take_in(self, words: list[Tell], known: list[Thrown], refused: set[str]) -> None:
        """The store has these now, but for what it refused."""
        for word in words:
            if word.said and word.scope not in refused:
                self._marks[word.scope] = mark_of(word.said)
            elif not word.said:
                self._marks.pop(word.scope, None)
                self._old.pop(word.scope, None)
        for each in known:
            as_told = self._kills.throws.of(each.scope) is each  # nothing happened meanwhile
            if as_told and each.scope not in refused:
                self._untold.pop(each.scope, None)


_NO_ROOM = "the store of the fleet has no room for some kills: they count on this pod alone"


def _name(link: Link) -> str:
    """Of this pod, for people: several may be on one machine."""
    return f"{link.pod.name}/{link.pod.id[:6]}"


def _room(known: Thrown) -> int:
    if known.scope == ALL:
        return 2 * OF_ALL
    by_people = any(kill.origin not in BY_STAGES for kill in known.on.values())
    return OF_ALL if by_people else OF_STAGES
