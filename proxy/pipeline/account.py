"""One account of a call: what its answer says of it in headers, and its record."""

from typing import Protocol

from proxy.attempt import Attempt
from proxy.call import Call, Effect, InFlight, Stop
from proxy.clock import Clock
from proxy.pipeline.compile import Pipeline
from proxy.record import AttemptRecord, Record
from proxy.refusal import Refusal, of_failure
from proxy.reply import Failure, Reply, Result

_OUTCOMES = {
    Result.SUCCESS: "ok",
    Result.TRUNCATED: "truncated",
    Result.CANCELLED: "cancelled",
}


def refusal_of(call: Call, reply: Reply, now: float) -> Refusal | None:
    """What has to be told in our own words, because no answer came: a refusal or a failure."""
    if reply.refusal is not None:
        return reply.refusal
    if reply.failure is None or reply.status:
        return None
    return of_failure(
        reply, harmless=call.effect is not Effect.WRITE, late=now >= call.deadline - 0.001
    )


def lines_of(call: Call, reply: Reply, pipeline: Pipeline | None, refusal: Refusal | None) -> bytes:
    """The holdfast-* lines of an answer (spec 2.4)."""
    mine = b"holdfast-call: %b\r\n" % call.id.encode()
    if refusal is None and pipeline is not None and _plain(call, reply):
        return mine + pipeline.at_once
    origin = (
        b"holdfast-origin: upstream\r\n" if refusal is None else b"holdfast-origin: holdfast\r\n"
    )
    if pipeline is not None and pipeline.minimal:
        return mine + origin
    lines = [mine, origin, b"holdfast-attempts: %d\r\n" % sent(call)]
    if reply.body is None or reply.body.whole is not None:
        lines.append(f"holdfast-outcome: {_told(reply, refusal)}\r\n".encode())
    reason = refusal.code if refusal is not None else reply.given_up
    if reason:
        lines.append(f"holdfast-reason: {reason}\r\n".encode())
    if (
        reply.given_up
        and refusal is None
        and reply.given_up != "client_retries"  # it was the client's turn all along
        and b"x-should-retry" not in reply.fields
    ):
        lines.append(b"x-should-retry: false\r\n")
    if refusal is None and reply.failure is not None:
        lines.append(b"proxy-status: holdfast; error=http_response_incomplete\r\n")
    lines.append(_rule(pipeline, refusal))
    return b"".join(lines)


def _plain(call: Call, reply: Reply) -> bool:
    return (
        reply.result is Result.SUCCESS
        and len(call.attempts) == 1
        and reply.body is not None
        and reply.body.whole is not None
    )


def _rule(pipeline: Pipeline | None, refusal: Refusal | None) -> bytes:
    if pipeline is None:
        return b""
    if refusal is not None and refusal.policy:
        return f"holdfast-policy: {refusal.policy}@{pipeline.version}\r\n".encode()
    return pipeline.told


def _told(reply: Reply, refusal: Refusal | None) -> str:
    if refusal is not None:
        return (
            "refused"
            if reply.failure is None
            else "truncated"
            if refusal.code == "truncated"
            else "failed"
        )
    return "ok" if reply.result is Result.SUCCESS else "failed"


def sent(call: Call) -> int:
    """How often it was tried."""
    return sum(attempt.sent or attempt.failure is not None for attempt in call.attempts)


def record_of(
    call: Call, reply: Reply, pipeline: Pipeline | None, refusal: Refusal | None, now: float
) -> Record:
    """The record of a call whose outcome is known."""
    refused = refusal is not None and reply.failure is None
    plain = reply.result is Result.SUCCESS and not reply.given_up and refusal is None
    answered = call.answered or now
    return Record(  # in the order of its fields, unnamed: half a microsecond on every call
        call.id,
        call.agent,
        call.upstream,
        call.protocol,
        call.layer,
        call.tool,
        call.head.method,
        "" if pipeline is None else pipeline.version,
        "refuse" if refused else "allow",
        "ok" if plain else _outcome(call, reply, refused=refused),
        reply.executed,
        reply.status,
        _attempts(call, reply),
        int((now - call.started) * 1e6),
        max(0, int((answered - call.started - call.waited) * 1e6)),
        -1 if call.stopped is Stop.AGENT_GONE else int((answered - call.started) * 1e6),
        "" if plain else _code(call, reply, refusal),
        "" if refusal is None else refusal.policy,
        call.workflow,
        call.task,
    )


def _outcome(call: Call, reply: Reply, *, refused: bool) -> str:
    if refused:
        return "refused"
    if call.stopped is not None and reply.failure is Failure.CANCELLED:
        return "cancelled"
    return "failed" if reply.result is None else _OUTCOMES.get(reply.result, "failed")


def _code(call: Call, reply: Reply, refusal: Refusal | None) -> str:
    if call.stopped is Stop.AGENT_GONE and reply.failure is Failure.CANCELLED:
        return Stop.AGENT_GONE
    if refusal is not None:
        return refusal.code
    if reply.given_up:
        return reply.given_up
    return "" if reply.result in {None, Result.SUCCESS} else str(reply.result)


def _attempts(call: Call, reply: Reply) -> tuple[AttemptRecord, ...]:
    attempts = call.attempts
    if len(attempts) == 1 and reply.result is Result.SUCCESS:
        return (_one(attempts[0], Result.SUCCESS),)
    known = [attempt for attempt in attempts if attempt.sent or attempt.result is not None]
    results = [attempt.result or Result.CANCELLED for attempt in known]
    if known and reply.failure is not None and known[-1].result in {None, Result.SUCCESS}:
        # A body that had begun may have ended otherwise than its head said.
        results[-1] = reply.result or Result.CANCELLED
    return tuple(_one(attempt, result) for attempt, result in zip(known, results, strict=True))


def _one(attempt: Attempt, result: Result) -> AttemptRecord:
    took = (attempt.ended or attempt.started) - attempt.started
    return AttemptRecord(
        n=attempt.number,
        result=result,
        ms=int(took * 1000),
        upstream=attempt.upstream,
        status=attempt.status,
    )


class Watcher(Protocol):
    """Who counts calls, and hears of what is no call."""

    def began(self, upstream: str, tool: str, /) -> InFlight:
        """A call is on its way."""

    def note(self, record: Record, /) -> None:
        """A call is finished. Never waits, never raises."""

    def bad_request(self, reason: str, /) -> None:
        """Something was refused before any policy was asked."""

    def bug(self, error: BaseException, /) -> None:
        """Something broke that must not."""


class Last:
    """Settles last of all: the outcome is known, and the record is made of it."""

    __slots__ = ("_call", "_clock", "_pipeline", "_refusal", "_watcher")

    def __init__(
        self,
        clock: Clock,
        watcher: Watcher,
        call: Call,
        pipeline: Pipeline | None,
        refusal: Refusal | None,
    ) -> None:
        self._clock = clock
        self._watcher = watcher
        self._call = call
        self._pipeline = pipeline
        self._refusal = refusal

    def settle(self, reply: Reply) -> None:
        """Part of Settles."""
        call = self._call
        if call.flight is not None:
            call.flight.ended()
        self._watcher.note(record_of(call, reply, self._pipeline, self._refusal, self._clock.now()))
