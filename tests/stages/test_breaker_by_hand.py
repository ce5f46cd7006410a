"""`breaker.state` and `breaker.fallback_ok`: what a person says of a circuit."""

from typing import Any

import pytest

from proxy.attempt import Attempt
from proxy.counts import BREAKER_PROBES, BREAKER_TRANSITIONS
from proxy.keys import NEWS
from proxy.news import CircuitChange, Event, News
from proxy.refusal import Refusal
from proxy.reply import Failure
from proxy.stage import Ground, Site
from proxy.stages.breaker import Breaker, CircuitCheck, ForcedOpen, Observer, ProbeLease
from proxy.state.circuit import State
from proxy.state.circuit_rules import Open, Slow
from proxy.units import Seconds
from tests.fakes import FakeClock, make_attempt, make_call, make_ground, make_reply, make_target
from tests.stages.test_breaker import STEADY, Tool, circuit, counts


def gates(ground: Ground, **fields: Any) -> list[Any]:
    """Those that such a section brings."""
    section = Breaker(**({"open": STEADY} | fields))
    site = Site(make_target(), ground, "careful")
    built = [kind.build(section, site) for kind in (CircuitCheck, ProbeLease)]
    return [gate for gate in built if gate is not None]


class Observed:
    """A tool whose circuit refuses nothing."""

    def __init__(self, ground: Ground, **fields: Any) -> None:
        (self.gate,) = gates(ground, state="observe", **fields)
        assert isinstance(self.gate, Observer)
        assert isinstance(ground.clock, FakeClock)
        self.clock = ground.clock

    def begin(self) -> Attempt:
        """One that is let go."""
        attempt = make_attempt(started=self.clock.now())
        assert self.gate.admit(attempt) is None
        return attempt

    def end(self, attempt: Attempt, what: int | Failure, after: float = 0.01) -> None:
        """It came to this."""
        self.clock.advance(after)
        reply = make_reply(what)
        attempt.ended, attempt.result = self.clock.now(), reply.result
        self.gate.committed(attempt, reply)
        self.gate.settle(attempt, reply)

    def send(self, what: int | Failure, times: int = 1) -> None:
        """So many, one after the other."""
        for _ in range(times):
            self.end(self.begin(), what)


# --- forced_open ---


@pytest.mark.parametrize(("keys", "scope"), [(("upstream", "tool"), "tool"), (("upstream",),) * 2])
def test_a_circuit_that_is_kept_open_names_no_time(keys: Any, scope: Any) -> None:
    """Waiting will not help; the owner is to be asked, and the policy is named."""
    (gate,) = gates(make_ground(), state="forced_open", keys=keys)
    assert isinstance(gate, ForcedOpen)
    refusal = gate.admit(make_attempt())
    assert (refusal.code, refusal.policy) == ("circuit_open", "careful")
    assert refusal.scope == ("tool" if scope == "tool" else "upstream")
    assert (refusal.retry_after, refusal.retryable, refusal.should_retry) == (None, False, False)
    assert refusal.step == "ask_owner"
    assert refusal.detail.startswith("A policy keeps the circuit of the ")


def test_a_circuit_that_is_kept_open_asks_none() -> None:
    """That of the keep stays what it is, so that it is there when the policy is changed back."""
    ground = make_ground()
    Tool(ground).send(500, times=3)
    gates(ground, state="forced_open")[0].admit(make_attempt())
    assert circuit(ground, "search").window.failures == 3


# --- disabled ---


def test_a_circuit_that_is_disabled_has_no_gates() -> None:
    """Nothing is asked, nothing is heard, and none is made."""
    ground = make_ground()
    assert gates(ground, state="disabled") == []
    assert dict(ground.keep.items()) == {}


# --- observe ---


def test_an_observed_circuit_opens_and_refuses_nothing() -> None:
    """The news and the metrics tell of it."""
    ground = make_ground()
    heard: list[Event] = []
    ground.kept(NEWS, News).listeners.append(heard.append)
    tool = Observed(ground)
    tool.send(500, times=9)
    assert circuit(ground, "search").state is State.OPEN
    assert heard == [CircuitChange("gateway", "search", "closed", "open", "consecutive", 5.0)]
    assert counts(ground, BREAKER_TRANSITIONS) == {("gateway", "search", "closed", "open"): 1}


