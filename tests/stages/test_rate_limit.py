"""No more than so many calls, or tokens, in so long a time."""

import asyncio
import inspect
from typing import Any

import msgspec
import pytest

from proxy.attempt import Attempt
from proxy.call import Call
from proxy.counts import Counts
from proxy.pipeline.guard import AttemptGuard
from proxy.refusal import Refusal
from proxy.reply import Failure, Reply
from proxy.stage import Ground, Said, Site
from proxy.stages.rate_limit import RateLimit, Turnstile
from proxy.state.queued import Queued
from proxy.units import Rate
from tests.fakes import (
    FakeBody,
    FakeClock,
    ScriptedUpstream,
    decided,
    make_attempt,
    make_call,
    make_ground,
    make_reply,
    make_target,
    run,
)
from tests.pipeline.scene import Free, settle_down
from tests.tables import Desk, give, load, post


def section(rate: str = "10/s", **more: Any) -> RateLimit:
    """With a burst of two, unless said otherwise."""
    return RateLimit(rate=Rate.parse(rate), **({"burst": 2} | more))


def metered(tokens: str = "600/m", **more: Any) -> RateLimit:
    """One of tokens."""
    return RateLimit(tokens=Rate.parse(tokens), **more)


def turnstile(said: RateLimit, ground: Ground, policy: str = "fair", **target: Any) -> Turnstile:
    """The gate of a tool, of calls if they are limited."""
    build = Turnstile.of_tokens if said.rate is None else Turnstile.of_calls
    gate = build(said, Site(make_target(**target), ground, policy))
    assert gate is not None
    return gate


class Door:
    """A gate on a clock of its own, and the attempts that come to it."""

    def __init__(self, said: RateLimit, *, shadow: bool = False, asleep: bool = True) -> None:
        self.clock = FakeClock(asleep=asleep)
        self.ground = make_ground(self.clock, shadow=shadow)
        self.gate = turnstile(said, self.ground)

    def attempt(self, left: float = 45.0, size: int = 4, **call: Any) -> Attempt:
        """One that begins now, of a call with so many seconds left and a body of so many bytes."""
        now = self.clock.now()
        members: dict[str, Any] = {
            "started": now,
            "deadline": now + left,
            "body": FakeBody(b"x" * size),
        } | call
        return make_attempt(make_call(**members), started=now)

    def asks(self, attempt: Attempt | None = None) -> Any:
        """What it says to one."""
        return self.gate.admit(attempt or self.attempt())

    def comes(self, *, sent: bool = True, tokens: int | None = None, **how: Any) -> Any:
        """What it says to one that is over at once, if it may go."""
        attempt = self.attempt(**how)
        verdict = self.gate.admit(attempt)
        if verdict is None:
            attempt.sent = sent
            self.gate.settle(attempt, make_reply(200, tokens=tokens))
        return verdict

    def go(self, number: int, **how: Any) -> int:
        """How many of so many go at once."""
        return sum(self.comes(**how) is None for _ in range(number))

    def starts(self, left: float = 45.0) -> "asyncio.Task[Reply]":
        """An attempt on its way to an upstream that is well, in a task."""
        counted = Counts(("code", "policy", "enforced"))
        upstream = ScriptedUpstream(200)
        guard = AttemptGuard([self.gate], [], upstream, decided, self.clock, counted)
        attempt = self.attempt(left)
        attempt.call.attempts.append(attempt)

        async def passes() -> Reply:
            reply = await guard(attempt)
            reply.attempt = attempt
            return reply

        return asyncio.get_running_loop().create_task(passes())


def refused(verdict: Any) -> Refusal:
    """It is a refusal."""
    assert isinstance(verdict, Refusal)
    return verdict


def test_a_burst_and_then_the_rate() -> None:
    """The burst is the rate's own number where nothing else is said."""
    door = Door(RateLimit(rate=Rate.parse("10/s")))
    assert door.go(20) == 10
    door.clock.advance(0.1)
    assert door.go(20) == 1
    door.clock.advance(60.0)
    assert door.go(20) == 10


def test_a_refusal_tells_exactly_when_the_next_may_go() -> None:
    """And who says so, for what, and how much there was."""
    door = Door(section("100/h"))
    door.go(2)
    refusal = refused(door.comes())
    assert refusal.retry_after == pytest.approx(36.0)
    assert (refusal.code, refusal.policy, refusal.scope) == ("rate_limited", "fair", "tool")
    assert refusal.detail == "No more than 100/h for this tool; the next may go in 36.0 s"
    assert (refusal.quota, refusal.retryable, refusal.step) == ("q=2;w=72", True, "retry_later")
    door.clock.advance(35.9)
    assert door.go(1) == 0
    door.clock.advance(0.1)
    assert door.go(1) == 1


