"""Builds everything once; starts it and stops it, in order. A reload swaps the table."""

import secrets
from collections.abc import Awaitable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

from proxy.access import Access
from proxy.admin import start as start_admin
from proxy.admin.health import Health
from proxy.admin.sight import Sight
from proxy.call import Call
from proxy.clock import Clock
from proxy.config.approvers import too_few
from proxy.config.load import load_policies
from proxy.config.loaded import Loaded
from proxy.config.objectives import beyond
from proxy.config.places import ConfigError, Problem
from proxy.config.rereading import Rereading
from proxy.config.settings import Settings
from proxy.config.store_url import MEMORY
from proxy.config.tightening import BY, tightest
from proxy.config.watch import Watch, digests
from proxy.control import Control
from proxy.gateway import Gateway
from proxy.journal.disk import Disk
from proxy.journal.folder import CONTROL
from proxy.journal.sealing import Trouble
from proxy.keep import Keep
from proxy.keys import CHAINS, NEWS
from proxy.lookout import Lookout
from proxy.news import News, ReloadChange
from proxy.observe.logs import CallLog, Log
from proxy.observe.metrics import Metrics
from proxy.observe.sums import counted
from proxy.outbound import UNTRACED, Outbound, TraceHeaders, Trust, trust_of
from proxy.pipeline.table import Table
from proxy.pipeline.walk import Grounds
from proxy.reply import Reply
from proxy.sharing import Sharing
from proxy.stage import Sender
from proxy.state.chains import Chains
from proxy.state.killed import Kill
from proxy.state.link import Link, Part
from proxy.state.scopes import ALL, Scope
from proxy.trail import NOT_STARTED, Trail, unstarted
from proxy.watcher import Watcher
from proxy.wire.body import Memory
from proxy.wire.head import Limits
from proxy.wire.server import Server, ServerLimits

if TYPE_CHECKING:
    from proxy.admin.server import AdminServer

_LONGEST = 500  # characters of what made a start fail
_DRILL = "windows pass faster, for a rehearsal: never with real money"


