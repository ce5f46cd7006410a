"""Tells receivers what they are to be told, until it is told: over crashes, and days of silence.

Each receiver has a courier of its own, so one that is dead holds up no other; and none of it is on
the path of a call. A notice is told at least once, and with the same id each time. It is told also
while the disk does not take it: that is when it matters.
"""

import asyncio
import contextlib
import hashlib
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from proxy.clock import Clock
from proxy.journal.disk import Disk, RealDisk
from proxy.news import DeliveryChange
from proxy.observe.alerts import delivery_figures
from proxy.observe.alerts.courier import Courier
from proxy.observe.alerts.notice import Firing, Notice, Whence
from proxy.observe.alerts.queue_file import (
    DAMAGED,
    FILE,
    REMEMBERED,
    Done,
    Entry,
    Off,
    QueueFile,
    Waits,
)
from proxy.observe.alerts.receiver import Receiver
from proxy.observe.alerts.scribe import Scribe
from proxy.observe.alerts.trimmed import trimmed
from proxy.observe.alerts.waiting import MOST, MOST_BYTES, Waiting
from proxy.observe.family import Family
from proxy.posts import Post

FOLDER = "alerts"
_LAST = 0.5
"""Seconds that the stop waits for receivers that are well, and again for the disk."""
_AFTER_A_BUG = 60.0
_LAST_ONLY = frozenset({"alertmanager", "slack", "pagerduty"})
"""Kinds that are told of each alert how it was last, and not how it came to be so."""


class AtWork(NamedTuple):
    """Who tells one receiver, and what does it."""

    courier: Courier
    tasks: tuple["asyncio.Task[None]", ...]

    def end(self) -> None:
        """Nothing is told by it any more."""
        for task in self.tasks:
            task.cancel()


