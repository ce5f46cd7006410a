"""Who answers where the upstream does not."""

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import Call, Effect, Stop, Whole
from proxy.counts import FALLBACKS, Counts
from proxy.protocols.mcp import Mcp
from proxy.protocols.protocol import Rules
from proxy.refusal import Refusal
from proxy.reply import Executed, Failure, Reply, Result
from proxy.stage import Handler, Site
from proxy.stages.fallback import CacheLink, Chain, Fallback, Link, Static
from proxy.state.desk import Desk
from proxy.units import Seconds
from tests.fakes import FakeBody, FakeClock, Ledger, make_call, make_ground, make_reply, make_target
from tests.fakes import run as finish


def made(step: Any) -> Reply:
    """A reply."""
    return make_reply(step)


OPEN = Refusal("circuit_open", "It keeps failing", retry_after=3.0)
COOLING = Refusal("rate_limited", "It asked to be left alone", retry_after=2.0)
DENIED = Refusal("denied", "No")
SPARE, THIRD = Link(upstream="spare"), Link(upstream="third")
SAID = Link(static=Static(200, {"balance": None}))
Step = int | Failure | Refusal | Reply | BaseException


class Scene:
    """A chain before upstreams that do what their scripts say."""

    def __init__(self, *chain: Link, effect: Effect = Effect.READ, **scripts: list[Step]) -> None:
        self.clock = FakeClock()
        self.scripts: dict[str, list[Step]] = scripts
        self.asked: list[str] = []
        self.replies: list[Reply] = []
        self.took = 0.0  # seconds that each sending takes
        self.ground = make_ground(self.clock, links=self._links)
        self.target = make_target(effect, backups=("spare",))
        self.chain = chain
        self.section: dict[str, Any] = {}
        self.call = make_call(effect=effect)

    def _links(self, call: Call, upstream: str, model: str) -> Handler:
        assert call is self.call
        return lambda call: self._sent(upstream or model)

    async def _sent(self, name: str) -> Reply:
        self.asked.append(name)
        self.clock.advance(self.took)
        step = self.scripts[name].pop(0)
        if isinstance(step, BaseException):
            raise step
        reply = step if isinstance(step, Reply) else make_reply(step)
        self.replies.append(reply)
        return reply

    def handler(self) -> Handler:
        """The stage, as it is called."""
        return self.stage().handle

    def stage(self) -> Chain:
        """Itself."""
        section = Fallback(chain=self.chain, **self.section)
        site = Site(self.target, self.ground, inner=lambda call: self._sent("gateway"))
        return Chain(section, site)

    def __call__(self) -> Reply:
        """What the call comes to."""
        return finish(self.handler()(self.call))

    @property
    def counted(self) -> dict[tuple[str, str], int]:
        """(to, result) → how often."""
        counts = dict(self.ground.keep.items()).get(FALLBACKS.key, Counts(()))
        return {(to, result): number for (_, to, result), number in counts.rows.items()}


def test_a_good_answer_is_handed_on() -> None:
    """Nobody else is asked."""
    scene = Scene(SPARE, gateway=[200])
    reply = scene()
    assert (reply.status, reply.outcome, scene.asked, scene.counted) == (200, "", ["gateway"], {})


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (500, "failure"),
        (429, "throttled"),
        (Failure.CONNECT, "upstream_unreachable"),
        (Failure.TIMEOUT, "upstream_timeout"),
        (Failure.TRUNCATED, "truncated"),
        (OPEN, "circuit_open"),
        (COOLING, "rate_limited"),
        (Refusal("bulkhead_full", "Full"), "bulkhead_full"),
        (Refusal("no_route", "It has no model"), "no_route"),
        (Refusal("deadline_exceeded", "Late"), "deadline_exceeded"),
    ],
)
def test_the_next_one_is_asked(step: Step, reason: str) -> None:
    """The answer says who gave it, and why."""
    scene = Scene(SPARE, gateway=[step], spare=[200])
    reply = scene()
    assert scene.asked == ["gateway", "spare"]
    assert (reply.outcome, reply.tier, reply.served_by) == ("fallback", 1, "spare")
    assert (reply.reason, scene.counted) == (reason, {("spare", "ok"): 1})


