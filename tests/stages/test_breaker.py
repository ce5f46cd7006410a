"""The gates of `breaker`: what counts against which circuit, and leases around a sending."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.attempt import Attempt
from proxy.counts import BREAKER_PROBES, BREAKER_TRANSITIONS, Counted, Counts
from proxy.keys import NEWS, CircuitKey
from proxy.news import CircuitChange, Event, News
from proxy.refusal import Refusal
from proxy.reply import Failure, Reply, Result
from proxy.stage import Ground, Site
from proxy.stages.breaker import Breaker, CircuitCheck, ProbeLease
from proxy.state.circuit import Circuit, State
from proxy.state.circuit_rules import Open, Slow
from proxy.units import Seconds
from tests.fakes import (
    FakeClock,
    make_attempt,
    make_call,
    make_ground,
    make_reply,
    make_target,
)

STEADY = Open(jitter=0.0)


class Tool:
    """One tool's gates on a ground that it may share with others."""

    def __init__(self, ground: Ground, tool: str = "search", **fields: Any) -> None:
        section = Breaker(**({"open": STEADY} | fields))
        site = Site(make_target(tool=tool), ground, "careful")
        self.clock = ground.clock
        assert isinstance(self.clock, FakeClock)
        check = CircuitCheck.build(section, site)
        lease = ProbeLease.build(section, site)
        assert isinstance(check, CircuitCheck)
        assert lease is not None
        self.check, self.lease = check, lease

    def admit(self, attempt: Attempt | None = None) -> Refusal | Attempt:
        """Ask both gates; the attempt if it may go."""
        attempt = attempt or make_attempt(make_call(deadline=self.clock.now() + 45.0))
        attempt.started = self.clock.now()
        verdict = self.check.admit(attempt) or self.lease.admit(attempt)
        assert verdict is None or isinstance(verdict, Refusal)  # nobody else is asked
        return verdict or attempt

    def end(self, attempt: Attempt, reply: Reply) -> None:
        """Its result is decided and its reply finished, 10 ms later."""
        self.clock.advance(0.01)
        attempt.ended, attempt.result = self.clock.now(), reply.result
        self.lease.committed(attempt, reply)
        self.lease.settle(attempt, reply)

    def send(self, what: int | Failure = 200, times: int = 1, **more: Any) -> Refusal | None:
        """So many attempts, one after the other; the refusal of the last."""
        for _ in range(times):
            admitted = self.admit()
            if isinstance(admitted, Refusal):
                return admitted
            self.end(admitted, make_reply(what, **more))
        return None


def circuit(ground: Ground, tool: str = "") -> Circuit:
    """The circuit of a tool, or the upstream's."""
    found = dict(ground.keep.items())[CircuitKey("", "gateway", tool)]
    assert isinstance(found, Circuit)
    return found


def counts(ground: Ground, metric: Counted) -> dict[tuple[str, ...], int]:
    """The rows of a metric."""
    found = dict(ground.keep.items())[metric.key]
    assert isinstance(found, Counts)
    return found.rows


# --- opening ---


def test_failures_of_a_tool_open_its_circuit_and_not_its_neighbours() -> None:
    """Five answers of 500 with a body: this tool is refused, another one of the upstream is not."""
    ground = make_ground()
    broken, other = Tool(ground), Tool(ground, "deposit")
    assert broken.send(500, times=5) is None
    refusal = broken.send()
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.scope, refusal.policy) == ("circuit_open", "tool", "careful")
    assert refusal.retry_after == pytest.approx(5.0, abs=0.1)
    assert "search" in refusal.detail
    assert other.send() is None


def test_no_connection_opens_the_circuit_of_the_upstream() -> None:
    """Every tool of it is refused then, without finding out for itself."""
    ground = make_ground()
    Tool(ground).send(Failure.CONNECT, times=5)
    refusal = Tool(ground, "deposit").send()
    assert isinstance(refusal, Refusal)
    assert (refusal.scope, "gateway" in refusal.detail) == ("upstream", True)


def test_failures_on_two_tools_open_the_circuit_of_the_upstream() -> None:
    """Four of one and one of another, within the window: all of them count."""
    ground = make_ground()
    Tool(ground).send(500, times=4)
    Tool(ground, "deposit").send(500)
    assert circuit(ground).state is State.OPEN
    assert circuit(ground, "search").closed


