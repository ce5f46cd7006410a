"""A call: one request of an agent, recognised. Changes on its way; everybody reads it."""

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from proxy.attempt import Attempt

Header = tuple[bytes, bytes, bytes]
"""A header line: its name in lower case, its name and its value as they came."""


class Effect(enum.StrEnum):
    """What the operator knows about repeating a call."""

    READ = "read"  # repeating is harmless
    IDEMPOTENT = "idempotent"  # repeating gives the same end state
    WRITE = "write"  # must not run twice


class Stop(enum.StrEnum):
    """Why a call was cancelled."""

    AGENT_GONE = "agent_gone"
    DRAIN = "drain"


class RequestHead(msgspec.Struct, gc=False):
    """The head of a request, as valid as spec 2.2 asks, byte for byte as it came."""

    method: str
    target: bytes
    minor_version: int  # of HTTP/1.x
    headers: list[Header]
    fields: dict[bytes, bytes]  # lower-case name → the last value under that name
    lines: bytes = b""  # those that go on in any case, as they came: without Host and Expect
    length: int | None = None  # Content-Length
    chunked: bool = False
    keep_alive: bool = True
    upgrade: bool = False
    expects_continue: bool = False


class Body(Protocol):
    """The body of a message, of either side. `wire/body.py` has the real one."""

    whole: bytes | None
    """All of it, once it has come and was kept."""

    @property
    def replayable(self) -> bool:
        """Can it be sent (or read) from its beginning once more?"""

    def keep(self, limit: int, /) -> None:
        """Hold what passes, up to `limit` bytes, so that it can be sent once more."""


class Whole:
    """A body of which everything is here."""

    __slots__ = ("trailers", "whole")
    replayable = True

    def __init__(self, whole: bytes, trailers: list[Header] | None = None) -> None:
        self.whole: bytes | None = whole
        self.trailers: list[Header] = [] if trailers is None else trailers

    def keep(self, limit: int, /) -> None:
        """Part of Body: it is kept anyhow."""

    def abandon(self) -> None:
        """Part of ReplyBody: there is nobody to tell."""


class InFlight(Protocol):
    """Where a call is counted as on its way."""

    def ended(self) -> None:
        """It is finished."""


class Call(msgspec.Struct):
    """One request of an agent on its way. Times are seconds on `Clock.now`."""

    id: str
    head: RequestHead
    body: Body
    started: float
    upstream: str = ""
    protocol: str = "http"
    layer: str = "http"  # llm | tool | agent | http
    tool: str = ""
    model: str = ""
    agent: str = ""
    fleet: str = ""
    workflow: str = ""
    task: str = ""
    path: str = ""  # of the target, without query, as matched by policies
    target: bytes = b""  # path and query that go upstream, before its base path
    idempotency_key: str = ""

    effect: Effect = Effect.WRITE
    deadline: float = float("inf")
    min_attempt: float = 0.1  # seconds; no attempt starts that cannot last so long
    finishes_alone: bool = False  # once sent, it goes on when the agent is gone
    attempts: "list[Attempt]" = []
    waited: float = 0.0  # seconds spent waiting for others: never our own time
    answered: float | None = None  # when the head of a streamed answer went out
    stopped: Stop | None = None
    goes_on: bool = False  # though it was stopped
    interim: "Callable[[Any], None] | None" = None  # takes each 1xx head that is passed on
    cancel: Callable[[], None] | None = None
    flight: "InFlight | None" = None  # where it is counted as on its way

    def stop(self, reason: Stop) -> None:
        """Cancel the call; the first reason is kept.

        A call that may have run, and must not run twice, is worth more finished than cancelled:
        when only its agent is gone it goes on, so that its outcome is known, until the process
        stops.
        """
        if self.stopped is not None and not (self.goes_on and reason is Stop.DRAIN):
            return
        self.stopped = self.stopped or reason
        self.goes_on = reason is Stop.AGENT_GONE and self.finishes_alone and self.sent
        if not self.goes_on and self.cancel is not None:
            self.cancel()

    def forget(self) -> None:
        """The call is over. What holds each other is parted, so that it is freed at once.

        The next call then uses warm memory, and the collector finds nothing to do.
        """
        self.attempts = []
        self.cancel = None
        self.interim = None

    @property
    def sent(self) -> bool:
        """May anything of it have reached an upstream?"""
        return any(attempt.sent for attempt in self.attempts)
