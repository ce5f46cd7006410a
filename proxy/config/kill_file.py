"""The file `kill` of the data dir: one scope a line, stopped for as long as somebody wants it so.

`agent:pay-* # wrong recipients, Alice`: what stands behind ` #` is the reason. Lines that begin
with `#`, and empty ones, say nothing.
"""

from pathlib import Path

import msgspec

from proxy.config.disk import LARGEST, content
from proxy.state.killed import Kill
from proxy.state.kills import LONGEST
from proxy.state.scopes import Scope

NAME = "kill"
"""Of the file."""
_NO_REASON = "it stands in the file kill"


class Lines(msgspec.Struct, frozen=True):
    """What stands in it, and what of it cannot be read."""

    kills: dict[Scope, Kill] = {}
    problems: tuple[str, ...] = ()
    ended: bool = True  # the last line is; else it may still be being written


def read(path: Path) -> Lines | str:
    """What the file holds; nothing, where there is none. A text says why it cannot be read."""
    try:
        held = content(path)
    except FileNotFoundError:
        return Lines()
    except OSError as error:
        return f"{path} cannot be read: {error.strerror or error}"
    if len(held) > LARGEST:
        return f"{path} is larger than {LARGEST} bytes"
    return _lines(str(path), held.decode("utf-8", "replace"))


def _lines(path: str, text: str) -> Lines:
    kills: dict[Scope, Kill] = {}
    problems: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        scope, _, reason = f" {line}".partition(" #")
        if not scope.strip():
            continue
        place = f"{path}:{number}"
        try:
            found = Scope.parse(scope.strip())
        except ValueError as error:
            problems.append(f"{place}: {error}")
            continue
        why = reason.strip()[:LONGEST] or _NO_REASON
        kills.setdefault(found, Kill(found, why, "file", "file", place=place))
    return Lines(kills, tuple(problems), text.endswith("\n") or not text)
