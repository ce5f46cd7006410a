"""How a command shows what is wrong with what was written."""

import contextlib
import sys
from collections.abc import Iterator

import click

from proxy.config.places import ConfigError

UNREADABLE = 2


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Print the errors of a file, each on its line, and end the command with 1; 2: unreadable."""
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
        if not error.readable:
            self.exit_code = UNREADABLE  # type: ignore[misc]  # click reads it from the instance


def counted(errors: int) -> str:
    """`1 error`, `2 errors`."""
    return f"{errors} error{'' if errors == 1 else 's'}"