def test_the_backup_that_has_failed_is_not_asked_again() -> None:
    """Failover had moved the call there: the next one is asked."""
    scene = Scene(SPARE, THIRD, gateway=[make_reply(500, served_by="spare")], third=[200])
    assert scene().served_by == "third"
    assert scene.asked == ["gateway", "third"]


@pytest.mark.parametrize("step", [404, 400, 401, DENIED, Failure.BAD_REQUEST])
def test_the_callers_own_fault_is_nobody_elses(step: Step) -> None:
    """Another upstream would say the same, or should never be asked."""
    scene = Scene(SPARE, gateway=[step])
    assert scene().outcome == ""
    assert scene.asked == ["gateway"]


def test_a_refusal_that_is_to_be_told_is_told() -> None:
    """The policy of the breaker says `fallback_ok: false`."""
    stands = msgspec.structs.replace(OPEN, stands=True)
    assert Scene(SPARE, gateway=[stands])().refusal is stands


def test_on_says_for_what() -> None:
    """A chain for open circuits alone leaves other failures as they are."""
    scene = Scene(SPARE, gateway=[500, OPEN], spare=[200])
    scene.section = {"on": ("circuit_open",)}
    assert (scene().status, scene().served_by) == (500, "spare")


def test_a_call_that_was_stopped_asks_nobody() -> None:
    """It goes on alone, for its own outcome's sake."""
    scene = Scene(SPARE, gateway=[500])
    scene.call.stopped = Stop.AGENT_GONE
    assert scene().status == 500


def test_the_first_that_answers_ends_the_chain() -> None:
    """Each that did not is closed."""
    scene = Scene(SPARE, THIRD, SAID, gateway=[503], spare=[Failure.CONNECT], third=[200])
    reply = scene()
    assert (reply.served_by, scene.counted) == (
        "third",
        {("spare", "failed"): 1, ("third", "ok"): 1},
    )
    assert [each.closed for each in scene.replies] == [True, True, False]


def test_an_answer_that_is_the_callers_fault_ends_it_too() -> None:
    """The backup has understood the call, and says that there is no such thing."""
    scene = Scene(SPARE, THIRD, gateway=[503], spare=[404])
    reply = scene()
    assert (reply.status, reply.served_by, reply.result) == (404, "spare", Result.CALLER_ERROR)


def test_where_nobody_answers_the_upstreams_own_words_are_told() -> None:
    """And it has not settled twice."""
    scene = Scene(SPARE, gateway=[], spare=[502])
    ledger = Ledger()
    first = make_reply(503)
    first.finishers.append((ledger.settle, None))
    scene.scripts["gateway"] = [first]
    reply = scene()
    assert (reply.status, reply.tier, reply.outcome) == (503, 0, "")
    reply.drop()
    assert len(ledger.settled) == 1


@pytest.mark.parametrize("first", [OPEN, COOLING, Failure.CONNECT])
@pytest.mark.parametrize("second", [500, Failure.DISCONNECT, Failure.TIMEOUT])
def test_of_two_failures_the_one_that_may_have_run_is_told(first: Step, second: Step) -> None:
    """The call did not run at its own upstream, but perhaps at the next: nobody may hear that it
    did not run."""
    bug = ZeroDivisionError()
    failed = made(first)
    failed.bug = bug
    scene = Scene(SPARE, effect=Effect.WRITE, gateway=[failed], spare=[second])
    reply = scene()
    assert (reply.executed, reply.served_by, reply.tier) == (Executed.UNKNOWN, "spare", 1)
    assert (reply.outcome, reply.bug, failed.closed) == ("", bug, True)
    reply.drop()


