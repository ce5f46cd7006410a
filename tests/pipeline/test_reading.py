"""Reading a body before it is known what the call is for."""

from collections.abc import Callable
from typing import Any

import pytest

from proxy.call import RequestHead, Whole
from proxy.keys import KILLS
from proxy.pipeline.mount import Mount
from proxy.pipeline.reading import Reader
from proxy.pipeline.table import Table
from proxy.pipeline.walk import Way
from proxy.protocols.protocol import Reads, Rules
from proxy.protocols.recognise import HTTP
from proxy.protocols.tools import Tools
from proxy.refusal import Refusal
from proxy.reply import Failure
from proxy.stages.failover import Backups
from proxy.state.killed import Kill
from proxy.state.kills import Kills
from proxy.state.scopes import Net, Scope
from proxy.strand import Strand
from proxy.wire.body import AHEAD, Body, Memory
from proxy.wire.head import BadMessage
from tests.exchanges import FakeExchange
from tests.fakes import FakeClock, ScriptedUpstream, make_call
from tests.tables import Desk

LIMIT = 3 * AHEAD
NOTHING = "nothing came"


class Wanting(Tools):
    """A protocol that wants to read as much as it is told."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    def reads(self, head: RequestHead) -> Reads:
        """See Protocol."""
        return self._reads


class Reading:
    """One body being read."""

    def __init__(
        self,
        body: Body | Whole | None = None,
        *,
        reads: Reads = Reads.WHOLE,
        clock: FakeClock | None = None,
        table: Table | None = None,
        **exchange: Any,
    ) -> None:
        self.clock = clock or FakeClock()
        self.body: Any = Body() if body is None else body
        self.exchange = FakeExchange(body=self.body, **exchange)
        self.call = make_call()
        self.read: Any = NOTHING
        self.ends: list[BaseException | None] = []
        table, rules = table or Desk().table, Rules(False, LIMIT)
        self._mount = Mount(
            "gateway", b"", Wanting(reads), rules, Way(ScriptedUpstream(), HTTP), table, Backups()
        )
        self.strand = Strand(self._reading(), self.ends.append)
        self.strand.step()

    async def _reading(self) -> None:
        exchange: Any = self.exchange  # it has what is asked of a connection
        self.read = await Reader(self.clock).read(exchange, self.call, self._mount)

    @property
    def refused(self) -> str:
        """The code."""
        assert isinstance(self.read, Refusal)
        assert self.read.detail
        return self.read.code


def test_what_came_whole_is_there() -> None:
    """Nobody is watched, nothing is waited for."""
    reading = Reading(Whole(b"{}"))
    assert (reading.read, reading.exchange.watched) == (b"{}", [])


def test_of_what_is_killed_nothing_is_read() -> None:
    """Not even what is here already; the agent need not send the rest."""
    desk = Desk()
    killed = Net([Kill(Scope("all"), "why", "ann", "admin")])
    desk.table.grounds.enforced.kept(KILLS, Kills).net = killed
    reading = Reading(Whole(b"1"), table=desk.table)
    assert reading.refused == "killed"
    assert reading.exchange.body.whole == b"1"


def test_what_came_whole_may_be_too_large() -> None:
    """More is not looked at than is said, wherever it is."""
    assert Reading(Whole(b"x" * (LIMIT + 1))).refused == "body_too_large"
    assert len(Reading(Whole(b"x" * LIMIT)).read) == LIMIT


def test_a_body_is_read_to_its_end() -> None:
    """Its pace is watched meanwhile, and the waiting is not our own time."""
    reading = Reading()
    reading.body.feed(b'{"tool":')
    assert (reading.read, reading.exchange.watched) == (NOTHING, ["watched"])
    reading.clock.advance(3.0)
    reading.body.finish(b' "x"}', [])
    assert reading.read == b'{"tool": "x"}'
    assert (reading.exchange.watched, reading.call.waited) == (["watched", "unwatched"], 3.0)


def test_an_empty_body_is_read() -> None:
    """It is no bytes, not nothing."""
    reading = Reading()
    reading.body.finish(b"", [])
    assert reading.read == b""


def test_what_says_that_it_is_too_large_is_refused_before_it_is_sent() -> None:
    """Nobody is told to go on."""
    reading = Reading(length=LIMIT + 1)
    assert (reading.refused, reading.exchange.watched) == ("body_too_large", [])
    assert Reading(length=LIMIT).read == NOTHING


def test_what_turns_out_to_be_too_large_is_refused() -> None:
    """As soon as it is."""
    reading = Reading()
    reading.body.feed(b"x" * LIMIT)
    assert reading.read == NOTHING
    reading.body.feed(b"x")
    assert reading.refused == "body_too_large"
    assert reading.exchange.watched[-1] == "unwatched"


# --- the beginning ---


@pytest.mark.parametrize("reads", [Reads.BEGINNING])
def test_what_does_not_look_like_json_need_not_be_read(reads: Reads) -> None:
    """However long it says it is; it passes as it comes."""
    reading = Reading(reads=reads, length=LIMIT + 1)
    reading.body.feed(b"--boundary")
    assert reading.read is None
    assert reading.exchange.watched == ["watched", "unwatched"]


def test_what_looks_like_json_is_read_whole() -> None:
    """Whatever its type says."""
    reading = Reading(reads=Reads.BEGINNING)
    reading.body.feed(b' {"a":')
    assert reading.read == NOTHING
    reading.body.finish(b"1}", [])
    assert reading.read == b' {"a":1}'


def test_what_looks_like_json_and_is_too_large_is_refused() -> None:
    """The first bytes decided that it must be read."""
    reading = Reading(reads=Reads.BEGINNING)
    reading.body.feed(b"{" + b"x" * LIMIT)
    assert reading.refused == "body_too_large"


# --- what goes wrong ---


def test_a_body_that_breaks_off_is_refused() -> None:
    """The agent's fault, where nobody knows better."""
    reading = Reading()
    reading.body.fail(Failure.BAD_REQUEST)
    assert reading.refused == "bad_request"


