"""A Post that costs nothing until something is sent: aiohttp is imported then, in a thread."""

import asyncio
import importlib
from typing import TYPE_CHECKING

from proxy.clock import Clock
from proxy.posts import Answer, Headers

if TYPE_CHECKING:
    from proxy.mirrors.posting import Posting


class Sender:
    """Part of Post; `close` at the end."""

    def __init__(self, clock: Clock, patience: float = 0.0) -> None:
        """`patience`: seconds that one post may take, all in all; 0: the usual ones."""
        self._clock = clock
        self._patience = patience
        self._posting: Posting | None = None

    async def __call__(
        self, url: str, content: bytes, headers: Headers, /, *, private: bool = False, read: int = 0
    ) -> Answer:
        """Part of Post."""
        made = await self._made()
        return await made(url, content, headers, private=private, read=read)

    async def close(self) -> None:
        """No more is sent."""
        posting, self._posting = self._posting, None
        if posting is not None:
            await posting.close()

    async def _made(self) -> "Posting":
        """Importing aiohttp takes 0.15 s: not at the start, and not on the loop."""
        if self._posting is None:
            posting = await asyncio.to_thread(importlib.import_module, "proxy.mirrors.posting")
            if self._posting is None:  # else somebody else waited for it as well
                self._posting = posting.Posting(self._clock, self._patience or posting.PATIENCE)
        return self._posting
