"""The network fails, clocks differ, the proxy is silent: the page says so, and goes on."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.dashboard.browser import Watched, needs_chromium, opened
from tests.dashboard.crowd import WHO, crowd
from tests.dashboard.scene import Scene, come_in, look_at, scene
from tests.harness import within

pytestmark = [pytest.mark.asyncio(loop_scope="module"), needs_chromium]
HOUR = timedelta(hours=1)


async def to_kill(seen: Watched, scope: str) -> None:
    """The first step, for half an hour."""
    await seen.page.get_by_label("Which").fill(scope)
    await seen.page.get_by_label("Why").fill("case 12")
    await seen.page.get_by_label("Until").select_option("1800")
    await seen.page.get_by_role("button", name="Next").click()


def kills(its: Scene) -> list[Any]:
    """Those that count."""
    return list(its.proxy.app._control.kills.items())


@pytest.mark.parametrize("wrong", [-HOUR, HOUR], ids=["late", "early"])
async def test_a_kill_lasts_as_long_as_it_says_by_the_clock_of_the_proxy(
    browser: Any, wrong: timedelta
) -> None:
    """Whatever the clock of the machine with the browser says; and it began now, not then."""
    async with scene() as its, opened(browser, its.address) as seen:
        await seen.page.clock.set_system_time(datetime.now(UTC) + wrong)
        await come_in(seen, "olga", "#/kills")
        await to_kill(seen, "pay")
        await seen.page.get_by_role("button", name="Kill agent:pay").click()
        await seen.page.get_by_text("agent:pay is killed").first.wait_for()
        (kill,) = kills(its)
        left = datetime.fromtimestamp(kill.until, UTC) - datetime.now(UTC)
        assert timedelta(minutes=29) < left < timedelta(minutes=31)
        row = seen.page.get_by_role("row").filter(has_text="case 12")
        assert " s ago" in await row.inner_text()


async def test_who_gets_no_answer_is_told_that_it_may_have_been_done(browser: Any) -> None:
    """It was: the answer was lost on its way. Nobody reads that it did not work."""
    async with scene() as its, opened(browser, its.address) as seen:
        await come_in(seen, "olga", "#/kills")

        async def lose(route: Any) -> None:
            if route.request.method == "POST":
                await route.fetch()
                await route.abort()
            else:
                await route.continue_()

        await seen.page.route("**/v1/kills*", lose)
        await to_kill(seen, "pay")
        await seen.page.get_by_role("button", name="Kill agent:pay").click()
        dialog = seen.page.get_by_role("dialog")
        await dialog.get_by_text("nobody knows whether it was done").wait_for()
        assert len(kills(its)) == 1
        seen.troubles[:] = [each for each in seen.troubles if "ERR_FAILED" not in each]


async def test_ages_grow_while_nothing_else_changes(browser: Any) -> None:
    """An agent that was last seen two seconds ago is not so for ever."""

    async def same(route: Any) -> None:
        if route.request.headers.get("if-none-match"):
            await route.fulfill(status=304)
        else:
            got = await route.fetch()
            seen_at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
            one = {**(await got.json())["items"][0], "last_seen": seen_at}
            await route.fulfill(json={"items": [one], "next": None}, headers={"ETag": '"same"'})

    async with crowd() as its, opened(browser, its.address) as seen:
        await seen.page.route("**/v1/agents*", same)
        await look_at(seen, "#/agents")
        last = seen.page.get_by_role("cell").filter(has_text=" ago")
        before = await last.inner_text()
        await seen.page.get_by_text(before, exact=True).wait_for(state="detached")
        assert " ago" in await last.inner_text()


async def test_a_stream_that_never_begins_is_given_up(browser: Any) -> None:
    """The proxy took the request and says nothing: that is said, and it is asked again."""
    async with scene() as its, opened(browser, its.address) as seen:
        silent = asyncio.Event()
        asked = asyncio.Event()

        async def hold(route: Any) -> None:
            asked.set()
            await silent.wait()
            await route.abort()

        await seen.page.clock.install()
        await seen.page.route("**/v1/events*", hold)
        await come_in(seen, "vera")
        await asked.wait()
        await seen.page.clock.run_for(21_000)
        await seen.page.get_by_text("news are late").wait_for()
        asked.clear()
        await seen.page.clock.run_for(4_000)
        await asked.wait()
        silent.set()
        await seen.page.unroute_all(behavior="wait")
        seen.troubles[:] = [each for each in seen.troubles if "ERR_FAILED" not in each]


async def test_nothing_that_was_said_is_left_after_who_logs_out(browser: Any) -> None:
    """Names and figures go, those that only a screen reader has as well."""
    async with scene() as its, opened(browser, its.address) as seen:
        await come_in(seen, "root", "#/kills")
        await its.proxy.change("/v1/kills", {"scope": "tool:secret-name", "reason": "case 12"})
        shouted = seen.page.locator("#shouts").filter(has_text="secret-name")
        await shouted.wait_for(state="attached")
        await seen.page.get_by_role("button", name="Log out").click()
        await seen.page.get_by_role("heading", name="Log in").wait_for()
        assert "secret-name" not in await seen.page.content()


async def test_a_name_with_stars_is_looked_for_in_no_time(browser: Any) -> None:
    """Who named itself so cannot stop the page of those who follow the link to its calls."""
    name = "*a" * 60
    async with crowd() as its, opened(browser, its.address) as seen:
        await look_at(seen, f"#/calls?agent={name}b")
        await seen.page.get_by_text("Live ·").wait_for()
        fits = """async ([version, name]) => {
            const {fitting} = await import(`/dashboard/${version}/live.js`);
            return fitting({agent: `${name}b`})({agent: 'a'.repeat(256)});
        }"""
        version = await seen.page.evaluate("() => document.scripts[0].src.split('/').at(-2)")
        assert await within(seen.page.evaluate(fits, [version, name])) is False
        assert WHO["name"] in await seen.page.content()


async def test_who_waits_for_the_proxy_is_left_in_peace(browser: Any) -> None:
    """It is asked again by itself; that it does not answer is said once, and the focus stays where
    somebody put it. When it answers the page opens."""
    async with scene() as its, opened(browser, its.address) as seen:
        page = seen.page
        seen.expect("/v1/me", 503)
        asked = 0

        async def late(route: Any) -> None:
            nonlocal asked
            asked += 1
            await route.fulfill(status=503, json={"detail": "it starts"})

        await page.clock.install()
        await page.route("**/v1/me", late)
        await page.goto("/dashboard/")
        await page.get_by_role("alert").filter(has_text="it starts").wait_for()
        colours = page.get_by_role("button", name="Colours")
        await colours.focus()
        for wanted in (2, 3):
            await page.clock.run_for(3_500)
            await seen.until(lambda wanted=wanted: asked >= wanted)  # type: ignore[misc]
            await seen.settled()
        assert await colours.evaluate("(node) => node === document.activeElement")


async def test_a_page_that_is_taken_out_of_the_memory_of_a_browser_is_closed(browser: Any) -> None:
    """Somebody went elsewhere with it, and somebody else came back: the token is gone."""
    async with scene() as its, opened(browser, its.address) as seen:
        await come_in(seen, "vera")
        back = "() => dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))"
        await seen.page.evaluate(back)
        await seen.page.get_by_role("heading", name="Log in").wait_for()
        assert not await seen.page.get_by_role("navigation", name="Pages").is_visible()


async def test_a_proxy_that_hangs_is_not_called_ready_for_long(browser: Any) -> None:
    """Before it is given up: the page says that it is slow, and of when its figures are."""
    async with scene() as its, opened(browser, its.address) as seen:
        await seen.page.clock.install()
        await come_in(seen, "vera")
        standing = seen.page.locator("#standing")
        await standing.get_by_text("ready").wait_for()
        await seen.settled()
        over = asyncio.Event()

        async def hang(route: Any) -> None:
            await over.wait()
            await route.continue_()

        await seen.page.route("**/v1/overview", hang)
        await seen.page.clock.run_for(8_000)
        await standing.get_by_text("slow to answer").wait_for()
        assert "as of" in await standing.inner_text()
        over.set()
        await standing.get_by_text("ready").wait_for()
        await seen.page.unroute_all(behavior="wait")
