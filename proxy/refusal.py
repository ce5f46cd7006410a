"""A refusal: a "no" of Holdfast, or an error that happened here. Frozen, often made once.

Its problem object (RFC 9457) is the same for every protocol; how a protocol's clients are told is
the protocol's business.
"""

# ruff: noqa: E501 -- the table of codes reads as a table
import enum
import math
from typing import Any, final

import msgspec

from proxy.reply import Executed, Failure, Reply

PATIENCE = 60.0
"""Seconds. SDKs ignore a longer Retry-After and repeat at once, so over it they are told not to."""


class Repeat(enum.Enum):
    """May the same call succeed if it is repeated?"""

    NEVER = "never"
    LATER = "later"
    BY_HAND = "by hand"  # by whoever reads what is said; a client does not by itself
    IF_HARMLESS = "if harmless"  # when it is known not to have run, or running twice does no harm


class Kind(msgspec.Struct, frozen=True):
    """What all refusals of one code have in common (spec 2.5)."""

    status: int
    category: str  # transient | throttle | budget | policy | caller | upstream | timeout
    title: str
    repeat: Repeat
    next_step: str  # one of `_STEPS`
    proxy_status: str  # error type of RFC 9209 2.3
    lack: str = ""  # as `lack_of` says it; empty: the call's own fault, or a policy's will
    cools: bool = False  # it only asks to come back after a while
    spoils: str = ""  # `given_up` of an answer whose repetition it refused; empty: the code itself


def _kinds() -> dict[str, Kind]:
    never, later, harmless = Repeat.NEVER, Repeat.LATER, Repeat.IF_HARMLESS
    return {
        "killed": Kind(403, "policy", "A kill switch stops this call", never, "stop", "http_request_denied"),
        "denied": Kind(403, "policy", "A policy denies this call", never, "use_alternative", "http_request_denied"),
        "approval_pending": Kind(403, "policy", "A person must look at this call first", Repeat.BY_HAND, "retry_later", "http_request_denied"),
        "approval_denied": Kind(403, "policy", "A person has denied this call", never, "stop", "http_request_denied"),
        "approval_expired": Kind(403, "policy", "Nobody decided about this call in time", never, "ask_owner", "http_request_denied"),
        "budget_exceeded": Kind(402, "budget", "The budget has no room for this call", never, "ask_owner", "http_request_denied", lack="budget"),
        "loop_detected": Kind(422, "policy", "The agent repeats itself", never, "retry_modified", "http_request_denied"),
        "deadlock": Kind(508, "policy", "Agents wait for each other", never, "ask_owner", "http_request_denied"),
        "bulkhead_full": Kind(503, "transient", "Too many calls are under way", later, "retry_later", "connection_limit_reached", lack="throttled"),
        "circuit_open": Kind(503, "upstream", "The circuit is open", later, "use_alternative", "destination_unavailable", lack="circuit_open", cools=True),
        "rate_limited": Kind(429, "throttle", "Too many calls", later, "retry_later", "http_request_denied", lack="throttled", cools=True, spoils="pushback"),
        "deadline_exceeded": Kind(504, "timeout", "The time for this call is over", harmless, "verify_then_retry", "http_response_timeout", lack="deadline", spoils="deadline"),
        "upstream_unreachable": Kind(502, "upstream", "The upstream cannot be reached", later, "retry_later", "destination_unavailable"),
        "upstream_timeout": Kind(504, "timeout", "The upstream did not answer in time", harmless, "verify_then_retry", "http_response_timeout"),
        "upstream_disconnected": Kind(502, "upstream", "The upstream closed the connection", harmless, "verify_then_retry", "connection_terminated"),
        "truncated": Kind(502, "upstream", "The answer ended early", harmless, "verify_then_retry", "http_response_incomplete"),
        "bad_upstream_response": Kind(502, "upstream", "The answer is not valid HTTP", harmless, "verify_then_retry", "http_protocol_error"),
        "overloaded": Kind(503, "transient", "Holdfast is full", later, "retry_later", "connection_limit_reached", lack="failure"),
        "journal_unavailable": Kind(503, "transient", "The journal cannot be written", later, "retry_later", "proxy_internal_error"),
        "store_unavailable": Kind(503, "transient", "What pods share cannot be asked", later, "retry_later", "proxy_internal_error"),
        "internal_error": Kind(500, "transient", "Holdfast failed", harmless, "verify_then_retry", "proxy_internal_error"),
        "shutting_down": Kind(503, "transient", "Holdfast is stopping", harmless, "verify_then_retry", "destination_unavailable"),
        "proxy_loop": Kind(508, "policy", "The call came back to this proxy", never, "ask_owner", "proxy_loop_detected"),
        "no_route": Kind(404, "caller", "No upstream is mounted here", never, "ask_owner", "destination_not_found", lack="failure"),  # of a link: its body cannot be sent as another model
        "method_refused": Kind(405, "caller", "The method is refused", never, "retry_modified", "http_request_denied"),
        "unknown_method": Kind(501, "caller", "The method is unknown", never, "retry_modified", "http_request_denied"),
        "bad_request": Kind(400, "caller", "The request is not valid", never, "retry_modified", "http_request_error"),
        "ambiguous_call": Kind(400, "caller", "The call can be read in more than one way", never, "retry_modified", "http_request_error"),
        "body_too_large": Kind(413, "caller", "The body is too large", never, "retry_modified", "http_request_error"),
        "head_too_large": Kind(431, "caller", "The head is too large", never, "retry_modified", "http_request_error"),
        "unsupported_encoding": Kind(415, "caller", "The body cannot be read", never, "retry_modified", "http_request_error"),
        "request_timeout": Kind(408, "caller", "The request came too slowly", later, "retry_later", "http_request_error"),
    }  # fmt: skip


