"""A browser for tests of the dashboard: the Chromium of the machine, driven by Playwright.

It is the program that HOLDFAST_TEST_CHROMIUM names, else `chromium` on the PATH (Debian's package).
Where there is none such tests are skipped: nothing else can say what a browser makes of a page.
Each page is in a profile of its own, which is empty; all that it complains about, and all that it
asks for elsewhere, fails its test.
"""

import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.harness.lazy import Lazy
from tests.harness.wire import within

playwright: Any = Lazy("playwright.async_api")

CHROMIUM = os.environ.get("HOLDFAST_TEST_CHROMIUM") or shutil.which("chromium")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium: see HOLDFAST_TEST_CHROMIUM in CONTRIBUTING.md"
)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 10_000
"""Milliseconds that any wait may take before the test has failed; a machine may be busy."""
WIDE, PHONE = (1280, 800), (380, 760)
THEMES = ("light", "dark")
_BLOCKED = (Path(__file__).parent / "blocked.js").read_text("utf-8")
_LOUD = {"error", "warning", "assert"}
_FAILED = "Failed to load resource"
"""What Chromium itself says of each answer that is an error."""


class Watched:
    """A page, and what it did that it should not."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.troubles: list[str] = []
        self.asked: list[str] = []  # paths, with their queries
        self._address = address
        self._open: set[Any] = set()  # asked, and not answered
        self._expected: set[tuple[str, int]] = set()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.troubles.append(f"raised: {error}"))
        page.on("request", self._request)
        page.on("requestfailed", self._failed)
        page.on("requestfinished", lambda request: self._open.discard(request))
        page.on("dialog", self._dialog)
        page.on("websocket", lambda socket: self.troubles.append(f"websocket: {socket.url}"))
        page.context.on("page", lambda other: self.troubles.append(f"opened {other.url}"))

    def expect(self, path: str, status: int) -> None:
        """This test has that path answer so: the browser will say so on its console."""
        self._expected.add((path, status))

    async def drawn(self) -> None:
        """What was asked of the page until now is on it."""
        await self.page.evaluate("() => new Promise(requestAnimationFrame)")

    async def settled(self) -> None:
        """All that was asked for by now was answered, and is on the page: but for the streams."""
        await self.until(lambda: not self._open)
        await self.drawn()

    async def until(self, holds: Callable[[], bool]) -> None:
        """It is so; each look is a frame later."""

        async def look() -> None:
            while not holds():
                await self.drawn()

        await within(look(), PATIENCE / 1000)

    def _console(self, message: Any) -> None:
        if message.type in _LOUD and not self._is_expected(message):
            self.troubles.append(f"console {message.type}: {message.text} {message.location}")

    def _is_expected(self, message: Any) -> bool:
        at = urlsplit(message.location.get("url", "")).path
        return message.text.startswith(_FAILED) and any(
            path == at and f" {status} " in message.text for path, status in self._expected
        )

    def _request(self, request: Any) -> None:
        url = urlsplit(request.url)
        if (url.scheme, url.netloc) != ("http", self._address):
            self.troubles.append(f"asked {request.url[:200]}")
        if "/v1/events" not in url.path:
            self._open.add(request)
        self.asked.append(url.path + (f"?{url.query}" if url.query else ""))

    def _failed(self, request: Any) -> None:
        """A stream that the page ends itself, or that ends with it, is aborted."""
        self._open.discard(request)
        if request.failure != "net::ERR_ABORTED":
            self.troubles.append(f"{request.url} failed: {request.failure}")

    async def _dialog(self, dialog: Any) -> None:
        self.troubles.append(f"{dialog.type}: {dialog.message}")
        await dialog.dismiss()


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Any]:
    """The browser, until this is left. Playwright makes its profile in a folder of its own."""
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


@contextlib.asynccontextmanager
async def opened(
    browser: Any,
    address: str,
    size: tuple[int, int] = WIDE,
    theme: str = "light",
    **more: Any,
) -> AsyncIterator[Watched]:
    """A new page of a new profile, at nothing yet. Whatever troubles it fails the test.

    `address` is the only `host:port` that it may ask.
    """
    width, height = size
    profile = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=theme,
        base_url=f"http://{address}",
        reduced_motion="reduce",  # else a colour may be on its way to another
        **more,
    )
    try:
        profile.set_default_timeout(PATIENCE)
        await profile.add_init_script(_BLOCKED)
        watched = Watched(await profile.new_page(), address)
        yield watched
    finally:
        await profile.close()
    assert not watched.troubles, "\n".join(watched.troubles)
