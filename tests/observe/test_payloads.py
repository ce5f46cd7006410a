"""proxy/observe/payloads.py"""

from types import SimpleNamespace
from typing import Any

from proxy.journal.payloads import PayloadsState
from proxy.journal.taking import Space
from proxy.observe import catalogue
from proxy.observe.payloads import families


def side_store(**changes: Any) -> Any:
    """As it is read."""
    facts = {"payloads": SimpleNamespace(state=PayloadsState()), "space": Space(100), "kept": 7}
    return SimpleNamespace(**(facts | changes))


def test_every_metric_of_the_side_store_is_read():
    """In the order of the catalogue."""
    found = side_store()
    found.space.take(30)
    found.space.lose("late")
    found.space.lose("late")
    told = {family.metric.name: family.rows for family in families(found)}
    assert list(told) == [metric.name for metric in catalogue.PAYLOADS]
    assert list(told.values()) == [{(): 7}, {("late",): 2}, {(): 30}, {(): 1}]


def test_a_store_that_cannot_be_written_shows():
    """Alert on it."""
    full = SimpleNamespace(state=PayloadsState("full", "no space"))
    *_, writable = families(side_store(payloads=full))
    assert writable.rows == {(): 0}


def test_where_nothing_is_kept_nothing_is_amiss():
    """Most have no such policy: there is nothing that could be written or not."""
    *_, writable = families(side_store(payloads=None))
    assert writable.rows == {}
