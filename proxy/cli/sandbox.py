"""`holdfast sandbox`: a tool gateway, models, an MCP server and an agent to try things on."""

import asyncio
import signal
from pathlib import Path

import click


@click.command()
@click.option("--listen", default="127.0.0.1:8790", show_default=True, help="host:port, or port 0.")
@click.option("--seed", default=0, show_default=True, help="The same seed, the same answers.")
@click.option(
    "--script", type=click.Path(path_type=Path), help="JSON or YAML: a list of faults, in order."
)
def sandbox(listen: str, seed: int, script: Path | None) -> int:
    """Serve what agents call, with state, money and errors on demand, until SIGTERM or SIGINT.

    A tool gateway, models (/openai, /anthropic), an MCP server (/mcp), an agent (/a2a).

    \b
    Examples:
      holdfast sandbox
      curl -s 127.0.0.1:8790/v1/get_balance -d '{"agent_id": "agent-1"}'
      curl -s 127.0.0.1:8790/v1/messages -d '{"model": "m", "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hello"}]}'
      curl -s 127.0.0.1:8790/_calls
    Exit codes: 0 stopped as asked, 1 could not start, 64 wrong usage.
    """
    faults = None if script is None else _faults(script)
    asyncio.run(_serve(listen, seed, faults))
    return 0


def _faults(script: Path) -> list[object]:
    from proxy.lab.sandbox.faults import ScriptError, read_script

    try:
        return read_script(script)
    except OSError as error:
        raise click.ClickException(f"{script}: cannot be read: {error.strerror}") from error
    except ScriptError as error:
        raise click.ClickException(str(error)) from error


async def _serve(listen: str, seed: int, faults: list[object] | None) -> None:
    from proxy.lab.sandbox.gateway import start

    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        gateway = await start(listen, seed, faults)
    except ValueError as error:
        raise click.UsageError(f"--listen: {error}") from error
    except OSError as error:
        why = error.strerror or error
        raise click.ClickException(f"cannot serve on {listen}: {why}; see --listen") from error
    print(f"sandbox gateway on {gateway.url}", flush=True)
    try:
        await stopped.wait()
    finally:
        await gateway.close()
