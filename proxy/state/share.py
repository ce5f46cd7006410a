"""The share of one account: what its pod holds of each of its limits, and what it asks for next."""

from typing import NamedTuple

from proxy.clock import NEVER
from proxy.state.account import Account
from proxy.state.allotment import ENDLESS, Allotment
from proxy.state.shared.money import Drawn, Line, name_of

_FIRST = 16
"""Sendings that are asked for at first, beside the one that waits."""
_FAST = 0.5
"""Seconds in which a share is used up of which the next one is twice as large."""
_MOST = 4
"""A share is a fourth of a limit at most."""
_LASTS = 30.0
"""Seconds: so long is to last what is held, at the pace of now, should the store be gone."""
_CALMS = 0.7
"""Each second, at least so much is left of the pace: agents pause between calls."""
_QUIET = 3.0
"""Seconds without spending, after which nothing is held."""
_OFTEN = 0.02
"""Seconds from one question ahead of time to the next."""
_YOUNG = 2.5
"""Seconds from the beginning of a window in which only half of it is given (`Line.young`)."""
_AFTER = 3600.0
"""Seconds for which a line is kept when its window is over."""
_OFTEN_ENOUGH = 4
"""Times in the `ttl` of a budget the store is told of a call that goes on."""
_LONG = 40 * 86_400.0
"""Likewise of what has no end."""


class _Told(NamedTuple):
    """What the store was told of one limit, in the question that is on its way."""

    one: Allotment
    since: int  # the window that was on
    line: Line
    spent: int
    rolled: int
    thirst: int  # less would have been of no use; 0: nobody waits


