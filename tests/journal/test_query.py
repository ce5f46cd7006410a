"""Which records fit what is asked."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.journal.query import Facts, Query, commitments, facts, micros, moment, pattern

CALL = Facts(
    seq=7, id="a", ts="2026-11-28T06:23:32.250000000Z", type="call.finished", agent="pricing-01",
    tool="create_escrow", outcome="ok", workflow="w", cost_micros=5000,
)  # fmt: skip


def named(**names):
    return Query({name: pattern([text]) for name, text in names.items()})


def test_who_asks_for_nothing_gets_all():
    """Also what is no call."""
    assert Query().wants(CALL)
    assert Query().wants(Facts(1, "b", "", "start"))


@pytest.mark.parametrize(
    ("asked", "fits"),
    [
        (named(agent="pricing-01"), True),
        (named(agent="pricing-0"), False),
        (named(agent="pricing-*", tool="*escrow"), True),
        (named(agent="pricing-*", tool="deposit"), False),
        (named(tool="create.escrow"), False),
        (named(task="*"), True),
        (Query({"agent": pattern(["x", "pricing-01"])}), True),
        (Query(since="2026-11-28T06:23:32.250000000Z"), True),
        (Query(since="2026-11-28T06:23:32.250000001Z"), False),
        (Query(until="2026-11-28T06:23:32.250000000Z"), False),
        (Query(until="2026-11-28T06:23:32.250000001Z"), True),
        (Query(least=5000, most=5000), True),
        (Query(least=5001), False),
        (Query(most=4999), False),
    ],
)
def test_all_that_is_asked_must_fit(asked, fits):
    """Names with stars, times from then on and before then, costs from and to."""
    assert asked.wants(CALL) is fits


def test_a_star_stands_for_anything():
    """Other signs for themselves, and a line's end is one."""
    assert pattern(["a[b].*"]).fullmatch("a[b].\n")
    assert not pattern(["a[b].*"]).fullmatch("ab.c")


def test_stars_cost_no_more_than_the_name_is_long():
    """However many there are, and however nearly it fits: calls of others wait meanwhile."""
    many = pattern(["*a" * 40 + "*b"])

    assert not many.fullmatch("a" * 50_000)
    assert many.fullmatch("a" * 50_000 + "b")


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_a_star_takes_what_is_needed(glob, name):
    """As if every way were tried."""
    every = re.compile(".*".join(map(re.escape, glob.split("*"))), re.DOTALL)

    assert bool(pattern([glob]).fullmatch(name)) is bool(every.fullmatch(name))


def test_times_as_people_write_them():
    """UTC where they do not say; or how long ago."""
    assert moment("2026-11-28T06:00", 0.0) == "2026-11-28T06:00:00.000000000Z"
    assert moment("2026-11-28", 0.0) == "2026-11-28T00:00:00.000000000Z"
    assert moment("2026-11-28T07:00:00.25+01:00", 0.0) == "2026-11-28T06:00:00.250000000Z"
    assert moment("1m", 1_700_000_000.0) == "2023-11-14T22:12:20.000000000Z"
    for wrong in ("yesterday", "0001-01-01T00:00+14:00"):
        with pytest.raises(ValueError, match="must be a time such as"):
            moment(wrong, 0.0)


def test_money_as_people_write_it():
    """To the millionth; nothing else is money."""
    assert (micros("12"), micros("0.05"), micros("0.000001")) == (12_000_000, 50_000, 1)
    for wrong in ("", "-1", "1e3", "0.0000001", "²"):
        with pytest.raises(ValueError, match="must be money such as"):
            micros(wrong)


def test_facts_of_a_line():
    """Of what is no record there are none."""
    line = json.dumps({"seq": 1, "id": "a", "ts": "t", "type": "start", "v": 1, "pid": 7})

    assert facts(line.encode()) == Facts(1, "a", "t", "start")
    for wrong in (b"", b"nonsense", b"\xff", b'{"seq":"1"}', b'{"x":' + b"[" * 100_000):
        assert facts(wrong) is None


def test_commitments_of_a_line():
    """Empty where it says nothing of a body; of what is no record there are none."""
    both = {"request": {"bytes": 1, "commitment": "ab"}, "response": {"bytes": 0}}

    assert commitments(json.dumps(both).encode()) == ("ab", "")
    assert commitments(b'{"response":{"bytes":1,"commitment":"cd"}}') == ("", "cd")
    for wrong in (b"", b"\xff", b'{"request":{"bytes":1,"commitment":7}}'):
        assert commitments(wrong) is None
