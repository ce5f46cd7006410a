"""What a pod knows and says of the others: who is there, who is gone, what it holds itself."""

import json
import shutil
from pathlib import Path

import pytest

from proxy.journal.pod_file import FILE
from proxy.state.shared import fleet
from proxy.state.shared.holds import Holding
from proxy.state.shared.money import Draw, Line, name_of
from proxy.state.store import Unreachable
from tests.pods import Shore

NAME = name_of("agent", "bot", "day", 0, 1_700_000_000)


@pytest.fixture
def shore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shore:
    monkeypatch.setattr(fleet, "SETTLE", 0)
    return Shore(tmp_path, monkeypatch)


async def test_a_copy_that_ends_does_not_send_the_pod_away(shore: Shore, tmp_path: Path) -> None:
    """Its data dir was copied; who was there first is still there."""
    first = await shore.pod("us")
    shutil.copytree(tmp_path / "us", tmp_path / "copy")
    kept = json.loads((tmp_path / "copy" / FILE).read_text())
    (tmp_path / "copy" / FILE).write_text(json.dumps(kept | {"life": kept["life"] - 1}))
    copy = await shore.pod("copy")
    assert not copy.link.fleet.ours

    assert not await copy.end()

    assert [known.pod for known in (await first.look()).pods] == [first.link.pod]
    assert await first.end()


async def test_what_it_holds_is_known_before_it_begins(shore: Shore) -> None:
    """By the store, of its last life; and whether the store is there."""
    first = await shore.pod("us")
    line = Line(NAME, 1_000, {0: 100}, 0, least=1, need=50, want=50)
    await first.link.ask(Draw(first.link.pod, 1, first.link.fleet.epoch, (line,)))

    again = shore.sharing("us")

    assert await again.holds() == {NAME: Holding(50, {0: 100})}
    shore.memory.breaks("gone")
    with pytest.raises(Unreachable, match="gone"):
        await again.holds()


async def test_an_end_that_the_store_does_not_hear(shore: Shore) -> None:
    """It has to wait for the pod."""
    us = await shore.pod("us")
    shore.memory.breaks("gone")
    assert not await us.end()
    shore.memory.heals()
    assert await (await shore.pod("us")).end()


async def test_what_was_seen_last(shore: Shore) -> None:
    """With the moment at which it was, for who looks when the store is not there."""
    us = await shore.pod("us")
    seen = await us.look()
    shore.clock.advance(60.0)

    assert us.known.pods == seen.pods == us.pods
    assert us.known.now == seen.now
