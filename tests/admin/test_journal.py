"""proxy/admin/journal.py."""

import asyncio
from pathlib import Path
from typing import Any

from proxy.admin.journal import JournalPage, on_disk
from proxy.cli.asking import ask
from proxy.journal.folder import Folder
from tests.admin.scene import Scene
from tests.harness import RawUpstream, holdfast, request, within
from tests.servers import free_port

ANYBODY: Any = None
MIRRORS = """
policies: [{name: default}]
mirrors: [{name: lines, kind: webhook, url: "http://127.0.0.1:%d/", allow_private: true}]
"""


def test_what_lies_there_is_counted(tmp_path):
    """Segments that are written and those that are compressed, and nothing beside them."""
    folder = Folder(tmp_path)
    folder.make()
    assert on_disk(folder) == {"segments": 0, "bytes": 0}
    folder.segment(1).write_bytes(b"x" * 10)
    Path(f"{folder.segment(2)}.gz").write_bytes(b"y" * 5)
    (folder.journal / "snapshot").write_bytes(b"z" * 100)
    assert on_disk(folder) == {"segments": 2, "bytes": 15}


async def test_before_there_is_a_journal_there_is_nothing_to_tell():
    """As in the status."""
    assert await JournalPage(Scene().sight).page(ANYBODY) is None


async def test_a_running_one_tells_what_it_takes_and_who_mirrors_it():
    """With the reason, where a mirror does not get on."""
    policies = MIRRORS % free_port()
    async with RawUpstream() as far, holdfast(far, "tools", policies) as proxy:
        await proxy.call(request("/v1/pay", method="POST", body=b"{}"))
        assert await proxy.app._trail.durable()

        async def look():
            while True:
                told = await asyncio.to_thread(ask, proxy.admin, "/v1/journal")
                (mirror,) = told["mirrors"] or [{"why": None}]
                if mirror["why"]:
                    return told, mirror

        told, mirror = await within(look(), 20)
    assert (mirror["mirror"], mirror["kind"], mirror["ok"]) == ("lines", "webhook", False)
    assert mirror["lag"] > 0
    assert (told["segments"], told["bytes"] > 500) == (1, True)
