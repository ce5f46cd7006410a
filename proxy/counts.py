"""Counts: how often something rare happened, by its labels. Read when `/metrics` is scraped.

A stage keeps its counts in the `Keep` under ("counts", name of the metric); shadow stages have
theirs apart, under ("shadow", "counts", name). What happens on every call is not counted here but
drawn from the record.
"""

import msgspec

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
