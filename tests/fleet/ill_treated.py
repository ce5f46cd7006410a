"""What is done to a fleet and to its store while agents call."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from tests.fleet.pods import Pods, until
from tests.fleet.stores import Single


class Scene:
    """The parts, and how often what was done to them."""

    def __init__(self, pods: Pods, store: Single, chance: random.Random) -> None:
        self.pods = pods
        self.store = store
        self.chance = chance
        self.done: Counter[str] = Counter()


Deed: TypeAlias = Callable[[Scene], Awaitable[None]]
"""All is well again when it returns."""


async def pod_dies(scene: Scene) -> None:
    """One, and its next life begins at once."""
    pod = scene.chance.choice(scene.pods)
    await pod.kill()
    await pod.start()


async def store_hangs(scene: Scene) -> None:
    """Longer than anybody waits for it; then it does all that it was sent."""
    scene.store.pause()
    await until(scene.chance.uniform(0.3, 2.0))
    scene.store.resume()


async def store_restarts(scene: Scene) -> None:
    """It knows all that it has acknowledged."""
    await asyncio.to_thread(scene.store.restart, empty=False)


async def store_is_emptied(scene: Scene) -> None:
    """It knows nothing, until all have told what they have."""
    await asyncio.to_thread(scene.store.restart, empty=True)
    await scene.pods.met()


async def scripts_go(scene: Scene) -> None:
    """It knows no script."""
    await asyncio.to_thread(scene.store.flush_scripts)


async def pod_dies_beside_an_emptied_store(scene: Scene) -> None:
    """What it held is in its journal only, and it is back later than the store."""
    pod = scene.chance.choice(scene.pods)
    await pod.kill()
    await asyncio.to_thread(scene.store.restart, empty=True)
    await until(scene.chance.uniform(0.0, 1.0))
    await pod.start()
    await scene.pods.met()


DEEDS: dict[str, tuple[Deed, ...]] = {
    "pods killed": (pod_dies,),
    "store paused": (store_hangs,),
    "store restarted": (store_restarts,),
    "store emptied": (store_is_emptied,),
    "scripts flushed": (scripts_go,),
    "all of it": (
        pod_dies,
        store_hangs,
        store_restarts,
        store_is_emptied,
        scripts_go,
        pod_dies_beside_an_emptied_store,
    ),
}


async def ill_treat(scene: Scene, deeds: tuple[Deed, ...], over: asyncio.Event) -> None:
    """One deed after the other, with a while between, until it is over."""
    while not over.is_set():
        await until(scene.chance.uniform(0.2, 0.8))
        deed = scene.chance.choice(deeds)
        await deed(scene)
        scene.done[deed.__name__] += 1
