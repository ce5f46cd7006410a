"""Every metric of our own: kind, labels and one line about it. `docs/metrics.md` says more."""

import enum

import msgspec

from proxy import counts


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


def _counter(counted: counts.Counted) -> Metric:
    return Metric(Kind.COUNTER, counted.name, counted.labels, counted.help)


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
BREAKER_STATE = Metric(
    Kind.GAUGE,
    "holdfast_breaker_state",
    (*_PER_TOOL, "state"),
    "1 for the state a circuit is in, 0 for the others; tool is empty for the upstream's own.",
)
CACHE_ENTRIES = Metric(
    Kind.GAUGE, "holdfast_cache_entries", (), "Answers that are kept to be given again."
)
CACHE_BYTES = Metric(Kind.GAUGE, "holdfast_cache_bytes", (), "Memory that they take, about.")
COST = Metric(
    Kind.COUNTER,
    "holdfast_cost_micros_total",
    ("agent", *_PER_TOOL, "kind"),
    "What finished calls cost, in micro-dollars, by what it was for.",
)
TOKENS = Metric(
    Kind.COUNTER,
    "holdfast_tokens_total",
    ("agent", *_PER_TOOL, "kind"),
    "Tokens that answers of models said they used; cached ones are input, reasoning is output.",
)
_PER_KEY = ("budget", "key")
BUDGET_LIMIT = Metric(
    Kind.GAUGE,
    "holdfast_budget_limit_micros",
    (*_PER_KEY, "window"),
    "What may be spent in a window that is on; of several keys in one row, of all together.",
)
BUDGET_SPENT = Metric(
    Kind.GAUGE, "holdfast_budget_spent_micros", (*_PER_KEY, "window"), "What was spent in it."
)
BUDGET_RESERVED = Metric(
    Kind.GAUGE,
    "holdfast_budget_reserved_micros",
    (*_PER_KEY, "window"),
    "What is reserved for sendings that are under way.",
)
BUDGET_OVERRUN = Metric(
    Kind.COUNTER,
    "holdfast_budget_overrun_micros_total",
    _PER_KEY,
    "What was spent beyond a limit, for answers were dearer than was thought.",
)
BUDGETS = (BUDGET_LIMIT, BUDGET_SPENT, BUDGET_RESERVED, BUDGET_OVERRUN)
"""Those of budgets."""
UPSTREAM_HEALTHY = Metric(
    Kind.GAUGE,
    "holdfast_upstream_healthy",
    ("upstream",),
    "1: its last probes found the upstream well; 0: they did not. Only of those that are probed.",
)
KILLED = Metric(
    Kind.GAUGE,
    "holdfast_killed",
    ("scope",),
    "1: it is killed; 0: it was. All workflows share `workflow`.",
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
JOURNAL_RECORDS = Metric(
    Kind.COUNTER, "holdfast_journal_records_total", (), "Records of the journal since it began."
)
JOURNAL_BYTES = Metric(
    Kind.COUNTER, "holdfast_journal_bytes_total", (), "Bytes that were written for it."
)
JOURNAL_ERRORS = Metric(
    Kind.COUNTER, "holdfast_journal_errors_total", (), "What its disk did not do."
)
JOURNAL_DROPPED = Metric(
    Kind.COUNTER, "holdfast_journal_dropped_total", (), "Records that were lost."
)
JOURNAL_HELD = Metric(
    Kind.GAUGE, "holdfast_journal_held", (), "Records that are not written yet: its lag."
)
JOURNAL_FSYNC = Metric(
    Kind.HISTOGRAM, "holdfast_journal_fsync_seconds", (), "How long its disk takes to be sure."
)
JOURNAL_WRITABLE = Metric(
    Kind.GAUGE, "holdfast_journal_writable", (), "1: it can be written; 0: records are held."
)
JOURNAL_TAMPERED = Metric(
    Kind.GAUGE, "holdfast_journal_tampered", (), "1: something in it does not hold."
)
JOURNAL_ANCHORED = Metric(
    Kind.COUNTER, "holdfast_journal_anchored_total", ("anchor", "result"), "Checkpoints posted."
)
JOURNAL_ANCHORS_WAITING = Metric(
    Kind.GAUGE, "holdfast_journal_anchors_waiting", ("anchor",), "Checkpoints not taken yet."
)
JOURNAL = (
    JOURNAL_RECORDS, JOURNAL_BYTES, JOURNAL_ERRORS, JOURNAL_DROPPED, JOURNAL_HELD, JOURNAL_FSYNC,
    JOURNAL_WRITABLE, JOURNAL_TAMPERED, JOURNAL_ANCHORED, JOURNAL_ANCHORS_WAITING,
)  # fmt: skip
"""Those of the journal."""
PAYLOADS_KEPT = Metric(
    Kind.COUNTER, "holdfast_payloads_kept_total", (), "Calls whose payload went to the side store."
)
PAYLOADS_LOST = Metric(
    Kind.COUNTER,
    "holdfast_payloads_lost_total",
    ("why",),
    "Calls whose payload should have been kept and was not.",
)
PAYLOADS_HELD = Metric(
    Kind.GAUGE, "holdfast_payloads_held_bytes", (), "Bodies on their way to the side store."
)
PAYLOADS_WRITABLE = Metric(
    Kind.GAUGE, "holdfast_payloads_writable", (), "1: the side store can be written; 0: it cannot."
)
PAYLOADS = (PAYLOADS_KEPT, PAYLOADS_LOST, PAYLOADS_HELD, PAYLOADS_WRITABLE)
"""Those of the side store, where there is one."""
STORE_UP = Metric(
    Kind.GAUGE, "holdfast_store_up", (), "1: the store that pods share answers; 0: it does not."
)
STORE_GATHERING = Metric(
    Kind.GAUGE, "holdfast_store_gathering", (), "1: it grants nothing new until all pods have told."
)
STORE_PODS = Metric(Kind.GAUGE, "holdfast_store_pods", (), "Pods of the fleet that live.")
STORE_SECONDS = Metric(
    Kind.HISTOGRAM, "holdfast_store_operation_seconds", (), "How long its answers take."
)
STORE_FAILURES = Metric(
    Kind.COUNTER, "holdfast_store_failures_total", ("reason",), "What it did not answer."
)
STORE_WAITED = Metric(
    Kind.COUNTER, "holdfast_store_waited_total", (), "Calls that waited for it in vain."
)
STORE_LEASES = Metric(
    Kind.GAUGE, "holdfast_store_leases", ("of",), "Shares that this pod holds of what pods share."
)
STORE = (
    STORE_UP, STORE_GATHERING, STORE_PODS, STORE_SECONDS, STORE_FAILURES, STORE_WAITED,
    STORE_LEASES,
)  # fmt: skip
"""Those of the store, where there is one."""

AGENT_HEALTH = Metric(
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
BEHAVIOUR = (AGENT_HEALTH, ANOMALIES, EMERGENCY)
"""Those of agents, where somebody watches them."""

REFUSALS = _counter(counts.REFUSALS)
COUNTED = tuple(map(_counter, counts.COUNTED))
"""What stages count, under the keys of these."""

CIRCUIT_STATES = ("closed", "open", "half_open")
