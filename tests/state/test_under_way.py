"""Calls that spend, and of which the journal knows nothing yet."""

from proxy.call import Call
from proxy.record import Intent
from proxy.state.purse import Purse
from proxy.state.under_way import UnderWay
from tests.fakes import make_call


def _made(call: Call) -> Intent:
    return Intent(call.id, *("x",) * 9)


def begun(under_way: UnderWay, name: str, *, traced: bool = False) -> Call:
    """A call that begins to spend."""
    call = make_call(id=name)
    call.purse = Purse(under_way.calls, None if traced else _made)
    under_way.enter(call)
    return call


def told(under_way: UnderWay) -> tuple[list[str], bool]:
    """Whose intents are written now, and whether to look again soon."""
    intents, more = under_way.begun()
    return [intent.id for intent in intents], more


def test_a_call_that_takes_long_has_an_intent() -> None:
    """At the second look of who writes, and once; one that ends before needs none."""
    under_way = UnderWay()
    first = begun(under_way, "long")
    begun(under_way, "traced", traced=True)
    assert told(under_way) == ([], True)
    late = begun(under_way, "late")
    assert told(under_way) == (["long"], True)
    late.purse.told(late.id)
    assert told(under_way) == ([], False)
    first.purse.told(first.id)
    assert told(under_way) == ([], False)
    assert list(under_way.calls) == ["traced"]


def test_one_that_is_over_or_has_its_intent_from_elsewhere_needs_none() -> None:
    """Its record will be noted; or it must leave a trace anyhow."""
    under_way = UnderWay()
    over, traced = begun(under_way, "over"), begun(under_way, "other")
    over.purse.ends()
    traced.intent = True
    assert told(under_way) == ([], False)


def test_a_call_that_gets_another_purse_has_no_second_intent() -> None:
    """Known is the call, by its id: what it spends from may change while it runs."""
    under_way = UnderWay()
    call = begun(under_way, "c")
    told(under_way)
    assert told(under_way) == (["c"], False)
    call.purse = Purse(under_way.calls, _made)
    for _ in range(3):  # however often that is looked at
        assert told(under_way) == ([], False)


def test_the_journal_is_woken_by_the_first_of_them() -> None:
    """It is there by then: who is woken at once finds it."""
    under_way = UnderWay()
    found: list[tuple[list[str], bool]] = []
    under_way.stir = lambda: found.append(told(under_way))
    first = begun(under_way, "a")
    begun(under_way, "b")
    assert found == [([], True)]
    first.purse.told(first.id)
    begun(under_way, "c")
    assert len(found) == 1


def test_who_comes_after_the_others_have_intents_wakes_it_again() -> None:
    """Else nobody would look at him before something else is noted."""
    under_way, stirred = UnderWay(), []
    under_way.stir = lambda: stirred.append(1)
    begun(under_way, "long")
    assert [told(under_way), told(under_way)] == [([], True), (["long"], False)]
    begun(under_way, "later")
    assert len(stirred) == 2
    assert [told(under_way), told(under_way)] == [([], True), (["later"], False)]


def test_who_enters_while_it_is_looked_wakes_it_or_is_seen() -> None:
    """The look is another thread's; what it did not see any more is looked at once more."""
    under_way, stirred = UnderWay(), []
    under_way.stir = lambda: stirred.append(1)

    class Calls(dict[str, Call]):
        def copy(self) -> dict[str, Call]:
            copied = super().copy()
            if len(self) == 1:
                begun(under_way, "late")
            return copied

    under_way.calls = Calls()
    call = begun(under_way, "known")
    call.intent = True
    assert told(under_way) == ([], False)
    assert len(stirred) == 2
    assert told(under_way) == ([], True)


def test_a_snapshot_has_those_that_have_spent() -> None:
    """With what is known of them so far."""
    under_way = UnderWay()
    call = begun(under_way, "c")
    begun(under_way, "other")
    call.purse.spent = 5
    assert list(under_way.spent()) == [("c", 5, {})]
