"""A body with another model in it, and not another byte changed.

The value of one member is cut out of the text and another put in its place. Nothing is parsed and
written again: white space, the order of members, escapes and the spelling of numbers stay as the
client, or who signs what it caches, made them.
"""

import json

from proxy.protocols.document import more_values
from proxy.protocols.spans import changed, members

MOST = 100_000
"""Values in a body. What holds more is no request to a model, and takes long to read (50 ms)."""


def with_model(content: bytes, model: str) -> bytes | None:
    """The same JSON object with `model` as its member of this name.

    None where it is no such object: one document of UTF-8, whose top level names the member once
    and in this spelling only, as a string.
    """
    if len(content) > MOST and more_values(content, MOST):
        return None
    try:
        text = content.decode()
        every = list(members(text))
    except (ValueError, RecursionError):  # no UTF-8, no JSON, too deep
        return None
    found = [member for member in every if member[0].casefold() == "model"]
    if len(found) != 1:
        return None
    name, value, begin, end = found[0]
    if name != "model" or not isinstance(value, str):
        return None
    return changed(text, [(begin, end, json.dumps(model))])
