"""Who comes in with a token, and what is left of it when they go."""

from typing import Any

import pytest

from tests.dashboard.browser import needs_chromium, opened
from tests.dashboard.scene import come_in, scene, token

pytestmark = [pytest.mark.asyncio(loop_scope="module"), needs_chromium]


async def test_a_wrong_token_is_told_why_and_a_right_one_comes_in(browser: Any) -> None:
    """Nothing of the proxy is shown before; what is typed wrong can be mended at once."""
    async with scene() as its, opened(browser, its.address) as seen:
        seen.expect("/v1/me", 401)
        page = seen.page
        await page.goto("/dashboard/")
        field, button = page.get_by_label("Token"), page.get_by_role("button", name="Log in")
        await field.fill("guess")
        await button.click()
        await page.get_by_role("alert").filter(has_text="token").wait_for()
        assert not await page.get_by_role("navigation", name="Pages").is_visible()
        assert {each for each in seen.asked if "/v1/" in each} == {"/v1/me"}
        await field.fill(token("vera"))
        await button.click()
        await page.get_by_role("heading", name="Overview").wait_for()
        assert await page.get_by_text("vera").is_visible()


async def test_who_logs_out_is_forgotten(browser: Any) -> None:
    """Nothing is stored; the page asks for nothing more, and neither going back nor loading it
    anew brings anything of it back."""
    async with scene() as its, opened(browser, its.address) as seen:
        page = seen.page
        await come_in(seen, "vera", "#/tools")
        await page.get_by_role("link", name="Agents", exact=True).click()
        await page.get_by_role("heading", name="Agents").wait_for()
        await page.get_by_role("button", name="Log out").click()
        await page.get_by_role("heading", name="Log in").wait_for()
        asked = len(seen.asked)
        await page.go_back()
        assert await page.get_by_label("Token").input_value() == ""
        assert token("vera") not in await page.content()
        stored = "() => [localStorage.length, sessionStorage.length, document.cookie]"
        assert await page.evaluate(stored) == [0, 0, ""]
        assert {each for each in seen.asked[asked:] if "/v1/" in each} <= {"/v1/me"}
        await page.reload()
        await page.get_by_role("heading", name="Log in").wait_for()


async def test_a_token_that_is_taken_back_ends_what_it_opened(browser: Any) -> None:
    """At the next thing that is asked, with the reason."""
    async with scene() as its, opened(browser, its.address) as seen:
        for path in ("/v1/overview", "/v1/events", "/v1/tools", "/v1/breakers", "/v1/me"):
            seen.expect(path, 401)
        await come_in(seen, "vera", "#/tools")
        its.forget("vera")
        await its.proxy.app._reloaded("")
        await seen.page.get_by_role("heading", name="Log in").wait_for()
        assert await seen.page.get_by_role("alert").filter(has_text="token").count()
        assert not await seen.page.get_by_role("navigation", name="Pages").is_visible()
