"""Where something was written, and what is wrong with it."""

from collections.abc import Iterable

import msgspec


class Place(msgspec.Struct, frozen=True, order=True):
    """A place in a file. Lines and columns count from 1; line 0: the source has no lines."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    @property
    def short(self) -> str:
        """File and line alone, for lists."""
        return f"{self.file}:{self.line}" if self.line else self.file


def visible(text: str) -> str:
    """The text on one line: what a terminal would act upon, or would not show, as an escape.

    Names come from files and from agents; one may hold a terminal's commands, a line of its own
    that looks like ours, or marks that turn the direction of writing.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


class Problem(msgspec.Struct, frozen=True, order=True):
    """An error or a warning."""

    place: Place
    path: str  # in the document: policies[2].retry.attempts; empty: all of it
    message: str

    def __str__(self) -> str:
        return visible(": ".join(filter(None, (str(self.place), self.path, self.message))))


class ConfigError(Exception):
    """What was written cannot be used. Holds all problems, in the order of files and lines."""

    def __init__(self, problems: Iterable[Problem], readable: bool = True) -> None:
        """`readable` is False where nothing could be read at all: no such folder or file."""
        self.problems = tuple(sorted(set(problems)))
        self.readable = readable
        super().__init__("\n".join(map(str, self.problems)))
