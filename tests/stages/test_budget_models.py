"""What calls of models cost: by the tokens that they use, before, while they stream, and after."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import Call
from proxy.config.cascade import cascade
from proxy.counts import COST_UNKNOWN
from proxy.keys import LEDGER
from proxy.pipeline.ending import record_of
from proxy.pipeline.money import charged
from proxy.pipeline.mount import Mount
from proxy.pipeline.table import facts
from proxy.pipeline.walk import plan_of
from proxy.protocols.hearing import Usage
from proxy.protocols.protocol import Rules
from proxy.reply import Failure, Reply
from proxy.stage import Site
from proxy.stages.budget import Budgets, Spending
from proxy.state.ledger import Ledger
from proxy.wire.body import Body
from tests.fakes import FakeBody, ScriptedUpstream, make_reply, run
from tests.hearings import FakeHearing
from tests.tables import Desk, post

PRICES = "prices: {models: {m: {input_mtok: 100, output_mtok: 1000, cache_read_mtok: 10}}}\n"
DAY = PRICES + "budgets: [{name: cap, per: agent, day: 1.00}]\n"
"""A thousand tokens of the request cost ten cents, as many of the answer a dollar."""


def asked(model: str = "m", *, output: int = 100, stream: bool = False) -> Call:
    """A request of a thousand tokens."""
    call = post(model)
    call.tokens, call.output, call.stream = 1_000, output, stream
    return call


def found(desk: Desk, call: Call) -> Any:
    """What such a call passes, as if a protocol of models had recognised it."""
    mount = desk.table.mount(call.target)
    assert isinstance(mount, Mount)
    mount.enter(call)
    assert mount.protocol.recognise(call, b"{}", Rules()) is None
    call.layer, call.model = "llm", call.tool
    return desk.table.pipeline(call, mount)


def said(usage: Usage | None, written: int = 0, *, ended: bool = True) -> FakeHearing:
    """What is heard of an answer."""
    hearing = FakeHearing(ended=ended)
    hearing.usage, hearing.written = usage, written
    return hearing


def answer(hearing: FakeHearing | None, status: int = 200, **changes: Any) -> Reply:
    """That is here."""
    return make_reply(status, body=FakeBody(b"{}"), hearing=hearing, **changes)


def passed(desk: Desk, call: Call) -> Reply:
    """A whole call, finished and closed."""
    reply: Reply = run(found(desk, call)(call))
    reply.finish()
    reply.close()
    return reply


def spent(desk: Desk) -> tuple[int, int, int]:
    """Spent, reserved and overrun, of the one account."""
    made = dict(desk.keep.items())[LEDGER]
    assert isinstance(made, Ledger)
    (account,) = made.accounts()
    return account.spent, account.reserved, account.overrun


def test_it_is_settled_to_what_was_used() -> None:
    """Which is less than was thought, and known before the head of a whole answer goes out."""
    desk = Desk(DAY, answer(said(Usage(900, 20, cache_read=400))))
    call = asked()
    reply = passed(desk, call)
    used = 500 * 100 + 400 * 10 + 20 * 1_000
    assert spent(desk) == (used, 0, 0)
    assert call.purse.known == used
    record = record_of(call, reply, 0.0)
    assert (record.cost_micros, record.cost_estimated) == (used, False)
    assert record.reserved_micros == 200_000
    assert record.tokens == {"input": 900, "output": 20, "cache_read": 400}


def test_a_call_that_may_cost_more_than_there_is_does_not_go() -> None:
    """By its own limit of what is written; a smaller one goes."""
    desk = Desk(DAY, answer(said(Usage(1_000, 1))))
    refusal = passed(desk, asked(output=901)).refusal
    assert refusal is not None
    assert refusal.code == "budget_exceeded"
    assert passed(desk, asked(output=900)).status == 200


def test_less_may_be_reserved_than_it_may_cost() -> None:
    """As the policy says; what it costs beyond that is charged in full, and shown."""
    text = DAY + "policies: [{name: p, cost: {reserve_cap: 5}}]\n"
    desk = Desk(text, answer(said(Usage(1_000, 1_000))))
    call = asked(output=1_000_000)
    passed(desk, call)
    assert call.purse.reserved == 105_000
    assert spent(desk) == (1_100_000, 0, 100_000)


@pytest.mark.parametrize(
    ("reply", "costs", "estimated"),
    [
        (answer(said(None, 400)), 200_000, True),  # it does not say; it wrote a hundred tokens
        (answer(None), 200_000, True),  # nobody could hear it: as was thought
        (answer(None, 400), 0, False),
        (answer(None, 429), 0, False),
        (answer(None, 500), 100_000, True),
        (make_reply(Failure.TIMEOUT), 200_000, True),
        (make_reply(Failure.CONNECT), 0, False),
    ],
)
def test_what_does_not_tell_is_an_estimate(reply: Reply, costs: int, estimated: bool) -> None:
    """Marked as such; what was turned away costs nothing."""
    desk = Desk(DAY, reply)
    call = asked()
    record = record_of(call, passed(desk, call), 0.0)
    assert spent(desk) == (costs, 0, 0)
    assert (record.cost_micros, record.cost_estimated) == (costs, estimated)
    assert record.tokens is None


class Stream(ScriptedUpstream):
    """Answers with a stream that is fed by hand."""

    def __init__(self) -> None:
        self.body, self.hearing = Body(), said(None, ended=False)
        super().__init__(make_reply(200, body=self.body, hearing=self.hearing))

    def write(self, written: int, usage: Usage | None = None) -> None:
        """It has written so many bytes by now, and says that it used so much."""
        self.hearing.written, self.hearing.usage = written, usage
        self.body.feed(b"event")


class Nowhere:
    """A sink."""

    def write(self, piece: bytes) -> None:
        """Part of Sink."""

    def end(self, last: bytes, trailers: Any) -> None:
        """Part of Sink."""

    def broken(self, failure: Failure) -> None:
        """Part of Sink."""


def streamed(text: str, output: int = 100) -> tuple[Desk, Call, Reply, Stream]:
    """A call whose answer has begun to flow."""
    stream = Stream()
    desk, call = Desk(text, upstream=stream), asked(output=output, stream=True)
    call.cancel = lambda: None
    reply = run(found(desk, call)(call))
    stream.body.flow(Nowhere())
    return desk, call, reply, stream


def test_a_stream_reserves_more_as_it_writes() -> None:
    """And is settled to what it says at its end."""
    desk, call, reply, stream = streamed(DAY)
    assert spent(desk) == (0, 200_000, 0)
    assert call.purse.known == -1
    stream.write(400)
    assert spent(desk) == (0, 200_000, 0)
    stream.write(800)
    assert spent(desk) == (0, 300_000, 0)  # there is no room for a thousand tokens more
    stream.write(800, Usage(1_200, 180))
    stream.hearing.ended = True
    reply.finish()
    assert spent(desk) == (300_000, 0, 0)
    assert not call.purse.estimated
    assert call.stopped is None


def test_a_stream_reserves_in_steps_where_there_is_room() -> None:
    """So that it need not be asked for with every word."""
    desk, _, _, stream = streamed(DAY.replace("day: 1.00", "day: 100"))
    stream.write(800)
    assert spent(desk) == (0, 200_000 + 1_024_000, 0)


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 60) | st.none()), max_size=30),
    st.booleans(),
)
def test_no_stream_passes_a_limit_unseen(pieces: list[tuple[int, int | None]], ends: bool) -> None:
    """However it writes and tells: no more is reserved than there is, it is ended at most
    some words too late, and in the end it has paid for what was heard."""
    desk, call, reply, stream = streamed(DAY)
    written, usage = 0, None
    for more, told in pieces:
        written += more
        usage = usage if told is None else Usage(1_000, told)
        stream.write(written, usage)
        _, reserved, overrun = spent(desk)
        assert (reserved <= 1_000_000, overrun) == (True, 0)
        owed = 100_000 + 1_000 * max(-(-written // 4), usage.output if usage else 0)
        assert call.stopped is not None or owed <= reserved + 1_000 * (128 + 500) // 4
    stream.hearing.ended = ends
    reply.finish(None if ends else Failure.CANCELLED)
    truth = usage.output if ends and usage else max(-(-written // 4), usage.output if usage else 0)
    paid = 100_000 + 1_000 * truth
    assert spent(desk)[:2] == (paid, 0)
    assert call.purse.estimated is not (ends and usage is not None)


@pytest.mark.parametrize("cut", [True, False])
def test_a_stream_for_which_there_is_no_room_ends(cut: bool) -> None:
    """Or goes on, where the budget says so; what it wrote is charged either way."""
    text = DAY.replace("day: 1.00", f"day: 1.00, cut_streams: {str(cut).lower()}")
    desk, call, reply, stream = streamed(text)
    stream.write(3_600)
    assert call.stopped is None
    stream.write(4_000)
    assert (call.stopped is not None) is cut
    reply.finish(Failure.CANCELLED)
    assert spent(desk) == (1_100_000, 0, 100_000)
    assert call.purse.estimated


@pytest.mark.parametrize(
    ("written", "usage", "costs"),
    [
        (0, None, 100_000),
        (400, None, 200_000),
        (400, Usage(2_000, 1), 300_000),  # one vendor says what came in when it begins
        (40, Usage(2_000, 500), 700_000),  # and has thought what is not seen
    ],
)
def test_a_stream_that_is_cut_costs_what_was_heard_of_it(
    written: int, usage: Usage | None, costs: int
) -> None:
    """Marked as an estimate."""
    desk, call, reply, stream = streamed(DAY)
    stream.write(written, usage)
    reply.finish(Failure.CANCELLED)
    assert spent(desk) == (costs, 0, 0)
    assert call.purse.estimated


def test_models_cost_though_nobody_speaks_of_money() -> None:
    """By the table that is shipped; what is not in it is counted."""
    desk = Desk("", answer(said(Usage(1_000, 1_000))), answer(said(None)))
    call = asked("gpt-4o-mini")
    passed(desk, call)
    assert call.purse.spent == 150 + 600
    other = asked("my-own")
    passed(desk, other)
    assert other.purse.spent == 0
    assert list(desk.rows(COST_UNKNOWN)) == [("gateway", "my-own")]


def test_numbers_that_cannot_be_break_no_record() -> None:
    """An upstream may say anything."""
    desk = Desk(DAY, answer(said(Usage(1 << 80, -5, reasoning=7))))
    call = asked()
    record = record_of(call, passed(desk, call), 0.0)
    assert record.tokens == {"input": (1 << 53) - 1, "output": 0, "reasoning": 7}
    assert record.cost_micros == 10**15


def test_it_says_what_it_would_cost() -> None:
    """To people, before anything goes."""
    desk, call = Desk(DAY), asked()
    found(desk, call)
    loaded = desk.table.loaded
    effective = charged(cascade(loaded.policies, facts(call)), facts(call), "", loaded)
    plan = plan_of(effective, call, desk.table.grounds).enforced
    section = Budgets(**effective.sections["budgets"].fields)
    gate = Spending.build(section, Site(plan.target, plan.ground))
    assert gate is not None
    assert gate.says(call).note == "costs about 0.20 USD; cap: nothing spent of 1.00 a day"
