"""What is killed: thrown, lifted, written down, rebuilt."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import Call, Stop
from proxy.news import Event, KillChange, News
from proxy.state.killed import Kill
from proxy.state.kills import PEOPLES, STAGES, Full, Kills, Stays, Unknown, Unwritten
from proxy.state.scopes import Scope
from tests.fakes import FakeClock, make_attempt, make_call


class Journal:
    """Takes entries; whether they are durable is said by the test."""

    def __init__(self) -> None:
        self.entries: list[Any] = []
        self.well = True
        self.waits: asyncio.Event | None = None

    def note(self, entry: Any) -> None:
        self.entries.append(entry)

    async def durable(self) -> bool:
        if self.waits is not None:
            await self.waits.wait()
        return self.well

    @property
    def lines(self) -> list[dict[str, Any]]:
        """As they stand in the file."""
        return [
            {"type": entry.type, **json.loads(msgspec.json.encode(entry))} for entry in self.entries
        ]


class Room:
    """Kills, and what they stand on."""

    def __init__(self, lines: Sequence[dict[str, Any]] = (), state: Any = None) -> None:
        self.clock = FakeClock(asleep=False)
        self.journal = Journal()
        self.calls: list[Call] = []
        self.events: list[Event] = []
        self.kills = Kills()
        if state is not None:
            self.kills.load(state)
        for line in lines:
            self.kills.apply(line)
        self.kills.begin(self.clock, self.journal, News([self.events.append]), self.under_way)

    def under_way(self) -> Iterator[Call]:
        return iter(self.calls)

    def engage(self, scope: str, **more: Any) -> int:
        return self.kills.engage(kill(scope, **more))

    async def revive(self, scope: str) -> Kill:
        return await self.kills.revive(Scope(scope), "bob", "fixed")

    @property
    def killed(self) -> list[str]:
        return sorted({str(each.scope) for each in self.kills.items()})

    def again(self) -> "Room":
        """After a restart, by the journal alone."""
        return Room(self.journal.lines)


def kill(scope: str, **more: Any) -> Kill:
    return msgspec.structs.replace(Kill(Scope(scope), "why", "alice", "admin"), **more)


def written(scope: str, **more: Any) -> Kill:
    return kill(scope, by="policies", origin="policies", place="p.yaml:3", **more)


@pytest.fixture
def room() -> Room:
    return Room()


# --- to throw ---


def test_where_nothing_is_killed_there_is_no_net(room: Room) -> None:
    """It costs a call one look."""
    assert room.kills.net is None
    room.engage("agent:a")
    assert room.kills.net is not None
    assert room.kills.thrown(Scope("agent:b")) is None


def test_once_more_is_the_same_kill_for_another_reason(room: Room) -> None:
    """Since its first time; noted each time."""
    room.engage("all")
    began = room.clock.wall()
    room.clock.advance(60.0)
    room.engage("all", reason="worse")
    (found,) = room.kills.items()
    assert (found.since, found.reason) == (began, "worse")
    assert [line["type"] for line in room.journal.lines] == ["kill.engaged"] * 2
    assert room.again().kills.items() == [found]


def test_it_is_told_to_whoever_listens(room: Room) -> None:
    """At once, and when it goes on."""
    room.engage("all")
    asyncio.run(room.revive("all"))
    assert room.events == [
        KillChange("all", "engaged", "why", "alice", "admin"),
        KillChange("all", "released", "fixed", "bob", "admin"),
    ]
    assert [event.grave for event in room.events] == [True, False]  # type: ignore[union-attr]


def test_stages_cannot_take_the_places_of_people(room: Room) -> None:
    """Nor people those of stages; and all can always be killed."""
    for number in range(STAGES):
        room.kills._thrown[Scope(f"workflow:{number}")] = kill(f"workflow:{number}", origin="loop")
    with pytest.raises(Full):
        room.engage("workflow:x", origin="budget")
    for number in range(PEOPLES):
        room.engage(f"agent:{number}") if number == 0 else room.kills._thrown.setdefault(
            Scope(f"agent:{number}"), kill(f"agent:{number}")
        )
    with pytest.raises(Full):
        room.engage("tool:x")
    room.engage("agent:7")  # it is one of them
    room.engage("all")
    assert "all" in room.killed


async def test_where_nobody_shares_anything_there_is_nobody_to_reach(room: Room) -> None:
    """It is this process's alone."""
    room.engage("all")
    assert await room.kills.reach(Scope("all")) is None


