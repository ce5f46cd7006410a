"""proxy/observe/slo/following.py"""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.observe.slo import following
from proxy.observe.slo.following import Following, Outcome, Several, Unknown, Untrue
from tests.fakes import FakeClock, run
from tests.observe.records import record
from tests.observe.slo.work import Works, counted, of_tasks, reach, series

FAILED: dict[str, Any] = {"outcome": "failed", "code": "failure", "attempts": ()}


def test_each_objective_has_its_own_calls_of_a_task():
    """And its own end of it: to each a task is what its match, its tools and its time make it."""
    works = Works(
        of_tasks("all", terminal=("release_escrow",)),
        of_tasks("shop", globs={"upstream": "shop"}, idle=60.0),
        of_tasks("llm", globs={"layer": "llm", "agent": "commerce-*"}),
    )
    works.call("t", upstream="shop")
    works.call("t", tool="release_escrow")
    assert counted(works.series["all"]) == (1, 0, {})
    works.passes(60)
    assert counted(works.series["shop"]) == (0, 1, {})
    assert counted(works.series["llm"]) == (0, 0, {})


def test_objectives_of_calls_are_not_followed():
    """And where there are no others, no record is wanted at the start."""
    one = msgspec.structs.replace(of_tasks(), per="call")
    works = Works(one)
    works.call(task_end="success")
    assert not works.followed.tasks
    assert works.followed.types == frozenset()
    assert Works().followed.types == {"call.finished", "task.ended"}


def test_an_operator_says_how_a_task_ended():
    """For all that count it; it is written down with who said so."""
    works = Works(of_tasks("a"), of_tasks("b"), of_tasks("c", globs={"tool": "none"}))
    works.call()
    assert works.followed.end("t", "success", "alice") == Outcome("pricing-01", ("a", "b"))
    assert counted(works.series["b"]) == (1, 0, {})
    line = works.lines[-1]
    assert {**line, "id": "", "ts": ""} == {
        "id": "", "ts": "", "type": "task.ended", "agent": "pricing-01", "task": "t",
        "end": "success", "by": "alice", "slos": ["a", "b"],
    }  # fmt: skip


def test_saying_it_twice_changes_nothing():
    """Nothing is written either; and what is not true is said."""
    works = Works()
    works.call()
    works.followed.end("t", "failure", "alice")
    noted = len(works.lines)
    assert works.followed.end("t", "failure", "bob") == Outcome("pricing-01", ())
    with pytest.raises(Untrue, match="failure"):
        works.followed.end("t", "success", "bob")
    assert works.came_to == (0, 1, {})
    assert len(works.lines) == noted


def test_nobody_ends_what_there_is_not():
    """Nor one of another agent."""
    works = Works()
    works.call("t", agent="a")
    with pytest.raises(Unknown):
        works.followed.end("u", "success", "alice")
    with pytest.raises(Unknown):
        works.followed.end("t", "success", "b", agent="b")
    assert works.open == 1


def test_the_same_name_of_two_agents_is_two_tasks():
    """Whoever ends one says whose."""
    works = Works()
    works.call("t", agent="a")
    works.call("t", agent="b")
    with pytest.raises(Several, match="a, b"):
        works.followed.end("t", "success", "alice")
    assert works.followed.end("t", "success", "alice", agent="b") == Outcome("b", ("done",))
    assert works.open == 1


def test_tasks_of_an_objective_that_is_gone_count_nowhere():
    """Also when it comes back: it begins anew."""
    works = Works(of_tasks(), of_tasks("other"))
    works.call()
    works.follow(of_tasks("other"))
    works.follow(of_tasks(), of_tasks("other"))
    works.passes(600)
    assert counted(works.series["other"]) == (0, 1, {})
    assert counted(works.series["done"]) == (0, 0, {})


def test_an_objective_that_is_for_other_calls_begins_anew():
    """What was open was no task of its."""
    works = Works()
    works.call()
    works.follow(of_tasks(globs={"agent": "p*"}))
    assert works.open == 0
    works.call()
    assert works.open == 1


def test_names_that_agents_make_up_are_not_remembered_for_ever(monkeypatch: pytest.MonkeyPatch):
    """Neither many nor long ones, and they are matched all the same."""
    monkeypatch.setattr(following, "_MOST", 10)
    works = Works(of_tasks(globs={"tool": "x*"}))
    for number in range(25):
        works.call("t", tool=f"x{number}")
    works.call("u", tool="x" * 100_000)
    assert works.open == 2
    assert len(works.followed._concerned) <= 10
    assert all(len(tool) < 1000 for *_, tool in works.followed._concerned)


def test_nobody_asks_who_works_before_something_is_idle():
    """It takes a look at all calls; and then once for all."""
    works = Works()
    asked: list[int] = []

    def busy() -> set[tuple[str, str]]:
        asked.append(1)
        return set()

    works.call("a", 0.0)
    works.call("b", 0.0)
    works.followed.look(busy)
    assert not asked
    works.clock.time += 600
    works.followed.look(busy)
    assert asked == [1]
    assert works.open == 0


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("call"),
            st.sampled_from("ab"),
            st.sampled_from("tuv"),
            st.sampled_from(["", "", "", "success", "failure"]),
            st.sampled_from([{}, {}, FAILED, {"outcome": "refused", "code": "denied"}]),
        ),
        st.tuples(st.just("passes"), st.sampled_from([1, 59, 60, 200, 700])),
        st.tuples(st.just("end"), st.sampled_from("ab"), st.sampled_from("tuv")),
    ),
    max_size=30,
)


