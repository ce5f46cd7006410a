"""`GET /v1/me`: who somebody is to this side, and what that one may do.

A page asks it first: it shows only what can be done, and says why the rest cannot. To whoever
shows nothing of himself it answers, where a token is needed, that it is; a token that nobody has is
refused as everywhere.
"""

from typing import Any

from proxy.admin.answers import NotDone
from proxy.admin.authors import Author
from proxy.admin.doors import NO_CHANGE, Doors
from proxy.admin.keyring import shown_by
from proxy.admin.lists import Item
from proxy.admin.routes import Route, Visit
from proxy.config.tokens import Role


def _nothing(_: Visit) -> Any:
    raise AssertionError("nobody is led there")


_READING = Route("GET", "", Role.VIEWER, "Any page that may be read.", _nothing)


class Me:
    """The handler."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    async def me(self, visit: Visit) -> Item:
        """`reads`: is anything shown? `changes`: may anything be changed? `why` says why not,
        and `asks` that a token would do. Raises NotDone."""
        try:
            author = await self._doors.enter(visit.request, _READING, control=visit.control)
        except NotDone as closed:
            if shown_by(visit.request):
                raise
            return _item(Author("", frozenset()), str(closed), asks=closed.status == 401)
        return _item(author, "" if author.name else NO_CHANGE, asks=False)


def _item(author: Author, why: str, *, asks: bool) -> Item:
    return {
        "name": author.name or None,
        "roles": sorted(author.roles),
        "groups": list(author.groups),
        "reads": bool(author.roles),
        "changes": bool(author.name),
        "asks": asks,  # for a token
        "why": why or None,
    }