KINDS = _kinds()


@final
class Refusal(msgspec.Struct, frozen=True):
    """Who says no, why, and what to do now."""

    code: str
    detail: str
    policy: str = ""  # the policy that decided; empty: Holdfast itself
    retry_after: float | None = None  # seconds
    executed: Executed = Executed.NO
    scope: str = ""  # tool | upstream | agent | …
    alternatives: tuple[str, ...] = ()
    harmless: bool = False  # repeating does no harm, whatever happened
    given_up: bool = False  # our own attempts or retry budget are used up
    final: bool = False  # waiting will not help, whatever the code usually says
    next_step: str = ""  # where it differs from the code's usual one
    stands: bool = False  # a policy wants it told, whoever else could answer
    quota: str = ""  # of a rate that is used up: the parameters of its item in RateLimit-Policy
    facts: tuple[tuple[str, Any], ...] = ()  # members of the problem that only its code has
    accepted: bool = False  # its client asked to be told at once, and not to be refused: 202

    @property
    def kind(self) -> Kind:
        """What its code stands for."""
        return KINDS[self.code]

    @property
    def status(self) -> int:
        """Of the answer."""
        return 202 if self.accepted else self.kind.status

    @property
    def retryable(self) -> bool:
        """May the same call succeed if it is repeated?"""
        repeat = self.kind.repeat
        if self.final:
            return False
        if repeat is Repeat.IF_HARMLESS:
            return self.harmless or self.executed is Executed.NO
        return repeat in (Repeat.LATER, Repeat.BY_HAND)

    @property
    def should_retry(self) -> bool:
        """What SDKs are told: repeat by yourself, soon?"""
        if self.kind.repeat is Repeat.BY_HAND:
            return False
        return self.retryable and not self.given_up and (self.retry_after or 0.0) <= PATIENCE

    @property
    def step(self) -> str:
        """What to do next, as one of the fixed words."""
        if self.next_step:
            return self.next_step
        usual = self.kind.next_step
        return "retry_later" if usual == "verify_then_retry" and self.retryable else usual

    def problem(self, call_id: str, attempts: int) -> dict[str, Any]:
        """The problem object, with the members of spec 2.5 that apply."""
        kind = self.kind
        members: dict[str, Any] = {
            "type": f"https://holdfast.dev/problems/{self.code}",
            "title": kind.title,
            "status": self.status,
            "detail": self.detail,
            "instance": call_id,
            "code": self.code,
            "category": kind.category,
            "retryable": self.retryable,
            "retry_after": None if self.retry_after is None else round(self.retry_after, 3),
            "executed": self.executed.value,
            "attempts": attempts,
            "scope": self.scope or None,
            "policy": self.policy or None,
            "next_step": self.step,
            **dict(self.facts),
            "alternatives": list(self.alternatives),
            "message_for_model": self.message_for_model(),
        }
        return {
            name: value
            for name, value in members.items()
            if value is not None or name in _TOLD_ANYHOW
        }

    def message_for_model(self) -> str:
        """At most 60 words, made from the fields alone."""
        who = f"policy {self.policy}" if self.policy else "the Holdfast proxy"
        detail = " ".join(self.detail.split()[:20]).rstrip(".")
        return " ".join(
            (
                f"{detail[:1].upper()}{detail[1:]}.",
                _RAN[self.executed],
                self._repeat(),
                f"Decided by {who}, not by the tool.",
            )
        )

    def _repeat(self) -> str:
        """Whether and when to repeat it, and what to do instead."""
        if self.step == "verify_then_retry" and not self.retryable:
            return _VERIFY if self.executed is Executed.UNKNOWN else _NEVER
        return f"{self._may_be_repeated()} {_STEPS[self.step]}".rstrip()

    def _may_be_repeated(self) -> str:
        if not self.retryable:
            return _NEVER
        if self.retry_after is None:
            return "The same call may be repeated later."
        return f"The same call may be repeated after {math.ceil(self.retry_after)} s."


