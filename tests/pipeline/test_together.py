"""Calls that come in one message: each is judged, and the message is sent once or not at all."""

import asyncio
import json
from collections.abc import Awaitable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.attempt import Attempt
from proxy.call import Call, Effect, Stop, Whole
from proxy.journal.taking import Parcel
from proxy.pipeline.ending import Ending
from proxy.pipeline.mount import Mount
from proxy.pipeline.together import Together
from proxy.record import Record
from proxy.refusal import Refusal
from proxy.reply import Failure, Reply, Result
from proxy.stage import Handler
from tests.fakes import Step, run
from tests.pipeline.scene import settle_down
from tests.tables import Desk, request

MCP = "upstreams:\n  files: {url: 'http://h', protocol: mcp}\n"


def batch(*tools: str) -> Call:
    """A message with a call of each tool, and something that is none."""
    asked = [
        {"jsonrpc": "2.0", "id": at, "method": "tools/call", "params": {"name": tool}}
        for at, tool in enumerate(tools)
    ]
    content = json.dumps([{"jsonrpc": "2.0", "id": "p", "method": "ping"}, *asked]).encode()
    call = request("POST", "/mcp", {b"content-type": b"application/json"})
    call.body = Whole(content)
    return call


class Watcher:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.bugs: list[BaseException] = []

    def note(self, record: Record) -> None:
        """See Watcher."""
        self.records.append(record)

    def keep(self, parcel: Parcel) -> None:
        """See Watcher."""

    def bad_request(self, reason: str) -> None:
        """See Watcher."""

    def bug(self, error: BaseException, call: str = "") -> None:
        """See Watcher."""
        self.bugs.append(error)


class Sent(Desk):
    """A table with an upstream of MCP, and what is seen of batches."""

    def __init__(self, policies: str = "", *script: Step) -> None:
        super().__init__(policies, *script, mounts=MCP)
        self.watcher = Watcher()
        self.ending = Ending(self.clock, self.watcher)

    def handler(self, call: Call) -> Handler:
        """What takes the call through."""
        mount = self.table.mount(call.target)
        assert isinstance(mount, Mount)
        mount.enter(call)
        found = mount.recognise(call, call.body.whole)
        assert not isinstance(found, Refusal)
        return found

    def send(self, *tools: str) -> Reply:
        """A whole batch, finished and closed."""
        call = batch(*tools)
        reply = run(self.handler(call)(call))
        reply.finishers.append((self.ending.settle, call))
        reply.finish()
        reply.close()
        return reply

    @property
    def ends(self) -> list[tuple[str, str, str]]:
        """Of the calls: tool, outcome and code."""
        return [(record.tool, record.outcome, record.code) for record in self.watcher.records]


def test_the_message_is_sent_once_as_it_came() -> None:
    """For all of its calls, each of which has a record, an id and an attempt of its own."""
    desk = Sent("", 200)
    assert desk.send("a", "b", "a").status == 200
    (attempt,) = desk.upstream.attempts
    assert attempt.sends is not None
    assert attempt.sends.content == batch("a", "b", "a").body.whole
    assert desk.ends == [("a", "ok", ""), ("b", "ok", ""), ("a", "ok", "")]
    assert [record.id for record in desk.watcher.records] == ["c1", "c1-2", "c1-3"]
    assert [len(record.attempts) for record in desk.watcher.records] == [1, 1, 1]
    assert {record.executed for record in desk.watcher.records} == {"yes"}


def test_the_last_one_ends_the_task_of_all() -> None:
    """Where their head says that it is over."""
    call = batch("a", "b", "c")
    call.task_end = "success"
    Sent("", 200).handler(call)
    assert call.batch is not None
    assert [each.task_end for each in call.batch.calls] == ["", "", "success"]


async def test_an_answer_that_is_held_is_held_for_all() -> None:
    """Until it is decided what it came to."""
    desk, call = Sent("", 200), batch("a", "b")
    handler = desk.handler(call)
    assert isinstance(handler, Together)
    decided = asyncio.Event()

    def holds(attempt: Attempt, reply: Reply) -> Awaitable[None]:
        async def waits() -> None:
            await decided.wait()
            reply.result = Result.FAILURE

        return waits()

    handler._commit = holds
    task = asyncio.get_running_loop().create_task(_taken(handler, call))
    await settle_down()
    assert not task.done()
    decided.set()
    await task
    assert call.batch is not None
    results = [attempt.result for each in call.batch.calls for attempt in each.attempts]
    assert results == [Result.FAILURE, Result.FAILURE]


def test_one_call_alone_is_a_batch_as_well() -> None:
    """Its answer must be one."""
    desk = Sent("", 200)
    desk.send("a")
    assert desk.ends == [("a", "ok", "")]


NO_B = "policies: [{name: p, match: {tool: b}, deny: true}]\n"


@pytest.mark.parametrize("tools", [("b", "a"), ("a", "b"), ("a", "b", "c")])
def test_where_one_is_refused_nothing_is_sent(tools: tuple[str, ...]) -> None:
    """Each has a record that says so, and none that it ran."""
    desk = Sent(NO_B)
    reply = desk.send(*tools)
    assert reply.refusal is not None
    assert (reply.refusal.code, reply.refusal.policy) == ("denied", "p")
    assert desk.ends == [(tool, "refused", "denied") for tool in tools]
    assert {record.executed for record in desk.watcher.records} == {"no"}


LIMITS = """
policies:
  - {name: some, match: {tool: a}, rate_limit: {rate: 1/h, burst: 2}, bulkhead: {limit: 2}}
  - {name: none, match: {tool: b}, deny: true}
"""


