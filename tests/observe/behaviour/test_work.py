"""What is counted of one task."""

from proxy.observe.behaviour.work import MOST_TOOLS, SIGNALS, Work
from proxy.record import AttemptRecord
from tests.observe.records import record

ONE = AttemptRecord(1, "failure", 3, "gateway", 503)


def test_a_task_is_counted_call_by_call():
    """Calls, tools, sendings again, questions to people, refusals, tokens and money."""
    work = Work()
    work.note(record("a", cost_micros=100, tokens={"input": 10, "output": 5, "reasoning": 3}), 1.0)
    work.note(record("b", attempts=(ONE, ONE, ONE), outcome="failed"), 2.0)
    work.note(record("b", attempts=(), decision="refuse", code="denied", outcome="refused"), 3.0)
    work.note(record("a", approval="ap-1"), 4.0)

    told = dict(zip(SIGNALS, work.row(3), strict=True))
    assert told == {
        "calls": 4,
        "tools": 2,
        "retries": 100 * 2 / 5,
        "escalations": 25.0,
        "refusals": 25.0,
        "tokens": 15,
        "cost": 100,
        "counterparts": 3,
    }
    assert work.last == 4.0


def test_nothing_divides_by_nothing():
    """A task whose calls were all refused has no sendings."""
    assert set(Work().row(0)) == {0}
    work = Work()
    work.note(record(attempts=(), decision="refuse"), 1.0)
    assert (work.retries, work.escalations) == (0.0, 0.0)


def test_tools_are_told_apart_up_to_a_number():
    """An agent may make them up."""
    work = Work()
    for number in range(10 * MOST_TOOLS):
        work.note(record(f"t{number}"), 1.0)
    assert len(work.tools) == MOST_TOOLS
