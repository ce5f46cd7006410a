"""From what policies say to what runs: the pipeline of one tool, from the inside out."""

import itertools
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from proxy.call import Call, Effect, InFlight, Rule
from proxy.config.cascade import Effective, Merged, convert
from proxy.counts import REFUSALS, Counts
from proxy.keys import InFlightKey
from proxy.pipeline.commit import Commit
from proxy.pipeline.guard import AttemptGuard, CallGuard
from proxy.protocols.protocol import Protocol
from proxy.refusal import Refusal
from proxy.reply import Reply
from proxy.reply import refused as reply_to
from proxy.stage import Check, Ground, Handler, Section, Sender, Target
from proxy.stages import HOLDS, IN_FORCE, ONCE, ORDER, Entry

_WRITE = Effect.WRITE  # looking into an enum costs more than a gate


class Pipeline(msgspec.Struct):
    """A tool's stages, ready to run.

    `checks` are the first gates of the call, as far as they take nothing and answer at once: they
    are asked here. A `Guard` would do as well, but it is one more coroutine on the way of every
    call, and in front stands often nothing but a deadline (1.2 of 23 µs, 2026-11).
    """

    handle: Handler
    effect: Effect
    policies: tuple[str, ...]
    rule: Rule
    flight: InFlight
    checks: tuple[Callable[[Call], Any], ...] = ()

    def __call__(self, call: Call) -> Awaitable[Reply]:
        """The call's reply, at its commit."""
        call.rule = self.rule
        call.flight = self.flight
        self.flight.now += 1  # until the call's record is made
        call.effect = self.effect
        call.finishes_alone = self.effect is _WRITE  # unless a timeout section says otherwise
        for admit in self.checks:
            verdict = admit(call)
            if verdict is not None:
                return refused(verdict)
        return self.handle(call)


async def refused(refusal: Refusal) -> Reply:
    """The reply to a call that went nowhere."""
    return reply_to(refusal)


class Grounds(msgspec.Struct, frozen=True):
    """What enforced stages stand on, and what shadow stages do."""

    enforced: Ground
    shadow: Ground


class Way(msgspec.Struct, frozen=True):
    """How one upstream is spoken to."""

    send: Sender
    protocol: Protocol
    minimal: bool = False  # answers say little of us
    model: str = ""  # that calls are sent as, where that is not their own


def compile_pipeline(
    effective: Effective,
    call: Call,
    link: Handler,
    grounds: Grounds,
    rule: Rule,
    backups: tuple[str, ...] = (),
) -> Pipeline:
    """The pipeline for calls like this one, around what sends them to their own upstream, which has
    these backups."""
    target, shadow = _targets(effective, call, backups)
    ground = grounds.enforced
    handler = _wrapped("wrap", effective.sections, link, ground, target)
    gates = _gates("call", effective.sections, target, ground)
    shadows = _gates("call", effective.shadow, shadow, grounds.shadow)
    checks = _checks(gates)
    if shadows or len(checks) < len(gates):
        counted = _counted(grounds)
        handler = CallGuard(gates[len(checks) :], shadows, handler, ground.clock, counted)
    flight = ground.kept(InFlightKey(call.domain, call.upstream, call.tool), InFlight)
    return Pipeline(handler, target.effect, effective.policies, rule, flight, checks)


def compile_link(
    effective: Effective, call: Call, way: Way, grounds: Grounds, *, others: bool = False
) -> Handler:
    """What sends such calls to one upstream: hedges, attempts, and the gates of each attempt.

    `others`: there is somebody who may ask another upstream, if this one's answer breaks off.
    """
    target, shadow = _targets(effective, call, sent_as=way.model)
    ground, sections = grounds.enforced, effective.sections
    # A shadow must hear the results that it would hear in force, or what it counts is wrong.
    hold = others or not HOLDS.isdisjoint(sections.keys() | effective.shadow.keys())
    sender = AttemptGuard(
        _gates("attempt", sections, target, ground),
        _gates("attempt", effective.shadow, shadow, grounds.shadow),
        way.send,
        Commit(way.protocol, ground.clock, hold=hold, priced=_priced(sections)),
        ground.clock,
        _counted(grounds),
    )
    handler = _made_attempts(sections, sender, target, ground)
    return _wrapped("link", sections, handler, ground, sender, target)


async def nowhere(_: Any) -> Reply:
    """Stands where something could be sent, and is not meant to be."""
    raise AssertionError("what was built to be asked is never called")


class Stage(msgspec.Struct, frozen=True):
    """A stage as it was built, to be asked what it would say."""

    phase: str
    section: str  # that switched it on; empty: no section did
    policy: str
    built: Any  # the gate, or what holds a wrapper's handler
    shadow: bool = False


