"""What is counted, recorded and reported of a call that goes through the gateway."""

import pytest

from proxy.attempt import Attempt
from proxy.reply import Failure, Reply
from proxy.strand import Signal
from proxy.wire.body import Body, Memory
from proxy.wire.head import BadMessage
from tests.exchanges import FakeExchange
from tests.fakes import FakeClock, ScriptedUpstream, Step, make_reply
from tests.test_gateway import Path, events

READ = "policies: [{name: r, effect: read, retry: {attempts: 2}}]"


class Late(ScriptedUpstream):
    """An upstream that takes two seconds for the head of its answer."""

    clock: FakeClock

    async def __call__(self, attempt: Attempt) -> Reply:
        """As a connection does it."""
        self.clock.advance(2.0)
        attempt.first_byte = self.clock.now()
        attempt.call.waited += 2.0
        return await super().__call__(attempt)


def test_the_record_of_a_stream_knows_when_it_began() -> None:
    """Its first byte went out long before its end; the time between is nobody's but its own."""
    upstream = Late(events())
    path = Path(upstream=upstream)
    upstream.clock = path.clock
    exchange = FakeExchange()
    path.start(exchange)
    path.clock.advance(60.0)
    exchange.over.set(None)
    path.answer(exchange)
    record = path.record
    assert (record.ttfb_us, record.duration_us) == (2_000_000, 62_000_000)
    assert (record.overhead_us, record.outcome) == (0, "ok")


# --- ends that wait for their record ---


class Marked(ScriptedUpstream):
    """An upstream whose calls must wait, as if a gate had said so."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self.durable: Signal[bool] = Signal()

    async def __call__(self, attempt: Attempt) -> Reply:
        """Answer at once."""
        attempt.call.lasting = lambda: self.durable
        return await super().__call__(attempt)


def test_a_whole_answer_waits_for_its_record() -> None:
    """The call has settled by then; nobody waits for more of the agent's body."""
    upstream, exchange = Marked(200), FakeExchange()
    path = Path(upstream=upstream)
    path.start(exchange)
    assert (exchange.watched, exchange.answered, path.record.outcome) == (["waits"], [], "ok")
    assert path.flying == 0
    upstream.durable.set(False)
    assert path.answer(exchange).status == 200


@pytest.mark.parametrize("streamed", [False, True])
def test_a_call_that_is_stopped_while_its_record_is_awaited_is_settled_once(streamed: bool) -> None:
    """Its record is there already."""
    upstream, exchange = Marked(events() if streamed else 200), FakeExchange()
    path = Path(upstream=upstream)
    strand = path.start(exchange)
    if streamed:
        exchange.over.set(None)
    assert path.ends == []
    strand.cancel()
    assert path.ends == [None]
    path.answer(exchange)
    assert path.record.outcome == "ok"


# --- bad requests ---


def test_a_body_that_is_bad_is_counted_once_by_what_is_wrong_with_it() -> None:
    """Though it was read to know what the call is: the connection knows better than the reader."""
    path, body = Path(), Body()
    exchange = FakeExchange(target="/", body=body)
    path.start(exchange)
    exchange.bad = BadMessage("chunk_size", "bad_request", "a chunk's size is no number")
    body.fail(Failure.BAD_REQUEST)
    answer = path.answer(exchange)
    assert (answer.problem["code"], answer.status) == ("bad_request", 400)
    assert path.watching.bad == ["chunk_size"]


def test_a_body_that_is_bad_is_counted_whatever_was_answered() -> None:
    """The upstream may have been content before it was seen."""
    path, exchange = Path(200), FakeExchange()
    exchange.bad = BadMessage("chunk_size", "bad_request", "a chunk's size is no number")
    assert path.call(exchange).status == 200
    assert path.watching.bad == ["chunk_size"]


def test_a_call_for_which_there_is_no_memory_is_no_bad_request() -> None:
    """Its agent has done nothing wrong."""
    path = Path()
    body = Body(memory=Memory(1))
    exchange = FakeExchange(target="/", body=body, length=10)
    body.feed(b'{"tool"')
    strand = path.start(exchange)
    while not path.ends:
        strand.step()
    assert path.answer(exchange).problem["code"] == "overloaded"
    assert path.watching.bad == []


# --- bugs of who settles ---


def breaking(what: int | Failure, bug: Exception) -> Reply:
    """A reply that somebody settles who must not break, and does."""

    def breaks(subject: None, reply: Reply) -> None:
        raise bug

    reply = make_reply(what)
    reply.finishers.append((breaks, None))
    return reply


@pytest.mark.parametrize(
    ("first", "then", "told"),
    [
        (200, [], "200"),
        (404, [], "404"),
        (503, [200], "200"),
        (503, [502], "502"),
        (Failure.CERTIFICATE, [], "upstream_unreachable"),
    ],
)
def test_a_bug_of_who_settles_is_reported_and_costs_nothing(
    first: int | Failure, then: list[Step], told: str
) -> None:
    """Once, with whatever the call comes to: an answer, a later attempt's, words of our own."""
    bug = ZeroDivisionError()
    path = Path(breaking(first, bug), *then, text=READ)
    answer = path.call()
    assert told in (str(answer.status), answer.lines.get("holdfast-reason"))
    assert path.watching.bugs == [bug]
    assert path.record.code != "internal_error"