# --- what is under way ---


def stopped(call: Call) -> bool:
    return call.stopped is Stop.KILLED


def test_calls_in_the_scope_are_stopped_and_others_are_not(room: Room) -> None:
    """Each is told why, also where an attempt of it is at what is killed."""
    mine, other = make_call(agent="a"), make_call(agent="b")
    elsewhere = make_call(agent="b", upstream="x")
    elsewhere.attempts = [make_attempt(elsewhere, upstream="spare")]
    left = make_call(agent="b", upstream="x")
    left.attempts = [
        make_attempt(left, upstream="spare", ended=1.0),
        make_attempt(left, upstream="y", ended=2.0),
    ]
    room.calls = [mine, other, elsewhere, left]
    assert room.engage("agent:a") == 1
    assert [stopped(call) for call in room.calls] == [True, False, False, False]
    assert mine.because is not None
    assert mine.because.code == "killed"
    assert room.engage("upstream:spare") == 1
    assert [stopped(call) for call in room.calls] == [True, False, True, False]


def test_finish_spares_what_runs(room: Room) -> None:
    """And not what waits, or goes between two attempts."""
    runs, streams, waits, backs_off = (make_call() for _ in range(4))
    runs.attempts = [make_attempt(runs, sent=True)]
    streams.answered = 1.0
    backs_off.attempts = [make_attempt(backs_off, sent=True, ended=1.0)]
    room.calls = [runs, streams, waits, backs_off]
    assert room.engage("all", in_flight="finish") == 2
    assert [stopped(call) for call in room.calls] == [False, False, True, True]


def test_the_call_that_brought_it_about_is_its_stages(room: Room) -> None:
    """The others are stopped when that stage is done."""
    room.clock.gathers = []
    mine, other = make_call(), make_call()
    room.calls = [mine, other]
    assert room.kills.engage(kill("all", origin="budget"), but=mine) == 0
    assert not stopped(other)
    (later,) = room.clock.gathers
    later()
    assert (stopped(mine), stopped(other)) == (False, True)


# --- to lift ---


async def test_nothing_goes_on_before_the_record_of_it_is_durable(room: Room) -> None:
    """Meanwhile the journal has it gone, and calls have it there."""
    room.engage("all")
    room.journal.waits = asyncio.Event()
    lifting = room.clock.spawn(room.revive("all"))
    await asyncio.sleep(0)
    assert room.killed == ["all"]
    assert Room(state=room.kills.dump()).killed == []
    with pytest.raises(Unknown):
        await room.revive("all")
    room.journal.waits.set()
    await lifting
    assert (room.killed, room.kills.net) == ([], None)


async def test_one_that_cannot_be_written_stays_killed(room: Room) -> None:
    """Also should the journal be written after all: it ends with the kill."""
    room.engage("all")
    room.journal.well = False
    with pytest.raises(Unwritten):
        await room.revive("all")
    assert room.killed == room.again().killed == ["all"]
    room.journal.well = True
    await room.revive("all")
    assert room.killed == room.again().killed == []


