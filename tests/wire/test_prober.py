"""Asking an upstream whether it is well."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from proxy.clock import Clock
from proxy.counts import Counts
from proxy.protocols.recognise import HTTP, TOOLS
from proxy.reply import Failure, Reply
from proxy.state.standing import Pulse
from proxy.wire.client import Client, Forward
from proxy.wire.compose import RequestWriter
from proxy.wire.head import Limits
from proxy.wire.pool import ConnectionPool, Origin
from proxy.wire.prober import JITTER, Prober, question
from tests.fakes import FakeClock
from tests.harness import RawUpstream, answer, breathe, within
from tests.harness.upstream import hang_up, never, slam


def client(upstream: RawUpstream, clock: Clock) -> Client:
    """As the app makes one for a prober."""
    origin = Origin("127.0.0.1", upstream.port)
    pool = ConnectionPool(origin, clock, Limits(), most=1, idle=0.0)
    return Client("gateway", RequestWriter(b"/base", b"up.test", "i"), pool, clock, Forward())


class Asking:
    """A prober on a clock of the test's, and what it finds."""

    def __init__(self, upstream: RawUpstream, **asked: Any) -> None:
        self.clock = FakeClock(asleep=False)
        self.pulse = Pulse()
        self.counted = Counts(("upstream", "result"))
        self.bugs: list[BaseException] = []
        settings: dict[str, Any] = {"interval": 10.0, "timeout": 2.0, "failures": 3}
        spelled = asked.pop("spelled", HTTP.spell("", "GET", b"/healthz", b""))
        self.client = client(upstream, self.clock)
        self.prober = Prober(
            self.client,
            question(spelled, **(settings | asked)),
            HTTP.judge,
            self.pulse,
            self.counted,
            self.clock,
            self.bugs.append,
        )

    async def ask(self, times: int = 1) -> None:
        """So many probes, to their ends."""
        for _ in range(times):
            done = sum(self.counted.rows.values()) + len(self.bugs)
            self.clock.advance(11.0)
            await within(self._until(done + 1))

    async def _until(self, done: int) -> None:
        while sum(self.counted.rows.values()) + len(self.bugs) < done:
            await breathe()

    def found(self) -> dict[str, int]:
        """How often what."""
        return {result: number for (_, result), number in self.counted.rows.items()}


@pytest.fixture
async def upstream() -> AsyncIterator[RawUpstream]:
    """The one that is asked."""
    async with RawUpstream() as far:
        yield far


async def test_it_asks_for_a_path(upstream: RawUpstream) -> None:
    """By GET, behind the base path of its URL; an agent is not needed."""
    asking = Asking(upstream)
    asking.prober.start()
    await asking.ask()
    asking.prober.stop()
    asked = upstream.requests[0]
    assert asked.start == b"GET /base/healthz HTTP/1.1"
    assert asked.value("host") == b"up.test"
    assert asked.value("user-agent") == b"holdfast"
    assert asking.found() == {"passed": 1}


@pytest.mark.parametrize(("path", "target"), [(b"", b"/base/"), (b"/v1/run", b"/base/v1/run")])
async def test_it_calls_a_tool(upstream: RawUpstream, path: bytes, target: bytes) -> None:
    """With an empty input, where calls are taken: as its protocol spells it."""
    asking = Asking(upstream, spelled=TOOLS.spell("get_balance", "", path, b""))
    asking.prober.start()
    await asking.ask()
    asking.prober.stop()
    asked = upstream.requests[0]
    assert (asked.method, asked.target) == (b"POST", target)
    assert asked.body == b'{"tool":"get_balance","input":{}}'
    assert asked.value("content-type") == b"application/json"


@pytest.mark.parametrize(
    ("step", "word", "well"),
    [
        (answer(200), "passed", True),
        (answer(302), "passed", True),
        (answer(401), "passed", True),
        (answer(404), "passed", True),
        (answer(429), "throttled", True),
        (answer(402), "throttled", True),
        (answer(503, "Retry-After: 5"), "throttled", True),
        (answer(500), "failed", False),
        (answer(503), "failed", False),
        (hang_up, "failed", False),
        (slam, "failed", False),
        (b"hello\r\n\r\n", "failed", False),
        (answer(200, "Content-Length: 5", body=None), "passed", True),
    ],
)
async def test_what_is_well(upstream: RawUpstream, step: Any, word: str, well: bool) -> None:
    """Whatever shows that somebody is there and does his work; throttling says nothing."""
    upstream.otherwise = step
    asking = Asking(upstream)
    asking.prober.start()
    await asking.ask(3)
    assert (asking.found(), asking.pulse.well) == ({word: 3}, well)
    asking.prober.stop()


