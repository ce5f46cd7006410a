"""Judges where policies send calls that are not for them: other upstreams, by their names."""

from collections.abc import Iterator, Mapping
from typing import Any

from proxy.config.places import Place, Problem
from proxy.config.types import Mode, Part, Policy, Upstream
from proxy.config.wording import nearest

Edges = dict[str, dict[str, tuple[Policy, Part]]]
"""From an upstream to others that stand in for it, and who says so."""


def misled(
    policies: list[Policy], upstreams: Mapping[str, Upstream], known: list[str]
) -> Iterator[Problem]:
    """Routes and chains that lead to nothing or to another protocol; chains that go in a circle."""
    for policy in policies:
        yield from _routes(policy, upstreams, known)
    edges: Edges = {}
    for policy in policies:
        part = policy.sections.get("fallback")
        if part is None or not part.on or Mode.OFF in (part.mode, policy.mode):
            continue
        links = part.fields.get("chain", ())
        names = [link.upstream for link in links if link.upstream is not None]
        for name in names:
            if name not in known:
                message = f"no upstream has this name: {name}{nearest(name, known)}"
                yield _at(policy, part, message)
        there = [name for name in names if name in upstreams]
        for start in _starts(policy, upstreams):
            yield from _other_protocol(policy, part, upstreams, start, there)
            if start not in names or "upstream" in policy.match.globs:
                stand_ins = [link.upstream for link in links if _is_another(link, start)]
                edges.setdefault(start, {}).update(dict.fromkeys(stand_ins, (policy, part)))
    yield from _circles(edges)


def _routes(
    policy: Policy, upstreams: Mapping[str, Upstream], known: list[str]
) -> Iterator[Problem]:
    part = policy.sections.get("route", Part(policy.place))
    listed = part.places.get("choices") == part.place
    path = f"{policy.path}.route" if listed else f"{policy.path}.route.choices"
    for i, choice in enumerate(part.fields.get("choices", ())):
        name = choice.upstream
        if name is not None and name not in known:
            wrong = f"no upstream has this name: {name}{nearest(name, known)}"
        else:
            wrong = _unspoken(policy, name, upstreams) if name in upstreams else ""
        if wrong:
            place = part.places[f"choices[{i}].upstream"]
            yield Problem(place, f"{path}[{i}].upstream", wrong)


def _unspoken(policy: Policy, name: str, upstreams: Mapping[str, Upstream]) -> str:
    """Why calls that the policy matches cannot be sent there; empty: they can."""
    there = upstreams[name].protocol
    for own, upstream in upstreams.items():
        alike = upstream.protocol == there or "auto" in (upstream.protocol, there)
        if not alike and may_hold(policy, own, upstream):
            ours = upstream.protocol
            return f"{name} speaks {there}, and {own}, which this policy matches, {ours}"
    return ""


def may_hold(policy: Policy, name: str, upstream: Upstream) -> bool:
    """May a call of this upstream be one that the policy is for?"""
    globs = policy.match.globs
    known = {"upstream": name}
    if upstream.protocol != "auto":
        known["protocol"] = upstream.protocol
    return policy.mode is not Mode.OFF and all(
        globs[key].hold(value) for key, value in known.items() if key in globs
    )


def _starts(policy: Policy, upstreams: Mapping[str, Upstream]) -> list[str]:
    globs = policy.match.globs.get("upstream")
    return [name for name in upstreams if globs is None or globs.hold(name)]


def _is_another(link: Any, start: str) -> bool:
    return link.upstream is not None and not (link.upstream == start and link.model is not None)


def _other_protocol(
    policy: Policy, part: Part, upstreams: Mapping[str, Upstream], start: str, there: list[str]
) -> Iterator[Problem]:
    if "upstream" not in policy.match.globs:
        return  # it is for all of them, whatever they speak
    ours = upstreams[start].protocol
    for name in there:
        theirs = upstreams[name].protocol
        if theirs != ours:
            message = f"{name} speaks {theirs}, and {start}, for which it would stand in, {ours}"
            yield _at(policy, part, message)


def _circles(edges: Edges) -> Iterator[Problem]:
    """Each circle once, where its first policy says so."""
    done: set[str] = set()
    for start in edges:
        path = _back_to(edges, start, done)
        if path:
            done.update(path)
            policy, part = edges[start][path[1]]
            yield _at(policy, part, f"a fallback cycle: {' → '.join(path)}")


def _back_to(edges: Edges, start: str, without: set[str]) -> list[str]:
    """A path from an upstream back to itself; empty if there is none."""
    paths, seen = [[start]], set(without)
    while paths:
        path = paths.pop()
        for name in edges.get(path[-1], {}):
            if name == start and start not in without:
                return [*path, name]
            if name not in seen:
                seen.add(name)
                paths.append([*path, name])
    return []


def _at(policy: Policy, part: Part, message: str) -> Problem:
    place: Place = part.places.get("chain", part.place)
    return Problem(place, f"{policy.path}.fallback.chain", message)
