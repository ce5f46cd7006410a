"""A grant: what was reserved for one sending, and what it comes to."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from proxy.call import Whole
from proxy.protocols.hearing import Usage
from proxy.reply import Failure, Reply
from proxy.state.account import Account
from proxy.state.caps import Cap, Limit
from proxy.state.grant import LONGEST_READ, Grant, passed
from proxy.state.price import Price
from proxy.state.rates import SCALE, Rates, Spell, Tariff
from tests.fakes import FakeBody, make_call, make_reply
from tests.hearings import FakeHearing

SIZED = Price(10, per_kb=2)
TELLS = Price(10, from_reply="cost")


class Flow:
    """A body that is still coming; `watch` is the one who sees it."""

    whole = None
    replayable = False
    tap: Any = None

    def watch(self, tap: Any) -> None:
        """From now on."""
        self.tap = tap


def plainly(content: bytes) -> bytes | None:
    """There is no coding."""
    return content


def account(limit: int) -> Account:
    """With a limit for the day."""
    made = Account(Cap("cap", "agent", (Limit("day", limit),)), "k", 0.0)
    made.enter(0.0)
    made.promise(1 << 60)
    return made


def answered(grant: Grant, content: bytes) -> int:
    """What it comes to with this answer."""
    reply = make_reply(200)
    reply.body = Whole(content)  # type: ignore[assignment]  # what a reply's body has beside is not asked
    grant.watch_answer(reply, lambda _: None)
    return grant.cost(reply, plainly)


def test_a_fixed_price_watches_nothing() -> None:
    """It is what it is."""
    grant = Grant((), 7, Price(7))
    assert (grant.cost(Reply(200), plainly), grant.estimated, passed(grant)) == (7, False, 0)


def test_bodies_that_are_here_count_at_once() -> None:
    """Both of them, in KiB begun."""
    grant = Grant((), 12, SIZED)
    asked: list[int] = []
    grant.watch_request(make_call(body=FakeBody(b"x" * 1_025)), asked.append)
    assert asked == [2]  # two KiB were begun: 14, of which 12 are reserved
    assert answered(grant, b"y" * 1_023) == 14
    assert passed(grant) == 2_048
    assert not grant.estimated


def test_a_body_on_its_way_counts_as_it_flows() -> None:
    """Once, also where it is sent once more; it asks for more as soon as more is missing."""
    grant = Grant((), 12, SIZED)
    asked: list[int] = []
    flow: Any = Flow()
    grant.watch_request(make_call(body=flow), asked.append)
    flow.tap.saw(0, b"x" * 1_000)
    flow.tap.saw(0, b"x" * 1_000)
    flow.tap.saw(500, b"x" * 524)
    assert (passed(grant), asked) == (1_024, [])
    flow.tap.saw(1_000, b"x" * 100)
    assert (passed(grant), asked) == (1_100, [2])


def test_a_tunnel_costs_what_goes_onward() -> None:
    """It has no body that would have been seen before."""
    grant, onward = Grant((), 12, SIZED), Flow()
    reply = make_reply(101)
    reply.tunnel, reply.body = onward, None  # type: ignore[assignment]  # as far as it is watched
    grant.watch_answer(reply, lambda _: None)
    onward.tap.saw(0, b"x" * 3_000)
    assert grant.cost(reply, plainly) == 16


def test_an_answer_without_a_body_tells_nothing() -> None:
    """What was thought stands, and is marked."""
    grant = Grant((), 10, TELLS)
    grant.watch_answer(Reply(204), lambda _: None)
    assert (grant.cost(Reply(200), plainly), grant.estimated) == (10, True)
    assert (Grant((), 10, TELLS).cost(Reply(200), plainly)) == 10  # none came


@pytest.mark.parametrize(
    ("content", "cost", "estimated"),
    [(b'{"cost": 0.5}', 500_000, False), (b'{"cost": 0}', 0, False), (b"{}", 10, True)],
)
def test_an_answer_may_tell_the_price(content: bytes, cost: int, estimated: bool) -> None:
    """An explicit zero stays zero."""
    grant = Grant((), 10, TELLS)
    assert (answered(grant, content), grant.estimated) == (cost, estimated)


def test_what_cannot_be_decoded_tells_nothing() -> None:
    """A coding that nobody knows."""
    grant = Grant((), 10, TELLS)
    answered(grant, b'{"cost": 1}')
    assert (grant.cost(Reply(200), lambda _: None), grant.estimated) == (10, True)


@given(st.lists(st.integers(0, 40), max_size=6))
def test_a_price_is_read_however_it_is_cut(cuts: list[int]) -> None:
    """At any byte; and seen twice is read once."""
    content = json.dumps({"cost": "0.25", "more": "é" * 5}).encode()
    grant, flow = Grant((), 10, TELLS), Flow()
    reply = make_reply(200)
    reply.body = flow  # type: ignore[assignment]  # as above
    grant.watch_answer(reply, lambda _: None)
    edges = sorted({0, len(content), *(min(cut, len(content)) for cut in cuts)})
    for start, end in pairwise(edges):
        flow.tap.saw(start, content[start:end])
        flow.tap.saw(0, content[:end])
    assert grant.cost(reply, plainly) == 10  # it may not have ended
    flow.tap.ended()
    assert (grant.cost(Reply(200), plainly), grant.estimated) == (250_000, False)


def test_a_long_answer_is_not_read() -> None:
    """Nobody keeps a gigabyte for a price."""
    grant = Grant((), 10, TELLS)
    assert answered(grant, b'{"cost": 1, "x": "' + b"x" * LONGEST_READ + b'"}') == 10
    assert grant.estimated


def test_more_is_taken_of_all_accounts() -> None:
    """Where one has no room, that is overrun."""
    roomy, tight = account(1_000), account(150)
    grant = Grant((roomy, tight), 100, SIZED)
    for one in grant.accounts:
        one.reserve(100)
    grant.more(60)
    assert (grant.amount, roomy.reserved, tight.reserved) == (160, 160, 160)
    assert (roomy.overrun, tight.overrun) == (0, 10)


def test_what_is_over_asks_for_no_more() -> None:
    """The request of a sending that failed flows once more for the next one."""
    grant = Grant((), 12, SIZED)
    asked: list[int] = []
    flow: Any = Flow()
    grant.watch_request(make_call(body=flow), asked.append)
    grant.settled = 12
    flow.tap.saw(0, b"x" * 9_000)
    assert asked == []


def test_more_is_asked_for_in_steps() -> None:
    """So that it need not be asked for with each piece."""
    grant = Grant((), 12, SIZED)
    assert grant.step(1) == 128
    assert grant.step(500) == 500


RATES = Rates(input=SCALE, output=10 * SCALE, reasoning=10 * SCALE)
MODEL = Price(tariff=Tariff((Spell(RATES),)), usual=50)


def reserved(*accounts: Account, stream: bool = True) -> Grant:
    """For a request of a hundred tokens, and fifty of its answer."""
    call = make_call(stream=stream)
    call.tokens = 100
    return Grant.thought(accounts, MODEL, call, 0.0)


def hearing(usage: Usage | None = None, written: int = 0, *, ended: bool = False) -> FakeHearing:
    """What was heard of it."""
    heard = FakeHearing(ended=ended)
    heard.usage, heard.written = usage, written
    return heard


def test_a_model_is_reserved_what_its_answer_may_cost() -> None:
    """By what it costs when it is sent; its bodies are not measured."""
    grant = reserved()
    assert (grant.amount, grant.rates, grant.received) == (600, RATES, 100)
    asked: list[int] = []
    grant.watch_request(make_call(body=FakeBody(b"x" * 9_999)), asked.append)
    assert (grant.sent, asked) == (None, [])


@pytest.mark.parametrize(
    ("heard", "stream", "cost", "estimated"),
    [
        (hearing(Usage(90, 7), 9_999, ended=True), True, 160, False),
        (hearing(Usage(90, 7), 9_999, ended=True), False, 160, False),
        (hearing(None, 400, ended=True), True, 1_100, True),
        (hearing(None, 400, ended=True), False, 1_100, True),
        (hearing(Usage(90, 1), 400), True, 1_090, True),  # cut before it said what it wrote
        (hearing(), True, 100, True),  # cut before its first word: it stops then
        (hearing(), False, 600, True),  # it may have written all of it, and nobody read it
        (None, True, 600, True),  # nothing was heard: what was thought stands
        (None, False, 600, True),
    ],
)
def test_what_a_model_is_paid(
    heard: FakeHearing | None, stream: bool, cost: int, estimated: bool
) -> None:
    """What its answer says that it used, or what was heard of it."""
    grant = reserved(stream=stream)
    reply = make_reply(200, hearing=heard)
    assert (grant.cost(reply, plainly), grant.estimated) == (cost, estimated)


@pytest.mark.parametrize(
    ("heard", "cost"),
    [
        (hearing(Usage(90, 7), 9_999, ended=True), 160),
        (hearing(None, 20), 600),  # its agent has read one word, and fetches the rest later
        (hearing(None, 400), 1_100),
        (hearing(), 600),
        (None, 600),
    ],
)
def test_what_is_written_on_unread_is_paid(heard: FakeHearing | None, cost: int) -> None:
    """Its agent leaves the stream, and fetches all of it when it is done."""
    call = make_call(stream=True, lasts=True)
    call.tokens = 100
    grant = Grant.thought((), MODEL, call, 0.0)
    assert grant.cost(make_reply(200, hearing=heard), plainly) == cost
    if heard is None:
        assert grant.cost(make_reply(Failure.DISCONNECT), plainly) == cost


def test_what_is_reserved_is_no_limit_to_what_is_paid() -> None:
    """Of an answer of which nothing can be heard."""
    call = make_call()
    call.tokens = 100
    grant = Grant.thought((), replace(MODEL, reserve_cap=1), call, 0.0)
    assert grant.amount == 110
    assert grant.cost(make_reply(200, hearing=hearing()), plainly) == 600


@pytest.mark.parametrize(
    ("what", "whole", "stream"),
    [
        (400, 0, 0),
        (429, 0, 0),
        (500, 100, 100),  # it said that it failed: what came in may be paid
        (Failure.TIMEOUT, 600, 100),
        (Failure.DISCONNECT, 600, 100),
        (Failure.CONNECT, 0, 0),
    ],
)
def test_what_a_failure_of_a_model_costs(what: Any, whole: int, stream: int) -> None:
    """Nothing where it was turned away. Where nobody can tell, what was thought; but a stream is
    paid as far as it came."""
    for cost, streams in ((whole, False), (stream, True)):
        grant = reserved(stream=streams)
        assert (grant.cost(make_reply(what), plainly), grant.estimated) == (cost, cost > 0)


def test_a_stream_asks_for_more_as_it_writes() -> None:
    """When it has written more than was thought, every few words, and when it says what it used."""
    grant, flow, heard = reserved(), Flow(), hearing()
    asked: list[int] = []
    reply = make_reply(200, hearing=heard)
    reply.body = flow  # type: ignore[assignment]  # as above
    grant.watch_answer(reply, asked.append)
    for written in (0, 100, 200, 204, 260, 340):  # bytes; 200 are the fifty tokens
        heard.written = written
        flow.tap.saw(0, b"piece")
    assert asked == [350]  # at 340: 85 tokens
    heard.usage = Usage(100, 200)
    flow.tap.saw(0, b"piece")
    assert asked == [350, 1_500]
    grant.settled = 0
    heard.usage = Usage(100, 300)
    flow.tap.saw(0, b"piece")
    flow.tap.ended()
    assert asked == [350, 1_500]  # it is over


def test_more_tokens_are_reserved_in_steps() -> None:
    """A thousand of the answer's, at what they cost there."""
    assert reserved().step(1) == 10_240
    assert reserved().step(99_999) == 99_999


def test_who_is_not_heard_is_not_watched() -> None:
    """Nor an answer that is here."""
    grant, flow = reserved(), Flow()
    reply = make_reply(200)
    reply.body = flow  # type: ignore[assignment]  # as above
    grant.watch_answer(reply, lambda _: None)
    assert flow.tap is None
    grant.watch_answer(make_reply(204, hearing=hearing()), lambda _: None)
    assert answered(grant, b"{}") == 600
