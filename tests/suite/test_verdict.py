"""A lost pass is seen, whatever the list of reasons says."""

import pytest

from tests.suite.verdict import Outcome, Outcomes, Reason, Run, judge, reasons

PASSED = Outcome("passed", servers=1, carried=1)
FAILED = Outcome("failed", "why")
FIRST = "tests/test_x.py::test_first[pyloop]"
SECOND = "tests/test_x.py::test_second[pyloop-1]"
RELAY = {FIRST: PASSED, SECOND: PASSED}


def because(setting: str | None = None) -> list[Reason]:
    return [Reason("2.1", "because", frozenset({"test_x.py::test_second"}), setting)]


def again(outcome: Outcome) -> Run:
    """Whatever is run again comes to that."""

    def run(peer: str, tests: list[str]) -> Outcomes:
        return dict.fromkeys(tests, outcome)

    return run


def test_a_lost_pass_without_a_reason_is_a_fault():
    """With what the test said."""
    verdict = judge(RELAY, {FIRST: PASSED, SECOND: FAILED}, [], again(FAILED))

    assert verdict.lost == [SECOND]
    assert verdict.faults == [f"{SECOND}: why"]


def test_a_lost_pass_with_a_reason_is_none():
    """A name on the list stands for all its parameters."""
    verdict = judge(RELAY, {FIRST: PASSED, SECOND: FAILED}, because(), again(FAILED))

    assert verdict.lost == [SECOND]
    assert verdict.faults == []


def test_what_the_relay_does_not_keep_cannot_be_lost():
    """It fails for a peer as such."""
    relay = {**RELAY, SECOND: FAILED}
    verdict = judge(relay, {FIRST: PASSED, SECOND: FAILED}, [], again(FAILED))

    assert verdict.lost == []
    assert verdict.faults == []


def test_a_test_that_passes_alone_was_disturbed_by_its_neighbour():
    """No fault, but told."""
    verdict = judge(RELAY, {FIRST: PASSED, SECOND: FAILED}, [], again(PASSED))

    assert verdict.in_company == [SECOND]
    assert verdict.faults == []


def test_a_reason_that_excuses_nothing_must_go():
    """The list only shrinks."""
    verdict = judge(RELAY, RELAY, because(), again(PASSED))

    assert verdict.faults == ["test_x.py::test_second: has a reason, and nothing fails"]


@pytest.mark.parametrize(("then", "faults"), [(PASSED, []), (FAILED, [f"{SECOND}: with it, why"])])
def test_a_setting_that_is_said_to_help_must_help(then, faults):
    """What is lost without it is run with it."""
    verdict = judge(RELAY, {FIRST: PASSED, SECOND: FAILED}, because("it"), again(then))

    assert verdict.faults == faults


def test_what_a_peer_says_of_a_bug_is_a_fault():
    """Even where the test passes."""
    holdfast = {**RELAY, FIRST: Outcome("passed", troubles=("a traceback",))}

    assert judge(RELAY, holdfast, [], again(PASSED)).faults == [f"{FIRST}: a traceback"]


def test_a_run_that_carried_nothing_proves_nothing():
    """As when the tests get their servers in a new way."""
    idle = dict.fromkeys(RELAY, Outcome("passed"))

    assert judge(RELAY, idle, [], again(PASSED)).faults == ["nothing reached Holdfast"]


def test_a_relay_that_keeps_little_proves_nothing():
    """What it does not keep cannot be lost, so all would seem well."""
    broken = dict.fromkeys(RELAY, Outcome("failed", servers=1))

    assert judge(broken, RELAY, [], again(PASSED)).faults == ["the relay kept 0 of 2"]


def test_no_test_has_two_reasons():
    """Each says its clause of the spec, and why."""
    known = reasons()
    names = [name for reason in known for name in reason.tests]

    assert len(names) == len(set(names))
    assert all(reason.spec and len(reason.why) >= 20 for reason in known)