@pytest.mark.parametrize(
    ("rate", "burst", "quota"),
    [("10/s", None, "q=10;w=1"), ("600/m", None, "q=600;w=60"), ("10/s", 1, "q=1;w=1")],
)
def test_a_quota_is_a_burst_and_the_time_that_brings_it(
    rate: str, burst: int | None, quota: str
) -> None:
    """Whole seconds, rounded up."""
    door = Door(section(rate, burst=burst))
    door.go(600)
    assert refused(door.comes()).quota == quota


def test_what_was_not_sent_goes_back() -> None:
    """A later gate refused it, the upstream could not be reached, or it was cancelled."""
    door = Door(section())
    assert door.go(50, sent=False) == 50
    assert door.go(50) == 2


def test_it_is_settled_on_every_way_out() -> None:
    """By the guard; only what was sent counts."""
    door = Door(section())
    counted = Counts(("code", "policy", "enforced"))
    no = Refusal("circuit_open", "no")
    exits: tuple[tuple[list[Any], Any], ...] = (
        ([door.gate, Free(no)], 200),
        ([door.gate], Failure.CONNECT),
        ([door.gate], 200),
        ([door.gate], Failure.DISCONNECT),
    )
    for gates, step in exits:
        guard = AttemptGuard(gates, [], ScriptedUpstream(step), decided, door.clock, counted)
        reply = run(guard(door.attempt()))
        reply.finish()
        assert reply.refusal in {None, no}
    assert door.go(1) == 0


def test_tokens_are_taken_by_an_estimate() -> None:
    """A token is four bytes of the body."""
    door = Door(metered("600/m", burst=100))
    assert door.go(10, size=160) == 2
    assert door.go(10, size=80) == 1
    refusal = refused(door.comes(size=4))
    assert refusal.retry_after == pytest.approx(0.1)
    assert refusal.detail.startswith("No more than 600/m tokens for this tool")
    assert refusal.quota == 'q=100;w=10;qu="tokens"'


def test_tokens_are_set_right_when_the_answer_tells() -> None:
    """What was too much goes back; what was too little is waited for by the next."""
    door = Door(metered("600/m", burst=100))
    assert door.comes(size=400, tokens=20) is None
    assert door.comes(size=320, tokens=180) is None
    assert refused(door.comes()).retry_after == pytest.approx(10.1)


def test_tokens_of_what_was_not_sent_go_back() -> None:
    """All of them."""
    door = Door(metered("600/m", burst=100))
    assert door.go(10, size=400, sent=False) == 10


def test_more_tokens_than_ever_go_at_once_are_refused_for_good() -> None:
    """No wait would help, and the agent is told so."""
    door = Door(metered("600/m", burst=100, queue=5))
    refusal = refused(door.comes(size=404))
    assert (refusal.retryable, refusal.retry_after) == (False, None)
    assert refusal.detail == "It counts as 101 tokens; no more than 100 go at once"
    assert refusal.step == "retry_modified"
    assert door.go(1, size=400) == 1


def test_a_burst_is_of_calls_where_both_are_limited() -> None:
    """That of tokens is their own number."""
    both = section("10/s", tokens=Rate.parse("6000/m"))
    door = Door(both)
    assert door.go(5, size=4) == 2
    gate = Turnstile.of_tokens(both, Site(make_target(), door.ground, "fair"))
    assert gate is not None
    door.gate = gate
    assert door.go(1, size=20_000) == 1
    refusal = refused(door.comes(size=8_000))
    assert refusal.retry_after == pytest.approx(10.0)
    assert "6000/m tokens" in refusal.detail
    assert door.go(1, size=4_000) == 1


def test_estimates_cost_nothing_where_nobody_counts_tokens() -> None:
    """The body is not looked at."""
    door = Door(section())
    attempt = door.attempt()
    assert door.asks(attempt) is None
    assert attempt.call.tokens == 0


@pytest.mark.parametrize(
    ("per", "other", "same"),
    [
        ("tool", {"tool": "deposit"}, {"model": "m"}),
        ("tool", {"upstream": "b"}, {"model": "m"}),
        ("upstream", {"upstream": "b"}, {"tool": "deposit"}),
        ("model", {"sent_as": "m"}, {"tool": "deposit"}),
        ("rule", {"domain": "core"}, {"tool": "deposit", "upstream": "b", "model": "m"}),
    ],
)
def test_what_is_fixed_has_a_limit_of_its_own(
    per: Any, other: dict[str, str], same: dict[str, str]
) -> None:
    """Other pipelines share it or not, by what they are for."""
    door = Door(section(per=(per,)))
    assert door.go(5) == 2
    door.gate = turnstile(section(per=(per,)), door.ground, **same)
    assert door.go(5) == 0
    door.gate = turnstile(section(per=(per,)), door.ground, **other)
    assert door.go(5) == 2


