"""Fakes: an owned clock, a scripted upstream, and makers of calls, attempts and replies."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any, NamedTuple, TypeVar

from proxy.attempt import Attempt
from proxy.call import Call, Effect, Header, RequestHead
from proxy.clock import NEVER, Alarm, Clock
from proxy.keep import Keep
from proxy.protocols.recognise import HTTP
from proxy.refusal import Refusal
from proxy.reply import NEVER_SENT, Failure, Reply, ReplyBody
from proxy.stage import Ground, Target

Outcome = TypeVar("Outcome")
EPOCH = 1_700_000_000.0
"""What the fake wall clock shows when the fake monotonic one shows zero."""


class FakeClock(Clock):
    """Time that stands still until `advance`; with `asleep=True` it passes by being slept.

    `slept` lists all sleeps asked for. Alarms and sleepers come due in `advance`, in their order.
    """

    def __init__(
        self, at: float = 1000.0, seed: int = 7, asleep: bool = True, drill: int = 1
    ) -> None:
        self.time = at
        super().__init__(seed, drill)
        self.slept: list[float] = []
        self.alarms: list[FakeAlarm] = []
        self.gathers: list[Callable[[], None]] | None = None  # a list: what is soon waits in it
        self._asleep = asleep
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        """Seconds."""
        return self.time

    def wall(self) -> float:
        """Seconds since 1970."""
        return EPOCH + self.time

    async def sleep(self, seconds: float) -> None:
        """Let the time pass, or wait for somebody to `advance`."""
        self.slept.append(seconds)
        if self._asleep:
            self.advance(max(0.0, seconds))
        elif seconds > 0:
            future = asyncio.get_running_loop().create_future()
            self._sleepers.append((self.time + seconds, future))
            await future

    def soon(self, work: Callable[[], None]) -> None:
        """At once: a turn of the fake loop ends when somebody asks for it."""
        if self.gathers is None:
            work()
        else:
            self.gathers.append(work)

    def alarm(self, ring: Callable[[], None]) -> Alarm:
        """An alarm that goes off in `advance`."""
        alarm = FakeAlarm(self, ring)
        self.alarms.append(alarm)
        return alarm

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; who waits for a moment in them is woken at that moment."""
        end = self.time + seconds
        while (due := self._next_due()) <= end:
            self.time = max(self.time, due)
            self._wake()
        self.time = end

    def _next_due(self) -> float:
        dues = [due for due, _ in self._sleepers] + [alarm.due for alarm in self.alarms]
        return min(dues, default=NEVER)

    def _wake(self) -> None:
        for alarm in [alarm for alarm in self.alarms if alarm.due <= self.time]:
            alarm.go_off()
        ready = [future for due, future in self._sleepers if due <= self.time]
        self._sleepers = [sleeper for sleeper in self._sleepers if sleeper[0] > self.time]
        for future in ready:
            if not future.done():
                future.set_result(None)


class FakeAlarm(Alarm):
    """An alarm on a fake clock."""

    __slots__ = ("due",)

    def __init__(self, clock: FakeClock, ring: Callable[[], None]) -> None:
        super().__init__(clock, ring)
        self.due = NEVER

    def set(self, due: float) -> None:
        """As the real one; a moment already past comes due at the next `advance`."""
        self.due = due

    def clear(self) -> None:
        """As the real one."""
        self.due = NEVER

    def close(self) -> None:
        """As the real one."""
        self.due = NEVER

    def go_off(self) -> None:
        """Ring once."""
        self.due = NEVER
        self._ring()


class Turn:
    """`await Turn()`: everything that is ready now runs first."""

    def __await__(self) -> Generator[None, None, None]:
        yield


def run(work: Awaitable[Outcome]) -> Outcome:
    """Run what never has to wait, without an event loop."""
    steps = work.__await__()
    try:
        next(steps)
    except StopIteration as end:
        return end.value
    steps.close()
    raise AssertionError("it waited")


class FakeBody:
    """A body that is here (`whole`), or is still coming (None)."""

    def __init__(self, whole: bytes | None = b"", replayable: bool = True) -> None:
        self.whole = whole
        self.replayable = replayable
        self.abandoned = False
        self.kept = 0  # bytes it was asked to hold
        self.trailers: list[Header] = []

    def keep(self, limit: int) -> None:
        """Note what is asked for."""
        self.kept = limit

    def watch(self, tap: Any) -> None:
        """Nothing flows here."""

    def abandon(self) -> None:
        """Nobody will read the rest."""
        self.abandoned = True


def make_call(
    fields: dict[bytes, bytes] | None = None, *, body: FakeBody | None = None, **changes: Any
) -> Call:
    """A call as the gateway would hand it on; `fields` are header names in lower case."""
    fields = fields or {}
    length = changes.pop("length", 0)
    headers = [(name, name, value) for name, value in fields.items()]
    head = RequestHead("POST", b"/v1/tool", 1, headers, fields, length=length)
    members: dict[str, Any] = {"id": "c1", "started": 1000.0, "upstream": "gateway"} | changes
    return Call(head=head, body=body or FakeBody(), **members)


