"""Two hundred agents, two hundred tools, a thousand calls a second: the page stays one to use."""

from typing import Any

import pytest

from proxy.admin.shipped import Shipped
from tests.dashboard.browser import needs_chromium, opened
from tests.dashboard.crowd import CALLS_A_SECOND, crowd
from tests.dashboard.scene import VIEWS, look_at

pytestmark = [pytest.mark.asyncio(loop_scope="module"), needs_chromium]
MOST_NODES = 6000
"""On the page at once: what cannot be seen is not there."""
MOST_CALLS = 500
KEPT = """async (version) => {
    const {Rows, rowOf} = await import(`/dashboard/${version}/live.js`);
    const rows = new Rows();
    const call = (at) => rowOf({id: `c${at}`}, at);
    for (let at = 0; at < 2000; at += 1) rows.add([call(at), call(at)]);
    return rows.list.map((row) => row.id);
}"""
NODES = "() => document.querySelectorAll('*').length"


async def test_what_cannot_be_seen_is_not_drawn(browser: Any) -> None:
    """Whatever there is, each view has its figures, and no more elements than fit a few screens."""
    async with crowd() as its, opened(browser, its.address) as seen:
        await look_at(seen)
        for view in VIEWS:
            await seen.page.goto(f"/dashboard/#/{view}")
            await seen.settled()
            assert await seen.page.evaluate(NODES) < MOST_NODES, view


async def test_of_a_thousand_calls_a_second_a_few_are_shown(browser: Any) -> None:
    """And how many are not is said."""
    async with crowd() as its, opened(browser, its.address) as seen:
        await look_at(seen, "#/calls")
        left = f"{CALLS_A_SECOND - 30} more"
        await seen.page.get_by_text(left).wait_for()


async def test_the_page_keeps_a_bounded_number_of_calls(browser: Any) -> None:
    """However many came: the newest of them, and each once."""
    async with crowd() as its, opened(browser, its.address) as seen:
        await look_at(seen)
        kept = await seen.page.evaluate(KEPT, Shipped().version)
        assert len(kept) == MOST_CALLS
        assert (kept[0], kept[-1]) == ("c1999", f"c{2000 - MOST_CALLS}")


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


async def test_of_a_list_without_end_it_is_said_that_there_is_more(browser: Any) -> None:
    """The first pages are shown; they are not all."""

    def endless(told: Any) -> Any:
        return {**told, "next": "on"} if "items" in told else told

    async with crowd(endless) as its, opened(browser, its.address) as seen:
        await look_at(seen, "#/tools")
        await seen.page.get_by_text("400, and there are more").wait_for()
