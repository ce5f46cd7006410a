"""One answer for all who look at the same page again and again.

Ten dashboards and a `top` ask for the same each second, of the loop that calls run on. Who says
that an answer may be so old (`Cache-Control: max-age=1`, RFC 9111 section 5.2.1.1) gets what was
made for the one before: it is reckoned, written and packed once. Who does not say it sees what is
now; and so does everybody once something was changed here, or there was news of it.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import hdrs, web

from proxy.admin.answers import JSON
from proxy.admin.tagged import Tagged

OLDEST = 2.0
"""Seconds: an answer is no older than that, whoever takes it."""
MOST = 32
"""Answers that are kept."""
LARGEST = 2 << 20
"""Bytes of one; a larger one is not kept."""
_LONGEST = 512  # characters of a path that is one
_MAX_AGE = re.compile(r"max-age=(\d{1,6})\b")

Make = Callable[[], Awaitable[Any]]
"""What is said as JSON. Raises whatever it likes; nothing is kept of that."""


class _Kept:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()  # who asks meanwhile takes what the first one gets
        self.made_at = float("-inf")
        self.tagged: Tagged | None = None


class Snapshots:
    """Keeps them."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def answer(self, request: web.Request, make: Make) -> web.Response:
        """The one that was made last, if it is young enough; else one that is made now."""
        age, key = accepted_age(request), request.path_qs
        if not age or len(key) > _LONGEST:
            return _tagged(await make()).answer(request)
        kept = self._find(key)
        async with kept.lock:
            if kept.tagged is None or self._now() - kept.made_at >= age:
                kept.made_at, kept.tagged = self._now(), _tagged(await make())
            tagged = kept.tagged
        if len(tagged.body) > LARGEST:
            self._kept.pop(key, None)
        return tagged.answer(request)

    def forget(self) -> None:
        """Something is not as it was. What is being made now is for those who wait for it alone."""
        self._kept = OrderedDict()

    def _find(self, key: str) -> _Kept:
        kept = self._kept.setdefault(key, _Kept())
        self._kept.move_to_end(key)
        if len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return kept


def accepted_age(request: web.Request) -> float:
    """Seconds that an answer may be old for the one who asks."""
    found = _MAX_AGE.search(request.headers.get(hdrs.CACHE_CONTROL, ""))
    return 0.0 if found is None else min(float(found[1]), OLDEST)


def _tagged(content: Any) -> Tagged:
    return Tagged(msgspec.json.encode(content), JSON, level=1)
