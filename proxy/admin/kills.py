"""`/v1/kills`: what is stopped; stopping it, and letting it go on (docs/control.md)."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from proxy.admin.answers import NotDone
from proxy.admin.lists import Item, Key, page
from proxy.admin.routes import Visit
from proxy.admin.sight import Sight
from proxy.state.killed import InFlight, Kill
from proxy.state.kills import LONGEST, Full, Reach, Stays, Unknown, Unwritten
from proxy.state.scopes import Scope
from proxy.units import Moment

Reason = Annotated[str, Meta(min_length=1, max_length=LONGEST)]
_HERE = (
    "it counts on this pod, and on the others once the store is there: kill it on each of them, if "
    "that cannot wait"
)
_HERE_ONLY = (
    "it goes on at this pod only: the others keep it killed until the store is there; or revive it "
    "on each of them"
)
_IN_A_FILE = (
    "it stood in the file kill of another pod, {}: if it still stands there, it is killed again"
)
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
        self._kills = sight.kills

    def page(self, visit: Visit) -> Item:
        """What is killed now, the oldest first. Raises BadParameter."""
        items = (kill.shown() for kill in self._kills.items())
        return page(items, _oldest, visit.request.query)

    async def engage(self, visit: Visit) -> Item:
        """Answers when it counts, calls under way are stopped, and it will be there after a
        restart; `durable` is false where that cannot be. Other pods are told by then, `pods` in
        all; null: there are none, or a warning says why not. Raises NotDone."""
        asked: Engage = visit.body
        try:
            kill = asked.kill(visit.author.name)
            if kill.until is not None and kill.until <= self._sight.clock.wall():
                raise ValueError(f"until: expected a moment to come, found {asked.until!r}")
            stopped = self._kills.engage(kill)
        except ValueError as error:
            raise NotDone(400, str(error)) from error
        except Full as full:
            raise NotDone(409, str(full)) from full
        durable = await self._kills.durable()
        reach = await self._kills.reach(kill.scope)
        warnings = [*_idle(self._sight, kill.scope), *([] if durable else [_LOST])]
        warnings += _short(reach, _HERE)
        shown = self._kills.thrown(kill.scope) or kill
        return {
            **shown.shown(),
            "stopped": stopped,
            "durable": durable,
            "pods": _pods(reach),
            "warnings": warnings,
        }

    async def revive(self, visit: Visit) -> Item:
        """Answers when it goes on, and the record of that is durable; other pods are told by then,
        likewise. Raises NotDone."""
        request, by = visit.request, visit.author.name
        scope, reason = Scope(request.match_info["scope"]), request.query.get("reason", "")
        if len(reason) > LONGEST:
            raise NotDone(400, f"reason: expected at most {LONGEST} characters")
        try:
            kill = await self._kills.revive(scope, by, reason)
        except Unknown as unknown:
            short = _short(await self._kills.reach(scope), "other pods may have it killed")
            raise NotDone(404, "; ".join([str(unknown), *short])) from unknown
        except Stays as stays:
            raise NotDone(409, str(stays)) from stays
        except Unwritten as unwritten:
            raise NotDone(503, str(unwritten)) from unwritten
        reach = await self._kills.reach(scope)
        warnings = _short(reach, _HERE_ONLY)
        if kill.origin == "file" and kill.pod:
            warnings.append(_IN_A_FILE.format(kill.pod))
        return {
            **kill.shown(),
            "revived_by": by,
            "still_killed": [each.shown() for each in self._kills.items()],
            "pods": _pods(reach),
            "warnings": warnings,
        }


def _oldest(item: Item) -> Key:
    return item["since"], item["scope"], item["from"]


def _pods(reach: Reach | None) -> int | None:
    return (reach.pods or None) if reach else None


def _short(reach: Reach | None, so: str) -> list[str]:
    """Not all pods have it."""
    return [f"{reach.why}; {so}"] if reach and not reach.pods else []


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
