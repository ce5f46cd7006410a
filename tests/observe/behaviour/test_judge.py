"""What is unusual of a task."""

import pytest

from proxy.observe.behaviour.baseline import Baseline
from proxy.observe.behaviour.judge import unusual
from proxy.observe.behaviour.rules import Rules
from proxy.observe.behaviour.work import SIGNALS, Work
from proxy.record import AttemptRecord
from tests.observe.records import record

RULES = Rules()
SENT = AttemptRecord(1, "success", 3, "gateway", 200)


def learned(**usual: float) -> Baseline:
    """Forty tasks that were all like this, give or take a tenth."""
    baseline = Baseline(len(SIGNALS))
    for at in range(40):
        wobble = 0.9 + 0.2 * (at % 5) / 4
        baseline.learn(float(at), [usual.get(signal, 0.0) * wobble for signal in SIGNALS])
    return baseline


def task(calls: int, **changes) -> Work:
    """One with so many equal calls."""
    work = Work()
    for _ in range(calls):
        work.note(record(**changes), 1.0)
    return work


def signals(work: Work, baseline: Baseline) -> set[str]:
    return {one.signal for one in unusual(work, 1, baseline, RULES)}


def test_without_a_baseline_ratios_alone_are_judged():
    """A fifth of its sendings again, and more than 15 of a hundred calls put before people."""
    none = Baseline(len(SIGNALS))
    assert signals(task(500, cost_micros=10**9), none) == set()
    assert signals(task(20, attempts=(SENT, SENT)), none) == {"retries"}
    assert signals(task(20, approval="a"), none) == {"escalations"}
    assert signals(task(19, attempts=(SENT, SENT), approval="a"), none) == set()


@pytest.mark.parametrize(("calls", "found"), [(10, set()), (20, set()), (21, {"calls"})])
def test_twice_the_usual_calls(calls, found):
    """An absolute rule beside the score, for agents whose tasks differ much."""
    baseline = Baseline(len(SIGNALS))
    for at in range(41):
        baseline.learn(float(at), [(2, 5, 10, 20, 50)[at % 5], 1, 0, 0, 0, 0, 0, 1])
    assert signals(task(calls), baseline) == found


def test_far_from_the_usual_by_its_score():
    """Where tasks are much alike less than twice is unusual."""
    baseline = learned(calls=10, tools=1, counterparts=1)
    assert (signals(task(12), baseline), signals(task(19), baseline)) == (set(), {"calls"})


def test_three_times_the_usual_cost():
    """Told in dollars."""
    baseline = learned(calls=10, tools=1, counterparts=1, cost=1_000_000)
    assert signals(task(10, cost_micros=299_000), baseline) in ({"cost"}, set())
    (one,) = unusual(task(10, cost_micros=400_000), 1, baseline, RULES)
    assert (one.signal, one.value) == ("cost", 4_000_000)
    assert "cost 4.000000 USD, usual is" in one.why


def test_what_was_never_is_far():
    """Refusals where there were none; told with the score, and what is usual."""
    baseline = learned(calls=30, tools=1, counterparts=1)
    refused = task(30, decision="refuse", code="denied", attempts=())
    (one,) = unusual(refused, 1, baseline, RULES)
    assert one.signal == "refusals"
    assert one.score > RULES.score
    assert one.why.startswith("refused calls 100 %, usual is 0 % (robust z ")


def test_ratios_of_few_calls_are_not_judged():
    """One refusal of one call is a hundred percent."""
    baseline = learned(calls=5, tools=1, counterparts=1)
    assert signals(task(1, decision="refuse", attempts=()), baseline) == set()


def test_a_ratio_over_its_own_rule_is_told_once():
    """Not by the score as well."""
    baseline = learned(calls=20, tools=1, counterparts=1)
    found = unusual(task(20, attempts=(SENT, SENT)), 1, baseline, RULES)
    assert [one.signal for one in found] == ["retries"]
    assert found[0].why == "50% of its sendings are repetitions, over 20%"