@pytest.mark.parametrize("per", ["agent", "workflow", "model"])
def test_who_calls_has_a_limit_of_his_own(per: Any) -> None:
    """Looked up at each call; also together with what is fixed."""
    for pers in ((per,), (per, "tool"), ("agent", "workflow", "model")):
        door = Door(section(per=pers))
        assert door.go(5, **{per: "a"}) == 2
        assert door.go(5, **{per: "b"}) == 2
        assert door.go(5, **{per: "a"}) == 0
        other = turnstile(section(per=pers), door.ground, tool="deposit")
        door.gate = other
        assert door.go(5, **{per: "a"}) == (2 if "tool" in pers else 0)


def test_it_is_the_policys_own() -> None:
    """Another policy's limit of the same tool is another one, and one of another order of keys."""
    door = Door(section())
    assert door.go(5) == 2
    for gate in (
        turnstile(section(), door.ground, "other"),
        turnstile(section(per=("upstream",)), door.ground),
    ):
        door.gate = gate
        assert door.go(5) == 2


def test_a_reload_changes_the_rate_and_forgets_nothing() -> None:
    """The gate of the new table goes on with what was used, and so does that of the old one: there
    is one rate, the newest."""
    door = Door(section("100/h", burst=None))
    old = door.gate
    assert door.go(60) == 60
    door.gate = turnstile(section("50/m", burst=None), door.ground)
    assert door.go(60) == 0
    door.clock.advance(60.0)
    assert door.go(60) == 40
    door.gate = old  # of a call that began before
    assert door.go(80) == 0
    door.clock.advance(1.2)
    assert door.go(80) == 1


def test_a_table_of_before_does_not_bring_its_rate_back() -> None:
    """A call that began before a reload may compile its gate after it: it goes by the new rate."""
    door = Door(section("50/m", burst=None))
    old, new = (msgspec.structs.replace(door.ground, generation=number) for number in (1, 2))
    door.gate = turnstile(section("50/m", burst=None), new)
    assert door.go(10) == 10
    current, door.gate = door.gate, turnstile(section("1/h", burst=None), old)
    assert door.go(5) == 5
    door.gate = current
    assert door.go(60) == 35


def test_those_looked_up_follow_too() -> None:
    """When they are called the next time."""
    door = Door(section(per=("agent",)))
    assert door.go(5, agent="a") == 2
    door.gate = turnstile(section(per=("agent",), burst=5), door.ground)
    assert door.go(5, agent="a") == 3


def test_a_cell_that_made_room_is_looked_up_again() -> None:
    """What is taken of it is not forgotten with the pipeline that held it."""
    door = Door(section())
    assert door.go(1, sent=False) == 1
    (cells,) = (entry for key, entry in door.ground.keep.items() if "rate_limit" in str(key))
    cells._most = 1
    cells.of("another")
    assert not door.gate._cell.kept  # type: ignore[union-attr]  # it is bound
    assert door.go(5) == 2
    assert door.gate._cell.kept  # type: ignore[union-attr]  # it is bound
    door.gate = turnstile(section(), door.ground)
    assert door.go(5) == 0


async def test_a_queue_waits_for_its_turn() -> None:
    """In order, exactly; the wait is told apart from our own time."""
    door = Door(section(queue=2), asleep=False)
    door.go(2)
    first, second, third = door.starts(), door.starts(), door.starts()
    await settle_down()
    queued = Queued.of(door.ground, make_target())
    assert (third.done(), queued.now) == (True, 2)
    assert refused((await third).refusal).retry_after == pytest.approx(0.3)
    door.clock.advance(0.1)
    await settle_down()
    assert (first.done(), second.done()) == (True, False)
    door.clock.advance(0.1)
    await settle_down()
    assert queued.now == 0
    for waited, passing in ((0.1, first), (0.2, second)):
        attempt = (await passing).attempt
        assert attempt is not None
        assert attempt.sent
        assert attempt.call.queued == pytest.approx(waited)
        assert attempt.call.waited == pytest.approx(waited)
        assert attempt.started == attempt.call.started + attempt.call.queued


