"""Every metric of our own: kind, labels and one line about it. `docs/metrics.md` says more."""

import enum

import msgspec


class Kind(enum.Enum):
    """How a metric is read."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


class Metric(msgspec.Struct, frozen=True):
    """What does not change about a metric. `labels` stand in the order of each row's values."""

    kind: Kind
    name: str
    labels: tuple[str, ...]
    help: str


_PER_TOOL = ("upstream", "tool")

CALLS = Metric(
    Kind.COUNTER,
    "holdfast_calls_total",
    (*_PER_TOOL, "layer", "outcome", "reason"),
    "Finished calls.",
)
DURATION = Metric(
    Kind.HISTOGRAM,
    "holdfast_call_duration_seconds",
    _PER_TOOL,
    "From the head of a call to the last byte of its answer.",
)
FIRST_BYTE = Metric(
    Kind.HISTOGRAM,
    "holdfast_time_to_first_byte_seconds",
    _PER_TOOL,
    "From the head of a call to the first byte of its answer to the agent.",
)
OVERHEAD = Metric(
    Kind.HISTOGRAM,
    "holdfast_overhead_seconds",
    _PER_TOOL,
    "Time of Holdfast itself in a call, without waiting for anybody.",
)
ATTEMPTS = Metric(
    Kind.COUNTER, "holdfast_attempts_total", (*_PER_TOOL, "result"), "Sendings upstream."
)
INFLIGHT = Metric(Kind.GAUGE, "holdfast_inflight", _PER_TOOL, "Calls begun and not finished.")
QUEUED = Metric(Kind.GAUGE, "holdfast_queued", _PER_TOOL, "Attempts that stand in queues of ours.")
QUEUE_WAIT = Metric(
    Kind.HISTOGRAM,
    "holdfast_queue_wait_seconds",
    _PER_TOOL,
    "Time that calls stood in queues of ours; those that did not are not in it.",
)
_PERMITS = ("policy", *_PER_TOOL)
BULKHEAD_LIMIT = Metric(
    Kind.GAUGE,
    "holdfast_bulkhead_limit",
    _PERMITS,
    "Permits that there are; upstream and tool are empty where several share them.",
)
BULKHEAD_INFLIGHT = Metric(
    Kind.GAUGE, "holdfast_bulkhead_inflight", _PERMITS, "Permits that are taken."
)
BULKHEAD_SHED = Metric(
    Kind.COUNTER,
    "holdfast_bulkhead_shed_total",
    ("class",),
    "Attempts that got no permit, by their class.",
)
REFUSALS = Metric(
    Kind.COUNTER,
    "holdfast_refusals_total",
    ("code", "policy", "enforced"),
    "Calls refused; enforced=false: would have been, by a policy in shadow mode.",
)
RETRIES = Metric(
    Kind.COUNTER,
    "holdfast_retries_total",
    ("upstream", "decision", "reason"),
    "Repetitions sent and denied.",
)
RETRY_DISABLED = Metric(
    Kind.COUNTER,
    "holdfast_retry_disabled_total",
    ("reason",),
    "Calls sent once only, though their policy has retries.",
)
HEDGES = Metric(
    Kind.COUNTER,
    "holdfast_hedges_total",
    ("upstream", "result"),
    "Second sendings beside a slow one, and what became of them; or why none was sent.",
)
FALLBACKS = Metric(
    Kind.COUNTER,
    "holdfast_fallbacks_total",
    ("from", "to", "result"),
    "Links of fallback chains that were tried: ok, failed, skipped, refused.",
)
BREAKER_STATE = Metric(
    Kind.GAUGE,
    "holdfast_breaker_state",
    (*_PER_TOOL, "state"),
    "1 for the state a circuit is in, 0 for the others; tool is empty for the upstream's own.",
)
BREAKER_TRANSITIONS = Metric(
    Kind.COUNTER,
    "holdfast_breaker_transitions_total",
    (*_PER_TOOL, "from", "to"),
    "Changes of state of circuits.",
)
BREAKER_PROBES = Metric(
    Kind.COUNTER,
    "holdfast_breaker_probes_total",
    (*_PER_TOOL, "result"),
    "Calls let through a half-open circuit to try it.",
)
EXPRESSION_ERRORS = Metric(
    Kind.COUNTER,
    "holdfast_expression_errors_total",
    ("policy", "where"),
    "Conditions of policies that failed when they were asked of a call.",
)
CACHE = Metric(
    Kind.COUNTER,
    "holdfast_cache_total",
    (*_PER_TOOL, "result"),
    "Calls under a cache section, by what came of it: hit, stale, miss, bypass.",
)
CACHE_ENTRIES = Metric(
    Kind.GAUGE, "holdfast_cache_entries", (), "Answers that are kept to be given again."
)
CACHE_BYTES = Metric(Kind.GAUGE, "holdfast_cache_bytes", (), "Memory that they take, about.")
HEALTH_PROBES = Metric(
    Kind.COUNTER,
    "holdfast_health_probes_total",
    ("upstream", "result"),
    "Probes that asked an upstream whether it is well.",
)
UPSTREAM_HEALTHY = Metric(
    Kind.GAUGE,
    "holdfast_upstream_healthy",
    ("upstream",),
    "1: its last probes found the upstream well; 0: they did not. Only of those that are probed.",
)
BAD_REQUESTS = Metric(
    Kind.COUNTER,
    "holdfast_bad_requests_total",
    ("reason",),
    "Requests refused at the door as malformed.",
)
RELOAD_SUCCESS = Metric(
    Kind.GAUGE,
    "holdfast_config_last_reload_success",
    (),
    "1: the policies on disk are the ones in force; 0: they were rejected and older ones rule.",
)
CONFIG = Metric(
    Kind.INFO, "holdfast_config_info", ("policy_version",), "The policies in force, by their hash."
)

COUNTED = (
    RETRIES,
    RETRY_DISABLED,
    BREAKER_TRANSITIONS,
    BREAKER_PROBES,
    BULKHEAD_SHED,
    HEDGES,
    FALLBACKS,
    EXPRESSION_ERRORS,
    CACHE,
    HEALTH_PROBES,
)
"""What stages count, in the keep under ("counts", name of the metric)."""

CIRCUIT_STATES = ("closed", "open", "half_open")
