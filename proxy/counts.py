"""Counts: how often something happened that only a stage knows of.

What stages count stands in one table here, from which both they and the catalogue of metrics have
names and labels. The numbers lie in the `Keep`; shadow stages have theirs apart. What happens on
every call is not counted here but drawn from the record.
"""

import msgspec

from proxy.keys import CountsKey

MOST = 5_000
"""Rows of one metric. An agent can make up names that are labels: from there on it is `other`."""


class Counts(msgspec.Struct, weakref=True):
    """Numbers that only grow. `labels` are the label names, in the order of each row's values."""

    labels: tuple[str, ...]
    rows: dict[tuple[str, ...], int] = {}
    idle: bool = False  # never makes room for others in the Keep

    def add(self, *values: str) -> None:
        """It happened once more."""
        self.more(values)

    def more(self, values: tuple[str, ...]) -> None:
        """The same for values that are put together once, by who counts on every call."""
        rows = self.rows
        number = rows.get(values)
        if number is None:
            if len(rows) >= MOST:
                values = ("other",) * len(values)
            number = rows.get(values, 0)
        rows[values] = number + 1


class Counted(msgspec.Struct, frozen=True):
    """A metric that stages count: `ground.kept(RETRIES.key, RETRIES.counts)`."""

    name: str
    labels: tuple[str, ...]
    help: str

    @property
    def key(self) -> CountsKey:
        """Where its counts lie in the Keep."""
        return CountsKey(self.name)

    def counts(self) -> Counts:
        """Nothing counted yet."""
        return Counts(self.labels)


RETRIES = Counted(
    "holdfast_retries_total",
    ("upstream", "decision", "reason"),
    "Repetitions sent and denied.",
)
RETRY_DISABLED = Counted(
    "holdfast_retry_disabled_total",
    ("reason",),
    "Calls sent once only, though their policy has retries.",
)
BREAKER_TRANSITIONS = Counted(
    "holdfast_breaker_transitions_total",
    ("upstream", "tool", "from", "to"),
    "Changes of state of circuits.",
)
BREAKER_PROBES = Counted(
    "holdfast_breaker_probes_total",
    ("upstream", "tool", "result"),
    "Calls let through a half-open circuit to try it.",
)
BULKHEAD_SHED = Counted(
    "holdfast_bulkhead_shed_total",
    ("class",),
    "Attempts that got no permit, by their class.",
)
HEDGES = Counted(
    "holdfast_hedges_total",
    ("upstream", "result"),
    "Second sendings beside a slow one, and what became of them; or why none was sent.",
)
FALLBACKS = Counted(
    "holdfast_fallbacks_total",
    ("from", "to", "result"),
    "Links of fallback chains that were tried: ok, failed, skipped, refused.",
)
EXPRESSION_ERRORS = Counted(
    "holdfast_expression_errors_total",
    ("policy", "where"),
    "Conditions of policies that failed when they were asked of a call.",
)
CACHE = Counted(
    "holdfast_cache_total",
    ("upstream", "tool", "result"),
    "Calls under a cache section, by what came of it: hit, stale, miss, bypass.",
)
LOOPS = Counted(
    "holdfast_loops_total",
    ("rule", "step"),
    "Calls by which an agent repeated itself, and what was done: note, refuse, approve, kill.",
)
CHAINS_IGNORED = Counted(
    "holdfast_chains_ignored_total",
    ("reason",),
    "Call chains of which something did not count.",
)
HEALTH_PROBES = Counted(
    "holdfast_health_probes_total",
    ("upstream", "result"),
    "Probes that asked an upstream whether it is well.",
)
UNRECORDED = Counted(
    "holdfast_journal_missed_total",
    ("entry",),
    "Calls that went on though the journal could not make their intent or record durable.",
)
COST_UNKNOWN = Counted(
    "holdfast_cost_unknown_total",
    ("upstream", "tool"),
    "Sendings that nobody has said the price of.",
)
APPROVALS = Counted(
    "holdfast_approvals_total",
    ("state",),
    "Requests to people, by what became of them.",
)
REFUSALS = Counted(
    "holdfast_refusals_total",
    ("code", "policy", "enforced"),
    "Calls refused; enforced=false: would have been, by a policy in shadow mode.",
)
"""By stages only where a shadow would have refused; the others are in the records."""

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
    LOOPS,
    CHAINS_IGNORED,
    HEALTH_PROBES,
    UNRECORDED,
    COST_UNKNOWN,
    APPROVALS,
)
"""Those of which stages alone know."""
