"""Plays one test: what came before, then the call, through the pipeline that a proxy would have."""

import asyncio
from collections.abc import Awaitable

import msgspec

from proxy.call import Call
from proxy.config.loaded import Loaded
from proxy.counts import REFUSALS, Counts
from proxy.journal.taking import Parcel
from proxy.keep import Keep
from proxy.keys import CircuitKey, QuietKey, shadowed
from proxy.lab.trials.clock import OwnClock, OwnLoop, Stuck
from proxy.lab.trials.script import UNDER_WAY, Endless, Scripted
from proxy.lab.trials.written import Case, State
from proxy.pipeline.asked import Unaskable
from proxy.pipeline.conditional import Conditional
from proxy.pipeline.ending import Ending
from proxy.pipeline.explain import Explanation, explain
from proxy.pipeline.mount import Mount
from proxy.pipeline.table import Table
from proxy.pipeline.told import in_our_words, refusal_of
from proxy.pipeline.walk import Grounds
from proxy.protocols.identity import Identity
from proxy.record import Record
from proxy.reply import Reply, refusing
from proxy.stage import Sender
from proxy.state.circuit import Circuit
from proxy.state.circuit_rules import CircuitRules
from proxy.state.quiet import Quiet

_ALL_ELSE = 1e-6
"""Seconds. Time passes only when nothing can run: whoever was started has come as far as he can."""


class Unplayable(Exception):
    """The test cannot be played: the path of the key that is at fault, and why."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(path, why)
        self.path, self.why = path, why


class Outcome(msgspec.Struct, frozen=True):
    """What came of the call, and what was in force for it just before."""

    record: Record
    status: int
    took: float
    explained: Explanation
    shadow: tuple[str, ...]  # codes of what shadow policies would have refused


def play(case: Case, loaded: Loaded, identity: Identity) -> Outcome:
    """Play it, in no time. Raises Unplayable, and whatever is a bug."""
    try:
        with asyncio.Runner(loop_factory=OwnLoop) as runner:
            loop = runner.get_loop()
            assert isinstance(loop, OwnLoop)
            return runner.run(_Proxy(OwnClock(loop), loaded, identity).play(case))
    except Unaskable as error:
        raise Unplayable("call", str(error)) from error
    except Endless as error:
        message = "the call would wait for ever: no policy limits its time"
        raise Unplayable("upstream", message) from error
    except Stuck as error:
        raise Unplayable("state", "the call would wait for ever for what is under way") from error


class _Proxy:
    """A proxy without a wire, and what is seen of it."""

    def __init__(self, clock: OwnClock, loaded: Loaded, identity: Identity) -> None:
        self._clock = clock
        self._keep = Keep()
        self._identity = identity
        self._upstreams = {name: Scripted(clock) for name in loaded.upstreams}
        self._records: list[Record] = []
        self._bugs: list[BaseException] = []
        self._ending = Ending(clock, self)
        senders: dict[str, Sender] = {name: each.send for name, each in self._upstreams.items()}
        self._table = Table(loaded, senders, Grounds.on(clock, self._keep))

    async def play(self, case: Case) -> Outcome:
        """State first, then the call."""
        mount = case.call.mount(self._table)
        try:
            await self._before(case, mount)
            explained = explain(self._table, case.call, self._identity)
            self._follow(case, mount)
            shadowed, began = self._shadowed(), self._clock.now()
            status = await self._call(case, mount)
            return Outcome(
                record=self._records[-1],
                status=status,
                took=self._clock.now() - began,
                explained=explained,
                shadow=_more(shadowed, self._shadowed()),
            )
        finally:
            await self._clock.stop()
            if self._bugs:
                raise self._bugs[0]

    async def _before(self, case: Case, mount: Mount) -> None:
        state = case.state
        answers = (200,) * state.calls if isinstance(state.calls, int) else state.calls
        for answer in answers:
            self._upstreams[mount.name].follow((answer,))
            await self._call(case, mount)
        self._set(state, case, mount)
        for number in range(state.in_flight):
            _ = self._clock.spawn(self._call(case, mount, f"{UNDER_WAY}{number}"))
        await self._clock.sleep(_ALL_ELSE)
        await self._clock.sleep(float(state.wait))

    def _set(self, state: State, case: Case, mount: Mount) -> None:
        """Circuits and cool-downs, as if what led to them had happened."""
        call, unread = case.call.call(mount, self._identity, self._clock.now())
        if unread is None:
            found = self._table.pipeline(call, mount)
            if isinstance(found, Conditional):
                found.of(call)  # its circuits obey their policy from here on
        domain = call.domain
        for name, wanted in state.circuits.items():
            upstream, tool = self._named("circuits", name)
            circuit = self._keep.of(CircuitKey(domain, upstream, tool), self._circuit)
            circuit.trip(self._clock.now())
            if wanted == "half_open":
                circuit.until = self._clock.now()
                circuit.wait(self._clock.now())
        for name, length in state.throttled.items():
            upstream, tool = self._named("throttled", name)
            quiet = self._keep.of(QuietKey(domain, upstream, tool), lambda: Quiet(self._clock.now))
            quiet.extend(self._clock.now() + length, quota=False)

    def _circuit(self) -> Circuit:
        return Circuit(CircuitRules(), self._clock.chance.random, lambda *_: None)

    def _named(self, key: str, name: str) -> tuple[str, str]:
        """`gateway/deposit`: an upstream, and perhaps a tool."""
        upstream, _, tool = name.partition("/")
        if upstream not in self._upstreams:
            known = ", ".join(self._upstreams)
            raise Unplayable(f"state.{key}.{name}", f"no upstream has this name; known: {known}")
        return upstream, tool

    def _follow(self, case: Case, mount: Mount) -> None:
        self._upstreams[mount.name].follow(case.upstream)
        for name, script in case.upstreams.items():
            if name not in self._upstreams:
                raise Unplayable(f"upstreams.{name}", "no upstream has this name")
            self._upstreams[name].follow(script)

    def _made(self, case: Case, mount: Mount, name: str) -> tuple[Call, Awaitable[Reply]]:
        """The call, recognised, and its way."""
        call, unread = case.call.call(mount, self._identity, self._clock.now())
        call.id = name
        if unread is not None:
            return call, refusing(unread)
        return call, self._table.pipeline(call, mount)(call)

    async def _call(self, case: Case, mount: Mount, name: str = "test") -> int:
        """The status that the agent gets, once all is settled."""
        call, way = self._made(case, mount, name)
        reply = await way
        refusal = refusal_of(call, reply, self._clock.now)
        if refusal is not None:
            reply = in_our_words(call, reply, refusal)
        reply.finishers.append((self._ending.settle, call))
        reply.finish()
        reply.close()
        return reply.status

    def _shadowed(self) -> dict[tuple[str, ...], int]:
        counts = self._keep.seen(shadowed(REFUSALS.key))
        return dict(counts.rows) if isinstance(counts, Counts) else {}

    def note(self, record: Record) -> None:
        """Part of Watcher."""
        self._records.append(record)

    def keep(self, parcel: Parcel) -> None:
        """Part of Watcher. Nothing is kept of what was never sent."""
        self._records.append(parcel.record)

    def bad_request(self, reason: str) -> None:
        """Part of Watcher."""

    def bug(self, error: BaseException, call: str = "") -> None:
        """Part of Watcher."""
        self._bugs.append(error)


def _more(before: dict[tuple[str, ...], int], after: dict[tuple[str, ...], int]) -> tuple[str, ...]:
    """The codes that were counted meanwhile."""
    return tuple(sorted({row[0] for row, n in after.items() if n > before.get(row, 0)}))
