"""Does the dashboard stay one to use with two hundred agents, two hundred tools, and a thousand
calls a second? Tasks of the page that took long, in a browser, view by view.

python -m tests.bench.smooth SECONDS prints as JSON what it found: so many seconds in each view,
once it has its figures. The browser has no core for itself, so a neighbour makes tasks long as
well.
"""

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass, field

from tests.bench.process import ROOT, Missing, clean_environment, module
from tests.dashboard.browser import CHROMIUM, chromium, opened
from tests.dashboard.crowd import crowd
from tests.dashboard.scene import VIEWS, look_at

LONG = 200.0
"""Milliseconds, after which somebody notices."""
_PATIENCE = 30
_WATCH = """() => {
  window.tasks = [];
  new PerformanceObserver((list) => {
    window.tasks.push(...list.getEntries().map((task) => task.duration));
  }).observe({entryTypes: ['longtask']});
}"""
_TAKE = "() => window.tasks.splice(0)"


@dataclass
class Smooth:
    """Milliseconds that single tasks of the page took: those over 50, by view."""

    tasks: dict[str, list[float]] = field(default_factory=dict)

    @property
    def longest(self) -> float:
        """Of all views; 0: none took as long as 50 ms."""
        return max((task for tasks in self.tasks.values() for task in tasks), default=0.0)

    @property
    def long(self) -> int:
        """How many somebody would notice."""
        return sum(task > LONG for tasks in self.tasks.values() for task in tasks)


def measure(seconds: float) -> Smooth:
    """In a process of its own. Raises Missing where there is no browser."""
    if CHROMIUM is None:
        raise Missing("no chromium: apt-get install chromium")
    ended = subprocess.run(
        module("smooth", str(seconds)),
        capture_output=True,
        text=True,
        timeout=_PATIENCE + len(VIEWS) * (seconds + 2),
        cwd=ROOT,
        env=clean_environment(),
        check=False,
    )
    if ended.returncode:
        raise Missing(f"the page does not run ({ended.stderr.strip().splitlines()[-1][:200]})")
    return Smooth(json.loads(ended.stdout))


async def tasks(seconds: float) -> dict[str, list[float]]:
    """By view."""
    found = {}
    async with crowd() as its, chromium() as browser, opened(browser, its.address) as seen:
        await look_at(seen)
        await seen.page.evaluate(_WATCH)
        for view in VIEWS:
            await seen.page.goto(f"/dashboard/#/{view}")
            await seen.settled()
            await seen.page.evaluate(_TAKE)
            await asyncio.sleep(seconds)
            found[view] = await seen.page.evaluate(_TAKE)
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(tasks(float(sys.argv[1])))))
