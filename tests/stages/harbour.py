"""Attempts before gates of permits. A strand drives each, as it does calls; it says how it is."""

from typing import Any

from proxy.attempt import Attempt
from proxy.counts import BULKHEAD_SHED, Counts
from proxy.pipeline.guard import AttemptGuard
from proxy.refusal import Refusal
from proxy.reply import Failure, Reply
from proxy.stage import Ground, Site
from proxy.stages.bulkhead import Bulkhead, BulkheadPermit, Permit
from proxy.state.permits import Permits
from proxy.state.queued import Queued
from proxy.strand import Strand
from proxy.units import Seconds
from tests.fakes import (
    FakeClock,
    ScriptedUpstream,
    decided,
    make_attempt,
    make_call,
    make_ground,
    make_target,
)
from tests.pipeline.scene import settle_down


class Visit:
    """One attempt."""

    def __init__(self, guard: AttemptGuard, attempt: Attempt) -> None:
        self.attempt = attempt
        self.reply: Reply | None = None
        self.over = False
        self._strand = Strand(self._lives(guard), self._ended)
        self._strand.step()

    async def _lives(self, guard: AttemptGuard) -> None:
        self.reply = await guard(self.attempt)

    def _ended(self, bug: BaseException | None) -> None:
        assert bug is None
        self.over = True

    @property
    def state(self) -> str:
        """waits | under way | refused | gone"""
        if self.reply is None:
            return "gone" if self.over else "waits"
        if self.refusal is not None:
            return "refused"
        return "gone" if self.reply.finished else "under way"

    @property
    def refusal(self) -> Refusal | None:
        """What it was told."""
        return None if self.reply is None else self.reply.refusal

    def end(self) -> None:
        """Its answer has come to its end."""
        assert self.reply is not None
        self.reply.finish()

    def cancel(self) -> None:
        """Its agent is gone."""
        self._strand.cancel()


class Harbour:
    """The gates of one pipeline, before an upstream that answers at once and whose answers last."""

    def __init__(
        self,
        section: Bulkhead | None = None,
        *,
        ground: Ground | None = None,
        shared: Bulkhead | None = None,
        policy: str = "p",
        **target: Any,
    ) -> None:
        """`shared` are the permits of the bulkhead `core`, that all agents are in then."""
        self.clock = FakeClock(asleep=False)
        if ground is not None:
            assert isinstance(ground.clock, FakeClock)
            self.clock = ground.clock
        self.ground = ground or make_ground(self.clock)
        self.target = make_target(domain="core" if shared else "", **target)
        self.gates: list[Any] = []
        if section is not None:
            self.gates.append(Permit.build(section, Site(self.target, self.ground, policy)))
        if shared is not None:
            self.gates.append(BulkheadPermit.build(shared, Site(self.target, self.ground, "core")))

    def visit(
        self,
        fields: dict[bytes, bytes] | None = None,
        what: int | Failure | Reply = 200,
        *,
        retry: bool = False,
        hedge: bool = False,
        **changes: Any,
    ) -> Visit:
        """An attempt comes; `changes` are those of its call."""
        members: dict[str, Any] = {"started": self.clock.now(), "agent": "ann"} | changes
        call = make_call(fields, **members)
        attempt = make_attempt(call, retry=retry, hedge=hedge)
        upstream = ScriptedUpstream(what, clock=self.clock)
        asked = ([], self.gates) if self.ground.shadow else (self.gates, [])
        return Visit(
            AttemptGuard(*asked, upstream, decided, self.clock, Counts(("code",))), attempt
        )

    async def visits(self, *names: str) -> list[Visit]:
        """One of each workflow."""
        visits = [self.visit(workflow=name) for name in names]
        await settle_down()
        return visits

    async def passes(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(seconds)
        await settle_down()

    def permits(self, gate: int = 0) -> Permits:
        """Those of a gate that has always the same."""
        found: Permits = self.gates[gate]._permits
        return found

    @property
    def queued(self) -> int:
        """How many wait, as the metrics have it."""
        return Queued.of(self.ground, self.target).now

    @property
    def shed(self) -> dict[tuple[str, ...], int]:
        """How many got no permit."""
        counts: Counts = self.ground.seen(BULKHEAD_SHED.key)
        return counts.rows


def one(**fields: Any) -> Bulkhead:
    """One permit, unless said otherwise."""
    if "max_wait" in fields:
        fields["max_wait"] = Seconds(fields["max_wait"])
    return Bulkhead(**({"limit": 1} | fields))


def states(*visits: Visit) -> list[str]:
    """How they are."""
    return [visit.state for visit in visits]


async def ended(visit: Visit) -> None:
    """It ends, and who waited goes on."""
    visit.end()
    await settle_down()
