"""A call: one request of an agent, recognised. Changes on its way; everybody reads it."""

import enum
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import msgspec

if TYPE_CHECKING:
    from asyncio import Future

    from proxy.attempt import Attempt
    from proxy.record import Record
    from proxy.refusal import Refusal
    from proxy.reply import Reply

Header = tuple[bytes, bytes, bytes]
"""A header line: its name in lower case, its name and its value as they came."""

NAME_SIGN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]"
"""What the name of a header is made of, as a pattern (RFC 9110 5.6.2)."""

SIGNS = frozenset(
    {
        b"amz-sdk-request", b"baggage", b"grpc-previous-rpc-attempts", b"grpc-timeout",
        b"holdfast-attempt", b"holdfast-chain", b"holdfast-priority", b"holdfast-task",
        b"holdfast-task-end",
        b"holdfast-timeout-ms", b"holdfast-workflow", b"traceparent", b"via",
        b"x-envoy-attempt-count",
        b"x-envoy-expected-rq-timeout-ms", b"x-stainless-read-timeout",
        b"x-stainless-retry-count", b"x-task-id", b"x-workflow-id",
    }
)  # fmt: skip
"""Headers by which clients tell a proxy something. Most heads have none, and then nobody need
look for his own (`RequestHead.signs`)."""


class Effect(enum.StrEnum):
    """What the operator knows about repeating a call."""

    READ = "read"  # repeating is harmless
    IDEMPOTENT = "idempotent"  # repeating gives the same end state
    WRITE = "write"  # must not run twice


class Risk(enum.StrEnum):
    """What is at stake if such a call is a mistake, as the operator sees it."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @classmethod
    def usual(cls, effect: Effect) -> "Risk":
        """Where no policy says it."""
        return cls.LOW if effect is Effect.READ else cls.MEDIUM

    @property
    def great(self) -> bool:
        """Is it so much that such a call must leave a trace?"""
        return self in (Risk.HIGH, Risk.CRITICAL)


class Unrecorded(enum.StrEnum):
    """What becomes of a call that must leave a trace, while the journal cannot be written."""

    DENY = "deny"
    ALLOW = "allow"  # with an alarm

    @classmethod
    def usual(cls, risk: Risk) -> "Unrecorded":
        """Where no policy says it."""
        return cls.DENY if risk.great else cls.ALLOW


class Stop(enum.StrEnum):
    """Why a call was cancelled."""

    AGENT_GONE = "agent_gone"
    DRAIN = "drain"
    KILLED = "killed"
    BUDGET = "budget"  # its answer costs more than there is
    DEADLOCK = "deadlock"  # agents wait for each other, and it closed the ring


class RequestHead(msgspec.Struct, gc=False):
    """The head of a request, as valid as spec 2.2 asks, byte for byte as it came."""

    method: str
    target: bytes
    minor_version: int  # of HTTP/1.x
    headers: list[Header]
    fields: dict[bytes, bytes]  # lower-case name → its value; of a repeated name, all of them
    lines: bytes = b""  # those that go on in any case, as they came: without Host and Expect
    length: int | None = None  # Content-Length
    chunked: bool = False
    keep_alive: bool = True
    upgrade: bool = False
    expects_continue: bool = False
    signs: bool = True  # it has some of SIGNS
    worked_out: dict[Any, Any] = {}
    """What somebody made of it, under himself: the same head comes again and again."""


class Body(Protocol):
    """The body of a message, of either side. `wire/body.py` has the real one."""

    whole: bytes | None
    """All of it, once it has come and was kept."""

    @property
    def replayable(self) -> bool:
        """Can it be sent (or read) from its beginning once more?"""

    def keep(self, limit: int, /) -> None:
        """Hold what passes, up to `limit` bytes, so that it can be sent once more."""

    def watch(self, tap: "Tap", /) -> None:
        """Have it see what flows, beside others. Before it flows."""


class Tap(Protocol):
    """Who sees a body on its way."""

    def saw(self, at: int, piece: bytes, /) -> None:
        """The bytes from its byte `at` on. What is sent once more is seen once more."""

    def ended(self) -> None:
        """All of it passed."""


class Taking(Protocol):
    """What is taken of a call's bodies, to be kept beside the journal."""

    def answers(self, reply: "Reply", /) -> None:
        """Its answer is about to be streamed."""

    def parcel(self, call: "Call", reply: "Reply", record: "Record", /) -> Any:
        """All that was taken, with the record that is to tell of it. Once, at its end."""


