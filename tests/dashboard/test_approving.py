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


async def test_what_is_long_can_be_approved_when_all_of_it_is_shown(browser: Any) -> None:
    """Nobody agrees to an end that was not shown: it says how much there is, and the button waits
    for it. Nothing is below an edge, and it stays in place while others decide."""
    raw = json.dumps({"agent_id": "pricing-01", "note": "x" * 40_000, "amount": "5.00"})
    async with scene() as its, opened(browser, its.address) as seen:
        await come_in(seen, "alice", "#/approvals")
        call = its.sending("create_escrow", raw.encode())
        panel = await choose(seen, "create_escrow")
        approve = panel.get_by_role("button", name="Approve")
        await panel.get_by_text("These are the first 32,768 of").wait_for()
        assert await approve.is_disabled()
        assert '"amount"' not in await panel.get_by_role("region").text_content()
        await panel.get_by_role("button", name="Show all").click()
        assert await approve.is_enabled()
        await approve.click()
        await panel.get_by_text("a second person must").wait_for()
        assert (await panel.get_by_role("region").text_content()).endswith('"amount": "5.00"}')
        call.cancel()


async def test_emptiness_hides_nothing(browser: Any) -> None:
    """Many spaces or line ends are a mark with their number, so that what follows is seen; all of
    what is short stands on the page, without an edge to scroll to."""
    gap = " " * 3000 + "\n" * 200
    raw = '{"agent_id": "pricing-01",' + gap + '"amount": "5.00", "note": "' + " " * 81 + '"}'
    async with scene() as its, opened(browser, its.address) as seen:
        await come_in(seen, "alice", "#/approvals")
        call = its.sending("deposit", raw.encode())
        panel = await choose(seen, "deposit")
        exact = panel.get_by_role("region", name="The exact call")
        marks = await exact.locator("mark").all_text_contents()
        assert marks == ["[3,000 spaces]", "[200 line ends]", "[81 spaces]"]
        assert await exact.evaluate("(node) => node.scrollHeight - node.clientHeight") == 0
        call.cancel()


async def test_what_two_readers_may_take_for_two_things_is_said(browser: Any) -> None:
    """A member that stands twice, a name with escapes, letters that look like others."""
    note = '{"to": "p\u0430ypal", "a": [{"to": 1}, {"to": 2}], "to": "x", "am\\u006funt": "{}"}'
    raw = '{"agent_id": "pricing-01", "amount": "5.00", "note": ' + note + "}"
    async with scene() as its, opened(browser, its.address) as seen:
        await come_in(seen, "alice", "#/approvals")
        call = its.sending("deposit", raw.encode())
        panel = await choose(seen, "deposit")
        told = await panel.locator("p.notice:visible").all_inner_texts()
        assert [line.split(" ")[0] for line in told] == ["to", "amount", "p\u0430ypal"]
        call.cancel()


async def test_a_call_that_could_not_be_shown_at_once_is_shown_later(browser: Any) -> None:
    """The network failed once: that is said, it cannot be approved, and it is asked for again."""
    async with scene() as its, opened(browser, its.address) as seen:
        await come_in(seen, "alice", "#/approvals")
        failing = [503]

        async def fail_once(route: Any) -> None:
            if failing:
                seen.expect(route.request.url.partition(its.address)[2], failing[0])
                await route.fulfill(status=failing.pop(), json={"detail": "not now"})
            else:
                await route.continue_()

        await seen.page.route("**/v1/approvals/*", fail_once)
        call = its.calling("deposit", amount="5.00")
        panel = await choose(seen, "deposit")
        await panel.get_by_role("region", name="The exact call").wait_for()
        approve = panel.get_by_role("button", name="Approve")
        assert (failing, await approve.is_enabled()) == ([], True)
        assert not await panel.get_by_text("not now").is_visible()
        call.cancel()


async def test_who_closes_a_call_is_back_at_the_list(browser: Any) -> None:
    """With the keyboard: the next step does not begin at the top of the page."""
    async with scene() as its, opened(browser, its.address) as seen:
        await come_in(seen, "alice", "#/approvals")
        call = its.calling("deposit", amount="5.00")
        panel = await choose(seen, "deposit")
        await panel.get_by_role("link", name="Close").press("Enter")
        await panel.wait_for(state="detached")
        label = "() => document.activeElement.getAttribute('aria-label')"
        assert await seen.page.evaluate(label) == "Calls that people are asked about"
        call.cancel()
