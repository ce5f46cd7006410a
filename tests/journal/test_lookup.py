"""proxy/journal/lookup.py"""

import pytest

from proxy.journal.lookup import find
from proxy.journal.rows import Places, Rows
from tests.journal.stored import written


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path)


@pytest.fixture
def rows(places):
    made = Rows(places)
    yield made
    made.close()


def test_what_was_inserted_is_found(rows, places):
    """By its record, with the key to it; also while it is written to."""
    key = written(rows)

    found = find(places, "r1")

    assert found is not None
    assert (found.key, found.secret) == (key.id, key.secret)
    assert key.open("r1", found.sealed) == b"hunter2"
    assert find(places, "r2") is None


def test_where_there_is_no_store_nothing_is_found(tmp_path):
    """And nothing is made."""
    places = Places(tmp_path / "none")

    assert find(places, "r1") is None
    assert not (tmp_path / "none").exists()
