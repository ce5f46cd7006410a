"""The file `kill` of the data dir: one scope a line, stopped for as long as somebody wants it so.

`agent:pay-* # wrong recipients, Alice`: what stands behind ` #` is the reason. Lines that begin
with `#`, and empty ones, say nothing. Somebody writes it in a hurry, with whatever is at hand: what
editors and shells of Windows put in front is read as they mean it.
"""

import codecs
import re
from pathlib import Path

import msgspec

from proxy.config.disk import LARGEST, content
from proxy.state.killed import Kill
from proxy.state.kills import LONGEST, PEOPLES
from proxy.state.scopes import ALL, Scope

NAME = "kill"
"""Of the file."""
MOST_PROBLEMS = 20
"""That are told; of more, how many."""
_NO_REASON = "it stands in the file kill"
_REASON = re.compile(r"(?:^|\s)#")


class Lines(msgspec.Struct, frozen=True):
    """What stands in it, and what of it cannot be read."""

    kills: dict[Scope, Kill] = {}
    problems: tuple[str, ...] = ()
    ended: bool = True  # the last line is; else it may still be being written
    held: bytes = b""  # what was read


def read(path: Path, before: Lines | None = None) -> Lines | str:
    """What the file holds; nothing, where there is none. A text says why it cannot be read.

    `before`, where it holds the same as then.
    """
    try:
        held = content(path)
    except FileNotFoundError:
        return Lines()
    except OSError as error:
        return f"{path} cannot be read: {error.strerror or error}"
    if len(held) > LARGEST:
        return f"{path} is larger than {LARGEST} bytes"
    if before is not None and before.held == held:
        return before
    return _lines(str(path), held)


def _lines(path: str, held: bytes) -> Lines:
    kills: dict[Scope, Kill] = {}
    problems: list[str] = []
    text = _text(held)
    for number, line in enumerate(text.split("\n"), 1):
        scope, *reason = _REASON.split(line, 1)
        if not scope.strip():
            continue
        place = f"{path}:{number}"
        try:
            found = Scope.parse(scope.strip())
        except ValueError as error:
            problems.append(f"{place}: {error}")
            continue
        if len(kills) >= PEOPLES and found != ALL:
            problems.append(f"{place}: there are more than {PEOPLES} scopes; kill a wider one")
            continue
        why = "".join(reason).strip()[:LONGEST] or _NO_REASON
        kills.setdefault(found, Kill(found, why, "file", "file", place=place))
    more = len(problems) - MOST_PROBLEMS
    if more > 0:
        problems[MOST_PROBLEMS:] = [f"{path}: {more} more lines kill nothing"]
    return Lines(kills, tuple(problems), text.endswith("\n") or not text, held)


def _text(held: bytes) -> str:
    wide = held.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return held.decode("utf-16" if wide else "utf-8-sig", "replace")
