"""How a command shows what is wrong with what was written."""

import contextlib
import sys
from collections.abc import Iterator

import click

from proxy.config.places import ConfigError

UNREADABLE, USAGE = 2, 64


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Print the errors of what was written, each on its line, and end the command.

    With 1; with 2 where there is nothing to read, with 64 where only flags are wrong.
    """
    try:
        yield
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        raise Broken(error) from error


class Broken(click.ClickException):
    """What was written cannot be used."""

    def __init__(self, error: ConfigError) -> None:
        super().__init__(f"{counted(len(error.problems))}; nothing was loaded")
        self.exit_code = _code(error)  # type: ignore[misc]  # click reads it from the instance


def _code(error: ConfigError) -> int:
    if not error.readable:
        return UNREADABLE
    return USAGE if all(each.place.file.startswith("--") for each in error.problems) else 1


def counted(errors: int) -> str:
    """`1 error`, `2 errors`."""
    return f"{errors} error{'' if errors == 1 else 's'}"
