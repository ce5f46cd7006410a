"""What an open page asks for is what `make bench` asks in the name of ten of them."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from proxy.admin.shipped import FOLDER
from tests.bench.dashboards import ASKED, STREAM
from tests.dashboard.browser import needs_chromium, opened
from tests.dashboard.scene import come_in, scene

pytestmark = [pytest.mark.asyncio(loop_scope="module"), needs_chromium]
ONCE = {"/v1/me"}
OPEN = ("app.js", "alarms.js", "views/tools.js")
"""What asks while the view of tools is open."""
SCRIPTS = "\n".join((FOLDER / name).read_text("utf-8") for name in OPEN)
WATCHED = re.compile(r"watch\('(/v1/[a-z]+)', \{every: ([\d.]+)")


async def test_the_bench_asks_as_often_and_as_much_as_a_page(browser: Any) -> None:
    """In the view of tools it has these lists open and no others; the stream of calls is asked for
    in that of calls."""
    async with scene() as its, opened(browser, its.address) as seen:
        await its.call("get_balance")
        await come_in(seen, "vera", "#/tools")
        await seen.page.get_by_role("row").filter(has_text="get_balance").wait_for()
        await seen.settled()
        asked = {each for each in seen.asked if each.startswith("/v1/")} - ONCE
        assert asked == {"/v1/events", *(path for path, _ in ASKED)}
        await seen.page.goto("/dashboard/#/calls")
        await seen.page.get_by_text("Live ·").wait_for()
        assert STREAM in seen.asked


@pytest.mark.parametrize(("path", "every"), ASKED)
async def test_nothing_is_asked_more_often_than_the_bench_does(path: str, every: float) -> None:
    """By any of what is open there."""
    own = urlsplit(path).path
    assert min(float(often) for asked, often in WATCHED.findall(SCRIPTS) if asked == own) >= every
