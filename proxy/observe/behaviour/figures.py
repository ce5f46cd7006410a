"""What metrics say of agents, where somebody watches them."""

from collections.abc import Iterator

from proxy.observe.behaviour.watch import Watch
from proxy.observe.behaviour.wellness import STATES
from proxy.observe.catalogue import Kind, Metric
from proxy.observe.family import Family, Rows

HEALTH = Metric(
    Kind.GAUGE,
    "holdfast_agent_health",
    ("agent", "state"),
    "1 for how an agent fares, 0 for the others: healthy, degraded, critical, unknown.",
)
ANOMALIES = Metric(
    Kind.COUNTER,
    "holdfast_agent_anomalies_total",
    ("agent", "signal"),
    "Tasks that were not as usual.",
)
EMERGENCY = Metric(
    Kind.GAUGE, "holdfast_fleet_emergency", (), "1: too many agents are critical at once."
)
METRICS = (HEALTH, ANOMALIES, EMERGENCY)


def families(watch: Watch) -> Iterator[Family]:
    """As it was at the last look."""
    health: Rows = {
        (agent.name, state): int(agent.fares.state == state)
        for agent in watch.agents.values()
        if agent.fares is not None
        for state in STATES
    }
    yield Family(HEALTH, health)
    yield Family(ANOMALIES, {**watch.anomalies})
    yield Family(EMERGENCY, {(): int(watch.emergency)})
