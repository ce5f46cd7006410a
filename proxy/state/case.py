"""A request at the desk as it stands, who decides about it, and what agents are told of it."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Protocol

import msgspec

from proxy.clock import NEVER
from proxy.refusal import Refusal
from proxy.reply import Executed
from proxy.state.asking import Consumed, Decided, Requested
from proxy.state.outcomes import Outcome

AGAIN = 5.0
"""Seconds after which an agent is told to ask again."""

PENDING, APPROVED, DENIED, USED, REVIEW = "pending", "approved", "denied", "used", "review"

OPEN = frozenset({PENDING, APPROVED})
"""A call may still go out under it; people are shown that call."""
LISTINGS = frozenset({"escalated", "fallback"})
"""Nothing waits for it: people say what is to be done."""
DONE = {True: APPROVED, False: DENIED}


class Undecided(Exception):
    """It was not decided. The text says why, and what to do."""

    def __init__(self, kind: str, text: str) -> None:
        """`kind`: unknown | over | forbidden | invalid | unseen | journal; where another pod holds
        it also away | store | unsure."""
        super().__init__(text)
        self.kind = kind


class Person(msgspec.Struct, frozen=True):
    """Who decides."""

    name: str
    groups: tuple[str, ...] = ()
    anybody: bool = False  # the name is that of a way in, and not of one person


class Exhibits(Protocol):
    """Where it keeps what people are shown."""

    def keep(self, name: str, content: bytes, /) -> Awaitable[None]:
        """Until it is dropped, and over a restart. Raises OSError."""

    def read(self, name: str, /) -> Awaitable[bytes | None]:
        """What was kept; None: there is nothing that can be read."""

    def drop(self, name: str, /) -> None:
        """It is not needed any more. Never waits, never raises."""

    def only(self, names: frozenset[str], /) -> None:
        """Nothing but these is needed. Never waits, never raises."""


class Untold:
    """Part of Noted and of Exhibits: before there is a journal, and where there is none."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def note(self, entry: Any, /) -> None:
        """Part of Noted."""

    async def durable(self) -> bool:
        """Part of Noted."""
        return True

    def put(self, name: str, content: bytes) -> None:
        """At once."""
        self._kept[name] = content

    async def keep(self, name: str, content: bytes, /) -> None:
        """Part of Exhibits."""
        self.put(name, content)

    async def read(self, name: str, /) -> bytes | None:
        """Part of Exhibits."""
        return self._kept.get(name)

    def drop(self, name: str, /) -> None:
        """Part of Exhibits."""
        self._kept.pop(name, None)

    def only(self, names: frozenset[str], /) -> None:
        """Part of Exhibits."""
        self._kept = {name: held for name, held in self._kept.items() if name in names}


class File(msgspec.Struct):
    """What is remembered of a request over a restart."""

    request: Requested
    state: str  # pending | approved | denied | used | review
    decided: list[Decided] = []
    used: Consumed | None = None


class Case(msgspec.Struct, eq=False):
    """A request at the desk. Seconds on `Clock.now`."""

    file: File
    due: float = NEVER  # then it expires; used or denied, it is forgotten
    noted: bool = False  # its record is on its way to the journal
    listed: bool = False  # that is durable, and people may see it
    opening: "asyncio.Task[None] | None" = None
    waiters: "list[asyncio.Future[bool]]" = []  # who waits longest is woken first
    runner: str = ""  # the call that has claimed it, and is under way
    outcome: Outcome | None = None
    over: Refusal | None = None  # nothing comes of it any more, and why

    @property
    def request(self) -> Requested:
        """What was asked."""
        return self.file.request

    def wake(self) -> None:
        """Something happened to it."""
        for future in list(self.waiters):
            stir(future, told=True)


class Hold(Protocol):
    """How long a call may be held for people. On Clock.now."""

    latest: float
    """Its client waits no longer."""

    def __call__(self) -> float:
        """Until when; asked again when that is over."""


def stir(future: "asyncio.Future[bool]", *, told: bool) -> None:
    """Whoever waits goes on: something happened, or his time is over."""
    if not future.done():
        future.set_result(told)


def pending(case: Case, left: float) -> Refusal:
    """People have not decided yet, or the call is under way. `left`: seconds until it expires."""
    text = _RUNS if case.runner else _WAITS
    executed = Executed.UNKNOWN if case.runner else Executed.NO
    again = min(AGAIN, max(1.0, left))
    return msgspec.structs.replace(
        _told(case, "approval_pending", text, executed), retry_after=again
    )


def denied(case: Case) -> Refusal:
    """Somebody said no."""
    reason = case.file.decided[-1].reason
    text = f"a person denied this call: {reason}" if reason else "a person denied this call"
    return _told(case, "approval_denied", text)


def gone(case: Case, why: str) -> Refusal:
    """Nothing comes of it any more; whoever comes again is asked about anew."""
    return _told(case, "approval_expired", why)


def spent(case: Case, why: str, executed: Executed) -> Refusal:
    """Its approval is used up, and there is no answer to give again."""
    step = "ask_owner" if executed is Executed.NO else "verify_then_retry"
    told = _told(case, "approval_expired", f"{why}; it is not sent again", executed)
    return msgspec.structs.replace(told, final=True, next_step=step)


def _told(case: Case, code: str, text: str, executed: Executed = Executed.NO) -> Refusal:
    asked = case.request
    facts = (("approval", asked.id),)
    return Refusal(code, text, asked.policy, executed=executed, scope="call", facts=facts)


_RUNS = "a person approved this call, and it is running: the same call, sent again, gets its answer"
_WAITS = "a person must approve this call: the same call, sent again, is let through when one has"