async def test_who_would_come_too_late_does_not_queue() -> None:
    """He is told at once how long it would take."""
    door = Door(section("1/s", queue=9), asleep=False)
    door.go(2)
    refusal = refused(door.asks(door.attempt(left=1.1)))
    assert refusal.retry_after == pytest.approx(1.0)
    waits = door.asks(door.attempt(left=1.2))
    assert inspect.isawaitable(waits)
    waits.close()


async def test_a_hedge_does_not_queue() -> None:
    """It goes at once or not at all: it is to be faster than what it is sent beside."""
    door = Door(section(queue=9), asleep=False)
    hedge = door.attempt()
    hedge.hedge = True
    assert door.asks(hedge) is None
    door.go(1)
    assert refused(door.asks(hedge)).retry_after == pytest.approx(0.1)


async def test_a_call_that_hangs_up_leaves_the_queue_at_once() -> None:
    """His place is free and the others move up; what he stood there is known."""
    door = Door(section(queue=2), asleep=False)
    door.go(2)
    first, second = door.starts(), door.starts()
    await settle_down()
    first.cancel()
    await settle_down()
    assert (first.cancelled(), Queued.of(door.ground, make_target()).now) == (True, 1)
    third = door.starts()
    await settle_down()
    assert not third.done()
    door.clock.advance(0.1)
    await settle_down()
    assert (second.done(), third.done()) == (True, False)
    door.clock.advance(0.1)
    await settle_down()
    assert (await third).status == 200


async def test_a_call_that_hangs_up_when_its_turn_comes_costs_nothing() -> None:
    """Whichever of the two comes first in one turn of the loop."""
    for turns in range(4):
        door = Door(section(queue=2), asleep=False)
        door.go(2)
        passing = door.starts()
        await settle_down()
        door.clock.advance(0.1)
        for _ in range(turns):
            await asyncio.sleep(0)
        passing.cancel()
        await settle_down()
        if passing.cancelled():
            assert door.go(1) == 1
        else:
            passing.result().drop()
        assert door.gate._cell.waiting == 0  # type: ignore[union-attr]  # it is bound
        assert door.gate._cell.limit._live == {}  # type: ignore[union-attr]  # as above


async def test_who_is_sent_away_is_told_how_long_it_would_take_now() -> None:
    """A call before him used more tokens than it had said."""
    door = Door(metered("60/m", burst=10, queue=2), asleep=False)
    attempt = door.attempt(size=40)
    assert door.asks(attempt) is None
    passing = door.starts(left=5.0)
    await settle_down()
    assert not passing.done()
    attempt.sent = True
    door.gate.settle(attempt, make_reply(200, tokens=50))
    await settle_down()
    assert refused((await passing).refusal).retry_after == pytest.approx(41.0)


def test_a_limit_without_a_number_limits_nothing() -> None:
    """Only where one policy takes away what another one gave; at load it is an error."""
    for build in (Turnstile.of_calls, Turnstile.of_tokens):
        assert build(RateLimit(queue=3), Site(make_target(), make_ground(), "p")) is None
    assert RateLimit().lack() == "a rate, or tokens, must be given"
    assert [section().lack(), metered().lack()] == ["", ""]


@pytest.mark.parametrize(
    ("queue", "left", "goes"), [(0, 45.0, 0), (2, 45.0, 2), (9, 45.0, 9), (9, 0.5, 3)]
)
def test_a_shadow_makes_nobody_wait(queue: int, left: float, goes: int) -> None:
    """It refuses whom a full queue would, or whose turn would come too late."""
    door = Door(section(queue=queue), shadow=True)
    assert door.go(2) == 2
    assert door.go(20, left=left) == goes
    door.clock.advance(0.1)
    assert door.go(20, left=left) == 1


def test_a_shadow_has_its_own_cells() -> None:
    """It takes nothing from what is enforced."""
    door = Door(section())
    shadow = turnstile(section(), Ground(door.clock, door.ground.keep, shadow=True))
    assert door.go(5) == 2
    door.gate = shadow
    assert door.go(5) == 2


async def test_it_says_what_it_would_do() -> None:
    """And does nothing."""
    door = Door(section(queue=1, per=("tool", "agent")), asleep=False)
    ann = make_call(agent="ann")
    for _ in range(5):
        assert door.gate.says(ann) == Said("10/s for each tool and agent: it may go")
    assert door.go(2, agent="ann") == 2
    waits = Said("10/s for each tool and agent: its turn is in 0.1 s, in a queue of 1")
    assert door.gate.says(ann) == waits
    waiting = door.asks(door.attempt(agent="ann"))
    said = door.gate.says(ann)
    assert said.note == "10/s for each tool and agent: its turn is in 0.2 s"
    assert refused(said.refusal).retry_after == pytest.approx(0.2)
    assert door.gate.says(make_call(agent="bob")).refusal is None
    waiting.close()


