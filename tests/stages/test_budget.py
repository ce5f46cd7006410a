"""What a call costs, and whether there is room for it."""

import asyncio
import json
from typing import Any

import pytest

from proxy.call import Call
from proxy.config.cascade import cascade
from proxy.config.places import ConfigError
from proxy.counts import COST_UNKNOWN, UNRECORDED
from proxy.keys import LEDGER, shadowed
from proxy.pipeline.money import charged
from proxy.pipeline.table import facts
from proxy.pipeline.walk import plan_of
from proxy.refusal import Refusal
from proxy.reply import Failure, Reply
from proxy.stage import Site, Verdict
from proxy.stages.budget import Budgets, Spending
from proxy.state import ledger as ledgers
from proxy.state.attribution import Work
from proxy.state.ledger import Ledger
from proxy.state.till import Till
from proxy.wire.body import Body
from tests.fakes import (
    FakeBody,
    FakeClock,
    FakeTrail,
    ScriptedUpstream,
    make_attempt,
    make_call,
    make_reply,
    run,
    settled,
)
from tests.tables import Desk, give, load, post

ONE = "policies: [{name: p, effect: read, cost: 0.30}]\n"
TIGHT = ONE + "budgets: [{name: cap, per: agent, day: 1.00}]\n"


def ledger(desk: Desk) -> Ledger:
    """What was spent behind a table."""
    made: Ledger = desk.keep.of(LEDGER, lambda: Ledger(desk.clock.wall, desk.clock.uuid))
    return made


def spent(desk: Desk) -> dict[str, tuple[int, int]]:
    """Spent and reserved, of each account."""
    return {one.label: (one.spent, one.reserved) for one in ledger(desk).accounts()}


def test_each_sending_is_charged_until_there_is_no_room() -> None:
    """Three of them fit into a dollar; nothing is reserved after the end."""
    desk = Desk(TIGHT, 200, 200, 200)
    assert desk.codes(5) == ["200", "200", "200", "budget_exceeded", "budget_exceeded"]
    assert spent(desk) == {"cap:": (900_000, 0)}
    assert len(desk.upstream.attempts) == 3


def test_a_refusal_says_what_is_full_and_until_when() -> None:
    """Limit and spent as people write money, and when the window ends."""
    desk = Desk(TIGHT, 200, 200, 200)
    desk.codes(3)
    refusal = desk.call().refusal
    assert refusal is not None
    problem = refusal.problem("c", 0)
    assert (problem["status"], problem["scope"], problem["policy"]) == (402, "agent", "cap")
    told = {name: problem[name] for name in ("name", "window", "limit", "spent", "resets_at")}
    assert told == {
        "name": "cap", "window": "day", "limit": "1.00", "spent": "0.90",
        "resets_at": "2023-11-15T00:00:00Z",
    }  # fmt: skip
    assert not refusal.should_retry


def test_it_goes_again_when_the_window_is_over() -> None:
    """By the clock, without anybody's doing."""
    clock = FakeClock()
    desk = Desk(TIGHT, 200, 200, 200, 200, clock=clock)
    assert desk.codes(4)[-1] == "budget_exceeded"
    clock.advance(86_400)
    assert desk.codes(1) == ["200"]


@pytest.mark.parametrize(
    ("what", "costs"),
    [(200, 1), (500, 1), (Failure.DISCONNECT, 1), (Failure.TRUNCATED, 1), (Failure.CONNECT, 0)],
)
def test_what_was_sent_costs_its_price(what: int | Failure, costs: int) -> None:
    """Whatever became of it; what was not sent costs nothing."""
    desk = Desk(TIGHT, what)
    desk.call()
    assert spent(desk) == {"cap:": (300_000 * costs, 0)}


def test_each_repetition_costs_and_none_goes_without_room() -> None:
    """The answer of the last one that went is given."""
    text = TIGHT.replace("cost: 0.30", "cost: 0.30, retry: {attempts: 9}")
    desk = Desk(text, 503, 503, 503)
    reply = desk.call()
    assert (reply.status, reply.given_up, len(desk.upstream.attempts)) == (
        503,
        "budget_exceeded",
        3,
    )
    assert spent(desk) == {"cap:": (900_000, 0)}


def test_all_budgets_or_none() -> None:
    """What one of them refuses is reserved in none."""
    desk = Desk(
        ONE + "budgets:\n"
        "  - {name: a, per: agent, day: 5}\n"
        "  - {name: f, per: fleet, total: 0.30}\n"
        "  - {name: t, per: tool, hour: 5}\n",
        200,
    )
    assert desk.codes(2) == ["200", "budget_exceeded"]
    assert spent(desk) == {
        "a:": (300_000, 0), "f:": (300_000, 0), "t:gateway/search": (300_000, 0),
    }  # fmt: skip


def test_what_a_call_cost_is_in_its_purse() -> None:
    """For its record, and its answer."""
    desk = Desk(TIGHT.replace("cost: 0.30", "cost: 0.30, retry: {}"), 503, 200)
    call = post("search")
    desk.call(call)
    purse = call.purse
    assert (purse.spent, purse.held, purse.reserved, purse.known) == (600_000, 0, 600_000, 600_000)
    assert purse.charges == {"cap:": 600_000}
    assert not purse.estimated


def test_other_budgets_of_a_link_are_charged_apart() -> None:
    """Each sending by the budgets of where it goes."""
    desk = Desk(
        "  b: {url: 'http://b', protocol: tools}\n"
        "policies: [{name: p, effect: read, cost: 0.10, fallback: [{upstream: b}]}]\n"
        "budgets: [{name: u, per: upstream, day: 1}]\n",
        500, 200,
    )  # fmt: skip
    call = post("search")
    desk.call(call)
    assert call.purse.charges == {"u:gateway": 100_000, "u:b": 100_000}


def test_a_full_budget_lets_a_fallback_stand_in() -> None:
    """Where the chain says that it does."""
    desk = Desk(
        "policies: [{name: p, effect: read, cost: 2, fallback: {on: [budget], "
        "chain: [{static: {status: 200, body: {}}}]}}]\n"
        "budgets: [{name: cap, per: agent, day: 1.00}]\n"
    )
    reply = desk.call()
    assert (reply.status, reply.reason) == (200, "budget_exceeded")


