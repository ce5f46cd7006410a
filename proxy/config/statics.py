"""Judges answers that policies give themselves: whether those for whom they are can read them."""

from collections.abc import Iterator, Mapping
from typing import Any

from proxy.config.elsewhere import may_hold
from proxy.config.match import Globs, truth
from proxy.config.places import Problem
from proxy.config.types import Mode, Policy, Upstream
from proxy.protocols.recognise import OF_CALLS

_RESULTS = frozenset(name for name, each in OF_CALLS.items() if each.has_results)
_STREAMS = frozenset(name for name, each in OF_CALLS.items() if each.asks_for_streams)
_ANY = Globs(("*",))


def unread(policies: list[Policy], upstreams: Mapping[str, Upstream]) -> Iterator[Problem]:
    """Answers that nobody whom the policy is for could read: errors."""
    for policy in policies:
        part = policy.sections.get("fallback")
        if part is None or not part.on or Mode.OFF in (part.mode, policy.mode):
            continue
        spoken = _spoken(policy, upstreams)
        for i, link in enumerate(part.fields.get("chain", ()) if spoken else ()):
            wrong = "" if link.static is None else _misfit(link.static, policy, spoken)
            if wrong:
                place = part.places.get(f"chain[{i}].static", part.places.get("chain", part.place))
                yield Problem(place, f"{policy.path}.fallback.chain[{i}].static", wrong)


def unreached(policies: list[Policy], upstreams: Mapping[str, Upstream]) -> Iterator[Problem]:
    """Links behind one that always answers: warnings."""
    for policy in policies:
        part = policy.sections.get("fallback")
        if part is None:
            continue
        chain = part.fields.get("chain", ())
        spoken = _spoken(policy, upstreams)
        ends = [
            at
            for at, link in enumerate(chain)
            if link.human or (link.static and _fits_all(link.static, policy, spoken))
        ]
        if ends and ends[0] < len(chain) - 1:
            message = f"unreachable: nothing is asked after {chain[ends[0]].name}, which answers"
            place = part.places.get("chain", part.place)
            yield Problem(place, f"{policy.path}.fallback.chain", message)


def _spoken(policy: Policy, upstreams: Mapping[str, Upstream]) -> set[str]:
    """The protocols of the calls that the policy may be for. What an upstream of one of them is
    asked beside these is left aside: it is plain HTTP, and little."""
    globs = policy.match.globs
    held = [each.protocol for name, each in upstreams.items() if may_hold(policy, name, each)]
    return {
        protocol
        for spoken in held
        for protocol in (OF_CALLS if spoken == "auto" else (spoken,))
        if globs.get("protocol", _ANY).hold(protocol)
        and globs.get("layer", _ANY).hold(OF_CALLS[protocol].layer)
    }


def _misfit(static: Any, policy: Policy, spoken: set[str]) -> str:
    named = ", ".join(sorted(spoken))
    if static.result is not None:
        fits = not spoken.isdisjoint(_RESULTS)
        return "" if fits else f"a result is for mcp and a2a; expected a body, as {named} has it"
    if spoken <= {"mcp"}:
        return "clients of mcp read no body of ours; expected a result"
    if spoken <= _STREAMS and _only(policy, streams=True) and static.status < 400:
        return "who asks for a stream reads no body; expected a match with stream: false"
    return ""


def _fits_all(static: Any, policy: Policy, spoken: set[str]) -> bool:
    """Is there nobody who is asked to go on to the next link?"""
    if static.result is not None:
        return spoken <= _RESULTS
    if not spoken.isdisjoint(_RESULTS):
        return False
    return spoken.isdisjoint(_STREAMS) or static.status >= 400 or _only(policy, streams=False)


def _only(policy: Policy, *, streams: bool) -> bool:
    return policy.match.globs.get("stream") == Globs((truth(streams),))
