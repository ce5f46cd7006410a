"""proxy/admin/dashboard/table.js: 200 agents times 200 tools are forty thousand rows."""

from typing import Any

import pytest

from proxy.admin.shipped import Shipped
from tests.dashboard.browser import Watched, needs_chromium, opened
from tests.dashboard.scene import scene

pytestmark = [pytest.mark.asyncio(loop_scope="module"), needs_chromium]
MADE = """async ([version, many]) => {
    const {Table} = await import(`/dashboard/${version}/table.js`);
    const id = (at) => `a${at % 200}/t${Math.floor(at / 200)}`;
    window.rows = Array.from({length: many}, (_, at) => ({id: id(at), at}));
    window.table = new Table({
        label: 'Many', key: (row) => row.id, rows: 20,
        columns: [
            {title: 'Name', cell: (row) => row.id, by: (row) => row.id},
            {title: 'Number', cell: (row) => String(row.at), by: (row) => row.at, down: true},
        ],
    });
    document.querySelector('main').replaceChildren(window.table.node);
    window.table.set(window.rows);
    // Heights are measured in the frames that follow, and it is drawn anew then.
    for (let frame = 0; frame < 4; frame += 1) await new Promise(requestAnimationFrame);
}"""
DRAWN = """() => [...document.querySelectorAll('tbody tr:not(.room)')].map(
    (row) => [row.getAttribute('aria-rowindex'), row.cells[0].textContent])"""
MANY = 40_000


async def made(seen: Watched, many: int) -> Any:
    """The page, with a table of so many rows on it and nothing else."""
    await seen.page.goto("/dashboard/")
    await seen.page.get_by_label("Token").wait_for()
    await seen.page.evaluate(MADE, [Shipped().version, many])
    return seen.page


async def test_only_what_can_be_seen_is_drawn(browser: Any) -> None:
    """Of forty thousand rows, wherever one looks; how many there are is told to all."""
    async with scene() as its, opened(browser, its.address) as seen:
        page = await made(seen, MANY)
        drawn = await page.evaluate(DRAWN)
        assert len(drawn) < 80
        assert drawn[0] == ["2", "a0/t0"]
        assert await page.locator("table").get_attribute("aria-rowcount") == str(MANY + 1)

        await page.locator(".rows").evaluate("(node) => { node.scrollTop = node.scrollHeight; }")
        await page.locator(f"tr[aria-rowindex='{MANY + 1}']").wait_for()
        drawn = await page.evaluate(DRAWN)
        assert len(drawn) < 80
        assert drawn[-1] == [str(MANY + 1), "a199/t199"]


async def test_rows_stay_and_only_cells_that_changed_are_touched(browser: Any) -> None:
    """What has the focus, or is being read, is not taken away by a new look."""
    async with scene() as its, opened(browser, its.address) as seen:
        page = await made(seen, 100)
        changed = await page.evaluate(
            """async () => {
                const seen = [];
                const body = document.querySelector('tbody');
                const watch = new MutationObserver((all) => seen.push(...all));
                watch.observe(body, {childList: true, subtree: true, characterData: true});
                const other = (row) => (row.at === 3 ? {...row, at: 777} : row);
                window.table.set(window.rows.map(other));
                await new Promise(requestAnimationFrame);
                return seen.map((each) => each.target.tagName);
            }"""
        )
        assert changed == ["TD"]


async def test_it_is_sorted_by_its_heads_and_filtered(browser: Any) -> None:
    """The largest first, then the smallest, then as it was; the head says which."""
    async with scene() as its, opened(browser, its.address) as seen:
        page = await made(seen, 1000)
        head = page.get_by_role("columnheader", name="Number")
        orders = []
        for _ in range(3):
            await head.get_by_role("button").click()
            first = (await page.evaluate(DRAWN))[0][1]
            orders.append((await head.get_attribute("aria-sort"), first))
        assert orders == [("descending", "a199/t4"), ("ascending", "a0/t0"), (None, "a0/t0")]
        await page.evaluate("() => window.table.keep((row) => row.id === 'a7/t3')")
        assert await page.evaluate(DRAWN) == [["2", "a7/t3"]]
        await page.evaluate("() => window.table.keep(() => false)")
        assert await page.evaluate(DRAWN) == []
        await page.get_by_text("There is nothing here.").wait_for()
