"""A lost pass is seen, whatever the list of reasons says."""

from collections import Counter
from dataclasses import replace

import pytest

from tests.conformance.verdict import Outcomes, Reason, judge, reasons

DIRECT: Outcomes = {"a": Counter(x=2, y=1), "b": Counter(z=1)}
WITHOUT_X: Outcomes = {**DIRECT, "a": Counter(x=1, y=1)}
A = Reason("2.1", "because of this and of that", frozenset({"a"}))


def once_more(behind: Outcomes):
    """Whatever is run again comes to that."""

    def run(cases: list[str], setting: str | None) -> tuple[Outcomes, Outcomes]:
        return {case: DIRECT[case] for case in cases}, behind

    return run


def test_a_check_that_passes_less_often_is_a_fault():
    """It is named, with its case."""
    verdict = judge(DIRECT, WITHOUT_X, [], once_more(WITHOUT_X))

    assert verdict.lost == {"a": ["x"]}
    assert verdict.faults == ["a: x"]


def test_a_lost_pass_with_a_reason_is_told_and_no_fault():
    """The reason stands for the case."""
    verdict = judge(DIRECT, WITHOUT_X, [A], once_more(WITHOUT_X))

    assert verdict.lost == {"a": ["x"]}
    assert verdict.faults == []


def test_what_passes_when_it_is_run_again_was_only_slow():
    """Nothing is lost."""
    verdict = judge(DIRECT, WITHOUT_X, [], once_more(DIRECT))

    assert verdict.lost == {}
    assert verdict.faults == []


def test_what_passes_only_behind_holdfast_is_no_loss():
    """It is not compared in that direction."""
    assert judge(WITHOUT_X, DIRECT, [], once_more(DIRECT)).faults == []


@pytest.mark.parametrize(("then", "faults"), [(DIRECT, []), (WITHOUT_X, ["a: with http, x"])])
def test_a_setting_that_is_said_to_help_must_help(then: Outcomes, faults: list[str]):
    """What is lost without it is run with it."""
    known = [replace(A, setting="http")]

    assert judge(DIRECT, WITHOUT_X, known, once_more(then)).faults == faults


def test_a_run_in_which_nothing_passed_proves_nothing():
    """Even where all has its reason."""
    behind: Outcomes = {"a": Counter(), "b": Counter()}
    all_of_it = Reason("2.1", "because", frozenset({"a", "b"}))

    assert judge(DIRECT, behind, [all_of_it], once_more(behind)).faults == [
        "nothing passed behind Holdfast"
    ]


def test_a_reason_that_excuses_nothing_must_go():
    """The list only shrinks."""
    verdict = judge(DIRECT, DIRECT, [A], once_more(DIRECT))

    assert verdict.faults == ["a: has a reason, and nothing is lost"]


def test_no_case_has_two_reasons():
    """Each says its clause of the specification, and why."""
    cases = [case for reason in reasons() for case in reason.cases]

    assert len(cases) == len(set(cases))
    assert all(reason.spec and len(reason.why) >= 20 for reason in reasons())
