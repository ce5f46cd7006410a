"""Server-sent events as a client hears them."""

import json
from typing import Any, NamedTuple

import aiohttp


class Heard(NamedTuple):
    """One event; `said` is its data as JSON, or as text where it is none."""

    kind: str
    said: Any


def events(body: bytes) -> list[Heard]:
    """All events of a body."""
    return [_event(block) for block in body.decode().split("\n\n") if block]


async def stream(
    client: aiohttp.ClientSession, path: str, body: object, **headers: str
) -> list[Heard]:
    """Ask for a stream, which must be one; `_` in a header's name stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.post(path, json=body, headers=named) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        return events(await response.read())


async def whole(
    client: aiohttp.ClientSession, path: str, body: object, status: int = 200, **headers: str
) -> Any:
    """Ask for an answer in JSON, with this status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.post(path, json=body, headers=named) as response:
        answer = await response.json(content_type=None)
        assert response.status == status, answer
        return answer


def _event(block: str) -> Heard:
    parts = dict(line.split(": ", 1) for line in block.splitlines())
    try:
        return Heard(parts.get("event", ""), json.loads(parts["data"]))
    except ValueError:
        return Heard(parts.get("event", ""), parts["data"])
