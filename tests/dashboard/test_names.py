"""Whatever agents, upstreams and people name their things, the page shows it and does nothing."""

from typing import Any

import pytest

from tests.dashboard.browser import needs_chromium, opened
from tests.dashboard.crowd import crowd
from tests.dashboard.scene import VIEWS, look_at

pytestmark = [pytest.mark.asyncio(loop_scope="module"), needs_chromium]
NASTY = {
    "markup": "\u202e\u2066\u0000\u200b\x1b[31m<img src=x onerror=alert(1)><script>alert(2)",
    "link": "javascript:alert(3)//\"'><a href='http://evil.example/'>"
    + "a\u0301\u0301\u0301\u0301",
    "long": "x" * 5000,
    "key": "__proto__",
}
KEPT = {"state", "outcome", "result", "circuit", "sli", "per", "mode", "severity", "executed",
        "decision", "in_flight", "source", "sync", "method", "window"}  # fmt: skip
"""Words of ours, which nobody else can choose."""
FOREIGN = (
    "() => document.querySelectorAll('img, script:not([src]), iframe, object, [onerror]').length"
)
LINKS = "() => [...document.querySelectorAll('a')].filter((a) => !a.hash).map((a) => a.href)"


def spoiled(told: Any, word: str, name: str = "") -> Any:
    """The same, with this in the place of every text that somebody could have chosen."""
    if isinstance(told, dict):
        return {key: spoiled(value, word, key) for key, value in told.items()}
    if isinstance(told, list):
        return [spoiled(value, word, name) for value in told]
    fixed = name in KEPT or not isinstance(told, str) or told[:1].isdigit()
    return told if fixed else told[:4] + word


@pytest.mark.parametrize("kind", NASTY)
async def test_a_name_is_text_whatever_it_holds(browser: Any, kind: str) -> None:
    """In every view. Nothing of it becomes an element, a script, or a link that leads away; nothing
    is wider than the page for it, and no view fails on it."""
    async with (
        crowd(lambda told: spoiled(told, NASTY[kind])) as its,
        opened(browser, its.address) as seen,
    ):
        await look_at(seen)
        for view in (*VIEWS, "call/x", "approvals/x"):
            await seen.page.goto(f"/dashboard/#/{view}")
            await seen.settled()
            assert await seen.page.evaluate(FOREIGN) == 0, view
            assert await seen.page.evaluate(LINKS) == [], view
            wide = "() => document.scrollingElement.scrollWidth"
            assert await seen.page.evaluate(wide) <= seen.page.viewport_size["width"], view
