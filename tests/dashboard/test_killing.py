"""The kill switch, with keys alone: two steps, and nothing happens at the first."""

import json
from typing import Any

import pytest

from tests.dashboard.browser import Watched, needs_chromium, opened
from tests.dashboard.scene import Scene, come_in, scene

pytestmark = [pytest.mark.asyncio(loop_scope="module"), needs_chromium]
TABS = 60
"""So many steps reach everything on the page."""


async def step_to(seen: Watched, role: str, name: str) -> None:
    """Press Tab until that has the focus."""
    wanted = seen.page.get_by_role(role, name=name, exact=True)
    for _ in range(TABS):
        await seen.page.keyboard.press("Tab")
        if await wanted.evaluate("(node) => node === document.activeElement"):
            return
    raise AssertionError(f"no step comes to {name}")


async def first_step(seen: Watched) -> None:
    """What is to be killed, and why: no mouse, no click."""
    keyboard = seen.page.keyboard
    await step_to(seen, "combobox", "What")
    await keyboard.type("A tool")
    await step_to(seen, "textbox", "Which")
    await keyboard.type("get_*")
    await step_to(seen, "textbox", "Why")
    await keyboard.type("wrong recipients, case 12")
    await keyboard.press("Enter")
    await seen.page.get_by_role("dialog").get_by_text("It meets 1 tool").wait_for()


def code(got: Any) -> str:
    """Of an answer; empty where it is no refusal."""
    found: str = json.loads(got.body).get("code", "")
    return found


def killed(its: Scene) -> list[str]:
    """The scopes."""
    return [str(kill.scope) for kill in its.proxy.app._control.kills.items()]


async def test_it_is_thrown_and_lifted_with_keys_alone(browser: Any) -> None:
    """The second step says what it stops. What it stops is refused from then on, with the reason;
    everybody who looks sees it; and it goes on when it is revived."""
    async with scene() as its, opened(browser, its.address) as seen:
        await its.call("get_balance")
        page = seen.page
        await come_in(seen, "olga", "#/kills")
        await page.get_by_text("Nothing is killed").wait_for()
        await first_step(seen)
        dialog = page.get_by_role("dialog")
        assert "every call of tools whose name fits get_*" in await dialog.text_content()
        assert (killed(its), code(await its.call("get_balance"))) == ([], "")
        await step_to(seen, "button", "Kill tool:get_*")
        await page.keyboard.press("Enter")
        await page.get_by_text("tool:get_* is killed").first.wait_for()
        got = await its.call("get_balance")
        assert (code(got), killed(its)) == ("killed", ["tool:get_*"])
        assert b"wrong recipients, case 12" in got.body
        alarms = page.get_by_role("region", name="What is wrong now")
        await alarms.get_by_text("KILLED", exact=True).wait_for()
        assert await dialog.count() == 0

        await step_to(seen, "button", "Revive")
        await page.keyboard.press("Enter")
        await step_to(seen, "textbox", "Why it may go on")
        await page.keyboard.type("they are right again")
        await step_to(seen, "button", "Revive tool:get_*")
        await page.keyboard.press("Enter")
        await page.get_by_text("tool:get_* goes on").first.wait_for()
        assert (killed(its), code(await its.call("get_balance"))) == ([], "")


async def test_who_presses_enter_twice_has_killed_nothing(browser: Any) -> None:
    """The focus is on the way back first; and Escape leads back as well, to where one was."""
    async with scene() as its, opened(browser, its.address) as seen:
        await its.call("get_balance")
        await come_in(seen, "olga", "#/kills")
        await first_step(seen)
        await seen.page.keyboard.press("Enter")
        await seen.page.get_by_role("dialog").wait_for(state="detached")
        await seen.page.keyboard.press("Enter")
        await seen.page.get_by_role("dialog").get_by_text("It meets").wait_for()
        await seen.page.keyboard.press("Escape")
        await seen.page.get_by_role("dialog").wait_for(state="detached")
        at = await seen.page.evaluate("() => document.activeElement.id")
        assert (at, killed(its)) == ("kill-reason", [])


async def test_who_is_no_operator_is_told_so(browser: Any) -> None:
    """There is nothing to press."""
    async with scene() as its, opened(browser, its.address) as seen:
        await its.proxy.change("/v1/kills", {"scope": "tool:pay", "reason": "case 12"})
        await come_in(seen, "vera", "#/kills")
        await seen.page.get_by_role("cell", name="case 12").wait_for()
        assert await seen.page.get_by_text("An operator stops calls").is_visible()
        for name in ("Revive", "Next: what it does"):
            assert await seen.page.get_by_role("button", name=name).count() == 0


async def second_step(seen: Watched, name: str) -> str:
    """What it says about an agent, or a tool, of that name."""
    page = seen.page
    await page.get_by_label("Which").fill(name)
    await page.get_by_label("Why").fill("case 12")
    await page.get_by_role("button", name="Next").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_text("Looking at").wait_for(state="hidden")
    said: str = await dialog.inner_text()
    await dialog.get_by_role("button", name="Back").click()
    return said


async def test_a_name_that_looks_like_another_is_told_from_it(browser: Any) -> None:
    """By the numbers of its letters; one that differs by a space looks different."""
    async with scene() as its, opened(browser, its.address) as seen:
        await its.call("get_balance")
        await come_in(seen, "olga", "#/kills")
        said = await second_step(seen, "pric\u0456ng-01")
        assert "letters that may look like others: \u0456 (U+0456)" in said
        assert "No agent that is known here fits" in said
        assert "letters that may" not in await second_step(seen, "pricing-01")
        assert "agents named pay  01" in await second_step(seen, "pay  01")


async def test_a_tool_without_a_name_in_the_figures_is_not_called_unknown(browser: Any) -> None:
    """It was called, and counts with the others: a kill of it stops it all the same."""
    async with scene() as its, opened(browser, its.address) as seen:
        await its.call("never_heard_of")
        await come_in(seen, "olga", "#/kills?scope=tool:")
        said = await second_step(seen, "never_heard_of")
        assert "there are tools without a name on this page, to which it may apply" in said


async def test_an_agent_is_stopped_from_where_it_is_seen(browser: Any) -> None:
    """Its name is in the first step, and nothing is done yet; who may not has no button."""
    async with scene() as its, opened(browser, its.address) as seen:
        await its.call("get_balance")
        await come_in(seen, "olga", "#/agents")
        await seen.page.get_by_role("button", name="Stop …").click()
        await seen.page.get_by_role("heading", name="Kill switch").wait_for()
        assert await seen.page.get_by_label("Which").input_value() == "pricing-01"
        assert killed(its) == []
        await seen.page.get_by_role("button", name="Log out").click()
        await come_in(seen, "vera", "#/agents")
        await seen.page.get_by_role("cell", name="pricing-01").wait_for()
        assert await seen.page.get_by_role("button", name="Stop …").count() == 0