def stages_of(
    effective: Effective,
    call: Call,
    grounds: Grounds,
    backups: tuple[str, ...] = (),
    failover: Any = nowhere,
) -> Iterator[Stage]:
    """The stages of such calls in their order, built as above, with nothing behind them; `failover`
    stands where there are several upstreams, if it is there.

    A shadow has gates only: it wraps nothing.
    """
    target, shadow = _targets(effective, call, backups)
    for entry in ORDER:
        if entry.phase == "link" and failover is not nowhere:
            yield Stage("wrap", "", "", failover)
            failover = nowhere
        on = _on(entry, effective.sections)
        if on is not None:
            yield from _stage(entry, on, target, grounds.enforced)
        elif entry.phase == "attempts":
            once = _holder(ONCE(nowhere, target, grounds.enforced))
            yield Stage(entry.phase, "", "", once)
        on = _on(entry, effective.shadow) if entry.phase in _GATES else None
        if on is not None:
            yield from _stage(entry, on, shadow, grounds.shadow)


_GATES = frozenset({"call", "attempt"})


def _stage(entry: Entry, on: tuple[str, Merged], target: Target, ground: Ground) -> Iterator[Stage]:
    """None where the section leaves it nothing to do."""
    name, merged = on
    if entry.phase in _GATES:
        built = _gate(entry, on, target, ground)
    else:
        inner = (nowhere, nowhere) if entry.phase == "link" else (nowhere,)
        built = _holder(_wrapper(entry, on, ground, *inner, target))
    if built is not None and built is not nowhere:
        yield Stage(entry.phase, name, merged.giver(entry.giver), built, ground.shadow)


def _holder(handler: Handler) -> Any:
    return getattr(handler, "__self__", handler)


def rule_of(effective: Effective, version: str, *, minimal: bool) -> Rule:
    """What answers say of the policies that are in force."""
    policies = effective.policies
    told = f"holdfast-policy: {policies[-1]}@{version}\r\n".encode() if policies else b""
    plain = b"holdfast-origin: upstream\r\n"
    if not minimal:
        plain += b"holdfast-attempts: 1\r\nholdfast-outcome: ok\r\n" + told
    return Rule(version, told, plain, minimal)


def _targets(
    effective: Effective, call: Call, backups: tuple[str, ...] = (), sent_as: str = ""
) -> tuple[Target, Target]:
    """What the enforced stages are built for, and what the shadow ones are."""
    effect = effective.effect or call.usual_effect
    target = Target(
        upstream=call.upstream,
        protocol=call.protocol,
        layer=call.layer,
        tool=call.tool,
        effect=effect,
        domain=call.domain,
        model=call.model,
        sent_as=sent_as,
        idempotent_upstream="idempotency" in effective.sections,
        backups=backups,
    )
    shadowed = effective.sections.keys() | effective.shadow.keys()
    return target, msgspec.structs.replace(
        target,
        effect=effective.shadow_effect or effect,
        idempotent_upstream="idempotency" in shadowed,
    )


def _priced(sections: Mapping[str, Merged]) -> bool:
    """Do the policies take a 402 for a price? That decides what an answer is, for all stages."""
    return "retry" in sections and sections["retry"].fields.get("on_402") == "pass"


def _counted(grounds: Grounds) -> Counts:
    return grounds.shadow.kept(REFUSALS.key, REFUSALS.counts)


def _checks(gates: list[Any]) -> tuple[Callable[[Call], Any], ...]:
    """The leading gates that need no guard."""
    free = itertools.takewhile(lambda gate: isinstance(gate, Check), gates)
    return tuple(gate.admit for gate in free)


def _gates(
    phase: Literal["call", "attempt"],
    sections: Mapping[str, Merged],
    target: Target,
    ground: Ground,
) -> list[Any]:
    found = ((entry, _on(entry, sections)) for entry in ORDER if entry.phase == phase)
    built = (_gate(entry, on, target, ground) for entry, on in found if on is not None)
    return [gate for gate in built if gate is not None]


def _made_attempts(
    sections: Mapping[str, Merged], sender: Sender, target: Target, ground: Ground
) -> Handler:
    """What makes the attempts of a call: `ONCE`, unless a section does."""
    for entry in ORDER:
        on = _on(entry, sections) if entry.phase == "attempts" else None
        if on is not None:
            return _wrapper(entry, on, ground, sender, target)
    made: Handler = ONCE(sender, target, ground)
    return made


def _wrapped(
    phase: Literal["wrap", "link"],
    sections: Mapping[str, Merged],
    handler: Handler,
    ground: Ground,
    *more: Any,
) -> Handler:
    """The wrappers of a phase around a handler, from the inside out."""
    for entry in reversed(ORDER):
        on = _on(entry, sections) if entry.phase == phase else None
        if on is not None:
            handler = _wrapper(entry, on, ground, handler, *more)
    return handler


def _gate(entry: Entry, on: tuple[str, Merged], target: Target, ground: Ground) -> Any:
    name, merged = on
    return entry.build(_section(name, merged), target, ground, merged.giver(entry.giver))


def _wrapper(entry: Entry, on: tuple[str, Merged], ground: Ground, *inner: Any) -> Handler:
    standing = msgspec.structs.replace(ground, policy=on[1].giver(entry.giver))
    handler: Handler = entry.build(_section(*on), *inner, standing)
    return handler


def _on(entry: Entry, sections: Mapping[str, Merged]) -> tuple[str, Merged] | None:
    """The first of a stage's sections that is on."""
    return next(((name, sections[name]) for name in entry.sections if name in sections), None)


def _section(name: str, merged: Merged) -> Section:
    return convert(IN_FORCE[name], merged.fields)
