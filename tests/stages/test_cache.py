"""Answers that are given again: fresh instead of a sending, old instead of a failure."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import Call, Effect, Rule, Stop, Whole
from proxy.counts import CACHE, Counts
from proxy.keys import SHELF
from proxy.protocols.protocol import Rules
from proxy.protocols.recognise import PROTOCOLS
from proxy.refusal import Refusal
from proxy.reply import Executed, Failure, Reply, Result
from proxy.stage import Ground, Handler, Site
from proxy.stages.cache import Cache, Cached
from proxy.state.shelf import LARGEST, Shelf
from proxy.units import Seconds
from tests.fakes import (
    FakeBody,
    FakeClock,
    Ledger,
    make_call,
    make_ground,
    make_reply,
    make_target,
    run,
)
from tests.tables import Desk, post

LINES = b"HTTP/1.1 200 OK\r\n"
OPEN = Refusal("circuit_open", "The tool keeps failing")
Answers = Callable[[], Reply]


def good(content: bytes = b"ok", fields: dict[bytes, bytes] | None = None) -> Reply:
    """An answer that may be kept."""
    return make_reply(200, fields, body=Whole(content), lines=LINES, tier=0)


class Pipeline:
    """A `cache` section, what stands behind it, and what is seen of both."""

    def __init__(self, *script: Reply | int | Failure | Refusal, **fields: Any) -> None:
        self.clock = FakeClock()
        self.ground: Ground = fields.pop("ground", None) or make_ground(self.clock)
        self.target = make_target(fields.pop("effect", Effect.READ), **fields.pop("target", {}))
        self.script = [each if isinstance(each, Reply) else self._made(each) for each in script]
        self.sent: list[Call] = []
        for name in {"max_age", "stale_if_error"} & fields.keys():
            fields[name] = Seconds(fields[name])
        site = Site(self.target, self.ground, inner=self._inner)
        stage = Cached.build(Cache(**fields), site)
        self.handle: Handler = self._inner if stage is None else stage.handle

    @staticmethod
    def _made(what: int | Failure | Refusal) -> Reply:
        return make_reply(what, lines=b"HTTP/1.1 %d X\r\n" % what if isinstance(what, int) else b"")

    async def _inner(self, call: Call) -> Reply:
        self.sent.append(call)
        return self.script.pop(0) if self.script else good(b"%d" % len(self.sent))

    def __call__(self, call: Call | None = None) -> Reply:
        """The reply to a call."""
        return run(self.handle(call or make_call(tool="search")))

    def content(self, call: Call | None = None) -> bytes:
        """What the body of the reply is."""
        reply = self(call)
        assert reply.body is not None
        assert reply.body.whole is not None
        return reply.body.whole

    @property
    def counted(self) -> dict[str, int]:
        """The counts of this tool, by result."""
        counts = dict(self.ground.keep.items())[CACHE.key]
        assert isinstance(counts, Counts)
        assert {row[:2] for row in counts.rows} <= {("gateway", "search")}
        return {row[2]: number for row, number in counts.rows.items()}


def said(reply: Reply) -> str:
    """What the head says of the cache, in one line."""
    found = re.findall(rb"(?m)^(Age|Cache-Status): (.*)\r\n", reply.lines)
    return " | ".join(f"{name.decode()}: {value.decode()}" for name, value in found)


def asking(*fields: tuple[bytes, bytes], **changes: Any) -> Call:
    """A call with these headers."""
    return make_call(dict(fields), **({"tool": "search"} | changes))


def with_body(content: bytes | None, *fields: tuple[bytes, bytes]) -> Call:
    """A call with this body."""
    return asking(*fields, body=FakeBody(content))


# --- fresh ---


def test_a_fresh_answer_is_given_instead_of_a_sending() -> None:
    """It says how old it is, and that it came from here; nothing ran."""
    pipeline = Pipeline(max_age=30)
    first = pipeline()
    assert said(first) == "Cache-Status: holdfast; fwd=miss; stored"
    pipeline.clock.advance(12.5)
    call = make_call(tool="search")
    again = pipeline(call)
    assert said(again) == "Age: 12 | Cache-Status: holdfast; hit; ttl=18"
    assert again.body is not None
    assert (again.status, again.body.whole, again.lines[:17]) == (200, b"1", LINES)
    assert (again.result, again.executed, again.tier, again.outcome) == (
        Result.SUCCESS, Executed.NO, 2, "",
    )  # fmt: skip
    assert (len(pipeline.sent), call.attempts) == (1, [])
    assert pipeline.counted == {"miss": 1, "hit": 1}


def test_an_answer_that_is_too_old_is_asked_for_again() -> None:
    """At `max_age` to the moment; what comes is kept anew."""
    pipeline = Pipeline(max_age=30)
    assert pipeline.content() == b"1"
    pipeline.clock.advance(30.0)
    renewed = pipeline()
    assert said(renewed) == "Cache-Status: holdfast; fwd=stale; stored"
    assert pipeline.content() == b"2"
    assert pipeline.counted == {"miss": 2, "hit": 1}


def test_the_wall_clock_may_jump() -> None:
    """Nothing looks at it."""
    pipeline = Pipeline(max_age=30)
    pipeline()
    for jumped in (0.0, 9e9):
        pipeline.clock.wall = lambda jumped=jumped: jumped  # type: ignore[misc]  # a test's clock
        assert pipeline.content() == b"1"
        assert said(pipeline()) == "Age: 0 | Cache-Status: holdfast; hit; ttl=30"


def test_the_age_counts_from_the_question() -> None:
    """However long the answer took."""
    pipeline = Pipeline(max_age=30)
    inner = pipeline._inner

    async def slow(call: Call) -> Reply:
        pipeline.clock.advance(10.0)
        return await inner(call)

    cached = pipeline.handle.__self__
    cached._inner = slow
    pipeline()
    assert said(pipeline()).startswith("Age: 10 |")


def test_it_outlives_a_reload() -> None:
    """Another section, the same shelf: its own limits hold for what was kept before."""
    ground = make_ground()
    assert Pipeline(max_age=30, ground=ground).content() == b"1"
    longer = Pipeline(max_age=60, ground=ground)
    longer.clock.advance(45.0)
    assert longer.content() == b"1"
    assert longer.sent == []


def test_calls_that_are_the_same_and_come_at_once_are_all_sent() -> None:
    """Nobody waits for somebody else's luck."""
    pipeline = Pipeline(max_age=30)
    inner = pipeline._inner

    async def meanwhile(call: Call) -> Reply:
        if not pipeline.sent:
            pipeline.sent.append(call)
            assert pipeline.content() == b"2"
        return await inner(call)

    pipeline.handle.__self__._inner = meanwhile
    pipeline()
    assert len(pipeline.sent) == 3


