"""Windows on what agents did: what is a loop, what is none, and how much is remembered."""

from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.state import loops
from proxy.state.answers import Answer
from proxy.state.loops import ANSWERS, RUNS, SURE, TOOLS, Found, Loops, Rules, Turn, Window

OK = Answer(b"ok", start=b"hello")
BAD = Answer(b"500", failing=True, status=500)
TOOL = ("gateway", "search")


class Agent:
    """An agent in one workflow, and what it runs into."""

    def __init__(self, state: Loops | None = None, key: Any = "w", **rules: Any) -> None:
        self.loops = state or Loops()
        self.key = key
        self.rules = Rules(**rules)
        self.now = 1000.0
        self.calls = 0

    def window(self) -> Window:
        """Its window."""
        return self.loops.window(self.key, self.rules.within, self.now)

    def begins(self, signature: bytes | None = b"a", tool: Any = TOOL) -> Turn | Found:
        """A call; or what stops it."""
        window = self.window()
        found = window.find(signature, tool, self.rules, self.now)
        if found is not None and found.over:
            return found
        self.calls += 1
        turn = Turn(window, signature, tool)
        turn.found = found
        self.loops.begin(self.id(turn), turn, self.rules, self.now)
        return turn

    @staticmethod
    def id(turn: Turn) -> str:
        """Of its call."""
        return f"c{id(turn)}"

    def ends(self, turn: Turn | Found, answer: Answer | None = OK, *, did: bool = False) -> None:
        """The call is over."""
        assert isinstance(turn, Turn)
        assert self.loops.end(self.id(turn)) is turn
        assert self.loops.end(self.id(turn)) is None
        if answer is not None:
            self.loops.answered(turn, answer, self.rules, self.now, did=did)

    def does(self, signature: bytes | None = b"a", answer: Answer | None = OK, **more: Any) -> str:
        """A whole call: what was found of it, in a word and a number; `!`: it was stopped."""
        did = more.pop("did", False)
        turn = self.begins(signature, **more)
        if isinstance(turn, Found):
            return f"{turn.rule} {turn.times}!"
        self.ends(turn, answer, did=did)
        return f"{turn.found.rule} {turn.found.times}" if turn.found else ""


def many(answers: int, start: int = 0) -> list[Answer]:
    """So many different answers."""
    return [Answer(b"%d" % number) for number in range(start, start + answers)]


# --- the same call ---


def test_the_sixth_of_the_same_is_stopped() -> None:
    """From the third on it is noted."""
    agent = Agent()
    assert [agent.does() for _ in range(7)] == [
        "", "", "same 2", "same 3", "same 4", "same 5!", "same 5!",
    ]  # fmt: skip
    assert agent.calls == 5


def test_the_fourth_that_fails_is_stopped() -> None:
    """In the same way."""
    agent = Agent()
    assert [agent.does(answer=BAD) for _ in range(4)] == ["", "", "failing 2", "failing 3!"]


def test_another_answer_begins_anew() -> None:
    """Also one that fails, or that is like no other."""
    agent = Agent()
    for answer in (OK, OK, BAD, BAD, OK, OK, OK, OK, Answer(None), Answer(None), OK):
        assert not agent.does(answer=answer).endswith("!")
    agent = Agent(tool=None)
    assert [agent.does(answer=answer) for answer in many(30)] == [""] * 30


def test_pages_are_no_loop() -> None:
    """Different arguments with different answers."""
    agent = Agent()
    pages = [(answer.digest, answer) for answer in many(60)]
    assert [agent.does(signature, answer) for signature, answer in pages] == [""] * 60


def test_other_calls_between_them_change_nothing() -> None:
    """An agent that is stuck does other things as well."""
    agent = Agent()
    for number, answer in enumerate(many(5, 100)):
        assert not agent.does().endswith("!")
        assert agent.does(b"%d" % number, answer) == ""
    assert agent.does() == "same 5!"


def test_what_was_answered_long_ago_does_not_count() -> None:
    """Of one call in a busy window; what was refused meanwhile changes nothing."""
    agent = Agent(within=600.0)
    for _ in range(5):
        agent.does()
    agent.now += 599
    agent.does(b"other", Answer(b"x"))
    assert agent.does() == "same 5!"
    agent.now += 2
    assert [agent.does() for _ in range(3)] == ["", "", "same 2"]


