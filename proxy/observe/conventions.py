"""Metrics in the words of OpenTelemetry's conventions, for dashboards that know these.

Those of GenAI and MCP are in development (semantic-conventions-genai, as of November 2026): names,
labels and buckets stand here, and nobody else knows them. They are counted for calls of models and
of MCP alone; what a label has no value for is empty there, which to Prometheus is not there.

A record does not say which operation of a model a call was. An answer with tokens in and none out
is an embedding, and so is every call of a model that gave one; all else is told as `chat`.
"""

from proxy.observe.catalogue import Kind, Metric
from proxy.observe.family import Exemplar, Family, Histogram, Labels, Making, Rows, Steps, each
from proxy.observe.names import Names
from proxy.protocols.mcp_asked import EFFECTS, TOOL
from proxy.record import Record

TOKENS = Metric(
    Kind.HISTOGRAM,
    "gen_ai_client_token_usage",
    ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_token_type"),
    "Tokens that an answer of a model said it used.",
)
MODELS = Metric(
    Kind.HISTOGRAM,
    "gen_ai_client_operation_duration_seconds",
    ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "error_type"),
    "How long calls of models took.",
)
MCP = Metric(
    Kind.HISTOGRAM,
    "mcp_client_operation_duration_seconds",
    ("mcp_method_name", "gen_ai_tool_name", "error_type"),
    "How long requests of MCP took.",
)
METRICS = (TOKENS, MODELS, MCP)
"""All of them."""

_OF_TOKENS = tuple(4**power for power in range(14))
_OF_MODELS = tuple(10_000 * 2**power for power in range(14))  # from 10 ms to 81.92 s
_OF_MCP = (
    10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000,
    30_000_000, 60_000_000, 120_000_000, 300_000_000,
)  # fmt: skip
_TYPES = ("input", "output")  # what was cached is part of the one, reasoning of the other
_GOOD = frozenset({"ok", "fallback", "stale"})
_CHAT, _EMBEDDINGS = "chat", "embeddings"
_NOTIFICATIONS = "notifications/"
_NO_REQUESTS = frozenset({"", "response"})  # a session's stream, and what a client answers


class Conventions:
    """Counts them."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._tokens: dict[Labels, Histogram] = {}
        self._models: dict[Labels, Histogram] = {}
        self._mcp: dict[Labels, Histogram] = {}
        self._embed: set[str] = set()  # models, by their labels

    def note(self, record: Record, wall: float) -> None:
        """A call of a model or of MCP has ended; `wall` is now."""
        error = "" if record.outcome in _GOOD else record.code or record.outcome
        if record.layer == "llm":
            self._model(record, error, wall)
        elif record.tool not in _NO_REQUESTS:
            self._count(self._mcp, (*self._asked(record.tool), error), _OF_MCP, record, wall)

    def read(self) -> Steps:
        """All of them, as they are now."""
        yield Family(TOKENS, (yield from _spreads(self._tokens, parts=1)))
        yield Family(MODELS, (yield from _spreads(self._models)))
        yield Family(MCP, (yield from _spreads(self._mcp)))

    def _model(self, record: Record, error: str, wall: float) -> None:
        model = self._names.tools.of(record.tool)
        used = record.tokens or {}
        if used.get("input") and not used.get("output") and not error:
            self._embed.add(model)
        operation = _EMBEDDINGS if model in self._embed else _CHAT
        about = (operation, record.protocol, model)
        self._count(self._models, (*about, error), _OF_MODELS, record, wall)
        for kind in _TYPES:
            if kind in used:
                _of(self._tokens, (*about, kind), _OF_TOKENS).add(used[kind])

    def _asked(self, tool: str) -> tuple[str, str]:
        """The method, and of a tool's call its name."""
        if tool in EFFECTS or tool.startswith(_NOTIFICATIONS):
            return (tool if tool in EFFECTS else self._names.tools.of(tool)), ""
        return TOOL, self._names.tools.of(tool)

    @staticmethod
    def _count(
        held: dict[Labels, Histogram],
        labels: Labels,
        bounds: tuple[int, ...],
        record: Record,
        wall: float,
    ) -> None:
        us = record.duration_us - record.held_us
        histogram = _of(held, labels, bounds)
        histogram.add(us)
        if record.span:
            histogram.remember(Exemplar(record.trace, record.span, us, wall))


def _spreads(held: dict[Labels, Histogram], parts: int = 1_000_000) -> Making[Rows]:
    return each(list(held.items()), lambda histogram: histogram.spread(parts))


def _of(held: dict[Labels, Histogram], labels: Labels, bounds: tuple[int, ...]) -> Histogram:
    histogram = held.get(labels)
    if histogram is None:
        histogram = held[labels] = Histogram(bounds)
    return histogram
