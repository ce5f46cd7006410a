"""`breaker`: what keeps failing is no longer called (spec 3.3). The essay on circuits.

**Why three ways to open.** An agent calls a tool a few times a minute. A failure rate with the
floor of a mesh (a hundred calls) would never fire; one with a small floor fires, but only after its
floor is filled. A run of failures needs no floor and sees a hard outage at once, but a tool that
fails every second time never makes a run. So both, and a third for what answers, but too late.

**Why two keys.** One broken tool must not take its neighbours down, and when the host is gone each
tool should not have to find out for itself. Failures that can only be the host's (no connection, no
TLS, a 5xx without a body: some proxy's, not the tool's) count against the upstream at once. Others
count against their tool, and are *held* against the upstream: once two tools have failed within the
window, all that is held counts too. A call needs both circuits. If a policy keeps no circuit of
tools, everything counts against the upstream.

**Probes.** The most reported bug of breakers is one that is half-open for ever, because the call
that was let through was refused by a later stage, cancelled, or lost. Here a probe is a lease: it
has an owner (the attempt), one at a time for each circuit, and an end (the call's deadline and 5
s). The stage that takes it is the last one before the sending, so that nothing after it can refuse;
it takes the leases of both circuits or none; it gives them back at the commit, or, if the attempt
never got so far, when the attempt settles. And should all of that fail, the next call after the end
of the lease takes it over, and whatever the lost one says later decides nothing, for it is no
longer the owner.

**Generations.** A slow call that began before the circuit opened says nothing new when it fails
minutes later; if it were heard, it would open a circuit that has just recovered. Between opening
and closing only owners are heard, and after it only attempts that began after the last opening. The
moment of the opening is the generation: attempts have their start anyway, so nothing is stored. A
stage that makes an attempt wait moves its start (see `Attempt.started`).

**What counts** is decided by the protocol (spec 2.6). Errors of the caller are neither good nor bad
in closed; in half-open they are a recovery: somebody was there to complain. Throttling is the sign
of an upstream that works and defends itself: it never opens a circuit (a cool-down sees to it), but
it does not close one either. What we did ourselves (refused, cancelled, ran out of connections) is
nothing. A result is heard at the commit, not at the end of a stream half an hour later; if such a
stream then breaks off, that is a second fact, and counted as a failure.

**Slow.** A call is judged when its first byte has come, not while it is awaited: to look at those
on their way would cost every call. One that hangs ends by `timeout`, and is a failure then.

**By hand.** `forced_open` refuses without asking any circuit, and names no time: it ends when
somebody changes the policy. `disabled` asks and hears nothing; the cool-down stays, for that is the
upstream's own word. `observe` hears and refuses nothing: circuits open, and recover as the calls
that are sent anyhow come to something; nothing is leased. What a `mode: shadow` would have refused
is counted; an observed circuit is the real one, and other policies that share it obey it.

**In a fleet** that has a store each pod opens its own circuits and says so; when a quorum of them
has, the circuit is open for all, and from then on theirs together: one probe at a time, of
whichever pod, and what probes come to counts for all (`state/fleet_circuit.py`). Only a call that
is to be such a probe asks the store, after it has its lease here. Hands, and policies that force a
state, are of one pod alone; shadows share nothing.

**Cost.** Closed: two loads to admit, two increments to count. Everything else is the rare path.
"""

from collections.abc import Awaitable
from typing import Annotated, ClassVar, Literal

from msgspec import Meta
from msgspec.structs import replace

from proxy.attempt import Attempt
from proxy.call import Call
from proxy.clock import NEVER
from proxy.counts import BREAKER_PROBES
from proxy.protocols.blame import cut_short, speaks_against_upstream
from proxy.protocols.pushback import retry_after
from proxy.refusal import Refusal
from proxy.reply import SUCCESS, Reply, Result
from proxy.stage import Ground, NothingTaken, Said, Section, Site, Target, Verdict
from proxy.state.circuit import BUSY, Circuit, Event, Outcome
from proxy.state.circuit_events import event_of
from proxy.state.circuit_rules import CircuitRules, Open, Share, Slow
from proxy.state.fleet_circuits import circuit_of, tries_for_all
from proxy.symptom import Symptom, symptoms
from proxy.units import Seconds

