"""What an answer says of its call."""

import json

import pytest

from proxy.call import Batch, Call, Effect, Rule, Stop
from proxy.config.cascade import Effective
from proxy.pipeline.told import (
    in_our_words,
    last_words,
    lines_of,
    lines_of_no_call,
    refusal_of,
    rule_of,
    sent,
    stopped,
)
from proxy.protocols.http import answer
from proxy.protocols.recognise import HTTP, PROTOCOLS
from proxy.protocols.tools import Tools
from proxy.refusal import Refusal
from proxy.reply import Executed, Failure, Reply, Result
from proxy.state.ledger import Ledger
from proxy.state.price import Price
from proxy.state.purse import Purse
from proxy.state.till import Till
from tests.fakes import FakeBody, make_attempt, make_call, make_reply
from tests.pipeline.called import NOW, OPEN, RULE, called


def lines(call: Call, reply: Reply) -> dict[str, str]:
    """The lines, by their names."""
    text = lines_of(call, reply).decode()
    assert text.endswith("\r\n")
    return dict(line.split(": ", 1) for line in text.splitlines())


def test_a_plain_success_says_what_was_made_for_it() -> None:
    """Only the call's id is its own."""
    assert lines_of(called(Result.SUCCESS), make_reply(200)) == (
        b"holdfast-call: c1\r\nplain: yes\r\n"
    )


def test_a_second_attempt_is_not_plain() -> None:
    """It is counted."""
    assert lines(called(Result.FAILURE, Result.SUCCESS), make_reply(200)) == {
        "holdfast-call": "c1",
        "holdfast-origin": "upstream",
        "holdfast-attempts": "2",
        "holdfast-outcome": "ok",
        "holdfast-policy": "last@v1",
    }


@pytest.mark.parametrize("status", [404, 500, 429])
def test_an_error_of_the_upstream_is_the_upstreams(status: int) -> None:
    """It is passed on, and is none of ours."""
    told = lines(called(Result.FAILURE), make_reply(status))
    assert (told["holdfast-origin"], told["holdfast-outcome"]) == ("upstream", "failed")
    assert "holdfast-reason" not in told


def test_a_streams_head_does_not_say_how_it_ends() -> None:
    """Nobody knows yet."""
    told = lines(called(Result.SUCCESS), make_reply(200, body=FakeBody(None)))
    assert "holdfast-outcome" not in told
    assert told["holdfast-attempts"] == "1"


def test_an_answer_without_any_body_is_over() -> None:
    """Its outcome is known: it is as plain as any other."""
    once, twice = called(Result.SUCCESS), called(Result.FAILURE, Result.SUCCESS)
    reply = Reply(status=204, result=Result.SUCCESS)
    assert lines_of(once, reply) == b"holdfast-call: c1\r\n" + RULE.plain
    assert lines(twice, reply)["holdfast-outcome"] == "ok"


@pytest.mark.parametrize(
    ("failure", "code", "outcome"),
    [
        (None, "circuit_open", "refused"),
        (Failure.CONNECT, "upstream_unreachable", "failed"),
        (Failure.TRUNCATED, "truncated", "truncated"),
        (Failure.CANCELLED, "shutting_down", "failed"),
    ],
)
def test_what_we_say_ourselves(failure: Failure | None, code: str, outcome: str) -> None:
    """With the reason, and the policy that decided where there is one."""
    refusal = Refusal(code, "so it is", policy="" if failure else "money")
    reply = make_reply(refusal, failure=failure)
    if failure is not None:
        HTTP.judge(reply)
    told = lines(called(None), reply)
    assert (told["holdfast-origin"], told["holdfast-outcome"]) == ("holdfast", outcome)
    assert (told["holdfast-reason"], told["holdfast-attempts"]) == (code, "0")
    assert told["holdfast-policy"] == ("last@v1" if failure else "money@v1")


