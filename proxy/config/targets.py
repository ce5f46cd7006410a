"""Upstreams that are named by others, and how an upstream is probed: what only the set shows."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from proxy.call import Effect
from proxy.config.cascade import cascade
from proxy.config.document import Mapping as MappingNode
from proxy.config.document import Node, Sequence
from proxy.config.match import KEYS, truth
from proxy.config.places import Place, Problem
from proxy.config.types import Policy, Upstream
from proxy.config.wording import nearest


def named_as_target(
    policies: Iterable[Policy], upstreams: Mapping[str, Upstream]
) -> frozenset[str]:
    """The upstreams that others send calls to. They need no mount of their own."""
    backups = {name for upstream in upstreams.values() for name in upstream.backups}
    links = (link for policy in policies for link in _links(policy))
    return frozenset(backups | {link.upstream for link in links if link.upstream is not None})


def at_root(policies: Iterable[Policy], upstreams: Mapping[str, Upstream]) -> list[str]:
    """Of the upstreams that give no path those that stand at `/`: they are named by nobody; or, if
    nobody else stands there, the only one."""
    without = [name for name, upstream in upstreams.items() if upstream.path is None]
    targets = named_as_target(policies, upstreams)
    unnamed = [name for name in without if name not in targets]
    given = any(upstream.path == "/" for upstream in upstreams.values())
    return without if len(without) == 1 and not given else unnamed


def _links(policy: Policy) -> Iterator[Any]:
    """What its sections say of where else calls may go: each may name an upstream."""
    for name, field in (("fallback", "chain"), ("route", "choices")):
        if name in policy.sections:
            yield from policy.sections[name].fields.get(field, ())


def backup_problems(
    upstreams: Mapping[str, Upstream],
    names: Mapping[str, Place],
    nodes: Mapping[str, Node],
    replaced: str,
) -> Iterator[Problem]:
    """Backups that cannot be. `names` and `nodes` are of all upstreams; `replaced` is the one whose
    place the command line's has taken."""
    for owner, upstream in upstreams.items():
        for at, name in enumerate(upstream.backups):
            wrong = _wrong(owner, upstream, at, upstreams, names)
            if not wrong and name == replaced:
                wrong = f"--upstream has taken the place of {name}"
            if wrong:
                place = _inside(nodes[owner], "backups", at)
                yield Problem(place, f"upstreams.{owner}.backups[{at}]", wrong)


def _wrong(
    owner: str,
    upstream: Upstream,
    at: int,
    upstreams: Mapping[str, Upstream],
    names: Mapping[str, Place],
) -> str:
    name = upstream.backups[at]
    if name not in names:
        return f"no upstream has this name: {name}{nearest(name, names)}"
    if name == owner:
        return "an upstream cannot be its own backup"
    if name in upstream.backups[:at]:
        return f"{name} stands before it already"
    other = upstreams.get(name)
    if other is not None and other.protocol != upstream.protocol:
        return f"{name} speaks {other.protocol}; expected {upstream.protocol}, as {owner} does"
    return ""


def probe_warnings(
    policies: Iterable[Policy], upstreams: Mapping[str, Upstream], nodes: Mapping[str, Node]
) -> Iterator[Problem]:
    """Probes that call what may cost or change something, as far as policies know."""
    policies = list(policies)
    for name, upstream in upstreams.items():
        tool = None if upstream.health is None else upstream.health.tool
        if tool is None:
            continue
        facts = dict.fromkeys(KEYS, "") | {
            "upstream": name, "protocol": "tools", "layer": "tool", "tool": tool, "method": "POST",
            "stream": truth(False),
        }  # fmt: skip
        if cascade(policies, facts).effect in (None, Effect.WRITE):
            yield Problem(
                _inside(nodes[name], "health", "tool"),
                f"upstreams.{name}.health.tool",
                f"{tool} counts as a write, and is called again and again; "
                "say effect: read in a policy if it is one",
            )


def _inside(node: Node, *way: str | int) -> Place:
    for step in way:
        if isinstance(step, int):
            assert isinstance(node, Sequence)  # or it could not have been read
            node = node.items[step]
        else:
            assert isinstance(node, MappingNode)
            node = node.items[step].node
    return node.place
