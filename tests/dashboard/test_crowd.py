"""Two hundred agents, two hundred tools, a thousand calls a second: the page stays one to use."""

from typing import Any

import pytest

from tests.dashboard.browser import needs_chromium, opened
from tests.dashboard.crowd import CALLS_A_SECOND, crowd
from tests.dashboard.scene import VIEWS, look_at

pytestmark = [pytest.mark.asyncio(loop_scope="module"), needs_chromium]
MOST_NODES = 6000
"""On the page at once: what cannot be seen is not there."""
MOST_CALLS = 500
NODES = "() => document.querySelectorAll('*').length"


async def test_what_cannot_be_seen_is_not_drawn(browser: Any) -> None:
    """Whatever there is, each view has its figures, and no more elements than fit a few screens."""
    async with crowd() as its, opened(browser, its.address) as seen:
        await look_at(seen)
        for view in VIEWS:
            await seen.page.goto(f"/dashboard/#/{view}")
            await seen.settled()
            assert await seen.page.evaluate(NODES) < MOST_NODES, view


async def test_calls_come_and_go_and_the_page_keeps_a_bounded_number(browser: Any) -> None:
    """Of a thousand a second a few are shown, and how many are not is said."""
    async with crowd() as its, opened(browser, its.address) as seen:
        await look_at(seen, "#/calls")
        left = f"{CALLS_A_SECOND - 30} more"
        await seen.page.get_by_text(left).wait_for()
        counted = "() => document.querySelector('table').getAttribute('aria-rowcount')"
        rows = [int(await seen.page.evaluate(counted)) for _ in range(3)]
        assert max(rows) <= MOST_CALLS + 1


async def test_a_row_that_is_far_down_can_be_reached_with_keys(browser: Any) -> None:
    """The last of two hundred: End scrolls to it, and it is drawn then."""
    async with crowd() as its, opened(browser, its.address) as seen:
        await look_at(seen, "#/agents")
        rows = seen.page.get_by_role("region").filter(has=seen.page.get_by_role("table")).last
        await rows.focus()
        await seen.page.keyboard.press("End")
        last = seen.page.locator(f"tr[aria-rowindex='{200 + 1}']")
        await last.wait_for(state="attached")
        assert await rows.evaluate("(node) => node === document.activeElement")


@pytest.mark.parametrize("view", ["tools", "agents"])
async def test_a_search_finds_one_of_many(browser: Any, view: str) -> None:
    """As it is typed; the place can be shared, for the words stand in the address."""
    async with crowd() as its, opened(browser, its.address) as seen:
        await look_at(seen, f"#/{view}")
        await seen.page.get_by_label("Find").fill("-137")
        await seen.page.get_by_text("1 of 200").wait_for()
        assert "q=-137" in seen.page.url
