"""The side for operators: health and metrics."""

import asyncio
import importlib
from typing import TYPE_CHECKING

from proxy.admin.health import Health
from proxy.clock import Clock
from proxy.observe.metrics import Metrics

if TYPE_CHECKING:
    from proxy.admin.server import AdminServer


async def start(listen: str, health: Health, metrics: Metrics, clock: Clock) -> "AdminServer":
    """Serve at `host:port` or `unix:/path`; raises OSError when the address cannot be had.

    aiohttp and prometheus_client are imported here and not at the top: that takes 0.15 s and 17 MB.
    In a thread, so that agents are served meanwhile.
    """
    server = await asyncio.to_thread(importlib.import_module, "proxy.admin.server")
    admin: AdminServer = server.AdminServer(health, metrics, clock)
    await admin.start(listen)
    return admin
