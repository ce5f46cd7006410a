"""The end of a call: the record, made when its outcome is known, and who hears of it."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol, TypeAlias

from msgspec.structs import force_setattr

from proxy.attempt import Attempt
from proxy.call import Call, Stop, Taking
from proxy.clock import Clock
from proxy.journal.taking import Parcel
from proxy.protocols.hearing import Usage
from proxy.protocols.trace import Trace
from proxy.record import AttemptRecord, Record
from proxy.refusal import code_of_failure
from proxy.reply import MOST_TOKENS, SUCCESS, Failure, Reply, Result, outcome_of
from proxy.state.purse import Purse
from proxy.state.till import Paid

_OUT_OF_TIME = frozenset({Failure.TIMEOUT, Failure.EXPIRED})
_GONE = Stop.AGENT_GONE
Lasting: TypeAlias = Callable[[], Awaitable[Any] | None]


class Watcher(Protocol):
    """Who counts calls, and hears of what is no call."""

    def note(self, record: Record, /) -> None:
        """A call is finished. Never waits, never raises."""

    def keep(self, parcel: Parcel, /) -> None:
        """The same, and its bodies are to be kept: the journal has its record later."""

    def bad_request(self, reason: str, /) -> None:
        """Something was refused before any policy was asked."""

    def bug(self, error: BaseException, call: str = "", /) -> None:
        """Something broke that must not."""


class Traces(Protocol):
    """Who traces calls."""

    def of(self, call: Call, /) -> Trace:
        """What trace it belongs to; the call knows it from then on."""

    def keep(self, call: Call, reply: Reply, record: Record, /) -> None:
        """It has ended, and is sampled. Never waits."""


class Ending:
    """Settles last of all."""

    def __init__(self, clock: Clock, watcher: Watcher, traces: Traces | None = None) -> None:
        self._now = clock.now
        self._record = record_of if traces is None else partial(_traced, traces)
        self._spawn = clock.spawn
        self._note = watcher.note
        self._watcher = watcher

    def settle(self, call: Call, reply: Reply) -> None:
        """The outcome is known: the call is in flight no longer, and its record is made. Whether
        the end of its answer must wait for that to be durable is then in `reply.durable`."""
        if call.flight is not None:
            call.flight.now -= 1
        record, purse = self._record(call, reply, self._now()), call.purse
        if call.taking is not None:
            self._keep(call, reply, record, call.taking)
        else:
            if purse is not None:
                purse.told(call.id, None)  # before its record is noted: no intent comes behind that
            self._note(record)
            if call.lasting is not None and _is_awaited(call, reply):
                reply.durable = call.lasting()
        if reply.bug is not None:
            self._watcher.bug(reply.bug, call.id)
        if call.batch is not None and call.batch.calls[0] is call:
            self._others(call, reply, call.batch.calls[1:])

    def _others(self, call: Call, reply: Reply, others: tuple[Call, ...]) -> None:
        """Each of the calls that came in one message has a record. Their end is the same, also
        that of a call which no gate was asked about, since one before it was refused."""
        waits = [reply.durable]
        reply.bug = None  # it was told
        for other in others:
            other.stopped, other.because = call.stopped, call.because
            other.answered, other.waited = call.answered, call.waited
            reply.attempt = other.attempts[-1] if other.attempts else None
            reply.durable = None
            self.settle(other, reply)
            waits.append(reply.durable)
        found = [each for each in waits if each is not None]
        reply.durable = self._spawn(_each(found)) if len(found) > 1 else next(iter(found), None)

    def _keep(self, call: Call, reply: Reply, record: Record, taking: Taking) -> None:
        """The journal has the record when its bodies were looked through: later."""
        parcel: Parcel = taking.parcel(call, reply, record)
        if call.purse is not None:
            call.purse.ends()
            parcel.after = partial(call.purse.told, call.id, None)
        lasting = call.lasting
        if lasting is not None and _is_awaited(call, reply):
            reply.durable = self._spawn(_afterwards(parcel.announced(), lasting))
        self._watcher.keep(parcel)


def _traced(traces: Traces, call: Call, reply: Reply, now: float) -> Record:
    """The record, where calls are traced."""
    trace: Trace | None = call.trace
    if trace is None or not trace.begun:  # nothing of it was sent
        trace = traces.of(call)
    made = record_of(call, reply, now)
    if trace.sampled:
        try:
            traces.keep(call, reply, made)
        except Exception as bug:  # no record is lost for the sake of a span
            reply.bug = reply.bug or bug
    return made


def record_of(call: Call, reply: Reply, now: float) -> Record:
    """The record of a call whose outcome is known."""
    refusal = reply.refusal
    plain = reply.result is SUCCESS and not reply.given_up and not reply.outcome and refusal is None
    took = now - call.started
    first = took if call.answered is None else call.answered - call.started
    unopposed = refusal is None and call.shadowed is None
    made = Record(  # in the order of its fields, unnamed: half a microsecond on every call
        call.id, call.agent, call.upstream, call.protocol, call.layer, call.tool,
        call.operation or call.head.method, call.rule.version,
        "allow" if unopposed else _decision(call, reply),
        "ok" if plain else outcome_of(reply),
        reply.executed, reply.status, _attempts(call, reply, now),
        int(took * 1e6),
        int(max(0.0, first - call.waited) * 1e6),
        -1 if call.stopped is _GONE else int(first * 1e6),
        "" if plain else _code(call, reply),
        "" if unopposed else _policy(call, reply),
        call.workflow, call.task, reply.tier, reply.served_by,
        int(call.queued * 1e6),
        "" if plain and unopposed else _detail(call, reply),
        "",
        call.fleet, call.model, call.approval,
    )  # fmt: skip
    if reply.hearing is not None or call.unguarded or call.held or call.task_end:
        _add(made, call, reply)
    if call.trace is not None:
        force_setattr(made, "trace", call.trace.id)
    if call.purse is None:
        return made
    # Nobody has seen it yet: to name all fields of all records would be paid for by all calls.
    if call.caller:
        force_setattr(made, "caller", call.caller)
    purse = call.purse
    if type(purse) is Paid:  # nearly always
        force_setattr(made, "reserved_micros", purse.spent)
        force_setattr(made, "cost_micros", purse.spent)
        force_setattr(made, "charges", purse.charges or None)
        return made
    return _priced(made, purse)


def _add(made: Record, call: Call, reply: Reply) -> None:
    """What few have; as with `_priced`, nobody has seen the record yet."""
    if reply.hearing is not None and reply.hearing.usage is not None:
        force_setattr(made, "tokens", _tokens(reply.hearing.usage))
    if call.unguarded:
        force_setattr(made, "unguarded", True)
    if call.held:
        force_setattr(made, "held_us", int(call.held * 1e6))
    if call.task_end:
        force_setattr(made, "task_end", call.task_end)


def _tokens(usage: Usage) -> dict[str, int]:
    """What the answer says that it used. Numbers that nobody could have written are cut: a record
    must be readable everywhere."""
    used = {"input": usage.input, "output": usage.output}
    for name in ("cache_read", "cache_write", "reasoning"):
        number = getattr(usage, name)
        if number:
            used[name] = number
    return {name: max(0, min(number, MOST_TOKENS)) for name, number in used.items()}


def _priced(made: Record, purse: Purse) -> Record:
    """With what the call has cost by a purse of its own."""
    spent = purse.spent
    if len(purse.grants) == 1:  # the same as below, for a tenth of the time
        grant = purse.grants[0]
        reserved, estimated = grant.amount, spent > 0 and (grant.estimated or not grant.price.known)
        charges = {account.label: spent for account in grant.accounts} if spent else None
    else:
        reserved, estimated, charges = purse.reserved, purse.estimated, purse.charges
    force_setattr(made, "reserved_micros", reserved)
    if spent:
        force_setattr(made, "cost_micros", spent)
        force_setattr(made, "charges", charges or None)
    if estimated:
        force_setattr(made, "cost_estimated", estimated)
    return made


def _is_awaited(call: Call, reply: Reply) -> bool:
    """What did not run is soon asked again, and the end of a tunnel is nothing that we say."""
    ran_not = reply.refused and not call.sent
    return not ran_not and reply.tunnel is None


async def _each(awaited: list[Awaitable[Any]]) -> None:
    for one in awaited:
        await one


async def _afterwards(noted: Awaitable[None], lasting: Lasting) -> None:
    """Until its record was noted, and then has lasted."""
    await noted
    durable = lasting()
    if durable is not None:
        await durable


def _decision(call: Call, reply: Reply) -> str:
    if reply.refusal is not None and reply.result is None:
        return "refuse"
    return "allow" if call.shadowed is None else "shadow"


def _policy(call: Call, reply: Reply) -> str:
    """Who refused it; or would have, where nobody did."""
    refusal = reply.refusal
    if refusal is not None and (refusal.policy or reply.result is None):
        return refusal.policy
    return "" if call.shadowed is None else call.shadowed[1]


def _detail(call: Call, reply: Reply) -> str:
    """What went wrong; where nothing did, what would have been said by a policy in shadow mode."""
    if reply.detail or reply.refusal is not None or call.shadowed is None:
        return reply.detail
    return f"shadow: {call.shadowed[0]}"


def _code(call: Call, reply: Reply) -> str:
    if call.stopped is not None and reply.failure is Failure.CANCELLED:
        if call.stopped is _GONE:
            return Stop.AGENT_GONE
        if call.because is not None:
            return call.because.code
    if reply.refusal is not None:
        return reply.refusal.code
    failure = reply.failure
    if failure is not None and failure in _OUT_OF_TIME:
        # After its head had come, or it would be a refusal: no time was left for the rest.
        return code_of_failure(failure, late=True)
    if reply.reason or reply.given_up:
        return reply.reason or reply.given_up
    return "" if reply.result in {None, Result.SUCCESS} else str(reply.result)


def _attempts(call: Call, reply: Reply, now: float) -> tuple[AttemptRecord, ...]:
    attempts = call.attempts
    if len(attempts) == 1 and reply.result is SUCCESS and attempts[0].result is SUCCESS:
        return (_one(attempts[0], SUCCESS, now),)
    return tuple(
        _one(attempt, _came_to(attempt, reply), now)
        for attempt in attempts
        if attempt.sent or attempt.result is not None
    )


def _came_to(attempt: Attempt, reply: Reply) -> Result:
    if attempt is reply.attempt and reply.failure is not None:
        # A body that had begun may have ended otherwise than its head said.
        return reply.result or Result.CANCELLED
    return attempt.result or Result.CANCELLED


def _one(attempt: Attempt, result: Result, now: float) -> AttemptRecord:
    took = (attempt.ended or now) - attempt.started  # not ended: it was cancelled just now
    return AttemptRecord(attempt.number, result, int(took * 1000), attempt.upstream, attempt.status)
