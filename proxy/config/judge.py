"""What only the whole set shows: contradictions, names that lead nowhere, rules without effect.

Contradictions are judged on what is in force for a policy's own match: that policy and all that
cover it (hold for every call that it holds for), laid over each other. What only an overlap of two
policies brings about is not an error here; it is clamped when it is compiled.
"""

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Protocol

import msgspec

from proxy.call import Effect
from proxy.config.cascade import Effective, Merged, convert, merge
from proxy.config.elsewhere import may_hold, misled
from proxy.config.match import Globs, Match
from proxy.config.places import Place, Problem
from proxy.config.statics import unreached, unread
from proxy.config.types import Bulkhead, Mode, Part, Policy, Upstream
from proxy.config.wording import nearest
from proxy.globs import holds
from proxy.protocols.a2a_operations import EFFECTS
from proxy.protocols.recognise import OF_CALLS
from proxy.protocols.safety import SAYS_NOT_RUN
from proxy.stages import GATES, READS_ONLY, SECTIONS, WRAPPERS
from proxy.stages.approval import Approval
from proxy.stages.retry import Retry
from proxy.stages.timeout import MIN_ATTEMPT
from proxy.state.killed import Kill
from proxy.symptom import symptoms
from proxy.units import in_utc

LAYERS = ("llm", "tool", "agent", "http")


_SHOWN = 3  # names in a warning: a thousand of them say no more
_METHOD = re.compile(r"[A-Z*-]+")
_PATH = re.compile(r"(?!.*(//|/\.{1,2}(/|$)))[/*][^?#]*")
_SENT: dict[str, tuple[Callable[[str], bool], str]] = {
    "method": (
        lambda glob: bool(_METHOD.fullmatch(glob)) or any(holds(glob, one) for one in EFFECTS),
        "methods are written in capitals, operations of A2A as SendMessage",
    ),
    "path": (
        lambda glob: bool(_PATH.fullmatch(glob)),
        "a path begins with /, and has no query, no empty and no dot segments",
    ),
}
"""What such a fact looks like, and what to write instead of something else."""


class Judged(msgspec.Struct, frozen=True):
    """Errors stop a load, warnings do not."""

    errors: list[Problem]
    warnings: list[Problem]


def judge(
    policies: list[Policy], upstreams: Mapping[str, Upstream], names: Mapping[str, Place]
) -> Judged:
    """`names`: of all upstreams that a file names, also those that are replaced or wrong."""
    known = list(names)
    errors = [error for policy in policies for error in unknown(policy, known)]
    errors += misled(policies, upstreams, known)
    errors += unread(policies, upstreams)
    warnings = [warning for policy in policies for warning in unmet(policy, known)]
    warnings += unreached(policies, upstreams)
    warnings += [warning for policy in policies for warning in _idle_shadows(policy)]
    warnings += [warning for policy in policies for warning in _no_refresh(policy, upstreams)]
    for policy in policies:
        # Judged as if its condition held; those of others may or may not.
        over = [each for each in policies if each is policy or each.match.covers(policy.match)]
        warnings += _narrowed(policy, over)
        found = _contradictions(policy, over, policies, upstreams)
        errors += found.errors
        warnings += found.warnings + list(_replaced(policy, over))
    warnings += [
        Problem(names[name], f"upstreams.{name}", "no policy matches this upstream")
        for name, upstream in upstreams.items()
        if not any(may_hold(policy, name, upstream) for policy in policies)
    ]
    return Judged(errors, warnings)


def empty(bulkheads: list[Bulkhead]) -> Iterator[Problem]:
    """Bulkheads that no agent can be in."""
    for i, bulkhead in enumerate(bulkheads):
        before = [other for other in bulkheads[:i] if other.agents.cover(bulkhead.agents)]
        path = f"{bulkhead.path}.agents"
        if bulkhead.agents.impossible:
            message = "no agent is in it: everything it asks for is excluded"
            yield Problem(bulkhead.place, path, message)
        elif before:
            message = f"no agent is in it: {before[0].name} ({before[0].place.short}) has them all"
            yield Problem(bulkhead.place, path, message)


