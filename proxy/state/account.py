"""An account: what was spent and is reserved of one cap by one of those whom it counts.

Everything hangs on one number, `total`: all that was ever spent of it, and what is reserved now.
A reservation makes it greater, settling makes it what it is in truth. It may not pass

- the *ceiling*: where the fullest of its limits is full. The ceiling stands still as money is
  spent, for what was spent in a window and `total` grow alike; it moves when a window ends;
- the *promise*: what the journal has durably, as a bound of `total`. Whoever starts after a crash
  counts all that was promised as spent, for a batch of records may have been lost. So a promise is
  for a little more than is asked for (a hundredth of the smallest limit), and the next one is made
  before this one is used up: calls wait for the disk only where they spend faster than it writes.

So the usual question is one comparison, however many limits there are (`bound`). Limits are told
what was spent when a window ends, or somebody looks.

Where pods share a limit, each may spend its share of it and no more (`Allotment.share`): then the
ceiling is where the smallest share ends, and `state/leases.py` sees to it that it moves.
"""

from collections.abc import Iterator

import msgspec

from proxy.clock import NEVER
from proxy.state.alert_at import next_alert, rearm
from proxy.state.allotment import ENDLESS, Allotment, Kept, adopt, allotted
from proxy.state.caps import Cap, Limit
from proxy.state.reserves import Reserves
from proxy.state.told_of_money import Passed

_encode = msgspec.json.Encoder().encode
AHEAD = 100
"""A promise is for so much of the smallest limit: a hundredth."""