class Whole(msgspec.Struct, eq=False, gc=False):
    """A body of which everything is here."""

    whole: bytes | None
    trailers: Sequence[Header] = ()
    replayable: ClassVar[bool] = True

    def keep(self, limit: int, /) -> None:
        """Part of Body: it is kept anyhow."""

    def watch(self, tap: Tap, /) -> None:
        """Part of Body: who wants to see it can."""

    def abandon(self) -> None:
        """Part of ReplyBody: there is nobody to tell."""


class Rule(msgspec.Struct, frozen=True):
    """What is said, in answers and records, of the policies that rule a call."""

    version: str = ""  # of the loaded set
    told: bytes = b""  # the holdfast-policy line
    plain: bytes = b""  # the lines that every plain success has in common
    minimal: bool = False  # only holdfast-call and holdfast-origin are said


UNRULED = Rule()
"""Before a call has come to a table."""


class Message(msgspec.Struct, frozen=True):
    """What is sent in the place of a call's own head and body."""

    head: RequestHead
    content: bytes
    model: str  # that it asks for


class Batch(msgspec.Struct):
    """The message in which several calls came, as it goes upstream. All of them have it."""

    head: RequestHead
    content: bytes
    calls: "tuple[Call, ...]"  # in their order; the first one stands for all where there is but one
    onward: "Callable[[Attempt], Awaitable[Reply]] | None" = None
    """Where an attempt of one of them goes on to, while they are on their way."""


class InFlight(msgspec.Struct, weakref=True):
    """How many calls of one tool are on their way."""

    now: int = 0

    @property
    def idle(self) -> bool:
        """May it make room for others in the Keep?"""
        return not self.now


CALL, CONTROL = "call", "control"
"""What a request is: a call of a tool, or traffic that sets such calls up (discovery, listing,
sessions, pings), which is never refused for a tool's reasons (spec 2.3)."""