def test_what_costs_nothing_goes_though_nothing_is_left() -> None:
    """An explicit zero needs no room, and no gate."""
    desk = Desk(
        "policies:\n"
        "  - {name: dear, match: {tool: pay}, cost: 1}\n"
        "  - {name: free, match: {tool: search}, cost: 0}\n"
        "budgets: [{name: cap, per: agent, day: 1.00}]\n",
        200, 200,
    )  # fmt: skip
    desk.call(post("pay"))
    call = post("search")
    assert desk.call(call).status == 200
    assert call.purse is None


def test_a_price_list_says_what_tools_cost() -> None:
    """A policy's own price comes before it."""
    desk = Desk(
        "policies: [{name: p, match: {tool: own}, cost: 0.5}]\n"
        "prices: {tools: {'get_*': 0.001, get_all: 0.2, own: 9}}\n",
        200, 200, 200,
    )  # fmt: skip
    costs = []
    for tool in ("get_one", "get_all", "own"):
        call = post(tool)
        desk.call(call)
        costs.append(call.purse.spent)
    assert costs == [1_000, 200_000, 500_000]
    assert ledger(desk).total == 701_000


@pytest.mark.parametrize(
    ("unknown", "code", "cost"),
    [("allow", "200", 0), ("{assume: 0.25}", "200", 250_000), ("deny", "denied", None)],
)
def test_what_nobody_priced(unknown: str, code: str, cost: int | None) -> None:
    """Goes and is counted, costs what is assumed, or is refused."""
    desk = Desk(
        f"prices: {{unknown_price: {unknown}}}\nbudgets: [{{name: cap, per: agent, day: 1.00}}]\n",
        200,
    )
    call = post("search")
    reply = desk.call(call)
    assert (reply.refusal.code if reply.refusal else str(reply.status)) == code
    assert desk.rows(COST_UNKNOWN) == {("gateway", "search"): 1}
    if cost is not None:
        assert (call.purse.spent, call.purse.estimated) == (cost, cost > 0)


def test_a_condition_says_which_calls_cost() -> None:
    """Where it fails, the price is asked: who cannot be told apart pays."""
    desk = Desk(
        "policies: [{name: p, cost: {fixed: 0.5, when: 'input.deep == true'}}]\n"
        "prices: {tools: {search: 0.01}}\n",
        200, 200, 200,
    )  # fmt: skip
    costs = []
    for deep in (b'{"deep": true}', b'{"deep": false}', b"{}"):
        call = give("search", deep)
        desk.call(call)
        costs.append(call.purse.spent)
    assert costs == [500_000, 10_000, 500_000]


def test_a_budget_may_be_for_some_calls_only() -> None:
    """By what they match, and by a condition, which holds where it fails."""
    desk = Desk(
        "policies: [{name: p, cost: 0.1}]\n"
        "budgets:\n"
        "  - {name: pay, per: agent, day: 1, match: {tool: pay}}\n"
        "  - {name: big, per: agent, day: 1, match: {when: 'input.n > 5'}}\n"
        "  - {name: one, per: request, limit: 0.05, match: {when: 'input.n > 7'}}\n",
        200, 200, 200,
    )  # fmt: skip
    found = []
    for tool, content in [("pay", b'{"n": 1}'), ("search", b'{"n": 6}'), ("search", b"{}")]:
        call = give(tool, content)
        reply = desk.call(call)
        code = reply.refusal.policy if reply.refusal else ""
        found.append((sorted(call.purse.charges), code))
    assert found == [(["pay:"], ""), (["big:"], ""), ([], "one")]


def test_arguments_that_can_be_read_in_two_ways_are_refused() -> None:
    """Where a condition of a price or a budget reads them."""
    for text in (
        "policies: [{name: p, cost: {fixed: 1, when: 'input.n > 5'}}]\n",
        ONE + "budgets: [{name: b, per: agent, day: 1, match: {when: 'input.n > 5'}}]\n",
    ):
        reply = Desk(text).call(give("search", b'{"n": 1, "n": 9}'))
        assert reply.refusal is not None
        assert reply.refusal.code == "ambiguous_call"


def test_one_call_may_cost_so_much() -> None:
    """All its attempts together; nothing is kept of it."""
    text = (
        "policies: [{name: p, effect: read, cost: 0.30, retry: {attempts: 9}}]\n"
        "budgets: [{name: one, per: request, limit: 0.70}]\n"
    )
    desk = Desk(text, 503, 503)
    assert desk.call().given_up == "budget_exceeded"
    assert spent(desk) == {}
    dear = Desk(text.replace("cost: 0.30", "cost: 0.80")).call().refusal
    assert dear is not None
    assert dict(dear.facts)["limit"] == "0.70"
    assert dear.step == "retry_modified"


def test_who_does_not_say_who_he_is() -> None:
    """Falls under a key of his own, or is refused."""
    text = ONE + "budgets: [{name: w, per: workflow, total: 1.00, ttl: 1h}]\n"
    desk = Desk(text, 200)
    desk.call()
    assert spent(desk) == {"w:": (300_000, 0)}
    strict = Desk(text.replace("ttl: 1h", "ttl: 1h, require: true"), 200)
    refusal = strict.call().refusal
    assert refusal is not None
    assert (refusal.code, refusal.policy, refusal.scope) == ("denied", "w", "workflow")
    named = post("search")
    named.workflow = "w1"
    assert strict.call(named).status == 200
    conditional = text.replace(
        "ttl: 1h", "ttl: 1h, require: true, match: {when: 'tool == \"search\"'}"
    )
    assert Desk(conditional).call().refusal is not None


