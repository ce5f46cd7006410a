"""What the person at `holdfast top` has chosen to see, and what each key does to it."""

from collections.abc import Callable

import msgspec

from proxy.cli.top_figures import Tool

_Rank = tuple[float | bool | str, ...]


def _trouble(tool: Tool) -> _Rank:
    return tool.circuit in {None, "closed"}, -tool.per_second


def _calls(tool: Tool) -> _Rank:
    return (-tool.per_second,)


def _errors(tool: Tool) -> _Rank:
    return (-(tool.errors or 0.0),)


def _slowness(tool: Tool) -> _Rank:
    return (-(tool.p99 or 0.0),)


def _cost(tool: Tool) -> _Rank:
    return (-float(tool.per_hour),)


_ORDERS: dict[str, Callable[[Tool], _Rank]] = {
    "trouble": _trouble, "calls": _calls, "errors": _errors, "p99": _slowness, "cost": _cost,
}  # fmt: skip
ORDERS = tuple(_ORDERS)


class View(msgspec.Struct, frozen=True):
    """Of the screen."""

    order: str = ORDERS[0]  # of tools
    first: int = 0  # so many tools are above the screen
    paused: bool = False
    left: bool = False  # nobody looks any more


def ordered(tools: list[Tool], order: str) -> list[Tool]:
    """Tools in one of `ORDERS`: the worst first."""
    return sorted(tools, key=lambda tool: (_ORDERS[order](tool), tool.upstream, tool.tool))


def pressed(view: View, key: str, tools: int) -> View:
    """After a key, with so many tools to see; other keys do nothing."""
    if key in {"q", "Q"}:
        return msgspec.structs.replace(view, left=True)
    if key in {"p", " "}:
        return msgspec.structs.replace(view, paused=not view.paused)
    if key == "s":
        following = ORDERS[(ORDERS.index(view.order) + 1) % len(ORDERS)]
        return msgspec.structs.replace(view, order=following, first=0)
    step = {"j": 1, "down": 1, "k": -1, "up": -1}.get(key, 0)
    return msgspec.structs.replace(view, first=max(0, min(view.first + step, tools - 1)))
