"""What calls of a kind cost and fall under: of prices, budgets and the section `cost`, put together
where a pipeline or a link is compiled."""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from proxy.config.cascade import Effective, Merged, convert
from proxy.config.loaded import Loaded
from proxy.stages import BUDGETS
from proxy.stages.budget import Budgets, Covered
from proxy.stages.cost import Assume, Cost
from proxy.stages.cost import Price as Written
from proxy.state.price import Price
from proxy.state.rates import Spell, Tariff, usual_output


def charged(
    effective: Effective, facts: Mapping[str, str], domain: str, loaded: Loaded
) -> Effective:
    """With what such calls cost, and the budgets that they fall under, if anybody speaks of money.
    `domain`: the bulkhead of the agent."""
    caps = tuple(
        Covered(budget.cap, budget.match.when)
        for budget in loaded.budgets
        if budget.holds(facts, domain)
    )
    prices = loaded.prices
    spoken = bool(caps or prices.tools or prices.unknown_price != "allow") or _is_model(facts)
    if not spoken and "cost" not in {*effective.sections, *effective.shadow}:
        return effective
    sections = _with(effective.sections, facts, loaded, caps)
    shadow = effective.shadow
    if "cost" in shadow:
        shadow = _with(shadow, facts, loaded, caps)
    return replace(effective, sections=sections, shadow=shadow)


def _is_model(facts: Mapping[str, str]) -> bool:
    return facts["layer"] == "llm"


def _with(
    sections: Mapping[str, Merged],
    facts: Mapping[str, str],
    loaded: Loaded,
    caps: tuple[Covered, ...],
) -> dict[str, Merged]:
    written = sections.get("cost", Merged("", ""))
    cost = convert(Cost, written.fields)
    assert isinstance(cost, Cost)
    unknown = cost.unknown_price or loaded.prices.unknown_price
    if _is_model(facts):
        named, listed = _models(facts, loaded, cost)
    else:
        named, listed = None, _price(loaded.prices.of_tool(facts["tool"]))
    own, otherwise = _price(cost.price), listed or _assumed(unknown)
    budgets = Budgets(
        caps=caps,
        price=named or own or otherwise,
        when=cost.when if named is None and own is not None else None,
        otherwise=otherwise,
        policy=written.policy,
        deny_unknown=unknown == "deny",
    )
    merged = Merged(written.policy, written.policy, msgspec.structs.asdict(budgets))
    return {**sections, BUDGETS: merged}


def _models(
    facts: Mapping[str, str], loaded: Loaded, cost: Cost
) -> tuple[Price | None, Price | None]:
    """What a model costs by name in the files, which comes before all else that they say; and what
    by the table, which comes after."""
    model, prices = facts["model"], loaded.prices
    price = Price(usual=usual_output(model), reserve_cap=cost.reserve_cap)
    named = prices.of_model(model)
    if named is not None:
        return replace(price, tariff=Tariff((Spell(named.rates),))), None
    upstream = loaded.upstreams[facts["upstream"]]
    tariff = prices.tariff(model, facts["protocol"], str(upstream.url))
    return None, None if tariff is None else replace(price, tariff=tariff)


def _price(written: Written | None) -> Price | None:
    if written is None:
        return None
    fixed, per_kb = int(written.fixed or 0), int(written.per_kb or 0)
    return Price(fixed, per_kb, written.from_reply)


def _assumed(unknown: object) -> Price:
    fixed = int(unknown.assume) if isinstance(unknown, Assume) else 0
    return Price(fixed, known=False)