class Call(msgspec.Struct):
    """One request of an agent on its way. Times are seconds on `Clock.now`."""

    id: str
    head: RequestHead
    body: Body
    started: float
    target: bytes = b""  # path and query that go upstream, before its base path
    interim: "Callable[[Any], None] | None" = None  # takes each 1xx head that is passed on
    cancel: Callable[[], None] | None = None
    agent: str = ""
    fleet: str = ""
    domain: str = ""  # the bulkhead that its agent is in; empty: none
    upstream: str = ""
    protocol: str = "http"
    layer: str = "http"  # llm | tool | agent | http
    tool: str = ""
    model: str = ""
    caller: str = ""  # the agent that waits for this one, where a chain says so
    kind: str = CALL  # or CONTROL
    stream: bool = False  # its agent asked for a stream
    lasts: bool = False  # its answer is written on though nobody reads it, and fetched later
    tokens: int = 0  # of its request, an estimate: see `tokens_of`
    output: int = -1  # the most tokens that it lets its answer have; -n: it says none, of n
    operation: str = ""  # of A2A, by its name of 1.0; of others the method of HTTP says it
    spoken: Any = None  # how it was made: what its protocol needs to answer it (its `Spoken`)
    means: Callable[[bytes], bytes] | None = None
    """What of its body makes it this very call, also when it comes again; None: every byte."""
    batch: Batch | None = None  # it came in one message with others
    hides: Callable[[str], bool] | None = None  # which tools a list that it asks for leaves out
    workflow: str = ""
    task: str = ""
    path: str = ""  # of the target, without query, as matched by policies
    tool_in_path: bool = False  # the path names the tool
    idempotency_key: str = ""
    extra: bytes = b""  # header lines of ours that go upstream with each of its attempts
    rule: Rule = UNRULED

    usual_effect: Effect = Effect.WRITE  # as far as its protocol knows
    effect: Effect = Effect.WRITE  # as its policies have it
    deadline: float = float("inf")
    others: bool = False  # where this upstream does not answer, another one is asked
    hurried: bool = False  # its client gives it less time than the policy would
    min_attempt: float = 0.1  # seconds; no attempt starts that cannot last so long
    finishes_alone: bool = False  # once sent, it goes on when the agent is gone
    attempts: "list[Attempt]" = []
    waited: float = 0.0  # seconds spent waiting for others: never our own time
    queued: float = 0.0  # those of them that it stood in a queue of ours
    task_end: str = ""  # success | failure: with it ends its task, its agent says
    held: float = 0.0  # those of them that a person took to decide: its time is the longer for it
    approval: str = ""  # the id of the request under which it was asked for
    ticket: Any = None  # what it was approved by; it passes the gates once more
    fetch: "Callable[[int], Awaitable[Refusal | None]] | None" = None
    """Reads its body, up to so many bytes; what says no where that cannot be. None: it is here."""
    answered: float | None = None  # when the head of a streamed answer went out
    shadowed: tuple[str, str] | None = None
    """The first refusal of a policy in shadow mode: its code, and the policy."""
    stopped: Stop | None = None
    because: "Refusal | None" = None  # what is told of it, where somebody decided so
    goes_on: bool = False  # though it was stopped
    stays: bool = False  # it waits for a person, who may let it go though its agent is gone
    unguarded: bool = False
    """A limit that pods share let it go without the store, for the operator wants it so."""
    flight: InFlight | None = None  # where it is counted as on its way
    intent: "Future[bool] | bool | None" = None
    """Was its intent durable before it was sent? Or that will be known; None: it has none yet."""
    lasting: Callable[[], Awaitable[Any] | None] | None = None
    """Its answer's end waits until its record is durable. Asked when that has been noted; None
    comes of it where there is nothing to wait for."""
    purse: Any = None  # what it has spent and reserved, where that is counted (`state/purse.py`)
    taking: Taking | None = None  # where its bodies are kept: its record is noted when they are
    content: bytes | None = None  # its body, where that was read to know what it is for; coded
    arguments: Any = None  # as they were read of it, once somebody has asked and if it is small
    rewritten: "Message | None" = None  # the last that was sent in the place of its own
    onward: Callable[[], bytes] | None = None
    """Makes the line by which an agent that is called knows who waits for it. Asked when it is sent
    to one."""

    @property
    def method(self) -> str:
        """As policies match it and records tell it: the operation, or the method of HTTP."""
        return self.operation or self.head.method

    def stop(self, reason: Stop, because: "Refusal | None" = None) -> None:
        """Cancel the call; the first reason is kept. `because`: what is told of it.

        A call that may have run, and must not run twice, is worth more finished than cancelled:
        when only its agent is gone it goes on, so that its outcome is known, until it is killed or
        the process stops.
        """
        if self.stopped is not None and (not self.goes_on or reason is Stop.AGENT_GONE):
            return
        self.stopped = reason if because is not None else self.stopped or reason
        self.because = because
        self.goes_on = reason is Stop.AGENT_GONE and (
            self.stays or (self.finishes_alone and self.sent)
        )
        if not self.goes_on and self.cancel is not None:
            self.cancel()

    def forget(self) -> None:
        """The call is over. What holds each other is parted, so that it is freed at once.

        The next call then uses warm memory, and the collector finds nothing to do.
        """
        self.attempts.clear()
        self.cancel = self.interim = None
        self.fetch = None
        if self.batch is not None:
            calls, self.batch.calls, self.batch.onward = self.batch.calls, (), None
            self.batch = None
            for call in calls:
                call.forget()

    def forget_body(self) -> None:
        """Nothing of it is sent or asked for any more: what holds its bytes lets go of them."""
        self.content = self.arguments = self.rewritten = None
        for attempt in self.attempts:
            attempt.sends = None

    @property
    def under_way(self) -> bool:
        """Is something of it at an upstream, or its answer on its way to the agent?"""
        return self.answered is not None or any(
            attempt.sent and attempt.ended is None for attempt in self.attempts
        )

    @property
    def sent(self) -> bool:
        """May anything of it have reached an upstream?"""
        return any(attempt.sent for attempt in self.attempts)


_BYTES_PER_TOKEN = 4
"""Of English text, as tokenizers of language models cut it; a rule of thumb."""


def tokens_of(call: Call) -> int:
    """How many tokens its request is thought to have: where its protocol does not say it, from the
    length of its body, at least 1."""
    if not call.tokens:
        whole = call.body.whole
        length = call.head.length or 0 if whole is None else len(whole)
        call.tokens = max(1, length // _BYTES_PER_TOKEN)
    return call.tokens


def spends_of(call: Call) -> int:
    """How many it may use: those of its request, and all that it lets its answer have."""
    return tokens_of(call) + max(0, call.output)


LATE = 0.01
"""Seconds by which a timer may wake us too late for an attempt that must last `min_attempt`."""


def latest_start(call: Call) -> float:
    """The last moment on `Clock.now` until which it may be made to wait, so that there is time for
    another attempt."""
    return call.deadline - call.min_attempt - LATE
