"""What a line of the table of routes says (`proxy/admin/api.py` has the table).

From it come the router, the check of roles, the check of parameters and bodies, and
`/openapi.json`: a page cannot be served and not be described, nor be open without its role.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from proxy.admin.answers import JSON, PROBLEM, Problem
from proxy.admin.authors import Author
from proxy.admin.lists import MOST, Item
from proxy.config.tokens import Role

LARGEST_BODY = 64 << 10
"""Bytes."""


class Visit(msgspec.Struct, frozen=True):
    """Somebody asks at a route. The role was checked, and so were parameters and body."""

    request: web.Request
    author: Author
    body: Any = None  # of the route's type; None: it takes none
    control: bool = False  # at admin.sock


Handler = Callable[[Visit], Any]
"""Gives what is said as JSON with 200, or a response of its own; plain or awaitable. It raises
`NotDone` (answers.py), or BadParameter, for what it cannot do."""


class Parameter(msgspec.Struct, frozen=True):
    """One of the query."""

    name: str
    meaning: str
    schema: dict[str, Any] = msgspec.field(default_factory=lambda: {"type": "string"})
    most: int = 1  # so often it may be given


class Answer(msgspec.Struct, frozen=True):
    """One that a route may give."""

    meaning: str
    type: Any = Item
    media: tuple[str, ...] = (JSON,)


LIMIT = Parameter("limit", "Items of a page.", {"type": "integer", "minimum": 1, "maximum": MOST})
CURSOR = Parameter("cursor", "The `next` of the page before.")
PAGED = (LIMIT, CURSOR)


class Page(msgspec.Struct, frozen=True):
    """A page of a list."""

    items: list[dict[str, Any]]
    next: str | None


LISTED = Answer("A page of them.", Page)


class Route(msgspec.Struct, frozen=True):
    """One line."""

    method: str
    path: str
    role: Role | None  # that it needs; None: whoever gets here
    does: str  # in one sentence
    handler: Handler
    answer: Answer = Answer("As it is now.")
    body: type[msgspec.Struct] | None = None
    query: tuple[Parameter, ...] = ()
    also: dict[int, Answer] = {}  # by status, beside what all routes may give
    sees: str = ""  # what parameters of the path are, where the name does not say it
    shared: bool = False  # is it the same for all who may see it, so that they may have one answer?
    agents: bool = False  # is it open to agents as well, who show their own credential?

    @property
    def changes(self) -> bool:
        """Does it do more than show?"""
        return self.method != "GET"

    @property
    def answers(self) -> dict[int, Answer]:
        """All that it may give, by status."""
        given = {200: self.answer, 400: fails("The request cannot be read, or is not one.")}
        if self.role is not None:
            given[401] = fails("No token, or none that is known.")
            given[403] = fails(f"It is not open to you: it needs the role {self.role}.")
            given[429] = fails("Too many tokens were tried that are not known.")
        if self.body is not None:
            given[413] = fails(f"The body has more than {LARGEST_BODY} bytes.")
        return dict(sorted({**given, **self.also}.items()))


def shown(
    path: str,
    does: str,
    handler: Handler,
    answer: Answer = Answer("As it is now."),  # noqa: B008 -- it is frozen
    query: tuple[Parameter, ...] = (),
) -> Route:
    """A page that is the same for all viewers, who may have one answer."""
    return Route("GET", path, Role.VIEWER, does, handler, answer, query=query, shared=True)


def fails(meaning: str) -> Answer:
    """An answer that is a problem object."""
    return Answer(meaning, Problem, (PROBLEM,))
