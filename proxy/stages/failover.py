"""Failover: where the calls of an upstream go that has backups (spec 3.13).

It stands around a link. While the upstream of that one is well it costs three comparisons. Else
each call is asked for by chance: a share of them goes to the upstream, the rest to the first backup
that is well. What goes to a backup passes that one's own policies, its gates and its retries; the
call, its deadline and its attempts are the same.

*Who tries an open circuit?* When its open time is over somebody has to, or nobody would ever know
that it may close. That is one call at a time, as without backups. It may be a write: if the
upstream's gates refuse it, or there is no connection to be had, nothing was sent, and it goes on to
the backup as if it had never been there.
"""

from collections.abc import Awaitable, Iterator
from typing import Literal

import msgspec

from proxy.call import Call
from proxy.keys import NEWS, CircuitKey, PulseKey, StandingKey
from proxy.news import News, TrafficChange
from proxy.reply import BACKUP, NEVER_SENT, Reply
from proxy.stage import Ground, Handler, Said, Section, Site, Target
from proxy.state.circuit import Circuit
from proxy.state.standing import Orders, Pulse, Return, Standing


class Backups(Section, frozen=True, kw_only=True):
    """The backups of an upstream, and how it comes back from them. No policy holds it."""

    names: tuple[str, ...] = ()
    back: Return = Return()
    breaker: Literal["auto", "observe", "forced_open", "disabled"] = "disabled"
    """The state of the breaker that is in force for the calls."""


class NoCircuit(msgspec.Struct, frozen=True):
    """Stands for the circuit of calls that have none, or one that a policy keeps open."""

    closed: bool


class Failover:
    """The way to an upstream, or past it. Made for one link."""

    __slots__ = (
        "_backups",
        "_circuit",
        "_ground",
        "_model",
        "_own",
        "_primary",
        "_pulse",
        "_standing",
    )

    def __init__(self, section: Backups, site: Site) -> None:
        target, ground, state = site.target, site.ground, section.breaker
        breaks = state == "auto"
        self._own = own = circuit_of(target.upstream, target.domain, ground) if breaks else None
        self._primary = site.inner
        self._model = target.sent_as
        self._backups = section.names
        self._ground = ground
        self._pulse = pulse_of(target.upstream, ground)
        # One that a policy keeps open is open for these calls alone: no standing follows from it.
        self._circuit: Circuit | NoCircuit = own or NoCircuit(closed=state != "forced_open")
        self._standing = _standing(section, target, self._pulse, ground, breaks=own is not None)

    @classmethod
    def build(cls, section: Backups, site: Site) -> "Failover | None":
        """For one link. None where its upstream has no backups."""
        return cls(section, site) if section.names else None

    def handle(self, call: Call) -> Awaitable[Reply]:
        """The reply of the upstream, or of a backup."""
        standing = self._standing
        if standing.full and standing.falls == self._pulse.falls and self._circuit.closed:
            return self._primary(call)
        return self._choose(call)

    def says(self, call: Call) -> Said:
        """Where such calls go now."""
        now = self._ground.clock.now()
        share = self._standing.look(now, closed=self._circuit.closed)
        others = ", ".join(self._backups)
        note = f"{share:.0%} to {call.upstream}, the others to the first that is well of {others}"
        return Said(f"all to {call.upstream}; backups: {others}" if share == 1 else note)

    async def _choose(self, call: Call) -> Reply:
        served_by, reply, bug = "", None, None
        for name, way in self._ways(call):
            if reply is not None:
                reply.drop()
                bug = bug or reply.bug
            served_by, reply = name, await way(call)
            if not went_nowhere(call, reply):
                break
        assert reply is not None  # there is always one way
        reply.bug = reply.bug or bug
        if served_by and not reply.refused:
            reply.by(BACKUP, served_by)
        return reply

    def _ways(self, call: Call) -> Iterator[tuple[str, Handler]]:
        """Backups by their names, and the upstream itself: first if it is its turn, last if nobody
        else is well, for its own gates say best why not. Looked for one at a time, as they fail."""
        turn = self._takes()
        if turn:
            yield "", self._primary
        ground = self._ground
        for name in self._backups:
            if pulse_of(name, ground).well and _open(circuit_of(name, call.domain, ground), ground):
                yield name, ground.links(call, name, self._model)
        if not turn:
            yield "", self._primary

    def _takes(self) -> bool:
        """Does a call go to the upstream itself: by its share, or to try its circuit?"""
        clock, own = self._ground.clock, self._own
        if own is None and not self._circuit.closed:
            return False
        closed = self._circuit.closed
        if self._standing.takes(clock.now(), clock.chance.random(), closed=closed):
            return True
        return not closed and self._pulse.well and _open(own, self._ground)


def went_nowhere(call: Call, reply: Reply) -> bool:
    """Is it certain that nothing of the call has reached anybody by this reply's link, so that it
    may go on to another, be it a write?"""
    if not call.body.replayable:  # though nothing was sent, it may have begun to flow
        return False
    refusal = reply.refusal
    if refusal is not None:
        return reply.refused and refusal.code == "circuit_open"
    return reply.failure in NEVER_SENT and not call.sent


def pulse_of(upstream: str, ground: Ground) -> Pulse:
    """What probes say of it."""
    return ground.kept(PulseKey(upstream), Pulse)


def circuit_of(upstream: str, domain: str, ground: Ground) -> Circuit | None:
    """The upstream's own circuit for the agents of a bulkhead, if it has one yet."""
    found: Circuit | None = ground.keep.seen(CircuitKey(domain, upstream, ""))
    return found


def _open(circuit: Circuit | None, ground: Ground) -> bool:
    """Would it let a call through?"""
    return circuit is None or circuit.closed or circuit.wait(ground.clock.now()) <= 0


def _standing(
    section: Backups, target: Target, pulse: Pulse, ground: Ground, *, breaks: bool
) -> Standing:
    """Calls without a breaker know nothing of its circuit, and follow the probes alone."""
    upstream, bulkhead = target.upstream, target.domain
    news = ground.kept(NEWS, News)

    def changed(share: float, why: str) -> None:
        percent = round(share * 100)
        news.tell(TrafficChange(upstream, section.names, percent, why, bulkhead))

    key = StandingKey(bulkhead, upstream, "breaks" if breaks else "")
    orders = Orders(section.back, changed)
    return ground.followed(key, lambda: Standing(pulse, orders), orders)
