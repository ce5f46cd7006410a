"""A circuit: what its failures make of it. Pure: times come in, nothing is waited for.

The essay is in `stages/breaker.py`; this is its table. Rows are states, columns what became of an
attempt:

              success    caller error  failure      throttled   nothing
    closed    count      –             count, trip  –           –
    open      –          –             –            –           –
    half-open pass       pass          fail         fail        give back

Open becomes half-open when somebody asks after its time. In half-open only the result of the
attempt that holds the lease counts. In closed a result counts if its attempt began after the last
opening.

A hand may keep it open or closed, whatever it hears, until it is let go: then one that was kept
open is half-open, and one that was kept closed begins anew.

Where a circuit is only observed nobody is refused and there is no lease: in half-open the result of
every attempt counts that began after the open time, for there is no stampede to hold back.
"""

import enum
from collections.abc import Callable

import msgspec

from proxy.attempt import Attempt
from proxy.clock import NEVER
from proxy.counts import BREAKER_TRANSITIONS
from proxy.keys import NEWS, CircuitKey
from proxy.news import CircuitChange, News
from proxy.stage import Ground, Target
from proxy.state.circuit_rules import CircuitRules
from proxy.state.window import BUCKETS, Window

BUSY = 1.0
"""Seconds to suggest while a probe is under way: nobody knows how long it will take."""


