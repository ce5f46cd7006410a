"""A grant: what was reserved for one sending, and what is seen of it while it runs."""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from proxy.call import Call, tokens_of
from proxy.reply import Executed, Reply, Result
from proxy.state.account import Account
from proxy.state.price import FREE, Heard, Price, is_told, so_far, told
from proxy.state.rates import Rates, Tokens

LONGEST_READ = 1 << 20
"""Bytes of an answer that are read for the price it tells; of a longer one it is not known."""
_STEP, _STEP_TOKENS = 64 << 10, 1_024
"""Bytes, and tokens, for which more is reserved at once, while a body grows."""
_OFTEN = 128
"""Bytes of text from one reckoning to the next: some thirty tokens."""


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
    rates: Rates | None = None  # of a model, when it was sent
    received: int = 0  # tokens of the request to it, about
    streams: bool = False  # a stream was asked for: it is paid as far as it came
    lasts: bool = False  # it is written on though nobody reads it
    output: int = 0  # tokens that its answer may have
    headroom: int = 0  # that its accounts are to have for it, beside what is reserved

    @classmethod
    def thought(
        cls, accounts: tuple[Account, ...], price: Price, call: Call, wall: float
    ) -> "Grant":
        """Of so much as a sending of the call is thought to cost, when the clock shows this."""
        amount = price.estimate_of(call, wall)
        if price.tariff is None:
            return cls(accounts, amount, price)
        return cls(
            accounts,
            amount,
            price,
            rates=price.tariff.at(wall),
            received=tokens_of(call),
            streams=call.stream and not call.lasts,
            lasts=call.lasts,
            output=price.most_of(call),
        )

    def watch_request(self, call: Call, grow: "Grow") -> None:
        """What it costs by its size, where that is not known before."""
        if self.rates is not None:
            return
        self.sent = meter = Meter(self, grow, reads=False)
        whole = call.body.whole
        if whole is None:
            call.body.watch(meter)
        else:
            meter.saw(0, whole)

    def watch_answer(self, reply: Reply, grow: "Grow") -> None:
        """Likewise, and what it tells of its price; of a model, what it says and used."""
        if self.rates is not None:
            self._listen(reply, grow)
            return
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

    def cost(self, reply: Reply, decode: Callable[[bytes], bytes | None]) -> int:
        """Of a sending that went. Where its answer should tell and does not, what was thought.
        `decode` takes the answer's coding off, if it can."""
        price = self.price
        if self.rates is not None:
            return self._paid(reply, self.rates)
        if not price.open:
            return price.fixed
        found = None
        if price.from_reply and self.answer is not None:
            found = self.answer.told(decode)
        self.estimated = found is None and bool(price.from_reply)
        return price.truth(passed(self), found)

    def _listen(self, reply: Reply, grow: "Grow") -> None:
        """Have more reserved as a model writes more than was thought."""
        body, heard = reply.body, reply.hearing
        if heard is not None and body is not None and body.whole is None:
            assert self.rates is not None  # or nobody listens
            body.watch(Listener(self, self.rates, heard, grow))

    def _paid(self, reply: Reply, rates: Rates) -> int:
        """What a model is paid for a sending that went. Of an answer that does not tell, or not to
        its end, that is what was heard of it. Where nothing was, though it may have written all of
        it, it is what was thought, be there reserved so much or not: else who never waits for
        answers, or has them coded as we cannot read, would have them for nothing. A stream is
        written while it is read, and ends when nobody reads it any more; but for one that is
        fetched from elsewhere later."""
        heard = reply.hearing
        if reply.executed is Executed.NO or reply.result is Result.THROTTLED:  # it was turned away
            self.estimated = False
            return 0
        self.estimated = not is_told(heard)
        if heard is None:
            nothing = reply.status >= 400 or (self.streams and not reply.status)
            return rates.most(self.received, 0) if nothing else self._unheard(rates)
        silent = heard.usage is None and not heard.written
        if silent and not self.streams:
            return self._unheard(rates)
        cost = so_far(rates, self.received, heard)
        return max(cost, self._unheard(rates)) if self.lasts and self.estimated else cost

    def _unheard(self, rates: Rates) -> int:
        """What a model is paid of whose answer nothing is known."""
        return max(self.amount, rates.most(self.received, self.output))

    def step(self, missing: int) -> int:
        """How much to reserve where so much is missing, so that it need not be asked for soon
        again."""
        if self.rates is not None:
            rates = self.rates.where(self.received)
            return max(missing, rates.most(0, _STEP_TOKENS))
        return max(missing, self.price.sized(_STEP))

    def looks_ahead(self, *, shared: bool) -> None:
        """While it runs it may need more at once, and cannot wait until other pods have left it to
        this one. `shared`: else nobody need know."""
        before, self.headroom = self.headroom, self.step(0) if shared else 0
        for account in self.accounts:
            account.headroom += self.headroom - before

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


class Listener:
    """Part of Tap: looks, as the answer of a model passes, at what was heard of it."""

    __slots__ = ("_grant", "_grow", "_heard", "_rates", "_until", "_usage")

    def __init__(self, grant: Grant, rates: Rates, heard: Heard, grow: Grow) -> None:
        self._grant = grant
        self._rates = rates
        self._heard = heard
        self._grow = grow
        self._usage: Tokens | None = None
        self._until = 0  # bytes written: before that nothing need be reckoned

    def saw(self, at: int, piece: bytes) -> None:
        """Part of Tap. What it costs by now is reckoned when it says what it used, and every few
        words."""
        heard = self._heard
        if heard.written < self._until and heard.usage is self._usage:
            return
        self._usage, self._until = heard.usage, heard.written + _OFTEN
        grant = self._grant
        missing = so_far(self._rates, grant.received, heard) - grant.amount
        if missing > 0 and grant.settled < 0:
            self._grow(missing)

    def ended(self) -> None:
        """Part of Tap."""


def passed(grant: Grant) -> int:
    """How many bytes of the request and its answer did."""
    meters = grant.sent, grant.answer, grant.tunnel
    return sum(meter.size for meter in meters if meter is not None)
