"""What policy files say of money, once it is read."""

import pytest

from proxy.config.match import Globs, Match
from proxy.config.money import Allocation, Budget, ModelPrice, Prices, Zone
from proxy.config.places import Place
from proxy.config.price_list import Listed, PriceList, shipped
from proxy.stages.cost import Price
from proxy.state.caps import Cap, Limit
from proxy.state.rates import SCALE
from proxy.units import Money, Seconds

CAP = Cap("a", "agent", (Limit("day", 1),))


def prices(*names):
    """Each costs what it is the how-manieth of."""
    return Prices({name: Price(fixed=Money(i)) for i, name in enumerate(names)})


@pytest.mark.parametrize("name", ["UTC", "Europe/Madrid", "America/Argentina/Ushuaia", "Etc/GMT+3"])
def test_zones(name):
    """By their names in the tz database."""
    assert Zone.parse(name) == name


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Europe/Madird", "; did you mean Europe/Madrid?"),
        ("Europe", ""),
        ("../etc/passwd", ""),
        ("/etc/localtime", ""),
        ("", ""),
        ("a\0b", ""),
        (3, ""),
        (None, ""),
    ],
)
def test_what_is_no_zone(name, hint):
    """Names with the nearest that there is; no file outside the database is looked at."""
    with pytest.raises(ValueError, match=r"^expected a time zone such as Europe/Madrid") as error:
        Zone.parse(name)

    assert hint in str(error.value)


def test_a_name_counts_before_all_globs():
    """Wherever it stands."""
    found = prices("*", "get_x", "get_*").of_tool("get_x")
    assert found == Price(fixed=Money(1))


@pytest.mark.parametrize(
    ("names", "tool", "which"),
    [
        (("*", "get_*", "g*"), "get_x", 1),
        (("a*", "*b"), "ab", 1),
        (("*b", "a*"), "ab", 1),
        (("get_*",), "set_x", None),
        (("get",), "get_x", None),
        ((), "x", None),
    ],
)
def test_the_longest_glob_counts(names, tool, which):
    """Of two that are as long, the later one."""
    found = prices(*names).of_tool(tool)
    assert found == (None if which is None else Price(fixed=Money(which)))


def test_models_have_prices_likewise():
    """By name or glob."""
    cheap = ModelPrice(input_mtok=Money(1), output_mtok=Money(2))
    dear = ModelPrice(input_mtok=Money(3), output_mtok=Money(4))
    listed = Prices(models={"gpt-*": cheap, "gpt-5": dear})

    assert (listed.of_model("gpt-4"), listed.of_model("gpt-5")) == (cheap, dear)
    assert listed.of_model("claude") is None


def test_a_price_of_a_model_is_exact():
    """To the micro-dollar for a million tokens; what is not given is as dear as the rest."""
    price = ModelPrice(
        input_mtok=Money(150_000), output_mtok=Money(600_000), cache_read_mtok=Money(1)
    )
    rates = price.rates
    assert (rates.input, rates.output) == (15 * SCALE // 100, 6 * SCALE // 10)
    assert rates.cache_read * 1_000_000 == SCALE
    assert (rates.cache_write, rates.cache_write_1h) == (rates.input, rates.input)


def test_models_that_nobody_names_are_in_the_table():
    """In that of ours, or in one's own."""
    own = PriceList(Listed("ours", ()))
    assert Prices().tariff("gpt-4o", "openai", "") == shipped().find("gpt-4o", "openai")
    assert Prices(table=own).tariff("gpt-4o", "openai", "") is None


def test_a_budget_is_for_calls_that_match():
    """And those of its bulkhead, where it is one's."""
    match = Match({"tool": Globs(("get_*",))})
    anywhere = Budget(Place("p"), "budgets[0]", CAP, match)
    inside = Budget(Place("p"), "bulkheads[0].budget", CAP, bulkhead="core")

    assert anywhere.holds({"tool": "get_x"}, "")
    assert anywhere.holds({"tool": "get_x"}, "core")
    assert not anywhere.holds({"tool": "set_x"}, "core")
    assert inside.holds({"tool": "set_x"}, "core")
    assert not inside.holds({"tool": "get_x"}, "")


def test_a_baseline_is_long_enough_to_show_something():
    """An hour at least."""
    with pytest.raises(ValueError, match=r"^baseline: expected at least 1h$"):
        Allocation(Seconds(60.0))
