"""What a command shows to people: lines that fit the terminal, coloured only where there is one."""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence

import click

from proxy.config.places import visible

NARROW, WIDE = 60, 100
_GAP = "  "


def say(lines: Iterable[str]) -> None:
    """Print them; colours are for terminals, and for those who did not say NO_COLOR."""
    plain = not sys.stdout.isatty() or bool(os.environ.get("NO_COLOR"))
    for line in lines:
        print(click.unstyle(line) if plain else line)


def width() -> int:
    """Columns to fill: those of the terminal, but no more than are easy to read."""
    return max(NARROW, min(WIDE, shutil.get_terminal_size((80, 24)).columns))


def paint(text: object, colour: str = "", *, bold: bool = False, dim: bool = False) -> str:
    """Text that may come from anybody, made harmless, then coloured."""
    harmless = visible(str(text))
    if not (colour or bold or dim):
        return harmless
    return click.style(harmless, fg=colour or None, bold=bold or None, dim=dim or None)


def folded(text: str, indent: int, columns: int) -> list[str]:
    """The text in lines of so many columns; the later ones are to be indented as the first is."""
    room = max(20, columns - indent)
    first, *rest = textwrap.wrap(
        visible(text), room, break_long_words=True, break_on_hyphens=False
    ) or [""]
    return [first, *(" " * indent + line for line in rest)]


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: str = "") -> Iterator[str]:
    """Rows under their head, in columns as wide as they need; `right` has an r for each column
    that is aligned there. Cells may be painted."""
    cells = [[paint(title, dim=True) for title in head], *rows]
    widths = [max(len(click.unstyle(row[at])) for row in cells) for at in range(len(head))]
    for row in cells:
        padded = [
            _padded(cell, widths[at], right[at : at + 1] == "r") for at, cell in enumerate(row)
        ]
        yield (_GAP + _GAP.join(padded)).rstrip()


def cut(text: str, most: int) -> str:
    """The text, or its beginning and an ellipsis."""
    text = visible(text)
    return text if len(text) <= most else text[: most - 1] + "…"


def _padded(cell: str, columns: int, right: bool) -> str:
    room = " " * (columns - len(click.unstyle(cell)))
    return room + cell if right else cell + room
