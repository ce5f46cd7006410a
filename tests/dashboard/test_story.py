"""What the page makes of records, scopes and hashes: its own modules, asked in the browser."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from proxy.admin.shipped import Shipped
from proxy.globs import holds
from tests.dashboard.browser import needs_chromium, opened
from tests.dashboard.crowd import EXAMPLES, crowd
from tests.dashboard.scene import look_at

pytestmark = [pytest.mark.asyncio(loop_scope="module"), needs_chromium]
Ask = Callable[..., Awaitable[Any]]
RECORD = EXAMPLES["/v1/calls"]["items"][0]
STORY = "(story, intent, record) => story.story(intent, record, (...way) => way.join('/'))"
JOURNAL = Path(__file__).parents[2] / "docs" / "journal.md"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ask(browser: Any) -> AsyncIterator[Ask]:
    """Of a module of the page, what one of its functions says."""
    place = f"/dashboard/{Shipped().version}"

    async def asked(module: str, does: str, *given: Any) -> Any:
        script = f"async (given) => ({does})(await import('{place}/{module}'), ...given)"
        return await seen.page.evaluate(script, list(given))

    async with crowd() as its, opened(browser, its.address) as seen:
        await look_at(seen, "#/journal")
        yield asked


async def told(ask: Ask, intent: Any = None, record: Any = None) -> list[str]:
    """The steps of a story, each as one text."""
    steps = await ask("story.js", STORY, intent, record)
    return [" ".join(filter(None, [each["title"], *each["text"]])) for each in steps]


async def test_a_call_that_is_under_way_has_no_end_yet(ask: Ask) -> None:
    """Nothing is said of what has not been."""
    intent = {**RECORD, "effect": "write", "risk": "high", "reserved_micros": 10_000}
    came, verdict, now = await told(ask, intent)
    assert "local-agent called gateway/get_balance" in came
    assert verdict.startswith("It was let through")
    assert now.startswith("It is under way")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"decision": "shadow", "policy": "trial", "detail": "rate_limited"},
            "The policy trial, in shadow mode, would have refused it: too many calls came",
        ),
        (
            {"decision": "refuse", "code": "budget_exceeded", "policy": "agent", "attempts": []},
            "The policy agent said no: the budget has no room for it",
        ),
        ({"unguarded": True}, "let it go without asking the store"),
        (
            {"outcome": "fallback", "served_by": "backup", "tier": 1},
            "answered by something else Status 200. backup answered, a backup.",
        ),
        (
            {"outcome": "unknown", "executed": "unknown", "status": 0, "attempts": []},
            "Whether it ran nobody knows",
        ),
        ({"code": "killed", "outcome": "cancelled"}, "A kill switch stops it."),
        ({"cost_micros": 2_500_000, "cost_estimated": True}, "It cost 2.50 USD"),
        ({"cost_micros": 12, "cost_estimated": True}, "It cost 0.000012 USD That is an estimate"),
        ({"caller": "boss"}, "boss waits for it"),
    ],
)
async def test_a_story_says_what_the_record_says(ask: Ask, change: Any, words: str) -> None:
    """In words, and with nothing that is not in it."""
    assert words in " | ".join(await told(ask, None, {**RECORD, **change}))


async def test_a_hash_that_does_not_fit_its_line_is_told(ask: Ask) -> None:
    """That of docs/journal.md fits; with a byte changed it does not. The line is taken out of an
    answer byte for byte, whatever stands in it."""
    lines = JOURNAL.read_text("utf-8").splitlines()
    line = next(each for each in lines if '"type":"call.finished"' in each)
    record = json.loads(line)
    answer = f'{{"id":"x","intent":null,"record":{line}}}'
    found = "(proof, text, hash) => proof.lineIn(text, 'record', hash)"
    assert await ask("proof.js", found, answer, record["hash"]) == line
    right = "(proof, line, record) => proof.holds(line, record)"
    assert await ask("proof.js", right, line, record) is True
    assert await ask("proof.js", right, line.replace("pricing-01", "pricing-02"), record) is False
    assert await ask("proof.js", right, None, record) is None


async def test_a_scope_fits_what_the_proxy_says_it_fits(ask: Ask) -> None:
    """Before a kill is thrown the page says whom it meets: by the proxy's own rule."""
    globs = ["a", "a*", "*a", "*", "a*b", "a*b*c", "**", "*a*", "a.b", "", "a*a"]
    texts = ["", "a", "ab", "ba", "abc", "aXbYc", "a.b", "aXb", "aa", "a*b", "abab"]
    fits = "(scopes, globs, texts) => globs.map((g) => texts.map((t) => scopes.fits(g, t)))"
    said = await ask("scopes.js", fits, globs, texts)
    assert said == [[holds(glob, text) for text in texts] for glob in globs]


async def test_what_is_live_is_filtered_as_the_journal_is(ask: Ask) -> None:
    """Names with stars, and nothing in them that an expression would read otherwise."""
    does = "(live, asked, rows) => rows.map(live.fitting(asked))"
    rows = [{"tool": "get_x", "agent": "a.b"}, {"tool": "get_y", "agent": "aXb"}, {"tool": "pay"}]
    assert await ask("live.js", does, {"tool": "get_*"}, rows) == [True, True, False]
    assert await ask("live.js", does, {"agent": "a.b"}, rows) == [True, False, False]
    assert await ask("live.js", does, {"agent": ""}, rows) == [True, True, True]
