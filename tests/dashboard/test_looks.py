"""Every view can be used by everybody: in both themes, on a telephone, with keys, read aloud."""

from typing import Any

import pytest

from tests.dashboard.accessible import faults, walked
from tests.dashboard.browser import PHONE, THEMES, WIDE, Watched, needs_chromium, opened
from tests.dashboard.scene import VIEWS, Scene, come_in, scene

pytestmark = [pytest.mark.asyncio(loop_scope="module"), needs_chromium]


async def trouble(its: Scene) -> None:
    """There is something to see in every view."""
    its.fail({"status": 500, "tool": "estimate_cost", "times": None, "executed": False})
    for tool in ("get_balance", *["estimate_cost"] * 4, "search_services"):
        await its.call(tool)
    await its.proxy.change("/v1/kills", {"scope": "tool:pay", "reason": "case 12"})
    assert await its.proxy.app._trail.durable()


async def all_views(seen: Watched, its: Scene) -> list[str]:
    """What is wrong with any of them."""
    found = []
    waiting = its.calling("deposit", amount="5.00")
    for view in VIEWS:
        await seen.page.goto(f"/dashboard/#/{view}")
        await seen.settled()
        found += [f"{view}: {fault}" for fault in await faults(seen.page)]
    for view, role in (("calls", "cell"), ("approvals", "cell")):
        await seen.page.goto(f"/dashboard/#/{view}")
        await seen.page.get_by_role(role).get_by_role("link").first.click()
        await seen.settled()
        found += [f"one of {view}: {fault}" for fault in await faults(seen.page)]
    waiting.cancel()
    return found


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("theme", THEMES)
async def test_nothing_is_in_anybodys_way(browser: Any, theme: str, size: tuple[int, int]) -> None:
    """Names, roles, headings, landmarks, contrast, sizes of targets; no scrolling sideways."""
    async with scene() as its, opened(browser, its.address, size, theme) as seen:
        await trouble(its)
        await seen.page.goto("/dashboard/")
        await seen.page.get_by_label("Token").wait_for()
        found = [f"log in: {fault}" for fault in await faults(seen.page)]
        await come_in(seen, "root")
        found += await all_views(seen, its)
    assert found == []


async def test_the_tab_key_reaches_all_and_is_seen_where_it_is(browser: Any) -> None:
    """In every view, and in the second step of a kill."""
    async with scene() as its, opened(browser, its.address) as seen:
        await trouble(its)
        await come_in(seen, "root")
        for view in VIEWS:
            await seen.page.goto(f"/dashboard/#/{view}")
            await seen.settled()
            walk = await walked(seen.page)
            assert (walk.missed, walk.unseen) == ([], []), view
        await seen.page.goto("/dashboard/#/kills")
        await seen.page.get_by_label("Which").fill("pay")
        await seen.page.get_by_label("Why").fill("case 12")
        await seen.page.get_by_role("button", name="Next").click()
        await seen.page.get_by_role("dialog").wait_for()
        walk = await walked(seen.page)
        assert (walk.missed, walk.unseen) == ([], [])
        assert walk.stops == ['button "Back"', 'button "Kill agent:pay"']


async def test_colours_are_those_that_somebody_chose(browser: Any) -> None:
    """Whatever the machine prefers."""
    ground = "() => getComputedStyle(document.body).backgroundColor"
    async with scene() as its, opened(browser, its.address, theme="light") as seen:
        await come_in(seen, "vera")
        button = seen.page.get_by_role("button", name="Colours")
        auto = await seen.page.evaluate(ground)
        colours = []
        for _ in range(3):
            await button.click()
            colours.append((await button.inner_text(), await seen.page.evaluate(ground)))
    light, dark, again = colours
    assert light == ("Colours: light", auto)
    assert (dark[0], dark[1] != auto) == ("Colours: dark", True)
    assert again == ("Colours: auto", auto)
