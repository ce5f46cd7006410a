"""`/v1`: what operators read (spec 6.2), and at `data_dir/admin.sock` what they change."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from aiohttp import hdrs, web

from proxy.admin import doors, kills, views
from proxy.admin.answers import problem, said
from proxy.admin.budgets import Budgets, Unspent
from proxy.admin.calls import Calls, Unknown
from proxy.admin.erasing import erased
from proxy.admin.lists import BadParameter, Item, Key, page
from proxy.admin.rates import Rates
from proxy.admin.sight import Sight
from proxy.admin.turns import Busy
from proxy.pipeline.asked import Unaskable, from_query
from proxy.pipeline.explain import explain
from proxy.state.circuit import State

View = Callable[[web.Request], Any]
Shown = TypeVar("Shown")

LONGEST_KEPT = 2.0
"""Seconds that a look at all that is kept is shown again at most."""
_KEPT_FOR = 20  # times what it took: however often somebody asks, it takes a twentieth of the loop


class Api:
    """The pages below `/v1`."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        self._rates = Rates(sight.metrics, sight.clock)
        self._calls = Calls(sight)
        self._budgets = Budgets(sight)
        self._copying: asyncio.Task[None] | None = None
        self._by_socket = False
        self._local = False
        self._kept: dict[str, tuple[float, Any]] = {}  # until when, and what

    def add_to(self, router: web.UrlDispatcher, *, control: bool = False) -> None:
        """Put the pages at their paths. `control`: whoever comes in there may make changes."""
        pages: dict[str, View] = {
            "status": self._status,
            "calls": self._calls.page,
            "calls/{id}": self._calls.one,
            "breakers": self._breakers,
            "budgets": lambda request: self._budgets.page(request.query),
            "tools": self._tools,
            "policies": self._policies,
            "policies/explain": self._explain,
            "journal": self._journal,
            "kills": self._kills,
        }
        for path, view in pages.items():
            router.add_get(f"/v1/{path}", self._guarded(view, control))
        router.add_post("/v1/erasures", self._erase if control else _no_change)
        router.add_post("/v1/kills", self._engage if control else _no_change)
        router.add_delete("/v1/kills/{scope}", self._revive if control else _no_change)

    def serve(self, *, local: bool, by_socket: bool) -> None:
        """It is known where the pages can be reached: only on this machine, or elsewhere too."""
        self._local, self._by_socket = local, by_socket
        self._copying = self._sight.clock.spawn(self._rates.run())

    def stop(self) -> None:
        """Copy no more numbers. May be called again."""
        if self._copying is not None:
            self._copying.cancel()

    def _guarded(self, view: View, control: bool) -> Callable[[web.Request], Any]:
        async def handler(request: web.Request) -> web.Response:
            closed = doors.closed(self._local, self._sight.identity.static)
            shut = None if control else closed
            shut = shut or doors.foreign(request, by_socket=self._by_socket or control)
            if shut is not None:
                return shut
            try:
                shown = view(request)
                return said(200, await shown if inspect.isawaitable(shown) else shown)
            except (BadParameter, Unaskable, Unknown, Unspent, Busy, OSError) as error:
                return _problem(error)

        return handler

    def _again(self, name: str, look: Callable[[], Shown]) -> Shown:
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

    def _status(self, _: web.Request) -> Item:
        return self._again("status", lambda: views.status(self._sight, self._rates))

    def _breakers(self, request: web.Request) -> Item:
        state = request.query.get("state")
        if state not in _STATES:
            raise BadParameter(f"state: expected open, half_open or closed, found {state!r}")
        items = self._again("breakers", lambda: list(views.breakers(self._sight)))
        wanted = (item for item in items if state in {None, item["state"]})
        return page(wanted, _circuit, request.query)

    def _tools(self, request: web.Request) -> Item:
        items = self._again("tools", lambda: list(views.tools(self._sight, self._rates)))
        return page(items, _tool, request.query)

    def _policies(self, request: web.Request) -> Item:
        return page(views.policies(self._sight), views.number_of, request.query)

    def _journal(self, _: web.Request) -> Item | None:
        return views.journal(self._sight)

    async def _erase(self, request: web.Request) -> web.Response:
        """Answers when what was kept is gone and the record of it is durable."""
        return doors.foreign(request, by_socket=True) or await erased(
            await request.read(), self._sight.erase
        )

    def _kills(self, request: web.Request) -> Item:
        return page(kills.listed(self._sight), kills.place_of, request.query)

    async def _engage(self, request: web.Request) -> web.Response:
        foreign = doors.foreign(request, by_socket=True)
        if foreign is not None:
            return foreign
        try:
            asked = msgspec.json.decode(await request.read(), type=kills.Engage)
        except msgspec.DecodeError as error:
            return problem(400, "Bad Request", str(error))
        return _answer(await kills.engage(self._sight, asked, "admin.sock"))

    async def _revive(self, request: web.Request) -> web.Response:
        foreign = doors.foreign(request, by_socket=True)
        if foreign is not None:
            return foreign
        scope, reason = request.match_info["scope"], request.query.get("reason", "")
        return _answer(await kills.revive(self._sight, scope, "admin.sock", reason))

    def _explain(self, request: web.Request) -> Any:
        asked = from_query(request.query)
        return msgspec.to_builtins(explain(self._sight.table(), asked, self._sight.identity))


def _answer(told: Item | web.Response) -> web.Response:
    return told if isinstance(told, web.Response) else said(200, told)


async def _no_change(_: web.Request) -> web.Response:
    return doors.no_change()


def _problem(error: Exception) -> web.Response:
    """Why there is nothing to show."""
    if isinstance(error, BadParameter | Unaskable):
        return problem(400, "Bad Request", str(error))
    if isinstance(error, Unknown | Unspent):
        return problem(404, "Not Found", str(error))
    if isinstance(error, Busy):
        answer = problem(503, "Service Unavailable", "others are being answered; ask again")
        answer.headers[hdrs.RETRY_AFTER] = "1"
        return answer
    return problem(503, "Service Unavailable", f"the journal cannot be read: {error}")


_STATES = frozenset({None, *(state.value for state in State)})


def _tool(item: Item) -> Key:
    return item["upstream"], item["tool"]


def _circuit(item: Item) -> Key:
    shadow = "shadow" if item["shadow"] else ""
    return item["upstream"], item["tool"] or "", item["bulkhead"] or "", shadow
