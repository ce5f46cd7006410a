"""What people and money rule of calls: its rooms, and the file `kill`."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proxy.config.loaded import Loaded
from proxy.config.money import Budget
from proxy.config.places import Place
from proxy.control import Control
from proxy.keep import Keep
from proxy.keys import LEDGER, LINK, NEWS, shadowed
from proxy.news import Event, KillTrouble, News
from proxy.record import Beginnings
from proxy.state.caps import Cap, Limit
from proxy.state.killed import Kill
from proxy.state.kills import PEOPLES, Stays, Unknown
from proxy.state.ledger import Ledger
from proxy.state.link import Link
from proxy.state.memory import Memory
from proxy.state.scopes import Scope
from proxy.state.shared.fleet import Pod
from proxy.state.store import Near
from tests.fakes import FakeClock
from tests.state.at_kills import KillPod


class Notes:
    """A journal that takes all."""

    def __init__(self) -> None:
        self.entries: list[Any] = []

    def note(self, entry: Any) -> None:
        self.entries.append(entry)

    async def durable(self) -> bool:
        return True

    def asks(self, begun: Beginnings) -> Callable[[], None]:
        return lambda: None


class Desk:
    """A control, with its file."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "kill"
        self.keep = Keep()
        self.clock = FakeClock(asleep=False)
        self.events: list[Event] = []
        self.keep.of(NEWS, News).listeners.append(self.events.append)
        self.control = Control(self.keep, self.clock, folder)
        self.notes = Notes()

    async def begin(self) -> None:
        await self.control.begin(self.notes, lambda: ())

    @property
    def killed(self) -> list[str]:
        return [str(kill.scope) for kill in self.control.kills.items()]

    @property
    def troubles(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, KillTrouble)]

    async def look(self) -> None:
        """The next look at the file."""
        await self.control._file.look()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def written(scope: str, until: float | None = None) -> Kill:
    return Kill(Scope(scope), "why", "policies", "policies", until=until, place="k.yaml:3")


async def test_what_it_has_is_rebuilt_under_names_of_its_own(desk: Desk) -> None:
    """Two rooms of one name would overwrite each other in a snapshot."""
    await desk.begin()
    desk.control.obey(Loaded(""))
    names = [room.name for room in desk.control.rooms]
    assert len(names) == len(set(names))


async def test_policies_that_came_before_the_journal_count_when_it_is_there(desk: Desk) -> None:
    """What they kill is noted, and nobody was served before."""
    desk.control.obey(Loaded("", kills=(written("agent:a"),)))
    assert desk.killed == []
    await desk.begin()
    assert desk.killed == ["agent:a"]
    assert [entry.type for entry in desk.notes.entries] == ["kill.engaged"]


async def test_what_stands_in_the_file_is_killed_before_anybody_is_served(desk: Desk) -> None:
    """Also where its last line has no end."""
    desk.file.write_text("# nobody\n\nagent:a # looping\nall")
    await desk.begin()
    assert desk.killed == ["agent:a", "all"]
    assert [kill.reason for kill in desk.control.kills.items()] == [
        "looping",
        "it stands in the file kill",
    ]


async def test_a_line_that_is_added_counts_and_one_that_goes_does_not(desk: Desk) -> None:
    """Removing a line revives nothing."""
    await desk.begin()
    desk.file.write_text("tool:deposit\n")
    await desk.look()
    assert desk.killed == ["tool:deposit"]
    desk.file.unlink()
    await desk.look()
    assert desk.killed == ["tool:deposit"]
    assert len(desk.notes.entries) == 1


async def test_half_of_a_scope_is_not_taken_for_one(desk: Desk) -> None:
    """A line without an end counts once it did not change from one look to the next."""
    await desk.begin()
    desk.file.write_text("agent:pay")
    await desk.look()
    assert desk.killed == []
    desk.file.write_text("agent:payments")
    await desk.look()
    await desk.look()
    assert desk.killed == ["agent:payments"]


async def test_what_stands_there_cannot_be_revived_before_it_is_removed(desk: Desk) -> None:
    """The refusal says where it stands; then it can be, and what was removed does not come back."""
    desk.file.write_text("all\n")
    await desk.begin()
    with pytest.raises(Stays, match=r"kill:1: remove it there"):
        await desk.control.kills.revive(Scope("all"), "alice", "")
    desk.file.write_text("# all")
    await desk.control.kills.revive(Scope("all"), "alice", "")
    await desk.look()
    assert desk.killed == []