def test_without_any_age_there_is_no_stage() -> None:
    """It would keep what nobody is given."""
    assert Cached.build(Cache(vary=("x",)), Site(make_target(), make_ground())) is None


def test_a_section_is_built_where_its_policy_matches() -> None:
    """A whole pipeline: reads are kept, the others are not."""
    rules = "policies: [{name: p, match: {tool: search}, effect: read, cache: {max_age: 30s}}]\n"
    desk = Desk(rules, *(good() for _ in range(3)))
    assert [desk.call(post(tool)).tier for tool in ("search", "search", "move", "move")] == [
        0, 2, 0, 0,
    ]  # fmt: skip


# --- whose ---


@pytest.mark.parametrize(
    "other",
    [
        {"agent": "b"},
        {"domain": "core"},
        {"target": b"/?q"},
        {"fields": {b"authorization": b"Bearer b"}},
        {"fields": {b"x-shop": b"b"}},
        {"body": FakeBody(b"b")},
    ],
)
def test_nobody_gets_what_another_was_told(other: dict[str, Any]) -> None:
    """Agents, bulkheads, credentials, targets, bodies, and headers that `vary` names."""
    pipeline = Pipeline(max_age=30, vary=("X-Shop",))
    assert pipeline.content() == b"1"
    changes = dict(other)
    fields = changes.pop("fields", None)
    assert pipeline.content(make_call(fields, tool="search", **changes)) == b"2"
    assert pipeline.content() == b"1"


