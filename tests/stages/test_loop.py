"""Loops: an agent that repeats itself is told so, then stopped; and rings of agents that wait."""

import gzip
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from proxy.call import Call, Effect, Rule, Whole
from proxy.counts import CHAINS_IGNORED, LOOPS, Counts
from proxy.keys import CHAINS
from proxy.keys import LOOPS as STATE
from proxy.pipeline.guard import CallGuard
from proxy.refusal import Refusal
from proxy.reply import Failure, Reply, Result
from proxy.stage import CallGate, Ground, Site
from proxy.stages.loop import Loop, LoopGuard
from proxy.state.chains import Chains
from proxy.state.loops import Loops
from proxy.units import Seconds
from proxy.wire.body import Body
from tests.fakes import (
    FakeBody,
    FakeClock,
    make_call,
    make_ground,
    make_reply,
    make_target,
    run,
)
from tests.tables import Desk, give

RULES = "policies: [{{name: p, loop: {}}}]"
NOTED = b"holdfast-loop: same; times=3; limit=5\r\n"


class Guarded:
    """A `loop` section, and what stands behind it: it answers what it is told to."""

    def __init__(self, ground: Ground | None = None, **fields: Any) -> None:
        self.clock = FakeClock()
        self.ground = ground or make_ground(self.clock)
        target = make_target(fields.pop("effect", Effect.READ), **fields.pop("target", {}))
        for name in {"poll", "within"} & fields.keys():
            fields[name] = Seconds(fields[name])
        self.section = Loop(**fields)
        self.gate = LoopGuard.build(self.section, Site(target, self.ground, "p"))
        self.sent: list[Call] = []
        self.answer: Callable[[], Reply] = lambda: make_reply(200, body=Whole(b"ok"))
        gates: list[list[CallGate]] = [[self.gate], []]
        enforced, shadows = gates[::-1] if self.ground.shadow else gates
        self.counted = Counts(())
        self.guard = CallGuard(enforced, shadows, self._inner, self.clock, self.counted)
        self.calls = 0

    async def _inner(self, call: Call) -> Reply:
        self.sent.append(call)
        return self.answer()

    def asks(self, fields: dict[bytes, bytes] | None = None, **changes: Any) -> Call:
        """A call of this tool."""
        self.calls += 1
        changes = {"id": f"c{self.calls}", "tool": "search", "layer": "tool"} | changes
        body = changes.pop("body", FakeBody(b'{"a": 1}'))
        return make_call(fields, body=body, **changes)

    def begins(self, call: Call | None = None) -> Reply:
        """A call at its commit."""
        return run(self.guard(call or self.asks()))

    def does(self, call: Call | None = None) -> str:
        """A whole call: `ok`, or its refusal's code; `!`: a repetition is noted."""
        reply = self.begins(call)
        reply.finish()
        noted = "!" if reply.lines else ""
        return (reply.refusal.code if reply.refusal else "ok") + noted

    def refusal(self, call: Call | None = None) -> Refusal:
        """What it is refused by."""
        refusal = self.begins(call).refusal
        assert refusal is not None
        return refusal

    @property
    def loops(self) -> Loops:
        """Its state."""
        return self.ground.kept(STATE, Loops)

    @property
    def chains(self) -> Chains:
        """Who waits."""
        return self.ground.keep.of(CHAINS, Chains)

    def rows(self, counted: Any = LOOPS) -> dict[tuple[str, ...], int]:
        """What was counted."""
        return dict(self.ground.kept(counted.key, counted.counts).rows)


class Nowhere:
    """A sink."""

    def write(self, piece: bytes) -> None:
        """Part of Sink."""

    def end(self, last: bytes, trailers: Sequence[Any]) -> None:
        """Part of Sink."""

    def broken(self, failure: Failure) -> None:
        """Part of Sink."""


def streamed(body: Any) -> Reply:
    """A good answer of which the body is still to come."""
    return make_reply(200, body=body, result=Result.SUCCESS)


def facts(refusal: Refusal) -> dict[str, Any]:
    """Members of the problem that only its code has."""
    return dict(refusal.facts)