class Share:
    """See the head of this file. Amounts are micro-dollars."""

    __slots__ = (
        *("_asked", "_grown", "_least", "_need", "_rate", "_said", "_seen", "_spent", "_step"),
        *("_tidied", "_told", "_used"),
        *("account", "closes", "dry_until", "lapses", "recalled", "tidies"),
    )

    def __init__(self, account: Account, now: float) -> None:
        self.account = account
        self.closes = False
        """Its account is not there any more, and holds nothing."""
        self.recalled = False
        """Others need what is idle."""
        self.tidies = False
        """What is idle goes back with the next question, if it is not used as fast as that."""
        self.dry_until = 0.0
        """Nothing is free; until then nobody asks."""
        self.lapses = NEVER
        """Then the store would soon forget what is reserved."""
        self._told: list[_Told] = []
        self._need = 0  # that calls wait for
        self._least = 0  # what the cheapest of them needs
        self._step = 0  # that is asked for ahead
        self._grown = -NEVER
        self._asked = self._tidied = self._used = now
        self._rate = 0.0  # micro-dollars a second
        self._spent = account.spent  # when it was tidied last
        self._said = 0, 0  # spent and reserved, as the store was told
        self._seen: tuple[int, int, int] | None = None  # the same, once it knows, and the shares

    # --- what calls need ---

    def waits(self, amount: int) -> None:
        """A call of this price waits for more."""
        self._least = min(self._least or amount, amount)
        self._need += amount

    def waited(self, amount: int) -> None:
        """It does not any more."""
        self._need -= amount
        if not self._need:
            self._least = 0

    def may_grow(self, micros: int, now: float) -> bool:
        """Is more to be asked for ahead? Not for each call that finds little."""
        if now < self.dry_until or now < self._asked + _OFTEN:
            return False
        self._grow(micros, now)
        return True

    def _grow(self, micros: int, now: float) -> None:
        fast = now - self._grown < _FAST
        self._grown = now
        self._step = max(_FIRST * micros, 2 * self._step if fast else self._step)

    def stretch(self, amount: int) -> None:
        """It goes all the same, as far as is known of its own limits."""
        account = self.account
        for one in account.windows():
            goes = min(one.limit.micros - one.others, one.spent + account.reserved + amount)
            one.share = max(one.share, goes)
        account.shared(0)

    # --- what the store is told ---

    @property
    def lines(self) -> list[Line]:
        """That it was told last."""
        return [told.line for told in self._told]

    @property
    def has_news(self) -> bool:
        """Is there anything to tell, or to give back?"""
        return self._seen != self._now() or self._idle > 0

    @property
    def over(self) -> bool:
        """Does it hold nothing, and is all told?"""
        holds = self._need or self.account.reserved or self._idle
        return not holds and (self.closes or self._seen == self._now())

    def _now(self) -> tuple[int, int, int]:
        account = self.account
        return account.spent, account.reserved, sum(one.share for one in account.windows())

    @property
    def _idle(self) -> int:
        account = self.account
        every = account.windows()
        return max((_idle(one, account) for one in every), default=0)

    def drop(self) -> None:
        """Nothing of it is spent any more but what is reserved."""
        for one in self.account.windows():
            if one.leased:
                one.share = one.spent + self.account.reserved
        self.account.shared(0)

    def asks(self, now: float, wall: float) -> list[Line]:
        """What it is told and asked now. What goes back is gone from here on."""
        account = self.account
        account.used_at(wall)
        self._asked = now
        if self._need:
            self._grow(self._least, now)
        if self.tidies:
            self._pace(now)
        lets_go = self.recalled or self.closes or not account.shares
        self.lapses = NEVER
        if account.reserved and account.cap.ttl:
            self.lapses = now + account.cap.ttl / _OFTEN_ENOUGH
        grows = bool(self._need) or (not lets_go and account.runs_low(0))
        spare = 0 if lets_go else max(int(self._rate * _LASTS), account.headroom)
        back = lets_go or (self.tidies and not grows)
        self._said = account.spent, account.reserved
        self._told = []
        for one in account.windows():
            idle = _idle(one, account)
            keeps = min(idle, spare) if back else idle
            if one.leased:
                one.share = one.spent + account.reserved + keeps
            least, need = max(0, self._least - keeps), max(0, self._need - keeps)
            ahead = min(max(self._step if grows else 0, spare), one.limit.micros // _MOST)
            want = max(need, ahead - keeps if keeps < ahead // 2 else 0)
            line = self._line(one, account.reserved + keeps, (least, need, want), wall)
            self._told.append(_Told(one, one.line[0], line, one.spent, one.rolled, least))
        if self.tidies and not grows:
            self._step //= 2
        self.recalled = self.tidies = False
        account.shared(account.margin)
        return self.lines

    def _pace(self, now: float) -> None:
        """How fast it is spent."""
        spent = self.account.spent
        lasted, used = max(now - self._tidied, _OFTEN), spent - self._spent
        if used > 0:
            self._used = now
        self._tidied, self._spent = now, spent
        self._rate = max(used / lasted, self._rate * _CALMS)
        if now - self._used >= _QUIET:
            self._rate = 0.0

    def _line(self, one: Allotment, keep: int, asked: tuple[int, int, int], wall: float) -> Line:
        cap, limit = self.account.cap, one.limit
        since, oldest, newest = one.line
        lasts = _LONG
        if limit.window == "rolling":
            lasts = limit.seconds + _AFTER
        elif one.until < ENDLESS:
            lasts = one.until - wall + _AFTER
        if cap.ttl:  # counted from when somebody used it last
            unused = 0.0 if self.account.reserved else wall - self.account.touched
            lasts = min(lasts, cap.ttl - unused)
        least, need, want = asked
        return Line(
            name_of(cap.name, self.account.key, limit.window, limit.seconds, since),
            limit.micros,
            one.parts(),
            keep,
            oldest,
            newest,
            least,
            need,
            want,
            young=since > 0 and wall - since < _YOUNG,
            kept=int(max(lasts, 1.0) * 1000),
            renewed=int(cap.ttl * 1000),
        )

    # --- what it says ---

    def takes(self, answers: dict[str, Drawn], wall: float = 0.0) -> bool:
        """What it has said. True: calls wait, and there was nothing for them. `wall`: the store's
        clock shows this."""
        account, dry, idle, told = self.account, False, ENDLESS, True
        for one, since, line, spent, rolled, thirst in self._told:
            drawn = answers.get(line.name)
            if drawn is None or one.line[0] != since:  # nothing was done, or another window is on
                return False
            if not one.leased:  # it only counts, by now
                told = told and drawn.held == line.keep
                continue
            one.share = spent - (one.rolled - rolled) + drawn.held
            if line.limit > one.limit.micros:  # by now there is less of it
                one.share, told = min(one.share, one.spent + account.reserved), False
            own = {part: micros for part, micros in drawn.own.items() if part >= line.oldest}
            for part, micros in own.items():
                more = micros - line.spent.get(part, 0)
                if more > 0:  # it was forgotten here, as what nobody used for long is
                    one.remember(part, more)
                    one.share += more
            one.others = max(0, drawn.spent - sum(own.values()))
            if account.cap.ttl:
                account.touch(min(wall, wall + drawn.left / 1000 - account.cap.ttl))
            idle = min(idle, drawn.held - account.reserved)
            dry = dry or drawn.held - line.keep < thirst
        account.shared(min(max(0, idle), max(self._step, account.headroom)) // 2)
        self._seen = (*self._said, self._now()[2]) if told else None
        return dry


def _idle(one: Allotment, account: Account) -> int:
    return max(0, one.share - one.spent - account.reserved) if one.leased else 0