def test_shadow_budgets_refuse_nobody() -> None:
    """They count what was spent, and what they would have refused."""
    desk = Desk(
        ONE + "budgets:\n"
        "  - {name: cap, per: agent, day: 0.50, on_exceed: shadow}\n"
        "  - {name: one, per: request, limit: 0.20, on_exceed: shadow}\n",
        200, 200, 200,
    )  # fmt: skip
    call = post("search")
    assert desk.codes(2) == ["200", "200"]
    desk.call(call)
    assert call.shadowed == ("budget_exceeded", "cap")
    assert spent(desk) == {"cap:": (900_000, 0)}


def test_a_price_in_shadow_spends_nothing() -> None:
    """On accounts of its own it is told what would have been refused."""
    desk = Desk(
        "policies: [{name: p, mode: shadow, cost: 0.80}]\n"
        "budgets: [{name: cap, per: agent, day: 1.00}]\n",
        200, 200,
    )  # fmt: skip
    assert desk.codes(2) == ["200", "200"]
    assert desk.shadowed == {("budget_exceeded", "cap", "false"): 1}
    assert {one.label: one.spent for one in ledger(desk).accounts()} in ({}, {"cap:": 0})
    assert ledger(desk).total == 0
    shadow = dict(desk.keep.items())[shadowed(LEDGER)]
    assert [one.spent for one in shadow.accounts()] == [800_000]


def test_an_exceeded_budget_may_end_its_workflow() -> None:
    """Whoever kills hears of it; a call of no workflow is refused alone."""
    desk = Desk(TIGHT.replace("day: 1.00", "day: 0.10, on_exceed: abort"))
    ended: list[tuple[str, str]] = []
    ledger(desk).abort = lambda call, refusal: ended.append((call.workflow, refusal.detail))
    desk.call()
    assert ended == []
    call = post("search")
    call.workflow = "w1"
    desk.call(call)
    ((workflow, why),) = ended
    assert workflow == "w1"
    assert "no room" in why


@pytest.mark.parametrize("verdict", [None, Refusal("approval_denied", "no")])
def test_a_person_may_let_it_go(verdict: Verdict) -> None:
    """It is charged as any other, and there is less than nothing left then."""
    desk = Desk(TIGHT.replace("day: 1.00", "day: 0.10, on_exceed: approve"), 200)
    asked: list[Call] = []

    async def ask(call: Call, refusal: Refusal) -> Verdict:
        asked.append(call)
        return verdict

    ledger(desk).ask = ask
    call = post("search")
    found: list[Reply] = []

    other = Desk(
        TIGHT.replace("day: 1.00", "day: 0.10, on_exceed: approve"), 200,
        clock=_RealTasks(), keep=desk.keep,
    )  # fmt: skip

    async def real() -> None:
        reply = await other.found(call)(call)
        reply.finish()
        found.append(reply)

    asyncio.run(real())
    assert asked == [call]
    assert (found[0].refusal, found[0].status) == (verdict, 0 if verdict else 200)
    assert spent(desk) == {"cap:": (0 if verdict else 300_000, 0)}


def test_a_person_lets_it_go_past_one_budget_and_not_past_others() -> None:
    """What asks nobody says no all the same; and the yes holds for the call's next attempt."""
    text = (
        "policies: [{name: p, effect: read, cost: 0.30, retry: {attempts: 2}}]\n"
        "budgets:\n"
        "  - {name: soft, per: agent, day: 0.10, on_exceed: approve}\n"
        "  - {name: one, per: request, limit: 0.05, on_exceed: approve}\n"
        "  - {name: hard, per: fleet, day: 0.70}\n"
    )
    desk = Desk(text, 503, 200, clock=_RealTasks())
    asked: list[str] = []

    async def ask(call: Call, refusal: Refusal) -> Verdict:
        asked.append(refusal.policy)
        return None

    ledger(desk).ask = ask

    async def called() -> Reply:
        call = post("search")
        reply = await desk.found(call)(call)
        reply.finish()
        return reply

    assert asyncio.run(called()).status == 200
    assert asked == ["soft"]
    refused = asyncio.run(called()).refusal
    assert refused is not None
    assert (refused.policy, asked) == ("hard", ["soft", "soft"])
    assert spent(desk) == {"soft:": (600_000, 0), "hard:": (600_000, 0)}


class _RealTasks(FakeClock):
    """Tasks of a real loop."""

    def spawn(self, work: Any) -> Any:
        """In the loop that runs."""
        return asyncio.get_running_loop().create_task(work)


PAID = (
    "policies: [{name: p, effect: read, cost: %s}]\nbudgets: [{name: cap, per: agent, day: 1.00}]\n"
)


@pytest.mark.parametrize(
    ("answer", "cost", "estimated"),
    [
        ({"cost": 0.25}, 250_000, False),
        ({"cost": "0.1"}, 100_000, False),
        ({"cost": 0}, 0, False),
        ({"cost": 0.0000001}, 1, False),
        ({"cost": -1}, 300_000, True),
        ({"cost": True}, 300_000, True),
        ({"cost": "free"}, 300_000, True),
        ({"cost": None}, 300_000, True),
        ({"cost": [1]}, 300_000, True),
        ({"cost": 1e300}, 300_000, True),
        ({}, 300_000, True),
        ([], 300_000, True),
        ("x", 300_000, True),
    ],
)
def test_an_answer_may_say_what_it_cost(answer: Any, cost: int, estimated: bool) -> None:
    """A number that is money; else what was thought stands, and is flagged."""
    body = FakeBody(json.dumps(answer).encode())
    desk = Desk(PAID % "{fixed: 0.30, from_reply: cost}", make_reply(200, body=body))
    call = post("search")
    desk.call(call)
    assert (call.purse.spent, call.purse.estimated) == (cost, estimated)
    assert call.purse.known == cost


def test_the_price_may_stand_deep_in_the_answer() -> None:
    """At a JSON pointer, through lists and names with slashes."""
    body = FakeBody(b'{"a/b": [{"cost": 0.2}, {"cost": 0.4}]}')
    desk = Desk(PAID % "{from_reply: '/a~1b/1/cost'}", make_reply(200, body=body))
    call = post("search")
    desk.call(call)
    assert call.purse.spent == 400_000
    for pointer in ("/a~1b/-1/cost", "/a~1b/7/cost", "/nobody"):
        desk = Desk(PAID % f"{{from_reply: '{pointer}'}}", make_reply(200, body=body))
        call = post("search")
        desk.call(call)
        assert call.purse.estimated


