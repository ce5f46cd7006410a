"""What goes wrong is seen as it does, and what became of a call can be read."""

from typing import Any

import pytest

from tests.dashboard.browser import Watched, needs_chromium, opened
from tests.dashboard.scene import come_in, scene
from tests.harness.proxy import Proxy

pytestmark = [pytest.mark.asyncio(loop_scope="module"), needs_chromium]


async def steps(seen: Watched) -> list[str]:
    """The trail of the call that is shown."""
    trail = seen.page.get_by_role("list", name="What became of it")
    await trail.get_by_text("It is kept").wait_for()
    return [" ".join(text.split()) for text in await trail.locator("> li").all_inner_texts()]


async def written(proxy: Proxy) -> None:
    """All that was noted is in the journal."""
    assert await proxy.app._trail.durable()


async def test_a_circuit_is_seen_as_it_opens(browser: Any) -> None:
    """Under load, without anybody doing anything: on top of every view, and in its row."""
    async with (
        scene() as its,
        opened(browser, its.address) as seen,
        its.load("get_balance", "estimate_cost"),
    ):
        await come_in(seen, "vera", "#/tools")
        row = seen.page.get_by_role("row").filter(has_text="estimate_cost")
        await row.wait_for()
        assert not await row.get_by_text("open", exact=True).count()
        assert not await seen.page.get_by_text("OPEN").is_visible()
        await its.until_open()
        alarms = seen.page.get_by_role("region", name="What is wrong now")
        await alarms.get_by_role("link", name="gateway/estimate_cost for").wait_for()
        await row.get_by_text("open", exact=True).wait_for()


async def test_a_refused_call_is_found_and_its_trail_read(browser: Any) -> None:
    """From the filter to the story: who said no and why, that nothing was sent, and that what is
    kept of it holds; and what each gate would say now."""
    async with scene() as its, opened(browser, its.address) as seen:
        await its.call("get_balance")
        await its.until_open()
        await written(its.proxy)
        page = seen.page
        await come_in(seen, "vera", "#/calls")
        await page.get_by_label("Outcome").select_option("refused")
        await page.get_by_label("Tool").fill("estimate_*")
        await page.get_by_role("button", name="Search").click()
        rows = page.get_by_role("row").filter(has_text="circuit_open")
        await rows.first.get_by_role("link").click()
        came, verdict, sent, back, cost, kept = await steps(seen)
        assert "pricing-01 called gateway/estimate_cost by POST" in came
        assert "The policy default said no: the circuit is open" in verdict
        assert "Stood in its way kill switch, " in verdict
        assert "Nothing was sent" in sent
        assert "Status 503. It did not run" in back
        assert "nothing" in cost
        assert "Its hash was computed again here, and is right" in kept
        await page.get_by_text("What each gate would say").click()
        await page.get_by_text("It would be refused: circuit_open").wait_for()


async def test_a_call_that_was_sent_twice_says_so(browser: Any) -> None:
    """Each sending with what came of it, and what all of it cost."""
    async with scene() as its, opened(browser, its.address) as seen:
        its.fail({"status": 503, "executed": False})
        got = await its.call("get_balance", "Holdfast-Workflow: w-7")
        await written(its.proxy)
        await come_in(seen, "vera", f"#/call/{(got.value('holdfast-call') or b'').decode()}")
        came, verdict, first, second, back, cost, _ = await steps(seen)
        assert "w-7" in came
        assert "Every gate said yes" in verdict
        assert "status 503" in first
        assert ("It was sent again" in second, "status 200; it worked" in second) == (True, True)
        assert "Status 200. It ran" in back
        assert "USD" in cost


async def test_calls_are_seen_as_they_end_and_can_be_held_still(browser: Any) -> None:
    """A pause keeps the rows as they are, and says how many came meanwhile."""
    async with scene() as its, opened(browser, its.address) as seen:
        page = seen.page
        await come_in(seen, "vera", "#/calls")
        await page.get_by_text("Live ·").wait_for()
        async with its.load("get_balance"):
            await page.get_by_role("row").filter(has_text="get_balance").first.wait_for()
            await page.get_by_role("button", name="Pause").click()
            shown = await page.get_by_role("row").all_inner_texts()
            await page.get_by_text("calls came meanwhile").wait_for()
            await page.get_by_text("paused, 0 calls").wait_for(state="detached")
            assert await page.get_by_role("row").all_inner_texts() == shown
            await page.get_by_role("button", name="Go on").click()
            await page.get_by_text("paused").wait_for(state="detached")


async def test_a_reload_that_fails_says_what_is_wrong(browser: Any) -> None:
    """With the file and the line, to who asked for it; what was in force stays, and everybody sees
    that it failed. One that succeeds takes that away."""
    async with scene() as its, opened(browser, its.address) as seen:
        page = seen.page
        seen.expect("/v1/reload", 409)
        await come_in(seen, "olga", "#/policies")
        for text, words in (("policies: 1", "expected a list"), ("policies: []", "They are in")):
            its.proxy.write_policies(text)
            await page.get_by_role("button", name="Read them again").click()
            dialog = page.get_by_role("dialog")
            await dialog.get_by_role("button", name="Read them again").click()
            await page.get_by_role("status").filter(has_text=words).first.wait_for()
            alarms = page.get_by_role("region", name="What is wrong now").get_by_text(
                "RELOAD", exact=True
            )
            await alarms.wait_for(state="visible" if "1" in text else "hidden")