def test_an_idle_window_has_forgotten() -> None:
    """All of it, unless a call is still under way."""
    agent = Agent(within=600.0)
    for _ in range(4):
        agent.does()
    agent.window().over = 3
    agent.now += 601
    assert agent.does() == ""
    assert agent.window().over == 0
    turn = agent.begins(b"long")
    agent.window().over = 3
    agent.now += 601
    assert agent.window().over == 3
    agent.ends(turn)


@pytest.mark.parametrize("rule", ["same", "failing"])
def test_a_rule_that_is_off_finds_nothing(rule: str) -> None:
    """Nor does it note anything."""
    agent = Agent(**{rule: None, "tool": None})
    answer = OK if rule == "same" else BAD
    assert [agent.does(answer=answer) for _ in range(9)] == [""] * 9


def test_nothing_is_noted_unless_it_is_asked_for() -> None:
    """`note: null`."""
    agent = Agent(note=None)
    assert [agent.does() for _ in range(6)] == ["", "", "", "", "", "same 5!"]


def test_only_what_was_said_twice_is_remembered() -> None:
    """A window of calls that were made once holds no texts."""
    agent = Agent()
    run = agent.window().runs
    agent.does()
    answer = run[b"a"].answer
    assert answer is not None
    assert answer.start == b""
    agent.does()
    assert run[b"a"].answer == OK


def test_a_call_without_a_signature_is_the_same_as_none() -> None:
    """Its body was not at hand."""
    agent = Agent(tool=None)
    assert [agent.does(None) for _ in range(9)] == [""] * 9


def test_a_call_without_an_answer_counts_as_nothing() -> None:
    """It was cancelled, or refused."""
    agent = Agent()
    assert [agent.does(answer=None) for _ in range(9)] == [""] * 9
    assert agent.window().flying == agent.window().runs[b"a"].flying == 0


# --- at once ---


def test_a_hundred_at_once_may_go_while_nothing_is_known() -> None:
    """Then each of them counts, and the next is stopped."""
    agent = Agent()
    turns = [agent.begins() for _ in range(100)]
    assert all(isinstance(turn, Turn) for turn in turns)
    for turn in turns:
        agent.ends(turn)
    assert agent.does() == "same 100!"


def test_calls_under_way_are_taken_for_the_same_once_it_is_known() -> None:
    """So no burst passes by the limit. Those that are cancelled give their place back."""
    agent = Agent()
    for _ in range(SURE):
        agent.does()
    turns = [agent.begins() for _ in range(100)]
    assert [isinstance(turn, Turn) for turn in turns] == [True] * 3 + [False] * 97
    agent.ends(turns[0], None)
    agent.ends(turns[1], OK)
    assert isinstance(agent.begins(), Turn)
    assert isinstance(agent.begins(), Found)


class Model:
    """The rules `same` and `failing`, written as plainly as they are meant."""

    def __init__(self) -> None:
        self.answered: dict[bytes, list[Answer]] = {}
        self.flying: dict[bytes, int] = {}

    def stops(self, signature: bytes) -> bool:
        answers = self.answered.get(signature, [])
        row = 0
        for answer in reversed(answers):
            if answer != answers[-1]:
                break
            row += 1
        sure = self.flying.get(signature, 0) if row >= SURE else 0
        return bool(answers) and row + sure >= (3 if answers[-1].failing else 5)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"a", b"b"]),
            st.sampled_from([OK, Answer(b"no"), BAD, None]),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_the_count_is_right_in_every_order(steps: list[tuple[bytes, Answer | None, bool]]) -> None:
    """Calls begin and end in any order; each is answered, or not."""
    agent, model = Agent(cycle=None, tool=None, note=None), Model()
    open_: list[tuple[Turn, bytes]] = []
    for signature, answer, begin in steps:
        if begin or not open_:
            turn = agent.begins(signature)
            assert isinstance(turn, Found) is model.stops(signature)
            if isinstance(turn, Turn):
                open_.append((turn, signature))
                model.flying[signature] = model.flying.get(signature, 0) + 1
        else:
            turn, ended = open_.pop(0)
            agent.ends(turn, None if answer is None else answer.unsaid())
            model.flying[ended] -= 1
            if answer is not None:
                model.answered.setdefault(ended, []).append(answer.unsaid())
    assert agent.window().flying == len(open_)