def idle_kills(
    kills: Iterable[tuple[Kill, Place, str]], known: Mapping[str, Container[str]], now: float
) -> Iterator[Problem]:
    """Kills of what there is not, or that are over. `known`: names, by the kind of scope that has
    them; `now`: seconds since 1970."""
    for kill, place, path in kills:
        scope = kill.scope
        if scope.kind in known and scope.name not in known[scope.kind]:
            message = f"it stops nothing: there is no {scope.kind} of this name"
            yield Problem(place, f"{path}.scope", message)
        if kill.until is not None and kill.until <= now:
            yield Problem(place, f"{path}.until", f"it stops nothing: {in_utc(kill.until)} is over")


class Matched(Protocol):
    """What has a match: a policy, a budget, an SLO."""

    @property
    def match(self) -> Match: ...
    @property
    def path(self) -> str: ...
    @property
    def place(self) -> Place: ...
    @property
    def places(self) -> Mapping[str, Place]: ...


def unknown(policy: Matched, upstreams: list[str]) -> Iterator[Problem]:
    """Names in a match that nothing has, or nothing yet."""
    allowed = {"upstream": upstreams, "layer": LAYERS, "protocol": tuple(OF_CALLS)}
    for key, known in allowed.items():
        globs = policy.match.globs.get(key, Globs(("*",)))
        for name in (*globs.wanted, *globs.excluded):
            if "*" not in name and name not in known:
                said = "no upstream has this name" if key == "upstream" else f"no such {key}"
                yield _at(policy, f"match.{key}", f"{said}: {name}{nearest(name, known)}")


def unmet(policy: Matched, upstreams: list[str]) -> Iterator[Problem]:
    """Matches that no call can meet."""
    globs = policy.match.globs
    impossible = [key for key in globs if globs[key].impossible]
    if impossible:
        message = "unreachable: everything it asks for is excluded"
        yield _at(policy, f"match.{impossible[0]}", message)
        return
    yield from _never_sent(policy)
    there = {"upstream": {*upstreams}, "layer": {*LAYERS}, "protocol": {*OF_CALLS}}
    for key, names in there.items():
        if key in globs and not any(map(globs[key].hold, names)):
            yield _at(policy, f"match.{key}", f"unreachable: it matches no {key}")


def _never_sent(policy: Matched) -> Iterator[Problem]:
    """Globs that no request can meet, for nothing of the kind is ever sent upstream."""
    for key, (possible, hint) in _SENT.items():
        globs = policy.match.globs.get(key, Globs(()))
        for glob in (*globs.wanted, *globs.excluded):
            if not possible(glob):
                yield _at(policy, f"match.{key}", f"unreachable: {glob!r} matches nothing; {hint}")


def _idle_shadows(policy: Policy) -> Iterator[Problem]:
    """A shadow never acts, and what an act would have brought is not known without it."""
    for name, part in policy.sections.items():
        on = part.on and part.mode is Mode.SHADOW and policy.mode is not Mode.OFF
        if on and name in WRAPPERS and not SECTIONS[name].restricts:
            but = " but its cool-down" if name in GATES else ""
            message = f"a shadow of {name} computes nothing{but}: it never acts"
            yield Problem(part.place, f"{policy.path}.{name}", message)


def _no_refresh(policy: Policy, upstreams: Mapping[str, Upstream]) -> Iterator[Problem]:
    """A credential in a file is read again when it changes; this is about another one."""
    part = policy.sections.get("retry")
    if part is None or part.fields.get("on_401") != "refresh":
        return
    held = [each for name, each in upstreams.items() if may_hold(policy, name, each)]
    if held and all(len(each.credentials) < 2 for each in held):
        message = "there is nothing to refresh to: no upstream of this policy has two credentials"
        yield Problem(part.places["on_401"], f"{policy.path}.retry.on_401", message)


def _idle_limits(policy: Policy, retry: Merged) -> Iterator[Problem]:
    """Limits of what is not tried again anyhow."""
    part = policy.sections.get("retry")
    if part is None or "limits" not in part.fields:
        return
    tried = symptoms(retry.fields.get("on", Retry().on)) | SAYS_NOT_RUN
    for idle in sorted(symptoms(part.fields["limits"]) - tried):
        message = f"{idle} is not tried again at all: it is not among those of on"
        yield Problem(part.places["limits"], f"{policy.path}.retry.limits", message)


