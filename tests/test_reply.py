"""The two ends of a reply."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.protocols.hearing import Usage
from proxy.refusal import Refusal
from proxy.reply import (
    BACKUP,
    KEPT,
    MOST_TOKENS,
    PRIMARY,
    SAID,
    Executed,
    Failure,
    Reply,
    Result,
    cancelled,
    outcome_of,
    refused,
    refusing,
    settle_all,
)
from tests.fakes import FakeBody, Ledger, make_call, make_reply, run
from tests.hearings import FakeHearing


class Diary:
    """Writes down who was told, and of which reply."""

    def __init__(self, *broken: str) -> None:
        """`broken` are those who raise."""
        self.order: list[str] = []
        self.replies: list[Reply] = []
        self._broken = broken

    def settle(self, subject: str, reply: Reply) -> None:
        """Write it down."""
        self.order.append(subject)
        self.replies.append(reply)
        if subject in self._broken:
            raise ZeroDivisionError(subject)


def with_ledger(reply: Reply) -> Ledger:
    """Put a ledger to it."""
    ledger = Ledger()
    reply.finishers.append((ledger.settle, None))
    return ledger


@pytest.mark.parametrize(
    ("given_up", "spent"), [("", False), ("client_retries", False), ("attempts", True)]
)
def test_what_we_gave_up_is_spent(given_up: str, spent: bool) -> None:
    """But not what a client goes on with by itself."""
    assert make_reply(503, given_up=given_up).spent is spent


def test_finishing_settles_who_came_first_first() -> None:
    """The innermost guard put itself there first."""
    diary, reply = Diary(), make_reply(200)
    reply.finishers += [(diary.settle, "inner"), (diary.settle, "outer")]
    reply.finish()
    assert diary.order == ["inner", "outer"]
    assert diary.replies == [reply, reply]


NAMES = ["a", "b", "c", "d"]


@given(st.lists(st.sampled_from(NAMES), unique=True))
def test_one_that_breaks_does_not_keep_the_others_from_hearing(broken: list[str]) -> None:
    """Each is told of its own subject; nothing is raised, the first bug is kept."""
    diary, reply = Diary(*broken), make_reply(200)
    settle_all([(diary.settle, name) for name in NAMES], reply)
    assert str(reply.bug) == (min(broken) if broken else "None")
    assert (diary.order, diary.replies) == (NAMES, [reply] * len(NAMES))


def test_a_bug_of_who_settles_changes_nothing_of_the_end() -> None:
    """The result stands, nobody is told twice, and it is there for who reports it."""
    diary, reply = Diary("a"), make_reply(200)
    reply.finishers += [(diary.settle, "a"), (diary.settle, "b")]
    reply.finish()
    reply.close()
    assert diary.order == ["a", "b"]
    assert (reply.result, type(reply.bug)) == (Result.SUCCESS, ZeroDivisionError)


def test_a_bug_is_there_for_who_settles_after_it() -> None:
    """The account of the call comes last."""
    seen: list[Exception | None] = []
    diary, reply = Diary("a"), make_reply(200)
    reply.finishers += [(diary.settle, "a"), (lambda _, told: seen.append(told.bug), None)]
    reply.finish()
    assert seen == [reply.bug]
    assert reply.bug is not None


@pytest.mark.parametrize(("sent", "executed"), [(True, Executed.UNKNOWN), (False, Executed.NO)])
def test_what_was_cancelled_may_have_run_only_if_it_was_sent(
    sent: bool, executed: Executed
) -> None:
    """Nothing came back, and nobody says more than is known."""
    reply = cancelled(sent=sent)
    assert (reply.status, reply.failure, reply.result) == (0, Failure.CANCELLED, Result.CANCELLED)
    assert reply.executed is executed


def test_finishing_twice_settles_once() -> None:
    """And what the second one says is not heard."""
    reply = make_reply(200)
    ledger = with_ledger(reply)
    reply.finish()
    reply.finish(Failure.TRUNCATED)
    assert ledger.settled == [reply]
    assert (reply.failure, reply.result) == (None, Result.SUCCESS)


def test_a_good_end_leaves_the_result_as_it_was() -> None:
    """It was decided at the commit."""
    reply = make_reply(503)
    reply.finish()
    assert (reply.result, reply.failure) == (Result.FAILURE, None)


@pytest.mark.parametrize(
    ("failure", "result"),
    [
        (Failure.TRUNCATED, Result.TRUNCATED),
        (Failure.CANCELLED, Result.CANCELLED),
        (Failure.BAD_REQUEST, Result.CALLER_ERROR),
        (Failure.TIMEOUT, Result.FAILURE),
        (Failure.DISCONNECT, Result.FAILURE),
        (Failure.BAD_RESPONSE, Result.FAILURE),
    ],
)
def test_a_body_that_went_wrong_changes_the_result(failure: Failure, result: Result) -> None:
    """Gates hear the truth, not what the head promised."""
    reply = make_reply(200, body=FakeBody(None))
    ledger = with_ledger(reply)
    reply.finish(failure)
    assert (ledger.settled[0].failure, ledger.settled[0].result) == (failure, result)


def test_closing_before_the_end_is_a_cancellation() -> None:
    """It settles, and the body is told that nobody reads on."""
    body = FakeBody(None)
    reply = make_reply(200, body=body)
    ledger = with_ledger(reply)
    reply.close()
    assert ledger.settled == [reply]
    assert (reply.result, body.abandoned) == (Result.CANCELLED, True)


def test_closing_after_the_end_changes_nothing_about_it() -> None:
    """The result stays; the body is let go."""
    body = FakeBody(None)
    reply = make_reply(200, body=body)
    ledger = with_ledger(reply)
    reply.finish()
    reply.close()
    assert ledger.settled == [reply]
    assert (reply.result, body.abandoned) == (Result.SUCCESS, True)


def test_a_reply_without_a_body_can_be_closed() -> None:
    """There is nobody to tell."""
    reply = make_reply(Failure.CONNECT)
    reply.close()
    assert reply.closed


class Nagging:
    """A settler that finishes and closes the reply itself."""

    def __init__(self) -> None:
        self.settled = 0

    def settle(self, subject: None, reply: Reply) -> None:
        """Once is enough, or it would never end."""
        self.settled += 1
        reply.finish()
        reply.close()


ENDS = st.lists(st.sampled_from(["finish", "fail", "close"]), min_size=1, max_size=6)


@given(ENDS)
def test_whatever_is_done_to_it_settles_once(ends: list[str]) -> None:
    """Also where a settler ends the reply itself; only the first end decides the result."""
    reply = make_reply(200, body=FakeBody(None))
    ledger, nagging = with_ledger(reply), Nagging()
    reply.finishers.append((nagging.settle, None))
    does = {
        "finish": reply.finish,
        "fail": lambda: reply.finish(Failure.TRUNCATED),
        "close": reply.close,
    }
    for end in ends:
        does[end]()
    assert (len(ledger.settled), nagging.settled) == (1, 1)
    results = {"finish": Result.SUCCESS, "fail": Result.TRUNCATED, "close": Result.CANCELLED}
    assert reply.result is results[ends[0]]


def test_replies_do_not_share_who_settles() -> None:
    """A list of its own for each."""
    with_ledger(Reply(status=200))
    assert Reply(status=200).finishers == []


@pytest.mark.parametrize(
    ("reply", "whole"),
    [
        (Reply(status=204), True),
        (make_reply(200, body=FakeBody(b"x")), True),
        (make_reply(200, body=FakeBody(None)), False),
        (Reply(status=101, tunnel=object()), False),  # type: ignore[arg-type]  # any tunnel will do
    ],
)
def test_is_everything_here(reply: Reply, whole: bool) -> None:
    """No body, or one that came whole; behind a tunnel anything may follow."""
    assert reply.whole is whole


@pytest.mark.parametrize("streams", [True, False])
def test_the_commit_is_told_to_who_asked(streams: bool) -> None:
    """With whether it is a stream; and to nobody where nobody asked."""
    told: list[bool] = []
    reply = make_reply(200)
    reply.commit(streams=streams)
    reply.on_commit = told.append
    reply.commit(streams=streams)
    assert told == [streams]


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (make_reply(200), "ok"),
        (make_reply(200, outcome="stale"), "stale"),
        (make_reply(500, outcome="stale"), "failed"),
        (make_reply(Refusal("denied", "No")), "refused"),
        (make_reply(Refusal("internal_error", "oh"), result=Result.FAILURE), "failed"),
        (make_reply(Failure.TRUNCATED), "truncated"),
        (make_reply(Failure.CANCELLED), "cancelled"),
        (Reply(status=200), "failed"),
    ],
)
def test_what_became_of_a_call(reply: Reply, outcome: str) -> None:
    """A stand-in's word is for a good answer alone; a bug of ours is no refusal."""
    assert outcome_of(reply) == outcome