def test_also_where_the_upstream_itself_was_waited_for() -> None:
    """It was sent in the end."""
    scene = Scene(SPARE, effect=Effect.WRITE, gateway=[COOLING, Failure.DISCONNECT], spare=[OPEN])
    reply = scene()
    assert (reply.failure, reply.executed) == (Failure.DISCONNECT, Executed.UNKNOWN)
    assert (reply.tier, reply.served_by) == (0, "")


def test_a_failure_that_is_still_coming_keeps_its_connection() -> None:
    """It is handed back as it is, or closed when another answers."""
    coming = make_reply(500, body=FakeBody(None))
    assert Scene(SPARE, gateway=[coming], spare=[500])() is coming
    assert not coming.closed
    scene = Scene(SPARE, gateway=[coming], spare=[200])
    assert (scene().served_by, coming.closed) == ("spare", True)


def test_what_the_policy_says_is_the_last_resort() -> None:
    """Partial success: the agent goes on without the tool."""
    scene = Scene(SAID, gateway=[Failure.CONNECT])
    reply = scene()
    assert reply.body is not None
    assert (reply.status, reply.body.whole) == (200, b'{"balance":null}')
    assert reply.lines == (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16\r\n"
    )
    assert (reply.tier, reply.outcome, reply.served_by) == (3, "fallback", "")
    assert (reply.executed, reply.length) == (Executed.NO, 16)


def test_what_cannot_have_a_body_is_given_none() -> None:
    """An error of the file."""
    with pytest.raises(ValueError, match="body: an answer with status 204 has none"):
        Static(204, "words")
    assert Static(204).body is None


KEPT = Link(cache=CacheLink(Seconds(60.0)))


def answered(text: str = "last") -> Reply:
    """A good answer that may be kept."""
    content = text.encode()
    return make_reply(200, body=Whole(content), lines=b"HTTP/1.1 200 OK\r\n", length=len(content))


ASKED = b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"look"}}'
SAID_OF_IT = '{"jsonrpc":"2.0","id":1,"result":{"a":1}}'


@pytest.mark.parametrize(
    ("kept", "status", "body"),
    [
        (answered(SAID_OF_IT), 200, SAID_OF_IT.replace('"id":1', '"id":2').encode()),
        (answered("no response"), 500, b""),
    ],
)
def test_a_request_of_json_rpc_is_the_same_under_any_id(
    kept: Reply, status: int, body: bytes
) -> None:
    """Its client counts them. What was kept gets the id of who asks, or is not given."""
    scene = Scene(KEPT, gateway=[kept, 500])
    scene.target = make_target(protocol="mcp")

    def asks(number: int) -> Reply:
        content = ASKED % number
        scene.call = make_call(body=FakeBody(content))
        scene.call.head.fields[b"content-type"] = b"application/json"
        assert Mcp().recognise(scene.call, content, Rules()) is None
        return scene()

    asks(1).drop()
    reply = asks(2)
    assert reply.status == status
    if status == 200:
        assert (reply.body and reply.body.whole, reply.length) == (body, len(body))


def test_the_last_good_answer_may_stand_in() -> None:
    """To the same call; it says how old it is."""
    scene = Scene(KEPT, SAID, gateway=[answered(), 500])
    scene().drop()
    scene.clock.advance(7.0)
    reply = scene()
    assert reply.body is not None
    assert (reply.body.whole, reply.outcome, reply.tier) == (b"last", "stale", 2)
    assert (reply.reason, reply.served_by) == ("failure", "")
    assert b"Age: 7\r\n" in reply.lines
    assert scene.counted == {("cache", "ok"): 1}


def test_an_answer_that_is_too_old_does_not() -> None:
    """Nor one to another call, nor where there was none."""
    scene = Scene(KEPT, SAID, gateway=[500, answered(), 500, 500])
    assert scene().tier == 3
    scene().drop()
    scene.clock.advance(60.1)
    assert scene().tier == 3
    scene.call = make_call(effect=Effect.READ, target=b"/other")
    assert scene().tier == 3
    assert scene.counted[("cache", "skipped")] == 3