def _narrowed(policy: Policy, over: list[Policy]) -> Iterator[Problem]:
    """A refusal of all calls to which a later policy gives a condition: they are let through."""
    part = policy.sections.get("deny", Part(policy.place, on=False))
    if not part.on or part.mode is Mode.OFF or part.fields.get("when") is not None:
        return
    for other in over[over.index(policy) + 1 :]:
        later = other.sections.get("deny", part)
        if later.mode is part.mode and later.fields.get("when") is not None:
            message = f"{other.name} ({later.place.short}) gives it a condition: not all are denied"
            yield Problem(part.place, f"{policy.path}.deny", message)


def _taken_condition(policy: Policy, effective: Effective) -> Iterator[Problem]:
    """A refusal that names no condition, and has that of a policy before it."""
    part, deny = policy.sections.get("deny"), effective.sections.get("deny")
    if part is None or not part.on or part.mode is not Mode.ENFORCE or deny is None:
        return
    if "when" not in part.fields and deny.fields.get("when") is not None:
        whose = f"{deny.policies['when']} ({deny.places['when'].short})"
        message = f"it has the condition of {whose}: not all are denied; deny: true has none"
        yield Problem(part.place, f"{policy.path}.deny", message)


def _replaced(policy: Policy, over: list[Policy]) -> Iterator[Problem]:
    """A policy of which later ones replace everything, wherever it holds."""
    says = _says(policy)
    later = over[over.index(policy) + 1 :]
    taken = {fact for other in later for fact in _takes(other)}
    if says and all({fact, fact[:2]} & taken for fact in says):
        names = [f"{other.name} ({other.place.short})" for other in later if _says(other)]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        by = ", ".join(names[:_SHOWN])
        yield _at(policy, "name", f"unreachable: everything it says is replaced by {by}{more}")


def _says(policy: Policy) -> set[tuple[str, ...]]:
    """What a policy enforces: (mode, section, field); (mode, section) for a section as such."""
    if policy.mode is Mode.OFF:
        return set()
    said: set[tuple[str, ...]] = {(policy.mode, name) for name in policy.says}
    for name, part in policy.sections.items():
        if part.mode is not Mode.OFF:
            said |= {(part.mode, name, field) for field in part.fields} or {(part.mode, name)}
    return said


def _takes(policy: Policy) -> set[tuple[str, ...]]:
    # A section that is merely there, `{}`, replaces no field; one that is off replaces them all.
    empty = {
        (part.mode, name) for name, part in policy.sections.items() if part.on and not part.fields
    }
    return _says(policy) - empty


def _contradictions(
    policy: Policy, over: list[Policy], policies: list[Policy], upstreams: Mapping[str, Upstream]
) -> Judged:
    effective = merge(over)
    writes = _surely_writes(policy, effective.effect, policies, upstreams)
    judged = Judged([], [])
    for sections in (effective.sections, effective.shadow):
        if "timeout" in sections:
            judged.errors.extend(_attempt_over_total(policy, sections["timeout"]))
            judged.errors.extend(_never_begins(policy, sections["timeout"]))
        if "approval" in sections:
            judged.errors.extend(_held_too_long(policy, sections["approval"]))
        for name, section in sections.items():
            judged.errors.extend(_conversion(policy, name, section))
    judged.errors.extend(_not_read(policy, effective, writes=writes))
    judged.warnings.extend(_keeps_nothing(policy, effective))
    judged.warnings.extend(_taken_condition(policy, effective))
    retry = effective.sections.get("retry")
    if retry is not None:
        judged.warnings.extend(_idle_limits(policy, retry))
        if "idempotency" not in effective.sections:  # a write is repeated where it has a key
            _always(policy, retry, effective.effect, judged, writes=writes)
    return judged


def _always(
    policy: Policy, retry: Merged, effect: Effect | None, judged: Judged, *, writes: bool
) -> None:
    if retry.fields.get("safe") != "always":
        return
    place = retry.places["safe"]
    path = _path(policy, place, "retry.safe")
    if writes:
        message = (
            "always would run writes twice; expected auto where the effect is write, "
            "or an idempotency section where the upstream honours keys"
        )
        judged.errors.append(Problem(place, path, message))
    elif effect is None:
        message = "always counts as auto on writes; say effect: read or idempotent where it is"
        judged.warnings.append(Problem(place, path, message))


