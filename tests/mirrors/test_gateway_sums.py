"""proxy/mirrors/gateway_sums.py: sums by agent and minute, each call once."""

import json

from proxy.mirrors.gateway_sums import MOST, OTHERS, Sums, minute_of
from proxy.mirrors.gateway_table import called
from tests.mirrors.at_gateway import AGENT, SOURCE, finished


def add(sums: Sums, **more) -> None:
    event = finished(**more)
    sums.add(event, called(event))


def test_calls_are_summed_up():
    """By agent."""
    sums = Sums()
    add(sums, seq=4, cost_micros=5, tokens={"input": 7, "output": 2})
    add(sums, seq=5, outcome="failed")
    add(sums, seq=6, decision="refuse", outcome="refused", agent="other")

    told = dict(sums.steps(SOURCE))

    assert sums.minute == "2026-11-28T06:23"
    assert told[AGENT].given == {
        "agent_id": AGENT,
        "metrics": {
            "calls": 2, "failed": 1, "refused": 0, "cost_micros": 5, "duration_us": 2000,
            "input_tokens": 7, "output_tokens": 2,
        },
        "period": {"from": "2026-11-28T06:23:00Z", "seconds": 60, "source": SOURCE},
    }  # fmt: skip
    assert told["other"].given["metrics"]["refused"] == 1
    assert len({step.key for step in told.values()}) == 2


def test_the_same_sums_have_the_same_key():
    """And those of another source, or of the rest of a minute, another one."""
    sums, late = Sums(), Sums()
    add(sums, seq=4)
    add(late, seq=9)

    [(_, step)] = sums.steps(SOURCE)
    assert next(sums.steps(SOURCE))[1].key == step.key
    assert next(sums.steps("holdfast/shop/pod-2"))[1].key != step.key
    assert next(late.steps(SOURCE))[1].key != step.key


def test_what_is_told_is_forgotten():
    """One after the other; then there is no minute."""
    sums = Sums()
    add(sums)
    add(sums, agent="other")

    sums.told(AGENT)
    assert sums.minute
    sums.told("other")

    assert (sums.minute, list(sums.steps(SOURCE))) == ("", [])
    add(sums, ts="2026-11-28T06:25:00.000000000Z")
    assert sums.minute == minute_of("2026-11-28T06:25:59")


def test_agents_may_make_up_as_many_names_as_they_like():
    """Those beyond the limit share a row, and so do calls of nobody."""
    sums = Sums()
    for number in range(MOST + 5):
        add(sums, agent=f"agent-{number}")
    add(sums, agent="")
    add(sums, agent="agent-3")

    assert len(sums.agents) == MOST + 1
    assert sums.agents[OTHERS][0] == 6
    assert sums.agents["agent-3"][0] == 2


def test_it_is_kept():
    """As JSON."""
    sums, again = Sums(), Sums()
    add(sums, seq=4)

    again.load(json.loads(json.dumps(sums.dump())))

    assert list(again.steps(SOURCE)) == list(sums.steps(SOURCE))
