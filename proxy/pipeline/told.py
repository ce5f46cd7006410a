"""What an answer says of its call: the refusal that takes its place, or lines in its head."""

from collections.abc import Callable

from msgspec.structs import replace

from proxy.call import Call, Effect, Rule
from proxy.config.cascade import Effective
from proxy.protocols.recognise import PROTOCOLS
from proxy.refusal import KINDS, Refusal, of_failure
from proxy.reply import SAID, SUCCESS, Executed, Failure, Reply, cancelled, outcome_of, refused
from proxy.state.purse import Purse
from proxy.state.till import Till

_INCOMPLETE = f"proxy-status: holdfast; error={KINDS['truncated'].proxy_status}\r\n".encode()
_BROKEN = frozenset({Failure.TRUNCATED, Failure.TIMEOUT, Failure.EXPIRED, Failure.BAD_RESPONSE})
"""How a stream may end without its end, and nobody of ours has decided so."""


def refusal_of(call: Call, reply: Reply, now: Callable[[], float]) -> Refusal | None:
    """What has to be told in our own words, because no answer came: a refusal or a failure."""
    if reply.refusal is not None:
        return reply.refusal
    if reply.failure is None or reply.status:
        return None
    return of_failure(
        reply, harmless=call.effect is not Effect.WRITE, late=now() >= call.deadline - 0.001
    )


def stopped(call: Call) -> Reply:
    """What becomes of a call that was cancelled where it stood."""
    because, sent_it = call.because, call.sent
    if because is None:
        return cancelled(sent=sent_it)
    if not sent_it:
        return refused(because)
    reply = cancelled(sent=True)
    reply.refusal = replace(because, executed=Executed.UNKNOWN)
    return reply


def last_words(call: Call, reply: Reply) -> bytes:
    """What ends a stream that is broken off, because somebody decided so, or because it did not go
    on; empty: nothing does."""
    if call.because is not None:
        because = replace(call.because, executed=reply.executed)
    elif reply.failure in _BROKEN:
        because = of_failure(reply, harmless=call.effect is not Effect.WRITE, late=True)
    else:
        return b""
    return PROTOCOLS[call.protocol].breaks_off(because, call, sent(call))


def in_our_words(call: Call, reply: Reply, refusal: Refusal) -> Reply:
    """What the agent gets in the place of a reply, which is over."""
    reply.finish()
    reply.close()
    answer = PROTOCOLS[call.protocol].refuse(refusal, call, sent(call))
    answer.failure, answer.result, answer.bug = reply.failure, reply.result, reply.bug
    answer.by(reply.tier, reply.served_by)
    if not reply.status:  # what stages say besides; the lines of an answer went with it
        answer.lines += reply.lines
    return answer


def rule_of(effective: Effective, version: str, *, minimal: bool) -> Rule:
    """What answers say of the policies that are in force; made once for a pipeline."""
    policies = effective.policies
    told = f"holdfast-policy: {policies[-1]}@{version}\r\n".encode() if policies else b""
    plain = b"holdfast-origin: upstream\r\n"
    if not minimal:
        plain += b"holdfast-attempts: 1\r\nholdfast-outcome: ok\r\n" + told
    return Rule(version, told, plain, minimal)


def lines_of_no_call(call_id: str, refusal: Refusal) -> bytes:
    """The same lines for what is not even a request: no policy has seen it."""
    return (
        f"holdfast-call: {call_id}\r\nholdfast-origin: holdfast\r\n"
        f"holdfast-outcome: refused\r\nholdfast-reason: {refusal.code}\r\n"
    ).encode()


def lines_of(call: Call, reply: Reply) -> bytes:
    """The holdfast-* lines of an answer (spec 2.4)."""
    rule, body = call.rule, reply.body
    whole = body is None or body.whole is not None
    plain = reply.result is SUCCESS and whole and len(call.attempts) == 1
    if plain and reply.refusal is None and not reply.outcome and not reply.served_by:
        if call.purse is None or rule.minimal:
            return b"holdfast-call: %b\r\n%b" % (call.id.encode(), rule.plain)
        cost = (call.batch is None and call.purse.said) or _cost(call, call.purse)
        return b"holdfast-call: %b\r\n%b%b" % (call.id.encode(), rule.plain, cost)
    ours = reply.refusal is not None or reply.tier == SAID
    lines = [
        b"holdfast-call: %b\r\n" % call.id.encode(),
        b"holdfast-origin: holdfast\r\n" if ours else b"holdfast-origin: upstream\r\n",
    ]
    if not rule.minimal:
        lines.append(b"holdfast-attempts: %d\r\n" % sent(call))
        if whole:
            lines.append(f"holdfast-outcome: {_outcome(reply)}\r\n".encode())
        if reply.served_by:
            lines.append(f"holdfast-served-by: {reply.served_by}\r\n".encode())
        if call.purse is not None:
            lines.append(_cost(call, call.purse))
        lines += _why(reply)
        lines.append(_policy(call, reply))
    return b"".join(lines)


def _cost(call: Call, purse: Purse | Till) -> bytes:
    """In dollars, where it is known before the head is sent, and is that of all that came."""
    known = purse.known if call.batch is None else -1
    line = b"" if known < 0 else b"holdfast-cost: %d.%06d\r\n" % divmod(known, 1_000_000)
    if line and type(purse) is Till:
        purse.said = line  # of all of its calls
    return line


def _why(reply: Reply) -> list[bytes]:
    """Why it is not a plain answer."""
    refusal = reply.refusal
    reason = reply.reason or reply.given_up if refusal is None else refusal.code
    lines = [f"holdfast-reason: {reason}\r\n".encode()] if reason else []
    if refusal is None and reply.spent and b"x-should-retry" not in reply.fields:
        lines.append(b"x-should-retry: false\r\n")  # else the upstream has said of it itself
    if refusal is None and reply.failure is not None:
        lines.append(_INCOMPLETE)
    return lines


def _policy(call: Call, reply: Reply) -> bytes:
    refusal = reply.refusal
    if refusal is not None and refusal.policy:
        return f"holdfast-policy: {refusal.policy}@{call.rule.version}\r\n".encode()
    return call.rule.told


def _outcome(reply: Reply) -> str:
    """As records have it, but for what was cancelled: that has no word of its own (spec 2.4), for
    who is still there to read it was failed."""
    outcome = outcome_of(reply)
    return "failed" if outcome == "cancelled" else outcome


def sent(call: Call) -> int:
    """How often it was tried."""
    return sum(attempt.sent or attempt.failure is not None for attempt in call.attempts)
