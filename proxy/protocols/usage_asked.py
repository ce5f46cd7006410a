"""A body that asks what its answer uses, and not another byte changed.

Streams of chat completions tell it only to who asks (`stream_options.include_usage`). Where an
agent does not, we may ask in its place; what comes of it is kept from it (`ChatHeard`).
"""

from proxy.protocols.document import more_values
from proxy.protocols.rewriting import MOST
from proxy.protocols.spans import Change, blank, changed, members

_OPTIONS = "stream_options"
_USAGE = "include_usage"


def asking_usage(content: bytes) -> bytes | None:
    """The same JSON object with `stream_options.include_usage` true in it.

    None where it is no such object: one document of UTF-8, that names either member once at most
    and in this spelling only, and the options as an object or null.
    """
    if len(content) > MOST and more_values(content, MOST):
        return None
    try:
        text = content.decode()
        return changed(text, [_change(text)])
    except (ValueError, RecursionError):  # no UTF-8, no JSON, too deep, named in two ways
        return None


def _change(text: str) -> Change:
    """Raises ValueError where there is none to be made."""
    options = _one(text, 0, _OPTIONS)
    if options is None:
        return _first(text, 0, f'"{_OPTIONS}":{{"{_USAGE}":true}}')
    value, begin, end = options
    if value is None:
        return begin, end, f'{{"{_USAGE}":true}}'
    usage = _one(text, begin, _USAGE)
    if usage is None:
        return _first(text, begin, f'"{_USAGE}":true')
    return usage[1], usage[2], "true"


def _one(text: str, at: int, name: str) -> tuple[object, int, int] | None:
    """The member of this name of the object that begins there: its value, and where it stands.

    Raises ValueError where there is no object, or more than one such member.
    """
    found = [member for member in members(text, at) if member[0].casefold() == name]
    if not found:
        return None
    if len(found) > 1 or found[0][0] != name:
        raise ValueError(f"{name} in two ways")
    return found[0][1:]


def _first(text: str, at: int, member: str) -> Change:
    """Put in as the first member of the object that begins there."""
    inside = blank(text, at) + 1
    alone = text.startswith("}", blank(text, inside))
    return inside, inside, member if alone else member + ","
