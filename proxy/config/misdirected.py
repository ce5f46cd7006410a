"""What is wrong with mirrors as policy files write them, by themselves and beside the upstreams."""

from collections.abc import Iterator, Mapping

from msgspec import UNSET

from proxy.config import document
from proxy.config.judge import Judged
from proxy.config.mirrors import Mirror
from proxy.config.places import Place, Problem
from proxy.config.store_url import MEMORY
from proxy.config.types import Upstream
from proxy.config.wording import nearest
from proxy.globs import holds
from proxy.journal.entries import TYPES

Written = list[tuple[Mirror, document.Mapping, str]]
_OF_KIND = {
    "gateway": ("upstream",),
    "redis": ("store", "stream", "maxlen"),
    "webhook": ("url", "secret", "allow_private"),
    "stdout": (),
}
_NEEDS = {"gateway": "upstream", "webhook": "url"}
_SENDS = frozenset({"tools", "auto"})
"""Protocols of upstreams that may be the tool gateway."""


def misdirected(
    mirrors: Written, upstreams: Mapping[str, Upstream], names: Mapping[str, Place]
) -> Judged:
    """What is wrong with mirrors, by themselves and beside the upstreams. `names`: of all of them,
    also of those that could not be read."""
    errors: list[Problem] = []
    warnings: list[Problem] = []
    for mirror, node, path in mirrors:
        errors += _of_its_kind(mirror, node, path)
        errors += _types(mirror, node, path)
        errors += _values(mirror, node, path)
        errors += _upstream(mirror, node, path, upstreams, names)
        warnings += _trust(mirror, node, path, upstreams)
    return Judged(errors, warnings)


def _problem(node: document.Mapping, path: str, name: str, message: str) -> Problem:
    found = node.items.get(name) or node.items["kind"]
    return Problem(found.node.place, f"{path}.{name}", message)


def _of_its_kind(mirror: Mirror, node: document.Mapping, path: str) -> Iterator[Problem]:
    needed = _NEEDS.get(mirror.kind)
    if needed is not None and needed not in node.items:
        message = f"a mirror of kind {mirror.kind} needs {needed}"
        yield _problem(node, path, needed, message)
    for kind, names in _OF_KIND.items():
        for name in names:
            if kind != mirror.kind and name in node.items:
                message = f"is of kind {kind}, this mirror is of kind {mirror.kind}: leave it out"
                yield _problem(node, path, name, message)


def _types(mirror: Mirror, node: document.Mapping, path: str) -> Iterator[Problem]:
    for glob in mirror.types:
        if not any(holds(glob.removeprefix("!"), word) for word in TYPES):
            hint = nearest(glob.removeprefix("!"), TYPES) or "; docs/journal.md lists the types"
            yield _problem(node, path, "types", f"no record is of the type {glob}{hint}")


def _values(mirror: Mirror, node: document.Mapping, path: str) -> Iterator[Problem]:
    try:
        keys = mirror.keys
    except ValueError as error:
        yield _problem(node, path, "secret", str(error))
    else:
        if len(keys) > 2:
            yield _problem(node, path, "secret", f"expected one secret or two, found {len(keys)}")
    if mirror.store is not UNSET and mirror.store == MEMORY:
        yield _problem(node, path, "store", "expected the URL of a Redis: in memory nobody reads")


def _upstream(
    mirror: Mirror,
    node: document.Mapping,
    path: str,
    upstreams: Mapping[str, Upstream],
    names: Mapping[str, Place],
) -> Iterator[Problem]:
    if mirror.upstream is UNSET:
        return
    name = str(mirror.upstream)
    if name not in names:
        yield _problem(node, path, "upstream", f"there is no upstream {name}{nearest(name, names)}")
    elif name in upstreams and upstreams[name].protocol not in _SENDS:
        word = upstreams[name].protocol
        message = f"{name} speaks {word}: expected the tool gateway (protocol tools or auto)"
        yield _problem(node, path, "upstream", message)


def _trust(
    mirror: Mirror, node: document.Mapping, path: str, upstreams: Mapping[str, Upstream]
) -> Iterator[Problem]:
    found = None if mirror.upstream is UNSET else upstreams.get(str(mirror.upstream))
    if found is not None and (found.tls.ca or found.tls.insecure):
        message = (
            f"the certificate of {mirror.upstream} must be one that the system trusts: mirrors "
            "do not use its tls.ca or tls.insecure; SSL_CERT_FILE names other authorities"
        )
        yield _problem(node, path, "upstream", message)