def test_without_a_circuit_of_tools_everything_is_the_upstreams() -> None:
    """`keys: [upstream]`: nobody else would count a tool's failures."""
    ground = make_ground()
    Tool(ground, keys=("upstream",)).send(500, times=5)
    assert circuit(ground).state is State.OPEN


def test_with_circuits_of_tools_only_the_upstream_has_none() -> None:
    """`keys: [tool]`: lost connections count against the tool."""
    ground = make_ground()
    Tool(ground, keys=("tool",)).send(Failure.CONNECT, times=5)
    assert isinstance(Tool(ground, keys=("tool",)).send(), Refusal)
    assert Tool(ground, "deposit", keys=("tool",)).send() is None


@pytest.mark.parametrize("what", [404, 429, 501, Failure.CANCELLED, Failure.OVERLOADED])
def test_what_does_not_count(what: int | Failure) -> None:
    """Errors of the caller, throttling, and what we did ourselves never open a circuit."""
    tool = Tool(make_ground())
    assert tool.send(what, times=50) is None


def test_an_answer_that_is_no_outcome_is_no_success() -> None:
    """A question of the server, or the receipt of a task: it is well enough to say so."""
    ground = make_ground()
    tool = Tool(ground)
    tool.send(500, times=4)
    tool.send(200, times=50, pending=True)
    assert isinstance(tool.send(500, times=2), Refusal)


def test_a_policy_may_say_what_counts() -> None:
    """With `count`, what is listed is a failure, and nothing else is."""
    tool = Tool(make_ground(), count=(429, "timeout"))
    assert tool.send(500, times=50) is None
    assert tool.send(Failure.DISCONNECT, times=50) is None
    assert tool.send(Failure.CANCELLED, times=50) is None
    assert tool.send(404, times=50) is None
    tool.send(429, times=3)
    tool.send(Failure.TIMEOUT, times=2)
    assert isinstance(tool.send(), Refusal)


def test_slow_answers_open_the_circuit_of_the_tool() -> None:
    """By the attempt's own time, to its end or first byte; the upstream's circuit does not mind."""
    ground = make_ground()
    tool = Tool(ground, slow=Slow(over=Seconds(2.0)))
    for _ in range(5):
        attempt = tool.admit()
        assert isinstance(attempt, Attempt)
        tool.clock.advance(3.0)
        tool.end(attempt, make_reply(200))
    assert circuit(ground, "search").state is State.OPEN
    assert circuit(ground).closed


def test_slowness_can_be_switched_off() -> None:
    """`slow: null`: however long an answer takes."""
    ground = make_ground()
    tool = Tool(ground, slow=None)
    for _ in range(8):
        attempt = tool.admit()
        assert isinstance(attempt, Attempt)
        tool.clock.advance(300.0)
        tool.end(attempt, make_reply(200))
    assert circuit(ground, "search").closed


def test_a_stream_that_breaks_off_counts_when_it_does() -> None:
    """A success at its commit, a failure at its end; one that failed at once is counted once."""
    ground = make_ground()
    tool = Tool(ground, consecutive=100, min_calls=100)
    attempt = tool.admit()
    assert isinstance(attempt, Attempt)
    reply = make_reply(200)
    attempt.result = reply.result
    tool.lease.committed(attempt, reply)
    reply.result = Result.TRUNCATED
    tool.lease.settle(attempt, reply)
    tool.send(500)
    window = circuit(ground, "search").window
    assert (window.calls, window.failures) == (3, 2)


def test_a_stream_that_lived_its_longest_life_is_no_failure() -> None:
    """The limit is ours: an agent could else open circuits by listening."""
    ground = make_ground()
    tool = Tool(ground, count=("timeout", 500))
    attempt = tool.admit()
    assert isinstance(attempt, Attempt)
    reply = make_reply(200)
    attempt.result = reply.result
    tool.lease.committed(attempt, reply)
    reply.failure, reply.result = Failure.EXPIRED, Result.FAILURE
    tool.lease.settle(attempt, reply)
    window = circuit(ground, "search").window
    assert (window.calls, window.failures) == (1, 0)


def test_what_was_no_success_at_its_commit_counts_there_alone() -> None:
    """However its reply ends after that; and what was never committed does not count at all."""
    ground = make_ground()
    tool = Tool(ground, consecutive=100, min_calls=100)
    for committed in (404, 500, None):
        attempt = tool.admit()
        assert isinstance(attempt, Attempt)
        reply = make_reply(committed or 200)
        if committed is not None:
            attempt.result = reply.result
            tool.lease.committed(attempt, reply)
        reply.result = Result.TRUNCATED
        tool.lease.settle(attempt, reply)
    window = circuit(ground, "search").window
    assert (window.calls, window.failures) == (1, 1)


