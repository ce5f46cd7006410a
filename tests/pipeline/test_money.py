"""What calls of a kind cost and fall under, put together."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from proxy.call import Call
from proxy.config.cascade import Effective, cascade
from proxy.pipeline.money import charged
from proxy.pipeline.table import facts
from proxy.stages.budget import Budgets
from proxy.state.price import FREE, Price
from proxy.state.rates import SCALE, usual_output
from tests.fakes import make_call
from tests.tables import GATEWAY, load


def call(tool: str) -> Call:
    """One of the gateway's tools."""
    return make_call(tool=tool, protocol="tools", layer="tool")


def effective(text: str, tool: str = "search", domain: str = "") -> Effective:
    """What is in force for calls of a tool."""
    loaded = load(GATEWAY + text)
    of = facts(call(tool))
    return charged(cascade(loaded.policies, of), of, domain, loaded)


def budgets(text: str, tool: str = "search", domain: str = "") -> Budgets:
    """What they cost and fall under."""
    return Budgets(**effective(text, tool, domain).sections["budgets"].fields)


def names(found: Budgets) -> list[str]:
    """Of the budgets."""
    return [one.cap.name for one in found.caps]


@pytest.mark.parametrize("text", ["", "policies: [{name: p, effect: read}]\n"])
def test_where_nobody_speaks_of_money_nothing_is_asked(text: str) -> None:
    """No gate, and no cost."""
    assert "budgets" not in effective(text).sections


PRICED = "prices: {tools: {'sea*': 0.001, search: 0.002, 'big': {per_kb: 0.5, from_reply: c}}}\n"


@pytest.mark.parametrize(
    ("tool", "price"),
    [
        ("search", Price(2_000)),
        ("seal", Price(1_000)),
        ("big", Price(0, 500_000, "c")),
        ("other", Price(0, known=False)),
    ],
)
def test_price_lists_are_for_every_tool(tool: str, price: Price) -> None:
    """A list is enough to count; a tool that is not in it has no known price."""
    found = budgets(PRICED, tool)
    assert (found.price, found.when) == (price, None)


def test_a_policy_says_it_before_the_list() -> None:
    """And who said it is told."""
    found = budgets(PRICED + "policies: [{name: mine, cost: 0}]\n")
    assert (found.price, found.policy) == (FREE, "mine")


def test_where_its_condition_does_not_hold_the_list_counts() -> None:
    """That is the price otherwise."""
    found = budgets(PRICED + "policies: [{name: p, cost: {fixed: 1, when: 'input.n > 1'}}]\n")
    assert (found.price, found.otherwise) == (Price(1_000_000), Price(2_000))
    assert found.when is not None


def test_a_condition_without_a_price_asks_nothing() -> None:
    """There is nothing that could be otherwise."""
    text = "policies: [{name: p, cost: {unknown_price: deny, when: 'input.n > 1'}}]\n"
    found = budgets(text)
    assert (found.when, found.deny_unknown, found.price.known) == (None, True, False)


@pytest.mark.parametrize(
    ("listed", "own", "denied", "assumed"),
    [
        ("allow", "", False, 0),
        ("deny", "", True, 0),
        ("{assume: 0.01}", "", False, 10_000),
        ("deny", "allow", False, 0),
        ("allow", "deny", True, 0),
        ("deny", "{assume: 0.02}", False, 20_000),
    ],
)
def test_what_becomes_of_a_call_without_a_price(
    listed: str, own: str, denied: bool, assumed: int
) -> None:
    """A policy says it for its calls; the lists for all others."""
    text = f"prices: {{tools: {{x: 1}}, unknown_price: {listed}}}\n"
    if own:
        text += f"policies: [{{name: p, cost: {{unknown_price: {own}}}}}]\n"
    found = budgets(text)
    assert (found.deny_unknown, found.price) == (denied, Price(assumed, known=False))


