"""`/v1/calls`: what the journal holds of calls that have ended, and of one call.

The files are read in a thread (`turns.py`), a bounded piece of them for each request
(`proxy/journal/search.py`): whoever asks for all of it gets it page by page, and agents do not
notice.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
from aiohttp import web

from proxy.admin.lists import BadParameter, Item, cursor, limit, numbers
from proxy.admin.sight import Sight
from proxy.admin.turns import Turns
from proxy.config.places import visible
from proxy.journal.query import Query, micros, moment, pattern
from proxy.journal.search import LOOKED_FOR_ONE, Cursor, Search

_NAMES = ("agent", "tool", "outcome", "workflow", "task", "upstream")
_TIMES = ("since", "until")
_KNOWN = (*_NAMES, *_TIMES, "min_cost", "max_cost", "limit", "cursor")
_MOST, _LONGEST = 20, 200
"""Values of a name, and characters of one: each record is held against each of them."""

Value = TypeVar("Value")


class Unknown(Exception):
    """There is no such call; the text says how far was looked."""


class Calls:
    """The two pages."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        self._turns = Turns()

    async def page(self, request: web.Request) -> Item:
        """Calls that have ended, the newest first. Raises BadParameter, Busy, OSError."""
        _check(request, _KNOWN)
        asked, most, at = self._query(request), limit(request.query), numbers(request.query, 2)
        start, folder = None if at is None else Cursor(*at), self._folder()
        if folder is None:
            return {"items": [], "next": None}
        found = await self._turns.run(lambda pause: Search(folder, pause).page(asked, most, start))
        return {
            "items": [msgspec.Raw(line) for line in found.lines],
            "next": None if found.next is None else cursor(tuple(map(str, found.next))),
        }

    async def one(self, request: web.Request) -> Item:
        """One call, by its id. Raises Unknown, BadParameter, Busy, OSError."""
        name = request.match_info["id"]
        _check(request, _TIMES)
        asked, folder = self._query(request), self._folder()
        if folder is None:
            raise Unknown("the journal is not open")
        found = await self._turns.run(
            lambda pause: Search(folder, pause, LOOKED_FOR_ONE).named(name, asked)
        )
        if found.intent is None and found.finished is None:
            further = (
                f"nothing before {found.unseen} was looked at: give until={found.unseen}, or ask "
                "holdfast audit show"
            )
            raise Unknown(further if found.unseen else "no call in the journal has this id")
        return {
            "id": name,
            "intent": None if found.intent is None else msgspec.Raw(found.intent),
            "record": None if found.finished is None else msgspec.Raw(found.finished),
        }

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


def _check(request: web.Request, known: tuple[str, ...]) -> None:
    """A filter that is misspelled would else let everything through."""
    for name in set(request.query):
        texts = request.query.getall(name)
        if name not in known:
            raise BadParameter(f"{visible(name)}: is no parameter; known are {', '.join(known)}")
        if len(texts) > (_MOST if name in _NAMES else 1):
            raise BadParameter(f"{name}: is given too often")
        if any(len(text) > _LONGEST for text in texts):
            raise BadParameter(f"{name}: has more than {_LONGEST} characters")
