"""proxy/admin/sampling.py."""

import pytest

from proxy.admin.sampling import MOST_WELL, MOST_WRONG, Sample, short
from tests.observe.records import record


@pytest.mark.parametrize("outcome", ["ok", "failed"])
def test_a_few_are_kept_and_the_rest_is_a_number(outcome):
    """However many there are, of those that went well and of the others."""
    sample = Sample()
    for number in range(1000):
        sample.note(record(id=f"c{number}", outcome=outcome))
    told = sample.take()

    most = MOST_WELL if outcome == "ok" else MOST_WRONG
    assert told is not None
    assert [call["id"] for call in told["calls"]] == [f"c{number}" for number in range(most)]
    assert told["left_out"] == 1000 - most


def test_what_went_wrong_comes_first():
    """A refusal is not lost among a thousand calls that are fine."""
    sample = Sample()
    for number in range(50):
        sample.note(record(id=f"c{number}"))
    sample.note(record(id="no", outcome="refused", decision="refuse", code="killed"))
    told = sample.take()

    assert told is not None
    assert told["calls"][0]["id"] == "no"
    assert len(told["calls"]) == MOST_WELL + 1


def test_nothing_is_told_twice():
    """And nothing at all where no call has ended."""
    sample = Sample()
    assert sample.take() is None
    sample.note(record())
    assert sample.take() is not None
    assert sample.take() is None


def test_a_call_is_told_in_short():
    """What says nothing is left out; what an agent made up is cut in a sample."""
    assert "" not in short(record()).values()
    sample = Sample()
    sample.note(record(agent="x" * 10_000))
    told = sample.take()

    assert told is not None
    assert len(told["calls"][0]["agent"]) == 256