# --- the same call ---


def test_the_same_is_noted_then_refused() -> None:
    """With what was answered before; nothing is sent."""
    guarded = Guarded()
    assert [guarded.does() for _ in range(5)] == ["ok", "ok", "ok!", "ok!", "ok!"]
    refusal = guarded.refusal()
    assert refusal.code == "loop_detected"
    assert refusal.detail == "this call has had the same answer 5 times"
    assert facts(refusal) == {"rule": "same", "times": 5, "answered": "ok"}
    assert (refusal.policy, refusal.scope, refusal.should_retry) == ("p", "workflow", False)
    assert len(guarded.sent) == 5
    assert guarded.rows() == {("same", "note"): 3, ("same", "refuse"): 1}


def test_what_is_noted_says_how_far_it_has_come() -> None:
    """Where answers say much of us at all."""
    guarded = Guarded()
    for _ in range(2):
        guarded.does()
    assert guarded.begins().lines == NOTED
    guarded = Guarded()
    for _ in range(2):
        guarded.does()
    assert guarded.begins(guarded.asks(rule=Rule(minimal=True))).lines == b""
    assert guarded.rows() == {("same", "note"): 1}


def test_what_fails_is_refused_sooner() -> None:
    """And the agent hears how it failed, whatever the text was."""
    guarded = Guarded()
    answers = iter([b"id 1", b"id 2", b"id 3"])
    guarded.answer = lambda: make_reply(500, body=Whole(next(answers)))
    assert [guarded.does() for _ in range(3)] == ["ok", "ok", "ok!"]
    refusal = guarded.refusal()
    assert refusal.detail == "this call has failed 3 times in the same way, with status 500"
    assert facts(refusal) == {"rule": "failing", "times": 3, "answered": "id 3"}


def test_failures_of_the_network_count() -> None:
    """There is nothing to be told again."""
    guarded = Guarded()
    guarded.answer = lambda: make_reply(Failure.CONNECT)
    assert [guarded.does() for _ in range(3)] == ["ok", "ok", "ok!"]
    refusal = guarded.refusal()
    assert refusal.detail == "this call has failed 3 times in the same way"
    assert facts(refusal)["answered"] is None


def test_our_own_refusals_do_not_count() -> None:
    """Nor what is to be repeated later."""
    guarded = Guarded()
    for refused in (make_reply(Refusal("circuit_open", "No")), make_reply(429)):
        guarded.answer = lambda reply=refused: Reply(  # type: ignore[misc]  # a test's answer
            reply.status, refusal=reply.refusal, result=reply.result
        )
        for _ in range(9):
            assert not guarded.does().startswith("loop")


def test_an_answer_that_differs_is_not_noted() -> None:
    """It is here already, so that is known; of one that streams it is not."""
    guarded = Guarded()
    for _ in range(2):
        guarded.does()
    guarded.answer = lambda: make_reply(200, body=Whole(b"other"))
    assert guarded.does() == "ok"
    assert guarded.rows() == {}
    guarded = Guarded()
    for _ in range(2):
        guarded.does()
    guarded.answer = lambda: make_reply(429, body=Whole(b"later"))
    assert guarded.does() == "ok"


def test_a_stream_is_known_by_what_passed() -> None:
    """Nothing of it is held back; the tap stands beside others."""
    guarded = Guarded()
    taken: list[bytes] = []

    class Other:
        """Somebody else who looks."""

        def saw(self, at: int, piece: bytes) -> None:
            """Part of Tap."""
            taken.append(piece)

        def ended(self) -> None:
            """Part of Tap."""
            taken.append(b".")

    for _ in range(5):
        body = Body()
        guarded.answer = lambda body=body: streamed(body)  # type: ignore[misc]  # a test's answer
        reply = guarded.begins()
        body.watch(Other())
        body.flow(Nowhere())
        body.feed(b"he")
        body.finish(b"llo", [])
        reply.finish()
    assert taken == [b"he", b"llo", b"."] * 5
    assert facts(guarded.refusal())["answered"] == "hello"


