"""`timeout`: one deadline for a call, and shares of it for its attempts (spec 3.1).

The deadline counts from the reading of the call's head and holds everything: queueing, backoff,
attempts. It only ever shrinks: a client that says how long it will wait is believed where that is
less than what the policy gives.
"""

from typing import Annotated, Literal

from msgspec import Meta

from proxy.attempt import Attempt
from proxy.call import Call, Effect
from proxy.clock import NEVER
from proxy.counts import REFUSALS
from proxy.protocols.clients import patience
from proxy.refusal import Refusal
from proxy.reply import Reply
from proxy.stage import Check, Ground, NothingTaken, Said, Section, Site, Target
from proxy.units import Seconds

MIN_ATTEMPT = Seconds(0.1)
"""Where no policy says how long an attempt must be able to last."""


class Timeout(Section, frozen=True, kw_only=True):
    """How long a call, its attempts and their parts may take. What is not given has no limit."""

    total: Annotated[
        Seconds | None, Meta(description="The whole call, backoff and queueing included.")
    ] = None
    attempt: Annotated[
        Seconds | None,
        Meta(
            description="One attempt; the last one may use what is left of total, unless another "
            "upstream may be asked then."
        ),
    ] = None
    connect: Annotated[
        Seconds | None, Meta(description="Making a connection: name, TCP and TLS.")
    ] = None
    first_byte: Annotated[
        Seconds | None, Meta(description="From sending to the first byte of the answer.")
    ] = None
    min_attempt: Annotated[
        Seconds, Meta(description="No attempt starts that cannot last this long.")
    ] = MIN_ATTEMPT
    stream_idle: Annotated[
        Seconds | None, Meta(description="A stream without a byte for so long is ended.")
    ] = None
    stream_progress: Annotated[
        Seconds | None,
        Meta(
            description="The same without an event that says something: pings, comments and blank "
            "lines do not count. In a compressed stream every byte does."
        ),
    ] = None
    stream_max: Annotated[Seconds | None, Meta(description="The longest life of a stream.")] = None
    on_disconnect: Annotated[
        Literal["cancel", "finish"] | None,
        Meta(
            description="When the agent hangs up: stop, or see it through. Default: finish writes."
        ),
    ] = None

    def __post_init__(self) -> None:
        """Raises ValueError for a limit of zero: nothing could ever run."""
        for name in _LIMITS:
            if getattr(self, name) == 0:
                raise ValueError(f"{name}: must be longer than 0")


_LIMITS = (
    *("total", "attempt", "connect", "first_byte"),
    *("stream_idle", "stream_progress", "stream_max"),
)


def finishes_alone(wish: str | None, effect: Effect) -> bool:
    """Is a call that was sent seen through when its agent is gone? `wish` is `on_disconnect`."""
    return effect is Effect.WRITE if wish is None else wish == "finish"


def _least(section: Timeout) -> float:
    """Seconds that an attempt must last. Where an overlap of policies leaves a total no longer than
    that, half of it: nothing would ever be sent."""
    least, total = float(section.min_attempt), _limit(section.total)
    return least if total > least else total / 2


def _limit(seconds: Seconds | None) -> float:
    """As a plain float: adding to one is what a call pays for."""
    return NEVER if seconds is None else float(seconds)


_HURRIED = 0.9
"""Of the policy's own limit: a client that gives less cuts the upstream's time short, and when that
is over it says nothing of the upstream. (SDKs send their usual read timeout with every call.)"""


class Deadline(Check):
    """A call's deadline, and what else of its policy holds for all of it. It never says no."""

    __slots__ = ("_alone", "_min_attempt", "_total", "_usual")

    def __init__(self, section: Timeout, effect: Effect) -> None:
        self._total = _limit(section.total)
        self._usual = _HURRIED * min(self._total, _limit(section.attempt))
        self._min_attempt = _least(section)
        self._alone = finishes_alone(section.on_disconnect, effect)

    @classmethod
    def build(cls, section: Timeout, site: Site) -> "Deadline":
        """For one pipeline."""
        made = ShadowDeadline if site.ground.shadow else cls
        return made(section, site.target.effect)

    def admit(self, call: Call) -> None:
        """Sets what is left for the call: the smallest of what policy and client give."""
        seconds = self._total
        if call.held:  # what a person took is not of the call's time, but of its client's it is
            seconds += call.held
        if call.head.signs:
            wish = patience(call.head.fields)
            call.hurried = wish < self._usual + call.held
            seconds = min(seconds, wish)
        call.deadline = call.started + seconds
        call.min_attempt = self._min_attempt
        call.finishes_alone = self._alone

    def says(self, call: Call) -> Said:
        """What it gives the call, and what its client does."""
        wish = patience(call.head.fields)
        note = "no limit of its own" if self._total == NEVER else f"{self._total:g} s for all of it"
        if wish < self._total:
            note += f"; the client gives it only {wish:g} s"
        gone = "is seen through" if self._alone else "is stopped"
        return Said(f"{note}; if the agent hangs up, it {gone}")


