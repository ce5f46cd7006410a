"""`approval`: who is asked about a call, how long it is held, and what it comes to."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from proxy.call import Call, Effect, Risk
from proxy.counts import EXPRESSION_ERRORS
from proxy.expression import Expression
from proxy.keys import InFlightKey
from proxy.protocols.mcp_replies import Spoken
from proxy.protocols.protocol import Rules
from proxy.refusal import Refusal
from proxy.reply import Executed, Failure, Reply
from proxy.stage import Site
from proxy.stages.approval import Approval, Approve, NotAsked, WouldAsk
from proxy.state.asking import LARGEST, Decided, Requested
from proxy.state.case import Case, File, Person
from proxy.state.desk import Desk as People
from proxy.units import Seconds
from tests.fakes import (
    FakeBody,
    FakeClock,
    make_attempt,
    make_call,
    make_ground,
    make_reply,
    make_target,
    settled,
)
from tests.tables import Desk, give

RULES = "policies: [{name: money, risk: high, approval: {%s}}]"


class Pipeline:
    """The stage, people, and what stands behind."""

    def __init__(
        self, risk: Risk = Risk.HIGH, again: Any = None, shadow: bool = False, **fields: Any
    ) -> None:
        self.clock = FakeClock(asleep=False)
        self.sent: list[Call] = []
        self.paid: dict[str, Any] = {"body": FakeBody(b"paid")}
        ground = make_ground(self.clock, newest=again and self._again, shadow=shadow)
        self.people = People.of(ground.keep, self.clock)
        site = Site(make_target(risk=risk), ground, "money", inner=self._inner)
        self.section = Approval(**fields)
        build = WouldAsk.build if shadow else Approve.build
        self.stage: Any = build(self.section, site)

    async def _again(self, call: Call) -> Reply:
        reply: Reply = await self.stage.handle(call)
        return reply

    async def _inner(self, call: Call) -> Reply:
        self.sent.append(call)
        call.attempts.append(make_attempt(call, sent=True))
        return make_reply(200, **self.paid)

    def starts(self, call: Call | None = None) -> "asyncio.Task[Reply]":
        """A call comes in."""
        return self.clock.spawn(self.stage.handle(call or paying()))

    async def says(self, word: str) -> None:
        """Somebody decides about the newest request."""
        name = self.people.files[-1].request.id
        await self.people.decide(Decided(name, word, "alice"), Person("alice"))
        await settled()


def paying(fields: dict[bytes, bytes] | None = None, **members: Any) -> Call:
    """A call that people may have to approve."""
    return make_call(fields, **({"agent": "ann", "tool": "pay"} | members))


def code(reply: Reply) -> str:
    """Of its refusal."""
    assert reply.refusal is not None
    return reply.refusal.code


@pytest.mark.parametrize(
    ("risk", "fields", "needs"),
    [
        (Risk.LOW, {}, None),
        (Risk.MEDIUM, {}, 0),
        (Risk.MEDIUM, {"review": False}, None),
        (Risk.HIGH, {}, 1),
        (Risk.CRITICAL, {}, 2),
        (Risk.LOW, {"approvers": 2}, 2),
        (Risk.CRITICAL, {"approvers": 1}, 1),
    ],
)
def test_what_is_at_stake_says_how_many(
    risk: Risk, fields: dict[str, Any], needs: int | None
) -> None:
    """Unless the policy does."""
    assert Approval(**fields).needs(risk) == needs
    stage = Pipeline(risk, **fields).stage
    assert (stage is None) is (needs is None)


def test_there_must_be_time_to_decide() -> None:
    """Nobody could."""
    with pytest.raises(ValueError, match="expires: must be longer than 0"):
        Approval(expires=Seconds(0.0))


@pytest.mark.parametrize("again", [False, True])
async def test_it_waits_and_goes_once(again: bool) -> None:
    """What people take is neither our time nor the call's; the record has the id."""
    pipeline, call = Pipeline(again=again), paying()
    going = pipeline.starts(call)
    await settled()
    pipeline.clock.advance(30.0)
    await pipeline.says("approve")
    reply = await going
    assert (reply.status, pipeline.sent) == (200, [call])
    assert (call.held, call.waited >= 30.0, call.stays) == (30.0, True, False)
    assert call.approval
    reply.finish()
    again_ = await pipeline.starts()
    assert (again_.status, again_.reason, len(pipeline.sent)) == (200, "approval_replayed", 1)


def asking(raw_id: bytes) -> Call:
    """The same by MCP, as the request of this id."""
    return paying(protocol="mcp", spoken=Spoken(Rules(), ids=(raw_id,)))


