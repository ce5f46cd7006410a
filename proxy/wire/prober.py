"""Probes: an upstream is asked, again and again, whether it is well (spec 3.13).

Each goes over a connection of its own, from a pool that calls do not share: that the agents have
taken all of theirs says nothing of the upstream, and that it still takes new ones is half of what
is asked.

*What is well?* What is no failure in the words of the protocol, the same that circuits go by. An
error of the caller counts: somebody was there to complain, and a probe without a credential or
with an empty input would else move all traffic away. Throttling is neither: an upstream that
defends itself is up, and is no place to send more to. Nor is what this machine has run out of.
"""

from collections.abc import Callable

import msgspec

from proxy.attempt import Attempt
from proxy.call import Call, Effect, Header, RequestHead, Whole
from proxy.clock import Clock
from proxy.counts import Counts
from proxy.protocols.protocol import Spelled
from proxy.reply import Failure, Reply, Result
from proxy.state.standing import Pulse
from proxy.strand import Strand
from proxy.wire.client import Client

JITTER = 0.1
"""An interval is so much longer or shorter, by chance: many pods must not ask at once."""

_PASSED, _FAILED = "passed", "failed"
_WORDS = {
    Result.SUCCESS: _PASSED,
    Result.CALLER_ERROR: _PASSED,
    Result.THROTTLED: "throttled",
    Result.FAILURE: _FAILED,
    Result.TRUNCATED: _FAILED,
}
"""What a probe came to, as the metric has it."""


class Question(msgspec.Struct, frozen=True):
    """What is asked, and how often; seconds."""

    head: RequestHead
    content: bytes
    interval: float
    timeout: float
    failures: int  # in a row, after which the upstream is unwell


def question(spelled: Spelled, *, interval: float, timeout: float, failures: int) -> Question:
    """What is asked is spelled by the upstream's protocol; a body is JSON."""
    content = spelled.body
    lines = [(b"accept", b"*/*"), (b"user-agent", b"holdfast")]
    if content:
        lines += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    headers: list[Header] = [(name, name, value) for name, value in lines]
    head = RequestHead(
        spelled.method,
        spelled.target,
        1,
        headers,
        dict(lines),
        b"".join(b"%b: %b\r\n" % line for line in lines),
        length=len(content) or None,
        signs=False,
    )
    return Question(head, content, interval, timeout, failures)


class Prober:
    """Asks one upstream. It runs as a strand, for that is what can wait for an answer."""

    def __init__(
        self,
        client: Client,
        asked: Question,
        judge: Callable[[Reply], None],
        pulse: Pulse,
        counted: Counts,
        clock: Clock,
        bug: Callable[[BaseException], None],
    ) -> None:
        """`client` is its own, `judge` its upstream's protocol's, `bug` hears of ours."""
        self._client = client
        self._asked = asked
        self._judge = judge
        self._pulse = pulse
        self._counted = counted
        self._clock = clock
        self._bug = bug
        self._strand: Strand | None = None

    def start(self) -> None:
        """Ask from now on, if it does not yet."""
        if self._strand is None:
            self._pulse.probed = True
            self._strand = Strand(self._run(), self._ended)
            self._strand.step()

    def stop(self) -> None:
        """Ask no more. What is known of the upstream is forgotten."""
        if self._strand is not None:
            self._strand.cancel()
        self._client.pool.retire()
        self._pulse.probed = False
        self._pulse.forget()

    async def _run(self) -> None:
        asked, clock = self._asked, self._clock
        await clock.sleep(asked.interval * clock.chance.random())
        while True:
            try:
                await self._ask()
            except Exception as bug:  # the next one may do better
                self._bug(bug)
            away = JITTER * (2 * clock.chance.random() - 1)
            await clock.sleep(asked.interval * (1 + away))

    async def _ask(self) -> None:
        asked, pulse = self._asked, self._pulse
        now = self._clock.now()
        # As a write, so that it goes over no connection that may just be closing.
        call = Call("", asked.head, Whole(asked.content), now, asked.head.target)
        call.effect = Effect.WRITE
        attempt = Attempt(call, 1, 1, now, now + asked.timeout, upstream=self._client.name)
        reply = await self._client.send(attempt)
        self._judge(reply)
        word = _word(reply)
        reply.drop()
        self._counted.add(self._client.name, word)
        if word is _PASSED:
            pulse.passed(self._clock.now())
        elif word is _FAILED:
            pulse.failed(asked.failures)

    def _ended(self, bug: BaseException | None) -> None:
        self._strand = None
        if bug is not None:
            self._bug(bug)


def _word(reply: Reply) -> str:
    assert reply.result is not None  # it was judged
    if reply.failure is Failure.OVERLOADED:
        return "not_sent"
    return _WORDS[reply.result]