@pytest.mark.parametrize("effect", [Effect.WRITE, Effect.IDEMPOTENT])
def test_only_answers_to_reads_are_kept(effect: Effect) -> None:
    """A write's answer says that it ran."""
    scene = Scene(KEPT, SAID, effect=effect, gateway=[answered(), Failure.CONNECT])
    scene().drop()
    assert scene().tier == 3


def test_a_call_whose_body_is_not_at_hand_has_none() -> None:
    """Nor is the answer to it kept, nor a stream."""
    scene = Scene(KEPT, SAID, gateway=[answered(), 500])
    scene.call.body = FakeBody(None)
    scene().drop()
    assert scene().tier == 3
    stream = make_reply(200, {b"content-type": b"text/event-stream"}, body=FakeBody(None))
    scene = Scene(KEPT, SAID, gateway=[stream, 500])
    scene().drop()
    assert scene().tier == 3


def test_a_person_may_be_the_last_resort() -> None:
    """It is on their list; the agent is told so, with the id, and not to come again by itself."""
    scene = Scene(Link(human="payments"), gateway=[OPEN])
    reply = scene()
    assert reply.refusal is not None
    assert (reply.refusal.code, reply.refusal.scope) == ("approval_pending", "payments")
    assert "circuit_open" in reply.refusal.detail
    (file,) = Desk.of(scene.ground.keep, scene.ground.clock).files
    assert (file.request.why, file.request.detail) == (
        "fallback",
        "for payments: it failed (circuit_open)",
    )
    assert reply.refusal.facts == (("approval", file.request.id),)
    assert (reply.refusal.retryable, reply.refusal.step) == (False, "ask_owner")


@pytest.mark.parametrize("step", [500, Failure.DISCONNECT, Failure.TIMEOUT, Failure.TRUNCATED])
def test_a_write_that_may_have_run_goes_nowhere_else(step: Step) -> None:
    """There it might run a second time. What takes no time may still be said."""
    scene = Scene(SPARE, SAID, effect=Effect.WRITE, gateway=[step])
    reply = scene()
    assert (scene.asked, reply.tier, reply.executed) == (["gateway"], 3, Executed.UNKNOWN)
    assert scene.counted[("spare", "skipped")] == 1


def test_a_write_that_did_not_run_goes_on() -> None:
    """No connection was made: the next upstream may have it, but after a doubt no other."""
    scene = Scene(
        SPARE, THIRD, effect=Effect.WRITE, gateway=[Failure.CONNECT], spare=[500], third=[200]
    )
    assert (scene().status, scene.asked) == (500, ["gateway", "spare"])


def test_a_refusal_that_leaves_a_doubt_is_a_doubt() -> None:
    """An earlier attempt of the call may have run."""
    late = Refusal("deadline_exceeded", "Late", executed=Executed.UNKNOWN)
    scene = Scene(SPARE, effect=Effect.WRITE, gateway=[late])
    assert (scene().refusal, scene.asked) == (late, ["gateway"])


def test_a_body_that_is_gone_cannot_be_sent_again() -> None:
    """It was larger than what is kept."""
    scene = Scene(SPARE, SAID, gateway=[500])
    scene.call.body = body = FakeBody(None, replayable=False)
    assert (scene().tier, scene.asked) == (3, ["gateway"])
    assert body.kept == 1 << 20


def test_no_link_starts_that_could_not_last() -> None:
    """The call's time is over; what the policy says takes none."""
    scene = Scene(SPARE, SAID, gateway=[500])
    scene.took = 1.0
    scene.call.deadline = scene.clock.now() + 1.0
    assert (scene().tier, scene.asked) == (3, ["gateway"])


def test_the_upstream_itself_is_passed_over() -> None:
    """A rule for every upstream may name one of them; with another model it is another link."""
    scene = Scene(Link(upstream="gateway"), gateway=[500])
    assert (scene().status, scene.asked) == (500, ["gateway"])
    scene = Scene(Link(model="small"), gateway=[500], small=[200])
    assert scene().served_by == "small"


