"""`/v1/kills`: what is stopped; stopping it, and letting it go on (docs/control.md)."""

from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta

from proxy.admin.answers import problem
from proxy.admin.lists import Item, Key, page
from proxy.admin.routes import Visit
from proxy.admin.sight import Sight
from proxy.state.killed import InFlight, Kill
from proxy.state.kills import LONGEST, Full, Stays, Unknown, Unwritten
from proxy.state.scopes import Scope
from proxy.units import Moment

Reason = Annotated[str, Meta(min_length=1, max_length=LONGEST)]
_LOST = (
    "it counts, but the journal cannot be written: a restart would forget it; write the scope into "
    "the file kill of the data dir as well"
)


class Engage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /v1/kills`."""

    scope: str
    reason: Reason
    until: str | None = None  # RFC 3339
    in_flight: InFlight = "end"

    def kill(self, by: str) -> Kill:
        """Raises ValueError, with what is wrong."""
        until = None if self.until is None else Moment.parse(self.until)
        return Kill(Scope.parse(self.scope), self.reason, by, "admin", 0.0, until, self.in_flight)


class Killing:
    """The handlers."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight

    def page(self, visit: Visit) -> Item:
        """What is killed now. Raises BadParameter."""
        return page(listed(self._sight), place_of, visit.request.query)

    async def engage(self, visit: Visit) -> Item | web.Response:
        """One more."""
        return await engage(self._sight, visit.body, visit.author.name)

    async def revive(self, visit: Visit) -> Item | web.Response:
        """One less."""
        request = visit.request
        scope, reason = request.match_info["scope"], request.query.get("reason", "")
        return await revive(self._sight, scope, visit.author.name, reason)


def listed(sight: Sight) -> list[Item]:
    """All that is killed now."""
    return [kill.shown() for kill in sight.kills.items()]


def place_of(item: Item) -> Key:
    """Where it stands among others: the oldest first."""
    return item["since"], item["scope"], item["from"]


async def engage(sight: Sight, asked: Engage, by: str) -> Item | web.Response:
    """Answers when it counts, calls under way are stopped, and it will be there after a restart;
    `durable` is false where that cannot be."""
    try:
        kill = asked.kill(by)
        if kill.until is not None and kill.until <= sight.clock.wall():
            raise ValueError(f"until: expected a moment to come, found {asked.until!r}")
        stopped = sight.kills.engage(kill)
    except ValueError as error:
        return problem(400, "Bad Request", str(error))
    except Full as full:
        return problem(409, "Conflict", str(full))
    durable = await sight.kills.durable()
    warnings = [*_idle(sight, kill.scope), *([] if durable else [_LOST])]
    shown = sight.kills.thrown(kill.scope) or kill
    return {**shown.shown(), "stopped": stopped, "durable": durable, "warnings": warnings}


async def revive(sight: Sight, scope: str, by: str, reason: str) -> Item | web.Response:
    """Answers when it goes on, and the record of that is durable."""
    if len(reason) > LONGEST:
        return problem(400, "Bad Request", f"reason: expected at most {LONGEST} characters")
    try:
        kill = await sight.kills.revive(Scope(scope), by, reason)
    except Unknown as unknown:
        return problem(404, "Not Found", str(unknown))
    except Stays as stays:
        return problem(409, "Conflict", str(stays))
    except Unwritten as unwritten:
        return problem(503, "Service Unavailable", str(unwritten))
    left = [each.shown() for each in sight.kills.items()]
    return {**kill.shown(), "revived_by": by, "still_killed": left}


def _idle(sight: Sight, scope: Scope) -> list[str]:
    """A name that nothing has: somebody mistyped it, and believes that it is stopped."""
    loaded = sight.table().loaded
    known: dict[str, Any] = {
        "upstream": loaded.upstreams,
        "bulkhead": {each.name for each in loaded.bulkheads},
        "fleet": {sight.identity.fleet},
    }
    if scope.kind not in known or scope.name in known[scope.kind]:
        return []
    there = ", ".join(sorted(known[scope.kind])) or "none"
    return [f"no {scope.kind} is named {scope.name}, so it stops nothing; there is: {there}"]
