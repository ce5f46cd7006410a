"""One table for what a scenario found."""

import sys
from collections.abc import Mapping, Sequence


def show(title: str, rows: Sequence[Mapping[str, object]]) -> None:
    """All rows have the same columns; a number with a fraction gets three digits of it."""
    head = [*rows[0]]
    lines = [head, *([_text(row[name]) for name in head] for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    shown = [
        "  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True))
        for line in lines
    ]
    sys.stdout.write("\n".join(["", title, *shown, ""]))


def _text(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def high(values: Sequence[float], share: float) -> float:
    """The value that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