# --- polls ---


def test_a_poll_that_takes_its_time_is_no_loop() -> None:
    """Each begins anew."""
    agent = Agent(poll=2.0)
    for _ in range(20):
        assert agent.does() == ""
        agent.now += 2.0


def test_a_poll_that_is_hurried_is_one() -> None:
    """Counted from the first of the hurried ones; who slows down may go on."""
    agent = Agent(poll=2.0)
    for expected in ("", "", "same 2", "same 3", "same 4", "same 5!"):
        assert agent.does() == expected
        agent.now += 1.9
    agent.now += 0.1
    assert agent.does() == ""


def test_polls_are_no_cycle_and_no_silence_either() -> None:
    """Two jobs that are looked at in turn."""
    agent = Agent(poll=2.0, tool=5)
    for _ in range(20):
        assert [agent.does(b"a"), agent.does(b"b")] == ["", ""]
        agent.now += 2.0


# --- cycles ---


def rounds(agent: Agent, calls: str, **more: Any) -> list[str]:
    """What comes of calls with these names; each has its own answer, always the same."""
    return [agent.does(each.encode(), Answer(each.encode()), **more) for each in calls]


def test_two_calls_in_turn_are_stopped_after_nine() -> None:
    """From three rounds on it is noted. Another call is not stopped, and breaks it."""
    agent = Agent(same=None, tool=None)
    assert rounds(agent, "ababababab") == [
        "", "", "", "", "", "", "cycle 6", "cycle 7", "cycle 8", "cycle 9!",
    ]  # fmt: skip
    assert rounds(agent, "cab") == ["", "", ""]


def test_three_calls_in_turn_are_stopped_after_nine() -> None:
    """Whatever was before."""
    agent = Agent(same=None, tool=None)
    assert rounds(agent, "xyabcabcabca")[-3:] == ["", "", "cycle 9!"]


def test_a_cycle_needs_the_same_answers() -> None:
    """Somebody who looks at two things that change goes round for good."""
    agent = Agent(tool=None)
    got = [agent.does(b"ab"[at % 2 :][:1], answer) for at, answer in enumerate(many(30))]
    assert got == [""] * 30
    assert [agent.does(b"ab"[at % 2 :][:1], Answer(None)) for at in range(30)] == [""] * 30


def test_what_stays_in_place_is_no_cycle() -> None:
    """That is another rule's."""
    agent = Agent(same=None, tool=None)
    assert rounds(agent, "a" * 30) == [""] * 30


def test_a_cycle_may_be_off() -> None:
    """And unnoted."""
    assert rounds(Agent(same=None, cycle=None, tool=None), "ab" * 10) == [""] * 20
    agent = Agent(same=None, tool=None, note=None)
    assert rounds(agent, "ababababab") == [""] * 9 + ["cycle 9!"]


def test_what_is_over_goes_before_what_is_noted() -> None:
    """A call may run into several rules."""
    agent = Agent(cycle=9, same=50)
    assert rounds(agent, "ababababab")[-1] == "cycle 9!"


# --- a tool that says nothing new ---


def test_a_tool_that_says_nothing_new_is_left_alone() -> None:
    """Whatever it is asked."""
    agent = Agent(tool=10)
    got = [agent.does(b"%d" % number) for number in range(12)]
    assert got == [""] * 11 + ["tool 10!"]
    assert agent.does(b"x", tool=("gateway", "other")) == ""


def test_one_new_answer_is_enough() -> None:
    """Among many that are known, also in calls without a signature; one that is like no other is
    new."""
    agent = Agent(tool=10)
    for number in range(100):
        answer = Answer(None if number % 30 == 15 else b"%d" % number)
        assert agent.does(b"%d" % number, answer if number % 5 == 0 else OK) == ""
    silent = Agent(tool=3)
    assert [silent.does(None) for _ in range(5)] == ["", "", "", "", "tool 3!"]