def test_other_headers_do_not_matter() -> None:
    """Unless `vary` names them, or the answer itself."""
    pipeline = Pipeline(max_age=30)
    pipeline()
    assert pipeline.content(asking((b"x-shop", b"b"), (b"traceparent", b"00-a"))) == b"1"


def test_an_answer_that_varies_is_not_for_others() -> None:
    """RFC 9111 4.1."""
    pipeline = Pipeline(good(b"zip", {b"vary": b"accept-encoding"}), max_age=30)
    zipped = asking((b"accept-encoding", b"gzip"))
    assert pipeline.content(zipped) == b"zip"
    assert pipeline.content(zipped) == b"zip"
    assert pipeline.content() == b"2"


# --- what counts of the body ---


def tool(arguments: str) -> Call:
    """A tool call with these arguments."""
    return with_body(b'{"tool": "search", "input": ' + arguments.encode() + b"}")


def test_without_a_word_every_byte_counts() -> None:
    """It is not even read."""
    pipeline = Pipeline(max_age=30)
    assert pipeline.content(tool('{"a": 1}')) == b"1"
    assert pipeline.content(tool('{"a":1}')) == b"2"
    assert pipeline.content(tool('{"a": 1, "a": 1}')) == b"3"


def test_of_the_input_only_what_it_says_counts() -> None:
    """Not how it is written."""
    pipeline = Pipeline(max_age=30, key=("input",))
    assert pipeline.content(tool('{"a": 1, "b": 2}')) == b"1"
    assert pipeline.content(tool('{"b":2,"a":1}')) == b"1"
    assert pipeline.content(tool('{"b":2,"a":1.0}')) == b"2"


def test_what_is_volatile_does_not_count() -> None:
    """A nonce makes no other call of it."""
    pipeline = Pipeline(max_age=30, volatile=("input.nonce", "input.meta.id"))
    assert pipeline.content(tool('{"nonce": 1, "meta": {"id": 1, "x": 1}}')) == b"1"
    assert pipeline.content(tool('{"nonce": 2, "meta": {"x": 1}}')) == b"1"
    assert pipeline.content(tool('{"nonce": 2, "meta": {"x": 2}}')) == b"2"


def test_arguments_that_can_be_read_in_two_ways_are_refused() -> None:
    """The tool might read the other one (spec 2.2)."""
    pipeline = Pipeline(max_age=30, key=("input",))
    reply = pipeline(tool('{"a": 1, "a": 2}'))
    assert reply.refusal is not None
    assert (reply.refusal.code, reply.refused, pipeline.sent) == ("ambiguous_call", True, [])


@pytest.mark.parametrize(
    ("target", "call"),
    [
        ({"protocol": "http"}, lambda space: tool('{"nonce": 1}' + space)),
        ({}, lambda space: with_body(b"nonce=1" + space)),
        ({}, lambda space: with_body(b"{}" + space, (b"content-encoding", b"gzip"))),
    ],
)
def test_what_has_no_arguments_counts_byte_for_byte(
    target: dict[str, str], call: Callable[[bytes | str], Call]
) -> None:
    """Other protocols, other documents, and what is encoded."""
    pipeline = Pipeline(max_age=30, volatile=("input.nonce",), target=target)
    space = " " if target else b" "
    nothing = "" if target else b""
    assert pipeline.content(call(nothing)) == b"1"
    assert pipeline.content(call(nothing)) == b"1"
    assert pipeline.content(call(space)) == b"2"


def test_no_other_body_passes_for_arguments() -> None:
    """Such as one that looks like what they are compared by."""
    pipeline = Pipeline(max_age=30, key=("input",))
    assert pipeline.content(tool('{"a": 1}')) == b"1"
    for content in (b"{'a': 1}", b":{'a': 1}", b"={'a': 1}"):
        assert pipeline.content(with_body(content)) != b"1"


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"vary": ("a b",)}, "vary: expected the name of a header, found 'a b'"),
        ({"vary": ("",)}, "vary: expected the name of a header, found ''"),
        ({"volatile": ("nonce",)}, "volatile: expected a path such as input.nonce, found 'nonce'"),
        ({"volatile": ("input",)}, "volatile: expected a path such as input.nonce, found 'input'"),
        ({"volatile": ("input..a",)}, "volatile: expected a path such as input.nonce, found "),
    ],
)
def test_what_is_no_header_or_no_argument_is_an_error(field: dict[str, Any], message: str) -> None:
    """It would never match, in silence."""
    with pytest.raises(ValueError, match=re.escape(message)):
        Cache(**field)


