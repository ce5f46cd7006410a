"""`holdfast probe`: a health check for whoever can only run a command.

Container engines and `exec` probes have no HTTP; an image without a shell has no curl either. It
asks the pages that everybody may ask (docs/admin.md), over TCP or the Unix socket.
"""

from collections.abc import Iterator
from typing import Any

import click

PAGES = {"ready": "/readyz", "live": "/livez", "started": "/startupz"}
SAYS = {"ready": "ready", "live": "alive", "started": "started"}
"""What each page says where the answer is yes."""


@click.command()
@click.argument("what", type=click.Choice([*PAGES]), default="ready")
@click.option(
    "--admin",
    metavar="URL",
    help="Of the proxy: a URL, host:port or unix:/path; else the settings'.",
)
def probe(what: str, admin: str | None) -> int:
    """Ask a proxy whether it is ready, live, or started; ready where nothing is named.

    ready: send it calls; not while it drains, or its journal cannot be written. live: it answers.
    started: it was ready once.

    \b
    Examples:
      holdfast probe
      holdfast probe live --admin unix:/run/holdfast/admin.sock
    Exit codes: 0 yes, 1 no, 2 cannot read the settings, 64 wrong usage.
    """
    from proxy.cli.asking import Unanswered, admin_of_settings, answered, understood

    address = admin or admin_of_settings()
    status, told = answered(address, PAGES[what])
    with understood(address):
        if status == 200 and told["status"] == SAYS[what]:
            print(told["status"])
            return 0
        if status != 503:
            raise ValueError("no probe says that")
        why = "; ".join(_wrong(told.get("parts", {})))
        raise Unanswered(told["status"] + (f": {why}" if why else ""))


def _wrong(parts: dict[str, Any]) -> Iterator[str]:
    """The parts that are not as they should be, and why."""
    for name, part in parts.items():
        if not part["ok"]:
            why = part.get("why") or part.get("state") or part.get("last_reload_error")
            yield f"{name} ({why})" if why else name