def test_an_answer_that_is_dearer_is_charged_in_full() -> None:
    """The next one finds less than nothing left, and what is too much is told."""
    body = FakeBody(b'{"cost": 1.50}')
    desk = Desk(PAID % "{fixed: 0.30, from_reply: cost}", make_reply(200, body=body))
    assert desk.codes(2) == ["200", "budget_exceeded"]
    (account,) = ledger(desk).accounts()
    assert (account.spent, account.overrun) == (1_500_000, 500_000)


def test_who_has_nothing_left_cannot_pay_an_unknown_price() -> None:
    """Though nothing is known to be reserved."""
    body = FakeBody(b'{"cost": 1.00}')
    desk = Desk(PAID % "{from_reply: cost}", make_reply(200, body=body))
    assert desk.codes(2) == ["200", "budget_exceeded"]


def test_bodies_may_cost_by_their_size() -> None:
    """Every KiB begun, of request and answer together."""
    answer = FakeBody(b"x" * 1500)
    desk = Desk(PAID % "{fixed: 0.1, per_kb: 0.01}", make_reply(200, body=answer))
    call = give("search", b'{"a": "%b"}' % (b"y" * 600))
    desk.call(call)
    assert call.purse.spent == 100_000 + 3 * 10_000


class Flow(ScriptedUpstream):
    """Answers with a body that is fed by hand."""

    def __init__(self) -> None:
        self.body = Body()
        super().__init__(make_reply(200, body=self.body))


class Nowhere:
    """A sink."""

    def write(self, piece: bytes) -> None:
        """Part of Sink."""

    def end(self, last: bytes, trailers: Any) -> None:
        """Part of Sink."""

    def broken(self, failure: Failure) -> None:
        """Part of Sink."""


def streamed(text: str) -> tuple[Desk, Call, Reply, Flow]:
    """A call whose answer has begun to flow."""
    flow = Flow()
    desk = Desk(text, upstream=flow)
    call = post("search")
    stopped: list[bool] = []
    call.cancel = lambda: stopped.append(True)
    reply = run(desk.found(call)(call))
    flow.body.flow(Nowhere())
    return desk, call, reply, flow


def test_a_stream_reserves_more_as_it_grows() -> None:
    """And is settled to what passed."""
    desk, call, reply, flow = streamed(PAID % "{per_kb: 0.01}")
    (account,) = ledger(desk).accounts()
    before = account.reserved
    flow.body.feed(b"x" * 3_000)
    assert account.reserved > before
    assert account.total <= 1_000_000
    flow.body.finish(b"x" * 72, [])
    reply.finish()
    assert spent(desk) == {"cap:": (30_000, 0)}
    assert call.stopped is None


@pytest.mark.parametrize("cut", [True, False])
def test_a_stream_for_which_there_is_no_room_ends(cut: bool) -> None:
    """Or goes on, where the budget says so; what it cost is charged either way."""
    text = (PAID % "{per_kb: 0.1}").replace(
        "day: 1.00", f"day: 1.00, cut_streams: {str(cut).lower()}"
    )
    desk, call, reply, flow = streamed(text)
    flow.body.feed(b"x" * 10 * 1024)
    assert call.stopped is None
    flow.body.feed(b"x" * 1024)
    assert (call.stopped is not None) is cut
    reply.finish(Failure.CANCELLED)
    (account,) = ledger(desk).accounts()
    assert (account.spent, account.reserved, account.overrun) == (1_100_000, 0, 100_000)


def test_a_budget_that_only_counts_hides_no_other() -> None:
    """A stream grows past it, and ends where the next one is full; all is reserved in that one."""
    both = "day: 1.00, on_exceed: shadow}, {name: all, per: fleet, day: 3.00"
    text = (PAID % "{per_kb: 0.1}").replace("day: 1.00", both)
    desk, call, reply, flow = streamed(text)
    for n in range(30):
        assert call.stopped is None
        flow.body.feed(b"x" * 1024)
        assert spent(desk)["all:"][1] >= (n + 1) * 100_000
    flow.body.feed(b"x")
    assert call.stopped is not None
    reply.finish(Failure.CANCELLED)
    assert [one.reserved for one in ledger(desk).accounts()] == [0, 0]


@pytest.mark.parametrize("more", ["", ", on_exceed: shadow", ", cut_streams: false"])
def test_a_stream_costs_no_more_than_one_call_may(more: str) -> None:
    """Where that is what its budget says."""
    both = "day: 1.00}, {name: one, per: request, limit: 0.50" + more
    _, call, reply, flow = streamed((PAID % "{per_kb: 0.1}").replace("day: 1.00", both))
    flow.body.feed(b"x" * 5 * 1024)
    assert call.stopped is None
    assert call.purse.held == 500_000
    flow.body.feed(b"x")
    assert (call.because is not None) is (not more)
    if call.because is not None:
        assert (call.because.code, call.because.policy) == ("budget_exceeded", "one")
    reply.finish(Failure.CANCELLED)
    assert (call.purse.spent, call.purse.held) == (600_000, 0)


def test_a_stream_goes_on_that_a_person_let_go() -> None:
    """Though there is no room for it."""
    text = (PAID % "{per_kb: 0.1}").replace("day: 1.00", "day: 1.00, on_exceed: approve")
    _, call, reply, flow = streamed(text)
    call.purse.approved = True
    flow.body.feed(b"x" * 20 * 1024)
    assert call.stopped is None
    reply.finish(Failure.CANCELLED)


def test_a_price_in_shadow_ends_no_stream() -> None:
    """It is looked at, and that is all."""
    text = (PAID % "{per_kb: 0.1}").replace("cost:", "mode: shadow, cost:")
    _, call, reply, flow = streamed(text)
    flow.body.feed(b"x" * 20 * 1024)
    assert call.stopped is None
    reply.finish(Failure.CANCELLED)