def test_a_body_that_came_meanwhile_is_looked_at_in_the_end() -> None:
    """It was not whole at the commit, and never flowed."""
    guarded = Guarded()
    for _ in range(5):
        body = FakeBody(None)
        guarded.answer = lambda body=body: streamed(body)  # type: ignore[misc]  # a test's answer
        reply = guarded.begins()
        body.whole = b"hello"
        reply.finish()
    assert facts(guarded.refusal())["answered"] == "hello"


def test_a_tunnel_is_no_answer() -> None:
    """What goes through it is nobody's business."""
    guarded = Guarded()
    guarded.answer = lambda: make_reply(
        101, body=FakeBody(None), tunnel=object(), result=Result.SUCCESS
    )
    assert [guarded.does() for _ in range(9)] == ["ok"] * 9


def test_a_call_that_was_cancelled_does_not_count() -> None:
    """Nor does it stay under way."""
    guarded = Guarded()
    for _ in range(9):
        guarded.begins().close()
    assert guarded.does() == "ok"
    assert guarded.loops.turns == {}


def test_calls_at_once_are_counted_one_by_one() -> None:
    """While nothing is known they may go; then each counts."""
    guarded = Guarded()
    replies = [guarded.begins() for _ in range(100)]
    assert {reply.status for reply in replies} == {200}
    for reply in replies:
        reply.finish()
    assert facts(guarded.refusal())["times"] == 100


# --- whose ---


@pytest.mark.parametrize(
    "changes",
    [
        {"agent": "bob"},
        {"workflow": "w"},
        {"layer": "llm"},
        {"tool": "other"},
        {"body": FakeBody(b'{"a": 2}')},
    ],
)
def test_others_are_not_stopped(changes: dict[str, Any]) -> None:
    """Another agent, workflow, layer, tool, or other arguments."""
    guarded = Guarded(tool=None)
    for _ in range(5):
        guarded.does()
    assert guarded.does(guarded.asks(**changes)) == "ok"
    assert guarded.does() == "loop_detected"


@pytest.mark.parametrize(("protocol", "code"), [("tools", "loop_detected"), ("http", "ok")])
def test_a_query_is_no_way_round(protocol: str, code: str) -> None:
    """Where tool and arguments say all of a call. Of plain HTTP its target is what it is."""
    guarded = Guarded(tool=None, target={"protocol": protocol})
    for number in range(5):
        guarded.does(
            guarded.asks(target=b"/v1/tool?n=%d" % number if code != "ok" else b"/v1/tool")
        )
    assert guarded.does(guarded.asks(target=b"/v1/tool?n=9")) == code


def test_nobody_is_told_what_another_was_answered() -> None:
    """The same agent, and other credentials: it is stopped, and learns nothing."""
    guarded = Guarded()
    for _ in range(5):
        guarded.does(guarded.asks({b"authorization": b"Bearer a"}))
    told = guarded.refusal(guarded.asks({b"authorization": b"Bearer b"}))
    assert facts(told) == {"rule": "same", "times": 5, "answered": None}
    told = guarded.refusal(guarded.asks({b"authorization": b"Bearer a"}))
    assert facts(told)["answered"] == "ok"


@pytest.mark.parametrize("body", ['{"nonce": 1, "a": 2}', '{"a":2,"nonce":7}', '{"a": 2}'])
def test_arguments_are_compared_by_what_they_say(body: str) -> None:
    """Without those that are volatile."""
    guarded = Guarded(volatile=("input.nonce",))
    for _ in range(5):
        guarded.does(guarded.asks(body=FakeBody(b'{"tool": "x", "input": {"a": 2}}')))
    content = b'{"tool": "x", "input": %b}' % body.encode()
    assert guarded.does(guarded.asks(body=FakeBody(content))) == "loop_detected"