# --- who answered ---


def test_a_plain_reply_is_the_primarys() -> None:
    """The ranks are what records have: 0, 1, 2, 3."""
    reply = make_reply(200)
    assert (reply.tier, reply.served_by, reply.outcome, reply.reason) == (PRIMARY, "", "", "")
    assert (PRIMARY, BACKUP, KEPT, SAID) == (0, 1, 2, 3)


def test_who_stood_nearer_to_the_upstream_is_named() -> None:
    """What stands further out knows only where it sent the call; its rank is that of the reply."""
    reply = make_reply(200)
    reply.by(BACKUP, "spare")
    reply.by(SAID, "further out")
    assert (reply.tier, reply.served_by) == (SAID, "spare")


def test_a_stand_in_says_what_it_is_and_why() -> None:
    """As it is told and recorded."""
    reply = make_reply(200)
    reply.instead("stale", "circuit_open")
    assert (reply.outcome, reply.reason) == ("stale", "circuit_open")


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (None, None),
        (Usage(3, 4), 7),
        (Usage(1 << 1_023, 1 << 1_023), MOST_TOKENS),
        (Usage(-9, 3), 0),
    ],
)
def test_what_an_answer_used_is_known_at_its_end(usage: Usage | None, tokens: int | None) -> None:
    """As it says it, as long as anybody can believe and reckon with it."""
    hearing = FakeHearing()
    hearing.usage = usage
    reply = make_reply(200, hearing=hearing)
    assert reply.tokens is None
    reply.finish()
    assert reply.tokens == tokens


def test_a_refusal_becomes_a_reply() -> None:
    """At once, awaited, or as what handles calls; one for each time that it is asked for."""
    no = Refusal("denied", "no", executed=Executed.UNKNOWN)
    replies = [refused(no), run(refusing(no)), run(partial(refusing, no)(make_call()))]
    assert {(reply.status, reply.refusal, reply.executed) for reply in replies} == {
        (0, no, Executed.UNKNOWN)
    }
    assert all(reply.refused for reply in replies)
    assert len({id(reply) for reply in replies}) == 3