# --- probing ---


def opened(ground: Ground, **fields: Any) -> Tool:
    """A tool whose circuit has opened, and whose open time is over."""
    tool = Tool(ground, **fields)
    tool.send(500, times=5)
    tool.clock.advance(5.1)
    return tool


def test_one_probe_at_a_time() -> None:
    """The second caller is refused while the first one's answer is not there, then may go."""
    tool = opened(make_ground())
    probe = tool.admit()
    assert isinstance(probe, Attempt)
    refusal = tool.admit()
    assert isinstance(refusal, Refusal)
    assert "one call at a time" in refusal.detail
    tool.end(probe, make_reply(200))
    assert isinstance(tool.admit(), Attempt)


def test_the_last_gate_refuses_who_came_too_late_for_the_lease() -> None:
    """Both passed the first gate; the lease goes to one."""
    tool = opened(make_ground())
    first, second = (make_attempt(make_call(), started=tool.clock.now()) for _ in range(2))
    assert tool.check.admit(first) is None
    assert tool.check.admit(second) is None
    assert tool.lease.admit(first) is None
    assert isinstance(tool.lease.admit(second), Refusal)


def test_probes_close_it_and_are_counted() -> None:
    """Two successes; transitions and probes are in the counts that metrics are drawn from."""
    ground = make_ground()
    tool = opened(ground)
    tool.send(times=2)
    assert circuit(ground, "search").closed
    assert counts(ground, BREAKER_PROBES) == {("gateway", "search", "passed"): 2}
    assert counts(ground, BREAKER_TRANSITIONS) == {
        ("gateway", "search", "closed", "open"): 1,
        ("gateway", "search", "open", "half_open"): 1,
        ("gateway", "search", "half_open", "closed"): 1,
    }


def test_a_throttled_probe_fails() -> None:
    """Throttling never opens a circuit, but does not close one either."""
    ground = make_ground()
    opened(ground).send(429)
    assert circuit(ground, "search").state is State.OPEN


def test_a_probe_that_was_never_sent_gives_its_lease_back() -> None:
    """Refused later, cancelled, or failed here: it is settled, and the next one may probe."""
    ground = make_ground()
    tool = opened(ground)
    probe = tool.admit()
    assert isinstance(probe, Attempt)
    tool.lease.settle(probe, Reply(status=0, failure=Failure.CANCELLED, result=Result.CANCELLED))
    assert isinstance(tool.admit(), Attempt)
    assert counts(ground, BREAKER_PROBES) == {("gateway", "search", "given_back"): 1}


def test_a_probe_needs_the_leases_of_both_circuits() -> None:
    """Where one of them is taken, the other one is left."""
    ground = make_ground()
    search, deposit = Tool(ground), Tool(ground, "deposit")
    search.send(500, times=4)
    deposit.send(500)  # opens the upstream
    deposit.clock.advance(5.1)
    probe = deposit.admit()
    assert isinstance(probe, Attempt)
    assert circuit(ground).owner is probe
    refusal = search.admit()
    assert isinstance(refusal, Refusal)
    assert refusal.scope == "upstream"
    assert circuit(ground, "search").owner is None


def test_a_probe_of_both_circuits_is_heard_by_both() -> None:
    """The upstream and the tool were both open; one success passes for each."""
    ground = make_ground()
    tool = Tool(ground)
    tool.send(Failure.CONNECT, times=5)
    tool.clock.advance(5.1)
    tool.send(times=2)
    assert circuit(ground).closed
    assert circuit(ground, "search").closed


@pytest.mark.parametrize(("deadline", "seconds"), [(45.0, 50.0), (float("inf"), 65.0)])
def test_a_lost_probe_does_not_keep_it_half_open(deadline: float, seconds: float) -> None:
    """Its lease ends 5 s after its call's deadline; the next one takes over, and it is counted."""
    ground = make_ground()
    tool = opened(ground)
    now = tool.clock.now()
    lost = tool.admit(make_attempt(make_call(deadline=now + deadline)))
    assert isinstance(lost, Attempt)
    tool.clock.advance(seconds - 0.1)
    assert isinstance(tool.admit(), Refusal)
    tool.clock.advance(0.2)
    assert tool.send(500) is None
    assert counts(ground, BREAKER_PROBES)["gateway", "search", "lost"] == 1
    tool.end(lost, make_reply(200))
    assert circuit(ground, "search").state is State.OPEN


