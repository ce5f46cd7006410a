"""Which operation of a model API a path names, whatever stands before it.

There is no other tool that such a path could be read as: the model stands in the body, under the
same name for all operations. So whatever some server may take for one of them counts as it: other
letters, escapes, double slashes, dot segments, parameters. Only where the path itself names the
model (Azure's deployments) must it have one reading.
"""

import re
from urllib.parse import unquote_to_bytes

import msgspec

from proxy.protocols.claims import DECEPTIVE

_CUT = re.compile(rb"[?#\0]")  # where a path ends for who unescapes it before he looks
_NAMES_MODELS = frozenset({b"deployments", b"engines"})
_LISTING = re.compile(r"(?:/[^/]*)*/models(?:/[\w.:@~-]+){0,2}/?", re.ASCII)


class Path(msgspec.Struct, frozen=True):
    """What a path says."""

    operation: str = ""  # empty: none that is known
    model: str = ""  # empty: the body names it
    deceptive: bool = False  # the model in it can be read in more than one way


def find_path(operations: tuple[str, ...], target: bytes) -> Path:
    """What the path of this target says; longer operations stand before those that they end
    with."""
    path = target.partition(b"?")[0]
    segments = _segments(path)
    for operation in operations:
        named = operation.encode().split(b"/")
        if segments[-len(named) :] == named:
            return _named(path, segments[: -len(named)], operation)
    return Path()


def _segments(path: bytes) -> list[bytes]:
    """Those of the path as the most lenient reader has it."""
    plain = unquote_to_bytes(unquote_to_bytes(path)).replace(b"\\", b"/").lower()
    kept: list[bytes] = []
    for segment in _CUT.split(plain, maxsplit=1)[0].split(b"/"):
        name = segment.partition(b";")[0].strip()
        if name == b"..":
            del kept[-1:]
        elif name not in {b"", b"."}:
            kept.append(name)
    return kept


def _named(path: bytes, before: list[bytes], operation: str) -> Path:
    if _NAMES_MODELS.isdisjoint(before):
        return Path(operation)
    if DECEPTIVE.search(path) or b"%25" in path:  # an escape that is escaped
        return Path(operation, deceptive=True)
    if _NAMES_MODELS.isdisjoint(before[-2:-1]):
        return Path(operation)
    at = -1 - len(operation.split("/"))
    model = unquote_to_bytes(path).rstrip(b"/").split(b"/")[at].decode("utf-8", "replace")
    return Path(operation, model)


def is_listing(path: str) -> bool:
    """Does a path, as policies match it, ask which models there are, or about one of them?"""
    return bool(_LISTING.fullmatch(path))