async def test_its_answer_is_that_to_who_asks() -> None:
    """Who comes again waits for one with the id of the new request."""
    pipeline = Pipeline()
    body = FakeBody(b'{"jsonrpc":"2.0","id":1,"result":{}}')
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 36\r\n"
    pipeline.paid = {"body": body, "lines": head, "length": 36}
    (await approved(pipeline, asking(b"1"))).finish()
    reply = await pipeline.starts(asking(b'"second"'))
    assert (reply.reason, len(pipeline.sent)) == ("approval_replayed", 1)
    content = b'{"jsonrpc":"2.0","id":"second","result":{}}'
    assert (reply.body and reply.body.whole, reply.length) == (content, 43)
    assert reply.lines == b"HTTP/1.1 200 OK\r\ncontent-length: 43\r\n"


async def test_an_answer_that_cannot_be_that_is_not_given() -> None:
    """Nor is the call sent again: what came of it is to be looked for."""
    pipeline = Pipeline()
    fields = {b"content-encoding": b"gzip"}
    pipeline.paid = {"body": FakeBody(b"..."), "fields": fields, "executed": Executed.YES}
    (await approved(pipeline, asking(b"1"))).finish()
    reply = await pipeline.starts(asking(b"2"))
    assert (code(reply), reply.executed, len(pipeline.sent)) == (
        "approval_expired", Executed.YES, 1,
    )  # fmt: skip


async def test_what_came_of_it_is_said_as_it_is() -> None:
    """Where there was no answer."""
    pipeline = Pipeline()
    pipeline.paid = {"failure": Failure.DISCONNECT}
    (await approved(pipeline, asking(b"1"))).finish()
    assert code(await pipeline.starts(asking(b"2"))) == "approval_expired"


async def approved(pipeline: Pipeline, call: Call) -> Reply:
    """The reply to a call that somebody said yes to."""
    going = pipeline.starts(call)
    await settled()
    await pipeline.says("approve")
    return await going


async def test_it_is_denied() -> None:
    """Nothing is sent."""
    pipeline = Pipeline()
    going = pipeline.starts()
    await settled()
    await pipeline.says("deny")
    assert (code(await going), pipeline.sent) == ("approval_denied", [])


@pytest.mark.parametrize(
    ("fields", "section", "held"),
    [
        ({}, {}, 50.0),
        ({}, {"hold": Seconds(5.0)}, 5.0),
        ({}, {"way": "async"}, 0.0),
        ({b"holdfast-timeout-ms": b"20000"}, {}, 15.0),
        ({b"prefer": b"wait=5, Respond-Async"}, {}, 0.0),
    ],
)
async def test_it_is_held_for_a_while(
    fields: dict[bytes, bytes], section: dict[str, Any], held: float
) -> None:
    """Less than its client waits; not at all for one that comes again by itself."""
    pipeline = Pipeline(**section)
    going = pipeline.starts(paying(fields))
    await settled()
    if held:
        pipeline.clock.advance(held - 0.01)
        await settled()
        assert not going.done()
    pipeline.clock.advance(0.01)
    reply = await going
    assert code(reply) == "approval_pending"
    assert reply.refusal is not None
    assert reply.refusal.status == (202 if b"prefer" in fields else 403)


@pytest.mark.parametrize(
    ("content", "came"),
    [
        (b'{"amount": 150}', "approval_pending"),
        (b'{"amount": 100}', ""),
        (b"{}", "approval_pending"),
        (b'{"amount": 1, "amount": 150}', "ambiguous_call"),
    ],
    ids=["holds", "does not", "fails", "two readings"],
)
async def test_a_condition_decides(content: bytes, came: str) -> None:
    """One that fails asks people; what can be read in two ways is not shown to anybody."""
    pipeline = Pipeline(when=Expression.parse("input.amount > 100"), way="async")
    call = give("pay", content)
    desk = Desk()
    desk.found(call)  # recognised
    going = pipeline.starts(call)
    await settled()
    pipeline.clock.advance(0.0)
    reply = await going
    assert ("" if reply.refusal is None else reply.refusal.code) == came


async def test_medium_risk_passes_and_is_listed() -> None:
    """At once."""
    pipeline, call = Pipeline(Risk.MEDIUM), paying()
    assert (await pipeline.starts(call)).status == 200
    assert [file.request.id for file in pipeline.people.files] == [call.approval]


