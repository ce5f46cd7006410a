"""A whole fleet, as most scenarios begin: all know of all, and there is nothing else to be done."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from tests.fleet.callers import Agent, agents_of
from tests.fleet.counting import Counting
from tests.fleet.pods import Pods, fleet
from tests.fleet.stores import RedisServer, single


class Scene(NamedTuple):
    """All of it. `agents`: so many at each pod, one pod after the other."""

    upstream: Counting
    store: RedisServer
    pods: Pods
    agents: list[Agent]


@contextlib.asynccontextmanager
async def afloat(number: int, folder: Path, policies: str, each: int = 1) -> AsyncIterator[Scene]:
    """So many pods, ready, and agents at each. All end here, whatever comes."""
    async with Counting() as upstream:
        with single(folder) as store:
            async with (
                fleet(number, folder, store.url, upstream.url, policies) as pods,
                agents_of(pods, each) as agents,
            ):
                await pods.met()
                yield Scene(upstream, store, pods, agents)
