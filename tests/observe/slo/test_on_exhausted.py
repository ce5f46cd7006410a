"""proxy/observe/slo/on_exhausted.py"""

from hypothesis import given
from hypothesis import strategies as st

from proxy.observe.slo.on_exhausted import HELD, OnExhausted, does
from tests.fakes import FakeClock
from tests.observe.slo.work import of_tasks

TIGHT = of_tasks("tight", tighten=("closed", "slow"), notify=True)
ASKS = of_tasks("asks", require_approval=True, freeze_canary=True)
PLAIN = of_tasks("plain")


def acting() -> tuple[OnExhausted, FakeClock]:
    """Of three objectives, one of which nothing follows from."""
    clock = FakeClock()
    acts = OnExhausted(clock.now)
    acts.obey((TIGHT, ASKS, PLAIN))
    return acts, clock


def test_it_begins_at_once_and_ends_after_a_quiet_time():
    """Nothing follows from one that says nothing."""
    acts, clock = acting()
    assert acts.look({"plain"}) is False
    assert acts.look({"tight", "plain"}) is True
    assert acts.in_force == {"tight"}
    assert acts.look({"tight"}) is False
    clock.time += HELD - 1
    assert acts.look(()) is False
    clock.time += 1
    assert acts.look(()) is True
    assert acts.in_force == frozenset()


def test_what_is_used_up_again_meanwhile_goes_on():
    """For as long again."""
    acts, clock = acting()
    acts.look({"tight"})
    clock.time += HELD - 1
    acts.look({"tight"})
    clock.time += HELD - 1
    assert acts.look(()) is False
    assert acts.in_force == {"tight"}


def test_what_followed_from_an_objective_that_is_gone_is_over():
    """And from one that says nothing any more."""
    acts, _ = acting()
    acts.look({"tight", "asks"})
    acts.obey((ASKS, of_tasks("tight")))
    assert acts.in_force == {"asks"}
    acts.obey(())
    assert acts.in_force == frozenset()


@given(st.lists(st.booleans(), max_size=3000))
def test_at_the_edge_nothing_changes_more_than_twice_in_its_time(used_up: list[bool]):
    """However often the budget is used up and not, second by second."""
    acts, clock = acting()
    changes = []
    for number, exhausted in enumerate(used_up):
        clock.time += 1
        if acts.look({"tight"} if exhausted else ()):
            changes.append(number)
    begins, ends = changes[::2], changes[1::2]
    assert all(end - begin >= HELD for begin, end in zip(begins, ends, strict=False))


def test_people_are_told_where_they_want_to_be():
    """That it is so, or that it is over; the alert is the same one."""
    acts, _ = acting()
    (told,) = acts.told({"tight": {"exhausts_in": "now"}, "asks": {}})
    assert (told.name, told.holds, told.about) == (
        "SloExhausted", True, {"slo": "tight", "severity": "page"},
    )  # fmt: skip
    assert told.told == {
        "follows": "notify, tighten: closed, tighten: slow",
        "exhausts_in": "now",
    }
    (over,) = acts.told({})
    assert (over.holds, over.about) == (False, told.about)


def test_who_takes_the_objective_out_is_told_that_it_is_over():
    """Once, and not when what it was told has lapsed; so too where only the word is taken out."""
    for left in ((ASKS, PLAIN), (of_tasks("tight", require_approval=True), ASKS)):
        acts, _ = acting()
        (told,) = acts.told({"tight": {}})
        acts.obey(left)
        (over,) = acts.told({"tight": {}})
        assert (told.holds, over.holds, over.about) == (True, False, told.about)
        assert list(acts.told({"tight": {}})) == []


def test_what_follows_is_said_in_the_words_of_the_file():
    """In one order."""
    assert does(ASKS) == ("freeze_canary", "require_approval")
    assert does(PLAIN) == ()