def test_arguments_that_can_be_read_in_two_ways_are_refused() -> None:
    """The tool might read the other one (spec 2.2)."""
    guarded = Guarded()
    refusal = guarded.refusal(guarded.asks(body=FakeBody(b'{"a": 1, "a": 2}')))
    assert (refusal.code, refusal.policy, guarded.sent) == ("ambiguous_call", "p", [])


def test_an_encoding_hides_no_repetition() -> None:
    """Who compresses writes the time of day into it; what is not decoded is compared as it is."""
    guarded, encoded = Guarded(), {b"content-encoding": b"gzip"}

    def asked(number: int) -> Call:
        if number % 3 == 0:
            return guarded.asks()
        return guarded.asks(encoded, body=FakeBody(gzip.compress(b'{"a": 1}', mtime=number)))

    assert [guarded.does(asked(number)) for number in range(6)][-1] == "loop_detected"
    broken = [guarded.asks(encoded, body=FakeBody(b"%d" % number)) for number in range(9)]
    assert {guarded.does(call) for call in broken} == {"ok"}


def test_what_is_large_is_compared_byte_for_byte() -> None:
    """And what is not at hand is not compared."""
    guarded = Guarded(tool=None)
    large = b'{"a": 1, "a": "' + b"x" * (1 << 20) + b'"}'
    for _ in range(5):
        guarded.does(guarded.asks(body=FakeBody(large)))
    assert guarded.does(guarded.asks(body=FakeBody(large))) == "loop_detected"
    assert [guarded.does(guarded.asks(body=FakeBody(None))) for _ in range(9)] == ["ok"] * 9


# --- the other rules ---


def test_a_poll_is_no_loop() -> None:
    """While it takes its time."""
    guarded = Guarded(poll=2.0)
    for _ in range(9):
        assert guarded.does() == "ok"
        guarded.clock.advance(2.0)
    hurried = [guarded.does() for _ in range(6)]
    assert hurried == ["ok", "ok", "ok!", "ok!", "ok!", "loop_detected"]


def test_a_batch_of_writes_is_no_loop() -> None:
    """Each of them did something; a batch of reads that find nothing is one, some day."""

    def batch(effect: Effect) -> set[str]:
        guarded = Guarded(effect=effect, tool=10)
        calls = (guarded.asks(body=FakeBody(b'{"a": %d}' % number)) for number in range(30))
        return {guarded.does(call) for call in calls}

    assert batch(Effect.WRITE) == {"ok"}
    assert batch(Effect.READ) == {"ok", "loop_detected"}


def test_the_calls_of_a_task_may_be_counted() -> None:
    """At once as well; without a task they are the agent's, who may go on after a pause."""
    guarded = Guarded(max_calls=3, same=None, within=60.0)
    for _ in range(3):
        guarded.begins(guarded.asks(task="t"))
    refusal = guarded.refusal(guarded.asks(task="t"))
    assert refusal.detail == "this task has made all the 3 calls that it may make"
    assert facts(refusal) == {"rule": "calls"}
    assert [guarded.does() for _ in range(4)] == ["ok", "ok", "ok", "loop_detected"]
    guarded.clock.advance(61.0)
    assert [guarded.does(), guarded.does(guarded.asks(task="t"))] == ["ok", "loop_detected"]
    assert guarded.rows() == {("calls", "refuse"): 3}


# --- the ladder ---


async def test_a_person_may_be_asked() -> None:
    """From some call over the limit on. Who says yes says that it is no loop."""
    guarded = Guarded(approve=2)
    asked: list[tuple[str, str]] = []
    verdicts: list[Refusal | None] = [Refusal("approval_denied", "No"), None]

    async def person(call: Call, why: Refusal) -> Refusal | None:
        asked.append((call.id, why.code))
        return verdicts.pop(0)

    guarded.loops.asks = person
    for _ in range(5):
        guarded.does()
    assert guarded.does() == "loop_detected"
    replies = [await guarded.guard(guarded.asks()) for _ in range(2)]
    replies[1].finish()
    assert [reply.refusal.code if reply.refusal else "ok" for reply in replies] == [
        "approval_denied", "ok",
    ]  # fmt: skip
    assert guarded.does() == "ok"
    assert asked == [("c7", "loop_detected"), ("c8", "loop_detected")]
    assert guarded.rows() == {
        ("same", "note"): 3, ("same", "refuse"): 1, ("same", "approve"): 2,
    }  # fmt: skip


