"""`holdfast sandbox`: a tool gateway to try things on."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import click


@click.command()
@click.option("--listen", default="127.0.0.1:8790", show_default=True, help="host:port, or port 0.")
@click.option("--seed", default=0, show_default=True, help="The same seed, the same answers.")
@click.option("--script", type=click.Path(path_type=Path), help="JSON: a list of faults, in order.")
def sandbox(listen: str, seed: int, script: Path | None) -> int:
    """Serve a tool gateway with state, money and errors on demand, until SIGTERM or SIGINT.

    \b
    Examples:
      holdfast sandbox
      curl -s 127.0.0.1:8790/v1/get_balance -d '{"agent_id": "agent-1"}'
      curl -s 127.0.0.1:8790/_calls
    Exit codes: 0 stopped as asked, 1 could not start, 64 wrong usage.
    """
    faults = None if script is None else _read(script)
    asyncio.run(_serve(listen, seed, faults))
    return 0


def _read(script: Path) -> list[Any]:
    try:
        faults = json.loads(script.read_bytes())
    except OSError as error:
        raise click.ClickException(f"{script} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise click.ClickException(f"{script} is not JSON: {error}") from error
    if not isinstance(faults, list):
        raise click.ClickException(f"{script} holds no list of faults")
    return faults


async def _serve(listen: str, seed: int, faults: list[Any] | None) -> None:
    from proxy.lab.sandbox.gateway import start

    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        gateway = await start(listen, seed, faults)
    except (ValueError, OSError) as error:
        raise click.ClickException(f"cannot serve on {listen}: {error}") from error
    print(f"sandbox gateway on {gateway.url}", flush=True)
    try:
        await stopped.wait()
    finally:
        await gateway.close()
