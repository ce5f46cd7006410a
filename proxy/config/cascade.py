"""What is in force for a call: the policies that match it, laid over each other in their order.

For every section, the fields that a later policy gives replace the same fields of an earlier one.
A section set to `false` is off and forgets what was given before it. What stands in shadow mode is
laid over a second copy, so that it never changes what is enforced.

Whether a policy with a condition holds is known when a call is there. A condition that fails leaves
what its policy restricts, for a restriction must not be dodged by breaking what guards it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from proxy.call import Effect, Risk, Unrecorded
from proxy.config.places import Place
from proxy.config.types import WRITTEN, Bulkhead, Mode, Part, Policy
from proxy.stage import Section
from proxy.stages import DOMAIN, SECTIONS

_ENFORCED = frozenset({Mode.ENFORCE})
_ALL = frozenset({Mode.ENFORCE, Mode.SHADOW})


class Merged(msgspec.Struct, frozen=True):
    """One section, merged. It is on."""

    policy: str  # the last that said something about it
    first: str  # that switched it on: nobody gave it before, since it was last off
    fields: dict[str, Any] = {}
    places: dict[str, Place] = {}
    policies: dict[str, str] = {}  # field → the policy that gave it
    place: Place = Place("")  # where the last one says it
    hidden: dict[str, str] = {}  # as in `Part`

    def giver(self, field: str) -> str:
        """The policy that gave a field; else the one that switched the section on. Not the last
        that spoke of it: a limit must not begin anew because of a word about something else.

        Of no field in particular, where the name is only told, it is the last that spoke."""
        return self.policies.get(field, self.first) if field else self.policy


class Effective(msgspec.Struct, frozen=True):
    """What is in force for a call."""

    policies: tuple[str, ...]  # that match, in their order; those that are off left out
    sections: dict[str, Merged]
    effect: Effect | None = None  # None: no policy says; what the protocol knows holds
    effect_place: Place | None = None
    shadow: dict[str, Merged] = {}  # only sections that something in shadow mode touched
    shadow_effect: Effect | None = None  # in force for the shadow sections
    risk: Risk | None = None  # as of `effect`
    risk_place: Place | None = None
    unrecorded: Unrecorded | None = None
    unrecorded_place: Place | None = None
    risk_policy: str = ""  # that says it
    unrecorded_policy: str = ""

    def risk_of(self, effect: Effect) -> Risk:
        """What is in force for calls with this effect."""
        return self.risk or Risk.usual(effect)

    def unrecorded_of(self, risk: Risk) -> Unrecorded:
        """The same for calls of this risk."""
        return self.unrecorded or Unrecorded.usual(risk)

    @property
    def unrecorded_giver(self) -> tuple[str, str]:
        """The policy by which that is so, and what it says, as it is written; empty: nobody does,
        it follows from the effect."""
        if self.unrecorded is not None:
            return self.unrecorded_policy, f"{WRITTEN['unrecorded']}: {self.unrecorded.value}"
        return (self.risk_policy, f"risk: {self.risk.value}") if self.risk is not None else ("", "")


def cascade(policies: Iterable[Policy], facts: Mapping[str, str]) -> Effective:
    """What is in force for a call with these facts (`match.KEYS`), if all conditions hold."""
    return merge(candidates(policies, facts))


def candidates(policies: Iterable[Policy], facts: Mapping[str, str]) -> list[Policy]:
    """The policies for a call with these facts, those with a condition among them."""
    return [policy for policy in policies if policy.match.holds(facts)]


def settled(policies: Iterable[Policy], outcomes: Iterable[bool | None]) -> Iterator[Policy]:
    """Those of the policies that hold, by the outcomes of their conditions, one for each policy
    that has one: it holds, it does not, it failed (None)."""
    found = iter(outcomes)
    for policy in policies:
        outcome = True if policy.match.when is None else next(found)
        if outcome:
            yield policy
        elif outcome is None:
            yield from _restrictions(policy)


def _restrictions(policy: Policy) -> Iterator[Policy]:
    parts = policy.sections.items()
    left = msgspec.structs.replace(
        policy,
        effect=None,
        risk=policy.risk if policy.risk and policy.risk.great else None,
        unrecorded=policy.unrecorded if policy.unrecorded is Unrecorded.DENY else None,
        sections={name: part for name, part in parts if part.on and SECTIONS[name].restricts},
    )
    if left.sections or left.says:
        yield left


def merge(matching: Iterable[Policy]) -> Effective:
    """These policies laid over each other, whatever they match."""
    live = [policy for policy in matching if policy.mode is not Mode.OFF]
    effect, effect_place, _ = _last(live, "effect", _ENFORCED)
    risk, risk_place, risk_policy = _last(live, "risk", _ENFORCED)
    unrecorded, unrecorded_place, unrecorded_policy = _last(live, "unrecorded", _ENFORCED)
    everything = _sections(live, _ALL)
    return Effective(
        policies=tuple(policy.name for policy in live),
        sections=_sections(live, _ENFORCED),
        effect=effect,
        effect_place=effect_place,
        shadow={name: everything[name] for name in _shadowed(live) if name in everything},
        shadow_effect=_last(live, "effect", _ALL)[0],
        risk=risk,
        risk_place=risk_place,
        unrecorded=unrecorded,
        unrecorded_place=unrecorded_place,
        risk_policy=risk_policy,
        unrecorded_policy=unrecorded_policy,
    )


def inside(effective: Effective, bulkhead: Bulkhead) -> Effective:
    """What is in force for the agents of a bulkhead: its permits as well, by the priorities that
    the call's own policies give."""
    own = effective.sections.get("bulkhead", Merged("", "")).fields
    fields = {
        "limit": bulkhead.limit,
        "queue": bulkhead.queue,
        "max_wait": bulkhead.max_wait,
        "per": ("rule",),
        "priority": own.get("priority"),
    }
    domain = Merged(bulkhead.name, bulkhead.name, fields, place=bulkhead.place)
    return beside(effective, DOMAIN, domain)