def test_a_workflow_may_be_killed() -> None:
    """With some call over the limit, which is refused."""
    guarded = Guarded(kill=2)
    killed: list[tuple[str, str]] = []
    guarded.loops.kills = lambda call, why: killed.append((call.workflow, why))
    for _ in range(6):
        guarded.does(guarded.asks(workflow="w"))
    assert killed == []
    assert guarded.does(guarded.asks(workflow="w")) == "loop_detected"
    assert killed == [("w", "this call has had the same answer 5 times")]
    assert guarded.rows()["same", "kill"] == 1


def test_whoever_listens_hears_of_it() -> None:
    """Of each call that is stopped, with its rule and step; of a shadow's nobody does."""
    heard: list[tuple[str, str]] = []
    guarded = Guarded(kill=2)
    guarded.loops.heard = lambda call, rule, step: heard.append((rule, step))
    for _ in range(8):
        guarded.does(guarded.asks(workflow="w"))
    assert heard == [("same", "refuse"), ("same", "kill"), ("same", "kill")]


def test_where_nobody_can_be_asked_it_is_refused() -> None:
    """Nor is anything killed where nobody does that."""
    guarded = Guarded(approve=1, kill=2)
    for _ in range(5):
        guarded.does()
    assert [guarded.does(), guarded.does()] == ["loop_detected", "loop_detected"]


def test_a_call_that_comes_by_again_is_one() -> None:
    """As it does when a person has approved it: the gates in front are asked once more."""
    guarded = Guarded()

    async def again(call: Call) -> Reply:
        return await CallGuard([guarded.gate], [], guarded._inner, guarded.clock, Counts(()))(call)

    outer = CallGuard([guarded.gate], [], again, guarded.clock, Counts(()))
    for expected in (b"", b"", NOTED, b"holdfast-loop: same; times=4; limit=5\r\n"):
        reply = run(outer(guarded.asks()))
        reply.finish()
        assert reply.lines == expected
    assert guarded.loops.turns == {}


# --- shadow ---


def test_a_shadow_counts_for_itself_and_stops_nobody() -> None:
    """It says nothing to the agent either."""
    ground = make_ground(FakeClock(), shadow=True)
    guarded = Guarded(ground, approve=2, kill=3)
    assert [guarded.does() for _ in range(9)] == ["ok"] * 9
    assert guarded.counted.rows == {("loop_detected", "p", "false"): 4}
    assert guarded.rows() == {("same", "refuse"): 1, ("same", "approve"): 1, ("same", "kill"): 2}
    assert ground.keep.seen(STATE) is None


def test_policies_in_shadow_mode_let_all_go() -> None:
    """A whole pipeline."""
    desk = Desk(RULES.format("{mode: shadow}"), *[200] * 9)
    for _ in range(9):
        assert desk.call(give("search", b"{}")).lines == b""
    assert desk.shadowed == {("loop_detected", "p", "false"): 4}


def test_calls_are_refused_as_the_file_says() -> None:
    """And where the section is off there is no gate."""
    desk = Desk(RULES.format("{same: 2, note: null}"), *[200] * 2)
    replies = [desk.call(give("search", b"{}")) for _ in range(3)]
    assert [reply.refusal.code if reply.refusal else "" for reply in replies] == [
        "", "", "loop_detected",
    ]  # fmt: skip
    assert Desk("policies: [{name: p, loop: false}]", *[200] * 9).codes(9) == ["200"] * 9


# --- chains ---


def chained(guarded: Guarded, *agents: str, **changes: Any) -> dict[bytes, bytes]:
    """What the last of these agents' callees is sent: each has called the next, and waits."""
    fields: dict[bytes, bytes] = {}
    for agent in agents:
        call = guarded.asks(dict(fields), agent=agent, upstream=f"to-{agent}", **changes)
        assert guarded.begins(call).refusal is None
        assert call.onward is not None
        line = call.onward()
        fields = {b"holdfast-chain": line.removeprefix(b"holdfast-chain: ").rstrip()}
    return fields


