"""The audit trail: the journal of this process, what else is noted into it, what is kept beside."""

import asyncio
import contextlib
import functools
import re
import socket
from asyncio import Future
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from proxy import __version__
from proxy.call import Call, Taking
from proxy.clock import Clock
from proxy.config.loaded import Loaded
from proxy.config.settings import Settings
from proxy.config.types import Policy
from proxy.journal.checkpoint import Anchor, FileAnchor
from proxy.journal.disk import Disk, RealDisk
from proxy.journal.entries import BreakerChanged, ConfigRejected, Entry, PolicyLoaded
from proxy.journal.erasures import Eraser, Erasure
from proxy.journal.folder import Folder, Locked
from proxy.journal.journal import GRACE, Journal, within
from proxy.journal.notes import BadKey
from proxy.journal.recover import unknown_end
from proxy.journal.sealing import Trouble
from proxy.journal.segments import Terms
from proxy.journal.side_store import SideStore
from proxy.journal.snapshot import Rebuilt
from proxy.journal.taking import Wish
from proxy.journal.writer import State
from proxy.mirrors.webhook import WebhookAnchor
from proxy.news import CircuitChange, Event, JournalChange, News, PayloadsChange
from proxy.observe.family import Family
from proxy.observe.journal import CountedDisk, families
from proxy.observe.logs import Log
from proxy.observe.payloads import families as families_beside
from proxy.record import Beginnings

if TYPE_CHECKING:
    from proxy.journal.payloads import PayloadsState

Told = TypeVar("Told")

_DAY = 86_400
_MOST_PROBLEMS = 20
_LONGEST = 500  # characters of one of them
_LONGEST_NAME = 64
_LAST = 0.5  # seconds for what is to be posted when the journal has stopped
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]")  # of a key: no space, no plus (C2SP signed-note)


class Trail:
    """`start`, `note` as often as there is something, `stop`."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        news: News,
        log: Log,
        disk: Disk | None = None,
        rooms: Sequence[Rebuilt] = (),
    ) -> None:
        """`rooms` are rebuilt before anybody is served."""
        self._clock = clock
        self._name = clock.uuid
        self._news = news
        self._log = log
        self._running = False
        self._aloud = False
        self._version = ""  # of the policies in force
        self._disk = CountedDisk(RealDisk() if disk is None else disk, clock.now)
        terms, data_dir = terms_of(settings, clock.drill), Path(settings.data_dir)
        self.side_store = SideStore(
            data_dir,
            clock,
            self,
            heard=lambda state: self._on_loop(self._heard_of_payloads, state),
            bug=lambda error: self._on_loop(log.bug, error),
        )
        self._eraser = Eraser(
            self.side_store, clock, self, hold=Folder(data_dir).hold, days=terms.retention_days
        )
        self.webhooks = tuple(self._webhooks(settings, clock))
        """Those that checkpoints are posted to."""
        key = settings.audit.key
        self.journal = Journal(
            data_dir,
            terms,
            clock,
            anchors=(*self._anchors(settings), *self.webhooks),
            key="" if key is None else key.revealed,
            version=__version__,
            heard=self._heard,
            disk=self._disk,
            rooms=(self._eraser.erasures, *rooms),
        )
        self.note = _nowhere
        """A record, to be written. Never waits, never raises; before the start it does nothing, so
        it is looked up anew each time."""

    async def start(self) -> None:
        """Take the data dir, and write. Raises Locked, BadKey, Trouble, or OSError.

        Reading where it was left blocks the loop; nobody is served yet. Calls that the last process
        had begun and never ended get their record: nobody knows what became of them. Erasures that
        it had begun are done.
        """
        found = self.journal.open()
        self._loop = asyncio.get_running_loop()
        self._running = True
        self.note = self.journal.note
        for webhook in self.webhooks:
            webhook.start()
        await self.journal.start()
        for line in found.open.values():
            self.journal.relive(unknown_end(line))
        if self.side_store.there:
            self.side_store.open()
        await self._eraser.resume()
        self.journal.beside(self._eraser.prune)
        self._news.listeners.append(self._hear)

    @property
    def state(self) -> State:
        """Can it be written, and if not, since when and why?"""
        return self.journal.state

    def durable(self) -> "Future[bool]":
        """Once it has started: when all that was noted is durable. False: it cannot be made so."""
        return self.journal.durable()

    async def written(self, entry: Entry) -> bool:
        """Note it. Is it durable?"""
        self.note(entry)
        return await self.durable()

    def asks(self, begun: Beginnings) -> Callable[[], None]:
        """Once it has started: calls that may do without an intent have one before the next batch,
        if they are still under way. What comes of it has that looked at soon."""
        return self.journal.asks(begun)

    def keep_for(self, loaded: Loaded) -> None:
        """These policies may come into force: what they want to keep has a place. Blocks, in any
        thread. Raises Trouble."""
        if any(_keeps(policy) for policy in loaded.policies):
            self.side_store.open()

    def taking(self, call: Call, wish: Wish) -> Taking | None:
        """Part of Trail."""
        return self.side_store.taking(call, wish)

    async def erase(self, what: str, whose: str, by: str, reason: str) -> Erasure:
        """Destroy what is kept of a task or an agent (`what`), and record it. Raises Held, Trouble:
        then it is to be asked for again."""
        return await self._eraser.erase(what, whose, by, reason, self._name())

    def speak(self) -> None:
        """Checkpoints are logged from now on. Not for a start that may fail: it has one line."""
        self._aloud = True

    async def stop(self, reason: str = "") -> bool:
        """All is written; False: the disk did not take it. May be called again, or not begun."""
        running, self._running = self._running, False
        if not running:
            return True
        ends = self._clock.now() + GRACE
        # The side store has records to note, at its end.
        kept = await within(GRACE * 3 / 4, self.side_store.close)
        written = await self.journal.stop(reason, ends - self._clock.now())
        for webhook in self.webhooks:
            await webhook.stop(_LAST / len(self.webhooks))
        if kept and written:
            return True
        state = self.journal.state
        why = "payloads were not written in time" if written else "the disk does not answer"
        self._log.error(
            "the journal was not closed",
            state=state.kind,
            why=state.why or why,
            held=self.journal.held,
            within=GRACE,
            do="look at the disk; the next start tells what is missing",
        )
        return False

    def loaded(self, loaded: Loaded, by: str = "") -> None:
        """Policies are in force; `by`: who asked for it, if somebody did."""
        before, self._version = self._version, loaded.version
        upstreams = tuple(loaded.upstreams)
        self.note(
            PolicyLoaded(self._name(), loaded.version, len(loaded.policies), upstreams, before, by)
        )

    def rejected(self, problems: list[str], by: str = "") -> None:
        """Policies could not be used; those before them stay."""
        told = tuple(problem[:_LONGEST] for problem in problems[:_MOST_PROBLEMS])
        more = len(problems) - len(told)
        self.note(ConfigRejected(self._name(), told, more, self._version, by))

    def families(self) -> Iterator[Family]:
        """What metrics say of it, once it has started."""
        yield from families(self.journal, self._disk, self.webhooks)
        yield from families_beside(self.side_store)

    def _hear(self, event: Event) -> None:
        if isinstance(event, CircuitChange):
            self.note(
                BreakerChanged(
                    self._name(),
                    event.upstream,
                    event.before,
                    event.after,
                    event.why,
                    event.tool,
                    event.bulkhead,
                    int(event.open_for * 1000),
                    event.by,
                )
            )

    def _anchors(self, settings: Settings) -> Iterator[Anchor]:
        for place in settings.audit.anchors:
            if place.url is None:
                yield self._logged if place == "stderr" else FileAnchor(Path(place), RealDisk())

    def _webhooks(self, settings: Settings, clock: Clock) -> Iterator[WebhookAnchor]:
        for place in settings.audit.anchors:
            if place.url is not None:
                origin = place.url.origin
                name = f"{'https' if origin.tls else 'http'}://{origin.authority}"
                heard = functools.partial(self._posted, name)
                yield WebhookAnchor(str(place), name, clock, heard)

    def _posted(self, name: str, why: str) -> None:
        """A webhook does not take checkpoints any more; or, where there is no reason, again."""
        if why:
            self._heard("trouble", f"the anchor {name} does not take checkpoints: {why}")
        else:
            self._log.event("anchor", anchor=name, state="takes checkpoints again")

    def _logged(self, note: str) -> None:
        if self._aloud:
            self._log.event("checkpoint", note=note)

    def _heard(self, kind: str, text: str) -> None:
        self._news.tell(JournalChange(kind, text))

    def _heard_of_payloads(self, state: "PayloadsState") -> None:
        self._news.tell(PayloadsChange(state.kind, state.why, state.lost))

    def _on_loop(self, tell: Callable[[Told], None], what: Told) -> None:
        """From a thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens
            self._loop.call_soon_threadsafe(tell, what)


