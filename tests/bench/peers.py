"""Who is measured, and how each is started: Holdfast, the relay, Envoy twice, and nobody at all."""

import re
import socket
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench import envoy
from tests.bench.envoy import Json
from tests.bench.process import (
    ROOT,
    START_LIMIT,
    Cores,
    Missing,
    Process,
    await_ready,
    module,
    program,
)

Address = tuple[str, int]
SHIPPED = ROOT / "policies" / "10-defaults.yaml"
RUN = """
import sys
tree = sys.argv.pop(1)
sys.path.insert(0, tree)
import proxy
assert proxy.__file__.startswith(tree), f"this is another proxy: {proxy.__file__}"
from proxy.cli import main
main()
"""

UNKEPT = f"""
from proxy.trail import Trail
start = Trail.start
async def start_and_forget(trail):
    await start(trail)
    trail.note = lambda entry: None
Trail.start = start_and_forget
{RUN}"""


def address(text: str) -> Address:
    """`127.0.0.1:8700` as Python's sockets want it."""
    host, _, port = text.rpartition(":")
    return host, int(port)


@dataclass(frozen=True)
class Peer:
    """A running peer. `process` is None for `direct`, where nothing stands in between."""

    name: str
    listen: Address
    process: Process | None = None
    admin: Address | None = None

    def metrics(self) -> str:
        """What Holdfast says of itself; empty for the others."""
        if self.admin is None:
            return ""
        url = f"http://{self.admin[0]}:{self.admin[1]}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            text: bytes = answer.read()
        return text.decode()


class Yard:
    """Where peers run: a temporary folder, two cores, one upstream. Ends all that it started."""

    def __init__(
        self, folder: Path, cores: Cores, stack: ExitStack, upstream: Address | None = None
    ) -> None:
        """Without an upstream it starts one."""
        self.folder = folder
        self.cores = cores
        self._stack = stack
        self._upstream = upstream or self._python("upstream", cores.load).listen

    def beside(self, stack: ExitStack) -> "Yard":
        """The same yard and upstream; what is started there ends with another stack."""
        return Yard(self.folder, self.cores, stack, self._upstream)

    def start(self, name: str) -> Peer:
        """Start a peer by its name; raises Missing with the reason."""
        return STARTERS[name](self)

    def direct(self) -> Peer:
        return Peer("direct", self._upstream)

    def relay(self) -> Peer:
        host, port = self._upstream
        return self._python("relay", self.cores.peer, "--upstream", f"{host}:{port}")

    def holdfast(self, protocol: str = "tools") -> Peer:
        """With the shipped policies, as `holdfast run` is given to people."""
        binary = program("holdfast")
        if binary is None:
            raise Missing("cannot start (no command `holdfast` in this environment; make venv)")
        return self._holdfast("holdfast", [str(binary)], SHIPPED, protocol)

    def holdfast_of(self, tree: Path, name: str, policies: Path, *more: str) -> Peer:
        """From the sources of a tree, by this interpreter, with the policies of one file; `more`:
        flags."""
        command = [sys.executable, "-c", RUN, str(tree)]
        return self._holdfast(name, command, policies, "tools", *more)

    def kept(self, name: str) -> Peer:
        """This tree, shipped policies: what `unkept` is compared with."""
        return self._holdfast(name, [sys.executable, "-c", RUN, str(ROOT)], SHIPPED, "tools")

    def unkept(self, name: str) -> Peer:
        """Likewise, but no record of a call reaches the journal."""
        return self._holdfast(name, [sys.executable, "-c", UNKEPT, str(ROOT)], SHIPPED, "tools")

    def _holdfast(
        self, name: str, command: list[str], policies: Path, protocol: str, *more: str
    ) -> Peer:
        place, ready = self._place(name)
        folder = _policies(self._upstream, protocol, policies, place / "policies")
        argv = [
            *command,
            "run",
            *("--policies", str(folder)),
            *("--listen", "127.0.0.1:0"),
            *("--admin", "127.0.0.1:0"),
            *("--data-dir", str(place / "data")),
            *("--ready-file", str(ready)),
            *more,
        ]
        process = self._keep(Process(argv, self.cores.peer, place / "log", cwd=place))
        addresses = await_ready(process, ready)
        return Peer(name, address(addresses["listen"]), process, address(addresses["admin"]))

    def envoy(self) -> Peer:
        place, _ = self._place("envoy")
        port = free_port()
        config = envoy.same_job(port, self._upstream, place / "access.log")
        return self._envoy("envoy", place, port, config)

    def envoy_plain(self) -> Peer:
        place, _ = self._place("envoy-plain")
        port = free_port()
        return self._envoy("envoy-plain", place, port, envoy.plain(port, self._upstream))

    def _envoy(self, name: str, place: Path, port: int, config: Json) -> Peer:
        written = envoy.write(place / "envoy.json", config)
        argv = envoy.command(envoy.find(), written)
        process = self._keep(Process(argv, self.cores.peer, place / "log", cwd=place))
        await_port(process, port)
        return Peer(name, ("127.0.0.1", port), process)

    def _python(self, name: str, core: int | None, *arguments: str) -> Peer:
        place, ready = self._place(name)
        argv = module(name, "--ready-file", str(ready), *arguments)
        process = self._keep(Process(argv, core, place / "log"))
        return Peer(name, address(await_ready(process, ready)["listen"]), process)

    def _keep(self, process: Process) -> Process:
        return self._stack.enter_context(process)

    def _place(self, name: str) -> tuple[Path, Path]:
        """A fresh folder for one process, and its ready file in it."""
        place = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))
        return place, place / "ready.json"


STARTERS: dict[str, Callable[[Yard], Peer]] = {
    "holdfast": Yard.holdfast,
    "relay": Yard.relay,
    "envoy": Yard.envoy,
    "envoy-plain": Yard.envoy_plain,
    "direct": Yard.direct,
}


def _policies(upstream: Address, protocol: str, policies: Path, folder: Path) -> Path:
    """A file of policies, in front of our upstream, with room for 2,000 streams."""
    folder.mkdir()
    text = policies.read_text("utf-8")
    # Nobody else of the bench keeps calls waiting: with the limit of the shipped policies half of
    # those on 32 connections would stand in a queue.
    (folder / policies.name).write_text(re.sub(r"\blimit: \d+", "limit: 2000", text), "utf-8")
    (folder / "00-upstreams.yaml").write_text(
        f"upstreams:\n  gateway:\n    url: http://{upstream[0]}:{upstream[1]}\n"
        f"    protocol: {protocol}\n    path: /\n    pool: {{max: 2000}}\n"
    )
    return folder


def free_port() -> int:
    """A port that is free now. Envoy cannot say which one it was given."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def await_port(process: Process, port: int) -> None:
    """Until somebody listens there."""
    until = time.monotonic() + START_LIMIT
    while time.monotonic() < until:
        if process.ended:
            raise Missing(f"cannot start ({process.last_words()})")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.01)
            continue
        return
    raise Missing(f"cannot start (not listening within {START_LIMIT:.0f} s)")
