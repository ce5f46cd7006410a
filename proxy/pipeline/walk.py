"""The one walk through `ORDER`: what is on for a call is built, from the inside out.

Whoever compiles takes the handler that comes of it. Whoever explains takes the stages: of the very
same walk, around a sender that is never called.
"""

from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Any

import msgspec
from msgspec.structs import replace

from proxy.call import Call, Effect
from proxy.clock import Clock
from proxy.config.cascade import Effective, Merged, convert
from proxy.counts import REFUSALS, Counts
from proxy.keep import Keep
from proxy.pipeline.commit import Commit
from proxy.pipeline.guard import AttemptGuard, CallGuard, Decides
from proxy.pipeline.quotes import Quotes
from proxy.protocols.protocol import Protocol
from proxy.stage import (
    Check,
    Ground,
    Handler,
    Quote,
    Section,
    Sender,
    Site,
    Speaks,
    Target,
    Trackless,
    Trail,
    no_quote,
    nobody,
)
from proxy.stages import BACKUPS, BARS, BUDGETS, ORDER, TOGETHER, TYPES, Entry, Phase
from proxy.stages.budget import Budgets

_NOBODYS = Merged("", "")


class Grounds(msgspec.Struct, frozen=True):
    """What enforced stages stand on, and what shadow stages do."""

    enforced: Ground
    shadow: Ground

    @classmethod
    def on(
        cls, clock: Clock, keep: Keep, trail: Trail | None = None, newest: Handler | None = None
    ) -> "Grounds":
        """Both on one keep, in which what a shadow counts lies apart. `trail`: the journal;
        `newest`: passes a call on to the newest table, where there may be one after this."""
        ground = Ground(clock, keep, trail=Trackless() if trail is None else trail, newest=newest)
        return cls(ground, replace(ground, shadow=True))


class Way(msgspec.Struct, frozen=True):
    """How one upstream is spoken to."""

    send: Sender
    protocol: Protocol
    minimal: bool = False  # answers say little of us


class Side(msgspec.Struct, frozen=True):
    """What is on, and what its stages are built for."""

    sections: Mapping[str, Merged]
    target: Target
    ground: Ground
    quote: Quote = no_quote

    def on(self, entry: Entry) -> str:
        """The first of a stage's sections that is on; empty: none is."""
        idle = entry.kind != "gate" and self.target.effect is not Effect.READ
        on = (name for name in entry.sections if name in self.sections)
        return next((name for name in on if not (idle and TYPES[name].reads_only)), "")


class Plan(msgspec.Struct, frozen=True):
    """What is in force for calls of a kind, and beside it what shadow policies make of them."""

    enforced: Side
    shadow: Side

    @property
    def holds(self) -> bool:
        """Does somebody want to know how an attempt ended before its answer goes to the agent? A
        shadow must hear the results that it would hear in force, or what it counts is wrong."""
        on = self.enforced.sections.keys() | self.shadow.sections.keys()
        return any(TYPES[name].holds for name in on)

    @property
    def priced(self) -> bool:
        """Do the policies take a 402 for a price? That says what an answer is, for all stages."""
        return _fields(self.enforced.sections, "retry").get("on_402") == "pass"


class Stage(msgspec.Struct, frozen=True):
    """A stage as it was built."""

    phase: Phase
    section: str  # that switched it on; empty: no section did
    policy: str
    built: Speaks  # the gate, or the wrapper
    shadow: bool


def plan_of(effective: Effective, call: Call, grounds: Grounds, sent_as: str = "") -> Plan:
    """The plan for calls like this one; they are sent as that model, if one is given."""
    sections = effective.sections
    effect = effective.effect or call.usual_effect
    risk = effective.risk_of(effect)
    target = Target(
        upstream=call.upstream,
        protocol=call.protocol,
        layer=call.layer,
        tool=call.tool,
        effect=effect,
        domain=call.domain,
        model=call.model,
        sent_as=sent_as,
        backups=_fields(sections, BACKUPS).get("names", ()),
        idempotent_upstream="idempotency" in sections,
        risk=risk,
        unrecorded=effective.unrecorded_of(risk),
        unrecorded_giver=effective.unrecorded_giver,
    )
    shadow = replace(
        target,
        effect=effective.shadow_effect or effect,
        idempotent_upstream="idempotency" in sections.keys() | effective.shadow.keys(),
    )
    enforced = _side(sections, target, grounds.enforced)
    # Shadow policies that say nothing of money are told what calls cost in truth.
    return Plan(enforced, _side(effective.shadow, shadow, grounds.shadow, enforced.quote))