def test_an_empty_chain_is_that_of_the_backups() -> None:
    """`fallback: true` on an upstream that names some."""
    assert Scene(gateway=[500], spare=[200])().served_by == "spare"


def test_one_that_is_done_first_is_waited_for() -> None:
    """All of them only cool down: no failure while waiting fits."""
    scene = Scene(SPARE, gateway=[OPEN], spare=[COOLING, 200])
    began = scene.clock.now()
    reply = scene()
    assert (reply.served_by, scene.asked) == ("spare", ["gateway", "spare", "spare"])
    assert 2.0 <= scene.clock.now() - began <= 2.2
    assert scene.call.waited == scene.clock.now() - began


def test_it_may_be_the_upstream_itself() -> None:
    """Then it is no fallback."""
    scene = Scene(SPARE, gateway=[COOLING, 200], spare=[OPEN])
    reply = scene()
    assert (reply.status, reply.outcome, reply.tier) == (200, "", 0)


@pytest.mark.parametrize(
    ("first", "spare", "left"),
    [
        (OPEN, Failure.CONNECT, 60.0),  # the spare has failed: it is not only cooling down
        (OPEN, COOLING, 2.05),  # too little time to wait
        (OPEN, Refusal("circuit_open", "For ever"), 60.0),  # nobody knows how long
        (OPEN, Refusal("rate_limited", "Long", retry_after=31.0), float("inf")),
    ],
)
def test_otherwise_nobody_is_waited_for(first: Step, spare: Step, left: float) -> None:
    """The upstream's own refusal is told."""
    scene = Scene(SPARE, gateway=[msgspec.structs.replace(OPEN, retry_after=40.0)], spare=[spare])
    scene.call.deadline = scene.clock.now() + left
    began = scene.clock.now()
    assert scene().refusal is not None
    assert scene.clock.now() == began


def test_the_one_waited_for_may_fail_as_well() -> None:
    """Once; then the first refusal is told."""
    scene = Scene(SPARE, gateway=[OPEN], spare=[COOLING, COOLING])
    assert scene().refusal is OPEN
    assert scene.asked == ["gateway", "spare", "spare"]


def test_a_call_that_is_cancelled_in_the_chain_leaves_nothing() -> None:
    """What was set aside is closed."""
    scene = Scene(SPARE, gateway=[make_reply(500)], spare=[asyncio.CancelledError()])
    with pytest.raises(asyncio.CancelledError):
        scene()
    (first,) = scene.replies
    assert (first.finished, first.closed) == (True, True)


def test_a_bug_of_a_gate_is_not_lost() -> None:
    """Whoever answers in the end brings it along."""
    bug = ZeroDivisionError()
    failed = make_reply(500)
    failed.bug = bug
    assert Scene(SPARE, gateway=[503], spare=[failed])().bug is bug
    failed = make_reply(500)
    failed.bug = bug
    assert Scene(SPARE, gateway=[failed], spare=[200])().bug is bug


def test_it_says_who_would_be_asked() -> None:
    """For people."""
    chain = Scene(SPARE, Link(model="small"), SAID, Link(human="ops")).stage()
    said = chain.says(make_call())
    assert said.note.startswith("spare → small → static → human, on budget, circuit_open")
    chain = Chain(Fallback(), Site(make_target(), make_ground()))
    assert chain.says(make_call()).note.startswith("nobody, on ")


def test_a_fixed_answer_is_for_who_understands_it() -> None:
    """Another is asked in its place, or the failure is told: here the call has no results."""
    result = Link(static=Static(result={"content": []}))
    scene = Scene(result, SAID, gateway=[500])
    assert (scene().tier, scene.counted) == (3, {("static", "skipped"): 1, ("static", "ok"): 1})
    assert Scene(result, gateway=[503])().status == 503
    scene = Scene(SAID, gateway=[500])
    scene.call.stream = True
    assert (scene().status, scene.counted) == (500, {("static", "skipped"): 1})