class Deliveries:
    """Part of Delivery, and of Desk, where couriers ask what is next."""

    def __init__(
        self,
        data_dir: Path,
        clock: Clock,
        post: Post,
        whence: Whence,
        tell: Callable[[DeliveryChange], None],
        bug: Callable[[BaseException], None],
        disk: Disk | None = None,
    ) -> None:
        """`bug` hears of errors of ours; `disk`: instead of the operating system's."""
        self.firing: Firing = _nothing
        self.whence = whence
        self._clock = clock
        self._post = post
        self._tell = tell
        self._bug = bug
        self._waiting = Waiting(self._dropped)
        self._since: dict[str, float] = {}  # what waits; when this process first knew of it
        self._early: deque[Notice] = deque(maxlen=MOST)  # before what waited before was read
        self._done: dict[str, None] = {}
        self._off: dict[str, Off] = {}
        self._receivers: dict[str, Receiver] = {}
        self._wanted = asyncio.Event()  # there are receivers, or there were
        self._at_work: dict[str, AtWork] = {}
        self._results: Counter[tuple[str, ...]] = Counter()  # receiver and result
        self._failing: dict[str, str] = {}
        self._overfull = False
        self._tried = asyncio.Event()
        self._running = False
        file = QueueFile(data_dir / FOLDER, disk or RealDisk())
        self._scribe = Scribe(file, clock, self._all_of_it, self._disk_heard)

    def send(self, notice: Notice) -> None:
        """Part of Delivery."""
        receiver = self._receivers.get(notice.receiver)
        if receiver is None:
            self._results[notice.receiver, "unknown"] += 1
        elif not self._running:
            self._early.append(notice)
        elif notice.id in self._done or notice.id in self._waiting:
            return
        elif self.disabled(receiver.name):
            self._results[receiver.name, "disabled"] += 1
        else:
            notice = trimmed(notice)
            self._scribe.note(Waits(notice))
            self._wait(notice, receiver)
            self._at_work[receiver.name].courier.ring()

    def obey(self, receivers: Sequence[Receiver]) -> None:
        """Part of Delivery."""
        before, self._receivers = self._receivers, {each.name: each for each in receivers}
        for name in before.keys() - self._receivers.keys():
            self._failing.pop(name, None)
        if self._receivers:
            self._wanted.set()
        if self._running:
            self._put_to_work()

    def disabled(self, receiver: str) -> str:
        """Part of Delivery."""
        off = self._off.get(receiver)
        return "" if off is None else off.why

    def trouble(self, receiver: str) -> str:
        """Part of Delivery."""
        return self.disabled(receiver) or self._failing.get(receiver, "")

    def waiting(self, receiver: str) -> int:
        """Part of Delivery."""
        return self._waiting.of(receiver)

    async def run(self) -> None:
        """Part of Delivery. As long as there are no receivers nothing is read or written."""
        await self._wanted.wait()
        found = await self._scribe.open()
        self._done, self._off = found.done, found.off
        for notice in found.waits.values():
            self._wait(notice, self._receivers.get(notice.receiver))
        if found.damaged:
            why = f"{found.damaged} lines of {FOLDER}/{FILE} were damaged; it is now {DAMAGED}"
            self._tell(DeliveryChange("damaged", why))
        self._running = True
        self._put_to_work()
        while self._early:
            self.send(self._early.popleft())
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """Part of Delivery. What is new is still told to those who take it at once."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST):
                while any(map(self._takes, self._at_work)):
                    self._tried.clear()
                    await self._tried.wait()
        self._running = False
        at_work, self._at_work = self._at_work, {}
        tasks = [task for each in at_work.values() for task in each.tasks]
        for each in at_work.values():
            each.end()
        if tasks:
            await asyncio.wait(tasks)
        await self._scribe.close(_LAST)

    def families(self) -> Iterator[Family]:
        """Part of Delivery."""
        receivers = {
            name: delivery_figures.Standing(self._state(name), self._waiting.of(name))
            for name in self._receivers
        }
        durable = not self._scribe.trouble
        return delivery_figures.families(
            receivers, self._results, self._waiting.bytes, durable=durable
        )

    def next(self, receiver: str) -> Notice | None:
        """Part of Desk."""
        return self._waiting.fly(receiver)

    def back(self, receiver: str) -> None:
        """Part of Desk."""
        self._waiting.land(receiver)

    def settled(self, notice: Notice, result: str) -> None:
        """Part of Desk."""
        if notice.id in self._waiting:  # else its receiver was removed meanwhile
            self._waiting.done(notice)
            self._over(notice, result)

    def tried(self, receiver: str, why: str) -> None:
        """Part of Desk."""
        self._tried.set()
        before = self._failing.pop(receiver, "")
        if why:
            self._results[receiver, "failed"] += 1
            self._failing[receiver] = why
        if bool(why) != bool(before):
            self._tell(DeliveryChange("failing" if why else "ok", why, receiver))

    def expire(self, receiver: str, seconds: float) -> None:
        """Part of Desk."""
        since = self._clock.now() - seconds
        for notice in self._waiting.those_of(receiver):
            if self._since[notice.id] <= since:
                self._waiting.done(notice)
                self._over(notice, "expired")

    def gone(self, receiver: Receiver) -> None:
        """Part of Desk."""
        why = "it answered 410: it wants to hear nothing any more"
        self._off[receiver.name] = Off(receiver.name, _digest(receiver), why)
        self._scribe.note(self._off[receiver.name])
        self._waiting.drop(receiver.name, "disabled")
        self._tell(DeliveryChange("disabled", why, receiver.name))

    def standing(self, receiver: str) -> Iterable[Notice]:
        """Part of Desk."""
        if self._waiting.of(receiver) or self.disabled(receiver):
            return ()
        return self.firing(receiver)

    def _wait(self, notice: Notice, receiver: Receiver | None) -> None:
        self._since[notice.id] = self._clock.now()
        self._waiting.add(notice, last_only=receiver is not None and receiver.kind in _LAST_ONLY)
        if len(self._waiting) < MOST // 2:
            self._overfull = False

    def _put_to_work(self) -> None:
        """A courier for each receiver, and none for others. One that is as it was goes on."""
        for name in set(self._waiting.receivers) - self._receivers.keys():
            self._waiting.drop(name, "removed")
        for name, off in list(self._off.items()):
            if name not in self._receivers or off.written != _digest(self._receivers[name]):
                del self._off[name]
                self._scribe.note(Off(name, ""))
        for name, at_work in list(self._at_work.items()):
            if self._receivers.get(name) != at_work.courier.receiver:
                at_work.end()
                self._waiting.land(name)
                del self._at_work[name]
        for receiver in self._receivers.values():
            if receiver.name not in self._at_work:
                self._at_work[receiver.name] = self._begun(receiver)

    def _begun(self, receiver: Receiver) -> AtWork:
        courier = Courier(receiver, self, self._post, self._clock, self.whence)
        tasks = [self._clock.spawn(self._kept_up(courier.run))]
        if receiver.kind == "alertmanager":
            tasks.append(self._clock.spawn(self._kept_up(courier.resend)))
        return AtWork(courier, tuple(tasks))

    async def _kept_up(self, work: Callable[[], Awaitable[None]]) -> None:
        """An error of ours silences nobody for good."""
        while True:
            try:
                await work()
            except Exception as error:
                self._bug(error)
                await self._clock.sleep(_AFTER_A_BUG)

    def _takes(self, receiver: str) -> bool:
        """Does something wait for it that it most likely takes?"""
        return self._waiting.of(receiver) > 0 and receiver not in self._failing

    def _state(self, name: str) -> str:
        if self.disabled(name):
            return "disabled"
        return "failing" if name in self._failing else "ok"

    def _dropped(self, notice: Notice, why: str) -> None:
        self._over(notice, why)
        if why == "dropped" and not self._overfull:
            self._overfull = True
            what = f"more than {MOST:,} notices, or {MOST_BYTES >> 20} MiB of them, wait"
            self._tell(DeliveryChange("full", f"{what}; the oldest are dropped", notice.receiver))

    def _over(self, notice: Notice, result: str) -> None:
        """It waits no more."""
        self._results[notice.receiver, result] += 1
        self._since.pop(notice.id, None)
        self._done[notice.id] = None
        if len(self._done) > REMEMBERED:
            del self._done[next(iter(self._done))]
        self._scribe.note(Done(notice.id))

    def _all_of_it(self) -> Iterator[Entry]:
        yield from map(Done, self._done)
        yield from self._off.values()
        yield from map(Waits, self._waiting)

    def _disk_heard(self, why: str) -> None:
        kept = "what waits to be told is kept in memory only, and would be lost with the process"
        self._tell(DeliveryChange("disk", f"{kept}: {why}") if why else DeliveryChange("ok"))


def _digest(receiver: Receiver) -> str:
    """Tells whether it is written as it was; not what its secrets are."""
    return hashlib.sha256(msgspec.json.encode(receiver)).hexdigest()[:12]


def _nothing(_: str) -> Iterable[Notice]:
    return ()
