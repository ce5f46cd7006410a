"""A grant: what was reserved for one sending, and what is seen of it while it runs."""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from proxy.call import Call
from proxy.reply import Reply
from proxy.state.account import Account
from proxy.state.price import FREE, Price, told

LONGEST_READ = 1 << 20
"""Bytes of an answer that are read for the price it tells; of a longer one it is not known."""
_STEP = 64 << 10
"""Bytes for which more is reserved at once, while a body grows."""


class Grant(msgspec.Struct):
    """Of one sending. Amounts are micro-dollars."""

    accounts: tuple[Account, ...] = ()
    amount: int = 0
    price: Price = FREE
    sent: "Meter | None" = None  # sees the request, where it costs by its size
    answer: "Meter | None" = None
    tunnel: "Meter | None" = None  # sees what is sent after a 101
    settled: int = -1  # what it came to; -1: it is not over
    estimated: bool = False  # its answer did not tell, and that is what was thought

    def watch_request(self, call: Call, grow: "Grow") -> None:
        """What it costs by its size, where that is not known before."""
        self.sent = meter = Meter(self, grow, reads=False)
        whole = call.body.whole
        if whole is None:
            call.body.watch(meter)
        else:
            meter.saw(0, whole)

    def watch_answer(self, reply: Reply, grow: "Grow") -> None:
        """Likewise, and what it tells of its price."""
        self.answer = meter = Meter(self, grow, reads=bool(self.price.from_reply))
        if reply.tunnel is not None:
            self.tunnel = onward = Meter(self, grow, reads=False)
            reply.tunnel.watch(onward)
        body = reply.body
        if body is None:
            return
        if body.whole is None:
            body.watch(meter)
        else:
            meter.saw(0, body.whole)
            meter.ended()

    def cost(self, decode: Callable[[bytes], bytes | None]) -> int:
        """Of a sending that went. Where its answer should tell and does not, what was thought.
        `decode` takes the answer's coding off, if it can."""
        price = self.price
        if not price.open:
            return price.fixed
        found = None
        if price.from_reply and self.answer is not None:
            found = self.answer.told(decode)
        self.estimated = found is None and bool(price.from_reply)
        return price.truth(passed(self), found)

    def more(self, micros: int) -> None:
        """Reserve so much besides, be there room for it or not."""
        for account in self.accounts:
            account.stretch(micros)
        self.amount += micros


Grow: TypeAlias = Callable[[int], None]
"""Is told how much more than is reserved the bodies cost by now, at least."""


class Meter:
    """Part of Tap: sees a body pass, and has more reserved as it grows."""

    __slots__ = ("_content", "_grant", "_grow", "_reads", "size", "whole")

    def __init__(self, grant: Grant, grow: Grow, *, reads: bool) -> None:
        """`reads`: its content is wanted, for it tells the price."""
        self._grant = grant
        self._grow = grow
        self._reads = reads
        self._content = bytearray()
        self.size = 0
        self.whole = False

    def saw(self, at: int, piece: bytes) -> None:
        """Part of Tap. What is sent once more is seen once more, and counts once."""
        new = at + len(piece) - self.size
        if new <= 0:
            return
        self.size += new
        if self._reads:
            self._read(piece[-new:])
        grant = self._grant
        missing = grant.price.fixed + grant.price.sized(passed(grant)) - grant.amount
        if missing > 0 and grant.settled < 0:  # else it is over, and the body flows once more
            self._grow(missing)

    def _read(self, piece: bytes) -> None:
        if self.size > LONGEST_READ:
            self._reads, self._content = False, bytearray()
        else:
            self._content += piece

    def ended(self) -> None:
        """Part of Tap."""
        self.whole = True

    def told(self, decode: Callable[[bytes], bytes | None]) -> int | None:
        """What it tells that it costs."""
        plain = decode(bytes(self._content)) if self.whole and self._reads else None
        return None if plain is None else told(plain, self._grant.price.from_reply)


def passed(grant: Grant) -> int:
    """How many bytes of the request and its answer did."""
    meters = grant.sent, grant.answer, grant.tunnel
    return sum(meter.size for meter in meters if meter is not None)


def step(price: Price, missing: int) -> int:
    """How much to reserve where so much is missing, so that it need not be asked for soon again."""
    return max(missing, price.sized(_STEP))


def size_of(call: Call) -> int:
    """Of its request, in bytes, as far as that is known before it is sent."""
    whole = call.body.whole
    return call.head.length or 0 if whole is None else len(whole)
