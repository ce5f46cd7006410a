"""Where the journal is that a command reads, whose keys count, and how its lines are shown."""

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from proxy.cli.problems import UNREADABLE, loading

if TYPE_CHECKING:
    from proxy.journal.notes import Verifier
    from proxy.journal.records import Records


class Failed(click.ClickException):
    """It failed: a line that says what to do, and the exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]  # click reads it from the instance


def data_dir_of(given: str | None) -> Path:
    """The one that is given; else the settings'."""
    if given is not None:
        return Path(given)
    from proxy.config.settings import load_settings

    with loading():
        return Path(load_settings().data_dir)


@contextlib.contextmanager
def records_of(given: str | None) -> "Iterator[Records]":
    """The records of a data dir. Says what could not be read of them, at the end."""
    from proxy.cli.progress import Bar
    from proxy.journal.records import Records

    data_dir = data_dir_of(given)
    alone = not sys.stdout.isatty()  # else the bar would stand between the lines
    with reading(data_dir), Bar("reading", sys.stderr, wanted=alone) as bar:
        found = Records(data_dir, progress=bar)
        if not found.there:
            why = f"there is no journal in {data_dir}; --data-dir names another"
            raise Failed(why, UNREADABLE)
        yield found
    if found.broken:
        raise Failed(f"not all was read: {found.broken[0]}; see holdfast audit verify")


@contextlib.contextmanager
def reading(data_dir: Path) -> Iterator[None]:
    """What the files do not let one do is said in a line. Not what standard output does not."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise
        why = f"{error.filename} cannot be read: {error.strerror}"
        raise Failed(f"{why}; run it as who may read {data_dir}", UNREADABLE) from error


def keys_of_text(given: str, code: int = UNREADABLE) -> "tuple[Verifier, ...]":
    """The keys that --key names: a verifier-key line, or a file of them."""
    from proxy.journal.notes import BadKey, Verifier, keys_of

    try:
        return (Verifier.parse(given),)
    except (BadKey, ValueError):
        pass
    try:
        found = keys_of(Path(given).read_text("utf-8"))
    except (FileNotFoundError, ValueError) as error:
        if not isinstance(error, FileNotFoundError):
            raise Failed(f"--key {given} is no file of verifier keys: {error}", code) from error
        why = "neither a verifier key (NAME+ID+BASE64) nor a file of them"
        raise click.UsageError(f"--key {given} is {why}") from error
    except OSError as error:
        why = f"--key {given} cannot be read: {error.strerror}; name another file"
        raise Failed(why, code) from error
    if not found:
        raise Failed(f"--key {given} holds no verifier key; name another file", code)
    return found


def keys_in(given: str | None, data_dir: Path) -> "tuple[Verifier, ...]":
    """The keys that --key names; else those of a data dir."""
    from proxy.journal.folder import Folder

    if given is not None:
        return keys_of_text(given)
    file = Folder(data_dir).public
    with reading(data_dir):
        there = file.exists()
    if not there:
        why = f"there is no key in {data_dir}; --key takes one, --data-dir names another folder"
        raise Failed(why, UNREADABLE)
    return keys_of_text(str(file))


def harmless(text: str) -> str:
    """JSON in which there is nothing that a terminal would act upon; it means the same."""
    if not text.isascii():
        text = json.dumps(json.loads(text), separators=(",", ":"))
    return text.replace("\x7f", "\\u007f")