@pytest.mark.parametrize("verdict", [None, Refusal("body_too_large", "no")])
async def test_a_body_that_still_comes_is_read(verdict: Refusal | None) -> None:
    """No more of it than people can be shown."""
    asked: list[int] = []
    body = FakeBody(None)

    async def fetch(limit: int) -> Refusal | None:
        asked.append(limit)
        body.whole = b"all"
        return verdict

    pipeline = Pipeline(way="async")
    going = pipeline.starts(paying(body=body, fetch=fetch))
    await settled()
    pipeline.clock.advance(0.0)
    assert code(await going) == ("approval_pending" if verdict is None else "body_too_large")
    assert asked == [LARGEST]


async def test_a_body_that_is_gone_cannot_be_shown() -> None:
    """Nobody can read it."""
    assert code(await Pipeline().starts(paying(body=FakeBody(None)))) == "body_too_large"


async def test_who_is_cancelled_gives_his_claim_back() -> None:
    """What stands behind broke, or the agent left."""
    pipeline = Pipeline()

    async def breaks(_: Call) -> Reply:
        raise ZeroDivisionError

    pipeline.stage._again = breaks
    going = pipeline.starts()
    await settled()
    await pipeline.says("approve")
    with pytest.raises(ZeroDivisionError):
        await going
    pipeline.stage._again = pipeline._inner
    assert (await pipeline.starts()).status == 200


async def test_a_ticket_does_not_do_for_more() -> None:
    """Another table asks for two."""
    pipeline = Pipeline(again=True)
    going = pipeline.starts()
    await settled()
    pipeline.stage._terms = replace(pipeline.stage._terms, needs=2)
    await pipeline.says("approve")
    assert (code(await going), pipeline.sent) == ("approval_expired", [])


async def test_it_may_stay_when_its_agent_is_gone() -> None:
    """While it is held, and no longer."""
    pipeline, call = Pipeline(execute_when_gone=True), paying()
    going = pipeline.starts(call)
    await settled()
    assert call.stays
    call.goes_on = True
    pipeline.clock.advance(60.0)
    await settled()
    assert not going.done()
    await pipeline.says("approve")
    assert ((await going).status, call.stays) == (200, False)


# --- in shadow ---


@pytest.mark.parametrize(
    ("risk", "would"), [(Risk.LOW, False), (Risk.MEDIUM, False), (Risk.HIGH, True)]
)
def test_a_shadow_says_whom_it_would_hold(risk: Risk, would: bool) -> None:
    """It asks nobody."""
    pipeline = Pipeline(risk, shadow=True)
    assert (pipeline.stage is not None) is would
    if would:
        refusal = pipeline.stage.admit(paying())
        assert (refusal.code, refusal.policy) == ("approval_pending", "money")
        assert "one person" in pipeline.stage.says(paying()).note
    assert pipeline.people.files == []


@pytest.mark.parametrize(
    ("content", "came"),
    [
        (b'{"amount": 150}', "approval_pending"),
        (b'{"amount": 100}', None),
        (b'{"amount": 1, "amount": 150}', "ambiguous_call"),
    ],
)
def test_a_shadow_has_its_condition(content: bytes, came: str | None) -> None:
    """As the enforced one would."""
    pipeline = Pipeline(shadow=True, when=Expression.parse("input.amount > 100"))
    call = give("pay", content)
    Desk().found(call)  # recognised
    refusal = pipeline.stage.admit(call)
    assert (None if refusal is None else refusal.code) == came


def test_what_is_enforced_is_no_gate() -> None:
    """It is the wrapper behind it."""
    site = Site(make_target(risk=Risk.HIGH), make_ground(), "money")
    assert WouldAsk.build(Approval(), site) is None


# --- what it says ---


@pytest.mark.parametrize(
    ("risk", "fields", "said"),
    [
        (Risk.HIGH, {}, "must be approved by one person; held 50 s at most, expires after 900 s"),
        (
            Risk.CRITICAL,
            {"groups": ("a", "b"), "way": "async"},
            "must be approved by two people of a or b; its agent is told to come again, "
            "expires after 900 s",
        ),
        (Risk.MEDIUM, {}, "passes, and is listed for review"),
    ],
)
def test_it_says_what_it_would_do(risk: Risk, fields: dict[str, Any], said: str) -> None:
    """And asks nobody."""
    pipeline = Pipeline(risk, **fields)
    assert pipeline.stage.says(paying()).note == said
    assert pipeline.people.files == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"amount": 150}', "must be approved"),
        (b'{"amount": 100}', "asks nobody: its condition does not hold"),
        (b'{"amount": 1, "amount": 150}', "refuses it: its arguments can be read in two ways"),
    ],
)
def test_it_says_what_its_condition_comes_to(content: bytes, said: str) -> None:
    """Without counting a failure."""
    pipeline = Pipeline(when=Expression.parse("input.amount > 100"))
    call = give("pay", content)
    desk = Desk()
    desk.found(call)  # recognised
    assert pipeline.stage.says(call).note.startswith(said)
    assert desk.rows(EXPRESSION_ERRORS) == {}