@pytest.mark.parametrize("sent_it", [False, True])
def test_a_call_that_was_stopped_tells_why(sent_it: bool) -> None:
    """Refused, where nothing of it was sent; else it may have run. A drain is told as a failure."""
    call = called(Result.FAILURE if sent_it else None)
    call.stop(Stop.KILLED, Refusal("killed", "why"))
    reply = stopped(call)
    assert reply.refusal is not None
    assert reply.refusal.executed is (Executed.UNKNOWN if sent_it else Executed.NO)
    assert reply.refused is not sent_it
    assert refusal_of(call, reply, lambda: 0.0) is reply.refusal
    drained = called(None)
    drained.stop(Stop.DRAIN)
    assert (stopped(drained).refusal, stopped(drained).failure) == (None, Failure.CANCELLED)


def test_what_breaks_off_has_a_last_word_where_somebody_decided_so() -> None:
    """An event with the problem; where the agent only left there is nothing to say."""
    call = called(Result.SUCCESS)
    reply = Reply(status=200, executed=Executed.YES)
    assert last_words(call, reply) == b""
    call.stop(Stop.KILLED, Refusal("killed", "why"))
    kind, said, end = last_words(call, reply).split(b"\n", 2)
    assert (kind, end) == (b"event: error", b"\n")
    problem = json.loads(said.removeprefix(b"data: "))
    assert (problem["code"], problem["executed"]) == ("killed", "yes")


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (Failure.TRUNCATED, "truncated"),
        (Failure.TIMEOUT, "deadline_exceeded"),
        (Failure.EXPIRED, "deadline_exceeded"),
        (Failure.CANCELLED, ""),
    ],
)
def test_a_stream_that_did_not_go_on_says_so(failure: Failure, code: str) -> None:
    """A tidy end would be a lie."""
    reply = Reply(status=200, executed=Executed.YES, failure=failure)
    said = last_words(called(Result.SUCCESS), reply).split(b"\n")
    told = json.loads(said[1].removeprefix(b"data: "))["code"] if len(said) > 1 else ""
    assert told == code


def test_our_own_bug_is_a_failure() -> None:
    """Nobody decided that the call may not be."""
    reply = make_reply(Refusal("internal_error", "oh"), result=Result.FAILURE)
    assert lines(called(None), reply)["holdfast-outcome"] == "failed"


def test_before_any_policy_was_asked_none_is_named() -> None:
    """A call that nobody recognised has no rule but that of its table, which names none."""
    told = lines(called(rule=Rule("v1")), make_reply(Refusal("no_route", "nothing is there")))
    assert "holdfast-policy" not in told
    assert told["holdfast-attempts"] == "0"


def test_what_is_no_call_is_refused_by_nobodys_policy() -> None:
    """It has an id all the same, by which a log can be searched."""
    assert lines_of_no_call("c1", Refusal("bad_request", "no head")) == (
        b"holdfast-call: c1\r\nholdfast-origin: holdfast\r\n"
        b"holdfast-outcome: refused\r\nholdfast-reason: bad_request\r\n"
    )


@pytest.mark.parametrize(
    ("policies", "minimal", "plain"),
    [
        ((), False, "origin: upstream, attempts: 1, outcome: ok"),
        (("a", "b"), False, "origin: upstream, attempts: 1, outcome: ok, policy: b@v1"),
        (("a", "b"), True, "origin: upstream"),
    ],
)
def test_the_last_policy_gives_its_name(
    policies: tuple[str, ...], minimal: bool, plain: str
) -> None:
    """In the lines of a plain answer as in those of others, unless little is to be said."""
    rule = rule_of(Effective(policies, {}), "v1", minimal=minimal)

    assert rule.plain.decode().splitlines() == [f"holdfast-{line}" for line in plain.split(", ")]
    assert rule.told == (b"holdfast-policy: b@v1\r\n" if policies else b"")


