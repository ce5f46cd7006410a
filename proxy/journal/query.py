"""Which records are wanted, by what is asked most."""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime

import msgspec

from proxy.journal.lines import rfc3339

NAMES = ("agent", "tool", "outcome", "workflow", "task", "upstream", "type")
"""What can be asked for by name."""


class Facts(msgspec.Struct, frozen=True):
    """Of a record, what is shown in one line. What it does not say is empty."""

    seq: int
    id: str
    ts: str
    type: str
    agent: str = ""
    workflow: str = ""
    task: str = ""
    upstream: str = ""
    tool: str = ""
    model: str = ""
    decision: str = ""
    code: str = ""
    outcome: str = ""
    executed: str = ""
    status: int = 0
    duration_us: int = 0
    cost_micros: int = 0
    hash: str = ""


_facts = msgspec.json.Decoder(Facts).decode


def facts(line: bytes) -> Facts | None:
    """None: it is no record."""
    try:
        return _facts(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


class Query(msgspec.Struct, frozen=True):
    """All that is given must fit."""

    names: Mapping[str, re.Pattern[str]] = {}
    """By the name of the member, one of NAMES."""
    since: str = ""  # ts; from then on
    until: str = ""  # ts; before then
    least: int = 0  # cost_micros
    most: int | None = None

    def wants(self, record: Facts) -> bool:
        """Does it fit?"""
        if self.since and record.ts < self.since:
            return False
        if self.until and record.ts >= self.until:
            return False
        if record.cost_micros < self.least:
            return False
        if self.most is not None and record.cost_micros > self.most:
            return False
        return all(pattern.fullmatch(getattr(record, name)) for name, pattern in self.names.items())


def pattern(texts: Collection[str]) -> re.Pattern[str]:
    """One of the texts, in each of which a star stands for anything."""
    parts = (".*".join(map(re.escape, text.split("*"))) for text in texts)
    return re.compile("|".join(parts), re.DOTALL)


def moment(text: str) -> str:
    """A time as people write it (ISO 8601; UTC where it does not say) as records do. ValueError."""
    found = datetime.fromisoformat(text)
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    seconds = (found - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    return rfc3339(int(seconds) * 1_000_000_000 + found.microsecond * 1000)
