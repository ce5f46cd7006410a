"""A reply: what comes back of a call. It has two ends, and whoever drops it closes it.

*Finished*: the outcome is known; gates settle, the last admitted first, and the record is made.
*Closed*: the last byte went to the agent, or nobody wants it any more.
"""

import enum
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import msgspec

from proxy.call import Body, Header

if TYPE_CHECKING:
    from proxy.attempt import Attempt
    from proxy.call import Call
    from proxy.refusal import Refusal


class Failure(enum.StrEnum):
    """How the network failed: a value, never an exception. Only `wire/` finds failures, and who
    cancels says that he did."""

    CONNECT = "connect"  # refused, no route, no such name, connect timeout, TLS: nothing was sent
    CERTIFICATE = "certificate"  # the upstream is not who it should be: nothing was sent
    DISCONNECT = "disconnect"  # closed or reset before the first byte of an answer
    TIMEOUT = "timeout"  # no answer in time, or a stream that stalled
    EXPIRED = "expired"  # a stream that went on for as long as it may: no failure of anybody's
    TRUNCATED = "truncated"  # an answer that ended early
    BAD_RESPONSE = "bad_response"  # an answer that is not valid HTTP
    OVERLOADED = "overloaded"  # our own pool was full: nothing was sent
    BAD_REQUEST = "bad_request"  # the agent's body is not valid, or comes too slowly
    CANCELLED = "cancelled"  # we gave up on it: the agent left, or the call was stopped


PRIMARY, BACKUP, KEPT, SAID = range(4)
"""Who answered: the upstream that was called, another one, what was answered before, a policy.

Plain numbers: they are compared on the way of good calls, and stand in records.
"""

NEVER_SENT = frozenset({Failure.CONNECT, Failure.CERTIFICATE, Failure.OVERLOADED})


class Result(enum.StrEnum):
    """What an attempt came to (spec 2.6), decided once, by the protocol."""

    SUCCESS = "success"
    FAILURE = "failure"
    THROTTLED = "throttled"
    CALLER_ERROR = "caller_error"
    CANCELLED = "cancelled"
    TRUNCATED = "truncated"


SUCCESS = Result.SUCCESS
"""To be compared with on the way of good calls: looking into the enum costs more than the rest."""


MOST_TOKENS = (1 << 53) - 1
"""An answer may say that it used any number of tokens. More than this are not believed: it is the
largest whole number that every reader of JSON, and every sum of floats, has exactly."""


class Executed(enum.StrEnum):
    """Did the call run? The truth about money."""

    NO = "no"
    YES = "yes"
    UNKNOWN = "unknown"


Finisher: TypeAlias = "tuple[Callable[[Any, Reply], None], Any]"
"""Who wants to know that a reply is finished, and of what it is told: a call, or an attempt.

Called once. Never waits, never raises.
"""


class Tunnel(Protocol):
    """The upstream's end of an upgraded connection."""

    def join(self, body: Any, /) -> None:
        """From now on pass on what the agent sends."""

    def watch(self, tap: Any, /) -> None:
        """Have it see what that is. Before `join`."""


class ReplyBody(Body, Protocol):
    """What a reply needs of its body."""

    @property
    def trailers(self) -> Sequence[Header]:
        """What stood behind it."""

    def abandon(self) -> None:
        """Nobody will read the rest."""