# --- what is not for the shelf ---


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"range", b"bytes=0-1"),
        (b"if-none-match", b'"a"'),
        (b"if-modified-since", b"x"),
        (b"upgrade", b"websocket"),
    ],
)
def test_conditions_and_parts_are_the_upstreams_alone(name: bytes, value: bytes) -> None:
    """What comes is no answer to the plain call, and what is kept is none to this one."""
    pipeline = Pipeline(max_age=30)
    pipeline()
    reply = pipeline(asking((name, value)))
    assert said(reply) == "Cache-Status: holdfast; fwd=bypass"
    assert pipeline.content() == b"1"
    assert pipeline.counted == {"miss": 1, "bypass": 1, "hit": 1}


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE"])
def test_methods_without_an_answer_to_keep_pass(method: str) -> None:
    """Each is sent."""
    pipeline = Pipeline(max_age=30)
    for _ in range(2):
        call = asking()
        call.head.method = method
        assert said(pipeline(call)) == "Cache-Status: holdfast; fwd=method"
    assert len(pipeline.sent) == 2


@pytest.mark.parametrize("content", [None, b"x" * (LARGEST + 1)])
def test_a_call_whose_body_is_not_here_or_too_large_passes(content: bytes | None) -> None:
    """Nobody waits for it, and nobody digests it."""
    pipeline = Pipeline(max_age=30)
    for _ in range(2):
        assert said(pipeline(with_body(content))) == "Cache-Status: holdfast; fwd=bypass"
    assert pipeline.counted == {"bypass": 2}


@pytest.mark.parametrize("value", [b"no-cache", b"max-age=0", b'private, Max-Age = "0"'])
def test_an_agent_may_want_a_new_answer(value: bytes) -> None:
    """It is kept for those who do not; when there is none, an old one is no answer either."""
    pipeline = Pipeline(good(b"1"), good(b"2"), make_reply(500), max_age=30, stale_if_error=60)
    pipeline()
    new = (b"cache-control", value)
    reply = pipeline(asking(new))
    assert said(reply) == "Cache-Status: holdfast; fwd=request; stored"
    assert pipeline.content() == b"2"
    assert pipeline(asking(new)).status == 500


def test_an_agent_may_want_nothing_to_be_kept() -> None:
    """Nor is anything looked for."""
    pipeline = Pipeline(max_age=30)
    secret = (b"cache-control", b"no-store")
    assert said(pipeline(asking(secret))) == "Cache-Status: holdfast; fwd=request"
    assert pipeline.content() == b"2"
    assert pipeline.content(asking(secret)) == b"3"
    assert pipeline.content() == b"2"


@pytest.mark.parametrize("value", [b"max-age=60", b"max-age=01", b"only-if-cached", b""])
def test_other_wishes_change_nothing(value: bytes) -> None:
    """They are advice (RFC 9111 5.2.1)."""
    pipeline = Pipeline(max_age=30)
    pipeline()
    assert pipeline.content(asking((b"cache-control", value))) == b"1"


@pytest.mark.parametrize("reply", [404, 500, 302, Failure.CONNECT, OPEN])
def test_only_good_answers_are_kept(reply: int | Failure | Refusal) -> None:
    """The next call is sent; what is no answer of the upstream is not written upon."""
    pipeline = Pipeline(reply, max_age=30)
    first = pipeline()
    assert said(first) == ("Cache-Status: holdfast; fwd=miss" if first.status else "")
    assert pipeline.content() == b"2"


def test_a_stream_is_not_kept() -> None:
    """It may have no end."""
    body = FakeBody(None)
    stream = make_reply(200, {b"content-type": b"text/event-stream"}, body=body, lines=LINES)
    pipeline = Pipeline(stream, max_age=30)
    assert said(pipeline()) == "Cache-Status: holdfast; fwd=miss"
    assert (body.kept, stream.finishers) == (0, [])


