"""proxy/recorders.py: all hear of each call, in order, soon, and just while they are there."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.record import Record
from proxy.recorders import AT_ONCE, WITHIN, Recorders
from tests.fakes import FakeClock
from tests.observe.records import record


class Heard:
    """A recorder that remembers."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def note(self, told: Record) -> None:
        self.ids.append(told.id)


def noted(recorders: Recorders, *ids: str) -> None:
    for name in ids:
        recorders.note(record(id=name))


def test_who_reads_has_all_of_it_counted_before():
    """And once: what was heard of is heard of no more."""
    recorders, heard = Recorders(FakeClock()), Heard()
    recorders.add(heard)
    noted(recorders, "a", "b")
    assert heard.ids == []
    recorders.catch_up()
    recorders.catch_up()
    assert heard.ids == ["a", "b"]


def test_nobody_waits_longer_than_a_moment():
    """From the first that waits, however many come after it."""
    clock, heard = FakeClock(), Heard()
    recorders = Recorders(clock)
    recorders.add(heard)
    noted(recorders, "a")
    clock.advance(WITHIN / 2)
    noted(recorders, "b")
    assert heard.ids == []
    clock.advance(WITHIN / 2)
    assert heard.ids == ["a", "b"]
    noted(recorders, "c")
    clock.advance(WITHIN)
    assert heard.ids == ["a", "b", "c"]


def test_so_many_wait_and_no_more():
    """Without any time that passes."""
    recorders, heard = Recorders(FakeClock()), Heard()
    recorders.add(heard)
    noted(recorders, *map(str, range(AT_ONCE)))
    assert len(heard.ids) == AT_ONCE


def test_at_the_end_all_have_heard():
    """And nothing rings any more."""
    clock, heard = FakeClock(), Heard()
    recorders = Recorders(clock)
    recorders.add(heard)
    noted(recorders, "a")
    recorders.close()
    assert heard.ids == ["a"]


def test_one_that_was_none_of_them_is_dropped():
    """As a listener that wanted no calls."""
    recorders = Recorders(FakeClock())
    recorders.drop(Heard())
    assert not recorders


def test_one_that_leaves_while_it_hears():
    """Those behind it hear of everything all the same."""
    recorders, behind = Recorders(FakeClock()), Heard()

    class Leaving(Heard):
        def note(self, told: Record) -> None:
            recorders.drop(self)

    recorders.add(Leaving())
    recorders.add(behind)
    noted(recorders, "a", "b")
    recorders.catch_up()
    assert behind.ids == ["a", "b"]


@given(st.lists(st.sampled_from(["note", "add", "drop", "read", "wait"]), max_size=150))
def test_each_hears_of_what_ends_while_it_is_there(steps):
    """Of that, of nothing else, and in its order."""
    clock, heard = FakeClock(), Heard()
    recorders, expected, there = Recorders(clock), [], False
    for number, step in enumerate(steps):
        if step == "note":
            noted(recorders, str(number))
            expected += [str(number)] if there else []
        elif step == "add" and not there:
            recorders.add(heard)
            there = True
        elif step == "drop":
            recorders.drop(heard)
            there = False
        elif step == "read":
            recorders.catch_up()
            assert heard.ids == expected
        elif step == "wait":
            clock.advance(WITHIN)
            assert heard.ids == expected
        assert (heard in recorders) == there
    recorders.catch_up()
    assert heard.ids == expected
