"""Reads what policy files say of operators: SLOs, alerts and mirrors; and judges them together."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from proxy.config.alerts import Alerts
from proxy.config.document import Mapping
from proxy.config.judge import Judged
from proxy.config.mirrors import Mirror
from proxy.config.objectives import misjudged
from proxy.config.places import Place
from proxy.config.shape import MISSING, Shape, kind_of
from proxy.config.slos import Slo, objective_of
from proxy.config.tightening import misnamed
from proxy.config.types import Policy
from proxy.observe.slo.objective import Objective

Listed: TypeAlias = Callable[[Mapping, str, Any], Iterator[tuple[Any, Mapping, str]]]
"""Those entries of a list that can be read: what they say, their node and their path."""


class Operating:
    """What the files say, one after the other."""

    def __init__(self, shape: Shape, listed: Listed) -> None:
        self._shape = shape
        self._listed = listed
        self._names: dict[tuple[str, str], Place] = {}
        self._alerts_at: Place | None = None
        self.slos: list[tuple[Slo, Mapping, str]] = []
        self.mirrors: list[tuple[Mirror, Mapping, str]] = []
        self.alerts = Alerts()

    def file(self, root: Mapping) -> None:
        """Take in one file."""
        for written, node, path in self._listed(root, "slos", Slo):
            self._named("an SLO", written.name, node, path)
            self.slos.append((written, node, path))
        for written, node, path in self._listed(root, "mirrors", Mirror):
            self._named("a mirror", written.name, node, path)
            self.mirrors.append((written, node, path))
        if (key := root.items.get("alerts")) is not None:
            self._take_alerts(key.place, key.node)

    def _named(self, what: str, name: str, node: Mapping, path: str) -> None:
        place = node.items["name"].node.place
        first = self._names.setdefault((what, name), place)
        if first != place:
            message = f"{what} of this name stands at {first.short} already"
            self._shape.wrong(place, f"{path}.name", message)

    def _take_alerts(self, place: Place, node: Any) -> None:
        if self._alerts_at is not None:
            message = f"who is told stands at {self._alerts_at.short} already; it is one mapping"
            self._shape.wrong(place, "alerts", message)
            return
        self._alerts_at = place
        written = self._shape.read(kind_of(Alerts), node, "alerts")
        if written is not MISSING:
            self.alerts = written

    def judged(self, upstreams: list[str], policies: list[Policy]) -> Judged:
        """What only the whole set shows. `upstreams`: all names."""
        counted, acts = misjudged(self.slos, upstreams), misnamed(self.slos, policies)
        return Judged([*counted.errors, *acts.errors], [*counted.warnings, *acts.warnings])

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """The SLOs, as they are counted."""
        return tuple(objective_of(written, node) for written, node, _ in self.slos)