def test_a_bad_body_is_refused_for_what_was_wrong() -> None:
    """The connection knows."""
    reading = Reading()
    reading.exchange.bad = BadMessage("slow_body", "request_timeout", "the body came too slowly")
    reading.body.fail(Failure.BAD_REQUEST)
    assert reading.refused == "request_timeout"


def test_a_cancelled_reading_is_watched_no_longer() -> None:
    """The call is over."""
    reading = Reading()
    reading.clock.advance(2.0)
    reading.strand.cancel()
    assert (reading.ends, reading.exchange.watched) == ([None], ["watched", "unwatched"])
    assert reading.call.waited == 2.0


class Drying(FakeClock):
    """Time in which others give their memory back at some moment."""

    def __init__(self, at: float, gives: Callable[[], None]) -> None:
        super().__init__()
        self._at = self.time + at
        self._gives = gives

    def advance(self, seconds: float) -> None:
        """Pass, and give back when it is time."""
        super().advance(seconds)
        if self.time >= self._at:
            self._gives()


def dry(gives_after: float, fields: dict[bytes, bytes] | None = None) -> Reading:
    """A body for which there is no memory at first."""
    pool = Memory(4 * AHEAD)
    assert pool.take(pool.size)
    body = Body(memory=pool)
    body.feed(b"{" * (2 * AHEAD))
    clock = Drying(gives_after, lambda: pool.give(pool.size - pool.free))
    return Reading(body, clock=clock, fields=fields)


def test_memory_is_waited_for() -> None:
    """It comes back when others end; then the reading goes on."""
    reading = dry(gives_after=2.0)
    assert reading.read == NOTHING
    reading.body.finish(b"}", [])
    assert len(reading.read) == 2 * AHEAD + 1
    assert reading.call.waited == pytest.approx(2.0, abs=0.06)


def test_memory_is_not_waited_for_for_ever() -> None:
    """Five seconds; the refusal says that it may be tried again soon."""
    reading = dry(gives_after=6.0)
    assert (reading.refused, reading.read.retry_after) == ("overloaded", 1.0)
    assert reading.call.waited == pytest.approx(5.0, abs=0.06)


def test_an_impatient_agent_waits_a_quarter_of_its_time() -> None:
    """The rest is for the call itself."""
    reading = dry(gives_after=2.0, fields={b"holdfast-timeout-ms": b"4000"})
    assert reading.refused == "overloaded"
    assert reading.call.waited == pytest.approx(1.0, abs=0.06)


def test_a_body_for_which_there_is_not_room_enough_takes_none() -> None:
    """Nor does it begin to, when its time is over: others could finish with that."""
    memory = Memory(100)
    assert memory.take(60)
    reading = Reading(Body(memory=memory), length=80)
    assert (reading.refused, memory.free) == ("overloaded", 40)


# --- what people are to be shown ---


def fetched(body: Body | Whole, limit: int = 10, **exchange: Any) -> tuple[list[Any], Any, Any]:
    """What comes of it, the exchange, and the call."""
    clock, call = FakeClock(), make_call()
    at: Any = FakeExchange(body=body, **exchange)
    read: list[Any] = []

    async def fetch() -> None:
        read.append(await Reader(clock).fetch(at, call, limit))
        clock.advance(1.0)

    Strand(fetch(), read.append).step()
    return read, at, call


def test_a_body_may_be_wanted_later() -> None:
    """When it is known that people must see it."""
    body = Body()
    read, exchange, _ = fetched(body)
    body.feed(b"abc")
    assert (read, exchange.watched) == ([], ["watched"])
    body.finish(b"d", [])
    assert (read, body.whole, exchange.watched) == ([None, None], b"abcd", ["watched", "unwatched"])


def test_what_is_here_need_not_be_fetched() -> None:
    """Nobody is watched."""
    body = Body()
    body.finish(b"x", [])
    for each in (Whole(b"x"), body):
        read, exchange, _ = fetched(each)
        assert (read, exchange.watched) == ([None, None], [])


def test_what_is_fetched_may_be_too_large() -> None:
    """Said at once where that is known."""
    read, exchange, _ = fetched(Body(), length=11)
    assert (read[0].code, exchange.watched) == ("body_too_large", [])
    body = Body()
    read, exchange, _ = fetched(body)
    body.feed(b"x" * 11)
    assert (read[0].code, exchange.watched[-1]) == ("body_too_large", "unwatched")
