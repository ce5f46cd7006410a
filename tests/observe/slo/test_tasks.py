"""proxy/observe/slo/tasks.py"""

from typing import Any

import pytest

from proxy.observe.slo import tasks as tasks_of
from proxy.observe.slo.ends import FAILURE, SUCCESS
from proxy.observe.slo.tasks import Tasks
from tests.observe.records import record
from tests.observe.slo.work import Works, counted, of_tasks, series

FAILED: dict[str, Any] = {"outcome": "failed", "code": "failure", "attempts": ()}
REFUSED: dict[str, Any] = {"outcome": "refused", "code": "denied", "attempts": ()}
GONE: dict[str, Any] = {"outcome": "cancelled", "code": "agent_gone"}
PENDING: dict[str, Any] = {"outcome": "refused", "code": "approval_pending", "attempts": ()}


def test_a_task_ends_with_the_call_that_says_so():
    """Nothing is counted before."""
    works = Works()
    works.call()
    assert works.came_to == (0, 0, {})
    works.call(task_end="success")
    assert works.came_to == (1, 0, {})
    assert works.open == 0


@pytest.mark.parametrize(
    ("said", "end", "comes_to"),
    [
        ("success", {}, (1, 0, {})),
        ("success", {"outcome": "fallback", "tier": 3}, (0, 1, {})),
        ("success", FAILED, (0, 1, {})),
        ("success", REFUSED, (0, 0, {"refused": 1})),
        ("success", GONE, (0, 0, {"cancelled": 1})),
        ("failure", {}, (0, 1, {})),
        ("failure", REFUSED, (0, 1, {})),
    ],
)
def test_success_comes_true_if_its_call_does(
    said: str, end: dict[str, Any], comes_to: tuple[int, int, dict[str, int]]
):
    """The agent has said it before it knew; of its failure it knew."""
    works = Works()
    works.call(task_end=said, **end)
    assert works.came_to == comes_to


def test_the_first_end_of_a_task_counts():
    """Whoever says it once more, or otherwise, changes nothing; nor does a call that comes late."""
    works = Works()
    works.call(task_end="failure")
    works.call(task_end="success")
    works.call()
    works.call(**FAILED)
    works.passes(599)
    assert works.came_to == (0, 1, {})
    (followed,) = works.followed.tasks
    assert followed.late == 3
    assert works.open == 0


def test_of_two_calls_at_once_the_one_that_says_so_ends_it():
    """The other one began before the end, and comes late."""
    works = Works()
    works.call("t", 1.0)
    works.call("t", 2.0, task_end="success")
    works.call("t", 5.0, **FAILED)
    assert works.came_to == (1, 0, {})


def test_when_it_is_forgotten_how_it_ended_the_same_name_is_another_task():
    """That is when it had been idle for so long."""
    works = Works()
    works.call(task_end="success")
    works.passes(600)
    works.call(task_end="success")
    assert works.came_to == (2, 0, {})


def test_a_terminal_tool_ends_it_by_its_success():
    """One that fails ends nothing: it may be asked again."""
    works = Works(of_tasks(terminal=("release_*",)))
    works.call(tool="release_escrow", **FAILED)
    works.call(tool="get_balance")
    assert works.came_to == (0, 0, {})
    works.call(tool="release_escrow")
    assert works.came_to == (1, 0, {})


@pytest.mark.parametrize(
    ("last", "comes_to", "end"),
    [
        ({}, (0, 1, {}), "abandoned"),
        (FAILED, (0, 1, {}), "failure"),
        (REFUSED, (0, 0, {"refused": 1}), "refused"),
        ({"outcome": "cancelled", "code": "killed"}, (0, 0, {"killed": 1}), "killed"),
        (GONE, (0, 0, {"cancelled": 1}), "cancelled"),
    ],
)
def test_one_that_is_idle_ends_as_its_last_call_did(
    last: dict[str, Any], comes_to: tuple[int, int, dict[str, int]], end: str
):
    """Where that went well it is abandoned; and it is written down."""
    works = Works()
    works.call(**FAILED)
    works.call(**last)
    works.passes(599.9)
    assert works.came_to == (0, 0, {})
    works.passes(0.1)
    assert works.came_to == comes_to
    line = works.lines[-1]
    assert line["type"] == "task.ended"
    assert (line["agent"], line["task"], line["end"]) == ("pricing-01", "t", end)
    assert line["slos"] == ["done"]


def test_one_that_works_or_waits_for_people_is_not_idle():
    """When that is over its time begins anew."""
    works = Works()
    works.call()
    works.busy = {("pricing-01", "t")}
    works.passes(600)
    works.passes(600)
    assert works.open == 1
    works.busy = set()
    works.passes(599)
    assert works.open == 1
    works.passes(1)
    assert works.came_to == (0, 1, {})