class Reply(msgspec.Struct):
    """What came back, at the point where it is committed."""

    status: int
    lines: bytes = b""  # status line and headers, as they go to the agent
    fields: dict[bytes, bytes] = {}  # lower-case name → its value; of a repeated name, all of them
    body: ReplyBody | None = None
    length: int | None = None
    tunnel: "Tunnel | None" = None  # 101: what follows are bytes both ways
    failure: Failure | None = None
    detail: str = ""  # of a failure, for people; which clock ended a stream
    refusal: "Refusal | None" = None
    result: Result | None = None
    quota_exhausted: bool = False  # throttled, and waiting will not help
    executed: Executed = Executed.UNKNOWN
    on_commit: Callable[[bool], None] | None = None
    """From there on other time limits rule: those of a stream, if it is one."""
    given_up: str = ""  # why it was not tried again, though it might have been
    attempt: "Attempt | None" = None  # the sending that it is the answer to
    tier: int = PRIMARY  # who answered
    served_by: str = ""  # the upstream or model, where it is not the one that was called
    outcome: str = ""  # fallback | stale; empty: what its result says
    reason: str = ""  # of a stand-in: why the upstream itself did not answer
    tokens: int | None = None  # that its attempt used; None: nobody knows
    hearing: Any = None  # who listens to it, if somebody does (`protocols/hearing.py`)
    says: Callable[[], bytes] | None = (
        None  # what it says, where its bytes name its request as well
    )
    pending: bool = False  # it is good, but no outcome: it asks for more first, or names a task
    means: int = 0  # the status that its content stands for, where it says another one than its own
    bug: Exception | None = None  # of a settler; the call goes on, and it is reported at its end
    durable: Awaitable[Any] | None = None  # its end waits for it; known when it is finished
    finished: bool = False
    closed: bool = False
    finishers: list[Finisher] = []  # the innermost first

    @property
    def whole(self) -> bool:
        """Is everything of it here?"""
        return self.tunnel is None and (self.body is None or self.body.whole is not None)

    def commit(self, *, streams: bool) -> None:
        """From here on nothing is sent again: the answer goes to the agent."""
        if self.on_commit is not None:
            self.on_commit(streams)

    def finish(self, failure: Failure | None = None) -> None:
        """The outcome is known. `failure` says how a body that had begun went wrong."""
        if self.finished:
            return
        self.finished = True
        if self.hearing is not None:
            self._heard_out(failure)
        if failure is not None:
            self.failure = failure
            self.result = _AFTER_COMMIT.get(failure, Result.FAILURE)
        settle_all(self.finishers, self)

    def _heard_out(self, failure: Failure | None) -> None:
        """What is known of it now that it is over."""
        usage = self.hearing.usage
        if usage is not None:
            self.tokens = max(0, min(usage.total, MOST_TOKENS))
        if failure is None and self.failure is None and self.result is Result.SUCCESS:
            self.executed = Executed.YES
            self.take_told()

    def leave_open(self) -> None:
        """A stream goes on that has said nothing yet of how it ends. Until it does, nobody knows
        whether what was asked for was done."""
        if not self.hearing.ended and self.result is Result.SUCCESS:
            self.executed = Executed.UNKNOWN

    def take_told(self) -> None:
        """What its content says of its result, where that is another one than its status has."""
        told = self.hearing.told
        if told is not None:
            self.result, self.executed = told.result, told.executed
            self.means, self.quota_exhausted = told.status, told.quota
        elif self.hearing.failed_tool:
            self.instead("failed", "tool_error")

    def by(self, tier: int, served_by: str) -> None:
        """Who answered, and his name where the agent is told one. Who stands nearer to the upstream
        has said the name first, and knows it better."""
        self.tier = tier
        self.served_by = self.served_by or served_by

    def instead(self, outcome: str, reason: str) -> None:
        """It stands in for what the upstream did not answer, for this reason."""
        self.outcome = outcome
        self.reason = reason

    @property
    def refused(self) -> bool:
        """Is it a "no" of ours, and nothing was sent?"""
        return self.refusal is not None and self.result is None

    @property
    def spent(self) -> bool:
        """Was repeating our turn, and is it over? Where the client repeats, it was its turn."""
        return self.given_up not in _NOT_OURS

    def drop(self) -> None:
        """Nobody wants it. It was not cancelled: its result stays what it is."""
        self.finish()
        self.close()

    def set_aside(self) -> "Reply | None":
        """Its attempt is over; what can still be handed back without holding anything.

        None where it has a body that is not all here: that would hold a connection.
        """
        if self.body is not None and self.body.whole is None:
            self.drop()
            return None
        self.finish()
        # Its attempt has settled. Should it be handed back, others wait for the end of the call.
        aside = msgspec.structs.replace(self, finished=False, finishers=[])
        self.close()
        return aside

    def close(self) -> None:
        """Let go of it. A reply dropped before its end was cancelled."""
        if self.closed:
            return
        self.closed = True
        if not self.finished:
            self.finish(Failure.CANCELLED)
        if self.body is not None and self.body.whole is None:
            self.body.abandon()


def refused(refusal: "Refusal") -> Reply:
    """The reply to what did not go: a "no" of ours."""
    return Reply(status=0, refusal=refusal, executed=refusal.executed)


async def refusing(refusal: "Refusal", call: "Call | None" = None) -> Reply:
    """The same to be awaited. `partial(refusing, refusal)` handles calls: it refuses each."""
    return refused(refusal)


def cancelled(*, sent: bool) -> Reply:
    """What became of a call, or of one attempt, that was cancelled."""
    executed = Executed.UNKNOWN if sent else Executed.NO
    return Reply(status=0, failure=Failure.CANCELLED, result=Result.CANCELLED, executed=executed)


def outcome_of(reply: Reply) -> str:
    """What became of a call that this answers: ok | failed | refused | truncated | cancelled, or of
    a good answer fallback | stale, where it was not the upstream's own."""
    if reply.result is SUCCESS:
        return reply.outcome or "ok"
    if reply.refused:
        return "refused"
    return _OUTCOMES.get(reply.result, "failed")


def settle_all(finishers: list[Finisher], reply: Reply) -> None:
    """Tell each of them, also when one raises: that is a bug, kept in `reply.bug`."""
    for settle, subject in finishers:
        try:
            settle(subject, reply)
        except Exception as bug:  # the others must still settle
            reply.bug = reply.bug or bug


_NOT_OURS = frozenset({"", "client_retries"})
"""Of what `given_up` may say: nobody has, or it was not for us to go on."""

_AFTER_COMMIT: dict[Failure, Result] = {
    Failure.CANCELLED: Result.CANCELLED,
    Failure.BAD_REQUEST: Result.CALLER_ERROR,
    Failure.TRUNCATED: Result.TRUNCATED,
}

_OUTCOMES: dict[Result | None, str] = {
    Result.TRUNCATED: "truncated",
    Result.CANCELLED: "cancelled",
}
