"""Whose failure it was, as far as an answer tells: the tool's, its upstream's, or the client's."""

from proxy.attempt import Attempt
from proxy.call import LATE
from proxy.reply import Failure, Reply


def cut_short(attempt: Attempt, reply: Reply, now: float) -> bool:
    """Did it fail only because its client gave it so little time? An agent must not open circuits
    by being impatient."""
    in_time = reply.failure not in {Failure.TIMEOUT, Failure.CONNECT}
    return attempt.call.hurried and not in_time and now >= attempt.call.deadline - LATE


def speaks_against_upstream(reply: Reply) -> bool:
    """Can only the host itself have failed so?

    No connection (name, TCP, TLS, or not in time), or an error without a word, as proxies and
    dying servers send it.
    """
    if reply.failure is not None:
        return reply.failure in (Failure.CONNECT, Failure.CERTIFICATE)
    return reply.status >= 500 and (
        reply.length == 0 or (reply.body is not None and reply.body.whole == b"")
    )