@pytest.mark.parametrize("refusal", [None, OPEN])
def test_minimal_answers_say_two_things(refusal: Refusal | None) -> None:
    """The call, and who answered."""
    reply = make_reply(500 if refusal is None else refusal)
    call = called(None, rule=Rule("v1", RULE.told, minimal=True))
    told = lines(call, reply)
    assert told.keys() == {"holdfast-call", "holdfast-origin"}
    assert told["holdfast-origin"] == ("upstream" if refusal is None else "holdfast")


@pytest.mark.parametrize(
    ("given_up", "fields", "advice"),
    [
        ("attempts", {}, "false"),
        ("retry_budget", {}, "false"),
        ("client_retries", {}, None),
        ("attempts", {b"x-should-retry": b"true"}, None),
        ("", {}, None),
    ],
)
def test_where_we_gave_up_the_client_is_told_not_to_go_on(
    given_up: str, fields: dict[bytes, bytes], advice: str | None
) -> None:
    """Unless the upstream has said so itself, or the client is the one who repeats."""
    told = lines(called(Result.FAILURE), make_reply(503, fields, given_up=given_up))
    assert told.get("x-should-retry") == advice
    assert told.get("holdfast-reason", "") == given_up


def test_an_answer_that_is_known_to_be_incomplete_says_so() -> None:
    """A head had come; then its body broke off."""
    reply = make_reply(200, failure=Failure.TRUNCATED, result=Result.TRUNCATED)
    told = lines(called(Result.SUCCESS), reply)
    assert told["proxy-status"] == "holdfast; error=http_response_incomplete"


# --- what has to be said in our own words ---


def now() -> float:
    """The moment at which it is said."""
    return NOW


def test_an_answer_needs_no_words_of_ours() -> None:
    """Nor one whose body broke off: its status is out."""
    assert refusal_of(make_call(), make_reply(500), now) is None
    assert refusal_of(make_call(), make_reply(200, failure=Failure.TRUNCATED), now) is None


def test_a_refusal_is_said_as_it_is() -> None:
    """The same object."""
    assert refusal_of(make_call(), make_reply(OPEN), now) is OPEN


@pytest.mark.parametrize(
    ("effect", "deadline", "code", "should"),
    [
        (Effect.READ, 2000.0, "upstream_timeout", True),
        (Effect.IDEMPOTENT, 2000.0, "upstream_timeout", True),
        (Effect.WRITE, 2000.0, "upstream_timeout", False),
        (Effect.READ, NOW, "deadline_exceeded", True),
        (Effect.WRITE, NOW, "deadline_exceeded", False),
    ],
)
def test_a_failure_is_said_by_what_it_may_have_done(
    effect: Effect, deadline: float, code: str, should: bool
) -> None:
    """A write that may have run is not repeated; a timeout at the call's own end is the call's."""
    call = make_call(effect=effect, deadline=deadline)
    refusal = refusal_of(call, make_reply(Failure.TIMEOUT), now)
    assert refusal is not None
    assert (refusal.code, refusal.should_retry) == (code, should)


class Curt(Tools):
    """A protocol whose clients understand one word."""

    def refuse(self, refusal: Refusal, call: Call, attempts: int) -> Reply:
        """See Protocol."""
        return answer(refusal, b"text/plain", refusal.code.encode())


