"""`holdfast audit erase`: what is kept of a task or an agent is destroyed (docs/payloads.md)."""

import asyncio
import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from proxy.cli.asking import Unanswered, tell
from proxy.cli.journals import Failed, data_dir_of, harmless, reading
from proxy.cli.page import paint, say

if TYPE_CHECKING:
    from proxy.journal.erasures import Erasure

_PATIENCE = 600.0
"""Seconds for a proxy to erase what may be many gigabytes."""
_US = "holdfast audit erase"


@click.command()
@click.option("--task", metavar="ID", default="", help="All that was kept of one task.")
@click.option("--agent", metavar="ID", default="", help="All that was kept of one agent.")
@click.option("--subject", metavar="ID", default="", help="Not in this version: see below.")
@click.option("--reason", metavar="TEXT", default=_US, show_default=True, help="Is recorded.")
@click.option("--data-dir", metavar="DIR", help="Of the journal; else the settings'.")
@click.option("--json", "as_json", is_flag=True)
def erase(
    task: str, agent: str, subject: str, reason: str, data_dir: str | None, as_json: bool
) -> int:
    """Destroy the payloads of a task or an agent, and the keys to them, for good.

    The journal stays as it is, and every proof verifies; that it was done is recorded. A running
    proxy does it itself (by admin.sock in its data dir). Nothing is erased while the file `hold` is
    there (a legal hold). --subject needs calls that say whom they are about; none does yet.

    \b
    Examples:
      holdfast audit erase --task t-4711 --reason "asked for by the customer, case 12"
      holdfast audit erase --agent pricing-01 --json
    Exit codes: 0 erased, 1 refused or failed, 2 cannot read, 64 wrong usage.
    """
    from proxy.journal.erasures import NO_SUBJECT, is_no_name
    from proxy.journal.folder import Folder

    if subject:
        raise Failed(f"--{NO_SUBJECT}")
    if bool(task) == bool(agent):
        raise click.UsageError("choose what is erased: --task or --agent")
    if why := is_no_name(task or agent):
        raise click.UsageError(why)
    where = data_dir_of(data_dir)
    with reading(where):
        if not Folder(where).journal.is_dir():
            raise Failed(f"there is no journal in {where}; --data-dir names another", 2)
    what, whose = ("task", task) if task else ("agent", agent)
    told = _by_proxy(where, what, whose, reason) or _on_folder(where, what, whose, reason)
    if as_json:
        print(harmless(json.dumps(told)))
    else:
        done = f"{told['payloads']:,} payloads and {told['keys']:,} keys are destroyed"
        say([f"{paint(what)} {paint(whose)}: {done}; recorded as {paint(told['id'])}"])
    return 0


def _by_proxy(where: Path, what: str, whose: str, reason: str) -> dict[str, Any] | None:
    """None: no proxy runs there."""
    from proxy.journal.folder import CONTROL

    place = where / CONTROL
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(place))
        except OSError:  # none, one that is left from a crash, or a path that is too long
            return None
    try:
        told = tell(f"unix:{place}", "/v1/erasures", {what: whose, "reason": reason}, _PATIENCE)
    except Unanswered as error:
        raise Failed(error.message) from error
    return dict(told)


def _on_folder(where: Path, what: str, whose: str, reason: str) -> dict[str, Any]:
    """As the one process that has the data dir."""
    import msgspec

    from proxy.cli.problems import loading
    from proxy.config.settings import load_settings
    from proxy.journal.erasures import Held
    from proxy.journal.folder import Locked
    from proxy.journal.notes import BadKey
    from proxy.journal.sealing import Trouble

    with loading():
        settings = msgspec.structs.replace(load_settings(), data_dir=str(where))
    try:
        done = asyncio.run(_erased(settings, what, whose, reason))
    except (Held, Locked, BadKey, Trouble) as error:
        raise Failed(str(error)) from error
    except OSError as error:
        raise Failed(f"{where} cannot be written: {error.strerror or error}") from error
    return done.answer()


async def _erased(settings: Any, what: str, whose: str, reason: str) -> "Erasure":
    from proxy.clock import Clock
    from proxy.news import News
    from proxy.observe.logs import Log
    from proxy.trail import Trail

    clock = Clock()
    log = Log(clock, "error", settings.log.format)
    trail = Trail(settings, clock, News(), log)
    try:
        await trail.start()
        return await trail.erase(what, whose, _US, reason)
    finally:
        await trail.stop(_US)
        await clock.stop()
        log.close()
