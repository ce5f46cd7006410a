"""What this pod shares with the others of its fleet, where the settings name a store.

Every second it says that it lives, and each part (kills, budgets, circuits …) exchanges what is
new, at its own pace. What cannot wait for that is published, and heard at once. When the store is
gone, all go on by what they have; when it is back, or another one is in its place, all is told
again before it grants anything (`proxy/state/shared/fleet.py`).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from proxy.clock import Clock
from proxy.config.settings import Settings
from proxy.journal.disk import Disk, RealDisk
from proxy.journal.pod_file import PodFile
from proxy.keep import Keep
from proxy.keys import LINK, NEWS
from proxy.news import News
from proxy.observe.family import Family
from proxy.observe.store import families
from proxy.state.link import PATIENCE, Link, Part
from proxy.state.shared.fleet import LAST, Beat, End, Fleet, Known, Leave, Pod
from proxy.state.shared.holds import Holding, Holds
from proxy.state.shared.money import Close
from proxy.state.store import Store, Unreachable

EVERY = 1.0
"""Seconds from beat to beat."""
_WHOLE = 5
"""With each so many beats, all pods are asked for."""
_TICK = 0.1
_AGAIN = 0.25
"""Seconds until a store that is not there is tried again."""
_ENDS = 10.0
"""Seconds for what a part has to say, and for all that is given back at the end."""
_TOO_SLOW = "it was too slow, and the pod ends"
_OPENS = 3.0
"""Seconds that a start waits for a store that gathers. One that is not there is not waited for."""


class Sharing:
    """`begin` before calls come, `run` until cancelled, `end` when the last call has ended."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        keep: Keep,
        parts: Callable[[Link], Iterable[Part]],
        disk: Disk | None = None,
        bug: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        """Takes the data dir's own name for this pod, so the data dir must be ours. Raises OSError
        where it cannot be kept. `bug` is told of errors of ours: no part ends what others share."""
        self._bug = bug
        self._clock = clock
        self._store = _store(settings)
        self._file = PodFile(Path(settings.data_dir), disk or RealDisk())
        pod = self._file.pod
        self.link = keep.of(
            LINK,
            lambda: Link(
                self._store,
                pod,
                clock,
                keep.of(NEWS, News),
                float(settings.store_timeout),
                settings.on_store_failure,
                settings.agent.fleet,
            ),
        )
        self._parts = tuple(parts(self.link))
        self.link.fleet = Fleet(0, epoch=self._file.epoch)
        self.link.sharers = max(1, len(self._file.peers))  # they may start without a store too
        self.link.loses.extend(part.lost for part in self._parts)
        self.pods: tuple[Known, ...] = ()
        """All that are known, as of late."""
        self._seen_at = 0  # on the store's clock
        self._met: dict[str, Pod] = {}
        """Each of those, in the last life that was heard of."""
        self._beats = 0
        self._gathered = 0
        self._due = dict.fromkeys(self._parts, 0.0)
        self._exchanging: dict[Part, asyncio.Task[bool]] = {}
        self._ended = False
        self._listening: asyncio.Task[None] | None = None
        self._keeping = asyncio.Lock()

    def families(self) -> Iterator[Family]:
        """What is counted of the store."""
        return families(self.link)

    async def begin(self) -> None:
        """The store was asked, and all was told to it; or it is not there. Raises Rejected where
        it does not want us."""
        with contextlib.suppress(Unreachable):
            await self._store.check()
        until = self._clock.now() + _OPENS
        while await self._beat() and not self.link.fleet.open and self._clock.now() < until:
            await self._clock.sleep(_TICK)

    async def holds(self) -> dict[str, Holding]:
        """What this pod holds, as the store knows it; also before it has begun. Raises Rejected,
        Unreachable."""
        await self._store.check()
        return await self._store.ask(Holds(self.link.pod.id), PATIENCE)

    async def run(self) -> None:
        """Live with the others, until cancelled."""
        self._listening = self._clock.spawn(self._listen())
        due = self._clock.now() + EVERY
        try:
            while not self._ended:
                await self._clock.sleep(_TICK if self.link.up else _AGAIN)
                now = self._clock.now()
                if now >= due or not self.link.up or not self.link.fleet.open:
                    due = now + EVERY
                    await self._tried(self._beat)
                self._exchange(now)
        finally:
            self._listening.cancel()

    async def end(self) -> bool:
        """All is given back, and the pod leaves. False: what the store did not take, it has to wait
        for (`holdfast budget reconcile`)."""
        self._ended = True  # redis-py's waits lose a cancellation at times (before Python 3.12)
        cut = asyncio.get_running_loop().call_later(_ENDS, self.link.fails, _TOO_SLOW)
        await self._pause(self._parts)
        gave = [await self._tried(partial(part.leave, self.link)) for part in self._parts]
        left = all(gave) and self.link.fleet.ours  # else that would be another one, still here
        if left:
            left = await self._tried(partial(self.link.ask, Leave((self.link.pod.id,))))
        cut.cancel()
        await self.close()
        return left

    async def close(self) -> None:
        """Nothing is asked any more. Who listens ends first: it would connect once more when its
        connection is closed."""
        self._ended = True
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait({self._listening}, timeout=PATIENCE)
        await self._store.close()

    async def look(self) -> Fleet:
        """All pods, as the store has them now. Raises Unreachable."""
        link = self.link
        knows = link.fleet.epoch
        fleet = await link.ask(Beat(link.pod, self._gathered, self._peers, whole=True, knows=knows))
        self._see(fleet)
        return msgspec.structs.replace(fleet, pods=self._named)

    @property
    def known(self) -> Fleet:
        """All pods, as they were seen last."""
        return msgspec.structs.replace(self.link.fleet, now=self._seen_at, pods=self._named)

    async def give_up(self, pod: Pod) -> None:
        """It will not come back, somebody says: what it held counts as spent. Raises
        Unreachable."""
        for known in self.pods:
            if known.pod.id == pod.id:
                while await self.link.ask(Close(known.pod, LAST, leaves=True, lost=True)) >= 0:
                    pass
        await self.link.ask(End(pod.id, pod.life))
        await self.link.ask(Leave((pod.id,)))

    async def _beat(self) -> bool:
        """False: the store is not there."""
        link, epoch = self.link, self.link.fleet.epoch
        crowd = link.fleet.live != len(self.pods)
        whole = crowd or self._beats % _WHOLE == 0 or not link.fleet.open
        self._beats += 1
        try:
            fleet = await link.beat(Beat(link.pod, self._gathered, self._peers, whole))
            self._meet(fleet)
            if fleet.epoch != epoch:
                for part in self._parts:
                    part.anew()
            if fleet.ours and fleet.epoch != self._gathered:
                await self._tell_all()
                self._gathered = fleet.epoch
                if not fleet.open:
                    await link.beat(Beat(link.pod, self._gathered, self._peers))
        except Unreachable:
            return False
        return True

    def _meet(self, fleet: Fleet) -> None:
        """These are the fleet. It is kept, should all of us and the store begin anew."""
        self._see(fleet)
        peers, epoch = self._peers, self.link.fleet.epoch
        if fleet.pods and (peers != self._file.peers or epoch != self._file.epoch):
            _ = self._clock.spawn(self._keep(peers, epoch))

    async def _keep(self, peers: tuple[str, ...], epoch: int) -> None:
        async with self._keeping:
            with contextlib.suppress(OSError):  # a full disk has alarms of its own
                await asyncio.to_thread(self._file.meet, peers, epoch)

    def _see(self, fleet: Fleet) -> None:
        if fleet.pods:
            self.pods, self._seen_at = fleet.pods, fleet.now
            before, lives = self._met, {each.pod.id: each.pod for each in fleet.pods}
            self._met = {
                name: pod if pod.life else before.get(name, pod) for name, pod in lives.items()
            }

    @property
    def _peers(self) -> tuple[str, ...]:
        """Those, and before they are known those of the last life."""
        return tuple(known.pod.id for known in self.pods) or self._file.peers

    @property
    def _named(self) -> tuple[Known, ...]:
        """A store that was emptied knows of some only that others named them; we have met them."""
        met = self._met
        return tuple(msgspec.structs.replace(known, pod=met[known.pod.id]) for known in self.pods)

    async def _tell_all(self) -> None:
        for part in self._parts:
            await self._pause([part])
            await part.exchange(self.link)

    def _exchange(self, now: float) -> None:
        """Each by itself: one that has much to say holds up no kill."""
        for part in self._parts:
            before = self._exchanging.get(part)
            if self.link.up and now >= self._due[part] and (before is None or before.done()):
                self._due[part] = now + part.every
                work = self._tried(partial(part.exchange, self.link))
                self._exchanging[part] = self._clock.spawn(work)

    async def _pause(self, parts: Iterable[Part]) -> None:
        """What these are about is over: no part says two things at once."""
        under_way = [task for part, task in self._exchanging.items() if part in parts]
        if under_way:
            await asyncio.wait(under_way, timeout=_ENDS)

    async def _tried(self, work: Callable[[], Awaitable[Any]]) -> bool:
        """Was it done? Where the store did not answer the link has told it.

        A task that is cancelled before it begins has called nothing: no coroutine is left over.
        """
        try:
            await work()
        except Unreachable:
            return False
        except Exception as error:
            self._bug(error)
            return False
        return True

    async def _listen(self) -> None:
        """Hear what is published, as long as there is somebody to be heard."""
        topics = {part.topic: part.heard for part in self._parts}

        def heard(topic: str, said: bytes) -> None:
            tell = topics.get(topic)
            try:
                if tell is not None:
                    tell(said)
            except Exception as error:
                self._bug(error)

        while not self._ended:
            if self.link.up:
                with contextlib.suppress(Unreachable):
                    await self._store.listen(heard)
            await self._clock.sleep(_AGAIN)


def _store(settings: Settings) -> Store:
    from proxy.state.redis import RedisStore  # takes 60 ms and 7 MB, and few have one

    tls = settings.store_tls
    endpoint = settings.store.endpoint._replace(ca=tls.ca, cert=tls.cert, key=tls.key)
    return RedisStore(endpoint, settings.agent.fleet, float(settings.store_timeout))
