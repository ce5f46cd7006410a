"""What calls of a kind cost and fall under: of prices, budgets and the section `cost`, put together
where a pipeline or a link is compiled."""

from collections.abc import Mapping

import msgspec

from proxy.config.cascade import Effective, Merged, convert
from proxy.config.types import Loaded
from proxy.stages import BUDGETS
from proxy.stages.budget import Budgets, Covered
from proxy.stages.cost import Assume, Cost
from proxy.stages.cost import Price as Written
from proxy.state.price import Price


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
    spoken = bool(caps or prices.tools or prices.unknown_price != "allow")
    if not spoken and "cost" not in {*effective.sections, *effective.shadow}:
        return effective
    tool = facts["tool"]
    sections = _with(effective.sections, tool, loaded, caps)
    shadow = effective.shadow
    if "cost" in shadow:
        shadow = _with(shadow, tool, loaded, caps)
    return msgspec.structs.replace(effective, sections=sections, shadow=shadow)


def _with(
    sections: Mapping[str, Merged], tool: str, loaded: Loaded, caps: tuple[Covered, ...]
) -> dict[str, Merged]:
    written = sections.get("cost", Merged("", ""))
    cost = convert(Cost, written.fields)
    assert isinstance(cost, Cost)
    unknown = cost.unknown_price or loaded.prices.unknown_price
    listed = loaded.prices.of_tool(tool)
    otherwise = _price(listed) or _assumed(unknown)
    budgets = Budgets(
        caps=caps,
        price=_price(cost.price) or otherwise,
        when=cost.when if cost.price is not None else None,
        otherwise=otherwise,
        policy=written.policy,
        deny_unknown=unknown == "deny",
    )
    merged = Merged(written.policy, written.policy, msgspec.structs.asdict(budgets))
    return {**sections, BUDGETS: merged}


def _price(written: Written | None) -> Price | None:
    if written is None:
        return None
    fixed, per_kb = int(written.fixed or 0), int(written.per_kb or 0)
    return Price(fixed, per_kb, written.from_reply)


def _assumed(unknown: object) -> Price:
    fixed = int(unknown.assume) if isinstance(unknown, Assume) else 0
    return Price(fixed, known=False)
