"""The two ends of a reply."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.reply import Failure, Reply, Result
from tests.fakes import FakeBody, Ledger, make_reply


class Named:
    """A settler that writes its name down."""

    def __init__(self, name: str, order: list[str]) -> None:
        self._name = name
        self._order = order

    def settle(self, reply: Reply) -> None:
        """Write it down."""
        self._order.append(self._name)


def with_ledger(reply: Reply) -> Ledger:
    """Put a ledger to it."""
    ledger = Ledger()
    reply.finishers.append(ledger)
    return ledger


def test_finishing_settles_who_came_first_first() -> None:
    """The innermost guard put itself there first."""
    order: list[str] = []
    reply = make_reply(200)
    reply.finishers += [Named("inner", order), Named("outer", order)]
    reply.finish()
    assert order == ["inner", "outer"]


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

    def settle(self, reply: Reply) -> None:
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
    reply.finishers.append(nagging)
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


def test_the_commit_is_told_to_who_asked() -> None:
    """And to nobody where nobody did."""
    told: list[str] = []
    reply = make_reply(200)
    reply.commit()
    reply.on_commit = lambda: told.append("committed")
    reply.commit()
    assert told == ["committed"]