# --- in a table ---


async def test_a_table_takes_it_once_more() -> None:
    """It is in flight once, and settled once."""
    clock = FakeClock(asleep=False)
    desk = Desk(RULES % "hold: 5s", 200, clock=clock)
    call = give("pay", b"{}")
    going: asyncio.Task[Reply] = clock.spawn(desk.pipeline(call)(call))  # type: ignore[arg-type]  # it is a coroutine
    await settled()
    people = People.of(desk.keep, clock)
    name = people.files[0].request.id
    flight = desk.keep.seen(InFlightKey("", "gateway", "pay"))
    assert flight.now == 1
    await people.decide(Decided(name, "approve", "alice"), Person("alice"))
    reply = await going
    assert (reply.status, flight.now, call.effect) == (200, 1, Effect.WRITE)
    reply.finish()
    assert people.files[0].state == "used"


@pytest.mark.parametrize(("when", "asks"), [("cost > 0.29", True), ("cost > 0.31", False)])
async def test_what_a_call_costs_may_be_the_reason(when: str, asks: bool) -> None:
    """In force, and in shadow."""
    rules = (
        "policies: [{name: money, effect: read, cost: 0.30,"
        " approval: {approvers: 1, mode: %s, when: '%s'}}]"
    )
    clock = FakeClock(asleep=False)
    desk = Desk(rules % ("async", when), 200, clock=clock)
    call = give("pay", b"{}")
    going: asyncio.Task[Reply] = clock.spawn(desk.pipeline(call)(call))  # type: ignore[arg-type]  # as above
    await settled()
    clock.advance(1.0)
    reply = await going
    assert (reply.refusal is not None and reply.refusal.code == "approval_pending") is asks
    assert len(People.of(desk.keep, clock).files) == int(asks)
    shadow = Desk(rules % ("shadow", when), 200)
    assert shadow.codes(1) == ["200"]
    assert shadow.shadowed == ({("approval_pending", "money", "false"): 1} if asks else {})


async def test_an_upstream_that_is_gone_has_no_route() -> None:
    """Policies have changed; it is in flight no longer."""
    desk = Desk()
    call = give("pay", b"{}")
    desk.found(call)
    pipeline = desk.pipeline(give("pay", b"{}"))
    call.flight, call.upstream = pipeline.flight, "other"
    pipeline.flight.now = 1
    assert code(await desk.table.again(call)) == "no_route"
    assert call.flight is None
    assert pipeline.flight.now == 0
    assert code(await desk.table.again(call)) == "no_route"  # and it is not counted down twice
    assert pipeline.flight.now == 0


@pytest.mark.parametrize(
    ("needs", "groups", "goes"), [(2, (), True), (1, (), False), (2, ("a",), False)]
)
def test_elsewhere_a_yes_counts_that_asked_for_as_much(
    needs: int, groups: tuple[str, ...], goes: bool
) -> None:
    """Of as many people, of the same groups; none at all where nobody was asked."""
    site = Site(make_target(risk=Risk.LOW), make_ground(), "money")
    gate = NotAsked.build(Approval(approvers=2), site)
    assert gate is not None
    call = make_call()
    refusal = gate.admit(call)
    assert refusal is not None
    assert (refusal.code, gate.says(call).refusal) == ("denied", refusal)
    asked = Requested("r", "d", "c", "ann", "u", "t", "POST", "p", needs, 0, 1, groups=groups)
    call.ticket = Case(File(asked, "approved"))
    assert (gate.admit(call) is None) is goes
    assert NotAsked.build(Approval(), site) is None


@pytest.mark.parametrize(
    ("content", "came"),
    [
        (b'{"tool": "pay", "input": {"amount": 5}}', None),
        (b'{"tool": "pay", "input": {"amount": 500}}', "denied"),
        (b'{"tool": "pay", "input": {"amount": 5, "amount": 500}}', "ambiguous_call"),
    ],
)
def test_elsewhere_the_condition_counts(content: bytes, came: str | None) -> None:
    """And what can be read in two ways is refused."""
    site = Site(make_target(risk=Risk.HIGH), make_ground(), "money")
    gate = NotAsked.build(Approval(when=Expression.parse("input.amount > 100")), site)
    assert gate is not None
    call = give("pay", content)
    Desk().found(call)  # recognised
    refusal = gate.admit(call)
    assert (None if refusal is None else refusal.code) == came
    assert gate.says(call).note
