"""`/v1/calls`: what the journal holds of calls that have ended, and of one call.

The files are read in a thread (`turns.py`), a bounded piece of them for each request
(`proxy/journal/search.py`): whoever asks for all of it gets it page by page, and agents do not
notice.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
from aiohttp import hdrs, web

from proxy.admin.answers import NotDone
from proxy.admin.lists import BadParameter, Item, cursor, limit, numbers
from proxy.admin.routes import PAGED, Parameter, Visit
from proxy.admin.sight import Sight
from proxy.admin.turns import Busy, Pause, Turns
from proxy.journal.query import Query, micros, moment, pattern
from proxy.journal.search import LOOKED_FOR_ONE, Cursor, Search

_NAMES = ("agent", "tool", "outcome", "workflow", "task", "upstream")
_TIMES = ("since", "until")
_COSTS = ("min_cost", "max_cost")
_MOST, _LONGEST = 20, 200
"""Values of a name, and characters of one."""

_AGAIN = {str(hdrs.RETRY_AFTER): "1"}

Value = TypeVar("Value")

WHEN = (
    Parameter("since", "ISO 8601, or how long ago: 15m."),
    Parameter("until", "The same."),
)
FILTERS = (
    *(Parameter(name, "One of them must fit; * is anything.", most=_MOST) for name in _NAMES),
    *WHEN,
    *(Parameter(name, "US dollars.") for name in _COSTS),
    *PAGED,
)
"""The parameters of the two pages."""


class Calls:
    """The two pages."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        self._turns = {True: Turns(), False: Turns()}  # has who asks a name?

    async def page(self, visit: Visit) -> Item:
        """Calls that have ended, the newest first. Raises BadParameter, NotDone."""
        request = visit.request
        _check(request)
        asked, most, at = self._query(request), limit(request.query), numbers(request.query, 2)
        start, folder = None if at is None else Cursor(*at), self._folder()
        if folder is None:
            return {"items": [], "next": None}
        found = await self._read(
            visit, lambda pause: Search(folder, pause).page(asked, most, start)
        )
        return {
            "items": [msgspec.Raw(line) for line in found.lines],
            "next": None if found.next is None else cursor(tuple(map(str, found.next))),
        }

    async def one(self, visit: Visit) -> Item:
        """One call, by its id. Raises NotDone, BadParameter."""
        request = visit.request
        name = request.match_info["id"]
        _check(request)
        asked, folder = self._query(request), self._folder()
        if folder is None:
            raise NotDone(404, "the journal is not open")
        found = await self._read(
            visit, lambda pause: Search(folder, pause, LOOKED_FOR_ONE).named(name, asked)
        )
        if found.intent is None and found.finished is None:
            further = (
                f"nothing before {found.unseen} was looked at: give until={found.unseen}, or ask "
                "holdfast audit show"
            )
            raise NotDone(404, further if found.unseen else "no call in the journal has this id")
        return {
            "id": name,
            "intent": None if found.intent is None else msgspec.Raw(found.intent),
            "record": None if found.finished is None else msgspec.Raw(found.finished),
        }

    async def _read(self, visit: Visit, work: Callable[[Pause], Value]) -> Value:
        """An agent, without a name, does not take the turns of people."""
        try:
            return await self._turns[bool(visit.author.name)].run(work)
        except Busy as busy:
            raise NotDone(503, "others are being answered; ask again", _AGAIN) from busy
        except OSError as error:
            raise NotDone(503, f"the journal cannot be read: {error}") from error

    def _folder(self) -> Path | None:
        journal = self._sight.health.journal
        return None if journal is None else journal.folder.path

    def _query(self, request: web.Request) -> Query:
        given, now = request.query, self._sight.clock.wall()
        since, until = (_read(request, name, lambda text: moment(text, now)) for name in _TIMES)
        return Query(
            {name: pattern(texts) for name in _NAMES if (texts := given.getall(name, []))},
            since or "",
            until or "",
            _read(request, "min_cost", micros) or 0,
            _read(request, "max_cost", micros),
        )


def _read(request: web.Request, name: str, read: Callable[[str], Value]) -> Value | None:
    try:
        return read(request.query[name]) if name in request.query else None
    except ValueError as error:
        raise BadParameter(f"{name}: {error}") from error


def _check(request: web.Request) -> None:
    """Each record is held against each of them. Raises BadParameter."""
    for name, text in request.query.items():
        if len(text) > _LONGEST:
            raise BadParameter(f"{name}: has more than {_LONGEST} characters")
