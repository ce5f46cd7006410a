"""From what policies say to what runs: the pipeline of one tool, from the inside out."""

from collections.abc import Awaitable, Mapping
from typing import Any, Literal

import msgspec

from proxy.call import Call, Effect
from proxy.config.cascade import Effective, Merged, convert
from proxy.counts import Counts
from proxy.pipeline.commit import Commit
from proxy.pipeline.guard import AttemptGuard, CallChecks, CallGuard
from proxy.protocols.protocol import Protocol
from proxy.reply import Reply
from proxy.stage import Ground, Handler, NothingTaken, Section, Sender, Target
from proxy.stages import ORDER, SECTIONS, Entry
from proxy.stages.retry import Once

REFUSALS = "holdfast_refusals_total"


class Pipeline(msgspec.Struct):
    """A tool's stages, ready to run, and what is said of them in answers."""

    handle: Handler
    effect: Effect
    policies: tuple[str, ...]
    version: str
    told: bytes  # the holdfast-policy line
    at_once: bytes  # the lines that every plain success has in common
    minimal: bool  # only holdfast-call and holdfast-origin

    def __call__(self, call: Call) -> Awaitable[Reply]:
        """The call's reply, at its commit."""
        call.effect = self.effect
        call.finishes_alone = self.effect is Effect.WRITE  # unless a timeout section says otherwise
        return self.handle(call)


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
    counted = grounds.shadow.kept(
        ("counts", REFUSALS), lambda: Counts(("code", "policy", "enforced"))
    )

    # A shadow must hear the results that it would hear in force, or what it counts is wrong.
    watches = bool((effective.sections.keys() | effective.shadow.keys()) & {"retry", "breaker"})
    inner: Sender = Commit(send, protocol, ground.clock, hold=watches)
    gates = _gates("attempt", effective.sections, target, ground)
    shadows = _gates("attempt", effective.shadow, shadow, grounds.shadow)
    if gates or shadows:
        inner = AttemptGuard(gates, shadows, inner, ground.clock, counted)

    handler = _wrapped(effective.sections, inner, target, ground)
    gates = _gates("call", effective.sections, target, ground)
    shadows = _gates("call", effective.shadow, shadow, grounds.shadow)
    if shadows or not all(isinstance(gate, NothingTaken) for gate in gates):
        handler = CallGuard(gates, shadows, handler, ground.clock, counted)
    elif gates:
        handler = CallChecks(gates, handler)
    return _finished(handler, effect, effective.policies, version, minimal=minimal)


def _finished(
    handler: Handler, effect: Effect, policies: tuple[str, ...], version: str, *, minimal: bool
) -> Pipeline:
    told = f"holdfast-policy: {policies[-1]}@{version}\r\n".encode() if policies else b""
    at_once = b"holdfast-origin: upstream\r\n"
    if not minimal:
        at_once += b"holdfast-attempts: 1\r\nholdfast-outcome: ok\r\n" + told
    return Pipeline(handler, effect, policies, version, told, at_once, minimal)


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
    """Wrappers stand between the two kinds of gates; innermost, one makes the attempts."""
    for entry in reversed(ORDER):
        on = _on(entry, sections) if entry.phase == "wrap" else None
        if on is not None:
            handler: Handler = entry.build(_section(*on), sender, target, ground)
            return handler
    return Once.wrap(sender, target, ground)


def _on(entry: Entry, sections: Mapping[str, Merged]) -> tuple[str, Merged] | None:
    """The first of a stage's sections that is on."""
    return next(((name, sections[name]) for name in entry.sections if name in sections), None)


def _section(name: str, merged: Merged) -> Section:
    return convert(SECTIONS[name], merged.fields)