def play(works: Works, step: Any) -> None:
    """One step of somebody."""
    if step[0] == "call":
        _, agent, task, says, end = step
        tool = "release" if task == "v" else "look"
        works.call(task, 1.0, agent=agent, tool=tool, task_end=says, cost_micros=60_000, **end)
    elif step[0] == "passes":
        works.passes(step[1])
    elif any(each.is_open(step[1:]) for each in works.followed.tasks):
        works.followed.end(step[2], "success", "alice", agent=step[1])


@given(STEPS, st.data())
def test_the_next_process_knows_what_this_one_did(steps: list[Any], data: st.DataObject):
    """From the records alone, or from a snapshot of any moment and the records after it; and both
    go on alike."""
    objectives = (
        of_tasks(idle=60.0),
        of_tasks("cheap", "cost", most_micros=150_000, terminal=("release",)),
        of_tasks("quick", "latency", most_us=100_000_000, idle=300.0, globs={"agent": "a"}),
    )
    works = Works(*objectives)
    cut = data.draw(st.integers(0, len(steps)))
    state, at, then = b"{}", 0, {name: _copied(one) for name, one in works.series.items()}
    for number, step in enumerate(steps):
        if number == cut:
            state, at = msgspec.json.encode(works.followed.dump()), len(works.lines)
            then = {name: _copied(one) for name, one in works.series.items()}
        play(works, step)
    works.passes(0)
    anew = works.reborn()
    assert _all(anew) == _all(works)
    later = works.reborn(at, state)
    for name, (good, bad, excluded) in then.items():
        one = later.series[name]
        one.ring.add(good, bad)
        for reason, number in excluded.items():
            one.excluded[reason] = one.excluded.get(reason, 0) + number
    assert _all(later) == _all(works)


def _copied(one: Any) -> tuple[int, int, dict[str, int]]:
    good, bad, excluded = counted(one)
    return good, bad, dict(excluded)


def _all(works: Works) -> Any:
    kept = {name: state for name, (_, state) in works.followed.dump().tasks.items()}
    for state in kept.values():
        state.ended.sort(key=lambda task: (task.agent, task.task))
        state.open.sort(key=lambda task: task.name)
    return {name: counted(one) for name, one in works.series.items()}, kept


def test_what_is_no_state_of_ours_is_left_out():
    """The records are still there."""
    works = Works()
    works.followed.load({"done": 5})
    tasks: dict[str, Any] = {"done": ["another match", {}], "gone": ["", {}]}
    works.followed.load({"tasks": tasks, "lately": []})
    works.followed.apply({"type": "task.ended", "agent": "a", "task": "t", "ts": "never"})
    works.followed.apply({"type": "task.ended", "ts": 5, "slos": ["gone"], "end": "later"})
    assert works.open == 0


def test_a_call_that_a_state_knows_is_not_seen_twice():
    """Its record may be written later, where its bodies are looked through first."""
    works = Works(of_tasks(sli="cost", most_micros=100))
    works.call(cost_micros=60)
    anew = works.reborn(0, msgspec.json.encode(works.followed.dump()))
    anew.call(cost_micros=30, task_end="success")
    assert anew.came_to == (1, 0, {})


def test_in_a_drill_it_is_idle_sooner_and_takes_as_long_as_it_takes():
    """Only windows pass faster."""
    works = Works(of_tasks(sli="latency", most_us=3_000_000), clock=FakeClock(drill=60))
    works.call(seconds=60.0, duration_us=1_000_000, held_us=500_000)  # a second, on the fast clock
    works.call(seconds=60.0, duration_us=1_000_000, task_end="success")
    works.call("u", 240.0, duration_us=4_000_000)
    works.passes(600)
    assert works.came_to == (1, 1, {})


def test_calls_that_no_objective_is_for_are_no_tasks():
    """Whatever they say."""
    works = Works(of_tasks(globs={"agent": "commerce-*"}))
    works.call(agent="other", task_end="failure")
    assert works.came_to == (0, 0, {})


def test_what_was_written_of_objectives_that_are_gone_is_passed_over():
    """And an end of a task that is not known: its begin may be deleted by now."""
    works = Works()
    ended = {"type": "task.ended", "id": "x", "agent": "a", "task": "t", "end": "failure"}
    for more in ({}, {"by": "alice"}):
        works.followed.apply({**ended, **more, "ts": "2026-11-28T21:00:00Z", "slos": ["gone"]})
        works.followed.apply({**ended, **more, "ts": "2026-11-28T21:00:00Z", "slos": ["done"]})
    assert works.came_to == (0, 0, {})


def test_before_there_is_a_journal_nothing_is_noted():
    """Nor is it durable."""
    clock = FakeClock()
    followed = Following(clock.wall, reach, clock.uuid)
    followed.follow([(of_tasks(), series())])
    followed.note(record(task="t"))
    clock.time += 600
    followed.look(set)
    (tasks,) = followed.tasks
    assert tasks.ended(("pricing-01", "t")) == "abandoned"
    assert run(followed.durable()) is False
    assert run(Works().followed.durable()) is True
