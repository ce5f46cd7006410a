"""People decide about calls in the dashboard, and what they said is what happens."""

import json
from typing import Any

import pytest

from tests.dashboard.browser import Watched, needs_chromium, opened
from tests.dashboard.scene import Scene, come_in, scene
from tests.harness import within

pytestmark = [pytest.mark.asyncio(loop_scope="module"), needs_chromium]
SENT = {"amount": "5.00", "note": "to \u05d0\u05d1 \u202e for 7"}


def ran(its: Scene, tool: str) -> int:
    """How often the gateway did it."""
    return its.sandbox.calls.executed[tool]


async def choose(seen: Watched, tool: str) -> Any:
    """The panel of the call of this tool that waits."""
    await seen.page.get_by_role("link", name=f"gateway/{tool}", exact=True).click()
    panel = seen.page.get_by_role("region", name="The call that was chosen")
    await panel.get_by_text("waits for people").wait_for()
    return panel


async def test_an_approved_call_is_the_one_that_was_shown_and_runs_once(browser: Any) -> None:
    """Its body stands there to the letter, and is what the gateway got; asked again, the agent has
    the same answer, and the gateway has heard nothing of it."""
    async with scene() as its, opened(browser, its.address) as seen:
        await come_in(seen, "alice", "#/approvals")
        call = its.calling("deposit", **SENT)
        panel = await choose(seen, "deposit")
        exact = await panel.get_by_role("region", name="The exact call").text_content()
        body = json.dumps({"agent_id": "pricing-01", **SENT})
        assert exact.startswith("POST /v1/deposit\ncontent-type: application/json\n")
        assert exact.endswith(f"\n\n{body}")
        assert (ran(its, "deposit"), call.done()) == (0, False)
        await panel.get_by_label("Reason", exact=True).fill("invoice 17")
        await panel.get_by_role("button", name="Approve").click()
        got = await within(call)
        assert (got.status, ran(its, "deposit")) == (200, 1)
        await panel.get_by_text("was sent").wait_for()
        await panel.get_by_text("alice approves: invoice 17").wait_for()
        again = await its.call("deposit", **SENT)
        assert (again.body, ran(its, "deposit")) == (got.body, 1)


async def test_a_denied_call_never_runs_and_its_agent_hears_why(browser: Any) -> None:
    """Enter in the field of the reason decides nothing."""
    async with scene() as its, opened(browser, its.address) as seen:
        await come_in(seen, "bob", "#/approvals")
        call = its.calling("deposit", amount="6.00")
        panel = await choose(seen, "deposit")
        await panel.get_by_label("Reason", exact=True).fill("the amount is wrong")
        await panel.get_by_label("Reason", exact=True).press("Enter")
        await seen.drawn()
        assert not call.done()
        await panel.get_by_role("button", name="Deny").click()
        got = await within(call)
        assert (got.status, ran(its, "deposit")) == (403, 0)
        assert b"the amount is wrong" in got.body
        await panel.get_by_text("is denied").wait_for()


async def test_two_people_must_agree_where_the_risk_is_critical(browser: Any) -> None:
    """Who has agreed is told that a second one must, and cannot be that one."""
    async with (
        scene() as its,
        opened(browser, its.address) as first,
        opened(browser, its.address) as second,
    ):
        await come_in(first, "alice", "#/approvals")
        await come_in(second, "bob", "#/approvals")
        call = its.calling("create_escrow", amount="5.00", payee_agent_id="escrow-01")
        hers, his = await choose(first, "create_escrow"), await choose(second, "create_escrow")
        await hers.get_by_text("0 of 2").wait_for()
        await hers.get_by_role("button", name="Approve").click()
        await hers.get_by_text("a second person must").wait_for()
        assert await hers.get_by_role("button", name="Approve").is_disabled()
        assert ran(its, "create_escrow") == 0
        await his.get_by_text("alice approves").wait_for()
        await his.get_by_role("button", name="Approve").click()
        await within(call)
        assert its.sandbox.calls.by_tool["create_escrow"] == 1
        await hers.get_by_text("bob approves").wait_for()


async def test_who_may_not_decide_is_told_so_and_is_shown_nothing_secret(browser: Any) -> None:
    """A viewer sees that a call waits, who must agree, and when that ends."""
    async with scene() as its, opened(browser, its.address) as seen:
        await come_in(seen, "vera", "#/approvals")
        call = its.calling("deposit", amount="5.00", note="secret words")
        panel = await choose(seen, "deposit")
        await panel.get_by_text("Approvers are shown the exact call").wait_for()
        assert "secret words" not in await seen.page.content()
        assert await panel.get_by_role("button", name="Approve").count() == 0
        assert "expires in" in await panel.text_content()
        call.cancel()


async def test_a_body_that_would_mislead_is_shown_as_it_is_sent(browser: Any) -> None:
    """Signs that are not seen are marks, and no script turns what stands beside it around."""
    raw = '{"agent_id": "pricing-01", "amount": "5.00", "note": "\u202e00.9\u2066 \u05d0 x"}'
    async with scene() as its, opened(browser, its.address) as seen:
        await come_in(seen, "alice", "#/approvals")
        call = its.sending("deposit", raw.encode())
        panel = await choose(seen, "deposit")
        exact = panel.get_by_role("region", name="The exact call")
        assert await exact.locator("mark").all_text_contents() == ["\\u202e", "\\u2066"]
        look = "(node) => [getComputedStyle(node).unicodeBidi, getComputedStyle(node).direction]"
        assert await exact.evaluate(look) == ["bidi-override", "ltr"]
        call.cancel()
