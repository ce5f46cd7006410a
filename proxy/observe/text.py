"""The two texts that Prometheus reads, written piece by piece.

The library's writer makes an object of each sample first: ten times the work of this one, which the
loop would feel. Which text it is is said by `open_metrics`; only that one has exemplars.
"""

from collections.abc import Iterable, Iterator
from itertools import accumulate

from proxy.observe.catalogue import Kind, Metric
from proxy.observe.family import Exemplar, Family, Labels, Spread

LINES = 400
"""Lines of a piece, about: a quarter of a millisecond of work."""


class Writer:
    """Writes families in one of the two formats."""

    def __init__(self, open_metrics: bool) -> None:
        self._open = open_metrics
        self._bounds: dict[tuple[tuple[int, ...], int], tuple[str, ...]] = {}

    def pieces(self, families: Iterable[Family]) -> Iterator[str]:
        """The text; what ends it in OpenMetrics is not in it."""
        piece: list[str] = []
        lines = 0
        for family in families:
            piece.append(self._head(family.metric))
            for labels, value in family.rows.items():
                if isinstance(value, Spread):
                    piece.append(self._histogram(family.metric, labels, value))
                    lines += len(value.counts)
                else:
                    name = _named(family.metric.name, family.metric, labels)
                    piece.append(f"{name} {float(value)}\n")
                    lines += 1
                if lines >= LINES:
                    yield "".join(piece)
                    piece.clear()
                    lines = 0
        yield "".join(piece)

    def _head(self, metric: Metric) -> str:
        name, kind = metric.name, metric.kind.value
        if self._open:
            name = name.removesuffix("_total" if metric.kind is Kind.COUNTER else "_info")
        elif metric.kind is Kind.INFO:
            kind = Kind.GAUGE.value
        said = metric.help.replace("\\", r"\\").replace("\n", r"\n")
        if self._open:
            said = said.replace('"', r"\"")
        return f"# HELP {name} {said}\n# TYPE {name} {kind}\n"

    def _histogram(self, metric: Metric, labels: Labels, spread: Spread) -> str:
        start = _named(f"{metric.name}_bucket", metric, labels).removesuffix("}")
        start += "," if metric.labels else "{"
        upto = list(accumulate(spread.counts))
        bounds = self._shown(spread)
        lines = [f"{start}{bound} {float(n)}\n" for bound, n in zip(bounds, upto, strict=True)]
        if self._open:
            for bucket, exemplar in spread.exemplars.items():
                lines[bucket] = f"{lines[bucket][:-1]}{_beside(exemplar)}\n"
        lines.append(f"{_named(f'{metric.name}_count', metric, labels)} {float(upto[-1])}\n")
        total = spread.sum_us / spread.parts
        lines.append(f"{_named(f'{metric.name}_sum', metric, labels)} {total}\n")
        return "".join(lines)

    def _shown(self, spread: Spread) -> tuple[str, ...]:
        """The label of each bucket, and the end of its labels."""
        key = spread.bounds, spread.parts
        found = self._bounds.get(key)
        if found is None:
            shown = (f'le="{bound / spread.parts!r}"}}' for bound in spread.bounds)
            found = self._bounds[key] = (*shown, 'le="+Inf"}')
        return found


def _beside(exemplar: Exemplar) -> str:
    """What stands behind a bucket's number."""
    value, wall = exemplar.us / 1e6, exemplar.wall
    return f' # {{trace_id="{exemplar.trace}",span_id="{exemplar.span}"}} {value} {wall:.3f}'


def _named(name: str, metric: Metric, labels: Labels) -> str:
    """A sample's name and its labels, in the order of their names."""
    if not labels:
        return name
    pairs = sorted(zip(metric.labels, labels, strict=True))
    return name + "{" + ",".join([f'{label}="{escaped(value)}"' for label, value in pairs]) + "}"


def escaped(value: str) -> str:
    """As it stands between the quotes of a label."""
    if "\\" in value or '"' in value or "\n" in value:
        return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return value
