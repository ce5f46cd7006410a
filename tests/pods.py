"""Pods that share a store in this process, as far as money and `/v1/pods` need them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from proxy import sharing
from proxy.config.settings import Settings
from proxy.keep import Keep
from proxy.sharing import Sharing
from proxy.state.link import Link, Part
from proxy.state.memory import Memory
from proxy.state.store import Near
from tests.fakes import FakeClock


class Shore:
    """A store, and pods that come to it. All by one clock."""

    def __init__(self, folder: Path, monkeypatch: Any) -> None:
        self.clock = FakeClock()
        self.memory = Memory(self.clock.wall)
        self._folder = folder
        monkeypatch.setattr(sharing, "_store", lambda settings: Near(self.memory))

    async def pod(self, name: str, *parts: Part) -> Sharing:
        """A life of the pod of this data dir; it has told all that it has."""
        made = self.sharing(name, *parts)
        await made.begin()
        return made

    def sharing(self, name: str, *parts: Part) -> Sharing:
        """One that has not begun."""
        folder = self._folder / name
        folder.mkdir(exist_ok=True)

        def those(link: Link) -> Iterable[Part]:
            return parts

        return Sharing(Settings(data_dir=str(folder)), self.clock, Keep(), those)