GRACE = 5.0
"""Seconds that a lease outlives the deadline of its call."""
ENDLESS = 60.0
"""Seconds that a call without any deadline is given as the owner of a lease, before the grace."""


class Breaker(Section, frozen=True, kw_only=True):
    """When calls to what fails are no longer sent."""

    holds: ClassVar[bool] = True

    consecutive: Annotated[
        int, Meta(ge=1, le=1000, description="Open after so many failures in a row.")
    ] = 5
    rate: Annotated[Share, Meta(description="Open when so many of the window's calls failed.")] = (
        0.5
    )
    min_calls: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Rates need so many calls in the window.")
    ] = 5
    window: Annotated[
        Seconds, Meta(description="How far back rates look; exact to a tenth of it.")
    ] = Seconds(60.0)
    slow: Annotated[Slow | None, Meta(description="null: however slow, it does not open.")] = Slow()
    open: Open = Open()
    probes: Annotated[
        int, Meta(ge=1, le=100, description="So many probes in a row must pass to close.")
    ] = 2
    keys: Annotated[
        tuple[Literal["upstream", "tool"], ...],
        Meta(min_length=1, description="Circuits that a call needs: its upstream's, its tool's."),
    ] = ("upstream", "tool")
    quorum: Annotated[
        Annotated[int, Meta(ge=1, le=1000)] | Literal["auto"],
        Meta(
            description="Pods of a fleet that must have it open, and it opens for all of them. "
            "auto: 30 % of those alive, two at least; one where the upstream throttles."
        ),
    ] = "auto"
    count: Annotated[
        tuple[Symptom, ...] | None,
        Meta(
            description="What counts as a failure, as in retry.on. Default: what the protocol says."
        ),
    ] = None
    state: Annotated[
        Literal["auto", "forced_open", "disabled", "observe"],
        Meta(
            description="forced_open: every call is refused; disabled: as if there were no "
            "circuit; observe: it opens and closes, and refuses nothing."
        ),
    ] = "auto"
    fallback_ok: Annotated[
        bool, Meta(description="false: no fallback answers for an open circuit.")
    ] = True

    def __post_init__(self) -> None:
        """Raises ValueError for a window of zero: it would hold nothing."""
        if not self.window:
            raise ValueError("window: must be longer than 0")


class _Circuits:
    """The circuits that calls of one pipeline need, in the order of their keys."""

    __slots__ = ("_circuits", "_now", "_policy", "_stands", "_tool", "_upstream", "_words")

    def __init__(self, section: Breaker, target: Target, ground: Ground, policy: str) -> None:
        keys = [key for key in ("upstream", "tool") if key in section.keys]
        self._words = keys
        self._circuits = tuple(_circuit(section, key, keys[-1], target, ground) for key in keys)
        self._upstream = target.upstream
        self._tool = target.tool
        self._policy = policy
        self._stands = not section.fallback_ok
        self._now = ground.clock.now

    def _verdict(self) -> Refusal | None:
        """A refusal unless each circuit lets one attempt through."""
        now = self._now()
        waits = [circuit.wait(now) for circuit in self._circuits]
        longest = max(waits)
        return self._refusal(waits.index(longest), longest) if longest > 0 else None

    def _of_hedge(self) -> Refusal:
        """It is sent to what is well, and is no probe."""
        return self._verdict() or self._refusal(0, BUSY)

    def says(self, call: Call) -> Said:
        """Each circuit's state, and the refusal of the one that is left alone longest."""
        now = self._now()
        told = zip(self._words, [circuit.told(now) for circuit in self._circuits], strict=True)
        waits = [circuit.left(now) for circuit in self._circuits]
        longest = max(waits, default=0.0)
        refusal = self._refusal(waits.index(longest), longest) if longest > 0 else None
        return Said("; ".join(f"{word} {state}" for word, state in told), refusal)

    def _refusal(self, which: int, wait: float) -> Refusal:
        scope = self._words[which]
        name = self._tool if scope == "tool" else self._upstream
        by_hand = wait == NEVER
        return Refusal(
            code="circuit_open",
            detail=self._circuits[which].why_not(f"{scope} {name}", wait),
            policy=self._policy,
            retry_after=None if by_hand else wait,
            scope=scope,
            stands=self._stands,
            final=by_hand,
            next_step="ask_owner" if by_hand else "",
        )


