"""What metrics say of notices and their receivers."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from proxy.observe.catalogue import Kind, Metric
from proxy.observe.family import Family, Labels, Rows

NOTIFICATIONS = Metric(
    Kind.COUNTER,
    "holdfast_alerts_notifications_total",
    ("receiver", "result"),
    "What became of what a receiver was to be told; failed counts tries.",
)
RECEIVER_STATE = Metric(
    Kind.GAUGE,
    "holdfast_alerts_receiver_state",
    ("receiver", "state"),
    "1 for how a receiver takes what it is told, 0 for the others.",
)
QUEUED = Metric(
    Kind.GAUGE, "holdfast_alerts_queued", ("receiver",), "Notices that wait to be taken."
)
QUEUED_BYTES = Metric(Kind.GAUGE, "holdfast_alerts_queued_bytes", (), "Their size.")
QUEUE_DURABLE = Metric(
    Kind.GAUGE,
    "holdfast_alerts_queue_durable",
    (),
    "1: what waits would outlive a crash. 0: the disk does not take it.",
)

STATES = ("ok", "failing", "disabled")
METRICS = (NOTIFICATIONS, RECEIVER_STATE, QUEUED, QUEUED_BYTES, QUEUE_DURABLE)
"""All of them, in the order in which they are told."""


class Standing(NamedTuple):
    """How one receiver takes what it is told."""

    state: str  # one of STATES
    waiting: int  # notices


def families(
    receivers: Mapping[str, Standing], results: Mapping[Labels, int], size: int, *, durable: bool
) -> Iterator[Family]:
    """All of them. `results`: by receiver and result; `size`: bytes of all that waits."""
    states: Rows = {
        (name, state): int(state == standing.state)
        for name, standing in receivers.items()
        for state in STATES
    }
    queued: Rows = {(name,): standing.waiting for name, standing in receivers.items()}
    yield Family(NOTIFICATIONS, {**results})
    yield Family(RECEIVER_STATE, states)
    yield Family(QUEUED, queued)
    yield Family(QUEUED_BYTES, {(): size})
    yield Family(QUEUE_DURABLE, {(): int(durable)})
