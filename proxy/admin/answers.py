"""What the admin side answers with: JSON, and problem objects (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import msgspec
from aiohttp import web

JSON = "application/json"
PROBLEM = "application/problem+json"


class NotDone(Exception):
    """Why a page does not do what it is asked for: raised by its handler, answered as a problem."""

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """`headers` go with it, such as Retry-After where it makes sense to ask again."""
        super().__init__(detail)
        self.status = status
        self.headers = headers

    @property
    def answer(self) -> web.Response:
        """What is said of it."""
        answer = problem(self.status, HTTPStatus(self.status).phrase, str(self))
        answer.headers.update(self.headers)
        return answer


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = ""


def said(status: int, content: Any, content_type: str = JSON) -> web.Response:
    """The content as JSON."""
    body = msgspec.json.encode(content)
    return web.Response(status=status, body=body, content_type=content_type)


def problem(status: int, title: str, detail: str = "") -> web.Response:
    """What is wrong, and, if more is known, what to do."""
    return said(status, Problem("about:blank", title, status, detail), PROBLEM)
