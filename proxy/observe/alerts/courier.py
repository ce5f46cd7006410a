"""Tells one receiver, one notice after the other; and knows how it takes them.

The schedule is that of Standard Webhooks: at once, then after 5 s, 5 min, 30 min … up to a day,
each a little longer by chance. It belongs to the receiver, not to the notice, for what waits goes
out in its order. Something new has the oldest tried at once, though not twice within `PROMPT`: a
page does not wait for hours because the receiver was dead when nobody needed it. In a drill all of
it passes faster, but for what a receiver asks for.
"""

import asyncio
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from proxy.clock import Clock
from proxy.observe.alerts.formats import parcels
from proxy.observe.alerts.notice import Notice, Whence
from proxy.observe.alerts.receiver import Receiver
from proxy.posts import Answer, Post

SCHEDULE = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Seconds from one failure to the next try; the last one again and again."""
JITTER = 0.2
"""A wait is longer by so much of itself, at most."""
EXPIRES = sum(SCHEDULE)
"""Seconds after which a notice that was not taken is given up; a restart begins anew."""
PROMPT = 30.0
"""Seconds after a failure until something new has it tried again."""
LEAST = 5.0
"""Seconds that are waited though it asks for fewer (Retry-After)."""
RESEND = 60.0
"""Seconds after which an Alertmanager is told again of what fires."""
_AT_ONCE = 200
"""Alerts in one post that says again what fires."""
GONE = 410
_UNWRITABLE = 422
_REJECTS = frozenset({400, 413, 415, _UNWRITABLE})
"""Statuses that blame the notice and not the way to it."""
_CHANCES = 3
"""Tries that a notice has which is blamed. The next ones do not wait for it any longer."""


class Desk(Protocol):
    """What couriers ask of the delivery."""

    def next(self, receiver: str) -> Notice | None:
        """The oldest that waits for it; `back` or `settled` follows."""

    def back(self, receiver: str) -> None:
        """It was not taken, and waits on."""

    def settled(self, notice: Notice, result: str) -> None:
        """It does not wait any more: sent | rejected."""

    def tried(self, receiver: str, why: str) -> None:
        """Why it was not taken; empty: it was. Each try."""

    def expire(self, receiver: str, seconds: float) -> None:
        """What has waited for longer is given up."""

    def gone(self, receiver: Receiver) -> None:
        """It wants to hear nothing any more."""

    def standing(self, receiver: str) -> Iterable[Notice]:
        """What fires now and was told to it; nothing while something waits for it."""


class Courier:
    """`run` until cancelled. `ring`: something new waits."""

    def __init__(
        self, receiver: Receiver, desk: Desk, post: Post, clock: Clock, whence: Whence
    ) -> None:
        self.receiver = receiver
        self._desk = desk
        self._post = post
        self._clock = clock
        self._whence = whence
        self._bell = asyncio.Event()
        self._sending = asyncio.Lock()
        self._failures = 0  # in a row, of tries that the schedule had
        self._due = 0.0  # when it has the next one
        self._blamed = ("", 0)  # a notice, and how often
        self._through = ("", 0, 0)  # a notice of many posts, how many, and how many were taken

    def ring(self) -> None:
        """Something new waits."""
        self._bell.set()

    async def run(self) -> None:
        """One after the other."""
        while True:
            async with self._sending:
                notice = self._desk.next(self.receiver.name)
                pause = None if notice is None else await self._try(notice)
            if notice is None:
                await self._bell.wait()
                self._bell.clear()
            elif pause is not None:
                await self._rest(pause)

    async def resend(self) -> None:
        """Tell it again and again what fires: for a receiver that forgets."""
        while True:
            await self._clock.sleep(RESEND)
            async with self._sending:
                await self._say_again(list(self._desk.standing(self.receiver.name)))

    async def _say_again(self, notices: list[Notice]) -> None:
        """All of it in few posts. What is not taken is said again the next time."""
        alerts = [alert for notice in notices for alert in notice.alerts]
        for begin in range(0, len(alerts), _AT_ONCE):
            part = replace(notices[0], alerts=tuple(alerts[begin : begin + _AT_ONCE]))
            answer = await self._posted(part)
            self._desk.tried(self.receiver.name, answer.why)
            if not answer.taken:
                return

    async def _try(self, notice: Notice) -> "Pause | None":
        """How long it is to be left alone; None: not at all."""
        self._bell.clear()
        answer = await self._posted(notice)
        self._desk.tried(self.receiver.name, answer.why)
        if answer.status == GONE:
            self._desk.gone(self.receiver)
        elif answer.taken:
            self._over(notice, "sent")
        elif self._blames(notice, answer) >= _CHANCES:
            self._over(notice, "rejected")
        else:
            self._desk.back(self.receiver.name)
            self._desk.expire(self.receiver.name, self._clock.lasting(EXPIRES))
            return self._pause(answer)
        return None

    def _over(self, notice: Notice, result: str) -> None:
        self._failures, self._due = 0, 0.0
        self._blamed = ("", 0)
        self._desk.settled(notice, result)

    def _blames(self, notice: Notice, answer: Answer) -> int:
        if answer.status not in _REJECTS:
            return 0
        known, times = self._blamed
        self._blamed = (notice.id, times + 1 if known == notice.id else 1)
        return self._blamed[1]

    def _pause(self, answer: Answer) -> "Pause":
        now = self._clock.now()
        if now >= self._due:  # else something new had it tried before its time
            wait = self._clock.lasting(SCHEDULE[min(self._failures, len(SCHEDULE) - 1)])
            self._failures += 1
            self._due = now + wait * (1.0 + JITTER * self._clock.chance.random())
        if answer.retry_after:
            asked = max(LEAST, answer.retry_after)
            self._due = now + asked
            return Pause(asked, 0.0)
        whole = max(0.0, self._due - now)
        still = min(whole, self._clock.lasting(PROMPT))
        return Pause(still, whole - still)

    async def _rest(self, pause: "Pause") -> None:
        await self._clock.sleep(pause.still)
        if pause.more <= 0:
            return
        sleeping = self._clock.spawn(self._clock.sleep(pause.more))
        ringing = self._clock.spawn(self._bell.wait())
        try:
            await asyncio.wait((sleeping, ringing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            ringing.cancel()

    async def _posted(self, notice: Notice) -> Answer:
        """All posts that tell it, or the answer to the first that is not taken."""
        mine = self.receiver
        answer = Answer(200)
        try:
            posts = parcels(mine, notice, self._whence, self._clock.wall())
        except (ValueError, OverflowError, OSError) as error:  # a moment that no calendar has
            return Answer(_UNWRITABLE, f"it cannot be written: {type(error).__name__}")
        known, many, taken = self._through
        taken = taken if (known, many) == (notice.id, len(posts)) else 0
        for number, (url, content, headers) in enumerate(posts[taken:], taken):
            answer = await self._post(url, content, headers, private=mine.private)
            if not answer.taken:
                break
            self._through = (notice.id, len(posts), number + 1)
        else:
            self._through = ("", 0, 0)
        return answer


class Pause(NamedTuple):
    """Seconds in which a receiver is left alone."""

    still: float  # whatever happens
    more: float  # and then, unless something new comes