@pytest.mark.parametrize("well", [True, False])
async def test_what_is_thrown_while_it_is_lifted_stays(room: Room, well: bool) -> None:
    """Since the same moment; it is not told that it goes on."""
    room.engage("all")
    since = room.kills.items()[0].since
    room.journal.well, room.journal.waits = well, asyncio.Event()
    lifting = room.clock.spawn(room.revive("all"))
    await asyncio.sleep(0)
    room.clock.advance(5.0)
    room.engage("all", reason="again")
    room.journal.waits.set()
    await asyncio.wait([lifting])
    assert (lifting.exception() is None) is well
    (found,) = room.kills.items()
    assert (found.reason, found.since) == ("again", since)
    assert room.again().killed == ["all"]
    assert [event.state for event in room.events] == ["engaged"] * 2  # type: ignore[union-attr]


async def test_what_is_not_killed_cannot_be_revived(room: Room) -> None:
    """Nor what is killed under another name."""
    room.engage("agent:*")
    with pytest.raises(Unknown):
        await room.revive("agent:a")


def test_it_ends_at_its_time_and_not_before(room: Room) -> None:
    """Of the wall clock, also where that jumps back, and over a restart."""
    room.engage("all", until=room.clock.wall() + 60.0)
    room.clock.time -= 1000.0
    room.kills.expire()
    assert room.killed == ["all"]
    room.clock.time += 1059.0
    room.kills.expire()
    assert room.killed == ["all"]
    later = room.again()
    later.clock.time = room.clock.time + 1.0
    later.kills.expire()
    room.clock.advance(1.0)
    room.kills.expire()
    assert room.killed == room.again().killed == later.killed == []


# --- what is written down ---


async def test_what_the_policies_kill_goes_with_them_alone(room: Room) -> None:
    """Noted when it comes and when it goes, and not at every load."""
    for _ in range(2):
        room.kills.obey([written("all")])
    with pytest.raises(Stays, match=r"remove it at p\.yaml:3"):
        await room.revive("all")
    assert len(room.journal.entries) == 1
    room.kills.obey([written("all", reason="another")])
    assert len(room.journal.entries) == 2
    room.kills.obey([])
    assert (room.killed, room.journal.lines[-1]["origin"]) == ([], "policies")


def test_over_a_restart_what_the_policies_killed_is_known(room: Room) -> None:
    """It is since its first time; and where it is not there any more, it is noted that it went."""
    room.kills.obey([written("all"), written("agent:a")])
    began = room.clock.wall()
    later = room.again()
    later.clock.advance(60.0)
    later.kills.obey([written("all")])
    assert [each.since for each in later.kills.items()] == [began]
    assert [line["type"] for line in later.journal.lines] == ["kill.released"]


def test_what_is_over_in_the_policies_is_not_killed(room: Room) -> None:
    """Whenever they are loaded; and it ends while they are in force."""
    now = room.clock.wall()
    room.kills.obey([written("all", until=now), written("agent:a", until=now + 1)])
    assert room.killed == ["agent:a"]
    room.clock.advance(1.0)
    room.kills.expire()
    assert room.killed == []


async def test_one_scope_may_be_killed_by_several(room: Room) -> None:
    """One of them is enough."""
    room.engage("all")
    room.kills.obey([written("all")])
    assert len(room.kills.items()) == 2
    room.kills.obey([])
    assert room.killed == ["all"]
    await room.revive("all")
    assert room.killed == []


async def test_what_stands_in_the_file_must_be_removed_there_first(room: Room) -> None:
    """It would be thrown again at once. The file is read anew before anybody is told so."""
    line = kill("all", origin="file", place="kill:1")
    room.kills.stands({line.scope: line})
    with pytest.raises(Stays, match="stands at kill:1"):
        await room.revive("all")

    async def look() -> None:
        room.kills.stands({})

    room.kills.look = look
    await room.revive("all")
    assert room.killed == []


@pytest.mark.parametrize("well", [True, False])
async def test_whether_it_will_still_be_there(room: Room, well: bool) -> None:
    """It counts in any case."""
    room.journal.well = well
    room.engage("all")
    assert await room.kills.durable() is well
    assert room.killed == ["all"]


