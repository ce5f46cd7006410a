"""What the sandbox's protocols are asked, and what they say; no sockets."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from proxy.lab.sandbox.calls import Calls, Received
from proxy.lab.sandbox.errors import GatewayError


@dataclass(frozen=True, slots=True)
class Head:
    """Of a request: its path as the protocol knows it, and where the protocol is mounted.

    `base` is the URL that the peer used for the mount, without a slash at its end.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    base: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call is answered with; a body of None is no body at all."""

    status: int
    body: object
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def encoded(self) -> bytes:
        """The body as it goes out."""
        return b"" if self.body is None else written(self.body)


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event. `says` is true for content: what a person would see of an answer."""

    data: bytes
    kind: str = ""
    key: str = ""
    says: bool = False

    def encoded(self) -> bytes:
        """As it goes out: what is not there is not named."""
        kind = f"event: {self.kind}\n" if self.kind else ""
        key = f"id: {self.key}\n" if self.key else ""
        return f"{kind}{key}".encode() + b"data: " + self.data + b"\n\n"


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that comes event by event, `end` last. One that `stays` then waits for the peer to
    leave; `error` makes the event that tells an error."""

    events: Iterable[Event]
    end: tuple[Event, ...]
    error: Callable[[GatewayError], Event]
    headers: Mapping[str, str] = field(default_factory=dict)
    stays: bool = False

    def encoded(self) -> bytes:
        """All of it at once."""
        return b"".join(event.encoded() for event in self.all())

    def all(self) -> Iterator[Event]:
        """Its events, the end included."""
        yield from self.events
        yield from self.end


Said = Answer | Stream


@dataclass(frozen=True, slots=True)
class Question:
    """One request as its protocol understood it.

    `tool` is what scripts and counters call it by. `run` carries it out and never raises; `again`
    does so whatever its idempotency key says; `held` takes that key while the call waits.
    """

    tool: str
    run: Callable[[Received], Said]
    refusal: Callable[[GatewayError], Answer]
    key: str | None = None
    again: Callable[[Received], Said] | None = None
    held: Callable[[], AbstractContextManager[None]] = nullcontext

    def run_twice(self, received: Received) -> Said:
        """As a faulty peer does it."""
        if self.again is not None:
            return self.again(received)
        said = self.run(received)
        self.run(received)
        return said


def question(
    calls: Calls,
    refusal: Callable[[GatewayError], Answer],
    tool: str,
    run: Callable[[], Said],
    key: str | None = None,
) -> Question:
    """One whose `run` may raise GatewayError, and counts as having run where it does not."""

    def carried_out(received: Received) -> Said:
        try:
            said = run()
        except GatewayError as error:
            return refusal(error)
        calls.ran(received)
        return said

    return Question(tool=tool, run=carried_out, refusal=refusal, key=key)


class Role(Protocol):
    """One protocol that the sandbox plays."""

    @property
    def errors(self) -> Mapping[str, GatewayError]:
        """How it says `server`, `overloaded`, `rate_limit` and `quota`."""

    def read(self, head: Head, body: bytes, /) -> Question:
        """Understand a request; raises GatewayError."""

    def refusal(self, error: GatewayError, /) -> Answer:
        """The answer to what was not understood."""


def written(body: object) -> bytes:
    """JSON as it goes out, in one line."""
    return json.dumps(body, default=float).encode()
