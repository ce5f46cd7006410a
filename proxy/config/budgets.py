"""Reads budgets and price lists, and judges what only all of them show."""

from collections.abc import Iterator
from pathlib import Path

from msgspec import UNSET
from msgspec.structs import replace

from proxy.config.document import Mapping, Node
from proxy.config.files import Budget as WrittenBudget
from proxy.config.files import Domain, PriceLists
from proxy.config.judge import Judged, unknown, unmet
from proxy.config.matching import matched
from proxy.config.money import Budget, Prices
from proxy.config.places import Place, Problem
from proxy.config.price_list import PriceList
from proxy.config.shape import MISSING, Shape, kind_of
from proxy.config.spending import FIXED, cap_of, dollars

OF_BULKHEADS = "bulkhead/"
"""With this, and its own, begins the name of what a bulkhead may spend."""

_EVERY_CALL_HAS = frozenset({"request", "upstream", "tool"})


class Books:
    """What the files say of money, one after the other."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._priced: dict[tuple[str, str], Place] = {}
        self._decided: dict[str, Place] = {}  # where what all files say once is said
        self.budgets: list[Budget] = []
        self.files: list[Path] = []  # that they name
        self.listed = Prices()

    def budget(self, written: WrittenBudget, node: Mapping, path: str) -> None:
        """Take in one of a list."""
        place = node.items["name"].node.place
        self._check_name(str(written.name), place, path)
        match, places = matched(written.match, node)
        known = {name: key.node.place for name, key in node.items.items()}
        ttl = 0.0 if written.ttl is UNSET else float(written.ttl)
        self.budgets.append(
            Budget(
                place=place,
                path=path,
                cap=cap_of(
                    written, str(written.name), written.per, require=written.require, ttl=ttl
                ),
                match=match,
                places=known | places,
                allocation=None if written.allocation is UNSET else written.allocation,
            )
        )

    def shared(self, written: Domain, node: Mapping, path: str) -> None:
        """Take in that of a bulkhead."""
        assert written.budget is not UNSET  # or nobody asks
        inside = node.items["budget"].node
        assert isinstance(inside, Mapping)  # or it could not have been read
        self.budgets.append(
            Budget(
                place=inside.place,
                path=f"{path}.budget",
                cap=cap_of(written.budget, f"{OF_BULKHEADS}{written.name}", "bulkhead"),
                bulkhead=str(written.name),
                places={name: key.node.place for name, key in inside.items.items()},
            )
        )

    def prices(self, node: Node) -> None:
        """Take in the price lists of one file."""
        written = self._shape.read(kind_of(PriceLists), node, "prices")
        if written is MISSING:
            return
        assert isinstance(node, Mapping)  # or it could not have been read
        for kind in ("tools", "models"):
            given = getattr(written, kind)
            if given is not UNSET:
                self._check_priced(kind, node)
                more = {**getattr(self.listed, kind), **given}
                self.listed = replace(self.listed, **{kind: more})
        if written.unknown_price is not UNSET:
            self._once("unknown_price", node)
            self.listed = replace(self.listed, unknown_price=written.unknown_price)
        if written.table is not UNSET:
            self._table(Path(written.table), self._once("table", node))

    def _check_name(self, name: str, place: Place, path: str) -> None:
        if name.startswith(OF_BULKHEADS):
            message = f"names that begin with {OF_BULKHEADS} are those of bulkheads' budgets"
            self._shape.wrong(place, f"{path}.name", message)
        first = next((each for each in self.budgets if each.cap.name == name), None)
        if first is not None:
            message = f"a budget of this name stands at {first.place.short} already"
            self._shape.wrong(place, f"{path}.name", message)

    def _check_priced(self, kind: str, node: Mapping) -> None:
        inside = node.items[kind].node
        assert isinstance(inside, Mapping)
        for name, key in inside.items.items():
            first = self._priced.setdefault((kind, name), key.place)
            if first != key.place:
                message = f"its price stands at {first.short} already"
                self._shape.wrong(key.place, f"prices.{kind}.{name}", message)

    def _once(self, name: str, node: Mapping) -> Place:
        """Where it is given: in no other file."""
        place = node.items[name].node.place
        first = self._decided.setdefault(name, place)
        if first != place:
            self._shape.wrong(place, f"prices.{name}", f"it is given at {first.short} already")
        return place

    def _table(self, path: Path, place: Place) -> None:
        try:
            table = PriceList.read(path)
            table.check()
        except OSError as error:
            message = f"cannot be read: {error.strerror}"
        except ValueError as error:
            message = f"no table of prices: {error}; holdfast prices update writes one"
        else:
            self.files.append(path)
            self.listed = replace(self.listed, table=table)
            return
        self._shape.wrong(place, "prices.table", message)


def misjudged(budgets: list[Budget], upstreams: list[str]) -> Judged:
    """What is wrong with budgets as they stand beside each other. `upstreams`: all names."""
    errors = [error for budget in budgets for error in unknown(budget, upstreams)]
    warnings = [
        warning
        for budget in budgets
        for warning in (
            *unmet(budget, upstreams),
            *_unlimited(budget, budgets),
            *_never_first(budget),
            *_outgrown(budget, budgets),
            *_idle(budget),
        )
    ]
    return Judged(errors, warnings)


def _unlimited(budget: Budget, budgets: list[Budget]) -> Iterator[Problem]:
    """Who names his own workflows has as many budgets as he likes."""
    per = budget.cap.per
    if per in ("workflow", "task") and not any(_beneath(each, budget) for each in budgets):
        message = (
            f"agents name their {per}s themselves, and each new one has its own budget: "
            "give these calls one per agent beneath it"
        )
        yield _problem(budget, "per", message)


def _beneath(other: Budget, budget: Budget) -> bool:
    cap = other.cap
    holds_back = cap.per == "agent" and cap.on_exceed != "shadow"
    return holds_back and other.match.covers(budget.match)


def _never_first(budget: Budget) -> Iterator[Problem]:
    """An hour with more than its day is as long as that day."""
    limits = [each for each in budget.cap.limits if each.window in FIXED]
    for i, limit in enumerate(limits):
        for longer in limits[i + 1 :]:
            if limit.micros > longer.micros:
                message = (
                    f"never reached: {longer.window} allows {dollars(longer.micros)} in all, "
                    f"and this is {dollars(limit.micros)}"
                )
                yield _problem(budget, limit.window, message)
                break


def _outgrown(budget: Budget, budgets: list[Budget]) -> Iterator[Problem]:
    """A call that may cost more than a whole day of its agent's."""
    if budget.cap.per != "request":
        return
    most = budget.cap.limits[0].micros
    for other in budgets:
        least = min(other.cap.limits, key=lambda limit: limit.micros)
        enforced = other.cap.on_exceed != "shadow" and not other.bulkhead
        if least.micros < most and enforced and other.match.covers(budget.match):
            whose = f"{other.cap.name} ({other.place.short})"
            message = f"never reached: {whose} allows {dollars(least.micros)} in all"
            yield _problem(budget, "limit", message)
            return


def _idle(budget: Budget) -> Iterator[Problem]:
    """Keys that change nothing."""
    if budget.cap.require and budget.cap.per in _EVERY_CALL_HAS:
        yield _problem(
            budget, "require", f"it changes nothing: every call has its {budget.cap.per}"
        )
    if "timezone" in budget.places and not {"hour", "day", "month"} & budget.places.keys():
        yield _problem(budget, "timezone", "it changes nothing without hour, day or month")


def _problem(budget: Budget, key: str, message: str) -> Problem:
    return Problem(budget.places.get(key, budget.place), f"{budget.path}.{key}", message)