def _not_read(policy: Policy, effective: Effective, *, writes: bool) -> Iterator[Problem]:
    """Sections that are for reads alone."""
    for name in READS_ONLY:
        section = effective.sections.get(name)
        if section is not None and (writes or effective.effect is Effect.IDEMPOTENT):
            effect = effective.effect or Effect.WRITE
            message = f"{name} is for reads, and the effect is {effect}; expected effect: read"
            yield Problem(section.place, _path(policy, section.place, name), message)


def _keeps_nothing(policy: Policy, effective: Effective) -> Iterator[Problem]:
    """Neither while it is fresh nor when something fails would an answer be given again."""
    part, cache = policy.sections.get("cache"), effective.sections.get("cache")
    if part is None or not part.on or cache is None:
        return
    if not cache.fields.get("max_age") and not cache.fields.get("stale_if_error"):
        message = "it keeps nothing: give max_age or stale_if_error"
        yield Problem(part.place, f"{policy.path}.cache", message)


def _attempt_over_total(policy: Policy, timeout: Merged) -> Iterator[Problem]:
    attempt, total = timeout.fields.get("attempt"), timeout.fields.get("total")
    if attempt is None or total is None or attempt < total:
        return
    place, there = timeout.places["attempt"], timeout.places["total"]
    message = f"attempt ({attempt:g}s) must be shorter than total ({total:g}s)"
    if there.file != place.file or there.line != place.line:
        message += f" ({there.short})"
    yield Problem(place, _path(policy, place, "timeout.attempt"), message)


def _never_begins(policy: Policy, timeout: Merged) -> Iterator[Problem]:
    """Every call would be refused: too little is left of its time when it has just begun."""
    total, least = timeout.fields.get("total"), timeout.fields.get("min_attempt", MIN_ATTEMPT)
    if total is None or least < total:
        return
    place = timeout.places["total"]
    message = f"total ({total:g}s) must be longer than min_attempt ({least:g}s)"
    yield Problem(place, _path(policy, place, "timeout.total"), message)


def _held_too_long(policy: Policy, approval: Merged) -> Iterator[Problem]:
    """A call would be held for longer than people may decide."""
    hold, expires = (approval.fields.get(name) for name in ("hold", "expires"))
    usual = Approval()
    if (usual.hold if hold is None else hold) < (usual.expires if expires is None else expires):
        return
    field = "expires" if hold is None else "hold"
    place = approval.places[field]
    message = (
        f"hold ({usual.hold if hold is None else hold:g}s) must be shorter than expires "
        f"({usual.expires if expires is None else expires:g}s)"
    )
    yield Problem(place, _path(policy, place, f"approval.{field}"), message)


def _conversion(policy: Policy, name: str, section: Merged) -> Iterator[Problem]:
    try:
        if lack := convert(SECTIONS[name], section.fields).lack():
            # What is given and empty, or could not be read: then that has been said there.
            empty = (at for field, at in section.places.items() if section.fields[field] is None)
            place = next(empty, section.place)
            yield Problem(place, _path(policy, place, name), lack)
    except ValueError as error:
        field, _, said = str(error).partition(": ")
        place = section.places.get(field, section.place)
        yield Problem(place, _path(policy, place, f"{name}.{field}"), said or str(error))


def _surely_writes(
    policy: Policy,
    effect: Effect | None,
    policies: list[Policy],
    upstreams: Mapping[str, Upstream],
) -> bool:
    """Is the effect write, said or by default? The default of http calls hangs on their method."""
    if effect is not None:
        return effect is Effect.WRITE
    if any(each.effect is not None and each.match.meets(policy.match) for each in policies):
        return False  # it says so for some of these calls, perhaps for all of them
    wanted = policy.match.globs.get("upstream", Globs(("*",)))
    protocols = {upstreams[name].protocol for name in upstreams if wanted.hold(name)}
    return protocols == {"tools"} and not {"layer", "method", "path"} & policy.match.keys


def _path(policy: Policy, place: Place, path: str) -> str:
    """The path in the document, where the place is inside this policy; else the rest of it."""
    inside = any(place in (part.place, *part.places.values()) for part in policy.sections.values())
    return f"{policy.path}.{path}" if inside else path


def _at(policy: Matched, path: str, message: str) -> Problem:
    return Problem(policy.places.get(path, policy.place), f"{policy.path}.{path}", message)