def test_a_stream_goes_on_into_a_new_window() -> None:
    """It is the room of now that counts."""
    clock = FakeClock()
    flow = Flow()
    desk = Desk(PAID % "{per_kb: 0.1}", upstream=flow, clock=clock)
    call = post("search")
    call.cancel = lambda: None
    reply = run(desk.found(call)(call))
    (account,) = ledger(desk).accounts()
    account.charge(900_000, clock.wall())
    clock.advance(86_400)
    flow.body.flow(Nowhere())
    flow.body.feed(b"x" * 8 * 1024)
    assert call.stopped is None
    reply.finish(Failure.CANCELLED)


def test_an_upload_of_unknown_length_is_seen_on_its_way() -> None:
    """It cannot hide its size."""
    mounts = "upstreams:\n  gateway: {url: 'http://h', protocol: http}\n"
    call, body = post("search"), Body()
    call.head.method, call.body = "PUT", body

    class Takes(ScriptedUpstream):
        """It reads the upload before it answers."""

        async def __call__(self, attempt: Any) -> Reply:
            body.flow(Nowhere())
            body.feed(b"x" * 2_048)
            return await super().__call__(attempt)

    desk = Desk(PAID % "{per_kb: 0.01}", mounts=mounts, upstream=Takes(200))
    run(desk.found(call)(call)).finish()
    assert call.purse.spent == 20_000 + 10_000


# --- the journal ---


async def sent(desk: Desk, call: Call) -> "asyncio.Task[Reply]":
    """On its way: it may wait for the journal."""

    async def goes() -> Reply:
        reply = await desk.found(call)(call)
        reply.finish()
        return reply

    task = asyncio.get_running_loop().create_task(goes())
    for _ in range(5):
        await asyncio.sleep(0)
    return task


def journalled(kind: str = "ok", text: str = TIGHT, *script: Any) -> tuple[Desk, FakeTrail]:
    """A table whose calls leave traces."""
    trail = FakeTrail(kind)
    desk = Desk(text, *(script or (200, 200)), clock=_RealTasks(), trail=trail)
    ledger(desk).note = trail.note
    return desk, trail


async def test_the_first_call_of_a_key_waits_for_a_promise() -> None:
    """The next one does not, and another promise is asked for before this one is used up."""
    desk, trail = journalled()
    task = await sent(desk, post("search"))
    assert trail.types == ["budget.lease"]
    assert not desk.upstream.attempts
    await trail.says(True)
    assert (await task).status == 200
    assert spent(desk) == {"cap:": (300_000, 0)}


async def test_what_is_asked_for_early_makes_nobody_wait() -> None:
    """A promise is a hundredth of the limit ahead."""
    desk, trail = journalled(text=TIGHT.replace("0.30", "0.006"))
    task = await sent(desk, post("search"))
    await trail.says(True)
    await task
    task = await sent(desk, post("search"))
    assert task.done()
    assert trail.types.count("budget.lease") == 2
    (account,) = ledger(desk).accounts()
    promised = account.promised
    await trail.says(True)
    assert account.promised > promised
    await task


async def test_a_promise_that_fails_is_asked_for_again() -> None:
    """By the next call."""
    desk, trail = journalled("ok", TIGHT.replace("0.30", "0.006"), 200, 200, 200)
    task = await sent(desk, post("search"))
    await trail.says(True)
    await task
    await (await sent(desk, post("search")))
    await trail.says(False)
    task = await sent(desk, post("search"))
    await trail.says(True)
    await task
    assert trail.types.count("budget.lease") == 3


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("unrecorded", ["allow", "deny"])
async def test_where_the_journal_cannot_be_written(unrecorded: str, known: bool) -> None:
    """What becomes of the call is the policy's to say: it goes and is counted, or it does not."""
    text = TIGHT.replace("cost:", f"on_journal_failure: {unrecorded}, cost:")
    desk, trail = journalled("failed" if known else "ok", text)
    task = await sent(desk, post("search"))
    if not known:
        await trail.says(False)
    reply = await task
    if unrecorded == "deny":
        assert reply.refusal is not None
        assert reply.refusal.code == "journal_unavailable"
        assert spent(desk) == {"cap:": (0, 0)}
    else:
        assert reply.status == 200
        assert desk.rows(UNRECORDED) == {("lease",): 1}


async def test_what_a_stream_grows_by_is_promised_while_it_flows() -> None:
    """Its end may never come: who starts after a crash must know of it."""
    trail, flow = FakeTrail(), Flow()
    desk = Desk(PAID % "{per_kb: 0.001}", clock=_RealTasks(), trail=trail, upstream=flow)
    ledger(desk).note = trail.note
    call = post("search")
    call.cancel = lambda: None
    task = asyncio.ensure_future(desk.found(call)(call))
    await settled()
    await trail.says(True)
    reply = await task
    flow.body.flow(Nowhere())
    (account,) = ledger(desk).accounts()
    for _ in range(4):
        flow.body.feed(b"x" * 100 * 1024)
        assert account.asked >= account.total >= account.reserved
        await trail.says(True)
        assert account.promised >= account.total
    reply.finish(Failure.CANCELLED)
    assert account.spent == 400_000


async def test_others_may_take_the_room_while_one_waits() -> None:
    """It is looked at again; no limit is passed."""
    desk, trail = journalled("ok", TIGHT.replace("0.30", "0.60"), 200, 200)
    first, second = await sent(desk, post("search")), await sent(desk, post("search"))
    await trail.says(True)
    replies = [await first, await second]
    assert sorted(reply.status for reply in replies) == [0, 200]
    assert spent(desk) == {"cap:": (600_000, 0)}


