"""What is counted of one task of one agent, while it lasts; and the sample that it leaves."""

from collections.abc import Sequence

from proxy.record import Record

SIGNALS = ("calls", "tools", "retries", "escalations", "refusals", "tokens", "cost", "counterparts")
"""The values of a sample, in their order."""
MOST_TOOLS = 64
"""Of one task that are told apart."""


class Work:
    """Of one task. Costs are micro-dollars."""

    __slots__ = (
        "again", "asked", "calls", "cost", "last", "refused", "sent", "tokens", "told", "tools",
    )  # fmt: skip

    def __init__(self) -> None:
        self.calls = 0
        self.sent = 0
        self.again = 0  # beyond the first of each call
        self.asked = 0  # people were
        self.refused = 0
        self.tokens = 0
        self.cost = 0
        self.tools: set[str] = set()
        self.last = 0.0
        self.told: set[str] = set()  # signals that are not as usual: then it is not learned

    def note(self, record: Record, at: float) -> None:
        """One more call of it."""
        self.calls += 1
        self.last = at
        sent = len(record.attempts)
        self.sent += sent
        if sent > 1:
            self.again += sent - 1
        if record.approval or record.code == "escalated":
            self.asked += 1
        if record.decision == "refuse":
            self.refused += 1
        if record.tokens is not None:
            self.tokens += record.tokens.get("input", 0) + record.tokens.get("output", 0)
        self.cost += record.cost_micros
        if len(self.tools) < MOST_TOOLS:
            self.tools.add(record.tool)

    @property
    def retries(self) -> float:
        """Sendings again, by all sendings."""
        return self.again / self.sent if self.sent else 0.0

    @property
    def escalations(self) -> float:
        """Calls that people were asked about, by all calls."""
        return self.asked / self.calls if self.calls else 0.0

    def row(self, counterparts: int) -> Sequence[float]:
        """Its sample. `counterparts`: with how many its agent has spoken in a day."""
        return (
            self.calls,
            len(self.tools),
            100 * self.retries,
            100 * self.escalations,
            100 * self.refused / self.calls if self.calls else 0.0,
            self.tokens,
            self.cost,
            counterparts,
        )