_TOLD_ANYHOW = frozenset({"retry_after", "resets_at"})
"""Members for which null says something: never."""
_RAN = {
    Executed.NO: "The call did not run.",
    Executed.YES: "The call ran.",
    Executed.UNKNOWN: "It is not known whether the call ran.",
}
_NEVER = "Do not repeat this call."
_VERIFY = "First check whether it took effect; repeat it only if it did not."
_STEPS = {
    "retry_later": "Wait, then try again.",
    "retry_modified": "Correct the call first.",
    "use_alternative": "Use another tool or go on without it.",
    "verify_then_retry": "",
    "ask_owner": "Ask the owner of this agent.",
    "stop": "Stop.",
}

_CODES = {
    Failure.CONNECT: "upstream_unreachable",
    Failure.CERTIFICATE: "upstream_unreachable",
    Failure.DISCONNECT: "upstream_disconnected",
    Failure.TIMEOUT: "upstream_timeout",
    Failure.EXPIRED: "deadline_exceeded",
    Failure.TRUNCATED: "truncated",
    Failure.BAD_RESPONSE: "bad_upstream_response",
    Failure.OVERLOADED: "overloaded",
    Failure.BAD_REQUEST: "bad_request",
    Failure.CANCELLED: "shutting_down",
}


def code_of_failure(failure: Failure, *, late: bool) -> str:
    """What such a failure of the network is called. `late`: the call's own time was over."""
    return "deadline_exceeded" if late and failure is Failure.TIMEOUT else _CODES[failure]


def of_failure(reply: Reply, *, harmless: bool, late: bool, scope: str = "upstream") -> Refusal:
    """What an agent is told of a failure of the network. `late` as above."""
    assert reply.failure is not None
    code = code_of_failure(reply.failure, late=late)
    return Refusal(
        code=code,
        detail=reply.detail or KINDS[code].title,
        executed=reply.executed,
        scope=scope,
        harmless=harmless,
        given_up=reply.spent,
        final=reply.failure is Failure.CERTIFICATE,
        next_step="ask_owner" if reply.failure is Failure.CERTIFICATE else "",
    )