def test_a_result_is_all_there_is() -> None:
    """No body beside it, and no status of a failure."""
    for wrong, why in (({"body": {}}, "takes the place of a body"), ({"status": 503}, "is 200")):
        with pytest.raises(ValueError, match=f"^result: .*{why}"):
            Static(result={}, **wrong)


@pytest.mark.parametrize(
    "kinds",
    [
        {},
        {"upstream": "a", "human": "b"},
        {"model": "a", "static": Static()},
        {"cache": CacheLink(), "static": Static()},
    ],
)
def test_a_link_is_of_one_kind(kinds: dict[str, Any]) -> None:
    """Anything else is an error of the file."""
    with pytest.raises(ValueError, match="expected one of upstream"):
        Link(**kinds)


def test_an_upstream_and_a_model_are_one_kind() -> None:
    """The same model is often offered elsewhere under another name."""
    assert Link(upstream="spare", model="small").name == "small"
    assert Link(cache=CacheLink(Seconds(1.0))).name == "cache"


STEPS = st.sampled_from([200, 404, 500, 429, Failure.CONNECT, Failure.TIMEOUT, OPEN, COOLING])


@given(
    st.lists(STEPS, min_size=2, max_size=2),
    st.lists(STEPS, min_size=2, max_size=2),
    st.lists(STEPS, min_size=2, max_size=2),
    st.floats(0.2, 10),
    st.floats(0, 4),
    st.sampled_from([Effect.READ, Effect.WRITE]),
)
def test_a_chain_never_outlives_its_deadline(
    gateway: list[Step],
    spare: list[Step],
    third: list[Step],
    total: float,
    took: float,
    effect: Effect,
) -> None:
    """Whatever its links do, and if each keeps the deadline: none begins that cannot last, no wait
    ends after it, each reply settles once, and a write is never sent on after a doubt."""
    scene = Scene(SPARE, THIRD, effect=effect, gateway=gateway, spare=spare, third=third)
    scene.call.deadline = end = scene.clock.now() + total
    ledgers: list[Ledger] = []

    async def sent(name: str) -> Reply:
        assert (
            scene.call.deadline - scene.clock.now() >= scene.call.min_attempt or name == "gateway"
        )
        assert effect is Effect.READ or not any(
            reply.executed is not Executed.NO for reply in scene.replies
        )
        scene.took = min(took, end - scene.clock.now())
        reply = await Scene._sent(scene, name)
        ledgers.append(ledger := Ledger())
        reply.finishers.append((ledger.settle, None))
        return reply

    scene._sent = sent
    reply = scene()
    reply.drop()
    assert scene.clock.now() <= end + 1e-9
    assert [len(ledger.settled) for ledger in ledgers] == [1] * len(ledgers)


def test_each_upstream_leaves_time_for_the_next() -> None:
    """As long as another one may be asked, attempts keep their own limit."""
    scene = Scene(SPARE, THIRD, SAID, gateway=[500], spare=[500], third=[500])
    seen: list[bool] = []

    async def sent(name: str) -> Reply:
        seen.append(scene.call.others)
        return await Scene._sent(scene, name)

    scene._sent = sent
    scene().drop()
    assert seen == [True, True, False]
    assert Scene(SAID, gateway=[500]).call.others is False


@pytest.mark.parametrize(
    ("effect", "section"), [(Effect.WRITE, {}), (Effect.READ, {"on": ("circuit_open",)})]
)
def test_no_time_is_left_for_who_would_not_be_asked(effect: Effect, section: Any) -> None:
    """A write that took too long may have run; and not every chain begins with a failure."""
    scene = Scene(SPARE, effect=effect, gateway=[Failure.TIMEOUT])
    scene.section = section
    seen: list[bool] = []

    async def sent(name: str) -> Reply:
        seen.append(scene.call.others)
        return await Scene._sent(scene, name)

    scene._sent = sent
    scene().drop()
    assert (seen, scene.asked) == ([False], ["gateway"])