def make_attempt(
    call: Call | None = None, *, number: int = 1, of: int = 1, **changes: Any
) -> Attempt:
    """An attempt at a call, begun when the call was unless said otherwise."""
    call = call or make_call()
    members: dict[str, Any] = {"started": call.started, "upstream": call.upstream} | changes
    return Attempt(call=call, number=number, of=of, **members)


def make_reply(
    what: int | Failure | Refusal = 200,
    fields: dict[bytes, bytes] | None = None,
    *,
    body: ReplyBody | None = None,
    **changes: Any,
) -> Reply:
    """A reply as it leaves the commit: an answer, a failure of the network, or a refusal."""
    fields = fields or {}
    if isinstance(what, Refusal):
        reply = Reply(status=0, refusal=what, executed=what.executed, fields=fields, body=body)
    else:
        reply = _answer(what, fields, body)
        HTTP.judge(reply)
    for name, value in changes.items():
        setattr(reply, name, value)
    return reply


def _answer(what: int | Failure, fields: dict[bytes, bytes], body: ReplyBody | None) -> Reply:
    if isinstance(what, Failure):
        return Reply(status=0, failure=what, fields=fields, body=body)
    body = body or FakeBody(b"{}")
    length = None if body.whole is None else len(body.whole)
    return Reply(status=what, fields=fields, body=body, length=length)


Step = int | Failure | Refusal | Reply | BaseException


class FakeSource:
    """Where a body comes from: remembers what it was told."""

    def __init__(self) -> None:
        self.paused = False
        self.abandoned = False

    def pause(self) -> None:
        """Part of Source."""
        self.paused = True

    def resume(self) -> None:
        """Part of Source."""
        self.paused = False

    def abandon(self) -> None:
        """Part of Source."""
        self.abandoned = True


class ScriptedUpstream:
    """A `Sender` that gives what it was told to give, in that order; asked for more, it fails.

    `attempts` holds what was sent to it, `replies` what it gave. An exception is raised.
    """

    def __init__(self, *script: Step, clock: Clock | None = None) -> None:
        self._script = list(script)
        self._clock = clock
        self.attempts: list[Attempt] = []
        self.replies: list[Reply] = []

    async def __call__(self, attempt: Attempt) -> Reply:
        """Give the next thing."""
        self.attempts.append(attempt)
        assert self._script, f"attempt {attempt.number} was not expected"
        step = self._script.pop(0)
        if isinstance(step, BaseException):
            raise step
        reply = step if isinstance(step, Reply) else make_reply(step)
        attempt.sent = reply.refusal is None and reply.failure not in NEVER_SENT
        attempt.status, attempt.failure, attempt.result = reply.status, reply.failure, reply.result
        if self._clock is not None:
            attempt.ended = self._clock.now()
        self.replies.append(reply)
        return reply


def decided(attempt: Attempt, reply: Reply) -> None:
    """A commit that has nothing to wait for: a scripted upstream has decided everything."""


class Ledger:
    """Keeps what it was told: put its `settle` into `Reply.finishers`, and what it is of."""

    def __init__(self) -> None:
        self.settled: list[Reply] = []

    def settle(self, subject: Any, reply: Reply) -> None:
        """Keep it."""
        self.settled.append(reply)


def make_target(effect: Effect = Effect.READ, **changes: Any) -> Target:
    """What a pipeline is compiled for: the tool `search` of the upstream `gateway`."""
    members: dict[str, Any] = {
        "upstream": "gateway",
        "protocol": "tools",
        "layer": "tool",
        "tool": "search",
    }
    return Target(effect=effect, **(members | changes))


def make_ground(clock: Clock | None = None, **changes: Any) -> Ground:
    """A ground with nothing kept, on a fake clock."""
    return Ground(clock=clock or FakeClock(), keep=Keep(), **changes)


class Obedient:
    """Something kept that obeys."""

    def __init__(self) -> None:
        self.rules: list[str] = []

    def follow(self, rules: str) -> None:
        """From now on."""
        self.rules.append(rules)


class TrailState(NamedTuple):
    """How a fake trail is."""

    kind: str


class FakeTrail:
    """A trail whose durability is set by hand. `entries` holds what was noted."""

    def __init__(self, kind: str = "ok") -> None:
        self.state = TrailState(kind)
        self.entries: list[Any] = []
        self.waiting: list[asyncio.Future[bool]] = []

    @property
    def types(self) -> list[str]:
        """Of what was noted."""
        return [entry.type for entry in self.entries]

    def taking(self, call: Call, wish: Any) -> None:
        """Part of Trail: nothing can be kept."""

    def note(self, entry: Any) -> None:
        """Part of Trail."""
        self.entries.append(entry)

    def durable(self) -> "asyncio.Future[bool]":
        """Part of Trail."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        return future

    async def says(self, durable: bool) -> None:
        """All that was noted is durable, or cannot be made so; what comes of it has happened."""
        waiting, self.waiting = self.waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(durable)
        await settled()


async def settled(turns: int = 30) -> None:
    """Everything that needs nothing but turns of the loop has happened."""
    for _ in range(turns):
        await Turn()
