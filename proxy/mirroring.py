"""The mirrors at work: made of what policies say, begun and ended as these change.

One goes on as long as its lines and its upstream stay the same. One that changes ends before the
next begins, for both have one cursor. It is all beside the path; a mirror that fails is told of,
and nothing waits for it.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import UNSET

from proxy.clock import Clock
from proxy.config.loaded import Loaded
from proxy.config.mirrors import Mirror as Written
from proxy.config.settings import Settings
from proxy.config.store_url import MEMORY
from proxy.config.types import Upstream
from proxy.journal.disk import Disk, RealDisk
from proxy.keep import Keep
from proxy.keys import KILLS, NEWS
from proxy.mirrors.cursor import path_of
from proxy.mirrors.gateway_budgets import GatewayBudgets
from proxy.mirrors.gateway_calls import GatewayCalls
from proxy.mirrors.mirror import Mirror, Terms
from proxy.mirrors.sink import Sink
from proxy.mirrors.to_gateway import ToGateway
from proxy.mirrors.to_redis import ToRedis
from proxy.mirrors.to_stdout import ToStdout
from proxy.mirrors.to_webhook import ToWebhook
from proxy.news import MirrorChange, News
from proxy.observe.family import Family
from proxy.observe.mirrors import families
from proxy.posts import Post
from proxy.state.endpoint import Endpoint
from proxy.state.kills import Kills


class Plan(NamedTuple):
    """What one is made of."""

    written: Written
    upstream: Upstream | None


class Working(NamedTuple):
    """One at work."""

    plan: Plan
    mirror: Mirror
    budgets: GatewayBudgets | None
    tasks: tuple["asyncio.Task[None]", ...]


class Mirroring:
    """`obey` for each set of policies; `begin` when the journal is there; `stop`."""

    def __init__(
        self, settings: Settings, clock: Clock, keep: Keep, post: Post, disk: Disk | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._keep = keep
        self._news = keep.of(NEWS, News)
        self._post = post
        self._disk = RealDisk() if disk is None else disk
        self._data_dir = Path(settings.data_dir)
        self._loaded: Loaded | None = None
        self._wanted: dict[str, Plan] = {}
        self._working: dict[str, Working] = {}
        self._changed = asyncio.Event()
        self._following: asyncio.Task[None] | None = None

    def begin(self, written: Callable[[], int]) -> None:
        """From now on they tell. `written`: the seq of the last record that is committed."""
        self._written = written
        self._following = self._clock.spawn(self._follow())

    def obey(self, loaded: Loaded) -> None:
        """These policies are in force."""
        self._loaded = loaded
        plans = (Plan(each, _upstream(each, loaded)) for each in loaded.mirrors)
        self._wanted = {str(plan.written.name): plan for plan in plans}
        self._changed.set()

    async def stop(self) -> None:
        """No more is told; where each is, is saved."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])
        names = list(self._working)
        await asyncio.gather(*(self._end(name) for name in names))

    def families(self) -> Iterator[Family]:
        """What metrics say of it."""
        return families([each.mirror for each in self._working.values()], self._clock.wall)

    # --- one of them ---

    def standing(self) -> list[dict[str, Any]]:
        """How each gets on, for people."""
        return [
            {
                "mirror": name,
                "kind": working.plan.written.kind,
                "ok": not working.mirror.trouble,
                "why": working.mirror.trouble or None,
                "lag": working.mirror.lag,
                "sent": working.mirror.counts.sent,
                "set_aside": working.mirror.counts.aside,
                "lost": working.mirror.counts.lost,
            }
            for name, working in sorted(self._working.items())
        ]

    async def _follow(self) -> None:
        """Begin and end them as policies say, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            wanted = self._wanted
            for name, working in list(self._working.items()):
                if wanted.get(name) != working.plan:
                    await self._end(name)
            for name, plan in wanted.items():
                if name not in self._working:
                    self._working[name] = self._begun(name, plan)

    async def _end(self, name: str) -> None:
        working = self._working.pop(name)
        for task in working.tasks:
            task.cancel()
        await asyncio.wait(working.tasks)

    def _begun(self, name: str, plan: Plan) -> Working:
        heard = self._hears(name)
        gateway = self._gateway(name, plan)
        sink: Sink = self._sink(plan) if gateway is None else ToGateway(gateway, self._clock.wall)
        terms = Terms(
            name,
            plan.written.kind,
            _target(plan),
            plan.written.types,
            plan.written.begins,
        )
        parts = (self._data_dir, self._clock, self._disk)
        mirror = Mirror(terms, sink, *parts, self._written, heard)
        works = [mirror.run()]
        budgets = None
        if gateway is not None and isinstance(sink, ToGateway):
            budgets = self._budgets(name, gateway, sink, heard)
            works.append(budgets.run())
        tasks = tuple(self._clock.spawn(self._watched(work, heard)) for work in works)
        return Working(plan, mirror, budgets, tasks)

    async def _watched(
        self, work: Coroutine[Any, Any, None], heard: Callable[[str, str], None]
    ) -> None:
        """A bug of ours ends one of them, and is told; not the others."""
        try:
            await work
        except Exception as error:
            heard("failed", f"a bug: {type(error).__name__}: {error}")

    def _hears(self, name: str) -> Callable[[str, str], None]:
        return lambda state, why: self._news.tell(MirrorChange(name, state, why))

    def _gateway(self, name: str, plan: Plan) -> GatewayCalls | None:
        found = plan.upstream
        if found is None:
            return None
        return GatewayCalls(self._post, str(found.url), found.credentials, name)

    def _budgets(
        self, name: str, gateway: GatewayCalls, sink: ToGateway, heard: Callable[[str, str], None]
    ) -> GatewayBudgets:
        kills = self._keep.of(KILLS, Kills)
        return GatewayBudgets(
            gateway,
            path_of(self._data_dir, name, "budgets"),
            self._clock,
            self._disk,
            lambda: [kill.scope for kill in kills.items()],
            lambda agent: "" if self._loaded is None else self._loaded.domain(agent),
            sink.seen,
            heard,
        )

    def _sink(self, plan: Plan) -> Sink:
        written = plan.written
        if written.kind == "webhook":
            assert written.url is not UNSET  # it is judged at load
            url, private = written.url.revealed, written.allow_private
            return ToWebhook(self._post, url, written.keys, self._clock.wall, private=private)
        if written.kind == "redis":
            fleet = self._settings.agent.fleet
            key = f"holdfast:{{{fleet}}}:records" if written.stream is UNSET else written.stream
            return ToRedis(self._endpoint(written), key, written.maxlen)
        return ToStdout(self._disk)

    def _endpoint(self, written: Written) -> Endpoint:
        """Without hosts: there is none, and so nothing is taken."""
        tls = self._settings.store_tls
        if written.store is not UNSET:
            return written.store.endpoint
        return self._settings.store.endpoint._replace(ca=tls.ca, cert=tls.cert, key=tls.key)


def _upstream(written: Written, loaded: Loaded) -> Upstream | None:
    return None if written.upstream is UNSET else loaded.upstreams.get(str(written.upstream))


def _target(plan: Plan) -> str:
    """A digest of where it goes: a URL may be a secret."""
    written = plan.written
    store = MEMORY if written.store is UNSET else repr(written.store.endpoint)
    place = "" if plan.upstream is None else str(plan.upstream.url)
    place = place if written.url is UNSET else written.url.revealed
    told = f"{written.kind}\n{place}\n{store}\n{written.stream}"
    return sha256(told.encode()).hexdigest()[:16]