class App:
    """One Holdfast."""

    def __init__(
        self,
        settings: Settings,
        upstream: tuple[str, str] | None,
        disk: Disk | None = None,
        also: tuple[Path, ...] = (),
        drill: int = 1,
    ) -> None:
        """`disk`: the journal's, instead of the operating system's. `also`: more policy files.
        `drill`: windows pass so many times faster."""
        self._settings, self._upstream, self._also = settings, upstream, also
        self.clock = Clock(drill=drill)
        self.log = Log(self.clock, settings.log.level, settings.log.format)
        self.health = Health(began=self.clock.wall(), drill=drill)
        self._keep = Keep()
        news = self._news = self._keep.of(NEWS, News)
        news.listeners.append(self.log.hear)
        fleet_key = settings.fleet_key.encode()
        self._control = Control(self._keep, self.clock, Path(settings.data_dir), fleet_key)
        self._sharing: Sharing | None = None  # once the data dir is ours, where there is a store
        self._lookout = Lookout(settings, self.clock, self._keep, self.log.bug)
        rooms = (*self._control.rooms, *self._lookout.rooms)
        self._trail = Trail(settings, self.clock, news, self.log, disk, rooms)
        self.metrics = Metrics(self._keep, self.health)
        self._control.sums.read = lambda: counted(self.metrics.rows())
        self._instance = secrets.token_hex(4)
        self._keep.of(CHAINS, lambda: Chains(self._instance, fleet_key))
        self._limits = Limits(int(settings.limits.header_bytes), settings.limits.headers)
        self._outbound = Outbound(
            self.clock, self._limits, self._instance, self._keep, self.log.bug, self._tracing()
        )
        self._warned: frozenset[Problem] = frozenset()
        self._rereading = Rereading(self._tried, self._take, self.clock)
        self._watch = Watch(settings.policies, self.reload_soon, self.clock)
        self._access = Access(settings, self.clock, self.log, self.health)
        read = self._read()
        self._recorders = self._lookout.recorders
        self._recorders.add(self.metrics)
        if settings.log.calls:
            self._recorders.add(CallLog(self.log))
        self._trail.journal.counted = self._recorders.catch_up
        self._gateway = self._made_gateway(read)
        self._server = self._made_server(settings)
        self._in_force(read)
        self.listen = self.admin = ""
        self._admin: AdminServer | None = None

    @classmethod
    async def start(
        cls,
        settings: Settings,
        upstream: tuple[str, str] | None = None,
        disk: Disk | None = None,
        also: tuple[Path, ...] = (),
        drill: int = 1,
    ) -> "App":
        """A Holdfast that serves. `upstream`: a URL and its protocol, for the mount at `/`. `also`:
        policy files that are read after those of the folder; they are not watched. `drill`: windows
        pass so many times faster.

        Raises ConfigError for policies that cannot be used, OSError for an address or a folder that
        cannot be had, Locked for a folder that another process has, BadKey for the journal's key,
        Trouble for the side store of payloads, Rejected for a store that does not want us.
        """
        try:
            app = cls(settings, upstream, disk, also, drill)
        except (ConfigError, OSError) as error:
            await unstarted(settings, str(error).splitlines(), disk)
            raise
        try:
            await app._begin()
        except BaseException as error:
            why = str(error)[:_LONGEST] or type(error).__name__
            await app.stop(drain=0.0, reason=f"{NOT_STARTED}: {why}")
            raise
        return app

    async def _begin(self) -> None:
        if self.clock.drill > 1:
            self.log.warning("drill", drill=self.clock.drill, means=_DRILL)
        for warning in self._settings.warnings:
            self.log.warning("settings", problem=warning)
        await self._trail.start()
        self.health.kills = self._control.kills
        await self._control.begin(self._trail, self._server.calls)
        self._lookout.begin(self._trail, self._server.calls, lambda: self._trail.journal.seq)
        self._use(self._current)  # once more: what was rebuilt may want others, and hears of them
        self._lookout.objectives.changed = self._again
        await self._share()
        self.health.journal, self.health.webhooks = self._trail.journal, self._trail.webhooks
        self.metrics.journal = self._trail.families
        self.metrics.lookout = self._lookout.families
        self.health.side_store = self._trail.side_store
        self._trail.keep_for(tightest(self._current.loaded))
        self._trail.loaded(self._gateway.table.loaded)
        self.listen = await self._server.listen(self._settings.listen)
        self.health.listening(self.listen)
        sight = Sight(
            self.health,
            self.metrics,
            self.clock,
            self._keep,
            self._access.identity,
            lambda: self._gateway.table,
            self._recorders,
            self._trail.erase,
            lambda: self._access.tokens,
            self._reloaded,
            self._server.calls,
            self._trail.written,
            self._sharing,
            self._lookout.watched,
            self._lookout.mirroring.standing,
        )
        self._admin = await start_admin(self._settings.admin, sight)
        self.admin = self._admin.address
        await self._open_to_changes(self._admin)
        for part in (self._watch, self._control, self._lookout):
            _ = self.clock.spawn(part.run())
        self._access.start()
        self._trail.speak()

    async def _share(self) -> None:
        """With the other pods of the fleet, if the settings name a store. Raises Rejected."""
        if self._settings.store == MEMORY:
            return
        self._sharing = Sharing(
            self._settings, self.clock, self._keep, self._shares, bug=self.log.bug
        )
        self.health.store = self._sharing.link
        self.metrics.store = self._sharing.families
        self.health.needs_store = "store" in self._settings.readiness
        await self._sharing.begin()
        _ = self.clock.spawn(self._sharing.run())

    def _shares(self, link: Link) -> Iterable[Part]:
        """With other pods: what rules calls, and before the sums of it what operators are told."""
        return (*self._control.shares(link), *self._lookout.shares())

    async def _open_to_changes(self, admin: "AdminServer") -> None:
        """Changes are made at a socket that only our own user reaches. Calls can do without."""
        place = Path(self._settings.data_dir) / CONTROL
        try:
            await admin.control(str(place))
        except OSError as error:  # such as a path that is too long for a socket
            self.log.warning("no changes can be made", problem=str(error), socket=str(place))

    def kill_all(self) -> None:
        """Somebody sent the signal for it."""
        by, reason = "SIGUSR1", "the process got SIGUSR1"
        _ = self._control.kills.engage(Kill(Scope(ALL), reason, by, "signal"))

    def reload(self) -> bool:
        """Read the policies again, now. If anything is wrong with them, those in force stay."""
        self._rereading.overtaken()
        return self._take(self._tried())

    def reload_all(self) -> None:
        """Read all again that can be read while it runs: policies and tokens, in threads."""
        _ = self.clock.spawn(self._reloaded(""))

    async def _reloaded(self, by: str) -> list[str]:
        """The same for somebody who waits for it. Gives what is wrong with it. Tokens first: by
        those that are in force it is judged whether enough people may approve."""
        wrong = await self._access.reloaded()
        await self._rereading.done(by)
        return [*self.health.rejected.splitlines(), *wrong]

    def reload_soon(self) -> None:
        """The same, but they are read in a thread."""
        self._rereading.soon()

    def _take(self, read: "_Read | _Failed", by: str = "") -> bool:
        if not isinstance(read, _Read):
            self.health.rejected, self.health.rejected_at = str(read), self.clock.wall()
            problems = str(read).splitlines()
            self.log.warning("reload failed", problems=problems, kept=self.health.version)
            self._trail.rejected(problems, by)
            self._news.tell(ReloadChange("failed", self.health.version, tuple(problems)))
            return False
        self._use(read)
        loaded = self._gateway.table.loaded
        self._trail.loaded(loaded, by)
        self.log.event("reloaded", policy_version=loaded.version)
        self._news.tell(ReloadChange("reloaded", loaded.version))
        return True

    def _use(self, read: "_Read") -> None:
        self._gateway.table = self._table(read)
        self._in_force(read)

    def _again(self) -> None:
        """Error budgets are used up, or are not any more, and by that other policies in force."""
        before = self._gateway.table.version
        if self._lookout.objectives.tightened(self._current.loaded).version != before:
            _ = self._take(self._current, BY)

    def _tried(self) -> "_Read | _Failed":
        try:
            read = self._read()
            self._trail.keep_for(tightest(read.loaded))
        except (ConfigError, OSError, Trouble) as error:
            return error
        return read

    def _read(self) -> "_Read":
        """All that takes files to know. It may run in a thread, and touches nothing of the loop."""
        folder = self._settings.policies
        loaded = self._judged(load_policies(folder, self._upstream, also=self._also))
        trust = {name: trust_of(upstream) for name, upstream in loaded.upstreams.items()}
        return _Read(loaded, trust, digests(loaded.files))

    def _judged(self, loaded: Loaded) -> Loaded:
        """By what stands in other files: who there is to approve, how long the journal is kept.
        Raises ConfigError."""
        lacking = list(too_few(tightest(loaded).policies, self._access.tokens))
        if lacking and self._access.tokens.there:
            raise ConfigError(lacking)
        forgotten = beyond(loaded.slos, float(self._settings.audit.retention))
        warnings = (*loaded.warnings, *lacking, *forgotten)
        return msgspec.structs.replace(loaded, warnings=warnings)

    async def stop(self, drain: float | None = None, reason: str = "") -> bool:
        """Not ready at once; finish what runs, for `drain` seconds at most; then stop.

        The journal is last, and told the reason: until then there may be something to note. False:
        it could not be closed, and a thread may wait for its disk for ever.
        """
        self.health.draining = True
        self._control.leave()
        await self._server.drain(float(self._settings.drain) if drain is None else drain)
        await self._server.close()
        self._recorders.close()
        self.health.listening("")
        self._outbound.stop()
        if self._admin is not None:
            await self._admin.stop()
        if self._sharing is not None:
            await self._sharing.end()
        await self._lookout.stop()
        self._control.end()
        await self.clock.stop()
        closed = await self._trail.stop(reason)
        self.log.close()
        return closed

    def _in_force(self, read: "_Read") -> None:
        self._current, loaded = read, self._gateway.table.loaded
        self._control.obey(loaded)
        self._lookout.obey(loaded)
        self.metrics.name_tools(loaded.tools)
        self.health.loaded(loaded.version, self.clock.wall())
        self._watch.loaded(read.files)
        for problem in loaded.warnings:
            if problem not in self._warned:  # said once, and not at every reload
                self.log.warning("policy", problem=str(problem))
        self._warned = frozenset(loaded.warnings)

    def _table(self, read: "_Read") -> Table:
        """The table for these policies; upstreams that did not change keep their connections."""
        loaded = self._lookout.objectives.tightened(read.loaded)
        made = self._outbound.made(loaded.upstreams, read.trust)
        senders: dict[str, Sender] = {name: each.sender.send for name, each in made.items()}
        grounds = Grounds.on(self.clock, self._keep, self._trail, self._newest)
        table = Table(loaded, senders, grounds, int(self._settings.limits.body_buffer))
        self._outbound.use(made)
        return table

    def _newest(self, call: Call) -> Awaitable[Reply]:
        """A call that was held goes on by what is in force now."""
        return self._gateway.table.again(call)

    def _tracing(self) -> TraceHeaders:
        """What becomes of trace headers."""
        tracer = self._lookout.tracing.tracer
        if tracer is None:
            return UNTRACED
        return TraceHeaders(tracer.lines, self._settings.trace.sends_baggage)

    def _made_gateway(self, read: "_Read") -> Gateway:
        watcher = Watcher(self._trail, self.log, self._recorders, self.metrics.bad_requests)
        table, identity = self._table(read), self._access.identity
        tracer = self._lookout.tracing.tracer
        return Gateway(table, self.clock, identity, self._instance, watcher, tracer)

    def _made_server(self, settings: Settings) -> Server:
        limits = settings.limits
        asked = ServerLimits(
            head=self._limits,
            connections=limits.connections,
            header_timeout=float(limits.header_timeout),
            keepalive=float(limits.keepalive),
        )
        return Server(self._gateway, self.clock, asked, Memory(int(limits.replay_pool)))


_Failed: TypeAlias = ConfigError | OSError | Trouble
"""Why policies cannot come into force."""


class _Read(NamedTuple):
    """Policies, and what else was read of files for them."""

    loaded: Loaded
    trust: dict[str, Trust]
    files: dict[Path, bytes]  # digests of those that the policies name
