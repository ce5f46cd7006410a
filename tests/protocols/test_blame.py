"""Whose failure it was."""

import pytest

from proxy.protocols.blame import cut_short, speaks_against_upstream
from proxy.reply import Failure, Reply
from tests.fakes import FakeBody, make_attempt, make_call, make_reply


@pytest.mark.parametrize(
    ("reply", "against"),
    [
        (make_reply(Failure.CONNECT), True),
        (make_reply(Failure.CERTIFICATE), True),
        (make_reply(Failure.TIMEOUT), False),
        (make_reply(Failure.DISCONNECT), False),
        (make_reply(502, body=FakeBody(b"")), True),
        (make_reply(502, body=FakeBody(b""), length=None), True),
        (make_reply(502), False),
        (make_reply(502, body=FakeBody(None)), False),
        (make_reply(503, body=None, length=0), True),
        (make_reply(404, body=FakeBody(b"")), False),
    ],
)
def test_what_only_the_host_can_have_done(reply: Reply, against: bool) -> None:
    """No connection, or a 5xx without a word."""
    assert speaks_against_upstream(reply) is against


@pytest.mark.parametrize(
    ("what", "hurried", "at", "short"),
    [
        (Failure.TIMEOUT, True, 1005.0, True),
        (Failure.CONNECT, True, 1005.0, True),
        (Failure.TIMEOUT, True, 1004.0, False),
        (Failure.TIMEOUT, False, 1005.0, False),
        (Failure.DISCONNECT, True, 1005.0, False),
        (504, True, 1005.0, False),
    ],
)
def test_what_its_client_cut_short(
    what: int | Failure, hurried: bool, at: float, short: bool
) -> None:
    """Too little time was given, and it was over: only then is it the client's doing."""
    attempt = make_attempt(make_call(deadline=1005.0, hurried=hurried))
    assert cut_short(attempt, make_reply(what), at) is short
