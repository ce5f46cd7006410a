"""`holdfast demo`: an agent's calls through a failing gateway, and what became of them."""

import asyncio
import json
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from proxy.lab.demo import Play, Say


@click.command()
@click.option("--json", "as_json", is_flag=True, help="What was promised, and whether it held.")
def demo(as_json: bool) -> int:
    """Play an agent through retry, breaker, refusals and a reload, and verify its journal.

    Starts a sandbox gateway and a proxy on free ports, and leaves nothing behind. Takes seconds.

    \b
    Examples:
      holdfast demo
      holdfast demo --json | jq .ok
    Exit codes: 0 all went as said, 1 something did not, 64 wrong usage.
    """
    with tempfile.TemporaryDirectory(prefix="holdfast-demo-") as folder:
        play = asyncio.run(_played(Path(folder), _silent if as_json else _say))
    if as_json:
        print(json.dumps({"ok": play.as_said, "scenes": play.told}, indent=2))
    else:
        print("All went as said." if play.as_said else "NOT all went as said: see above.")
    return 0 if play.as_said else 1


async def _played(folder: Path, say: "Say") -> "Play":
    from proxy.app import App
    from proxy.config.settings import Address, Log, Settings
    from proxy.lab.demo import Play, policies
    from proxy.lab.sandbox.gateway import start

    written = folder / "policies" / "10-demo.yaml"
    written.parent.mkdir()
    anywhere = Address("127.0.0.1:0")
    settings = Settings(
        listen=anywhere,
        admin=anywhere,
        policies=str(written.parent),
        data_dir=str(folder / "state"),
        log=Log(level="error"),  # the rest of it is told here
    )
    async with AsyncExitStack() as ends:
        gateway = await start(anywhere)
        ends.push_async_callback(gateway.close)
        written.write_text(policies(gateway.url))
        app = await App.start(settings)
        ends.push_async_callback(app.stop, 1.0)

        def load(text: str) -> bool:
            written.write_text(text)
            return app.reload()

        say(f"Holdfast on {app.listen}, in front of a sandbox gateway on {gateway.url}.\n")
        play = Play(f"http://{app.listen}", gateway, load, say, Path(settings.data_dir))
        await play.run()
        return play


def _say(line: str) -> None:
    print(line, flush=True)


def _silent(line: str) -> None:
    """A program reads the report at the end."""
