"""What the journal knows of kills: rebuilt from lines, and from snapshots at any moment."""

import asyncio
import json
from typing import Any

import msgspec
import pytest

from proxy.state.killed import POLICIES
from proxy.state.kills import Kills
from proxy.state.memory import Memory
from proxy.state.scopes import Scope
from proxy.state.throws import Lift, Thrown
from tests.fakes import FakeClock
from tests.state.at_kills import KillPod, kill
from tests.state.roads import Road

ALL = Scope("all")


@pytest.fixture
def pod() -> KillPod:
    clock = FakeClock(asleep=False)
    return KillPod("a", Road(Memory(clock.wall)), clock)


def rebuilt(pod: KillPod) -> Kills:
    """By its journal."""
    kills = Kills()
    for line in pod.journal.lines:
        kills.apply(line)
    return kills


def loaded(pod: KillPod) -> Kills:
    """By a snapshot, as it stands in the file."""
    kills = Kills()
    kills.load(json.loads(msgspec.json.encode(pod.kills.dump())))
    return kills


def scopes(kills: Kills) -> list[str]:
    """That are killed."""
    return [str(each.scope) for each in kills.items()]


def lifted(kills: Kills) -> tuple[frozenset[str], Lift]:
    """What is known of it."""
    known = kills.throws.of(ALL)
    return frozenset(known.off), known.lift


async def test_names_and_what_was_lifted_are_known_again(pod: KillPod) -> None:
    """By the journal, and by a snapshot."""
    pod.engage("all", reason="one")
    pod.engage("all", reason="two")
    pod.engage("agent:a")
    await pod.revive("agent:a")
    for kills in (rebuilt(pod), loaded(pod)):
        assert scopes(kills) == ["all"]
        assert kills.throws.of(ALL).same(pod.kills.throws.of(ALL))
        off = kills.throws.of(Scope("agent:a"))
        assert off.same(pod.kills.throws.of(Scope("agent:a")))
        assert (off.lift.by, off.lift.reason) == ("bob-a", "fixed")
        assert off.lift.at > 1_600_000_000_000


async def test_while_it_is_lifted_a_snapshot_has_it_gone(pod: KillPod) -> None:
    """With who lifts it; and what is thrown anew meanwhile stays."""
    pod.engage("all")
    waits = asyncio.Event()

    async def durable() -> bool:
        await waits.wait()
        return True

    pod.journal.durable = durable  # type: ignore[method-assign]
    lifting = asyncio.ensure_future(pod.revive("all"))
    await asyncio.sleep(0)
    off, lift = lifted(loaded(pod))
    assert (scopes(loaded(pod)), len(off), lift.by) == ([], 1, "bob-a")
    pod.kills.follow([Thrown(ALL, {"ffffffffffff.x": kill("all", reason="other")})])
    again = loaded(pod)
    assert (scopes(again), again.items()[0].reason) == (["all"], "other")
    assert (list(again.throws.of(ALL).on), lifted(again)[0]) == (["ffffffffffff.x"], off)
    waits.set()
    await lifting
    assert scopes(pod.kills) == scopes(rebuilt(pod)) == ["all"]


def test_what_had_its_end_was_not_lifted(pod: KillPod) -> None:
    """It is not killed; other pods may see that later."""
    pod.engage("all", until=pod.clock.wall() + 1.0)
    pod.clock.advance(2.0)
    pod.kills.expire()
    for kills in (rebuilt(pod), loaded(pod)):
        assert scopes(kills) == []
        assert kills.throws.of(ALL).on.keys() == pod.kills.throws.of(ALL).on.keys()
        assert lifted(kills)[0] == frozenset()


ENGAGED: dict[str, Any] = {
    "type": "kill.engaged", "id": "38b4e652-e44d-4a7f-a1a1-bbbbbbbbbbbb", "scope": "all", "by": "x",
    "reason": "y", "origin": "admin", "since": "2023-11-14T22:30:00.000Z",
}  # fmt: skip
RELEASED: dict[str, Any] = {"type": "kill.released", "id": "2", "scope": "all", "by": "x"}


def test_lines_of_before_there_were_names_have_some() -> None:
    """The same at each start; and what is released releases all of them."""
    kills = Kills()
    kills.apply(ENGAGED)
    assert list(kills.throws.of(ALL).on) == ["018bcff4aa40.38b4e652-e44d-4a7f"]
    kills.apply({**ENGAGED, "id": "3"})
    kills.apply(RELEASED | {"ts": "2023-11-14T22:31:00.123456789Z"})
    off, lift = lifted(kills)
    assert (scopes(kills), len(off), lift.at) == ([], 2, 1_700_001_060_123)
    kills = Kills()
    kills.load([{name: ENGAGED[name] for name in ENGAGED if name != "type"}])
    assert scopes(kills) == ["all"]


@pytest.mark.parametrize("when", [{}, {"ts": 7}, {"ts": "soon"}])
def test_a_line_may_not_say_when(when: dict[str, Any]) -> None:
    """It counts, and is not remembered for long."""
    kills = Kills()
    for line in (ENGAGED, RELEASED | when):
        kills.apply(line)
    assert (scopes(kills), lifted(kills)[1].at) == ([], 0)


def test_what_policies_wrote_has_no_names(pod: KillPod) -> None:
    """They go with the policies alone."""
    pod.kills.obey([kill("all", origin=POLICIES)])
    for kills in (rebuilt(pod), loaded(pod)):
        assert scopes(kills) == ["all"]
        assert list(kills.throws) == []
        kills.apply(RELEASED | {"origin": POLICIES})
        assert scopes(kills) == []
