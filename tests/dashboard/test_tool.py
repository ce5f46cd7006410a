"""One tool: why its circuit is as it is, and a hand that keeps it so, in two steps."""

from typing import Any

import pytest

from tests.dashboard.browser import needs_chromium, opened
from tests.dashboard.scene import come_in, scene

pytestmark = [pytest.mark.asyncio(loop_scope="module"), needs_chromium]


async def test_an_alarm_leads_to_why(browser: Any) -> None:
    """One step from the line above every view: since when, why, and when it is tried again."""
    async with scene() as its, opened(browser, its.address) as seen:
        await its.until_open()
        await come_in(seen, "vera")
        alarms = seen.page.get_by_role("region", name="What is wrong now")
        await alarms.get_by_role("link", name="gateway/estimate_cost for").click()
        panel = seen.page.locator(".panel").filter(has_text="Circuit of estimate_cost")
        await panel.get_by_text("failures in a row").wait_for()
        assert await panel.get_by_text("3 in a row, or").count() == 1
        assert await seen.page.get_by_role("button", name="Keep open").count() == 0
        link = seen.page.get_by_role("navigation").get_by_role("link", name="Tools")
        assert await link.get_attribute("aria-current") == "page"


async def test_a_hand_keeps_it_closed_and_lets_it_go(browser: Any) -> None:
    """In two steps each; calls go through meanwhile."""
    async with scene() as its, opened(browser, its.address) as seen:
        await its.until_open()
        await come_in(seen, "olga", "#/tool/gateway/estimate_cost")
        page = seen.page
        panel = page.locator(".panel").filter(has_text="Circuit of estimate_cost")
        await panel.get_by_role("button", name="Keep closed").click()
        dialog = page.get_by_role("dialog")
        assert await dialog.get_by_role("button", name="Back").evaluate(
            "(node) => node === document.activeElement"
        )
        await dialog.get_by_role("button", name="Keep closed").click()
        await panel.get_by_text("closed, kept so by hand").wait_for()
        its.fail()
        told = await its.call("estimate_cost")
        assert b"invalid_input" in told.body  # says the gateway: it was sent

        await panel.get_by_role("button", name="Let it go by its rules").click()
        await page.get_by_role("dialog").get_by_role("button", name="Let it go").click()
        await panel.get_by_role("button", name="Keep closed").wait_for()
        assert await panel.get_by_text("kept so by hand").count() == 0
