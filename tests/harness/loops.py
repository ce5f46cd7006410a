"""Both event loops. `holdfast run` takes uvloop where it is installed, plain asyncio elsewhere.

They differ where it hurts: what writing to a closed transport does, when a callback is told, what a
transport's class is. So everything that stands on sockets is tried on both.
"""

import asyncio
from collections.abc import Callable

Factories = dict[str, Callable[[], asyncio.AbstractEventLoop]]


def factories() -> Factories:
    """Name of a loop → what makes one."""
    found: Factories = {"asyncio": asyncio.SelectorEventLoop}
    try:
        import uvloop
    except ImportError:  # not on every platform
        return found
    return {**found, "uvloop": uvloop.new_event_loop}


THE_LOOP = list(factories())[-1:]
"""The name of the one that `holdfast run` takes here, for tests that are long, and of clients that
have none of their own: all that differs between loops is tested with sockets."""
