"""Whose token is it? And the slowing of those who try what nobody has.

A token that is right is looked at first and never waits, whatever was tried before it: behind a
loopback address everybody is the same peer, and nobody may shut others out. So only the answer to a
wrong one is late. That a token cannot be guessed is due to its 256 bits; being slow keeps the noise
down, and tells of itself in the log.
"""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable

from aiohttp import hdrs, web

from proxy.admin.answers import NotDone
from proxy.admin.authors import Author
from proxy.clock import Clock
from proxy.config.tokens import Tokens

LONGEST = 1024
"""Characters of what is looked at as a token."""
FREE = 3
"""Wrong ones in a row that are answered at once."""
SLOWEST = 5.0
"""Seconds that an answer is held back at most."""
WAITING = 32
"""Answers that are held back at once; who else is wrong meanwhile gets 429."""
_FIRST = 0.1
_FORGOTTEN = 300.0  # seconds
_MOST_PEERS = 1024
_CHALLENGE = 'Bearer realm="holdfast"'


class Keyring:
    """`whose` says who shows a token."""

    def __init__(self, tokens: Callable[[], Tokens], clock: Clock) -> None:
        self._tokens = tokens
        self._slowness = Slowness(clock)

    async def whose(self, request: web.Request) -> Author:
        """Raises NotDone: 401 for none and for one that nobody has, 429."""
        shown = shown_by(request)
        if shown is None:
            raise NotDone(
                401,
                "a token is needed: Authorization: Bearer …; holdfast token new makes one",
                {hdrs.WWW_AUTHENTICATE: _CHALLENGE},
            )
        author = self._holder(shown)
        if author is not None:
            return author
        await self._slowness.failed(request.remote or "")
        raise NotDone(
            401,
            "nobody has this token",
            {hdrs.WWW_AUTHENTICATE: f'{_CHALLENGE}, error="invalid_token"'},
        )

    def _holder(self, shown: str) -> Author | None:
        """All of them are compared, each in the same time: how long it takes says nothing."""
        digest = hashlib.sha256(shown[:LONGEST].encode("utf-8", "surrogateescape")).hexdigest()
        found = None
        for token in self._tokens().tokens:
            if hmac.compare_digest(digest, token.sha256):
                found = token
        if found is None or len(shown) > LONGEST:
            return None
        return Author(found.name, frozenset(found.roles), found.groups)


def shown_by(request: web.Request) -> str | None:
    """The token that comes with a request."""
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


class Slowness:
    """How long answers to the wrong tokens of a peer are held back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tries: OrderedDict[str, tuple[int, float]] = OrderedDict()  # how many, the last when
        self._waiting = 0

    async def failed(self, peer: str) -> None:
        """One more. Waits, or raises NotDone."""
        now = self._clock.now()
        count, last = self._tries.pop(peer, (0, now))
        count = 1 if now - last > _FORGOTTEN else count + 1
        self._tries[peer] = count, now
        if len(self._tries) > _MOST_PEERS:
            self._tries.popitem(last=False)
        if count <= FREE:
            return
        wait = min(SLOWEST, _FIRST * 2.0 ** min(count - FREE - 1, 10))
        if self._waiting >= WAITING:
            raise NotDone(
                429,
                "too many tokens were tried that nobody has; one that is right is answered at once",
                {hdrs.RETRY_AFTER: str(int(wait) + 1)},
            )
        self._waiting += 1
        try:
            await self._clock.sleep(wait)
        finally:
            self._waiting -= 1
