"""Two people look at one proxy, one by `holdfast top`, one at the page: they read the same."""

import asyncio
import io
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console

from proxy.admin.shipped import Shipped
from proxy.cli.asking import ask
from proxy.cli.status import latency, per_second, span
from proxy.cli.top_drawn import Frame
from proxy.cli.top_figures import figures
from proxy.cli.top_view import View
from proxy.config.places import visible
from proxy.state.price import dollars
from tests.dashboard.browser import Watched, needs_chromium, opened
from tests.dashboard.scene import Scene, come_in, scene

pytestmark = [pytest.mark.asyncio(loop_scope="module"), needs_chromium]
ROWS = """(node) => [...node.querySelectorAll('tbody tr:not(.room)')].map(
    (row) => [...row.cells].map((cell) => cell.textContent.trim()))"""
WIDTH = 130


async def overview(its: Scene) -> Any:
    """What the proxy says at this moment."""
    door = f"unix:{its.proxy.folder / 'state' / 'admin.sock'}"
    return await asyncio.to_thread(ask, door, "/v1/overview")


def top(told: Any) -> list[list[str]]:
    """The lines of the terminal, each by its columns."""
    console = Console(file=io.StringIO(), width=WIDTH, _environ={})
    console.print(Frame(figures(told), View()))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]  # it is a StringIO
    return [[part.strip() for part in line.split("  ") if part.strip()] for line in lines]


def below(lines: list[list[str]], head: str) -> list[list[str]]:
    """The rows of a table of the terminal."""
    (start,) = (at for at, line in enumerate(lines) if line and line[0] == head)
    rows = []
    for line in lines[start + 1 :]:
        if not line or line[0].isupper():
            break
        rows.append(line)
    return rows


async def table(seen: Watched, label: str) -> list[list[str]]:
    """The rows of a table of the page."""
    found = seen.page.get_by_role("region", name=label)
    await found.wait_for()
    rows: list[list[str]] = await found.evaluate(ROWS)
    return rows


async def tile(seen: Watched, title: str) -> list[str]:
    """The figure, and the note below it."""
    of = seen.page.locator(".tile").filter(has=seen.page.get_by_text(title, exact=True))
    return [await of.locator(part).inner_text() for part in (".figure", ".note")]


async def busy(its: Scene) -> None:
    """Calls that went well, that failed, that were refused; money was spent."""
    its.fail({"status": 500, "tool": "estimate_cost", "times": None, "executed": False})
    for tool in (*["get_balance"] * 3, *["estimate_cost"] * 5, "search_services"):
        await its.call(tool)
    await its.proxy.change("/v1/kills", {"scope": "tool:pay", "reason": "case 12"})
    await its.call("pay")


async def test_top_and_the_page_show_the_same_figures(browser: Any) -> None:
    """Of one answer, cell by cell: tools, agents, budgets, and all together."""
    async with scene() as its, opened(browser, its.address) as seen:
        await busy(its)
        told = await overview(its)
        lines = top(told)
        await seen.page.route("**/v1/overview", lambda route: route.fulfill(json=told))
        await come_in(seen, "vera")

        rows = await table(seen, "Tools, those in trouble first")
        assert len(rows) == 4
        assert [[*row[:2], *row[3:]] for row in rows] == below(lines, "TOOL")
        ((name, now, calls, _, last, spent),) = below(lines, "AGENT")
        (agent,) = await table(seen, "Agents, the busiest first")
        assert (agent[0], agent[2], agent[3], agent[5]) == (name, now, calls, last)
        assert Decimal(agent[6]) == Decimal(spent)
        ((whose, window, used, _, left, _, resets),) = below(lines, "BUDGET (USD)")
        (budget,) = await table(seen, "Budgets, the fullest first")
        assert (*budget[:3], budget[4]) == (whose, window, used, resets)
        assert Decimal(budget[3]) == Decimal(left)

        (total,) = (line for line in lines if line and line[0].endswith(" calls/s"))
        assert f"{(await tile(seen, 'Calls/s'))[0]} calls/s" == total[0]
        assert f"{(await tile(seen, 'Failed'))[0]} failed" == total[1]
        assert f"p99 {(await tile(seen, 'P99'))[0]}" == total[2]
        hour, today = await tile(seen, "USD/h")
        assert f"{hour} USD/h" == total[4]
        assert Decimal(today.removesuffix(" today")) == Decimal(total[5].removesuffix(" today"))