_OF_CONTROL = frozenset({"timeout", "retry", "cache", "audit"})


def of_control(effective: Effective) -> Effective:
    """What is in force for traffic that only sets calls up: how it goes, and that it is kept.
    Nothing that refuses a tool, limits it or says what it does is meant for it (spec 2.3)."""
    return Effective(
        policies=effective.policies,
        sections={
            name: effective.sections[name] for name in _OF_CONTROL & effective.sections.keys()
        },
    )


def beside(effective: Effective, name: str, section: Merged) -> Effective:
    """The same, and a section that no policy holds."""
    return msgspec.structs.replace(effective, sections={**effective.sections, name: section})


def convert(section: type[Section], fields: Mapping[str, Any]) -> Section:
    """A merged section in its own type. Raises ValueError where fields contradict each other."""
    return section(**fields)


def _last(
    policies: list[Policy], field: str, modes: frozenset[Mode]
) -> tuple[Any, Place | None, str]:
    """What the last policy says that says it, where, and its name."""
    for policy in reversed(policies):
        value = getattr(policy, field)
        if value is not None and policy.mode in modes:
            return value, policy.places.get(WRITTEN.get(field, field)), policy.name
    return None, None, ""


def _sections(policies: list[Policy], modes: frozenset[Mode]) -> dict[str, Merged]:
    merged: dict[str, Merged] = {}
    for policy in policies:
        for name, part in policy.sections.items():
            if part.mode not in modes:
                continue
            if part.on:
                merged[name] = _over(merged.get(name), part, policy.name)
            else:
                merged.pop(name, None)
    return merged


def _over(below: Merged | None, part: Part, policy: str) -> Merged:
    givers = dict.fromkeys(part.fields, policy)
    if below is None:
        return Merged(policy, policy, part.fields, part.places, givers, part.place, part.hidden)
    return Merged(
        policy,
        below.first,
        {**below.fields, **part.fields},
        {**below.places, **part.places},
        {**below.policies, **givers},
        part.place,
        {**below.hidden, **part.hidden},
    )


def _shadowed(policies: list[Policy]) -> dict[str, None]:
    return {
        name: None
        for policy in policies
        for name, part in policy.sections.items()
        if part.mode is Mode.SHADOW
    }
