"""Ladders: what is done while an alert fires and nobody has acknowledged it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.observe.alerts.condition import Condition
from proxy.observe.alerts.machine import GRACE
from proxy.observe.alerts.rules import Every, Ladder, Rules, Step, ToolCall
from tests.observe.alerts.scene import AT_ONCE, Scene, said

DISPUTE = ToolCall("gw", "create_dispute", {"why": "{name}: {summary}", "n": 1, "of": ["{slo}"]})
STEPS = (
    Step(0.0, notify=("boss",), tighten=("careful",)),
    Step(300.0, open_breaker=("{upstream}/{tool}",)),
    Step(900.0, notify=("boss", "gone"), call=(DISPUTE,)),
    Step(1800.0, kill=("agent:{agent}",), notify=("boss",)),
)
LADDER = Ladder("usual", Every(), STEPS)


def climbs(*ladders: Ladder) -> Rules:
    return Rules(
        AT_ONCE.routes, AT_ONCE.receivers, AT_ONCE.timings, ladders=ladders, repeat=86_400.0
    )


def burns(*, holds: bool = True) -> Condition:
    return said(
        "SloBurn",
        source="slo",
        severity="page",
        upstream="u",
        tool="t",
        agent="ann",
        summary="it burns",
        holds=holds,
    )


@pytest.fixture
def scene() -> Scene:
    return Scene(climbs(LADDER)).begin()


def escalated(scene: Scene) -> list[tuple[int, str, str, str]]:
    """What the journal has of it."""
    return [
        (each.step, each.act, each.what, "undone" if each.undone else each.result)
        for each in scene.notes.entries
        if each.type == "alert.escalated" and each.act
    ]


def test_step_by_step(scene: Scene) -> None:
    """Each in its time and once, and the journal has it."""
    scene.tell(burns())
    scene.wait(2)
    assert scene.hands.did == [("notify", "boss")]
    assert scene.alerts.tightened == {"careful"}
    scene.wait(297)
    assert scene.alerts.held_open == frozenset()
    scene.wait(2)
    assert scene.alerts.held_open == {("u", "t")}
    scene.wait(600)
    called = scene.hands.did[-1]
    arguments = {"why": "SloBurn: it burns", "n": 1, "of": [""]}
    assert called[:3] == ("call", "gw", "create_dispute")
    assert json.loads(called[3]) == arguments
    scene.hands.done[0]("")
    scene.wait(2000)
    kill = ("kill", "agent:ann", "SloBurn: it burns", "alerts, usual")
    assert [did for did in scene.hands.did if did[0] == "kill"] == [kill]
    assert escalated(scene) == [
        (1, "tighten", "careful", "done"),
        (1, "notify", "boss", "done"),
        (2, "open_breaker", "u/t", "done"),
        (3, "notify", "boss", "done"),
        (3, "notify", "gone", "there is no such receiver"),
        (3, "call", "gw/create_dispute", "begun"),
        (3, "call", "gw/create_dispute", "done"),
        (4, "kill", "agent:ann", "done"),
        (4, "notify", "boss", "done"),
    ]
    assert scene.heard("boss") == [[("SloBurn", "firing")]] * 3
    assert len({notice.id for notice in scene.sent}) == len(scene.sent)


def test_what_can_be_undone_is_when_it_is_over(scene: Scene) -> None:
    """No kill is: whoever revives knows why."""
    scene.tell(burns())
    scene.wait(1810)
    scene.tell(burns(holds=False))
    scene.wait(5)
    assert scene.alerts.tightened == {"careful"}  # it may come back
    scene.wait(10)
    assert (scene.alerts.tightened, scene.alerts.held_open) == (frozenset(), frozenset())
    undone = [each for each in escalated(scene) if each[-1] == "undone"]
    assert undone == [(4, "tighten", "careful", "undone"), (4, "open_breaker", "u/t", "undone")]
    assert scene.heard("boss")[-1] == [("SloBurn", "resolved")]


def test_two_that_want_the_same(scene: Scene) -> None:
    """It goes back with the last of them."""
    scene.tell(burns())
    scene.tell(said("Other", upstream="v"))
    scene.wait(2)
    scene.tell(burns(holds=False))
    scene.wait(12)
    assert scene.alerts.tightened == {"careful"}
    scene.tell(said("Other", upstream="v", holds=False))
    scene.wait(12)
    assert scene.alerts.tightened == frozenset()


def test_acknowledging_stops_it(scene: Scene) -> None:
    """What was done stays done; and nothing more comes after a restart either."""
    scene.tell(burns())
    scene.wait(310)
    [alert] = scene.alerts.firing()
    scene.alerts.acknowledge(alert.id, "ann")
    did = list(scene.hands.did)
    scene.wait(3600)
    assert scene.hands.did == did
    assert scene.alerts.held_open == {("u", "t")}
    after = scene.again()
    after.tell(burns())
    after.wait(3600)
    assert after.hands.did == []
    assert after.alerts.tightened == {"careful"}
    assert after.alerts.held_open == {("u", "t")}


@pytest.mark.parametrize("snapshot", [True, False])
def test_a_restart_climbs_on(scene: Scene, snapshot: bool) -> None:
    """No step is done twice, nor earlier than it is written: time that the process was down does
    not count, and what is not known to go on is not climbed for."""
    scene.tell(burns())
    scene.wait(400)
    after = scene.again(snapshot=snapshot, down=7200.0)
    after.wait(30)
    assert after.hands.did == []
    assert after.alerts.held_open == {("u", "t")}
    after.tell(burns())
    after.wait(490)
    assert after.hands.did == []
    after.wait(110)
    assert [did[0] for did in after.hands.did] == ["notify", "notify", "call"]
    [alert] = after.alerts.firing()
    assert alert.steps == 3


def test_what_is_over_is_not_climbed_for(scene: Scene) -> None:
    """Between its end and the word of it, after a restart, and under a page."""
    scene.obey(climbs(Ladder("usual", Every(), (Step(5.0, kill=("all",)),))))
    scene.tell(burns())
    scene.wait(3)
    scene.tell(burns(holds=False))
    scene.wait(8)
    scene.tell(burns())
    scene.wait(1)
    after = scene.again()
    after.wait(GRACE + 20)
    assert scene.hands.did == after.hands.did == []
    after.tell(said("Ticket", source="slo", severity="ticket", group="g"))
    after.tell(said("Page", source="slo", severity="page", group="g", lasts=4.0))
    after.wait(4)
    assert [did[0] for did in after.hands.did] == []
    after.wait(17)
    assert [did[0] for did in after.hands.did] == ["kill"]


def test_a_process_that_stood_still_climbed_nothing(scene: Scene) -> None:
    """Nobody could have acknowledged it meanwhile."""
    scene.tell(burns())
    scene.wait(1)
    scene.clock.advance(3600.0)
    scene.wait(2)
    assert scene.hands.did == [("notify", "boss")]


def test_another_ladder_is_climbed_from_its_foot(scene: Scene) -> None:
    """After a reload. What the first one did stays as long as its alert fires."""
    scene.tell(burns())
    scene.wait(400)
    scene.obey(climbs(Ladder("other", Every(), (Step(60.0, kill=("all",)),))))
    scene.wait(50)
    assert [did[0] for did in scene.hands.did] == ["notify"]
    scene.wait(20)
    assert [did[0] for did in scene.hands.did] == ["notify", "kill"]
    assert scene.alerts.held_open == {("u", "t")}
    scene.obey(AT_ONCE)
    scene.wait(4000)
    assert scene.alerts.held_open == {("u", "t")}


def test_what_an_alert_does_not_say(scene: Scene) -> None:
    """Is not guessed; and an open circuit is not held open for being open."""
    scene.tell(said("CircuitOpen", upstream="u"))
    scene.wait(310)
    scene.tell(said("Other", source="loop", upstream="u"))
    scene.wait(310)
    results = [each for each in escalated(scene) if each[1] == "open_breaker"]
    assert (
        results
        == [(2, "open_breaker", "{upstream}/{tool}", "the alert does not say what it is about")] * 2
    )
    scene.obey(climbs(Ladder("whole", Every(), (Step(0.0, open_breaker=("{upstream}",)),))))
    scene.wait(2)
    assert [each[-1] for each in escalated(scene)[-2:]] == [
        "held open by hand it would never be over",
        "done",
    ]
    assert scene.alerts.held_open == {("u", "")}


def test_an_agent_does_not_have_others_killed(scene: Scene) -> None:
    """It makes names up; in a scope a * stands for anything. What the file says may have one."""
    step = Step(0.0, kill=("agent:{agent}", "tool:{tool}", "tool:{name}*"))
    scene.alerts.obey(climbs(Ladder("usual", Every(), (step,))))
    scene.tell(said("AgentLoops", source="loop", agent="*", tool="get_*"))
    scene.wait(2)
    why = "a name with a * in it would kill others too"
    assert escalated(scene) == [
        (1, "kill", "agent:*", why),
        (1, "kill", "tool:get_*", why),
        (1, "kill", "tool:AgentLoops*", "done"),
    ]
    assert [did[:2] for did in scene.hands.did] == [("kill", "tool:AgentLoops*")]


def test_a_tool_without_a_name_is_not_all_of_them(scene: Scene) -> None:
    """`UPSTREAM/` would be held open whole."""
    scene.tell(said("AgentLoops", source="loop", severity="page", upstream="u", tool=""))
    scene.wait(400)
    assert scene.alerts.held_open == frozenset()
    why = "the alert does not say what it is about"
    assert escalated(scene)[-1] == (2, "open_breaker", "{upstream}/{tool}", why)


def test_what_fails_is_noted(scene: Scene) -> None:
    """With why; it is not tried again."""
    scene.hands.cannot = "no"
    scene.tell(burns())
    scene.wait(2000)
    failed = [each for each in escalated(scene) if each[-1] == "no"]
    assert [each[1] for each in failed] == ["call", "kill"]
    assert scene.alerts.escalated == {
        ("tighten", "done"): 1,
        ("notify", "done"): 3,
        ("notify", "failed"): 1,
        ("open_breaker", "done"): 1,
        ("call", "failed"): 1,
        ("kill", "failed"): 1,
    }


def test_a_call_that_fails_later_is_noted(scene: Scene) -> None:
    """Behind the record that it was begun."""
    scene.tell(burns())
    scene.wait(910)
    scene.hands.done[0]("the gateway answered 500")
    assert escalated(scene)[-1] == (3, "call", "gw/create_dispute", "the gateway answered 500")


def test_nothing_is_done_for_a_try(scene: Scene) -> None:
    """Nor for alerts of alerts."""
    assert scene.alerts.test("page", "ann") == ["ops"]
    scene.wait(50)
    assert scene.heard() == [[("Test", "firing")]]
    scene.wait(30)
    assert scene.heard()[-1] == [("Test", "resolved")]
    assert scene.hands.did == []


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 300), st.booleans(), st.integers(0, 500)), max_size=8),
)
def test_steps_are_never_early_and_never_twice(
    gaps: list[int], lives: list[tuple[int, bool, int]]
) -> None:
    """Whenever the process ends, and however it is rebuilt."""
    afters = [sum(gaps[: i + 1]) for i in range(len(gaps))]
    steps = tuple(Step(float(after), kill=(f"workflow:{after}",)) for after in afters)
    scene = Scene(climbs(Ladder("l", Every(), steps))).begin()
    scene.tell(burns())
    climbed, did = 0, []
    for seconds, snapshot, down in lives:
        scene.wait(seconds)
        climbed += seconds
        did += [each[1] for each in scene.hands.did]
        scene = scene.again(snapshot=snapshot, down=float(down))
        scene.tell(burns())
    assert did == [f"workflow:{after}" for after in afters][: len(did)]
    assert len(did) <= sum(after <= climbed for after in afters)
    scene.wait(sum(gaps) + 1)
    did += [each[1] for each in scene.hands.did]
    assert did == [f"workflow:{after}" for after in afters]
