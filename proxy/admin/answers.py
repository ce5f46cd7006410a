"""What the admin side answers with: JSON, and problem objects (RFC 9457)."""

from typing import Any

import msgspec
from aiohttp import hdrs, web

JSON = "application/json"
PROBLEM = "application/problem+json"


class NotDone(Exception):
    """Why a page does not do what it is asked for: raised by its handler, answered as a problem."""

    def __init__(self, status: int, detail: str, retry_after: int | None = None) -> None:
        """`retry_after`: seconds, where it makes sense to ask again."""
        super().__init__(detail)
        self.status = status
        self.retry_after = retry_after


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


def problem(
    status: int, title: str, detail: str = "", retry_after: int | None = None
) -> web.Response:
    """What is wrong, and, if more is known, what to do."""
    answer = said(status, Problem("about:blank", title, status, detail), PROBLEM)
    if retry_after is not None:
        answer.headers[hdrs.RETRY_AFTER] = str(retry_after)
    return answer
