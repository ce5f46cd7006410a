"""When behaviour is unusual, and when an agent fares ill. Frozen data; times are seconds."""

import msgspec


class Rules(msgspec.Struct, frozen=True):
    """What a policy file says of it, or the defaults (spec 5.3)."""

    baseline: float = 7 * 86_400.0
    """So much of the past says what is usual."""
    samples: int = 30
    """With fewer nothing is compared."""
    score: float = 3.5
    """Robust z-score from which on something is unusual (Iglewicz and Hoaglin, 1993)."""
    calls: float = 2.0
    """Calls of a task, so many times the usual."""
    cost: float = 3.0
    """The same of its cost."""
    retries: float = 0.2
    """Sendings again, by all sendings."""
    escalations: float = 0.15
    """Calls that people were asked about, by all calls."""
    min_calls: int = 20
    """With fewer calls in a task, or of an agent, no ratio and no percentile is judged."""
    idle: float = 600.0
    """A task without a call for so long is over."""
    window: float = 300.0
    """So much of the past says how an agent fares."""
    degraded_errors: float = 0.05
    degraded_p99: float = 3.0
    critical_errors: float = 0.1
    critical_p99: float = 5.0
    layers: frozenset[str] = frozenset({"tool", "agent", "http"})
    """Whose durations are judged: an answer of a model takes as long as it is long."""
    emergency: float = 0.2
    """More than so many of the agents are critical: it is no agent's own trouble."""
    min_agents: int = 5
    """With fewer agents there is no emergency."""
