"""What a name must be like, by which policies and whoever is called know the same."""

import re

LONGEST_NAME = 256
"""Characters of a tool, a model or an operation."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def stays_whole(name: str) -> bool:
    """Is there nothing in it by which a reader may come to another name? Some cut blank ends off,
    or stop at a NUL."""
    return name == name.strip() and (name.isprintable() or not _CONTROL.search(name))