async def test_what_is_wrong_is_told_alike(browser: Any) -> None:
    """Kills, alerts and circuits: the same words in the same order."""
    async with scene() as its, opened(browser, its.address) as seen:
        await busy(its)
        told = await overview(its)
        await seen.page.route("**/v1/overview", lambda route: route.fulfill(json=told))
        await come_in(seen, "vera")
        alarms = seen.page.get_by_role("region", name="What is wrong now")
        shown = [" ".join(text.split()) for text in await alarms.locator("li").all_inner_texts()]
        lines = [" ".join(line) for line in top(told)]

        told_above = [line for line in shown if not line.startswith("WAIT")]
        same = [line for line in lines if line.startswith(("KILLED", "ALERT", "PAGE", "OPEN"))]
        assert {line.partition(" ")[0] for line in same} >= {"KILLED", "ALERT", "OPEN"}
        assert len(told_above) == len(same)
        for line, other in zip(told_above, same, strict=True):
            assert line.startswith(other.removesuffix("…"))


NUMBERS = [0, 0.004, 0.005, 0.0125, 0.5, 1, 1.005, 2.5, 9.995, 12.345, 99.994, 99.995, 100.5,
           101.5, 3599.9, 3600, 86_399, 90_061, 1_234_567.5]  # fmt: skip
MICROS = [0, 1, 4_999, 5_000, 9_999, 10_000, 15_000, 25_000, 125_000, 994_999, 995_000, 1_005_000,
          12_345_678, 999_999_999_999_999, 123_456_789_012_345_678]  # fmt: skip
TEXTS = ["", "plain", "a\u202eb", "a\nb\tc\x00", "\x1b[31m", "\U000e0041x", "\u200bx", "ağ é ש"]
SAID = """async ([version, numbers, dollars, texts]) => {
    const words = await import(`/dashboard/${version}/words.js`);
    return {
        rate: numbers.map(words.rate), latency: numbers.map(words.latency),
        span: numbers.map(words.span), share: numbers.map((one) => words.share(one)),
        cents: dollars.map(words.cents), names: texts.map((one) => words.name(one)),
        money: dollars.map(words.money),
    };
}"""


async def test_figures_and_names_are_put_into_the_same_words(browser: Any) -> None:
    """Where it has to be rounded as well; and money is not rounded, however much it is."""
    async with scene() as its, opened(browser, its.address) as seen:
        await seen.page.goto("/dashboard/")
        amounts = [dollars(each) for each in MICROS]
        asked = [Shipped().version, NUMBERS, amounts, TEXTS]
        said = await seen.page.evaluate(SAID, asked)

    assert said["rate"] == [per_second(each) for each in NUMBERS]
    assert said["latency"] == [latency(each) for each in NUMBERS]
    assert said["span"] == [span(each) for each in NUMBERS]
    assert said["share"] == [f"{each:.1%}" for each in NUMBERS]
    assert said["cents"] == [
        "<0.01" if 0 < Decimal(each) < Decimal("0.01") else f"{Decimal(each):,.2f}"
        for each in amounts
    ]
    assert [each.replace(",", "") for each in said["money"]] == [
        f"{Decimal(each):f}" if len(each.partition(".")[2]) % 2 == 0 else f"{each}0"
        for each in amounts
    ]
    assert said["names"] == [visible(each) or "–" for each in TEXTS]
