"""What the admin side answers with: JSON, and problem objects (RFC 9457)."""

from typing import Any

import msgspec
from aiohttp import web


def said(status: int, content: Any, content_type: str = "application/json") -> web.Response:
    """The content as JSON."""
    body = msgspec.json.encode(content)
    return web.Response(status=status, body=body, content_type=content_type)


def problem(status: int, title: str, detail: str = "") -> web.Response:
    """What is wrong, and, if more is known, what to do."""
    members = {"type": "about:blank", "title": title, "status": status}
    return said(
        status, members | ({"detail": detail} if detail else {}), "application/problem+json"
    )
