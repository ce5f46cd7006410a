"""The path of a call, without sockets. tests/wire and tests/whole go along it with them."""

import asyncio
import json
from typing import Any

import pytest

from proxy.attempt import Attempt
from proxy.call import InFlight, Whole
from proxy.gateway import Gateway
from proxy.journal.taking import Parcel
from proxy.protocols.identity import Identity
from proxy.record import Record
from proxy.reply import Failure, Reply, Result
from proxy.stage import Trail
from proxy.strand import Strand
from proxy.wire.body import Body
from proxy.wire.head import BadMessage
from tests.exchanges import FakeExchange
from tests.fakes import FakeClock, ScriptedUpstream, Step, make_reply
from tests.tables import GATEWAY, Desk

READ = "policies: [{name: r, effect: read}]"


class Watching:
    """A watcher that keeps what it hears."""

    def __init__(self, trail: Trail | None = None) -> None:
        self._trail = trail
        self.records: list[Record] = []
        self.bad: list[str] = []
        self.bugs: list[BaseException] = []

    def note(self, record: Record) -> None:
        """Part of Watcher."""
        self.records.append(record)
        if self._trail is not None:
            self._trail.note(record)

    def keep(self, parcel: Parcel) -> None:
        """Part of Watcher."""
        self.records.append(parcel.record)

    def bad_request(self, reason: str) -> None:
        """Part of Watcher."""
        self.bad.append(reason)

    def bug(self, error: BaseException, call: str = "") -> None:
        """Part of Watcher."""
        self.bugs.append(error)


