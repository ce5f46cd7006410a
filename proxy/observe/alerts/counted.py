"""What is counted of telling people."""

from proxy.observe.catalogue import Kind, Metric

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
DELIVERY = (NOTIFICATIONS, RECEIVER_STATE, QUEUED, QUEUED_BYTES, QUEUE_DURABLE)
"""All of them, in the order in which they are told."""
