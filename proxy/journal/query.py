"""Which records are wanted, by what is asked most."""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from proxy.journal.lines import rfc3339
from proxy.record import Payload
from proxy.units import Seconds

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


class _Bodies(msgspec.Struct, frozen=True):
    request: Payload | None = None
    response: Payload | None = None


_facts = msgspec.json.Decoder(Facts).decode
_bodies = msgspec.json.Decoder(_Bodies).decode
_NOT_READ = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def facts(line: bytes) -> Facts | None:
    """None: it is no record."""
    try:
        return _facts(line)
    except _NOT_READ:
        return None


def commitments(line: bytes) -> tuple[str, str] | None:
    """To the request and the answer, as the end of a call says; empty: to none. None: it is no
    record."""
    try:
        found = _bodies(line)
    except _NOT_READ:
        return None
    request, response = found.request, found.response
    return (request.commitment if request else "", response.commitment if response else "")


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
    return re.compile("|".join(map(_glob, texts)), re.DOTALL)


def _glob(text: str) -> str:
    """What stands between stars is taken where it comes first, and never looked for again: the time
    grows with the length of the name, and not with its power to the number of stars."""
    first, *others = map(re.escape, text.split("*"))
    if not others:
        return first
    *between, last = others
    return first + "".join(f"(?>.*?{part})" for part in between if part) + f".*{last}"


def moment(text: str, now: float) -> str:
    """A time as people write it, as records do: ISO 8601 (UTC where it does not say), or how long
    before `now` (seconds since 1970), such as 15m. Raises ValueError, with what is allowed."""
    try:
        return rfc3339(int(max(0, now - Seconds.parse(text)) * 1e9))
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        why = "must be a time such as 2026-11-28T06:00 (UTC), or how long ago, such as 15m"
        raise ValueError(why) from None
    seconds = (found - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    return rfc3339(int(seconds) * 1_000_000_000 + found.microsecond * 1000)


def micros(text: str) -> int:
    """Money as people write it. Raises ValueError, with what is allowed."""
    if not _MONEY.fullmatch(text):
        raise ValueError(f"must be money such as 12 or 0.05, not {text}")
    return int(Decimal(text) * 1_000_000)


_MONEY = re.compile(r"[0-9]{1,9}([.][0-9]{1,6})?")