class ShadowDeadline(Deadline):
    """A deadline that nobody has to keep."""

    __slots__ = ()

    def admit(self, call: Call) -> None:
        """Leaves the call as it is."""


class AttemptTime(NothingTaken):
    """An attempt's share of what is left. It stands after all that may make an attempt wait."""

    __slots__ = (
        "_attempt",
        "_connect",
        "_first_byte",
        "_harmless",
        "_policy",
        "_stream_idle",
        "_stream_limits",
    )

    def __init__(self, section: Timeout, effect: Effect, policy: str) -> None:
        self._attempt = _limit(section.attempt)
        self._connect = _limit(section.connect)
        self._first_byte = _limit(section.first_byte)
        self._stream_idle = section.stream_idle
        limits = (section.stream_progress, section.stream_max)
        self._stream_limits = None if limits == (None, None) else limits
        self._harmless = effect is not Effect.WRITE
        self._policy = policy

    @classmethod
    def build(cls, section: Timeout, site: Site) -> "AttemptTime":
        """For one pipeline."""
        if site.ground.shadow:
            return ShadowTime(section, site.target, site.ground, site.policy)
        return cls(section, site.target.effect, site.policy)

    def admit(self, attempt: Attempt) -> Refusal | None:
        """Sets its limits. Refuses `deadline_exceeded` where it could not last `min_attempt`."""
        call = attempt.call
        now = attempt.started
        if call.deadline - now < call.min_attempt:
            return self._too_late(call, call.deadline)
        deadline = call.deadline
        if attempt.number < attempt.of or call.others or deadline == NEVER:
            deadline = end if (end := now + self._attempt) < deadline else deadline
        attempt.deadline = deadline
        attempt.connect_by = end if (end := now + self._connect) < deadline else deadline
        attempt.first_byte_by = end if (end := now + self._first_byte) < deadline else deadline
        attempt.stream_idle = self._stream_idle
        if self._stream_limits is not None and call.head.method != "GET":
            # A long GET is a subscription: it may have nothing to say for hours.
            attempt.stream_progress, attempt.stream_max = self._stream_limits
        return None

    def says(self, call: Call) -> Said:
        """An attempt's limits, as far as there are any."""
        parts = {
            "an attempt": self._attempt,
            "to connect": self._connect,
            "to the first byte": self._first_byte,
        }
        told = [f"{limit:g} s {word}" for word, limit in parts.items() if limit != NEVER]
        late = call.deadline - call.started < call.min_attempt
        refusal = self._too_late(call, call.deadline) if late else None
        return Said(", ".join(told) or "an attempt may take what is left", refusal)

    def _too_late(self, call: Call, deadline: float) -> Refusal:
        return Refusal(
            code="deadline_exceeded",
            detail=f"Too little is left of this call's {deadline - call.started:.3g} s",
            policy=self._policy,
            scope="call",
            harmless=self._harmless,
        )


class ShadowTime(AttemptTime):
    """Says which attempts would have come too late, or been ended, and limits none."""

    __slots__ = ("_counted", "_min_attempt", "_total")

    def __init__(self, section: Timeout, target: Target, ground: Ground, policy: str) -> None:
        super().__init__(section, target.effect, policy)
        self._total = _limit(section.total)
        self._min_attempt = _least(section)
        self._counted = ground.kept(REFUSALS.key, REFUSALS.counts)

    def admit(self, attempt: Attempt) -> Refusal | None:
        """Refuses as the enforced one would."""
        call = attempt.call
        deadline = self._deadline(call)
        late = deadline - attempt.started < self._min_attempt
        return self._too_late(call, deadline) if late else None

    def committed(self, attempt: Attempt, reply: Reply) -> None:
        """Counts what it would have ended before it got so far."""
        ended, own = attempt.ended or attempt.started, self._first_byte
        if attempt.number < attempt.of or attempt.call.others:
            own = min(own, self._attempt)
        if ended > self._deadline(attempt.call):
            self._would_end(attempt.call, "deadline_exceeded")
        elif ended > attempt.started + own:
            self._would_end(attempt.call, "upstream_timeout")

    def _would_end(self, call: Call, code: str) -> None:
        call.shadowed = call.shadowed or (code, self._policy)
        self._counted.add(code, self._policy, "false")

    def says(self, call: Call) -> Said:
        """As the enforced one would."""
        deadline = self._deadline(call)
        late = deadline - call.started < self._min_attempt
        return Said(super().says(call).note, self._too_late(call, deadline) if late else None)

    def _deadline(self, call: Call) -> float:
        return call.started + min(self._total + call.held, patience(call.head.fields))
