"""`holdfast quickstart`: what `make run` starts. Not in the list of commands: it is for trying."""

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from proxy.cli.problems import loading

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from proxy.config.settings import Settings

DRAIN = 1.0
"""Seconds in which calls may end after Ctrl-C: who waits for that is a person."""

BESIDE = ("openai", "anthropic", "mcp", "a2a")
"""Protocols that the sandbox plays beside the gateway's, each on the path of its name."""


@click.command(hidden=True)
@click.option(
    "--sandbox", envvar="HOLDFAST_SANDBOX", default="127.0.0.1:8790", help="Of the sandbox."
)
@click.option("--policies", default="policies", show_default=True, metavar="DIR")
def quickstart(sandbox: str, policies: str) -> int:
    """Start the sandbox, and Holdfast in front of it, until SIGTERM or SIGINT.

    \b
    Examples:
      holdfast quickstart
      HOLDFAST_LISTEN=127.0.0.1:9700 HOLDFAST_ADMIN=127.0.0.1:9701 holdfast quickstart
    Exit codes: 0 stopped as asked, 1 could not start, 2 nothing to read, 64 wrong usage.
    """
    from proxy.config.settings import load_settings

    with loading():
        settings = load_settings(flags={"policies": policies})
        asyncio.run(_serve(sandbox, settings))
    return 0


class Places(NamedTuple):
    """Where everything listens, as URLs."""

    proxy: str
    admin: str
    sandbox: str


_ASKED_TOOL = (
    '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get_balance",'
    ' "arguments": {"agent_id": "local-agent"}, "_meta":'
    ' {"io.modelcontextprotocol/protocolVersion": "2026-07-28",'
    ' "io.modelcontextprotocol/clientCapabilities": {}}}}'
)


def to_try(places: Places) -> Iterator[tuple[str, str]]:
    """What a call shows, and the shell's line that makes it. README.md has those of the
    gateway, docs/sandbox.md says what else is there."""
    proxy, admin, sandbox = places
    yield (
        "A read. The answer is the gateway's; the holdfast-* headers say how it came about.",
        f"""curl -si {proxy}/v1/get_balance -d '{{"agent_id": "local-agent"}}'""",
    )
    yield (
        "A write, in the gateway's other form: the tool's name stands in the body.",
        f"curl -si {proxy} -d '"
        '{"tool": "deposit", "input": {"agent_id": "local-agent", "amount": "5.00"}}\'',
    )
    yield (
        "Let the gateway fail once. The next read meets a 503 and is sent again: two attempts.",
        f"curl -s {sandbox}/_script -d '[503]'\n"
        f"""curl -si {proxy}/v1/get_balance -d '{{"agent_id": "local-agent"}}'""",
    )
    yield (
        "A write whose connection breaks is not sent again: nobody knows whether it ran.",
        f"curl -si {proxy}/v1/deposit -H 'x-sandbox-fault: reset'"
        """ -d '{"agent_id": "local-agent", "amount": "5.00"}'""",
    )
    yield (
        "What was counted.",
        f"curl -s {admin}/metrics | grep -E '^holdfast_(attempts|retries)_total'",
    )
    yield "Is it ready, and with which policies?", f"curl -s {admin}/readyz"
    yield (
        "A model. Base URLs for SDKs are /openai/v1, /anthropic, /mcp and /a2a; any key will do.",
        f"curl -si {proxy}/openai/v1/chat/completions -d '"
        '{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}\'',
    )
    yield (
        "A tool of an MCP server, asked as the version of 2026-07-28 asks.",
        f"curl -si {proxy}/mcp -H 'mcp-protocol-version: 2026-07-28' -H 'mcp-method: tools/call'"
        f" -H 'mcp-name: get_balance' -d '{_ASKED_TOOL}'",
    )


async def _serve(sandbox: str, settings: "Settings") -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with _started(sandbox, settings) as places:
        print(_shown(places), flush=True)
        await stopped.wait()


@asynccontextmanager
async def _started(sandbox: str, settings: "Settings") -> "AsyncIterator[Places]":
    """Both, for as long as it is entered. The shipped policies find the gateway by GATEWAY_URL."""
    from proxy.app import App
    from proxy.lab.sandbox.gateway import start

    async with AsyncExitStack() as ends:
        try:
            gateway = await start(sandbox)
            ends.push_async_callback(gateway.close)
            os.environ["GATEWAY_URL"] = gateway.url
            folder = Path(ends.enter_context(tempfile.TemporaryDirectory()))
            app = await App.start(settings, also=(_beside(folder, gateway.url),))
            ends.push_async_callback(app.stop, DRAIN)
        except (ValueError, OSError) as error:
            raise click.ClickException(_why(error)) from error
        yield Places(f"http://{app.listen}", f"http://{app.admin}", gateway.url)


def _beside(folder: Path, url: str) -> Path:
    """A policy file with the upstreams that are no gateway; the shipped ones do not know them."""
    lines = (
        f"  {name}: {{url: '{url}/{name}', protocol: {name}, path: /{name}}}" for name in BESIDE
    )
    written = folder / "sandbox.yaml"
    written.write_text("\n".join(["upstreams:", *lines, ""]))
    return written


def _why(error: Exception) -> str:
    said = (isinstance(error, OSError) and error.strerror) or error
    return (
        f"cannot start: {said}; HOLDFAST_LISTEN, HOLDFAST_ADMIN and HOLDFAST_SANDBOX"
        " choose other addresses"
    )


def _shown(places: Places) -> str:
    lines = [
        f"Holdfast         {places.proxy}",
        f"its admin port   {places.admin}",
        f"the sandbox      {places.sandbox}",
        "",
        "Try, in another terminal:",
        "",
    ]
    for says, command in to_try(places):
        lines += [f"# {says}", command, ""]
    return "\n".join([*lines, "Ctrl-C ends it. Holdfast's own log follows."])
