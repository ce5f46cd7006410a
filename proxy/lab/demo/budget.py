"""More is asked for than may be spent, all at once."""

import asyncio
from decimal import Decimal
from typing import Any, NamedTuple

from proxy.lab.demo.play import OPERATOR, Answer, Play
from proxy.lab.demo.policies import AGENT, PRICES
from proxy.state.price import dollars

_CALLS = 12
_TOOL = "create_audit_trail"
_PAGE = "/v1/budgets?budget=trail"


class _Held(NamedTuple):
    """What the budget's page says of its one window."""

    spent: Decimal
    reserved: Decimal
    limit: Decimal


async def budget(play: Play) -> None:
    """Twelve calls, and room for five."""
    play.rule("trail")
    price = dollars(PRICES[_TOOL])
    play.tell("agent", f"makes {_CALLS} calls of {_TOOL} at once, {price} USD each")
    play.script({"tool": _TOOL, "slow": 0.15, "times": None})
    executed = play.gateway.calls.executed
    before = executed[_TOOL]
    looks, answers = await _at_once(play)
    play.script()
    ran = executed[_TOOL] - before
    refused = [each for each in answers if each.said("reason") == "budget_exceeded"]
    play.tell("gateway", f"runs {ran} of them")
    _expect(play, looks, ran, len(refused))
    play.tell("agent", "makes one more")
    one_more = await play.call(_TOOL, agent_id=AGENT, action="one more")
    play.tell("holdfast", one_more.told())
    play.expect(*_told(one_more))


def _told(refused: Answer) -> tuple[str, bool]:
    body = refused.body
    told = ", ".join(f"{name} {body.get(name)}" for name in ("limit", "spent", "resets_at"))
    return f"a program reads when there is room again: {told}", bool(body.get("resets_at"))


async def _at_once(play: Play) -> tuple[list[_Held], list[Answer]]:
    """The calls, and the budget as somebody saw it who looked all the time."""
    calls = [
        play.clock.spawn(play.call(_TOOL, agent_id=AGENT, action=f"review {number}"))
        for number in range(_CALLS)
    ]
    looks = []
    while not all(each.done() for each in calls):
        looks += await _look(play)
        await play.clock.sleep(0.002)
    return [*looks, *await _look(play)], await asyncio.gather(*calls)


async def _look(play: Play) -> list[_Held]:
    _, page = await play.ask(OPERATOR, "GET", _PAGE)
    return [_held(window) for item in page.get("items", []) for window in item["windows"]]


def _held(window: dict[str, Any]) -> _Held:
    return _Held(*(Decimal(window[name]) for name in _Held._fields))


def _expect(play: Play, looks: list[_Held], ran: int, refused: int) -> None:
    end = looks[-1]
    most = max(look.spent + look.reserved for look in looks)
    play.expect(f"{ran} ran and {refused} were refused, of {_CALLS}", ran + refused == _CALLS)
    exact = end.spent == end.limit == ran * Decimal(PRICES[_TOOL]) / 1_000_000
    told = f"spent: {end.spent} of {end.limit} USD, to the cent; still reserved: {end.reserved}"
    play.expect(told, exact and not end.reserved)
    within = all(look.spent + look.reserved <= look.limit for look in looks)
    seen = f"spent and reserved were never more than {most}, in {len(looks)} looks at /v1/budgets"
    play.expect(seen, within)
