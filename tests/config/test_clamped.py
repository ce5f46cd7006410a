"""What only an overlap of policies brings about, in words."""

import re

import pytest

from proxy.call import Effect
from proxy.config.cascade import merge
from proxy.config.clamped import clamped
from tests.tables import GATEWAY, load

READ, WRITE = Effect.READ, Effect.WRITE


def said(*lines: str, effect: Effect = READ) -> list[str]:
    """Of policies that all hold for one call, though none covers another."""
    text = GATEWAY + "policies:\n" + "".join(f"  - {line}\n" for line in lines)
    return [re.sub(r"\S*/p.yaml", "p.yaml", one) for one in found(text, effect)]


def found(text: str, effect: Effect) -> list[str]:
    """With the whole names of files."""
    return clamped(merge(load(text).policies), effect)


A, B = "{name: a, match: {tool: 'get_*'}, ", "{name: b, match: {tool: '*_x'}, "


def test_what_agrees_needs_no_words() -> None:
    """Nor does what is not there."""
    assert said(A + "timeout: {attempt: 5s}}", B + "timeout: {total: 10s}}") == []
    assert said(A + "retry: {}}", B + "rate_limit: {tokens: 9/s}}") == []
    assert said(A + "effect: read, hedge: {}, cache: {max_age: 1s}, retry: {safe: always}}") == []


def test_an_attempt_is_cut_to_the_total() -> None:
    """Both are named, with their places."""
    assert said(A + "timeout: {attempt: 10s}}", B + "timeout: {total: 10s}}") == [
        "timeout.attempt (10s, a, p.yaml:4) is cut to total (10s, b, p.yaml:5)"
    ]


def test_a_total_leaves_room_for_an_attempt() -> None:
    """Or no call would ever be sent; by whomever `min_attempt` is given, or by nobody."""
    lines = (A + "timeout: {min_attempt: 2s}}", B + "timeout: {total: 1s}}")
    assert said(*lines) == [
        "timeout.min_attempt (2s, a, p.yaml:4) is cut to half of total (1s, b, p.yaml:5)"
    ]


@pytest.mark.parametrize("section", ["hedge: {after: 1s}", "cache: {max_age: 1s}"])
def test_what_is_for_reads_is_off_for_others(section: str) -> None:
    """Where an overlap makes a call something else."""
    lines = (A + f"effect: read, {section}}}", B + "effect: write}")
    name = section.partition(":")[0]
    assert said(*lines, effect=WRITE) == [
        f"{name} (a, p.yaml:4) is off: it is for reads, this is write"
    ]


def test_always_counts_as_auto_on_writes() -> None:
    """Or they would run twice."""
    lines = (A + "effect: read, retry: {safe: always}}", B + "effect: write}")
    assert said(*lines, effect=WRITE) == [
        "retry.safe: always (a, p.yaml:4) counts as auto: this is a write"
    ]


def test_a_limit_that_lost_its_number_is_none() -> None:
    """Each of two policies takes away what the other one still has."""
    assert said(
        "{name: calls, rate_limit: {rate: 10/s}}",
        "{name: tokens, rate_limit: {tokens: 5/s}}",
        A + "rate_limit: {rate: ~}}",
        B + "rate_limit: {tokens: ~}}",
    ) == ["rate_limit (b, p.yaml:7) is off: it has neither a rate nor tokens"]
