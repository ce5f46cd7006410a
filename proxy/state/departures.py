"""What pods had spent that are gone, as this pod has heard of it.

The store sums it up, and nobody else is there who could tell it to a store that has forgotten it.
So every pod remembers it, as long as it matters.
"""

import msgspec

from proxy.state.link import Link
from proxy.state.shared.money import Gone, NewGone, TellGone

_MOST = 20_000
"""Lines of which it is remembered, before those that are over are forgotten."""
_AT_ONCE = 64


class Departures:
    """Of one store."""

    def __init__(self) -> None:
        self._heard = 0  # so many were heard of
        self._gone: dict[str, tuple[Gone, float]] = {}  # by line, and until when it matters

    def anew(self) -> None:
        """It may tell other ones."""
        self._heard = 0

    async def hear(self, link: Link) -> None:
        """Of what is new. Raises Unreachable."""
        self._heard, every = await link.ask(NewGone(self._heard))
        now = link.clock.now()
        for one in every:
            self._gone[one.name] = one, now + one.kept / 1000
        if len(self._gone) > _MOST:
            self._gone = {name: each for name, each in self._gone.items() if each[1] > now}

    async def tell(self, link: Link) -> None:
        """All that matters yet. Raises Unreachable."""
        now = link.clock.now()
        every = [
            msgspec.structs.replace(one, kept=int(1000 * (until - now)))
            for one, until in self._gone.values()
            if until > now
        ]
        for at in range(0, len(every), _AT_ONCE):
            await link.ask(TellGone(tuple(every[at : at + _AT_ONCE])))