async def test_a_key_that_made_room_while_its_call_waits_is_charged_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing was reserved of it then. The call is charged to what stands there now."""
    monkeypatch.setattr(ledgers, "MOST_KEYS", 1)
    desk, trail = journalled("ok", TIGHT.replace("agent", "workflow"))
    call = post("search")
    call.workflow = "w"
    task = await sent(desk, call)
    (account,) = ledger(desk)._accounts["cap"].values()
    for key in ("other", "w"):
        ledger(desk).account(account.cap, key)
    await trail.says(True)
    await settled()
    await trail.says(True)
    assert (await task).status == 200
    assert spent(desk) == {"cap:w": (300_000, 0)}


async def test_a_call_that_is_cancelled_while_it_waits_gives_back() -> None:
    """What was granted too late is nobody's."""
    desk, trail = journalled()
    task = await sent(desk, post("search"))
    task.cancel()
    await asyncio.sleep(0)
    await trail.says(True)
    for _ in range(5):
        await asyncio.sleep(0)
    assert spent(desk) == {"cap:": (0, 0)}


async def test_a_call_that_is_over_is_granted_nothing() -> None:
    """Its agent left in the very turn in which the journal had what it waited for: its record is
    noted, and an intent behind that would have no end."""
    desk, trail = journalled()
    call = post("search")

    async def goes() -> None:
        try:
            await desk.found(call)(call)
        except asyncio.CancelledError:
            call.purse.told(call.id, None)
            call.purse = None

    task = asyncio.get_running_loop().create_task(goes())
    await settled()
    task.cancel()
    for future in trail.waiting:
        future.set_result(True)
    await settled()
    assert task.done()
    assert call.purse is None
    assert spent(desk) == {"cap:": (0, 0)}
    assert ledger(desk).under_way.calls == {}


async def test_a_call_that_takes_long_has_an_intent() -> None:
    """Of what is reserved when somebody writes it."""
    desk, trail = journalled()
    call = post("search")
    task = await sent(desk, call)
    await trail.says(True)
    await task
    assert ledger(desk).under_way.begun() == ([], True)
    (intent,), more = ledger(desk).under_way.begun()
    assert (intent.id, intent.reserved_micros, more) == (call.id, 300_000, False)
    assert intent.charges == {"cap:": 300_000}


async def test_what_was_dearer_than_promised_makes_the_answer_wait() -> None:
    """Its end: nobody hears that it is over before the journal knows what it may have cost."""
    body = FakeBody(b'{"cost": 0.70}')
    text = PAID % "{fixed: 0.01, from_reply: cost}"
    desk, trail = journalled("ok", text, make_reply(200, body=body))
    call = post("search")
    task = await sent(desk, call)
    await trail.says(True)
    await task
    assert call.lasting is not None
    await trail.says(True)
    (account,) = ledger(desk).accounts()
    assert account.promised >= 700_000


async def test_a_call_that_waits_for_its_record_anyhow_waits_once() -> None:
    """What it waits for comes after the promise."""
    text = PAID % "{fixed: 0.01, from_reply: cost}"
    desk, trail = journalled("ok", text, make_reply(200, body=FakeBody(b'{"cost": 0.70}')))
    call = post("search")
    call.lasting = lasting = trail.durable
    task = await sent(desk, call)
    await trail.says(True)
    await task
    assert call.lasting == lasting


def test_a_hedge_does_not_run_where_most_is_spent() -> None:
    """Above seven tenths of a budget."""
    desk = Desk(TIGHT, 200, 200, 200)
    desk.codes(2)
    call = post("search")
    pipeline = desk.pipeline(call)
    assert pipeline is not None
    gate = _gate(desk, call)
    hedge = make_attempt(call, hedge=True)
    assert gate.admit(hedge) is None  # six tenths
    gate.settle(hedge, make_reply(200))
    desk.codes(1)
    verdict = gate.admit(make_attempt(call, number=2, hedge=True))
    assert isinstance(verdict, Refusal)


def _gate(desk: Desk, call: Call) -> Any:
    """The gate of such calls."""
    loaded = desk.table.loaded
    effective = charged(cascade(loaded.policies, facts(call)), facts(call), "", loaded)
    plan = plan_of(effective, call, desk.table.grounds)
    section = Budgets(**effective.sections["budgets"].fields)
    return Spending.build(section, Site(plan.enforced.target, plan.enforced.ground))


def test_a_call_that_is_repeated_counts_once() -> None:
    """In its workflow, however often it was paid for."""
    desk = Desk(TIGHT.replace("cost: 0.30", "cost: 0.10, retry: {attempts: 3}"), 503, 503, 200)
    call = post("search")
    call.workflow = "w"
    desk.call(call)
    assert ledger(desk).by_workflow == {"w": Work({"": 300_000}, {"": 1})}


def test_what_was_not_sent_leaves_no_price_to_tell() -> None:
    """Nor does it take away that of an attempt before it."""
    desk = Desk(TIGHT, 200)
    call = post("search")
    gate = _gate(desk, call)
    known = []
    for number, sent in enumerate((False, True, False), 1):
        attempt = make_attempt(call, number=number)
        assert gate.admit(attempt) is None
        attempt.sent = sent
        gate.settle(attempt, make_reply(503 if sent else Failure.CONNECT))
        known.append(call.purse.known)
    assert known == [-1, 300_000, 300_000]


def test_what_it_costs_is_not_known_while_a_hedge_runs_beside() -> None:
    """That may be paid for as well."""
    desk = Desk(PAID % "{per_kb: 0.1}", 200)
    call = post("search")
    gate = _gate(desk, call)
    attempts = [make_attempt(call, number=1), make_attempt(call, number=2, hedge=True)]
    assert [gate.admit(attempt) for attempt in attempts] == [None, None]
    reply = make_reply(200, body=FakeBody(b"x"))
    attempts[0].sent = True
    gate.committed(attempts[0], reply)
    assert call.purse.known == -1
    gate.settle(attempts[1], make_reply(Failure.CANCELLED))
    gate.committed(attempts[0], reply)
    assert call.purse.known == 100_000
    gate.settle(attempts[0], reply)


def test_it_says_what_is_left() -> None:
    """Without taking anything, or opening an account."""
    desk = Desk(TIGHT, 200, 200, 200)
    call = post("search")
    desk.pipeline(call)
    gate = _gate(desk, call)
    assert gate.says(call).note == "costs 0.30 USD; cap: nothing spent of 1.00 a day"
    assert spent(desk) == {}
    desk.codes(3)
    said = gate.says(call)
    assert said.note == "costs 0.30 USD; cap: 0.90 of 1.00 a day, 0.00 reserved"
    assert said.refusal is not None
    assert said.refusal.code == "budget_exceeded"