class State(enum.StrEnum):
    """As metrics and logs have it."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Event(enum.Enum):
    """What became of an attempt, as far as a circuit cares."""

    SUCCESS = enum.auto()
    ANSWERED = enum.auto()  # the caller's error: the upstream is well enough to say so
    FAILURE = enum.auto()
    THROTTLED = enum.auto()
    NOTHING = enum.auto()  # cancelled, or refused by ourselves


class Outcome(msgspec.Struct, frozen=True):
    """What became of an attempt, and when."""

    event: Event
    at: float  # seconds on `Clock.now`
    tool: str = ""
    held: bool = False  # a failure that is the upstream's only if another tool fails as well
    slow: bool = False
    floor: float = 0.0  # seconds that the upstream asks to be left alone for
    throttled: bool = False  # the upstream said so itself, and says it to everybody


Changed = Callable[[State, State, str, float, str], None]
"""Told of each change: before, after, why, for how many seconds it is open, and by whom."""

BY_HAND = "by_hand"

_NO_TOOL = ("", -BUCKETS)


class Circuit:
    """One circuit, of a tool or of an upstream. Times are seconds on `Clock.now`."""

    __slots__ = (
        "__weakref__",
        "_chance",
        "_changed",
        "_for_slowness",
        "_lease_until",
        "_other_tick",
        "_passed",
        "_recent",
        "_span",
        "_streak",
        "_streak_of_all",
        "closed",
        "fleet",
        "forced",
        "opened_at",
        "owner",
        "rules",
        "since",
        "state",
        "until",
        "why",
        "window",
    )

    def __init__(self, rules: CircuitRules, chance: Callable[[], float], changed: Changed) -> None:
        self.rules = rules
        self.state = State.CLOSED
        self.closed = True  # the same again, for the path of a call
        self.forced = False  # a hand keeps it in its state
        self.fleet = False  # the pods of the fleet have it open together (`fleet_circuit.py`)
        self.since: float | None = None  # when it came into this state; None: it was always closed
        self.why = ""  # as news has it
        self.opened_at = float("-inf")
        self.until = 0.0  # open: when it may be probed
        self.owner: Attempt | None = None  # half-open: the probe under way
        self.window = Window(rules.window)
        self._chance = chance
        self._changed = changed
        self._lease_until = 0.0
        self._passed = 0  # probes in a row
        self._span = 0.0  # seconds it was opened for last, before chance; 0: closed since
        self._for_slowness = False
        self._streak = 0  # failures in a row
        self._streak_of_all = 0  # those held included
        self._recent = _NO_TOOL  # the tool that failed last, and in which tick of the window
        self._other_tick = -BUCKETS  # the last tick in which another tool failed

    @classmethod
    def of(cls, ground: Ground, target: Target, tool: str, rules: CircuitRules) -> "Circuit":
        """The tool's, or with an empty name the upstream's own; made if there is none. It follows
        the rules."""
        return ground.followed(
            CircuitKey(target.domain, target.upstream, tool),
            lambda: cls(rules, ground.clock.chance.random, teller(target, tool, ground)),
            rules,
        )

    @property
    def idle(self) -> bool:
        """May it be forgotten? Not while it knows of a failure."""
        quiet = self.closed and not self._streak_of_all and not self.window.failures
        return quiet and not self.forced

    def follow(self, rules: CircuitRules) -> None:
        """Obey a policy. What was counted is kept: agents decide when something is compiled."""
        if rules.window != self.rules.window:
            before, self.window = self.window.tick, self.window.of_length(rules.window)
            later = self.window.tick - before  # what was so many buckets ago still is
            self._recent = (self._recent[0], self._recent[1] + later)
            self._other_tick += later
        self.rules = rules

    # --- before an attempt ---

    def wait(self, now: float) -> float:
        """Seconds until an attempt may be let through; 0: now, in half-open with the lease."""
        if self.closed:
            return 0.0
        if self.state is State.OPEN and now >= self.until:
            self._become(State.HALF_OPEN, now, "open_time_over")
        return self.left(now)

    def left(self, now: float) -> float:
        """What `wait` would say, for those who only look."""
        if self.state is State.OPEN and now < self.until:
            return self.until - now
        if self.owner is None or now >= self._lease_until:
            return 0.0
        return min(BUSY, self._lease_until - now)

    def lease(self, owner: Attempt, until: float) -> bool:
        """Make it the one probe, if there is anything to probe; only after `wait` gave 0.

        True: an earlier probe was never heard of again, and its lease was over.
        """
        if self.state is not State.HALF_OPEN:
            return False
        lost = self.owner is not None
        self.owner = owner
        self._lease_until = until
        return lost

    def told(self, now: float) -> str:
        """Its state in words, with what counts in it."""
        if self.forced:
            return f"{self.state}, by hand"
        if self.closed:
            seen = self.window.seen(now)
            return f"closed, {seen.failures + seen.held} of {seen.calls} failed"
        if self.state is State.OPEN and now < self.until:
            return f"open for another {self.until - now:.1f} s ({self.why})"
        under_way = ", a probe is under way" if self.left(now) else ""
        return f"half-open, {self.passed} of {self.rules.probes} probes passed{under_way}"

    def why_not(self, name: str, wait: float) -> str:
        """Why nothing is sent to it for so many seconds, told to who asked."""
        if wait == NEVER:
            return f"Somebody keeps the circuit of the {name} open"
        if self.state is not State.OPEN:
            return f"The {name} kept failing; one call at a time now tries if it is well"
        seen = ", as the pods of the fleet agree" if self.fleet else ""
        return f"The {name} keeps failing{seen}; no call is sent to it for another {wait:.1f} s"

    @property
    def passed(self) -> int:
        """Probes that have passed in a row, in half-open."""
        return self._passed

    @property
    def streak(self) -> int:
        """Failures in a row, as far as they count."""
        return self._streak_of_all if self._on_several_tools() else self._streak

    # --- after it ---

    def hears(self, attempt: Attempt) -> bool:
        """Does its result count as any other's? Not in half-open, and not if it began before the
        last opening: what it knows led there, and is old."""
        return self.closed and attempt.started > self.opened_at

    def succeeded(self, now: float, slow: bool) -> None:
        """A success that it `hears`: the path of nearly every call."""
        window = self.window
        window.call(now)
        if self._streak_of_all:
            self._streak = self._streak_of_all = 0
        if slow:
            window.slow_call()
            if (
                window.calls >= self.rules.min_calls
                and window.slow >= self.rules.slow_rate * window.calls
            ):
                self._open(now, "slow", 0.0)

    def settle(self, attempt: Attempt, outcome: Outcome) -> str:
        """Hear what became of an attempt. Of the probe: passed, failed, given_back; else empty."""
        if self.owner is attempt:
            return self._probed(outcome)
        if self.hears(attempt):
            if outcome.event is Event.SUCCESS:
                self.succeeded(outcome.at, outcome.slow)
            elif outcome.event is Event.FAILURE:
                self._failed(outcome)
        return ""

    def observe(self, attempt: Attempt, outcome: Outcome) -> str:
        """`settle`, where nothing is refused: it recovers by time and by what calls come to."""
        if self.state is State.OPEN and outcome.at >= self.until:
            self._become(State.HALF_OPEN, outcome.at, "open_time_over")
        tries = self.state is State.HALF_OPEN and attempt.started >= self.until
        if tries and outcome.event is not Event.NOTHING:
            return self._probed(outcome)
        return self.settle(attempt, outcome)

    def _failed(self, outcome: Outcome) -> None:
        window = self.window
        window.call(outcome.at)
        self._note(outcome.tool)
        self._streak_of_all += 1
        if outcome.held:
            window.hold()
        else:
            window.failure()
            self._streak += 1
        why = self._why_open()
        if why:
            self._open(outcome.at, why, outcome.floor)

    def _why_open(self) -> str:
        window, rules = self.window, self.rules
        failures = window.failures + (window.held if self._on_several_tools() else 0)
        if self.streak >= rules.consecutive:
            return "consecutive"
        enough = failures and window.calls >= rules.min_calls
        return "rate" if enough and failures >= rules.rate * window.calls else ""

    def _probed(self, outcome: Outcome) -> str:
        self.owner = None
        event = outcome.event
        if event is Event.FAILURE and outcome.held and not self._also(outcome):
            return "given_back"  # that tool's own circuit takes care of it
        if event is Event.NOTHING:
            return "given_back"
        if event in (Event.FAILURE, Event.THROTTLED) or (outcome.slow and self._for_slowness):
            self._open(outcome.at, "probe_failed", outcome.floor)
            return "failed"
        self._passed += 1
        if self._passed >= self.rules.probes:
            self._close(outcome.at)
        return "passed"

    def _also(self, outcome: Outcome) -> bool:
        """Did other tools fail lately as well?"""
        self.window.turn(outcome.at)
        self._note(outcome.tool)
        return self._on_several_tools()

    def _note(self, tool: str) -> None:
        if tool != self._recent[0]:
            self._other_tick = self._recent[1]
        self._recent = (tool, self.window.tick)

    def _on_several_tools(self) -> bool:
        return self.window.tick - self._other_tick < BUCKETS

    def trip(self, now: float, why: str = BY_HAND) -> None:
        """Open it, whatever was counted: who says so knows more."""
        self._open(now, why, 0.0)

    def force(self, now: float, *, closed: bool, by: str) -> None:
        """Keep it open or closed until `release`."""
        self.forced = True
        self._span = 0.0
        self._forget()
        if not closed:
            self.opened_at, self.until = now, NEVER
        self._become(State.CLOSED if closed else State.OPEN, now, BY_HAND, by=by)

    def release(self, now: float, by: str) -> None:
        """Let it go by its rules again."""
        if self.forced:
            self.forced = False
            self._forget()
            self.until = now
            self._become(State.CLOSED if self.closed else State.HALF_OPEN, now, BY_HAND, by=by)

    def _open(self, now: float, why: str, floor: float) -> None:
        if self.forced:
            return
        rules = self.rules
        if why != "probe_failed":
            self._for_slowness = why == "slow"
        self._span = min(
            rules.open_max, self._span * rules.open_factor if self._span else rules.open_base
        )
        open_for = max(floor, self._span * (1 + rules.jitter * (2 * self._chance() - 1)))
        self.opened_at = now
        self.until = now + open_for
        self._streak = self._streak_of_all = 0
        self.window.clear()
        self._become(State.OPEN, now, why, open_for)

    def _close(self, now: float, why: str = "probes_passed") -> None:
        self._span = 0.0
        self._forget()
        self._become(State.CLOSED, now, why)

    def _forget(self) -> None:
        self._streak = self._streak_of_all = 0
        self._recent, self._other_tick = _NO_TOOL, -BUCKETS
        self.window.clear()

    def _become(
        self, state: State, now: float, why: str, open_for: float = 0.0, by: str = ""
    ) -> None:
        before, self.state = self.state, state
        self.since, self.why = now, why
        self.closed = state is State.CLOSED
        self.owner = None
        self._passed = 0
        self._changed(before, state, why, open_for, by)


def teller(target: Target, tool: str, ground: Ground) -> Changed:
    """Counts a circuit's changes, and tells the news of them."""
    counts = ground.kept(BREAKER_TRANSITIONS.key, BREAKER_TRANSITIONS.counts)
    news = ground.kept(NEWS, News)
    upstream, bulkhead = target.upstream, target.domain

    def changed(before: State, after: State, why: str, open_for: float, by: str) -> None:
        if before is not after:
            counts.add(upstream, tool, before.value, after.value)
        news.tell(
            CircuitChange(upstream, tool, before.value, after.value, why, open_for, bulkhead, by)
        )

    return changed
