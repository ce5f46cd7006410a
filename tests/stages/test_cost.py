"""What a call costs, as a policy says it."""

import pytest

from proxy.stages.cost import Cost, Price
from proxy.units import Money

CENT = Money(10_000)


@pytest.mark.parametrize("pointer", ["cost", "a~b", "/usage/cost", "/a~0b/~1", "/", "/0"])
def test_a_price_may_be_in_the_answer(pointer):
    """At a member by its name, or a JSON pointer (RFC 6901)."""
    assert Cost(from_reply=pointer).price == Price(from_reply=pointer)


@pytest.mark.parametrize("pointer", ["/a~2", "/a~", "/a\n~"])
@pytest.mark.parametrize("kind", [Cost, Price])
def test_what_is_no_pointer(kind, pointer):
    """Is refused: it would be found nowhere."""
    with pytest.raises(ValueError, match=r"^from_reply: expected a member's name, or a JSON poi"):
        kind(from_reply=pointer)


@pytest.mark.parametrize(
    "cost",
    [Cost(fixed=CENT), Cost(per_kb=CENT), Cost(fixed=Money(0)), Cost(fixed=CENT, from_reply="c")],
)
def test_a_price_is_what_it_says_of_it(cost):
    """An explicit zero is a price."""
    assert cost.price == Price(fixed=cost.fixed, per_kb=cost.per_kb, from_reply=cost.from_reply)
    assert cost.lack() == ""


def test_a_section_without_a_price_says_what_becomes_of_such_calls():
    """Else it says nothing at all."""
    assert Cost().price is None
    assert Cost().lack() == (
        "it has no price: give fixed, per_kb, from_reply, unknown_price or reserve_cap"
    )
    assert Cost(unknown_price="deny").lack() == ""
    assert Cost(reserve_cap=0).lack() == ""


def test_a_price_is_not_empty():
    """In a list of prices, an entry that says nothing is a mistake."""
    with pytest.raises(ValueError, match=r"^expected fixed, per_kb or from_reply$"):
        Price()
