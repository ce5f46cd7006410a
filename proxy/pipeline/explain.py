"""Why a call goes as it goes: what is in force for it, who says so, and what each stage says now.

Nothing here decides anything: policies are laid over each other, and stages built, by what does it
for real calls (`table.py`, `walk.py`). Stages are built anew on a keep that only shows
(`glance.py`) and are asked, not passed.
"""

from enum import StrEnum
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from proxy.call import Call
from proxy.clock import Clock
from proxy.config.cascade import Effective, Merged, convert
from proxy.config.clamped import clamped
from proxy.config.loaded import Loaded
from proxy.config.places import Place
from proxy.config.schema import spelled, veiled
from proxy.config.types import Policy
from proxy.keep import Keep
from proxy.pipeline.asked import Asked
from proxy.pipeline.glance import Glance
from proxy.pipeline.mount import Mount
from proxy.pipeline.table import Table, facts
from proxy.pipeline.walk import Grounds, Stage, Way, plan_of, walk
from proxy.protocols.identity import Identity
from proxy.refusal import Refusal
from proxy.stage import CallGate, Check, no_links, nobody
from proxy.stages import IN_FORCE

BUILT_IN = "built in"


class Source(msgspec.Struct, frozen=True, rename={"at": "from"}):
    """A value in force, as a file would have it."""

    value: Any
    at: str = BUILT_IN  # file:line
    policy: str | None = None  # that gave it


class Named(msgspec.Struct, frozen=True, rename={"at": "from"}):
    """A policy that matches."""

    name: str
    mode: str
    at: str


class Asks(msgspec.Struct, frozen=True, rename={"at": "from"}):
    """The condition of a policy, and what it came to for the call."""

    policy: str
    when: str
    at: str
    holds: bool | None  # None: it failed, and only what restricts is in force


class Refused(msgspec.Struct, frozen=True, omit_defaults=True):
    """A refusal, in short."""

    code: str
    detail: str
    policy: str = ""
    retry_after: float | None = None


class Step(msgspec.Struct, frozen=True):
    """A stage, and what it says."""

    phase: str
    stage: str
    section: str  # that switched it on; empty: none that anybody wrote
    policy: str
    says: str
    refusal: Refused | None = None
    shadow: bool = False


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """What would become of the call now, as far as we decide it."""

    allow: bool
    refusal: Refused | None = None
    stage: str = ""  # that refuses; empty: the call cannot even be read


Fields = dict[str, Source]


class Explanation(msgspec.Struct, frozen=True):
    """All of it. `sections` holds those that are on, `shadow` what shadow policies make of them."""

    call: dict[str, str]
    policy_version: str
    verdict: Decision
    policies: list[Named]  # that match, in the order in which they apply
    conditions: list[Asks]  # of policies that match but for it
    effect: Source
    risk: Source
    on_journal_failure: Source
    sections: dict[str, Fields]
    shadow: dict[str, Fields]
    stages: list[Step]  # in the order in which a call meets them
    warnings: list[str]


def explain(table: Table, asked: Asked, identity: Identity) -> Explanation:
    """Of a table at work with its state as it is now, or of one made for the question.

    Raises Unaskable.
    """
    mount = asked.mount(table)
    call, refusal = asked.call(mount, identity, table.grounds.enforced.clock.now())
    grounds = _grounds(table)
    conditions = table.conditions(call, grounds.enforced)
    outcomes = conditions.outcomes(call) if refusal is None else refusal
    if isinstance(outcomes, Refusal):  # nobody knows which policies are in force
        refusal, effective, asks = outcomes, Effective((), {}), []
    else:
        effective = table.effective(call, mount, conditions, outcomes)
        asks = list(map(_condition, conditions.policies, outcomes))
    steps = [] if refusal else _steps(effective, call, grounds, mount)
    loaded = table.loaded
    effect, risk, unrecorded = _said(effective, call, loaded.policies)
    return Explanation(
        call=_told(call),
        policy_version=table.version,
        verdict=_decision(refusal, steps),
        policies=_policies(effective, loaded.policies),
        conditions=asks,
        effect=effect,
        risk=risk,
        on_journal_failure=unrecorded,
        sections=_sections(effective.sections),
        shadow=_sections(effective.shadow),
        stages=steps,
        warnings=[
            *(str(problem) for problem in loaded.warnings),
            *clamped(effective, effective.effect or call.usual_effect),
        ],
    )


def _told(call: Call) -> dict[str, str]:
    """What is known of the call. That its agent asked for no stream goes without saying."""
    known = {name: value for name, value in facts(call).items() if value}
    if not call.stream:
        del known["stream"]
    return known