def test_the_upstreams_wish_is_the_floor_of_the_open_time() -> None:
    """An error with Retry-After keeps the circuit open for so long at least."""
    tool = Tool(make_ground())
    tool.send(500, times=5, fields={b"retry-after": b"60"})
    refusal = tool.send()
    assert isinstance(refusal, Refusal)
    assert refusal.retry_after == pytest.approx(60.0, abs=0.1)


def test_late_results_are_dropped() -> None:
    """What began before the opening and ends after the closing opens nothing."""
    ground = make_ground()
    tool = Tool(ground, consecutive=1)
    late = [attempt for _ in range(5) if isinstance(attempt := tool.admit(), Attempt)]
    tool.send(500)
    tool.clock.advance(5.1)
    tool.send(times=2)
    ends: list[int | Failure] = [500, 500, 200, Failure.CONNECT, 500]
    for attempt, what in zip(late, ends, strict=True):
        tool.end(attempt, make_reply(what))
    assert circuit(ground, "search").closed
    assert circuit(ground, "search").window.calls == 0


# --- around it ---


def test_a_change_is_told() -> None:
    """Somebody who listens hears of an opening: which, why, and for how long."""
    ground = make_ground()
    heard: list[Event] = []
    ground.kept(NEWS, News).listeners.append(heard.append)
    Tool(ground).send(500, times=5)
    assert heard == [CircuitChange("gateway", "search", "closed", "open", "consecutive", 5.0)]


def test_a_circuit_outlives_the_gates() -> None:
    """After a reload it is as open as before, and obeys the new section."""
    ground = make_ground()
    Tool(ground).send(500, times=5)
    reloaded = Tool(ground, consecutive=1)
    assert isinstance(reloaded.send(), Refusal)
    assert circuit(ground, "search").rules.consecutive == 1


def test_a_shadow_has_circuits_of_its_own() -> None:
    """It says once for each attempt what it would do; what is enforced does not see it."""
    clock = FakeClock()
    ground = make_ground(clock)
    shadowed = Ground(clock=clock, keep=ground.keep, shadow=True)
    shadow, enforced = Tool(shadowed), Tool(ground)
    shadow.send(500, times=5)
    attempt = make_attempt(started=clock.now())
    assert shadow.check.admit(attempt) is None
    assert isinstance(shadow.lease.admit(attempt), Refusal)
    assert enforced.send() is None


def test_a_window_of_zero_is_refused() -> None:
    """It would hold nothing."""
    with pytest.raises(ValueError, match="window: must be longer than 0"):
        Breaker(window=Seconds(0))


ENDS = st.sampled_from(
    [200, 404, 429, 500, 503, Failure.CONNECT, Failure.TIMEOUT, Failure.CANCELLED, None]
)


@given(
    st.lists(st.tuples(st.sampled_from(["search", "deposit"]), ENDS, st.floats(0, 40)), max_size=60)
)
def test_no_order_of_results_leaves_a_tool_shut(
    steps: list[tuple[str, int | Failure | None, float]],
) -> None:
    """Whatever happened (None: never heard of again): when all is well again, calls get through."""
    ground = make_ground()
    tools = {name: Tool(ground, name, open=Open()) for name in ("search", "deposit")}
    clock = tools["search"].clock
    for name, what, seconds in steps:
        admitted = tools[name].admit()
        if isinstance(admitted, Attempt) and what is not None:
            tools[name].end(admitted, make_reply(what))
        clock.advance(seconds)
    clock.advance(200.0)
    for tool in tools.values():
        assert tool.send(times=2) is None
    assert circuit(ground).closed
    assert circuit(ground, "search").closed


# --- hedges ---


def test_a_hedge_is_no_probe() -> None:
    """What is not known to be well gets one call, and not a second beside it."""
    clock = FakeClock()
    tool = Tool(make_ground(clock))
    hedge = make_attempt(make_call(), hedge=True, started=clock.now())
    assert tool.check.admit(hedge) is None
    tool.send(500, times=5)
    refused = tool.check.admit(hedge)
    assert isinstance(refused, Refusal)
    assert refused.retry_after == pytest.approx(5.0, abs=0.1)
    clock.advance(6.0)
    for gate in (tool.check, tool.lease):
        again = gate.admit(hedge)
        assert isinstance(again, Refusal)
        assert (again.code, again.retry_after) == ("circuit_open", 1.0)
    assert tool.send() is None