def test_conditions_may_ask_for_money() -> None:
    """What a call costs, and what is left of the budget that has least."""
    text = (
        "policies: [{name: p, effect: read, cost: 0.30, deny: {when: '%s'}}]\n"
        "budgets:\n"
        "  - {name: cap, per: agent, day: 1.00}\n"
        "  - {name: wide, per: fleet, day: 9.00}\n"
    )
    assert Desk(text % "cost > 0.29").codes(1) == ["denied"]
    assert Desk(text % "cost > 0.31", 200).codes(1) == ["200"]
    desk = Desk(text % "budget.remaining < 0.5", 200, 200)
    assert desk.codes(3) == ["200", "200", "denied"]
    assert Desk(ONE.replace("0.30", "0.30, deny: {when: 'cost == 0.0'}"), 200).codes(1) == ["200"]
    shadow = Desk(text.replace("when", "mode: shadow, when") % "cost > 0.29", 200)
    assert shadow.codes(1) == ["200"]
    assert shadow.shadowed == {("denied", "p", "false"): 1}


@pytest.mark.parametrize(
    "text",
    [
        "policies: [{name: p, match: {when: 'cost > 1.0'}, effect: read}]",
        "policies: [{name: p, cost: {fixed: 1, when: 'budget.remaining > 0.5'}}]",
        "budgets: [{name: b, per: agent, day: 1, match: {when: 'cost > 1.0'}}]",
    ],
)
def test_nobody_asks_for_money_to_find_out_what_it_costs(text: str) -> None:
    """An error that says who may."""
    with pytest.raises(ConfigError, match="may ask for it"):
        load(text)


def test_it_says_what_is_left_of_the_window_that_is_on() -> None:
    """When it is over there is room again, though nobody has called since."""
    clock = FakeClock()
    desk = Desk(TIGHT, 200, 200, 200, clock=clock)
    desk.codes(3)
    call = post("search")
    desk.pipeline(call)
    gate = _gate(desk, call)
    clock.advance(86_400)
    said = gate.says(call)
    assert said.note == "costs 0.30 USD; cap: 0.00 of 1.00 a day, 0.00 reserved"
    assert said.refusal is None


def test_it_says_that_a_shadow_budget_refuses_nobody() -> None:
    """Though it has no room."""
    desk = Desk(TIGHT.replace("day: 1.00", "day: 1.00, on_exceed: shadow"), 200, 200, 200)
    desk.codes(3)
    call = post("search")
    desk.pipeline(call)
    assert _gate(desk, call).says(call).refusal is None


def test_it_says_by_what_the_price_is_told() -> None:
    """The condition holds, or it does not; nobody's name is told, and nobody's price."""
    desk = Desk(
        "policies: [{name: p, effect: read, cost: {fixed: 0.5, when: 'input.deep == true'}}]\n"
        "prices: {unknown_price: deny}\n"
        "budgets: [{name: w, per: workflow, total: 1, require: true}]\n",
    )
    deep, flat = give("search", b'{"deep": true}'), give("search", b'{"deep": false}')
    for call in (deep, flat):
        desk.found(call)
    gate = _gate(desk, deep)
    said = gate.says(deep)
    assert said.note.startswith("costs 0.50 USD; w: nothing spent")
    assert said.refusal is not None
    assert said.refusal.scope == "workflow"
    said = gate.says(flat)
    assert said.note.startswith("nobody says what it costs")
    deep.workflow = "w"
    assert gate.says(deep).refusal is None


def test_it_says_the_price_that_would_be_paid() -> None:
    """Where the condition fails, the dearer one; where a call has two meanings, none."""
    desk = Desk(
        "policies: [{name: p, effect: read, cost: {fixed: 0.01, when: 'input.deep == true'}}]\n"
        "prices: {tools: {search: 0.5}}\n",
        200,
    )
    silent, twofold = give("search", b"{}"), give("search", b'{"deep": true, "deep": false}')
    for call in (silent, twofold):
        desk.found(call)
    gate = _gate(desk, silent)
    assert gate.says(silent).note.startswith("costs 0.50 USD")
    refusal = gate.says(twofold).refusal
    assert refusal is not None
    assert refusal.code == "ambiguous_call"
    desk.call(silent)
    assert silent.purse.spent == 500_000


def test_conditions_on_the_cost_see_the_price_that_would_be_paid() -> None:
    """Who makes the condition of a price fail looks no cheaper for it."""
    desk = Desk(
        "policies: [{name: p, effect: read, cost: {fixed: 0.01, when: 'input.deep == true'},"
        " deny: {when: 'cost > 0.1'}}]\n"
        "prices: {tools: {search: 0.5}}\n",
        200, 200,
    )  # fmt: skip
    bodies = (b'{"deep": true}', b'{"deep": false}', b"{}")
    refusals = [desk.call(give("search", body)).refusal for body in bodies]
    assert [refusal and refusal.code for refusal in refusals] == [None, "denied", "denied"]


TWO = """policies:
  - {name: cheap, match: {tool: search}, effect: read, cost: 0.00001}
  - {name: dear, match: {tool: pay}, effect: read, cost: 0.0009}
budgets: [{name: cap, per: agent, day: 1.00, alert_at: [0.5]}]
"""


def _cheap(desk: Desk) -> Any:
    """The gate of calls to `search`."""
    call = post("search")
    desk.pipeline(call)
    return _gate(desk, call)


def test_an_alert_counts_what_lies_in_tills() -> None:
    """It is raised by the call with which half of the limit is spent, though most of what was
    spent of late is not booked yet."""
    desk = Desk(TWO, *[200] * 40)
    noted: list[Any] = []
    ledger(desk).note = noted.append
    desk.codes(1)
    (account,) = ledger(desk).accounts()
    account.promise(508_000)
    rest = 499_000 - account.total
    account.reserve(rest)
    account.settle(rest, rest, desk.clock.wall())
    desk.codes(22)
    assert (len(account.tills), account.spent, account.total) == (1, 499_010, 499_250)
    assert [entry.type for entry in noted if entry.type == "budget.alert"] == []
    desk.call(post("pay"))
    assert [entry.spent for entry in noted if entry.type == "budget.alert"] == [500_120]
    assert (account.spent, account.reserved) == (500_120, 0)


