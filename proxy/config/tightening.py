"""What is in force while error budgets are used up (`on_exhausted` of an SLO, spec 5.2).

A policy that some SLO names by `tighten` is in force only while the budget of one that names it is
used up, at the place where it stands. The same goes for those that ladders of alerts name
(`Loaded.climbed`), while an alert stands on the step. For `require_approval` there is a policy that
nobody wrote, behind all others, for the calls of the SLO: a person must agree to each. It never
asks fewer people than somebody wrote for such calls.

What is in force is a set of policies like any other: it has a version of its own, comes into force
as after a reload, and is written down so.
"""

import hashlib
from collections.abc import Iterable, Iterator

import msgspec
from msgspec.structs import replace

from proxy.call import Risk
from proxy.config.document import Mapping, Sequence
from proxy.config.judge import Judged
from proxy.config.loaded import Loaded
from proxy.config.match import Match
from proxy.config.places import Place, Problem
from proxy.config.slos import Slo, Tighten
from proxy.config.types import Part, Policy
from proxy.config.wording import nearest
from proxy.observe.slo.objective import Objective

BY = "on_exhausted"
"""Who has had policies come into force, where no person has."""
_NO_CANARIES = "nothing is frozen by it: this version has no canaries"


def tightened(
    loaded: Loaded,
    exhausted: frozenset[str] = frozenset(),
    stepped: frozenset[str] = frozenset(),
) -> Loaded:
    """What is in force while the budgets of these SLOs are used up, and alerts want the policies
    `stepped`. `loaded`: as it was read."""
    held = loaded.climbed.union(*(each.tighten for each in loaded.slos))
    active = [each for each in loaded.slos if each.name in exhausted and _tightens(each)]
    if not held and not active:
        return loaded
    because = dict.fromkeys(sorted(stepped & loaded.climbed), "an alert wants it")
    because |= {name: _used_up(each) for each in active for name in each.tighten}
    kept = [each for each in loaded.written if each.name not in held or each.name in because]
    asks = [each for each in active if each.require_approval]
    asked = [_asking(each, kept) for each in asks]
    said = [_said(each, because[each.name]) for each in kept if each.name in because]
    said += [_said(policy, _used_up(each)) for policy, each in zip(asked, asks, strict=True)]
    return replace(
        loaded,
        version=_version(loaded, [*because, *(each.name for each in asked)]),
        policies=(*kept, *asked),
        warnings=(*loaded.warnings, *said),
    )


def tightest(loaded: Loaded) -> Loaded:
    """What is in force where all budgets are used up: it is judged as well."""
    return tightened(loaded, frozenset(each.name for each in loaded.slos), loaded.climbed)


def _tightens(objective: Objective) -> bool:
    return bool(objective.tighten) or objective.require_approval


def _version(loaded: Loaded, more: list[str]) -> str:
    """Of the same length, and another one for each set of policies that are in force besides."""
    if not more:
        return loaded.version
    told = msgspec.json.encode([loaded.version, sorted(more)])
    return hashlib.sha256(told).hexdigest()[: len(loaded.version)]


def _used_up(objective: Objective) -> str:
    return f"the error budget of {objective.name} is used up"


def _said(policy: Policy, why: str) -> Problem:
    message = f"the policy {policy.name} is in force, for {why}"
    return Problem(policy.place, policy.path, message)


def _asking(objective: Objective, policies: Iterable[Policy]) -> Policy:
    """The policy that nobody wrote. Whatever `when` says below it, it asks for each call."""
    match = objective.match
    assert isinstance(match, Match)  # it was read as one
    over = [each for each in policies if each.match.meets(match)]
    two = any(_asks_two(each) for each in over)
    place = Place(objective.place)
    fields = {"approvers": 2 if two else 1, "when": None}
    part = Part(place, fields=fields, places=dict.fromkeys(fields, place))
    return Policy(
        name=f"slo/{objective.name}",
        place=place,
        path=f"slos.{objective.name}.on_exhausted",
        match=match,
        sections={"approval": part},
        places={"name": place},
    )


def _asks_two(policy: Policy) -> bool:
    approval = policy.sections.get("approval")
    written = None if approval is None else approval.fields.get("approvers")
    return written == 2 or policy.risk is Risk.CRITICAL


def misnamed(slos: Iterable[tuple[Slo, Mapping, str]], policies: Iterable[Policy]) -> Judged:
    """What is to follow, and cannot."""
    known = [policy.name for policy in policies]
    errors: list[Problem] = []
    warnings: list[Problem] = []
    for slo, node, path in slos:
        for act, at, place in _acts(slo, node, path):
            if isinstance(act, Tighten) and act.tighten not in known:
                message = f"there is no policy {act.tighten}{nearest(act.tighten, known)}"
                errors.append(Problem(place, f"{at}.tighten", message))
            elif act == "freeze_canary":
                warnings.append(Problem(place, at, _NO_CANARIES))
    return Judged(errors, warnings)


def _acts(slo: Slo, node: Mapping, path: str) -> Iterator[tuple[str | Tighten, str, Place]]:
    if not slo.on_exhausted:
        return
    listed = node.items["on_exhausted"].node
    assert isinstance(listed, Sequence)  # or it could not have been read
    for i, (act, item) in enumerate(zip(slo.on_exhausted, listed.items, strict=True)):
        yield act, f"{path}.on_exhausted[{i}]", item.place
