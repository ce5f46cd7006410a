"""Nothing that a page does and should not escapes the tests that look at it."""

import contextlib
from typing import Any

import pytest

from tests.dashboard.browser import Watched, needs_chromium, opened
from tests.harness import RawUpstream, answer

pytestmark = [pytest.mark.asyncio(loop_scope="module"), needs_chromium]
POLICY = "Content-Security-Policy: default-src 'none'; script-src 'unsafe-inline'; connect-src *"
BAD = {
    "a warning": ("console.warn('careful')", "careful"),
    "an error": ("console.error('broken')", "broken"),
    "an exception": ("setTimeout(() => { throw Error('thrown') })", "thrown"),
    "a promise": ("Promise.reject(Error('rejected'))", "rejected"),
    "another host": ("fetch('http://127.0.0.1:9/').catch(() => {})", "127.0.0.1:9"),
    "what its policy forbids": ("document.body.append(new Image(1)); "
                                "document.images[0].src = '/x.png'", "img-src"),
    "a dialog": ("alert('hello')", "hello"),
    "a window": ("open('about:blank')", "opened"),
    "an answer that is an error": ("fetch('/nothing')", "404"),
}  # fmt: skip


def page(script: str) -> bytes:
    """One that does this, and says then that it did."""
    body = f"<!doctype html><title>x</title><body><script>{script};document.title='done'</script>"
    return answer(200, "Content-Type: text/html", POLICY, body=body.encode())


async def troubles(browser: Any, script: str, status: int = 0, wanted: int = 0) -> list[str]:
    """What a page that does this has troubled its test with, once that is so much."""
    kept: list[Watched] = []
    async with RawUpstream() as far:
        far.script.append(page(script))
        far.otherwise = answer(404)
        with contextlib.suppress(AssertionError):
            async with opened(browser, far.url.removeprefix("http://")) as seen:
                kept.append(seen)
                seen.expect("/nothing", status)
                await seen.page.goto("/")
                await seen.drawn()
                await seen.until(lambda: len(seen.troubles) >= wanted)
    return kept[0].troubles


@pytest.mark.parametrize("what", BAD)
async def test_a_page_that_misbehaves_fails_its_test(browser: Any, what: str) -> None:
    """And the test is told why."""
    script, word = BAD[what]
    found = await troubles(browser, script, wanted=1)
    assert word in " ".join(found)


@pytest.mark.parametrize(
    ("script", "status"), [("console.log('well')", 0), ("fetch('/nothing')", 404)]
)
async def test_a_page_that_behaves_does_not(browser: Any, script: str, status: int) -> None:
    """Nor one that gets the error that its test is about."""
    assert await troubles(browser, script, status) == []


async def test_what_troubles_a_page_fails_the_test_that_opened_it(browser: Any) -> None:
    """At its end, whatever it found otherwise."""
    with pytest.raises(AssertionError, match="careful"):
        async with opened(browser, "127.0.0.1:0") as seen:
            await seen.page.evaluate("() => console.warn('careful')")