def test_an_answer_that_comes_in_is_kept_at_its_end() -> None:
    """It is not known before whether it will be."""
    body = FakeBody(None)
    reply = make_reply(200, body=body, lines=LINES)
    pipeline = Pipeline(reply, max_age=30)
    assert said(pipeline()) == "Cache-Status: holdfast; fwd=miss"
    body.whole = b"hello"
    reply.finish()
    assert pipeline.content() == b"hello"


def test_minimal_answers_say_their_age_alone() -> None:
    """The age is due to every client (RFC 9111 5.1), the rest is talk."""
    pipeline = Pipeline(max_age=30)
    rule = Rule(minimal=True)
    assert said(pipeline(asking(rule=rule))) == ""
    assert said(pipeline(asking(rule=rule))) == "Age: 0"


# --- stale ---

FAILURES = [
    500, 503, 529, 429, Failure.CONNECT, Failure.DISCONNECT, Failure.TIMEOUT, Failure.TRUNCATED,
    Failure.BAD_RESPONSE, Failure.OVERLOADED, OPEN, Refusal("rate_limited", "x"),
    Refusal("bulkhead_full", "x"), Refusal("overloaded", "x"), Refusal("deadline_exceeded", "x"),
]  # fmt: skip


@pytest.mark.parametrize("what", FAILURES)
def test_an_old_answer_stands_in_for_a_failure(what: int | Failure | Refusal) -> None:
    """The agent sees that, how old it is, and why."""
    pipeline = Pipeline(good(b"1"), what, max_age=30, stale_if_error=60)
    pipeline()
    pipeline.clock.advance(50.0)
    failed = pipeline.script[0]
    ledger = Ledger()
    failed.finishers.append((ledger.settle, None))
    reply = pipeline()
    assert reply.body is not None
    assert (reply.status, reply.body.whole) == (200, b"1")
    assert (reply.outcome, reply.tier, reply.result) == ("stale", 2, Result.SUCCESS)
    assert reply.executed is failed.executed
    assert said(reply) == (f"Age: 50 | Cache-Status: holdfast; hit; ttl=-20; detail={reply.reason}")
    assert (failed.closed, ledger.settled) == (True, [failed])
    assert pipeline.counted == {"miss": 1, "stale": 1}


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (OPEN, "circuit_open"),
        (Failure.CONNECT, "upstream_unreachable"),
        (Failure.TIMEOUT, "upstream_timeout"),
        (500, "failure"),
        (429, "throttled"),
    ],
)
def test_why_it_is_old_is_told_in_one_word(what: Reply | int | Failure, why: str) -> None:
    """The code of the refusal that it would have been, or what the upstream's answer came to."""
    pipeline = Pipeline(good(), what, stale_if_error=60)
    pipeline()
    assert pipeline().reason == why


@pytest.mark.parametrize(
    "what",
    [
        400, 401, 404, 501, Failure.CANCELLED, Failure.BAD_REQUEST,
        Refusal("denied", "x"), Refusal("ambiguous_call", "x"), Refusal("internal_error", "x"),
        Refusal("shutting_down", "x"), Refusal("circuit_open", "forced", stands=True),
    ],
)  # fmt: skip
def test_it_does_not_stand_in_for_what_stands(what: int | Failure | Refusal) -> None:
    """What was wrong with the call stays wrong, and what is denied stays denied."""
    pipeline = Pipeline(good(), what, stale_if_error=60)
    pipeline()
    reply = pipeline()
    assert reply.outcome == ""
    assert reply.refusal is (what if isinstance(what, Refusal) else None)
    assert not reply.closed


def test_nobody_is_given_anything_who_is_gone() -> None:
    """Nor who was stopped."""
    pipeline = Pipeline(good(), 500, stale_if_error=60)
    pipeline()
    assert pipeline(asking(stopped=Stop.AGENT_GONE)).status == 500


@pytest.mark.parametrize(("seconds", "status"), [(90.0, 200), (90.1, 500)])
def test_it_may_be_as_old_as_both_together(seconds: float, status: int) -> None:
    """`max_age` and `stale_if_error`."""
    pipeline = Pipeline(good(), 500, max_age=30, stale_if_error=60)
    pipeline()
    pipeline.clock.advance(seconds)
    assert pipeline().status == status


