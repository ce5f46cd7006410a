"""How commands reach a running proxy: the options that say where it is, and who asks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from proxy.cli.journals import data_dir_of
from proxy.cli.showing import with_token

Command = TypeVar("Command", bound=Callable[..., Any])

PATIENCE = 30.0
"""Seconds for a change: it is answered when it is on disk, and a disk may be slow."""


def to_look(command: Command) -> Command:
    """Options of a command that only looks: at the address that the settings say."""
    where = "Of the proxy: a URL, host:port or unix:/path; else the settings'."
    for option in (with_token, click.option("--admin", metavar="URL", help=where)):
        command = option(command)
    return command


def to_change(command: Command) -> Command:
    """Options of a command that changes something: at the socket that the data dir has for it."""
    where = "Another proxy's; needs a token. Else DIR/admin.sock."
    for option in (
        click.option("--json", "as_json", is_flag=True),
        click.option("--data-dir", metavar="DIR", help="Of the proxy; else the settings'."),
        with_token,
        click.option("--admin", metavar="URL", help=where),
    ):
        command = option(command)
    return command


def control_of(admin: str | None, data_dir: str | None) -> str:
    """Where a proxy takes changes, by what these options say."""
    from proxy.journal.folder import CONTROL

    return admin or f"unix:{Path(data_dir_of(data_dir)) / CONTROL}"
