"""From what policies say to what runs: the pipeline of one tool, from the inside out."""

import itertools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import msgspec

from proxy.call import Call, Effect, InFlight, Rule
from proxy.config.cascade import Effective, Merged, convert
from proxy.counts import Counts
from proxy.pipeline.commit import Commit
from proxy.pipeline.guard import AttemptGuard, CallGuard
from proxy.protocols.protocol import Protocol
from proxy.refusal import Refusal
from proxy.reply import Executed, Reply
from proxy.stage import Check, Ground, Handler, Section, Sender, Target
from proxy.stages import ONCE, ORDER, SECTIONS, Entry

REFUSALS = "holdfast_refusals_total"
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
    return Reply(status=0, refusal=refusal, executed=Executed.NO)


class Grounds(msgspec.Struct, frozen=True):
    """What enforced stages stand on, and what shadow stages do."""

    enforced: Ground
    shadow: Ground


def compile_pipeline(
    effective: Effective,
    call: Call,
    send: Sender,
    protocol: Protocol,
    grounds: Grounds,
    version: str,
    *,
    minimal: bool,
) -> Pipeline:
    """The pipeline for calls like this one."""
    effect = effective.effect or call.effect
    target = Target(call.upstream, call.protocol, call.layer, call.tool, effect)
    shadow = msgspec.structs.replace(target, effect=effective.shadow_effect or effect)
    ground = grounds.enforced
    counted = grounds.shadow.kept(("counts", REFUSALS), _refusals)

    # A shadow must hear the results that it would hear in force, or what it counts is wrong.
    watches = bool((effective.sections.keys() | effective.shadow.keys()) & {"retry", "breaker"})
    sender = AttemptGuard(
        _gates("attempt", effective.sections, target, ground),
        _gates("attempt", effective.shadow, shadow, grounds.shadow),
        send,
        Commit(protocol, ground.clock, hold=watches),
        ground.clock,
        counted,
    )
    handler = _wrapped(effective.sections, sender, target, ground)
    gates = _gates("call", effective.sections, target, ground)
    shadows = _gates("call", effective.shadow, shadow, grounds.shadow)
    checks = _checks(gates)
    if shadows or len(checks) < len(gates):
        handler = CallGuard(gates[len(checks) :], shadows, handler, ground.clock, counted)
    rule = _rule(effective.policies, version, minimal=minimal)
    flight = ground.kept(("inflight", call.upstream, call.tool), InFlight)
    return Pipeline(handler, effect, effective.policies, rule, flight, checks)


def _refusals() -> Counts:
    return Counts(("code", "policy", "enforced"))


def _checks(gates: list[Any]) -> tuple[Callable[[Call], Any], ...]:
    """The leading gates that need no guard."""
    free = itertools.takewhile(lambda gate: isinstance(gate, Check), gates)
    return tuple(gate.admit for gate in free)


def _rule(policies: tuple[str, ...], version: str, *, minimal: bool) -> Rule:
    told = f"holdfast-policy: {policies[-1]}@{version}\r\n".encode() if policies else b""
    plain = b"holdfast-origin: upstream\r\n"
    if not minimal:
        plain += b"holdfast-attempts: 1\r\nholdfast-outcome: ok\r\n" + told
    return Rule(version, told, plain, minimal)


def _gates(
    phase: Literal["call", "attempt"],
    sections: Mapping[str, Merged],
    target: Target,
    ground: Ground,
) -> list[Any]:
    found = ((entry, _on(entry, sections)) for entry in ORDER if entry.phase == phase)
    return [
        entry.build(_section(name, merged), target, ground, merged.policy)
        for entry, (name, merged) in ((entry, on) for entry, on in found if on is not None)
    ]


def _wrapped(
    sections: Mapping[str, Merged], sender: Sender, target: Target, ground: Ground
) -> Handler:
    """From the inside out: one makes the attempts, the others stand around it."""
    handler: Handler = ONCE(sender, target, ground)
    for entry in reversed(ORDER):
        on = _on(entry, sections) if entry.phase in {"attempts", "wrap"} else None
        if on is not None:
            inner = sender if entry.phase == "attempts" else handler
            handler = entry.build(_section(*on), inner, target, ground)
    return handler


def _on(entry: Entry, sections: Mapping[str, Merged]) -> tuple[str, Merged] | None:
    """The first of a stage's sections that is on."""
    return next(((name, sections[name]) for name in entry.sections if name in sections), None)


def _section(name: str, merged: Merged) -> Section:
    return convert(SECTIONS[name], merged.fields)