def test_a_line_of_the_file_throws_its_scope_as_long_as_it_stands(room: Room) -> None:
    """Once; and anew when it was over."""
    line = kill("all", origin="file", place="kill:1")
    room.kills.stands({line.scope: line})
    room.kills.stands({line.scope: line})
    assert len(room.journal.entries) == 1
    room.engage("all", until=room.clock.wall() + 1.0)
    room.clock.advance(1.0)
    room.kills.expire()
    assert room.killed == []
    room.kills.stands({line.scope: line})
    assert room.killed == ["all"]


def test_where_there_is_no_room_for_a_line_all_can_still_be_killed(room: Room) -> None:
    """Whatever stood before it in the file."""
    for number in range(PEOPLES):
        scope = Scope(f"agent:{number}")
        room.kills._thrown[scope] = kill(scope)
    lines = {one.scope: one for one in (kill("tool:x"), kill("all"))}
    with pytest.raises(Full):
        room.kills.stands(lines)
    assert "all" in room.killed
    assert "tool:x" not in room.killed
    with pytest.raises(Full):
        room.kills.stands({Scope("tool:x"): kill("tool:x")})


# --- rebuilt ---


def test_a_snapshot_has_what_the_journal_says(room: Room) -> None:
    """With what the policies killed, apart."""
    room.engage("tool:x", until=2e9, in_flight="finish", reason="é")
    room.kills.obey([written("agent:a")])
    state = json.loads(msgspec.json.encode(room.kills.dump()))
    again = Room(state=state)
    assert again.kills.items() == room.kills.items()
    again.kills.obey([])
    assert again.killed == ["tool:x"]


@pytest.mark.parametrize(
    "line",
    [
        {"type": "kill.engaged"},
        {"type": "kill.engaged", "id": "1", "scope": 7},
        {"type": "kill.released", "id": "1"},
        {"type": "kill.released", "id": "1", "scope": "agent:gone", "by": "x"},
    ],
)
def test_nothing_is_taken_from_a_line_that_is_none(line: dict[str, Any]) -> None:
    """What was killed before stays so."""
    before = Room()
    before.engage("all")
    assert Room([*before.journal.lines, line]).killed == ["all"]


SCOPES = ("all", "agent:a", "tool:t*")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["engage", "timed", "revive", "fail", "write", "erase", "pass", "restart"]),
        st.sampled_from(SCOPES),
    ),
    max_size=25,
)


@given(STEPS)
def test_it_is_as_a_plain_model_says(steps: list[tuple[str, str]]) -> None:
    """In any order, with restarts in between."""
    room = Room()
    thrown: dict[str, float | None] = {}
    policies: set[str] = set()
    for step, scope in steps:
        if step in {"engage", "timed"}:
            until = room.clock.wall() + 10.0 if step == "timed" else None
            room.engage(scope, until=until)
            thrown[scope] = until
        elif step in {"revive", "fail"}:
            room.journal.well = step == "revive"
            if scope in thrown and scope not in policies and step == "revive":
                asyncio.run(room.revive(scope))
                del thrown[scope]
            else:
                with pytest.raises((Stays, Unknown, Unwritten)):
                    asyncio.run(room.revive(scope))
        elif step in {"write", "erase"}:
            (policies.add if step == "write" else policies.discard)(scope)
            room.kills.obey([written(each) for each in policies])
        elif step == "pass":
            room.clock.advance(6.0)
            room.kills.expire()
            now = room.clock.wall()
            thrown = {each: end for each, end in thrown.items() if end is None or now < end}
        else:
            later = room.again()
            later.journal.entries = room.journal.entries
            later.clock.time = room.clock.time
            room = later
            room.kills.obey([written(each) for each in policies])
        assert room.killed == sorted({*thrown, *policies})
        assert (room.kills.net is None) is (not room.killed)