class ForcedOpen(NothingTaken):
    """A circuit that a policy keeps open."""

    __slots__ = ("_refusal",)

    def __init__(self, section: Breaker, target: Target, policy: str) -> None:
        scope = "tool" if "tool" in section.keys else "upstream"
        name = target.tool if scope == "tool" else target.upstream
        self._refusal = Refusal(
            code="circuit_open",
            detail=f"A policy keeps the circuit of the {scope} {name} open",
            policy=policy,
            scope=scope,
            stands=not section.fallback_ok,
            final=True,
            next_step="ask_owner",
        )

    def admit(self, attempt: Attempt) -> Refusal:
        """Refuses `circuit_open`, without a time to come back."""
        return self._refusal

    def says(self, call: Call) -> Said:
        """The same to every call."""
        return Said("kept open by a policy", self._refusal)


class CircuitCheck(_Circuits, NothingTaken):
    """The first gate of an attempt: nothing else is asked for what would not be sent anyway.

    It hears nothing: what a later gate refuses is not to be counted.
    """

    __slots__ = ()

    @classmethod
    def build(cls, section: Breaker, site: Site) -> "CircuitCheck | ForcedOpen | None":
        """For one pipeline. In shadow it is silent: `ProbeLease` alone says what would be."""
        if section.state == "forced_open":
            return ForcedOpen(section, site.target, site.policy)
        if section.state != "auto":
            return None
        gate = cls(section, site.target, site.ground, site.policy)
        if site.ground.shadow:
            gate._circuits, gate._words = (), []
        return gate

    def admit(self, attempt: Attempt) -> Refusal | None:
        """Refuses `circuit_open`."""
        for circuit in self._circuits:
            if not circuit.closed:
                return self._of_hedge() if attempt.hedge else self._verdict()
        return None