def _side(
    sections: Mapping[str, Merged], target: Target, ground: Ground, quote: Quote = no_quote
) -> Side:
    money = sections.get(BUDGETS)
    if money is not None:
        quote = Quotes(Budgets(**money.fields), target, ground)
    return Side(sections, target, ground, quote)


def walk(plan: Plan, way: Way, to: Phase = "call", *, others: bool = False) -> "Walk":
    """From the sender of an upstream to the outermost stage of a phase.

    `others`: there is somebody who may ask another upstream, if this one's answer breaks off.
    """
    hold = others or plan.holds
    clock = plan.enforced.ground.clock
    at = Walk(plan, way.send, Commit(way.protocol, clock, hold=hold, priced=plan.priced))
    for entry in reversed(ORDER):
        if to == "call" or entry.phase != "call":
            at.step(entry)
    for entry in reversed(BARS if to == "link" else ()):
        at.step(entry)
    at.reach(to)
    return at


def walk_together(plan: Plan, send: Sender, commit: Decides) -> "Walk":
    """From a sender to the outermost stage of a call that comes in one message with others."""
    at = Walk(plan, send, commit)
    for entry in reversed(TOGETHER):
        at.step(entry)
    at.reach("call")
    return at


class Walk:
    """How far it has come: what stands so far, and the gates at its outside.

    Gates that are neighbours share one guard, which is made when something else stands before them.
    That of attempts is always there, for it brings them to their commit.
    """

    def __init__(self, plan: Plan, send: Sender, commit: Decides) -> None:
        self._plan = plan
        self._clock = plan.enforced.ground.clock
        self._commit = commit
        self._phase: Phase = "attempt"
        self._inner: Any = send  # what stands behind the gates
        self._gates: list[Any] = []
        self._shadows: list[Any] = []
        self._sender: Sender = nobody
        self._stages: list[Stage] = []

    @property
    def stages(self) -> list[Stage]:
        """All of them, in the order in which a call meets them."""
        return self._stages[::-1]

    def handler(self) -> Handler:
        """All that stands so far, behind one guard if there are gates at its outside."""
        return self._behind(self._gates)

    def front(self) -> tuple[tuple[Callable[[Call], Any], ...], Handler]:
        """How the outermost gates are asked that need no guard, and what stands behind them."""
        free = takewhile(lambda gate: isinstance(gate, Check), self._gates)
        checks = tuple(gate.admit for gate in free)
        return checks, self._behind(self._gates[len(checks) :])

    def step(self, entry: Entry) -> None:
        """Past one entry: its stage stands around what stood before. A shadow has gates only."""
        self.reach(entry.phase)
        plan = self._plan
        if entry.kind == "gate":
            self._shadows[:0] = self._built(entry, plan.shadow)
            self._gates[:0] = self._built(entry, plan.enforced)
            return
        for wrapper in self._built(entry, plan.enforced, self.handler(), self._sender):
            self._inner = wrapper.handle
            self._gates, self._shadows = [], []

    def reach(self, phase: Phase) -> None:
        """Leave the phase before: what stands at its outside is guarded."""
        if phase == self._phase:
            return
        if self._phase == "attempt":
            self._sender = AttemptGuard(
                self._gates,
                self._shadows,
                self._inner,
                self._commit,
                self._clock,
                self._counted(),
            )
            self._inner = nobody  # a call goes no further than to who makes attempts of it
        else:
            self._inner, self._sender = self.handler(), nobody
        self._gates, self._shadows, self._phase = [], [], phase

    def _behind(self, gates: list[Any]) -> Handler:
        if not gates and not self._shadows:
            return self._inner  # type: ignore[no-any-return]  # from phase `link` on it is one
        return CallGuard(gates, self._shadows, self._inner, self._clock, self._counted())

    def _built(self, entry: Entry, side: Side, *behind: Any) -> list[Any]:
        """The stage of an entry, if there is one."""
        name = side.on(entry)
        build = entry.build if name else entry.otherwise
        if build is None:
            return []
        merged = side.sections.get(name, _NOBODYS)
        policy = merged.giver(entry.giver)
        section = convert(TYPES.get(name, Section), merged.fields)
        site = replace(Site(side.target, side.ground, policy, *behind), quote=side.quote)
        built = build(section, site)
        if built is None:
            return []
        self._stages.append(Stage(entry.phase, name, policy, built, side.ground.shadow))
        return [built]

    def _counted(self) -> Counts:
        shadow = self._plan.shadow.ground
        return shadow.kept(REFUSALS.key, REFUSALS.counts)


def _fields(sections: Mapping[str, Merged], name: str) -> Mapping[str, Any]:
    return sections[name].fields if name in sections else {}
