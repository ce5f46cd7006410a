"""A Holdfast in this process, between a raw upstream and raw agents."""

import asyncio
import contextlib
import json
import logging
import tempfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import yaml

from proxy.app import App
from proxy.config.settings import load_settings
from proxy.journal.disk import Disk
from proxy.observe.family import Family
from tests.harness.agent import Connection, raw_call
from tests.harness.messages import Message, request
from tests.harness.upstream import RawUpstream
from tests.harness.wire import troubles, within


class Figures:
    """What the metrics say at one moment. Read where pages are made from: a page may be older."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = {family.metric.name: family for family in families}

    def sum(self, name: str, **labels: str) -> float:
        """The sum over all rows of a metric that carry these labels; no histograms."""
        family = self._families[name]
        return sum(
            value
            for row, value in family.rows.items()
            if labels.items() <= dict(zip(family.metric.labels, row, strict=True)).items()
            if isinstance(value, int)
        )


class Proxy:
    """A started Holdfast."""

    def __init__(self, app: App, folder: Path) -> None:
        self.app = app
        self.folder = folder
        self.listen = app.listen
        self.admin = app.admin

    async def connect(self, receive_buffer: int = 0) -> Connection:
        """A new connection of an agent."""
        return await Connection.open(self.listen, receive_buffer)

    async def call(self, raw: bytes, method: str = "GET") -> Message:
        """One request on a connection of its own, and its answer."""
        async with await self.connect() as agent:
            return await agent.call(raw, method)

    async def metrics(self) -> Figures:
        """What the metrics say now, and after all that had already arrived was done."""
        await raw_call(self.admin, request("/livez", "Connection: close"))
        return Figures(self.app.metrics.read())

    async def until_metric(self, name: str, at_least: float, **labels: str) -> Figures:
        """A scrape in which a metric has come that far: records are made after the last byte."""

        async def look() -> Figures:
            while (metrics := await self.metrics()).sum(name, **labels) < at_least:
                pass
            return metrics

        return await within(look())

    async def restart(self) -> None:
        """Stop, and begin again on the same folder; its addresses are others."""
        await within(self.app.stop(drain=0))
        self.app = await within(App.start(load_settings(self.folder / "holdfast.yaml")))
        self.listen, self.admin = self.app.listen, self.app.admin

    async def change(self, target: str, body: Any, method: str = "POST") -> Any:
        """What the socket where changes are made answers; it is done then."""
        raw = json.dumps(body).encode()
        lines = ("Content-Type: application/json", "Connection: close")
        door = f"unix:{self.folder / 'state' / 'admin.sock'}"
        async with await Connection.open(door) as opened:
            told = await opened.call(request(target, *lines, method=method, body=raw))
        assert told.status < 300, told.body
        return json.loads(told.body)

    async def records(self, number: int) -> list[Any]:
        """The ends of at least so many calls, once they are in the journal."""

        async def look() -> list[Any]:
            while True:
                assert await self.app._trail.durable()
                lines = [
                    json.loads(line)
                    for path in sorted((self.folder / "state" / "journal").glob("*.jsonl"))
                    for line in path.read_text().splitlines()
                ]
                ends = [line for line in lines if line["type"] == "call.finished"]
                if len(ends) >= number:
                    return ends

        return await within(look())

    def write_policies(self, text: str) -> None:
        """Put other policies in the place of those that are loaded; `app.reload()` reads them."""
        (self.folder / "policies" / "10.yaml").write_text(text)


def upstream_yaml(upstream: RawUpstream | str, protocol: str = "http", **more: Any) -> str:
    """The policy file that mounts one upstream, named `gateway`, at `/`."""
    url = upstream if isinstance(upstream, str) else upstream.url
    mounted = {"url": url, "protocol": protocol, "path": "/", **more}
    return yaml.safe_dump({"upstreams": {"gateway": mounted}})


@contextlib.asynccontextmanager
async def holdfast(
    upstream: RawUpstream | str | None = None,
    protocol: str = "http",
    policies: str | None = None,
    mount: dict[str, Any] | None = None,
    disk: Disk | None = None,
    **settings: Any,
) -> AsyncIterator[Proxy]:
    """A proxy on a port of its own. `policies` is YAML text, beside the upstream's own file;
    `mount` gives further keys of the upstream; `disk` is the journal's; `settings` are those of
    `holdfast.yaml`.
    """
    with tempfile.TemporaryDirectory() as name, _watched():
        folder = Path(name)
        (folder / "policies").mkdir()
        if upstream is not None:
            (folder / "policies" / "00.yaml").write_text(
                upstream_yaml(upstream, protocol, **(mount or {}))
            )
        if policies is not None:
            (folder / "policies" / "10.yaml").write_text(policies)
        app = await within(App.start(load_settings(_write(folder, settings)), None, disk))
        app.log._logger.addHandler(_Watcher())  # it is apart from the root's
        proxy = Proxy(app, folder)
        try:
            yield proxy
        finally:
            await within(proxy.app.stop(drain=0))


def _write(folder: Path, settings: dict[str, Any]) -> Path:
    written = {
        "listen": "127.0.0.1:0",
        "admin": "127.0.0.1:0",
        "policies": str(folder / "policies"),
        "data_dir": str(folder / "state"),
        **settings,
    }
    path = folder / "holdfast.yaml"
    path.write_text(yaml.safe_dump(written))
    return path


@contextlib.contextmanager
def _watched() -> Any:
    """Note what the loop or a log says that only a bug can cause."""
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    watcher = _Watcher()
    loop.set_exception_handler(lambda _, context: troubles.append(_told(context)))
    logging.getLogger().addHandler(watcher)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(watcher)
        loop.set_exception_handler(before)


def _told(context: dict[str, Any]) -> str:
    return f"{context['message']}: {context.get('exception')!r}"


class _Watcher(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.ERROR:
            troubles.append(f"{record.getMessage()} {getattr(record, 'fields', '')}")