NOT_STARTED = "it could not start"
"""How the reason of a `stop` begins behind which nothing was served."""


async def unstarted(settings: Settings, problems: list[str], disk: Disk | None = None) -> None:
    """Note that a start came to nothing, for its policies cannot be used.

    Only where there is a journal: none is made for it. One that another process writes, or that
    cannot be written, is left alone; what is wrong with the policies is told all the same.
    """
    clock, data_dir = Clock(), Path(settings.data_dir)
    log = Log(clock, settings.log.level, settings.log.format)
    trail = Trail(settings, clock, News(), log, disk)
    with contextlib.suppress(Locked, BadKey, Trouble, OSError):
        if Folder(data_dir).segments():
            await trail.start()
            trail.rejected(problems)
    _ = await trail.stop(f"{NOT_STARTED}: its policies cannot be used")
    await clock.stop()
    log.close()


def terms_of(settings: Settings, drill: int = 1) -> Terms:
    """What the journal is told of the settings. Who writes is this machine: the pod, in a pod."""
    audit = settings.audit
    return Terms(
        fleet=_word(settings.agent.fleet),
        writer=_word(socket.gethostname()),
        sync=audit.sync,
        segment_bytes=int(audit.segment),
        records=audit.checkpoint.records,
        seconds=float(audit.checkpoint.every),
        retention_days=int(audit.retention // _DAY),
        drill=drill,
    )


def _keeps(policy: Policy) -> bool:
    """Does it keep payloads, in force or in shadow?"""
    audit = policy.sections.get("audit")
    return audit is not None and audit.fields.get("payload", "none") != "none"


def _word(text: str) -> str:
    return _NOT_IN_A_NAME.sub("-", text)[:_LONGEST_NAME] or "-"


def _nowhere(entry: Entry) -> None:
    """Before the start."""