def test_an_agent_that_is_met_again_is_a_deadlock() -> None:
    """It waits for the end of its own call. Nobody should repeat it."""
    guarded = Guarded()
    fields = chained(guarded, "ann", "bob", task="t")
    refusal = guarded.refusal(guarded.asks(fields, agent="ann", task="t"))
    assert refusal.code == "deadlock"
    assert refusal.detail == "ann waits for the end of this call: ann > bob > ann"
    assert facts(refusal) == {"rule": "deadlock", "cycle": ("ann", "bob", "ann")}
    assert (refusal.should_retry, refusal.kind.status) == (False, 508)
    assert guarded.rows() == {("deadlock", "refuse"): 1}


def test_to_call_who_waits_is_a_deadlock() -> None:
    """Where the upstream is named as the agent is: before anything is sent."""
    guarded = Guarded()
    fields = chained(guarded, "ann")
    refusal = guarded.refusal(guarded.asks(fields, agent="bob", upstream="ann"))
    assert facts(refusal)["cycle"] == ("ann", "bob", "ann")


def test_other_work_is_no_deadlock() -> None:
    """Nor is a chain whose calls are over; that is counted."""
    guarded = Guarded()
    fields = chained(guarded, "ann", task="t")
    assert guarded.does(guarded.asks(fields, agent="ann", task="u")) == "ok"
    assert guarded.does(guarded.asks(fields, agent="ann", workflow="t", task="t")) == "ok"
    guarded = Guarded()
    call = guarded.asks(agent="ann")
    reply = guarded.begins(call)
    assert call.onward is not None
    fields = {b"holdfast-chain": call.onward().removeprefix(b"holdfast-chain: ").rstrip()}
    assert guarded.chains.open == 1
    reply.finish()
    assert guarded.chains.open == 0
    assert guarded.does(guarded.asks(fields, agent="ann")) == "ok"
    assert guarded.rows(CHAINS_IGNORED) == {("ended",): 1}


def test_agents_that_answer_while_they_wait_may_call_each_other() -> None:
    """`deadlock: false`."""
    guarded = Guarded(deadlock=False)
    fields = chained(guarded, "ann", "bob")
    assert guarded.does(guarded.asks(fields, agent="ann")) == "ok"


def test_who_waits_for_the_caller_is_known_of_the_call() -> None:
    """Who spends for whom is told by it; a chain that nobody believes names nobody."""
    guarded = Guarded()
    call = guarded.asks(chained(guarded, "ann", "bob"), agent="cat")
    assert guarded.does(call) == "ok"
    assert call.caller == "bob"
    alone = guarded.asks({b"holdfast-chain": b"made up"}, agent="cat")
    guarded.does(alone)
    assert alone.caller == ""


def test_a_chain_may_be_too_deep() -> None:
    """`max_depth: 3`: the call itself is one of them; or as deep as it is."""
    guarded = Guarded(max_depth=3)
    fields = chained(guarded, "ann", "bob", "cat")
    refusal = guarded.refusal(guarded.asks(fields, agent="dog"))
    assert refusal.code == "loop_detected"
    assert refusal.detail == "4 agents wait for each other, and at most 3 may"
    assert facts(refusal) == {"rule": "depth"}
    guarded = Guarded(max_depth=None)
    fields = chained(guarded, *(f"agent-{number}" for number in range(12)))
    assert guarded.does(guarded.asks(fields, agent="dog")) == "ok"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"x" * 5000, "too_long"),
        (b"\xff", "malformed"),
        (b"c1.61.AAAAAAAAAAAAAAAA.1." + b"A" * 22, "unknown"),
    ],
)
def test_what_is_made_up_is_ignored(value: bytes, reason: str) -> None:
    """It is counted, and breaks nothing."""
    guarded = Guarded()
    assert guarded.does(guarded.asks({b"holdfast-chain": value})) == "ok"
    assert guarded.rows(CHAINS_IGNORED) == {(reason,): 1}