def test_budgets_are_those_that_match() -> None:
    """By what is known when the pipeline is compiled; a condition is asked later."""
    text = (
        "bulkheads: [{name: shop, agents: ['*'], budget: {day: 9}}]\n"
        "budgets:\n"
        "  - {name: all, per: agent, day: 1}\n"
        "  - {name: pay, per: tool, day: 1, match: {tool: 'pay_*'}}\n"
        "  - {name: big, per: fleet, day: 1, match: {when: 'input.n > 5'}}\n"
    )
    found = budgets(text)
    assert names(found) == ["all", "big"]
    assert [one.when is None for one in found.caps] == [True, False]
    assert names(budgets(text, "pay_now")) == ["all", "pay", "big"]
    assert names(budgets(text, domain="shop")) == ["bulkhead/shop", "all", "big"]


def test_a_price_in_shadow_stays_there() -> None:
    """In force is what the list says."""
    text = PRICED + "policies: [{name: p, mode: shadow, cost: 9}]\n"
    both = effective(text)
    shadow: Any = both.shadow["budgets"].fields
    assert Budgets(**both.sections["budgets"].fields).price == Price(2_000)
    assert Budgets(**shadow).price == Price(9_000_000)
    assert "budgets" not in effective(PRICED).shadow


def test_a_tool_of_any_name_is_priced_by_its_own_name() -> None:
    """What an agent mints matches globs, and nothing else breaks."""
    for tool in ("sea:x", "sea\ny", "sea*", "sea" + "x" * 250):
        assert budgets(PRICED, tool).price == Price(1_000)
        assert msgspec.json.encode(tool)


def of_model(text: str, model: str = "gpt-4o-mini", url: str = "http://127.0.0.1:9") -> Budgets:
    """What calls of a model cost."""
    loaded = load(f"upstreams: {{main: {{url: '{url}'}}}}\n{text}")
    asked = make_call(tool=model, protocol="openai", layer="llm")
    asked.upstream, asked.model = "main", model
    of = facts(asked)
    found = charged(cascade(loaded.policies, of), of, "", loaded)
    return Budgets(**found.sections["budgets"].fields)


def input_rate(found: Budgets) -> Decimal:
    """Of a model, in dollars for a million tokens."""
    assert found.price.tariff is not None
    return Decimal(found.price.tariff.at(0).input) / SCALE


def test_a_model_has_its_price_from_the_table() -> None:
    """Nobody need speak of money."""
    found = of_model("")
    assert input_rate(found) == Decimal("0.15")
    assert (found.price.known, found.price.usual) == (True, usual_output("gpt-4o-mini"))
    assert found.price == found.otherwise


def test_a_model_that_nobody_knows_has_none() -> None:
    """That is counted; and a vendor that is known by its URL sells its own."""
    assert of_model("", "my-own").price == Price(known=False)
    assert of_model("", "claude-opus-4-5").price.known
    assert not of_model("", "claude-opus-4-5", "https://api.openai.com").price.known
    assert of_model("prices: {unknown_price: deny}\n", "my-own").deny_unknown
    assumed = of_model("prices: {unknown_price: {assume: 0.5}}\n", "my-own").price
    assert assumed == Price(500_000, known=False)


NAMED = "prices: {models: {'gpt-*': {input_mtok: 7, output_mtok: 8}}}\n"
COST = "policies: [{name: p, cost: {fixed: 1, when: 'input.n > 1'}}]\n"


def test_a_model_that_is_named_costs_what_is_said_there() -> None:
    """That comes before `cost`, whose condition is then nobody's."""
    found = of_model(NAMED + COST)
    assert input_rate(found) == 7
    assert found.when is None


def test_a_policy_comes_before_the_table() -> None:
    """Which counts where its condition does not hold."""
    found = of_model(COST)
    assert (found.price, found.policy) == (Price(1_000_000), "p")
    assert found.when is not None
    assert found.otherwise.tariff is not None


def test_the_prices_of_tools_are_not_those_of_models() -> None:
    """Though a glob would hold."""
    assert input_rate(of_model("prices: {tools: {'*': 1}}\n")) == Decimal("0.15")


def test_what_is_reserved_of_an_answer_may_be_less() -> None:
    """By any policy of theirs, whoever gives the price."""
    capped = "policies: [{name: p, cost: {reserve_cap: 500}}]\n"
    for text in (capped, NAMED + capped):
        assert of_model(text).price.reserve_cap == 500
    assert of_model("").price.reserve_cap is None