def test_without_stale_if_error_a_failure_is_one() -> None:
    """However young the answer is that there was."""
    pipeline = Pipeline(good(), 500, max_age=30)
    pipeline()
    pipeline.clock.advance(30.0)
    assert pipeline().status == 500


def test_with_stale_if_error_alone_every_call_is_sent() -> None:
    """Nothing is fresh."""
    pipeline = Pipeline(stale_if_error=60)
    assert [pipeline.content(), pipeline.content()] == [b"1", b"2"]
    assert said(pipeline()) == "Cache-Status: holdfast; fwd=stale; stored"


def test_where_nothing_was_kept_a_failure_is_one() -> None:
    """It goes on as it is, open, with what the cache did."""
    pipeline = Pipeline(500, stale_if_error=60)
    reply = pipeline()
    assert (reply.status, reply.closed, pipeline.counted) == (500, False, {"miss": 1})


def test_a_bug_of_the_failed_one_is_told() -> None:
    """Whoever broke in settling it is heard of, though the agent has its answer."""
    pipeline = Pipeline(good(), 500, stale_if_error=60)
    pipeline()
    bug = RuntimeError("settle")

    def breaks(subject: object, reply: Reply) -> None:
        raise bug

    pipeline.script[0].finishers.append((breaks, None))
    assert pipeline().bug is bug


def test_a_body_that_still_comes_is_let_go() -> None:
    """The failed answer holds no connection."""
    body = FakeBody(None)
    pipeline = Pipeline(good(), make_reply(500, body=body), stale_if_error=60)
    pipeline()
    assert pipeline().outcome == "stale"
    assert body.abandoned


@given(st.floats(0, 100), st.floats(0, 100), st.lists(st.tuples(st.floats(0, 60), st.booleans())))
def test_no_answer_is_older_than_it_may_be(
    fresh: float, stale: float, steps: list[tuple[float, bool]]
) -> None:
    """Whatever the order of calls and failures: the age told is the age it has, and is allowed."""
    pipeline = Pipeline(max_age=fresh, stale_if_error=stale)
    clock = pipeline.clock
    if not fresh and not stale:
        return
    for pause, fails in steps:
        clock.advance(pause)
        pipeline.script = [make_reply(500) if fails else good(b"%r" % clock.now())]
        reply = pipeline()
        if reply.status == 200:
            assert reply.body is not None
            age = clock.now() - float(reply.body.whole or b"")
            limit = fresh + stale if reply.outcome else fresh
            assert age <= limit if reply.tier else not age
            assert (b"Age: %d\r\n" % int(age) in reply.lines) == (reply.tier == 2)


# --- what it says ---


def test_it_says_what_it_would_do() -> None:
    """Without doing it."""
    pipeline = Pipeline(max_age=30, stale_if_error=60, key=("input",))
    cached = pipeline.handle.__self__
    call = tool("{}")
    notes = [cached.says(call).note]
    pipeline(call)
    for seconds in (18.0, 20.0, 100.0):
        pipeline.clock.advance(seconds)
        notes.append(cached.says(call).note)
    assert notes == [
        "nothing kept",
        "fresh for 12 s",
        "stale, may stand in for a failure for 52 s",
        "too old, by 48 s",
    ]
    assert len(pipeline.sent) == 1


def test_it_says_why_it_would_not_look() -> None:
    """The headers, the body, or what it refuses."""
    cached = Pipeline(max_age=30, key=("input",)).handle.__self__
    assert cached.says(asking((b"cache-control", b"no-store"))).note == (
        "its headers ask for an answer of the upstream"
    )
    assert cached.says(with_body(None)).note == "its body is not at hand, or too large"
    refused = cached.says(tool('{"a": 1, "a": 2}'))
    assert refused.refusal.code == "ambiguous_call"


def asks_for_a_task(raw_id: bytes, task: bytes = b"t") -> Call:
    """A call of an agent (A2A), whose answers name it."""
    content = b'{"jsonrpc":"2.0","id":%b,"method":"GetTask","params":{"id":"%b"}}' % (raw_id, task)
    call = make_call({b"content-type": b"application/json"}, body=FakeBody(content))
    assert PROTOCOLS["a2a"].recognise(call, content, Rules()) is None
    return call