class Path:
    """A gateway before a scripted upstream."""

    def __init__(
        self,
        *script: Step,
        text: str = "",
        mounts: str = GATEWAY,
        upstream: ScriptedUpstream | None = None,
        trail: Trail | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.desk = Desk(
            text, *script, clock=self.clock, mounts=mounts, upstream=upstream, trail=trail
        )
        self.watching = Watching(trail)
        self.gateway = Gateway(
            self.desk.table, self.clock, Identity("ann", "crew"), "abcd", self.watching
        )
        self.ends: list[BaseException | None] = []

    def start(self, exchange: FakeExchange) -> Strand:
        """A call on its way."""
        handled: Any = exchange  # it has what the gateway asks of a connection
        strand = Strand(self.gateway.handle(handled), self.ends.append)
        exchange.cancel = strand.cancel
        strand.step()
        return strand

    def call(self, exchange: FakeExchange | None = None) -> "Answer":
        """A whole call."""
        exchange = exchange or FakeExchange()
        self.start(exchange)
        assert self.ends[-1:] == [None]
        return self.answer(exchange)

    def answer(self, exchange: FakeExchange) -> "Answer":
        """What was answered, when everything has come to its end."""
        ((reply, lines),) = exchange.answered or exchange.streamed
        assert reply.finished
        assert reply.closed
        assert self.flying == 0
        return Answer(reply, lines)

    @property
    def flying(self) -> int:
        """The number of calls on their way."""
        return sum(entry.now for _, entry in self.desk.keep.items() if isinstance(entry, InFlight))

    @property
    def record(self) -> Record:
        """Of the only call."""
        (record,) = self.watching.records
        return record


class CutShort(ScriptedUpstream):
    """An upstream whose answer is not waited for: the call is cancelled when it was sent."""

    async def __call__(self, attempt: Attempt) -> Reply:
        """As a strand that is cancelled while it waits."""
        attempt.sent = True
        raise asyncio.CancelledError


def events() -> Reply:
    """A stream that has not said anything yet."""
    return make_reply(200, {b"content-type": b"text/event-stream"}, body=Body())


class Answer:
    """An answer, and what is said about it."""

    def __init__(self, reply: Reply, lines: bytes) -> None:
        self.reply = reply
        self.status = reply.status
        self.lines = dict(line.split(": ", 1) for line in lines.decode().splitlines())
        head = reply.lines.decode().splitlines()[1:]
        self.fields = dict(line.split(": ", 1) for line in head)

    @property
    def problem(self) -> dict[str, Any]:
        """The problem object of an answer that is ours."""
        assert self.reply.body is not None
        problem: dict[str, Any] = json.loads(self.reply.body.whole or b"")
        assert problem["instance"] == self.lines["holdfast-call"]
        return problem


def test_an_answer_is_passed_on_with_its_lines() -> None:
    """And its record says the same."""
    path = Path(200)
    answer = path.call()
    assert (answer.status, answer.reply) == (200, path.desk.upstream.replies[0])
    assert answer.lines["holdfast-origin"] == "upstream"
    record = path.record
    assert (record.id, record.agent, record.tool) == (
        answer.lines["holdfast-call"], "ann", "search",
    )  # fmt: skip
    assert (record.outcome, record.policy_version) == ("ok", path.desk.table.version)


def test_every_call_has_an_id_of_its_own() -> None:
    """They name the process, and count."""
    path = Path(200, 200, 200)
    ids = [path.call().lines["holdfast-call"] for _ in range(3)]
    assert ids == ["abcd-1", "abcd-2", "abcd-3"]


def test_a_stream_is_closed_when_it_has_ended() -> None:
    """Its record comes with its end."""
    path = Path(events())
    exchange = FakeExchange()
    path.start(exchange)
    assert (path.ends, path.watching.records, path.flying) == ([], [], 1)
    exchange.over.set(Failure.TRUNCATED)
    assert path.answer(exchange).reply.result is Result.TRUNCATED
    assert path.record.outcome == "truncated"


def test_a_stream_whose_sending_breaks_is_closed() -> None:
    """What was taken goes back; the bug comes out, to the connection."""
    path = Path(events())
    exchange = FakeExchange()
    strand = path.start(exchange)
    strand.step(ZeroDivisionError())
    assert isinstance(path.ends[0], ZeroDivisionError)
    assert path.answer(exchange).reply.result is Result.CANCELLED


def test_what_happens_to_the_upstream_is_told_in_our_words() -> None:
    """The agent sees why, and whether it ran."""
    path = Path(Failure.CONNECT)
    answer = path.call()
    assert (answer.status, answer.problem["code"]) == (502, "upstream_unreachable")
    assert answer.problem["executed"] == "no"
    assert answer.lines["holdfast-reason"] == "upstream_unreachable"
    assert (path.record.decision, path.record.outcome) == ("allow", "failed")
    assert path.desk.upstream.replies[0].closed


def test_who_asks_for_text_gets_text() -> None:
    """As for every answer of ours."""
    answer = Path(Failure.CONNECT).call(FakeExchange(fields={b"accept": b"text/markdown"}))
    assert answer.fields["content-type"].startswith("text/markdown")


def test_a_gate_that_refuses_is_told_with_its_policy() -> None:
    """And the record says who decided."""
    path = Path(text="policies: [{name: now, timeout: {total: 2s, min_attempt: 1s}}]")
    answer = path.call(FakeExchange(fields={b"holdfast-timeout-ms": b"500"}))
    assert (answer.status, answer.problem["code"]) == (504, "deadline_exceeded")
    assert answer.lines["holdfast-policy"] == f"now@{path.desk.table.version}"
    assert (path.record.decision, path.record.policy) == ("refuse", "now")


# --- recognising ---


def test_where_nothing_is_mounted() -> None:
    """No policy is asked, nothing is sent; it is a call, and has its record."""
    path = Path(mounts="policies: []")
    answer = path.call()
    assert (answer.status, answer.problem["code"]) == (404, "no_route")
    assert "holdfast-policy" not in answer.lines
    assert (path.record.outcome, path.record.policy) == ("refused", "")
    assert path.record.policy_version == path.desk.table.version


def test_a_prefix_is_not_passed_on() -> None:
    """The upstream sees what is behind it."""
    mounts = """
upstreams:
  gateway: {url: 'http://h', protocol: tools}
  shop: {url: 'http://h', protocol: tools, path: /shop}
"""
    path = Path(200, mounts=mounts)
    path.call(FakeExchange(target="/shop/v1/buy?x=1"))
    call = path.desk.upstream.attempts[0].call
    assert (call.upstream, call.target, call.tool) == ("shop", b"/v1/buy?x=1", "buy")


def test_a_call_that_comes_back_is_refused() -> None:
    """An upstream points here: it would go round for ever."""
    via = {b"via": b"1.1 holdfast-abcd, 1.1 holdfast-abcd"}
    path = Path()
    assert path.call(FakeExchange(fields=via)).problem["code"] == "proxy_loop"


def test_other_proxies_on_the_way_are_no_loop() -> None:
    """Nor is passing once."""
    path = Path(200)
    assert path.call(FakeExchange(fields={b"via": b"1.1 a, 1.1 holdfast-abcd"})).status == 200


def test_a_body_that_is_still_coming_is_read_first() -> None:
    """The tool stands in it."""
    path, body = Path(200), Body()
    exchange = FakeExchange(target="/", body=body)
    path.start(exchange)
    body.feed(b'{"tool": "pay", ')
    assert path.desk.upstream.attempts == []
    body.finish(b'"input": {}}', [])
    assert path.answer(exchange).status == 200
    assert path.record.tool == "pay"


def test_a_body_that_cannot_be_read_is_a_bad_request() -> None:
    """Counted as one; nothing is sent."""
    path, body = Path(), Body()
    exchange = FakeExchange(target="/", body=body)
    path.start(exchange)
    body.fail(Failure.BAD_REQUEST)
    assert path.answer(exchange).problem["code"] == "bad_request"
    assert path.watching.bad == ["bad_request"]
    assert path.record.policy_version == path.desk.table.version


def test_a_call_that_can_be_read_in_two_ways_is_a_bad_request() -> None:
    """The path names one tool and the body another."""
    path = Path()
    answer = path.call(FakeExchange(body=Whole(b'{"tool": "pay"}')))
    assert (answer.status, answer.problem["code"]) == (400, "ambiguous_call")
    assert path.watching.bad == ["ambiguous_call"]
    assert path.record.policy_version == path.desk.table.version


@pytest.mark.parametrize(
    "asks", ["deny: {when: 'input.a > 1'}", "match: {when: 'input.a > 1'}, timeout: {total: 9s}"]
)
def test_arguments_that_can_be_read_in_two_ways_are_a_bad_request(asks: str) -> None:
    """Found by the policy that reads them: it is told, and counted like those at the door."""
    path = Path(text=f"policies: [{{name: p, {asks}}}]")
    answer = path.call(FakeExchange(body=Whole(b'{"a": 1, "a": 2}')))
    assert (answer.status, answer.problem["code"]) == (400, "ambiguous_call")
    assert (answer.problem["policy"], path.record.policy) == ("p", "p")
    assert answer.lines["holdfast-policy"] == f"p@{path.desk.table.version}"
    assert path.watching.bad == ["ambiguous_call"]


@pytest.mark.parametrize(
    ("fields", "workflow", "task"),
    [
        ({}, "", ""),
        ({b"holdfast-workflow": b"w"}, "w", "w"),
        ({b"holdfast-workflow": b"w", b"holdfast-task": b"t"}, "w", "t"),
        ({b"traceparent": b"00-" + b"ab" * 16 + b"-" + b"cd" * 8 + b"-01"}, "ab" * 16, "ab" * 16),
    ],
)
def test_who_works_on_what(fields: dict[bytes, bytes], workflow: str, task: str) -> None:
    """Named by headers, else by the trace."""
    path = Path(200)
    path.call(FakeExchange(fields=fields))
    assert (path.record.workflow, path.record.task) == (workflow, task)


def test_a_body_that_goes_wrong_while_it_is_sent_is_the_agents_fault() -> None:
    """The connection knows what was wrong with it; it is counted by that."""
    path = Path(Failure.BAD_REQUEST)
    exchange = FakeExchange()
    exchange.bad = BadMessage("chunk", "body_too_large", "too much")
    answer = path.call(exchange)
    assert (answer.status, answer.problem["code"]) == (413, "body_too_large")
    assert path.watching.bad == ["chunk"]


def test_a_body_that_goes_wrong_and_nobody_knows_why() -> None:
    """It is the agent's fault all the same."""
    assert Path(Failure.BAD_REQUEST).call().problem["code"] == "bad_request"


def test_a_call_keeps_the_table_it_began_with() -> None:
    """A reload while its body comes changes nothing for it."""
    path, body = Path(200), Body()
    exchange = FakeExchange(target="/", body=body)
    path.start(exchange)
    path.gateway.table = Desk(READ).table
    body.finish(b'{"tool": "pay"}', [])
    assert path.answer(exchange).status == 200
    assert path.record.policy_version == path.desk.table.version


# --- cancelling ---


def test_a_cancelled_call_ends_with_a_record() -> None:
    """While its body was read: nothing was sent, nothing is left in flight."""
    path = Path()
    exchange = FakeExchange(target="/", body=Body())
    path.start(exchange).cancel()
    answer = path.answer(exchange)
    assert (path.ends, answer.status) == ([None], 503)
    assert answer.problem["code"] == "shutting_down"
    assert (path.record.attempts, path.record.executed) == ((), "no")


@pytest.mark.parametrize(("text", "should"), [(READ, "true"), ("", "false")])
def test_a_call_stopped_when_it_was_sent_is_repeated_only_if_that_is_harmless(
    text: str, should: str
) -> None:
    """A write that was cut short may have run."""
    path = Path(text=text, upstream=CutShort())
    answer = path.call()
    assert answer.problem["executed"] == "unknown"
    assert answer.fields["x-should-retry"] == should


# --- what is no call ---


def test_what_is_not_even_a_request_is_turned_away() -> None:
    """With an id, so that it can be asked about; no record, a count."""
    path = Path()
    reply, lines = path.gateway.turn_away(BadMessage("obs_fold", "bad_request", "a folded line"))
    answer = Answer(reply, lines)
    assert (answer.status, answer.problem["detail"]) == (400, "a folded line")
    assert answer.lines == {
        "holdfast-call": "abcd-1", "holdfast-origin": "holdfast", "holdfast-outcome": "refused",
        "holdfast-reason": "bad_request",
    }  # fmt: skip
    assert (path.watching.bad, path.watching.records) == (["obs_fold"], [])


def test_a_bug_in_a_pipeline_costs_its_call_alone() -> None:
    """Answered, recorded and told to who watches; its words stay here."""
    error = ZeroDivisionError("secret")
    path = Path(error)
    answer = path.call()
    assert (answer.status, answer.problem["code"]) == (500, "internal_error")
    assert "secret" not in str(answer.problem)
    assert (path.record.code, path.watching.bugs) == ("internal_error", [error])
    assert (path.record.decision, path.record.outcome) == ("allow", "failed")
    assert answer.lines["holdfast-outcome"] == "failed"


def test_a_bug_is_told_without_its_words() -> None:
    """Whoever watches hears of it; the agent learns that nobody knows whether it ran."""
    path, error = Path(), ZeroDivisionError("secret")
    reply, lines = path.gateway.failed(error)
    answer = Answer(reply, lines)
    assert (answer.status, answer.problem["executed"]) == (500, "unknown")
    assert "secret" not in str(answer.problem)
    assert path.watching.bugs == [error]
