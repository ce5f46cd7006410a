"""An agent with the MCP client of before 2.0, run by the Python of `.venv-mcp1`.

Its arguments are the server's URL and the calls to make, as JSON: `[[tool, arguments], …]`. What it
finds it prints as JSON.
"""

import asyncio
import json
import sys
from typing import Any

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client


async def found(url: str, calls: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """The server's version and tools, and what came of each call."""
    progress: list[float] = []

    async def told(done: float, total: float | None, message: str | None) -> None:
        progress.append(done)

    async with (
        streamablehttp_client(url) as (reading, writing, session_id),
        ClientSession(reading, writing) as session,
    ):
        version = (await session.initialize()).protocolVersion
        tools = [tool.name for tool in (await session.list_tools()).tools]
        results = [
            (await session.call_tool(tool, given, progress_callback=told)).model_dump(mode="json")
            for tool, given in calls
        ]
        return {
            "version": version,
            "session": bool(session_id()),
            "tools": tools,
            "results": results,
            "progress": progress,
        }


print(json.dumps(asyncio.run(found(sys.argv[1], json.loads(sys.argv[2])))))  # noqa: T201 - its answer