@pytest.mark.parametrize("coding", [{}, {b"content-encoding": b"gzip"}])
def test_an_answer_that_names_its_call_is_given_again_under_the_next_name(coding) -> None:
    """Or asked for once more, where its name cannot be changed."""
    said = [b'{"jsonrpc":"2.0","id":%b,"result":{}}' % each for each in (b"1", b'"two"')]
    target = {"protocol": "a2a", "tool": "peer", "layer": "agent"}
    kept = Pipeline(
        *(good(each, coding) for each in said), max_age=5.0, key=("input",), target=target
    )
    for raw_id, content in zip((b"1", b'"two"'), said, strict=True):
        reply = run(kept.handle(asks_for_a_task(raw_id)))
        assert reply.body is not None
        assert reply.body.whole == content
    assert len(kept.sent) == (2 if coding else 1)


def test_the_next_name_of_a_call_makes_no_other_of_it() -> None:
    """Though all of its body counts; another question is another call."""
    content = b'{"jsonrpc":"2.0","id":%b,"result":{}}'
    target = {"protocol": "a2a", "tool": "peer", "layer": "agent"}
    kept = Pipeline(good(content % b"1"), good(content % b"3"), max_age=5.0, target=target)
    for raw_id in (b"1", b"2"):
        reply = run(kept.handle(asks_for_a_task(raw_id)))
        assert reply.body is not None
        assert reply.body.whole == content % raw_id
    assert len(kept.sent) == 1
    run(kept.handle(asks_for_a_task(b"3", b"u")))
    assert len(kept.sent) == 2


def test_one_shelf_is_there_for_all() -> None:
    """It is bounded for the process, not for each tool."""
    ground = make_ground()
    for name in ("a", "b"):
        Pipeline(max_age=30, ground=ground, target={"tool": name})()
    shelf = dict(ground.keep.items())[SHELF]
    assert isinstance(shelf, Shelf)
    assert shelf.entries == 1  # the calls are the same: it is they that count


# --- protocols in which an answer names its request ---


def called_by(raw_id: int, name: str = "look") -> Call:
    """A call of a tool of MCP."""
    content = (
        f'{{"jsonrpc":"2.0","id":{raw_id},"method":"tools/call","params":{{"name":"{name}"}}}}'
    ).encode()
    call = make_call({b"content-type": b"application/json"}, body=FakeBody(content))
    assert PROTOCOLS["mcp"].recognise(call, content, Rules()) is None
    return call


def answered(raw_id: int, fields: dict[bytes, bytes] | None = None) -> Reply:
    """A response."""
    return good(b'{"jsonrpc":"2.0","id":%d,"result":{"a":1}}' % raw_id, fields)


def said_by(reply: Reply) -> bytes | None:
    """What is in an answer."""
    assert reply.body is not None
    return reply.body.whole


def test_an_answer_is_given_again_with_the_id_of_who_asks():
    """Its client waits for that one; its length is that of what goes."""
    target = {"protocol": "mcp", "tool": "look", "layer": "tool"}
    pipeline = Pipeline(answered(7), answered(7), max_age=5.0, key=("input",), target=target)
    assert said_by(run(pipeline.handle(called_by(7)))) == said_by(answered(7))
    reply = run(pipeline.handle(called_by(1234)))
    assert len(pipeline.sent) == 1
    assert said_by(reply) == said_by(answered(1234))
    assert b"content-length: %d\r\n" % len(said_by(reply) or b"") in reply.lines


def test_an_answer_whose_id_cannot_be_changed_is_not_given_again():
    """It is asked for once more."""
    target = {"protocol": "mcp", "tool": "look", "layer": "tool"}
    coded = answered(7, {b"content-encoding": b"gzip"})
    pipeline = Pipeline(coded, answered(8), max_age=5.0, key=("input",), target=target)
    run(pipeline.handle(called_by(7)))
    assert said_by(run(pipeline.handle(called_by(8)))) == said_by(answered(8))
    assert len(pipeline.sent) == 2