def test_what_is_idle_for_less_stays():
    """Also behind one that is over."""
    works = Works()
    works.call("a", 0.0)
    works.clock.time += 300
    works.call("b", 0.0)
    works.passes(300)
    assert works.came_to == (0, 1, {})
    assert works.open == 1


def test_its_time_is_without_that_of_people():
    """From the begin of its first call; a call that was held, and one that was to come again."""
    works = Works(of_tasks(sli="latency", most_us=10_000_000))
    works.call("t", 60.0, held_us=55_000_000)
    works.call("t", 1.0, **PENDING)
    works.clock.time += 300
    works.call("t", 4.0, task_end="success")
    assert works.came_to == (1, 0, {})
    works.call("u", 6.0)
    works.clock.time += 1
    works.call("u", 4.0, task_end="success")
    assert works.came_to == (1, 1, {})


def test_it_begins_with_the_call_that_began_first():
    """Though another one ended before."""
    works = Works(of_tasks(sli="latency", most_us=10_000_000))
    works.call("t", 1.0)
    works.call("t", 10.5)
    works.call("t", 0.0, task_end="success")
    assert works.came_to == (0, 1, {})


def test_one_that_is_abandoned_lasted_until_its_last_call():
    """That it was idle is no time of its own."""
    works = Works(of_tasks(sli="latency", most_us=10_000_000))
    works.call("t", 9.0)
    works.passes(600)
    works.call("u", 11.0)
    works.passes(600)
    assert works.came_to == (0, 1, {"abandoned": 1})


def test_it_costs_what_its_calls_cost():
    """Those that failed among them; not those that come late."""
    works = Works(of_tasks(sli="cost", most_micros=150_000))
    works.call("t", cost_micros=100_000, **FAILED)
    works.call("t", cost_micros=50_000, task_end="success")
    works.call("t", cost_micros=1)
    works.call("u", cost_micros=100_000)
    works.call("u", cost_micros=50_001, task_end="success")
    assert works.came_to == (1, 1, {})


def test_an_agent_ends_no_task_of_another():
    """Whoever's it is, is part of its name."""
    works = Works()
    works.call("t", agent="a")
    works.call("t", agent="b", task_end="failure")
    assert works.came_to == (0, 1, {})
    assert works.open == 1


def test_calls_without_a_task_are_of_none():
    """Whatever they say."""
    works = Works()
    works.call("", task_end="success")
    assert works.came_to == (0, 0, {})


def test_an_agent_that_makes_up_tasks_takes_only_its_own_room(monkeypatch: pytest.MonkeyPatch):
    """What begins beyond is not followed, and counted as such; what ends at once needs no room."""
    monkeypatch.setattr(tasks_of, "MOST_OF_ONE", 3)
    monkeypatch.setattr(tasks_of, "MOST", 5)
    works = Works()
    for number in range(10):
        works.call(f"t{number}", agent="mints")
    (followed,) = works.followed.tasks
    assert (works.open, followed.untracked) == (3, 7)
    for number in range(10):
        works.call(f"t{number}", agent="other")
    assert (works.open, followed.untracked) == (5, 15)
    works.call("t9", agent="mints", task_end="success")  # of which nobody knows that it began
    works.call("new", agent="mints", task_end="success")
    assert works.came_to == (2, 0, {})
    works.passes(600)
    assert works.came_to == (2, 5, {})
    works.call("again", agent="mints")
    assert works.open == 1


def test_what_is_remembered_of_ended_ones_is_bounded(monkeypatch: pytest.MonkeyPatch):
    """The one that ended first makes room."""
    monkeypatch.setattr(tasks_of, "REMEMBERED", 3)
    works = Works()
    for number in range(5):
        works.call(f"t{number}", 0.0, task_end="success")
    (followed,) = works.followed.tasks
    assert [followed.ended(("pricing-01", f"t{n}")) for n in range(5)] == [
        "", "", "success", "success", "success",
    ]  # fmt: skip
    works.passes(600)
    assert not followed.ended(("pricing-01", "t4"))


def test_an_objective_that_says_something_else_of_the_same_calls_keeps_its_tasks():
    """They are judged by what is in force when they end."""
    works = Works(of_tasks(sli="latency", most_us=1_000_000))
    works.call("t", 5.0)
    works.follow(of_tasks(sli="latency", most_us=9_000_000))
    works.call("t", 1.0, task_end="success")
    assert works.came_to == (1, 0, {})


def test_somebody_says_how_it_ends():
    """Whatever its last call was."""
    one = series()
    followed = Tasks(of_tasks(), one)
    followed.saw(("a", "t"), record(), FAILURE, 100)
    assert list(followed.of("t")) == [("a", "t")]
    followed.end(("a", "t"), SUCCESS, 200)
    assert counted(one) == (1, 0, {})
    assert followed.ended(("a", "t")) == "success"
    followed.abandon(("a", "t"), FAILURE, 300)  # it is open no more
    assert counted(one) == (1, 0, {})