def fresh(loaded: Loaded, clock: Clock) -> Table:
    """A table made for the question: nothing has happened yet, and nothing can be sent."""
    senders = dict.fromkeys(loaded.upstreams, nobody)
    return Table(loaded, senders, Grounds.on(clock, Keep()))


def values(explained: Explanation) -> Fields:
    """Every value in force by its path: `retry.backoff.base`."""
    return {
        path: replace(source, value=value)
        for section, fields in explained.sections.items()
        for name, source in fields.items()
        for path, value in flat(f"{section}.{name}", source.value)
    }


def flat(path: str, value: Any) -> list[tuple[str, Any]]:
    """A value by its path, or the values inside it by theirs."""
    if not isinstance(value, dict) or not value:
        return [(path, value)]
    return [pair for name, held in value.items() for pair in flat(f"{path}.{name}", held)]


def _grounds(table: Table) -> Grounds:
    """Those of the table, to be looked at."""
    enforced, shadow = table.grounds.enforced, table.grounds.shadow
    glance = Glance(enforced.keep)
    return Grounds(replace(enforced, keep=glance, links=no_links), replace(shadow, keep=glance))


def _steps(effective: Effective, call: Call, grounds: Grounds, mount: Mount) -> list[Step]:
    call.effect = effective.effect or call.usual_effect
    plan = plan_of(effective, call, grounds)
    return [_step(stage, call) for stage in walk(plan, Way(nobody, mount.protocol)).stages]


def _step(stage: Stage, call: Call) -> Step:
    built, gate = stage.built, cast("CallGate", stage.built)
    said = built.says(call)
    if isinstance(built, Check) and not stage.shadow and said.refusal is None:
        _ = gate.admit(call)  # later stages look at what it leaves, and the call is ours
    return Step(
        phase=stage.phase,
        stage=type(built).__name__,
        section=stage.section if stage.section in IN_FORCE else "",
        policy=stage.policy,
        says=said.note,
        refusal=None if said.refusal is None else _refused(said.refusal),
        shadow=stage.shadow,
    )


def _refused(refusal: Refusal) -> Refused:
    left = refusal.retry_after
    after = None if left is None else round(left, 3)
    return Refused(refusal.code, refusal.detail, refusal.policy, after)


def _decision(unread: Refusal | None, steps: list[Step]) -> Decision:
    if unread is not None:
        return Decision(False, _refused(unread))
    for step in steps:
        if step.refusal is not None and not step.shadow:
            return Decision(False, step.refusal, step.stage)
    return Decision(True)


def _policies(effective: Effective, policies: tuple[Policy, ...]) -> list[Named]:
    matching = {policy.name: policy for policy in policies}
    return [
        Named(name, matching[name].mode.value, matching[name].place.short)
        for name in effective.policies
    ]


def _condition(policy: Policy, holds: bool | None) -> Asks:
    place = policy.places.get("match.when", policy.place)
    return Asks(policy.name, str(policy.match.when), place.short, holds)


def _said(effective: Effective, call: Call, policies: tuple[Policy, ...]) -> list[Source]:
    """Effect, risk, and what becomes of the call while the journal cannot be written."""
    effect = effective.effect or call.usual_effect
    risk = effective.risk_of(effect)
    return [
        _source_of(effect, effective.effect_place, policies),
        _source_of(risk, effective.risk_place, policies),
        _source_of(effective.unrecorded_of(risk), effective.unrecorded_place, policies),
    ]


def _source_of(word: StrEnum, place: Place | None, policies: tuple[Policy, ...]) -> Source:
    if place is None:
        return Source(word.value)
    givers = (policy.name for policy in policies if place in policy.places.values())
    return Source(word.value, place.short, next(givers))


def _sections(merged: dict[str, Merged]) -> dict[str, Fields]:
    return {name: _fields(name, merged[name]) for name in IN_FORCE if name in merged}


def _fields(name: str, merged: Merged) -> Fields:
    section = convert(IN_FORCE[name], merged.fields)
    names = zip(section.__struct_fields__, section.__struct_encode_fields__, strict=True)
    return {
        written: _source(merged, field, veiled(spelled(getattr(section, field)), merged.hidden))
        for field, written in names
    }


def _source(merged: Merged, field: str, value: Any) -> Source:
    if field not in merged.fields:
        return Source(value)
    place = merged.places.get(field, merged.place)
    return Source(value, place.short, merged.giver(field))
