"""proxy/observe/slo/ends.py"""

# ruff: noqa: E501 -- the table of ends reads as a table
from typing import Any, Literal

import msgspec
import pytest

from proxy.call import Stop
from proxy.config.match import Match
from proxy.observe.slo.ends import (
    CODES,
    ENDS,
    OUTCOMES,
    RESULTS,
    SUCCESS,
    end_of,
    end_of_line,
    verdict,
)
from proxy.observe.slo.objective import Objective
from proxy.record import AttemptRecord
from proxy.refusal import KINDS, Refusal
from proxy.reply import Reply, Result, outcome_of, refused
from tests.observe.records import record

BY_NAME = {end.name: end for end in ENDS}


def attempts(*results: str) -> tuple[AttemptRecord, ...]:
    """Sendings that came to these."""
    return tuple(AttemptRecord(n, each, 3, "gateway") for n, each in enumerate(results, 1))


def objective(sli: Literal["success", "latency", "cost"]) -> Objective:
    """One whose thresholds are 5 s and 0.15 US dollars."""
    facts: dict[str, Any] = {
        "latency": {"most_us": 5_000_000},
        "cost": {"most_micros": 150_000},
    }.get(sli, {})
    return Objective("o", sli, "call", 0.99, 3600.0, Match(), (), **facts)


def test_every_code_of_a_refusal_stands_in_the_table():
    """Whoever adds one decides how it counts."""
    assert set(CODES) - {Stop.AGENT_GONE, "canary_aborted"} == set(KINDS)


def test_every_result_and_every_outcome_stands_in_the_table():
    """Those that a reply can have, and that of a call that a crash ended."""
    replies = [Reply(200, result=each) for each in Result]
    outcomes = {outcome_of(each) for each in replies} | {outcome_of(refused(Refusal("denied", "")))}
    assert outcomes | {"fallback", "stale", "unknown"} == set(OUTCOMES)
    assert set(RESULTS) == set(Result)


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({}, "success"),
        ({"tier": 1, "served_by": "b"}, "success"),
        ({"outcome": "fallback", "tier": 1}, "fallback"),
        ({"outcome": "stale", "tier": 2}, "fallback"),
        ({"outcome": "fallback", "tier": 3}, "static"),
        ({"outcome": "failed", "code": "tool_error", "attempts": attempts("success")}, "failure"),
        ({"outcome": "failed", "code": "failure", "attempts": attempts("failure")}, "failure"),
        ({"outcome": "failed", "code": "attempts", "attempts": attempts("throttled")}, "throttled"),
        (
            {"outcome": "failed", "code": "caller_error", "attempts": attempts("caller_error")},
            "caller_error",
        ),
        (
            {"outcome": "failed", "code": "not_safe", "attempts": attempts("caller_error")},
            "caller_error",
        ),
        ({"outcome": "failed", "code": "upstream_timeout", "attempts": attempts("failure")}, "timeout"),
        ({"outcome": "failed", "code": "deadline_exceeded", "attempts": attempts("failure")}, "timeout"),
        # A stand-in for what a budget had no room for, and it broke off.
        ({"outcome": "failed", "code": "budget_exceeded", "attempts": attempts("failure")}, "failure"),
        ({"outcome": "failed", "code": "internal_error", "attempts": ()}, "failure"),
        ({"outcome": "failed", "code": "body_too_large", "attempts": ()}, "caller_error"),
        ({"outcome": "truncated", "code": "truncated"}, "truncated"),
        ({"outcome": "truncated", "code": "circuit_open", "tier": 1}, "truncated"),
        ({"outcome": "refused", "code": "denied", "attempts": ()}, "refused"),
        ({"outcome": "refused", "code": "killed", "attempts": ()}, "killed"),
        ({"outcome": "refused", "code": "approval_denied", "attempts": ()}, "rejected"),
        ({"outcome": "refused", "code": "circuit_open", "attempts": ()}, "failure"),
        ({"outcome": "refused", "code": "rate_limited", "attempts": ()}, "throttled"),
        ({"outcome": "cancelled", "code": "agent_gone"}, "cancelled"),
        ({"outcome": "cancelled", "code": "killed"}, "killed"),
        ({"outcome": "cancelled", "code": "budget_exceeded"}, "refused"),
        # Nobody's hand: the process stopped while it answered.
        ({"outcome": "cancelled", "code": "cancelled"}, "failure"),
        ({"outcome": "cancelled", "code": "shutting_down"}, "failure"),
        ({"outcome": "unknown", "attempts": ()}, "failure"),
        ({"outcome": "of a later version"}, "failure"),
    ],
)  # fmt: skip
def test_a_record_counts_as_the_table_says(facts: dict[str, Any], name: str):
    """As it ends, and as the journal tells it later."""
    made = record(**facts)
    assert end_of(made) is BY_NAME[name]
    assert end_of_line(msgspec.to_builtins(made)) is BY_NAME[name]


def test_good_and_bad_are_what_the_spec_says():
    """The others are counted apart."""
    by = {kind: {end.name for end in ENDS if end.counts == kind} for kind in ("good", "bad")}
    assert by["good"] == {"success", "fallback"}
    assert by["bad"] == {"failure", "timeout", "truncated", "throttled", "static", "abandoned"}


@pytest.mark.parametrize(
    ("end", "took", "comes_to"),
    [
        ("success", 5_000_000, True),
        ("success", 5_000_001, False),
        ("timeout", 5_000_001, False),
        ("failure", 10, "failure"),
        ("killed", 9_000_000, "killed"),
    ],
)
def test_a_fast_failure_says_nothing_of_latency(end: str, took: int, comes_to: bool | str):
    """An outage that answers at once would else look quick; one that takes long is too slow."""
    assert verdict(objective("latency"), BY_NAME[end], took, 0) == comes_to


def test_what_it_costs_counts_however_it_ended():
    """A task that failed has cost what it has; exactly the threshold is good."""
    cost = objective("cost")
    assert verdict(cost, BY_NAME["failure"], 0, 150_000) is True
    assert verdict(cost, SUCCESS, 0, 150_001) is False
    assert verdict(cost, BY_NAME["refused"], 0, 150_001) == "refused"


def test_success_asks_for_nothing_but_the_end():
    """However slow and dear it was."""
    success = objective("success")
    assert verdict(success, SUCCESS, 10**12, 10**12) is True
    assert verdict(success, BY_NAME["abandoned"], 0, 0) is False
    assert verdict(success, BY_NAME["cancelled"], 0, 0) == "cancelled"
