"""When behaviour is unusual, as policy files write it (spec 5.3)."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from proxy.observe.behaviour.rules import Rules
from proxy.units import Seconds

_HOUR = 3_600.0


class Far(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From where on a task is unusual."""

    score: Annotated[
        float, Meta(ge=1, le=100, description="Robust z-score of any signal, on logarithms.")
    ] = 3.5
    calls: Annotated[float, Meta(gt=1, le=1000, description="Calls, so many times the usual.")] = (
        2.0
    )
    cost: Annotated[float, Meta(gt=1, le=1000, description="Cost, so many times the usual.")] = 3.0
    retries: Annotated[float, Meta(gt=0, le=1, description="Sendings again, by all sendings.")] = (
        0.2
    )
    escalations: Annotated[
        float, Meta(gt=0, le=1, description="Calls put before people, by all calls.")
    ] = 0.15


class Ill(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From where on an agent fares ill. More than this of either."""

    errors: Annotated[float, Meta(gt=0, lt=1, description="Calls that fail, by all.")]
    p99: Annotated[Seconds, Meta(description="Of how long calls take.")]


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What agents usually do, and how they fare. {} turns it on with its defaults."""

    baseline: Annotated[
        Seconds, Meta(description="So much of the past says what is usual, 1h to 30d.")
    ] = Seconds(7 * 86_400.0)
    samples: Annotated[
        int, Meta(ge=10, le=200, description="With fewer tasks nothing is compared.")
    ] = 30
    idle: Annotated[Seconds, Meta(description="A task without a call for so long is over.")] = (
        Seconds(600.0)
    )
    min_calls: Annotated[
        int, Meta(ge=1, description="With fewer calls no share and no percentile is judged.")
    ] = 20
    anomaly: Far = Far()
    window: Annotated[Seconds, Meta(description="So much of the past says how an agent fares.")] = (
        Seconds(300.0)
    )
    degraded: Ill = Ill(0.05, Seconds(3.0))
    critical: Ill = Ill(0.1, Seconds(5.0))
    layers: Annotated[
        tuple[Literal["llm", "tool", "agent", "http"], ...],
        Meta(description="Whose durations are judged."),
    ] = ("tool", "agent", "http")
    emergency: Annotated[
        float, Meta(gt=0, lt=1, description="More of the agents than this are critical at once.")
    ] = 0.2
    min_agents: Annotated[
        int, Meta(ge=1, description="With fewer agents there is no emergency.")
    ] = 5

    def __post_init__(self) -> None:
        """Raises ValueError for what nothing could be learned under."""
        if not _HOUR <= self.baseline <= 30 * 24 * _HOUR:
            raise ValueError("baseline: expected 1h to 30d")
        if self.idle < 1:
            raise ValueError("idle: expected at least 1s")
        if self.window < 10:
            raise ValueError("window: expected at least 10s")
        if self.critical.errors < self.degraded.errors or self.critical.p99 < self.degraded.p99:
            raise ValueError("critical: expected no less than degraded has")

    @property
    def rules(self) -> Rules:
        """What it comes to."""
        far = self.anomaly
        return Rules(
            baseline=float(self.baseline),
            samples=self.samples,
            score=far.score,
            calls=far.calls,
            cost=far.cost,
            retries=far.retries,
            escalations=far.escalations,
            min_calls=self.min_calls,
            idle=float(self.idle),
            window=float(self.window),
            degraded_errors=self.degraded.errors,
            degraded_p99=float(self.degraded.p99),
            critical_errors=self.critical.errors,
            critical_p99=float(self.critical.p99),
            layers=frozenset(self.layers),
            emergency=self.emergency,
            min_agents=self.min_agents,
        )
