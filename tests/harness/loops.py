"""Both event loops. `holdfast run` takes uvloop where it is installed, plain asyncio elsewhere.

They differ where it hurts: what writing to a closed transport does, when a callback is told, what a
transport's class is. So what is said of sockets is tried on both: bytes, streams, tunnels, who
hangs up, what is cancelled. What is said of a verdict, a sum, a page, or of `holdfast run` as a
process, which has a loop of its own, is tried on one of them.
"""

import asyncio
from collections.abc import Callable

import pytest

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
"""The name of the one that `holdfast run` takes here."""

ONE_LOOP = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)
"""For a test whose promise is not of sockets, among others in a module that are."""