def test_who_takes_of_a_till_is_looked_at_by_the_journal() -> None:
    """It is woken where it would not look, and is left alone where it will."""
    desk = Desk(TWO, *[200] * 5)
    gate, under_way, stirred = _cheap(desk), ledger(desk).under_way, []
    under_way.stir = lambda: stirred.append(1)
    for number in range(5):
        call = post("search")
        call.id = f"c{number}"
        assert gate.admit(make_attempt(call, sent=True)) is None
        if number in {2, 3}:  # of these the till lets go
            assert type(call.purse) is Till
            under_way.idle = number == 3
    assert (len(stirred), len(under_way.calls), under_way.idle) == (2, 5, False)


@pytest.mark.parametrize("days", [1, -1])
def test_a_call_pays_in_the_window_in_which_it_ends(days: int) -> None:
    """Though it took its price of a till of another one, which nobody has closed yet."""
    desk = Desk(TWO, *[200] * 3)
    gate, call = _cheap(desk), post("search")
    attempt = make_attempt(call, sent=True)
    for number in range(3):
        other = post("search")
        other.id = f"o{number}"
        took = make_attempt(other, sent=True)
        assert gate.admit(took) is None
        gate.settle(took, make_reply(200))
    assert gate.admit(attempt) is None
    assert type(call.purse) is Till
    began = desk.clock.wall()
    desk.clock.time += days * 86_400
    gate.settle(attempt, make_reply(200))
    (account,) = ledger(desk).accounts()
    found = [account.windows(at)[0].spent for at in (began, began + days * 86_400)]
    assert (found, account.reserved, call.purse.charges) == ([30, 10], 0, {"cap:": 10})


def test_who_spends_is_not_mixed_up_by_tills() -> None:
    """Agents, workflows, and who waits for whom, one after the other and in between."""
    desk = Desk(TWO, *[200] * 60)
    whose = [("ann", "", ""), ("ann", "w", ""), ("ann", "w", "boss"), ("bob", "", "boss")]
    gate = _cheap(desk)
    for number in range(12):
        agent, workflow, caller = whose[number % 4]
        call = post("search")
        call.id = f"c{number}"
        call.agent, call.workflow, call.caller = agent, workflow, caller
        attempt = make_attempt(call, sent=True)
        assert gate.admit(attempt) is None
        gate.settle(attempt, make_reply(200))
        assert call.purse.charges == {f"cap:{agent}": 10}
    assert len(ledger(desk).tills) == 4
    assert ledger(desk).by_agent == {"ann": 90, "bob": 30}
    assert ledger(desk).by_workflow["w"].by("caller_pays") == {"ann": 30, "boss": 30}
    assert spent(desk) == {"cap:ann": (90, 0), "cap:bob": (30, 0)}


def test_a_till_is_taken_of_by_the_first_sending_that_is_answered_well() -> None:
    """Whatever else comes has a purse: one that fails, is not sent, or runs beside another."""
    desk = Desk(TWO, *[200] * 60)
    gate = _cheap(desk)

    def goes(*sendings: tuple[int | Failure, bool]) -> tuple[str, int]:
        """What its call has in the end, and what it cost."""
        call = post("search")
        for what, sent in sendings:
            attempt = make_attempt(call, sent=sent)
            assert gate.admit(attempt) is None
            gate.settle(attempt, make_reply(what))
        return type(call.purse).__name__, call.purse.spent

    assert goes((200, True)) == ("Purse", 10)  # nothing is promised yet
    assert goes((200, True)) == ("Purse", 10)  # it comes for the first time
    assert goes((200, True)) == ("Paid", 10)
    assert goes((200, False)) == ("Purse", 0)
    assert goes((503, True)) == ("Purse", 10)
    assert goes((Failure.CANCELLED, True)) == ("Purse", 10)
    assert goes((503, True), (200, True)) == ("Purse", 20)
    assert goes((200, True), (200, True)) == ("Purse", 20)
    assert spent(desk) == {"cap:": (90, 0)}


def test_a_hedge_is_asked_though_there_is_a_till() -> None:
    """Where more than seven tenths are used, none runs; the first sending has what it took."""
    desk = Desk(TWO.replace("alert_at: [0.5]", "alert_at: [1]"), *[200] * 60)
    desk.codes(1)
    (account,) = ledger(desk).accounts()
    account.promise(1_000_000)
    rest = 800_000 - account.total
    account.reserve(rest)
    account.settle(rest, rest, desk.clock.wall())
    gate = _cheap(desk)
    for number in range(2):
        attempt = make_attempt(make_call(id=f"c{number}"), sent=True)
        assert gate.admit(attempt) is None
        gate.settle(attempt, make_reply(200))
    assert account.tills
    call = post("search")
    assert isinstance(gate.admit(make_attempt(call, hedge=True)), Refusal)
    first, second = make_attempt(call, sent=True), make_attempt(call, hedge=True, number=2)
    assert gate.admit(first) is None
    assert isinstance(gate.admit(second), Refusal)
    gate.settle(first, make_reply(200))
    assert (account.reserved, account.spent) == (0, 800_030)


def test_a_till_that_is_used_up_is_closed_by_the_last_who_pays() -> None:
    """What was spent is booked then, at the time of that call."""
    clock = FakeClock()
    desk = Desk(TWO, *[200] * 200, clock=clock)
    desk.codes(3)
    books = ledger(desk)
    (till,) = books.tills
    (account,) = till.paid.accounts  # type: ignore[attr-defined]  # it is a Till
    while till in books.tills:
        clock.advance(1)
        desk.codes(1)
    assert (account.touched, account.reserved) == (clock.wall(), 0)