def test_writes_that_do_something_are_no_silence() -> None:
    """A batch of them says "ok" again and again; only one that is repeated counts."""
    agent = Agent(tool=5, same=None)
    assert [agent.does(b"%d" % number, did=True) for number in range(30)] == [""] * 30
    assert [agent.does(b"0", did=True) for _ in range(8)][-1] == "tool 5!"


# --- how much is remembered ---


def test_windows_are_bounded() -> None:
    """The one that was not used for longest goes; those with calls under way stay."""
    state = Loops(most=3)
    agents = [Agent(state, key) for key in "abcd"]
    turn = agents[0].begins()
    for agent in agents[1:]:
        agent.does()
    assert state.windows == 3
    assert len(agents[0].window().runs) == 1
    assert len(agents[1].window().runs) == 0
    agents[0].ends(turn)


def test_where_all_are_busy_the_oldest_goes() -> None:
    """An agent cannot hold them all by calls that never end. What its calls still say is lost."""
    state = Loops(most=10)
    agents = [Agent(state, key) for key in range(11)]
    turns = [agent.begins() for agent in agents]
    assert state.windows == 10
    for agent, turn in zip(agents, turns, strict=True):
        agent.ends(turn)
    assert state.size == sum(window.size for window in state._windows.values())


def test_what_is_in_a_window_is_bounded() -> None:
    """Calls, tools, and answers of one."""
    agent = Agent()
    for number, answer in enumerate(many(200)):
        agent.does(b"%d" % number, answer)
        agent.does(b"%d" % number, answer, tool=("gateway", str(number)))
    window = agent.window()
    assert (len(window.runs), len(window.tools)) == (RUNS, TOOLS)
    for answer in many(100):
        agent.does(b"x", answer)
    assert len(window.tools[TOOL].answers) == ANSWERS


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=80))
def test_all_of_it_together_is_bounded(steps: list[tuple[int, int]]) -> None:
    """And is counted right."""
    state = Loops(room=30)
    for key, number in steps:
        agent = Agent(state, key)
        agent.does(b"%d" % number, Answer(b"%d" % number))
        assert state.size <= 30 or state.windows == 1
    assert state.size == sum(window.size for window in state._windows.values())


def test_who_only_looks_makes_nothing() -> None:
    """`explain` asks of workflows that there never were."""
    state = Loops()
    assert state.seen("w").find(b"a", TOOL, Rules(), 0.0) is None
    assert state.windows == 0
    agent = Agent(state)
    agent.does()
    assert state.seen("w") is agent.window()


def test_a_person_may_let_it_go_on() -> None:
    """Then it begins anew."""
    agent = Agent()
    for _ in range(5):
        agent.does()
    agent.window().over = 2
    agent.loops.forgive(agent.window())
    assert (agent.does(), agent.window().over) == ("", 0)


def test_something_new_ends_a_row_of_refusals() -> None:
    """Who does something else is not stuck."""
    agent = Agent()
    agent.window().over = 4
    agent.does(b"a")
    assert agent.window().over == 0
    agent.window().over = 4
    agent.does(b"a")
    assert agent.window().over == 4


# --- tasks ---


def test_calls_of_a_task_are_counted() -> None:
    """Those of others apart."""
    state = Loops()
    for _ in range(3):
        state.count("t", 1000.0)
    assert (state.calls("t", 0.0), state.calls("u", 0.0), state.tasks) == (3, 0, 1)


def test_a_task_may_begin_anew() -> None:
    """If its last call was before."""
    state = Loops()
    state.count("t", 1000.0)
    assert state.calls("t", 1000.0) == 1
    assert state.calls("t", 1000.1) == 0
    state.count("t", 1001.0)
    assert state.calls("t", 0.0) == 1


def test_tasks_are_bounded() -> None:
    """The one that was not used for longest goes."""
    state = Loops(most=2)
    for key in "abac":
        state.count(key, 1000.0)
    assert [state.calls(key, 0.0) for key in "abc"] == [2, 0, 1]
    assert isinstance(state._tasks, OrderedDict)
    assert loops.MOST == 10_000