class ProbeLease(_Circuits):
    """The last gate of an attempt: takes a probe's leases, and hears what becomes of attempts."""

    __slots__ = ("_clock", "_count", "_only_key", "_probes", "_shadow", "_slow_over", "_wall")

    def __init__(self, section: Breaker, target: Target, ground: Ground, policy: str) -> None:
        super().__init__(section, target, ground, policy)
        self._count = None if section.count is None else symptoms(section.count)
        self._only_key = len(self._circuits) == 1
        self._slow_over = NEVER if section.slow is None else float(section.slow.over)
        self._clock = ground.clock
        self._wall = ground.clock.wall
        self._shadow = ground.shadow
        self._probes = ground.kept(BREAKER_PROBES.key, BREAKER_PROBES.counts)

    @classmethod
    def build(cls, section: Breaker, site: Site) -> "ProbeLease | None":
        """For one pipeline."""
        if section.state in {"forced_open", "disabled"}:
            return None
        made = Observer if section.state == "observe" else cls
        return made(section, site.target, site.ground, site.policy)

    def admit(self, attempt: Attempt) -> Verdict | Awaitable[Verdict]:
        """Refuses `circuit_open` where another probe was faster, or it has opened meanwhile."""
        for circuit in self._circuits:
            if not circuit.closed:
                return self._of_hedge() if attempt.hedge else self._lease(attempt)
        return None

    def says(self, call: Call) -> Said:
        """Whether it would be a probe. In shadow this gate speaks for `CircuitCheck` too."""
        said = super().says(call)
        if self._shadow or said.refusal is not None:
            return said
        if all(circuit.closed for circuit in self._circuits):
            return Said("hears how each attempt ends")
        return Said("this call would be the probe; " + said.note)

    def committed(self, attempt: Attempt, reply: Reply) -> None:
        """Every circuit hears of it, and a probe is decided."""
        if reply.result is not SUCCESS or reply.pending:
            self._tell(attempt, self._outcome(attempt, reply, attempt.ended or self._now()))
            return
        now = attempt.ended or attempt.first_byte or self._now()
        slow = now - attempt.started > self._slow_over
        for circuit in self._circuits:
            if circuit.closed and attempt.started > circuit.opened_at:
                circuit.succeeded(now, slow)
            else:
                self._tell_one(circuit, attempt, Outcome(Event.SUCCESS, now, slow=slow))

    def settle(self, attempt: Attempt, reply: Reply) -> None:
        """A lease not decided goes back; a stream that broke off after its commit counts."""
        self._give_back(attempt)
        if attempt.result is not SUCCESS or reply.result is SUCCESS:
            return  # heard at its commit
        outcome = self._outcome(attempt, reply, self._now())
        if outcome.event is Event.FAILURE:
            self._tell(attempt, outcome)

    def _lease(self, attempt: Attempt) -> Verdict | Awaitable[Verdict]:
        """Take the leases of all circuits that are half-open, or of none."""
        verdict = self._verdict()
        if verdict is not None:
            return verdict
        end = min(attempt.call.deadline, attempt.deadline)
        until = GRACE + (attempt.started + ENDLESS if end == NEVER else end)
        for key, circuit in zip(self._words, self._circuits, strict=True):
            if circuit.lease(attempt, until):
                self._probes.add(self._upstream, self._tool if key == "tool" else "", "lost")
        shared = [each for each in self._circuits if each.fleet and each.owner is attempt]
        return self._shared(shared, attempt) if shared else None

    async def _shared(self, circuits: list[Circuit], attempt: Attempt) -> Verdict:
        """Nor may a probe of another pod have been faster. A call that gets no lease here has none
        of the others either, and whatever happens it leaves none behind."""
        may = False
        try:
            await tries_for_all(circuits, attempt, self._clock)
            may = all(each.closed or each.owner is attempt for each in self._circuits)
        finally:
            if not may:
                self._give_back(attempt)
        return None if may else self._verdict() or self._refusal(0, BUSY)

    def _give_back(self, attempt: Attempt) -> None:
        for circuit in self._circuits:
            if circuit.owner is attempt:
                self._tell_one(circuit, attempt, Outcome(Event.NOTHING, self._now()))

    def _tell(self, attempt: Attempt, outcome: Outcome) -> None:
        for circuit in self._circuits:
            self._tell_one(circuit, attempt, outcome)

    def _tell_one(self, circuit: Circuit, attempt: Attempt, outcome: Outcome) -> None:
        of_tool = self._words[self._circuits.index(circuit)] == "tool"
        if of_tool and outcome.held:
            outcome = replace(outcome, held=False)
        probed = self._heard(circuit, attempt, outcome)
        if probed:
            self._probes.add(self._upstream, self._tool if of_tool else "", probed)

    def _heard(self, circuit: Circuit, attempt: Attempt, outcome: Outcome) -> str:
        return circuit.settle(attempt, outcome)

    def _outcome(self, attempt: Attempt, reply: Reply, now: float) -> Outcome:
        event = Event.NOTHING if cut_short(attempt, reply, now) else event_of(reply, self._count)
        if event is not Event.FAILURE:
            return Outcome(event, now)
        held = not (self._only_key or speaks_against_upstream(reply))
        floor = retry_after(reply.fields, self._wall()) or 0.0
        throttled = reply.result is Result.THROTTLED
        return Outcome(event, now, self._tool, held, floor=floor, throttled=throttled)


class Observer(ProbeLease):
    """Hears what becomes of attempts, and lets all of them go."""

    __slots__ = ()

    def admit(self, attempt: Attempt) -> None:
        """Takes no lease."""

    def says(self, call: Call) -> Said:
        """What its circuits are, and no refusal: it gives none."""
        circuits = zip(self._words, self._circuits, strict=True)
        states = ", ".join(f"{word} {circuit.state}" for word, circuit in circuits)
        return Said(f"only observed: {states}")

    def _heard(self, circuit: Circuit, attempt: Attempt, outcome: Outcome) -> str:
        return circuit.observe(attempt, outcome)


def _circuit(section: Breaker, key: str, last_key: str, target: Target, ground: Ground) -> Circuit:
    rules = _rules(section, slow=key == last_key)  # being slow is the tool's, where it has one
    return circuit_of(ground, target, target.tool if key == "tool" else "", rules)


def _rules(section: Breaker, slow: bool) -> CircuitRules:
    return CircuitRules(
        consecutive=section.consecutive,
        rate=section.rate,
        min_calls=section.min_calls,
        window=float(section.window),
        slow_rate=section.slow.rate if slow and section.slow is not None else NEVER,
        open_base=float(section.open.base),
        open_factor=section.open.factor,
        open_max=float(section.open.max),
        jitter=section.open.jitter,
        probes=section.probes,
        quorum=0 if section.quorum == "auto" else section.quorum,
    )
