"""Can the page be used by somebody who cannot see it, sees little, or has no mouse?

`accessible.js` looks at it as it is; `walked` goes through it with the Tab key.
"""

from pathlib import Path
from typing import Any, NamedTuple

_LOOK = (Path(__file__).parent / "accessible.js").read_text("utf-8")
_WALK = (Path(__file__).parent / "walked.js").read_text("utf-8")
_FURTHEST = 400
"""Stops of the Tab key."""


class Walk(NamedTuple):
    """What the Tab key came to."""

    stops: list[str]
    unseen: list[str]  # where the focus does not show
    missed: list[str]  # what can be used, and is never reached


async def faults(page: Any) -> list[str]:
    """What is wrong with the page as it stands there, one line each."""
    found = await page.evaluate(_LOOK)
    return [f"{each['rule']}: {each['where']}: {each['why']}" for each in found]


async def broken(page: Any) -> set[tuple[str, str]]:
    """The rules that are broken, and the marks (`data-bad`) of what breaks them."""
    found = await page.evaluate(_LOOK)
    return {(each["rule"], each["mark"]) for each in found}


async def walked(page: Any) -> Walk:
    """From the top to the end of the page, or of the dialog that is open in it."""
    await page.evaluate(_WALK)
    stops: list[str] = []
    unseen: list[str] = []
    for _ in range(_FURTHEST):
        await page.keyboard.press("Tab")
        stop = await page.evaluate("() => window.walk.stop()")
        if stop is None:
            break
        stops.append(stop["where"])
        if not stop["shows"]:
            unseen.append(stop["where"])
    missed = await page.evaluate("() => window.walk.missed()")
    return Walk(stops, unseen, missed)