class Account:
    """Of one cap and one key. Amounts are micro-dollars, times are seconds since 1970."""

    __slots__ = (
        "_allotments", "_claimed", "_known", "_posted", "_renews_at", "_row", "asked", "barred",
        "bound", "cap", "ceiling", "headroom", "key", "label", "leased", "margin", "overrun",
        "promised", "quiet_below", "reserved", "since", "tills", "total", "touched", "until",
    )  # fmt: skip

    def __init__(self, cap: Cap, key: str, at: float, *, leased: bool = False) -> None:
        """`leased`: what may be spent is shared with other pods."""
        self.key = key
        self.leased = leased
        self.margin = 0
        """So much before the end of its share more is to be asked for."""
        self.headroom = 0
        """What calls that grow as they run may soon need besides."""
        self.barred = False
        """Is to be asked about each time, whatever there is?"""
        self.label = f"{cap.name}:{key}"
        self.total = self.reserved = self.overrun = 0
        self.promised = self.asked = 0
        self.touched = at
        self.tills: dict[Reserves, None] = {}
        """Those that have something reserved here. What was spent of it is not known yet."""
        self._posted = self._claimed = 0
        self._allotments: tuple[Allotment, ...] = ()
        self._known: tuple[float, ...] | None = None  # what its row was made of
        self._row = b""
        self.cap = cap
        self.obey(cap, at)

    @property
    def spent(self) -> int:
        """All that ever was."""
        return self.total - self.reserved

    @property
    def _boundless(self) -> bool:
        """Do calls go beyond its limits, which only count?"""
        return self.cap.on_exceed == "shadow"

    @property
    def shares(self) -> bool:
        """Does it ask others before it spends? What only counts asks nobody."""
        return self.leased and not self._boundless

    @property
    def ahead(self) -> int:
        """How much more than is asked for is promised at a time."""
        limits = [limit.micros for limit in self.cap.limits]
        return max(1, min(limits, default=0) // AHEAD)

    def obey(self, cap: Cap, at: float) -> None:
        """The limits that hold from now on. What was spent in windows of before stays."""
        before = {(one.limit.window, one.limit.seconds): one for one in self._allotments}
        if cap.zone != self.cap.zone:
            before = {key: one for key, one in before.items() if key[0] in {"total", "rolling"}}
        self._post()
        self.cap = cap
        made = []
        for limit in cap.limits:
            one = before.get((limit.window, limit.seconds))
            if one is None:
                one = allotted(limit, cap.zone, leased=self.shares)
                adopt(one, {key: other.kept() for key, other in before.items()})
            if one.leased and limit.micros < one.limit.micros:  # the rest was granted of more
                one.share = min(one.share, one.spent + self.reserved)
            one.limit = limit
            self._lease(one)
            made.append(one)
        self._allotments = tuple(made)
        self.enter(at)

    def enter(self, at: float) -> None:
        """The clock shows this, and it is outside of what `since` and `until` say."""
        self._post()
        ttl = self.cap.ttl
        if ttl and not self.reserved and at - self.touched >= ttl:  # as if it were a new key
            self._allotments = tuple(
                allotted(limit, self.cap.zone, leased=self.shares) for limit in self.cap.limits
            )
        self._enter(at)

    def _enter(self, at: float) -> None:
        ttl = self.cap.ttl
        lasts = self.touched + ttl if self.touched + ttl > at else at + ttl
        since, until = -NEVER, lasts if ttl else NEVER
        for one in self._allotments:
            one.enter(at)
            rearm(self.cap, one)
            since, until = max(since, one.since), min(until, one.until)
        self.since, self.until = since, until
        self._measure()

    def reckon(self) -> None:
        """What is spent and reserved is to be known exactly: its tills are closed. On the loop."""
        for till in tuple(self.tills):
            till.close()

    def _post(self) -> None:
        """Tell the limits what was spent since they were told."""
        self.reckon()
        spent = self.spent
        more, self._posted = spent - self._posted, spent
        if more:
            for one in self._allotments:
                one.spend(more)

    def _measure(self) -> None:
        self._known = None
        posted = self._posted
        rooms = [one.room for one in self._allotments]
        self.ceiling = posted + min(rooms) if rooms else posted + ENDLESS
        alerts = [next_alert(self.cap, one) - one.all_spent for one in self._allotments]
        self.quiet_below = posted + min(alerts, default=ENDLESS)
        self._bound()

    def _bound(self) -> None:
        """Below it nothing need be thought of."""
        promised = self.promised
        more = self._boundless or promised < self.ceiling
        self._renews_at = promised - self.ahead // 2 if more else promised
        self.bound = -1 if self.barred else min(self.ceiling - self.margin, self._renews_at)

    # --- reserving ---

    def clear(self, micros: int, at: float) -> None:
        """So much is to be reserved, and the clock shows this: the window that is on is entered,
        and where there is too little, what lies in tills is given back before that is said."""
        if not self.since <= at < self.until:
            self.enter(at)
        if self.tills and self.total + micros > self.bound:
            self.reckon()

    def has_room(self, micros: int) -> bool:
        """Is there, in every window? Where the price may still grow, ask for one at least."""
        return self.total + micros <= self.ceiling

    def starves(self, micros: int) -> bool:
        """Is there no room for so much, but there may be where other pods have some?"""
        if not self.shares or self.total + micros <= self.ceiling:
            return False
        left = self.reserved + micros
        self._post()
        return all(one.spent + left <= one.limit.micros for one in self._allotments)

    def runs_low(self, micros: int) -> bool:
        """Will it starve soon?"""
        return self.shares and self.total + micros > self.ceiling - self.margin

    def shared(self, margin: int) -> None:
        """Its shares are others now; where to ask for more."""
        self.margin = margin
        self._measure()

    def touch(self, at: float) -> None:
        """Another pod used it then. It has a `ttl`."""
        self.touched = max(self.touched, at)
        self.until = min(self.until, self.touched + self.cap.ttl)

    def bar(self, barred: bool) -> None:  # that is all it says
        """Nothing more is taken of it without asking; or as usual."""
        self.barred = barred
        self.reckon()
        self._bound()

    def lease(self) -> None:
        """From now on it is shared with other pods."""
        self.leased = True
        self._post()
        for one in self._allotments:
            self._lease(one)
        self._measure()

    def _lease(self, one: Allotment) -> None:
        if one.leased is not self.shares:
            one.leased = self.shares
            one.share = one.spent if one.leased else ENDLESS
            one.others = 0

    @property
    def used(self) -> float:
        """Of the limit of which least is left: 0 nothing, 1 all."""
        self.reckon()
        return self._used()

    def _used(self) -> float:
        since = self.total - self._posted
        shares = ((one.all_spent + since) / max(1, one.limit.micros) for one in self._allotments)
        return max(shares, default=0.0)

    def is_beyond(self, share: float) -> bool:
        """Is more of it used than that? What lies in tills is not, but seldom matters."""
        return self._used() > share and self.used > share

    def used_at(self, at: float) -> float:
        """The same when the clock shows this."""
        if not self.since <= at < self.until:
            self.enter(at)
        return self.used

    def wants(self, micros: int) -> bool:
        """Must more be promised before so much is reserved?"""
        return self.total + micros > self.promised

    def wears_thin(self, micros: int) -> bool:
        """Should more be promised, so that nobody must wait for it?"""
        return self.total + micros > self._renews_at and self.asked == self.promised

    def ask(self, micros: int) -> int:
        """What is to be promised, so that there is enough for this as well. It grows with each who
        asks: they wait for the same commit. But not beyond what there is, however many ask: it
        counts as spent, should we die."""
        self._claimed = max(self._claimed, self.total) + micros
        most = ENDLESS if self._boundless else max(self.ceiling, self.total + micros)
        self.asked = max(self.asked, min(self._claimed + self.ahead, most))
        return self.asked

    def refused(self) -> None:
        """The journal has not got what was asked for: the next who comes asks anew."""
        self.asked, self._claimed = self.promised, 0

    def promise(self, high: int) -> None:
        """The journal has it; or nobody can wait for that."""
        self.promised = max(self.promised, high)
        if self.promised >= self.asked:
            self.asked, self._claimed = self.promised, 0
        self._bound()

    def lower(self, high: int) -> None:
        """The journal has it that no more than that is promised now."""
        self.promised = self.asked = high
        self._claimed = 0
        self._bound()

    @property
    def idle_promise(self) -> bool:
        """Is more promised than there is, since a share went back? Should we die, that would count
        as spent. Not while something is asked for: what comes of that is not known yet."""
        return self.asked == self.promised > max(self.ceiling, self.total)

    def reserve(self, micros: int) -> None:
        """It was asked for, in the same step."""
        self.total += micros
        self.reserved += micros

    def stretch(self, micros: int) -> None:
        """Nobody asked: it is owed by now, whether there is room or not."""
        self.reserve(micros)
        self._overdraw(micros)

    def settle(self, reserved: int, spent: int, at: float) -> None:
        """Once for each reservation: what of it was spent, or more."""
        if not self.since <= at < self.until:
            self.enter(at)
        more = spent - reserved
        self.reserved -= reserved
        self.total += more
        self.touched = at
        self._overdraw(more)

    def _overdraw(self, more: int) -> None:
        if more > 0 and self.total > self.ceiling:
            self.reckon()
            self.overrun += max(0, min(more, self.total - self.ceiling))

    # --- alerts ---

    def passed(self) -> Iterator[Passed]:
        """The alerts that are due, each once in a window."""
        self._post()
        for one in self._allotments:
            while one.all_spent >= next_alert(self.cap, one):
                share = self.cap.alert_at[one.alerted]
                one.alerted += 1
                resets = one.resets_at
                yield Passed(one.limit.window, share, one.all_spent, one.limit.micros, resets)
        self._measure()

    def raised(self, window: str, share: int, at: float) -> None:
        """One was, then, as the journal tells; what it was for may be told only after it."""
        self._back_to(at)
        number = sum(each <= share for each in self.cap.alert_at)
        for one in self._allotments:
            if one.limit.window == window:
                one.alerted = max(one.alerted, number)
        self._measure()

    # --- looking ---

    def fullest(self, micros: int) -> list[Allotment]:
        """The limits that have no room for so much, told what was spent."""
        self._post()
        self._measure()
        left = self.reserved + micros
        full = [one for one in self._allotments if one.all_spent + left > one.limit.micros]
        return full or [one for one in self._allotments if left > one.room]

    def windows(self, at: float | None = None) -> tuple[Allotment, ...]:
        """All its limits, told what was spent; at that time, if one is given."""
        if at is not None and not self.since <= at < self.until:
            self.enter(at)
            return self._allotments
        self.reckon()
        if self.spent != self._posted:
            self._post()
            self._measure()
        return self._allotments

    def committed(self) -> Iterator[tuple[Limit, int]]:
        """Of each limit, what is spent in its window and reserved. From any thread: it changes
        nothing, and is read in an order in which it never seems more than it was."""
        for one in self._allotments:
            spent, total = one.all_spent, self.total
            yield one.limit, spent + total - self._posted

    # --- the journal ---

    def charge(self, micros: int, at: float) -> None:
        """It was spent then, as the journal tells."""
        self._back_to(at)
        overrun = self.overrun  # counted when it came about
        self.settle(0, micros, at)
        self.overrun = overrun

    def _back_to(self, at: float) -> None:
        """The journal tells of a call that ended then. It may have been under way since the one
        before, so nothing is forgotten for the time between (`ttl`)."""
        if not self.since <= at < self.until:
            self._post()
            self._enter(at)

    def row(self) -> bytes:
        """All that must be kept of it, as JSON. It is made anew only where something has changed:
        there may be tens of thousands of accounts, and this is done on the loop. What is asked for
        counts as promised: its lease stands before the snapshot, and is not read again."""
        self.reckon()
        known = self.spent, self.asked, self.touched
        if known != self._known:
            self._known = known
            self._row = _encode((self.cap.name, self.key, *known, self._kept()))
        return self._row

    def _kept(self) -> list[tuple[str, int, Kept]]:
        self._post()
        return [(one.limit.window, one.limit.seconds, one.kept()) for one in self._allotments]

    def restore(self, spent: int, promised: int, kept: list[tuple[str, int, Kept]]) -> None:
        """Take what `row` gave: what its limits must remember, each by its window; and of all that
        was ever spent, and promised, the number."""
        self.total = self._posted = spent
        self.promise(promised)
        known = {(window, seconds): allotment for window, seconds, allotment in kept}
        for one in self._allotments:
            found = known.get((one.limit.window, one.limit.seconds))
            if found is None:
                adopt(one, known)
            else:
                one.restore(found)
        self.since = self.until = -1.0  # whoever asks next has the clock tell
        self._known = None
