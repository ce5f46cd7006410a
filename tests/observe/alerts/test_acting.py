"""What steps of ladders do beside telling."""

from typing import Any

import pytest

from proxy.keep import Keep
from proxy.keys import KILLS, NEWS, CircuitKey, shadowed
from proxy.news import CircuitChange, News
from proxy.observe.alerts.acting import BY, Acts, no_gateway
from proxy.observe.alerts.alert import Alert
from proxy.stage import Ground
from proxy.state.circuit import Circuit, State
from proxy.state.circuit_rules import CircuitRules
from proxy.state.kills import Kills
from proxy.state.scopes import Scope
from tests.fakes import FakeClock, Turn, make_target
from tests.observe.alerts.scene import Notes, said


class Hand:
    """Acts, and the circuits that there are."""

    def __init__(self) -> None:
        self.clock = FakeClock(asleep=False)
        self.keep = Keep()
        self.asked: list[tuple[Any, ...]] = []
        self.answer = ""
        self.acts = Acts(self.clock, self.keep, lambda alert, receiver: receiver, self.call)

    async def call(self, upstream: str, tool: str, arguments: dict[str, Any], key: str) -> str:
        self.asked.append((upstream, tool, arguments, key))
        return self.answer

    def circuit(self, upstream: str, tool: str = "", *, shadow: bool = False) -> Circuit:
        """One that a call has asked for."""
        ground = Ground(clock=self.clock, keep=self.keep)
        circuit = Circuit.of(ground, make_target(upstream=upstream), tool, CircuitRules())
        if shadow:
            key = CircuitKey("", upstream, tool)
            shade = Circuit(CircuitRules(), lambda: 0.5, lambda *change: None)
            return self.keep.of(shadowed(key), lambda: shade)
        return circuit


@pytest.fixture
def hand() -> Hand:
    return Hand()


def test_circuits_are_held_open_and_let_go(hand: Hand) -> None:
    """Those of a tool, or all of an upstream; and no shadow, which stops nobody."""
    tool, other, own = hand.circuit("a", "t"), hand.circuit("a", "s"), hand.circuit("b")
    spare, shade = hand.circuit("c"), hand.circuit("b", shadow=True)
    wanted = frozenset({("a", "t"), ("b", "")})
    hand.acts.hold(wanted)
    states = [each.state for each in (tool, other, own, spare, shade)]
    assert states == [State.OPEN, State.CLOSED, State.OPEN, State.CLOSED, State.CLOSED]
    assert tool.forced
    hand.acts.hold(frozenset({("b", "")}))
    assert (tool.state, tool.forced, own.state) == (State.HALF_OPEN, False, State.OPEN)
    hand.acts.hold(frozenset())
    assert own.state is State.HALF_OPEN


def test_a_circuit_that_comes_later_is_held_as_well(hand: Hand) -> None:
    """It is there once a call has asked for it; so after a restart."""
    wanted = frozenset({("a", "")})
    hand.acts.hold(wanted)
    circuit = hand.circuit("a", "t")
    hand.acts.hold(wanted)
    assert circuit.state is State.OPEN


def test_another_hand_is_right(hand: Hand) -> None:
    """Who closes it meanwhile, or opens it, is not overruled: not now and not at the end."""
    circuit, other = hand.circuit("a"), hand.circuit("b")
    wanted = frozenset({("a", ""), ("b", "")})
    hand.acts.hold(wanted)
    circuit.force(hand.clock.now(), closed=True, by="ann")
    other.force(hand.clock.now(), closed=False, by="ann")
    hand.acts.hold(wanted)
    assert circuit.state is State.CLOSED
    hand.acts.hold(frozenset())
    assert (circuit.forced, other.forced) == (True, True)
    news: News = hand.keep.of(NEWS, News)
    news.tell(CircuitChange("x", "", "closed", "open", "by_hand", 0.0, by="ann"))
    news.tell(CircuitChange("x", "", "closed", "open", "rate", 5.0))


def test_a_kill_is_thrown_as_by_stages(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents bring about alerts: theirs take no places of people's. What is no scope is not
    killed, nor what there is no room for."""
    kills: Kills = hand.keep.of(KILLS, Kills)
    kills.begin(hand.clock, Notes(hand.clock), News(), tuple)
    assert hand.acts.kill("agent:ann", "it burns", "alerts, usual") == ""
    kill = kills.thrown(Scope("agent:ann"))
    assert kill is not None
    assert (kill.reason, kill.by, kill.origin) == ("it burns", "alerts, usual", BY)
    assert "expected all, fleet:NAME" in hand.acts.kill("agnt:ann", "x", "y")
    monkeypatch.setattr("proxy.state.kills.STAGES", 1)
    assert "are killed" in hand.acts.kill("agent:bob", "x", "y")


async def test_a_tool_is_called(hand: Hand) -> None:
    """And who asked for it hears what came of that."""
    heard: list[str] = []
    hand.answer = "the gateway answered 500"
    assert hand.acts.call("gw", "create_dispute", {"a": 1}, "k", heard.append) == ""
    for _ in range(3):
        await Turn()
    assert (hand.asked, heard) == ([("gw", "create_dispute", {"a": 1}, "k")], [hand.answer])
    assert await no_gateway("gw", "t", {}, "k") == "no tool can be called here"


def test_telling_is_the_book_s(hand: Hand) -> None:
    """It gives what that says."""
    assert hand.acts.notify(Alert("f", said()), "ops") == "ops"