def test_it_says_so_of_tokens_too() -> None:
    """By the estimate."""
    door = Door(metered("60/m", burst=10))
    assert door.gate.says(make_call(body=FakeBody(b"x" * 44))).refusal is not None


RULE = "policies:\n  - {name: fair, rate_limit: {rate: 100/h, burst: 2}}\n"


def test_in_a_policy() -> None:
    """Calls of a tool; another tool has its own."""
    desk = Desk(RULE, *[200] * 3)
    assert desk.codes(3) == ["200", "200", "rate_limited"]
    assert desk.call(post("deposit")).status == 200


def test_in_shadow_it_is_counted() -> None:
    """The calls go."""
    desk = Desk(RULE.replace("burst: 2", "burst: 2, mode: shadow"), *[200] * 5)
    assert desk.codes(5) == ["200"] * 5
    assert desk.shadowed == {("rate_limited", "fair", "false"): 3}


def test_repetitions_count_and_the_upstreams_own_answer_is_handed_back() -> None:
    """What it said is worth more to the agent than that we would not ask again."""
    rule = RULE.replace("rate_limit:", "effect: read, retry: {}, rate_limit:")
    desk = Desk(rule, 503, 503)
    reply = desk.call()
    assert (reply.status, reply.refusal, len(desk.upstream.attempts)) == (503, None, 2)
    assert desk.codes(1) == ["rate_limited"]


def test_what_is_written_down() -> None:
    """All of it is read as it is spelled."""
    text = "{rate: 600/m, tokens: 90000/m, burst: 7, per: [agent, tool], queue: 3, shared: false}"
    (policy,) = load(f"policies:\n  - {{name: p, rate_limit: {text}}}\n").policies
    assert policy.sections["rate_limit"].fields == {
        "rate": "600/m",
        "tokens": "90000/m",
        "burst": 7,
        "per": ("agent", "tool"),
        "queue": 3,
        "shared": False,
    }
    assert msgspec.structs.asdict(RateLimit())["shared"] is True


TWO = """policies:
  - {name: all, rate_limit: {rate: 1000/s}}
  - {name: batch, match: {agent: x}, rate_limit: {tokens: 20/h}}
"""


def asked(agent: str) -> Call:
    """A call of ten tokens."""
    call = give("search", b"[" + b" " * 38 + b"]")
    call.agent = agent
    return call


def codes(desk: Desk, *agents: str) -> list[str]:
    """What calls of these agents come to."""
    replies = [desk.call(asked(agent)) for agent in agents]
    return [str(reply.refusal.code if reply.refusal else reply.status) for reply in replies]


def test_a_limit_of_tokens_is_not_lifted_by_who_has_none() -> None:
    """Agents whose policies differ call in turn: the one that is limited stays so."""
    desk = Desk(TWO, *[200] * 8)
    assert codes(desk, "x", "y", "x", "y", "x", "y", "x") == [
        *("200", "200", "200", "200", "rate_limited", "200", "rate_limited")
    ]
    refusal = desk.call(asked("x")).refusal
    assert refusal is not None
    assert refusal.policy == "batch"


def test_a_limit_of_tokens_does_not_begin_the_one_of_calls_anew() -> None:
    """Who has one besides shares the calls of all."""
    desk = Desk(TWO.replace("1000/s", "3/h"), *[200] * 3)
    assert codes(desk, "y", "x", "y", "y", "x") == [*["200"] * 3, *["rate_limited"] * 2]


def test_what_a_call_takes_of_tokens_is_free_again_if_it_may_not_go() -> None:
    """Both limits must agree."""
    desk = Desk(TWO.replace("1000/s", "1/m").replace("20/h", "10/h"), 200, 200)
    assert codes(desk, "y", "x") == ["200", "rate_limited"]
    desk.clock.advance(60.0)  # type: ignore[attr-defined]  # it is a fake one
    assert codes(desk, "x") == ["200"]


def test_models_have_a_limit_each() -> None:
    """Though their calls have one pipeline."""
    desk = Desk(RULE.replace("burst: 2", "burst: 1, per: [model]"), *[200] * 2)
    calls = [post("search") for _ in range(3)]
    for call, model in zip(calls, ("large", "small", "large"), strict=True):
        call.model = model
    assert [desk.call(call).refusal is None for call in calls] == [True, True, False]
