"""The pages of `/v1` that show what there is now; `views.py` says what of it."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from proxy.admin import views
from proxy.admin.answers import NotDone
from proxy.admin.lists import Item, Key, page
from proxy.admin.rates import Rates
from proxy.admin.routes import Visit
from proxy.admin.sight import Sight
from proxy.pipeline.asked import Unaskable, from_query
from proxy.pipeline.explain import explain

Shown = TypeVar("Shown")

LONGEST_KEPT = 2.0
"""Seconds that a look at all that is kept is shown again at most."""
_KEPT_FOR = 20  # times what it took: however often somebody asks, it takes a twentieth of the loop


class Pages:
    """Each method is the handler of a route."""

    def __init__(self, sight: Sight, rates: Rates) -> None:
        self._sight = sight
        self._rates = rates
        self._kept: dict[str, tuple[float, Any]] = {}  # until when, and what

    def again(self, name: str, look: Callable[[], Shown]) -> Shown:
        """What was seen a moment ago. A look goes through all circuits on the loop that calls run
        on, and an agent may ask for one after the other."""
        now = self._sight.clock.now
        until, shown = self._kept.get(name, (-1.0, None))
        began = now()
        if began >= until:
            shown = look()
            ended = now()
            kept_for = min(LONGEST_KEPT, (ended - began) * _KEPT_FOR)
            self._kept[name] = (ended + kept_for, shown)
        return shown  # type: ignore[no-any-return]  # it is what `look` gave under this name

    def status(self, _: Visit) -> Item:
        """One screen of all."""
        return self.again("status", lambda: views.status(self._sight, self._rates))

    def breakers(self, visit: Visit) -> Item:
        """Circuits, or those in one state. Raises BadParameter."""
        query = visit.request.query
        state = query.get("state")
        wanted = (item for item in self.circuits() if state in (None, item["state"]))
        return page(wanted, _circuit, query)

    def circuits(self) -> list[Item]:
        """All of them."""
        return self.again("breakers", lambda: list(views.breakers(self._sight)))

    def tools(self, visit: Visit) -> Item:
        """Tools that have a name in the metrics."""
        items = self.again("tools", lambda: list(views.tools(self._sight, self._rates)))
        return page(items, _tool, visit.request.query)

    def policies(self, visit: Visit) -> Item:
        """The policies in force."""
        return page(views.policies(self._sight), views.number_of, visit.request.query)

    def explain(self, visit: Visit) -> Any:
        """Why a call would go as it goes. Raises NotDone."""
        try:
            asked = from_query(visit.request.query)
            return msgspec.to_builtins(explain(self._sight.table(), asked, self._sight.identity))
        except Unaskable as error:
            raise NotDone(400, str(error)) from error


def _tool(item: Item) -> Key:
    return item["upstream"], item["tool"]


def _circuit(item: Item) -> Key:
    shadow = "shadow" if item["shadow"] else ""
    return item["upstream"], item["tool"] or "", item["bulkhead"] or "", shadow