async def test_throttling_does_not_make_it_well_again(upstream: RawUpstream) -> None:
    """Nor does it break a row of failures: it is as if nobody had asked."""
    upstream.then(*[answer(500)] * 2, answer(429), answer(500), answer(429), answer(200))
    asking = Asking(upstream)
    asking.prober.start()
    found = []
    for _ in range(6):
        await asking.ask()
        found.append(asking.pulse.well)
    assert found == [True, True, True, False, False, True]
    asking.prober.stop()


async def test_no_answer_in_time_is_a_failure(upstream: RawUpstream) -> None:
    """And its connection is closed."""
    upstream.otherwise = never
    asking = Asking(upstream)
    asking.prober.start()
    asking.clock.advance(11.0)
    await upstream.seen()
    asking.clock.advance(1.9)
    await breathe(5)
    assert asking.found() == {}
    asking.clock.advance(0.2)
    assert asking.found() == {"failed": 1}
    await upstream.closed()
    asking.prober.stop()


async def test_nobody_listening_is_a_failure(upstream: RawUpstream) -> None:
    """The commonest way to be dead."""
    asking = Asking(upstream)
    await upstream.shut()
    asking.prober.start()
    await asking.ask(3)
    assert (asking.found(), asking.pulse.well) == ({"failed": 3}, False)
    asking.prober.stop()


async def test_each_probe_has_a_connection_of_its_own(upstream: RawUpstream) -> None:
    """That the upstream still takes new ones is half of what is asked."""
    asking = Asking(upstream)
    asking.prober.start()
    await asking.ask(3)
    assert len(upstream.connections) == 3
    await upstream.closed(2)
    asking.prober.stop()


async def test_what_this_machine_has_run_out_of_says_nothing(upstream: RawUpstream) -> None:
    """It is counted, and the upstream is as well as it was."""
    asking = Asking(upstream)

    async def full(attempt: Any) -> Reply:
        return Reply(status=0, failure=Failure.OVERLOADED)

    asking.client.send = full  # type: ignore[method-assign]  # the one thing that matters here
    asking.prober.start()
    await asking.ask(5)
    assert (asking.found(), asking.pulse.well) == ({"not_sent": 5}, True)
    asking.prober.stop()


async def test_it_asks_at_intervals_that_chance_makes_uneven(upstream: RawUpstream) -> None:
    """The first time somewhere in the first one: pods that start together ask apart."""
    asking = Asking(upstream)
    asking.prober.start()
    await asking.ask(20)
    first, *others = asking.clock.slept
    assert 0 <= first <= 10.0
    assert all(10.0 * (1 - JITTER) <= each <= 10.0 * (1 + JITTER) for each in others)
    assert len(set(others)) > 10
    asking.prober.stop()


async def test_it_is_started_once_and_stopped(upstream: RawUpstream) -> None:
    """A second start is none; when it is stopped nothing is left, and nothing is known."""
    asking = Asking(upstream)
    upstream.otherwise = answer(500)
    for _ in range(2):
        asking.prober.start()
    assert (asking.pulse.probed, len(asking.clock.slept)) == (True, 1)
    await asking.ask(3)
    asking.prober.stop()
    asking.prober.stop()
    assert (asking.pulse.probed, asking.pulse.well) == (False, True)
    asking.clock.advance(100.0)
    await breathe(3)
    assert len(upstream.requests) == 3


async def test_it_may_be_stopped_in_the_middle_of_a_probe(upstream: RawUpstream) -> None:
    """The connection goes with it, and the probe counts as nothing."""
    upstream.otherwise = never
    asking = Asking(upstream)
    asking.prober.start()
    asking.clock.advance(11.0)
    await upstream.seen()
    asking.prober.stop()
    await upstream.closed()
    assert (asking.found(), asking.bugs) == ({}, [])


async def test_a_bug_is_told_and_the_next_probe_comes(upstream: RawUpstream) -> None:
    """An upstream that nobody asks any more would keep its standing for ever."""
    asking = Asking(upstream)
    send = asking.client.send

    def broken(attempt: Any) -> Any:
        asking.client.send = send  # type: ignore[method-assign]  # only once
        raise RuntimeError("a bug")

    asking.client.send = broken  # type: ignore[method-assign]  # as above
    asking.prober.start()
    await asking.ask(2)
    assert ([type(bug) for bug in asking.bugs], asking.found()) == ([RuntimeError], {"passed": 1})
    asking.prober.stop()
