"""Reads the bodies of requests that change something."""

import json
from typing import Any

import msgspec
from aiohttp import web

from proxy.admin.answers import NotDone


async def read(request: web.Request, kind: type[msgspec.Struct]) -> Any:
    """The body as that type. Raises NotDone, and HTTPRequestEntityTooLarge.

    Of a member that stands twice only one would count. What changes something is not guessed at.
    """
    body = await request.read()
    try:
        read = msgspec.json.decode(body, type=kind)
        json.loads(body, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:  # msgspec's own are ValueErrors
        why = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise NotDone(400, f"the body cannot be used: {why}") from error
    return read


def _once(members: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in members]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name}: is given more than once")