def test_a_head_without_signs_is_not_looked_at() -> None:
    """Nearly all are such."""
    guarded = Guarded()
    call = guarded.asks({b"holdfast-chain": b"x"})
    call.head.signs = False
    assert guarded.does(call) == "ok"
    assert guarded.rows(CHAINS_IGNORED) == {}


def test_an_agent_that_is_called_is_told_who_waits() -> None:
    """In any case, and once; whom else, their upstreams say."""
    guarded = Guarded(target={"layer": "agent"})
    call = guarded.asks(layer="agent", agent="ann")
    guarded.begins(call)
    assert call.extra.startswith(b"holdfast-chain: c1.616e6e.")
    assert call.onward is None
    other = Guarded()
    call = other.asks(agent="ann")
    reply = other.begins(call)
    assert (call.extra, other.chains.open) == (b"", 1)
    reply.finish()
    assert other.chains.open == 0


@pytest.mark.parametrize(
    ("section", "layer", "told"),
    [({}, "agent", 1), ({"deadlock": False}, "agent", 0), ({}, "tool", 0)],
)
def test_other_pods_are_told_who_waits_for_an_agent(
    section: dict[str, Any], layer: str, told: int
) -> None:
    """Where a ring is not wanted, and there is somebody to tell them."""
    guarded = Guarded(**section, target={"layer": layer})
    begun: list[Any] = []
    beyond = SimpleNamespace(begin=lambda *said: begun.append(said), end=lambda _: None)
    guarded.chains.beyond = beyond
    call = guarded.asks(layer=layer, agent="ann")
    assert guarded.does(call) == "ok"
    assert begun == [(call, "p")] * told


def test_a_shadow_tells_no_agent() -> None:
    """It says what it would refuse, of who waits by what is enforced elsewhere."""
    enforced = Guarded()
    shadow = Guarded(make_ground(FakeClock(), shadow=True))
    object.__setattr__(shadow.gate, "_chains", enforced.chains)
    fields = chained(enforced, "ann")
    call = shadow.asks(fields, agent="ann")
    assert shadow.does(call) == "ok"
    assert (call.onward, call.extra) == (None, b"")
    assert shadow.counted.rows == {("deadlock", "p", "false"): 1}


# --- what it says ---


def test_it_says_how_far_it_is() -> None:
    """Without the answer: whoever asks is not who had it. Nothing changes by it."""
    guarded = Guarded()
    assert guarded.gate.says(guarded.asks()).note == "no repetition"
    for _ in range(3):
        guarded.does()
    assert guarded.gate.says(guarded.asks()).note == "same: 3 of 5"
    for _ in range(2):
        guarded.does()
    said = guarded.gate.says(guarded.asks())
    assert said.refusal is not None
    assert (said.note, facts(said.refusal)["answered"]) == ("same: 5 of 5", None)
    assert guarded.rows() == {("same", "note"): 3}


def test_it_says_what_it_would_refuse_at_once() -> None:
    """Rings, depth, and what can be read in two ways."""
    guarded = Guarded()
    fields = chained(guarded, "ann")
    said = guarded.gate.says(guarded.asks(fields, agent="ann"))
    assert said.refusal is not None
    assert said.refusal.code == "deadlock"
    said = guarded.gate.says(guarded.asks(body=FakeBody(b'{"a": 1, "a": 1}')))
    assert said.refusal is not None
    assert said.refusal.code == "ambiguous_call"


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"volatile": ("nonce",)}, "volatile: expected a path such as input.nonce, found 'nonce'"),
        ({"poll": Seconds(0.0)}, "poll: must be longer than 0"),
        ({"within": Seconds(0.0)}, "within: must be longer than 0"),
    ],
)
def test_what_makes_no_sense_is_an_error(field: dict[str, Any], message: str) -> None:
    """It would never match, in silence."""
    with pytest.raises(ValueError, match=message):
        Loop(**field)
