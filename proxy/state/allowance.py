"""How many repetitions an upstream is given: a token bucket that its original calls fill.

A share of the calls, not a number a second: an agent calls a few times a minute, and what is a
sensible floor for a mesh would be no limit at all here. The minimum per minute keeps the first
failures of a quiet agent repeatable; the burst keeps an outage from being met with a stampede.
"""

from typing import Annotated

from msgspec import Meta

from proxy.keys import AllowanceKey
from proxy.stage import Ground, Section, Target

_ONE = 1.0 - 1e-9  # ten tenths add up to a little less than one


class RetryBudget(Section, frozen=True, kw_only=True):
    """How many attempts may be repetitions, per upstream: a token bucket, full at the start."""

    ratio: Annotated[
        float, Meta(ge=0, le=1, description="Tokens that each original call brings.")
    ] = 0.2
    min_per_minute: Annotated[
        float, Meta(ge=0, le=6000, description="Tokens that a minute brings.")
    ] = 5.0
    burst: Annotated[int, Meta(ge=1, le=1000, description="The most tokens there can be.")] = 10


class Allowance:
    """Tokens for repetitions. Times are seconds on `Clock.now`."""

    __slots__ = ("__weakref__", "_at", "_tokens", "burst", "per_second", "ratio")

    idle = False  # never makes room for others in the Keep: that would fill it up again

    def __init__(self, now: float) -> None:
        """A full one, with the rules of a `retry` section that gives none (spec 3.2)."""
        usual = RetryBudget()
        self.burst = self._tokens = float(usual.burst)
        self.ratio = usual.ratio
        self.per_second = usual.min_per_minute / 60
        self._at = now

    @classmethod
    def of(cls, ground: Ground, target: Target, budget: RetryBudget | None = None) -> "Allowance":
        """The upstream's, shared by all that repeat calls to it, or send them twice. It follows the
        budget, if there is one."""
        key = AllowanceKey(target.domain, target.upstream)
        now = ground.clock.now
        if budget is None:
            return ground.kept(key, lambda: cls(now()))
        return ground.followed(key, lambda: cls(now()), budget)

    def follow(self, budget: RetryBudget) -> None:
        """Be filled as a policy says. One that was full still is."""
        full = self._tokens >= self.burst
        self.ratio = budget.ratio
        self.per_second = budget.min_per_minute / 60
        self.burst = float(budget.burst)
        self._tokens = self.burst if full else min(self._tokens, self.burst)

    def earn(self) -> None:
        """An original call is sent."""
        if self._tokens < self.burst:
            self._tokens = min(self.burst, self._tokens + self.ratio)

    def left(self, now: float) -> float:
        """Tokens that there are."""
        return min(self.burst, self._tokens + (now - self._at) * self.per_second)

    def told(self, now: float) -> str:
        """The same in words."""
        return f"{self.left(now):.1f} of {self.burst:g} repetitions left for this upstream"

    def take(self, now: float) -> bool:
        """Take a token for one repetition, if there is one."""
        self._tokens = self.left(now)
        self._at = now
        if self._tokens < _ONE:
            return False
        self._tokens -= 1.0
        return True

    def give_back(self) -> None:
        """A repetition that had a token was not sent."""
        self._tokens = min(self.burst, self._tokens + 1.0)