def test_an_observed_circuit_closes_by_what_comes_after_its_time() -> None:
    """Two good calls in a row, whoever made them; nobody holds a lease."""
    ground = make_ground()
    tool = Observed(ground)
    tool.send(500, times=5)
    tool.send(200, times=5)
    assert circuit(ground, "search").state is State.OPEN
    tool.clock.advance(5.0)
    first, second = tool.begin(), tool.begin()
    tool.end(second, 200)
    assert circuit(ground, "search").state is State.HALF_OPEN
    assert circuit(ground, "search").owner is None
    tool.end(first, 404)
    assert circuit(ground, "search").closed
    assert counts(ground, BREAKER_PROBES) == {("gateway", "search", "passed"): 2}


def test_an_observed_circuit_opens_again_for_longer() -> None:
    """The open times are those that an enforced one would have had."""
    ground = make_ground()
    tool = Observed(ground)
    tool.send(500, times=5)
    tool.clock.advance(5.0)
    tool.send(500)
    assert circuit(ground, "search").state is State.OPEN
    assert circuit(ground, "search").until == pytest.approx(tool.clock.now() + 10.0)


def test_what_began_before_the_time_was_over_decides_nothing() -> None:
    """In force it would not have been sent."""
    ground = make_ground()
    tool = Observed(ground)
    tool.send(500, times=5)
    early = tool.begin()
    tool.end(early, 500, after=6.0)
    assert circuit(ground, "search").state is State.HALF_OPEN
    tool.send(Failure.CANCELLED)
    assert circuit(ground, "search").state is State.HALF_OPEN
    tool.send(200, times=2)
    assert circuit(ground, "search").closed


def test_who_shares_an_observed_circuit_obeys_it() -> None:
    """It is the real one: another policy's calls are refused."""
    ground = make_ground()
    Observed(ground).send(Failure.CONNECT, times=5)
    assert isinstance(Tool(ground, "deposit").admit(), Refusal)


def test_an_observed_circuit_says_what_it_is() -> None:
    """And no refusal, for there will be none."""
    tool = Observed(make_ground())
    tool.send(500, times=5)
    said = tool.gate.says(make_call())
    assert (said.note, said.refusal) == ("only observed: upstream closed, tool open", None)


# --- fallback_ok ---


@pytest.mark.parametrize("ok", [True, False])
def test_a_policy_may_forbid_that_a_fallback_answers(ok: bool) -> None:
    """The refusal says so, whoever opened the circuit."""
    tool = Tool(make_ground(), fallback_ok=ok)
    tool.send(500, times=5)
    refusal = tool.admit()
    assert isinstance(refusal, Refusal)
    assert refusal.stands is not ok
    (forced,) = gates(make_ground(), state="forced_open", fallback_ok=ok)
    assert forced.admit(make_attempt()).stands is not ok


# --- slow ---


@pytest.mark.parametrize(
    ("seconds", "slow", "opens"),
    [((2.1,) * 5, 1.0, True), ((2.0,) * 5, 1.0, False), ((0.1, 2.1, 2.1, 2.1, 2.1), 0.8, True),
     ((0.1, 0.1, 2.1, 2.1, 2.1), 0.8, False),
     ((2.1, 2.1, 2.1, 2.1, 0.1), 0.8, False), ((2.1,) * 4, 0.5, False)],
)  # fmt: skip
def test_a_share_of_slow_answers_opens_it(
    seconds: tuple[float, ...], slow: float, opens: bool
) -> None:
    """Exactly that share is enough, exactly `over` is not slow, there must be `min_calls`, and
    it is a slow one that does it: after a fast one nobody is refused."""
    ground = make_ground(FakeClock(at=0.0))
    section = Slow(over=Seconds(2.0), rate=slow)
    tool = Observed(ground, slow=section, keys=("tool",), open=Open(jitter=0.0))
    for took in seconds:
        attempt = tool.begin()
        attempt.started = 0.0
        tool.clock.time = took
        tool.end(attempt, 200, after=0.0)
        tool.clock.time = 0.0
    assert circuit(ground, "search").closed is not opens
