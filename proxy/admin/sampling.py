"""Calls as they end, for eyes: a few of each second, and how many there were.

A page cannot show a thousand calls a second, and nobody could read them. So those that went wrong
come first, then others as they come, up to a bound; the rest is a number. A call that is not shown
costs a comparison.
"""

from typing import Any

from proxy.record import Record

EVERY = 1.0
"""Seconds from one sample to the next."""
MOST_WRONG, MOST_WELL = 20, 10
"""Calls in one: of those that did not go well, and of the others."""
_SHORT = (
    "id", "agent", "upstream", "layer", "tool", "method", "workflow", "task", "outcome", "code",
    "policy", "executed", "status", "duration_us", "detail", "cost_micros", "served_by",
)  # fmt: skip
_LONGEST = 256  # characters of what an agent made up
_WELL = frozenset({"ok", "fallback", "stale"})


def short(record: Record) -> dict[str, Any]:
    """What a stream says of a call: nothing that says nothing."""
    held = {name: getattr(record, name) for name in _SHORT}
    told = {name: value for name, value in held.items() if value not in ("", 0)}
    return {**told, "attempts": len(record.attempts)}


class Sample:
    """A recorder that keeps a few."""

    def __init__(self) -> None:
        self._wrong: list[Record] = []
        self._well: list[Record] = []
        self._left_out = 0

    def note(self, record: Record) -> None:
        """Part of Recorder."""
        well = record.outcome in _WELL
        kept, most = (self._well, MOST_WELL) if well else (self._wrong, MOST_WRONG)
        if len(kept) < most:
            kept.append(record)
        else:
            self._left_out += 1

    def take(self) -> dict[str, Any] | None:
        """What was kept since the last time, and how many were not; None: no call has ended."""
        kept, left_out = [*self._wrong, *self._well], self._left_out
        self._wrong, self._well, self._left_out = [], [], 0
        if not kept:
            return None
        return {"calls": [_cut(short(record)) for record in kept], "left_out": left_out}


def _cut(told: dict[str, Any]) -> dict[str, Any]:
    """Not in full, if it is long: `/v1/calls/{id}` has that."""
    return {
        name: value[:_LONGEST] if isinstance(value, str) else value for name, value in told.items()
    }
