"""proxy/cli/slo_taken.py"""

from decimal import Decimal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from proxy.cli.slo_taken import (
    Lost,
    Taken,
    Unsayable,
    heard,
    listed,
    mapping,
    name_of,
    share_of,
    shown,
    without,
    written,
)

DAY = 86_400.0
MATCH = {"tool": "pay*"}


def slo(name="a", share="0.99", **changes):
    """One, but for `changes`."""
    return Taken(name, Decimal(share), 30 * DAY, **changes)


@pytest.mark.parametrize(
    ("value", "percent", "share"),
    [(99.9, True, "0.999"), ("99.95", True, "0.9995"), (0.5, False, "0.5"), (99, True, "0.99")],
)
def test_objectives_are_exact(value, percent, share):
    """99.9 % is 0.999, to the last digit."""
    assert str(share_of(value, percent)) == share


@pytest.mark.parametrize("value", [100, 0, -1, "x", None, True, [], float("nan"), "99." + "9" * 20])
def test_objectives_that_cannot_be(value):
    """All, nothing, or no number."""
    with pytest.raises(Unsayable, match="its objective is"):
        share_of(value, percent=True)


def test_names_become_ours():
    """It is said how it was called."""
    notes: list[str] = []
    assert name_of("pay: errors", notes) == "pay-errors"
    assert notes == ["its name was pay: errors"]


@pytest.mark.parametrize("value", [None, "", 7])
def test_without_a_name_there_is_no_slo(value):
    """Nothing could be said of it."""
    with pytest.raises(Unsayable, match="expected a name"):
        name_of(value, [])


@pytest.mark.parametrize("read", [mapping, listed])
def test_other_shapes_are_said(read):
    """With what was found; what is not there is empty."""
    with pytest.raises(Unsayable, match=r"sli: expected .*, found 7"):
        read(7, "sli")
    assert not read(None, "sli")


def test_long_values_are_shown_in_short():
    """A query may be a page long."""
    assert len(shown("x" * 100)) == 60
    assert shown({"a": 1}) == "more keys"


@pytest.mark.parametrize(
    ("query", "sli", "threshold"),
    [
        ('rate(a_seconds_bucket{le="0.4"}[5m])', "latency", "0.4s"),
        ("rate(a_milliseconds_bucket{x=\"y\", le='250'}[5m])", "latency", "250ms"),
        (
            'rate(a_seconds_bucket{le="0.4"}[5m]) - rate(a_seconds_bucket{le="2"}[5m])',
            "success",
            "",
        ),
        ('rate(a_bytes_bucket{le="0.4"}[5m])', "success", ""),
        ("rate(errors[5m])", "success", ""),
    ],
)
def test_a_latency_is_known_by_its_query(query, sli, threshold):
    """Where it has one bound, and a unit; else it is left to people."""
    found = slo(queries=[query])
    heard(found)
    assert (found.sli, found.threshold, len(found.notes)) == (sli, threshold, int(sli == "latency"))


@pytest.mark.parametrize(
    ("off", "left"), [(["page"], {"ticket"}), (["ticket"], {"page"}), ([], None)]
)
def test_alerts_that_are_off(off, left):
    """The others stay; where none is off the usual ones are."""
    found = slo()
    without(off, found)
    assert (None if found.alerts is None else {burn.severity for burn in found.alerts}) == left


def test_all_alerts_off_cannot_be_said():
    """An outage is always told; who is told is another matter."""
    found = slo()
    without(["page", "ticket"], found)
    assert found.alerts is None
    assert found.notes == ["all of its alerts are off; here they stay, so route them to nobody"]


def test_nothing_but_lost_ones():
    """It is a policy file all the same."""
    text = written([Lost("a", "no")], "f", MATCH)
    assert yaml.safe_load(text) == {"slos": []}
    assert "# a is not taken over: no" in text


@given(st.lists(st.text(), max_size=3), st.text(), st.text())
def test_no_text_leaves_its_comment(texts, source, glob):
    """Whatever authors write, it is one entry with these keys."""
    found = slo(about=texts, notes=texts, queries=texts)
    read = yaml.safe_load(written([found, Lost(source, source)], source, {"tool": glob}))
    assert [list(each) for each in read["slos"]] == [
        ["name", "sli", "objective", "window", "match"]
    ]