def test_what_was_taken_for_a_refused_batch_goes_back() -> None:
    """Turns and permits; what was sent has had its own."""
    desk = Sent(LIMITS, 200)
    for _ in range(5):
        assert desk.send("a", "a", "b").refusal is not None
    assert desk.send("a", "a").status == 200
    refusal = desk.send("a").refusal
    assert refusal is not None
    assert refusal.code == "rate_limited"


NEVER_AGAIN = """
policies:
  - name: p
    effect: read
    retry: {attempts: 3}
    cache: {max_age: 1h}
    hedge: {after: 1ms}
    idempotency: {}
"""


def test_nothing_of_it_is_repeated_kept_or_has_a_key() -> None:
    """What its calls' policies say of that is for calls that come alone."""
    desk = Sent(NEVER_AGAIN, 503, 200)
    assert desk.send("a", "b").status == 503
    assert desk.send("a", "b").status == 200
    assert len(desk.upstream.attempts) == 2
    assert desk.upstream.attempts[0].call.extra == b""


def test_people_are_not_asked_about_one_of_them() -> None:
    """The others would wait, and so would what was taken for them."""
    desk = Sent("policies: [{name: p, match: {tool: b}, risk: high, approval: {}}]\n")
    refusal = desk.send("a", "b").refusal
    assert refusal is not None
    assert refusal.code == "denied"


def test_it_has_the_least_of_all_times() -> None:
    """And does what one of its calls does."""
    desk = Sent(
        """
policies:
  - {name: p, match: {tool: a}, effect: read, timeout: {total: 9s, attempt: 5s, stream_idle: 7s}}
  - {name: q, match: {tool: b}, timeout: {total: 3s, stream_idle: 8s}}
  - {name: r, match: {tool: c}, effect: read, timeout: {total: 8s}}
""",
        200,
    )
    desk.send("a", "b", "c")
    (attempt,) = desk.upstream.attempts
    assert attempt.deadline - attempt.started == pytest.approx(3.0, abs=0.1)
    assert attempt.call.deadline == pytest.approx(desk.clock.now() + 3.0, abs=0.1)
    assert attempt.stream_idle == 7.0
    assert attempt.call.effect is Effect.WRITE


def test_a_failure_is_one_of_each() -> None:
    """Circuits of all hear of it."""
    policies = "policies: [{name: p, breaker: {keys: [tool], consecutive: 2, open: {base: 1m}}}]\n"
    desk = Sent(policies, 500, 500)
    desk.send("a", "b")
    desk.send("a", "c")
    refusal = desk.send("a").refusal
    assert refusal is not None
    assert refusal.code == "circuit_open"
    assert [end[1] for end in desk.ends[:4]] == ["failed"] * 4


def test_a_condition_is_asked_of_each_call() -> None:
    """By its own arguments."""
    desk = Sent("policies: [{name: p, match: {when: 'tool == \"b\"'}, deny: true}]\n", 200)
    assert desk.send("a", "c").status == 200
    assert desk.send("a", "b").refusal is not None


ONE_EACH = """
policies:
  - {name: p, bulkhead: {limit: 1, queue: 0}}
  - {name: q, match: {tool: no}, deny: true}
"""
steps = st.sampled_from([200, 500, Failure.CONNECT, Failure.DISCONNECT])
messages = st.lists(st.sampled_from(["a", "b", "c", "no"]), min_size=1, max_size=4)


@given(st.lists(st.tuples(messages, steps), max_size=4))
def test_no_order_of_batches_keeps_a_permit(batches: list[tuple[list[str], Step]]) -> None:
    """Whatever is refused, a second call of one tool as well, and whatever they come to."""
    good = [step for tools, step in batches if _may_go(tools)]
    desk = Sent(ONE_EACH, *good, 200)
    for tools, _ in batches:
        assert (desk.send(*tools).refusal is None) is _may_go(tools)
    assert desk.send("a", "b", "c").status == 200
    assert desk.watcher.bugs == []
    assert len(desk.ends) == sum(len(tools) for tools, _ in batches) + 3


def _may_go(tools: list[str]) -> bool:
    return "no" not in tools and len(set(tools)) == len(tools)


class Hangs:
    """An upstream that does not answer."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def __call__(self, attempt: Attempt) -> Reply:
        """For ever."""
        attempt.sent = True
        self.asked.set()
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]


async def test_who_is_cancelled_on_the_way_leaves_nothing_behind() -> None:
    """Each knows that it may have run, and all who stopped one of them; permits are free again."""
    desk = Sent("policies: [{name: p, bulkhead: {limit: 1, queue: 0}}]\n", 200)
    upstream, first = Hangs(), batch("a", "b")
    handler = desk.handler(first)
    assert isinstance(handler, Together)
    handler._send = upstream
    task = asyncio.get_running_loop().create_task(_taken(handler, first))
    first.cancel = partial(_cancel, task)
    await upstream.asked.wait()
    assert first.batch is not None
    second = first.batch.calls[1]
    assert desk.send("a").refusal is not None
    second.stop(Stop.KILLED, Refusal("killed", "stopped"))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (first.stopped, first.because) == (second.stopped, second.because)
    assert [attempt.sent for call in (first, second) for attempt in call.attempts] == [True, True]
    first.forget()
    assert [call.batch for call in (first, second)] == [None, None]
    assert second.cancel is None
    assert desk.send("a", "b").status == 200


def _cancel(task: "asyncio.Task[Reply]") -> None:
    task.cancel()


async def _taken(handler: Handler, call: Call) -> Reply:
    return await handler(call)