async def test_what_cannot_be_read_is_told_once_and_the_rest_counts(desk: Desk) -> None:
    """Each line by itself; and again, when it was well in between."""
    await desk.begin()
    desk.file.write_text("agnt:a\ntool:x\n")
    await desk.look()
    await desk.look()
    assert desk.killed == ["tool:x"]
    assert len(desk.troubles) == 1
    assert "kill:1: expected all, fleet:NAME" in desk.troubles[0]
    desk.file.write_text("tool:x\n")
    await desk.look()
    desk.file.write_text("agnt:a\ntool:x\n")
    await desk.look()
    assert len(desk.troubles) == 2


async def test_a_file_that_cannot_be_read_lets_stand_what_was_read(desk: Desk) -> None:
    """Told once; and it cannot be revived meanwhile, for the line may still be there."""
    desk.file.write_text("all\n")
    await desk.begin()
    desk.file.unlink()
    desk.file.mkdir()
    await desk.look()
    await desk.look()
    assert desk.killed == ["all"]
    assert len(desk.troubles) == 1
    with pytest.raises(Stays):
        await desk.control.kills.revive(Scope("all"), "alice", "")


async def test_whoever_revives_hears_of_other_pods_first(desk: Desk) -> None:
    """What was killed a moment ago elsewhere can be revived here."""
    await desk.begin()
    memory = Memory(desk.clock.wall)
    other = KillPod("b", Near(memory), desk.clock)
    other.engage("all")
    assert await other.exchange()
    link = desk.keep.of(
        LINK,
        lambda: Link(Near(memory), Pod("a"), desk.clock, News(), 0.1, "local"),
    )
    link.up = True
    _ = await desk.control.kills.revive(Scope("all"), "alice", "")
    assert await other.exchange()
    assert (desk.killed, other.killed) == ([], [])
    assert [part.topic for part in desk.control.parts][:1] == ["kills"]


async def test_more_lines_than_there_may_be_kills_are_told(desk: Desk) -> None:
    """Those that fit count."""
    lines = [f"agent:{number}" for number in range(PEOPLES + 1)]
    desk.file.write_text("\n".join([*lines, ""]))
    await desk.begin()
    assert len(desk.killed) == PEOPLES
    assert len(desk.troubles) == 1


async def test_where_nothing_else_has_room_all_is_killed(desk: Desk) -> None:
    """Wherever it stands in the file."""
    await desk.begin()
    for number in range(PEOPLES):
        desk.control.kills.engage(Kill(Scope(f"agent:{number}"), "why", "alice", "admin"))
    desk.file.write_text("tool:x\n")
    await desk.look()
    assert (len(desk.killed), len(desk.troubles)) == (PEOPLES, 1)
    desk.file.write_text("tool:x\nall\n")
    await desk.look()
    assert "all" in desk.killed
    assert "tool:x" not in desk.killed


async def test_it_follows_the_file_and_the_time(desk: Desk) -> None:
    """Twice a second and more."""
    await desk.begin()
    desk.control.kills.engage(
        Kill(Scope("agent:a"), "why", "alice", "admin", until=desk.clock.wall() + 0.3)
    )
    desk.file.write_text("tool:x\n")
    running = desk.clock.spawn(desk.control.run())
    while desk.killed != ["tool:x"]:
        await asyncio.sleep(0)
        desk.clock.advance(0.4)
    running.cancel()
    assert desk.clock.slept[0] < 0.5
    with pytest.raises(Unknown):
        await desk.control.kills.revive(Scope("agent:a"), "alice", "")


async def test_what_is_counted_is_told_to_others(desk: Desk) -> None:
    """And looked at in the meantime, so that each minute has its own."""
    await desk.begin()
    memory, calls = Memory(desk.clock.wall), 5
    sums = desk.control.sums
    sums.read = lambda: {"calls": calls}
    link = Link(Near(memory), Pod("a"), desk.clock, News(), 0.1, "local")
    assert sums in desk.control.shares(link)
    running = desk.clock.spawn(desk.control.run())
    while not sums._minutes:
        await asyncio.sleep(0)
        desk.clock.advance(0.4)
    running.cancel()
    link.up, calls = True, 7
    desk.clock.advance(60.0)
    await sums.exchange(link)
    assert sums.seen is not None
    assert sums.seen.counts == {"calls": 7}
    assert [each["calls"] for each in sums._minutes.values()] == [5, 2]


async def test_what_is_tried_in_shadow_obeys_new_limits_too(desk: Desk) -> None:
    """Its accounts are of the same budgets, in a ledger of its own."""
    tried = desk.keep.of(shadowed(LEDGER), lambda: Ledger(desk.clock.wall, desk.clock.uuid))
    assert isinstance(tried, Ledger)
    caps = [Cap("cap", "agent", (Limit("day", micros),)) for micros in (500, 900)]
    account = tried.account(caps[0], "ann")
    budget = Budget(Place("b.yaml", 1, 1), "budgets[0]", caps[1])
    desk.control.obey(Loaded("", budgets=(budget,)))
    assert account.cap is caps[1]