def test_a_refusal_is_in_the_words_of_the_calls_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its clients know no other; what the failed reply was stays known."""
    monkeypatch.setitem(PROTOCOLS, "tools", Curt())
    failed = make_reply(OPEN, result=Result.FAILURE, tier=1, served_by="spare")
    told = in_our_words(make_call(protocol="tools"), failed, OPEN)
    assert told.body is not None
    assert (told.status, told.body.whole) == (503, b"circuit_open")
    assert (told.result, told.tier, told.served_by) == (Result.FAILURE, 1, "spare")
    assert failed.closed


def test_what_stages_say_besides_is_said_in_our_words_too() -> None:
    """It stands in a reply that has no answer; the lines of one that has went with it."""
    refusal = Refusal("denied", "No")
    said = in_our_words(make_call(), make_reply(Failure.CONNECT, lines=b"a: b\r\n"), refusal)
    assert said.lines.endswith(b"\r\na: b\r\n")
    assert (
        b"a: b" not in in_our_words(make_call(), make_reply(500, lines=b"a: b\r\n"), refusal).lines
    )


def test_attempts_are_those_that_were_tried() -> None:
    """Also where no connection came about; not those that a gate refused."""
    call = called(Result.SUCCESS, None)
    call.attempts.append(make_attempt(call, number=3, failure=Failure.CONNECT))
    assert sent(call) == 2


def test_who_stood_in_is_named() -> None:
    """Also where only one sending was needed: the upstream's circuit was open."""
    told = lines(called(Result.SUCCESS), make_reply(200, outcome="fallback", served_by="spare"))
    assert (told["holdfast-outcome"], told["holdfast-served-by"]) == ("fallback", "spare")


def test_one_that_was_routed_elsewhere_is_ok_and_named() -> None:
    """It is no fallback."""
    told = lines(called(Result.SUCCESS), make_reply(200, served_by="spare"))
    assert (told["holdfast-outcome"], told["holdfast-served-by"]) == ("ok", "spare")


def test_what_was_kept_from_before_needs_no_name() -> None:
    """It is stale, and says so."""
    told = lines(called(), make_reply(200, outcome="stale", tier=2))
    assert told["holdfast-outcome"] == "stale"
    assert "holdfast-served-by" not in told


def test_an_old_answer_says_why_and_asks_nobody_to_stop() -> None:
    """It is an answer: there is nothing to repeat."""
    told = lines(called(), make_reply(200, outcome="stale", tier=2, reason="circuit_open"))
    assert (told["holdfast-reason"], told["holdfast-origin"]) == ("circuit_open", "upstream")
    assert "x-should-retry" not in told


def test_what_was_kept_and_is_fresh_is_ok_without_any_attempt() -> None:
    """The words are the upstream's."""
    told = lines(called(), make_reply(200, tier=2))
    assert told == {
        "holdfast-call": "c1",
        "holdfast-origin": "upstream",
        "holdfast-attempts": "0",
        "holdfast-outcome": "ok",
        "holdfast-policy": "last@v1",
    }


@pytest.mark.parametrize(
    ("known", "text"), [(0, "0.000000"), (2_000, "0.002000"), (12_345_678, "12.345678"), (-1, None)]
)
@pytest.mark.parametrize("results", [(Result.SUCCESS,), (Result.FAILURE, Result.SUCCESS)])
def test_what_it_cost_is_told_where_it_is_known(
    known: int, text: str | None, results: tuple[Result, ...]
) -> None:
    """In dollars, of all attempts; a stream's is not known when its head goes out."""
    call = called(*results)
    call.purse = Purse(known=known)
    assert lines(call, make_reply(200)).get("holdfast-cost") == text


def test_where_only_the_least_is_said_its_cost_is_not() -> None:
    """Nor where nobody counts."""
    call = called(Result.SUCCESS, rule=Rule("v1", b"", b"", minimal=True))
    call.purse = Purse(known=5)
    assert "holdfast-cost" not in lines(call, make_reply(200))
    assert "holdfast-cost" not in lines(called(Result.SUCCESS), make_reply(200))


def test_what_a_till_says_is_made_once() -> None:
    """For all of its calls; but not for those that came in one message, whose costs add up."""
    ledger = Ledger(lambda: 0.0, lambda: "u")
    till = Till(called(), ledger, (), Price(2_000), None, 8, 0.0)
    call, batch = called(Result.SUCCESS), called(Result.SUCCESS)
    call.purse = batch.purse = till
    batch.batch = Batch(batch.head, b"", (batch, called()))
    for _ in range(2):
        assert lines(call, make_reply(200))["holdfast-cost"] == "0.002000"
        assert till.said == b"holdfast-cost: 0.002000\r\n"
        assert "holdfast-cost" not in lines(batch, make_reply(200))
