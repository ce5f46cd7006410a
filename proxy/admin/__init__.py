"""The side for operators: health, metrics, and what can be read of the running process."""

import asyncio
import importlib
from typing import TYPE_CHECKING

from proxy.admin.sight import Sight

if TYPE_CHECKING:
    from proxy.admin.server import AdminServer


async def start(listen: str, sight: Sight) -> "AdminServer":
    """Serve at `host:port` or `unix:/path`; raises OSError when the address cannot be had.

    aiohttp and prometheus_client are imported here and not at the top: that takes 0.15 s and 17 MB.
    In a thread, so that agents are served meanwhile.
    """
    server = await asyncio.to_thread(importlib.import_module, "proxy.admin.server")
    admin: AdminServer = server.AdminServer(sight)
    await admin.start(listen)
    return admin
