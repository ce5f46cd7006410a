"""Reads what policy files say of operators: SLOs, alerts and mirrors; and judges them together."""

from collections.abc import Callable, Collection, Iterator
from collections.abc import Mapping as ByName
from typing import Any, TypeAlias

from proxy.config.alerts import Alerts
from proxy.config.behaviour import Behaviour
from proxy.config.document import Mapping
from proxy.config.judge import Judged
from proxy.config.mirrors import Mirror
from proxy.config.misalerted import Written, misalerted
from proxy.config.misdirected import misdirected
from proxy.config.objectives import misjudged
from proxy.config.places import Place
from proxy.config.shape import MISSING, Shape, kind_of
from proxy.config.slos import Slo, objective_of
from proxy.config.tightening import misnamed
from proxy.config.types import Policy, Upstream
from proxy.observe.behaviour.rules import Rules
from proxy.observe.slo.objective import Objective

Listed: TypeAlias = Callable[[Mapping, str, Any], Iterator[tuple[Any, Mapping, str]]]
"""Those entries of a list that can be read: what they say, their node and their path."""


class Operating:
    """What the files say, one after the other."""

    def __init__(self, shape: Shape, listed: Listed) -> None:
        self._shape = shape
        self._listed = listed
        self._names: dict[tuple[str, str], Place] = {}
        self._once: dict[str, Place] = {}
        self._alerts_node: Any = None
        self.slos: list[tuple[Slo, Mapping, str]] = []
        self.mirrors: list[tuple[Mirror, Mapping, str]] = []
        self.alerts = Alerts()
        self.behaviour: Behaviour | None = None

    def file(self, root: Mapping) -> None:
        """Take in one file."""
        for written, node, path in self._listed(root, "slos", Slo):
            self._named("an SLO", written.name, node, path)
            self.slos.append((written, node, path))
        for written, node, path in self._listed(root, "mirrors", Mirror):
            self._named("a mirror", written.name, node, path)
            self.mirrors.append((written, node, path))
        if (alerts := self._single(root, "alerts", Alerts)) is not None:
            self.alerts, self._alerts_node = alerts, root.items["alerts"].node
        self.behaviour = self._single(root, "behaviour", Behaviour) or self.behaviour

    def _named(self, what: str, name: str, node: Mapping, path: str) -> None:
        place = node.items["name"].node.place
        first = self._names.setdefault((what, name), place)
        if first != place:
            message = f"{what} of this name stands at {first.short} already"
            self._shape.wrong(place, f"{path}.name", message)

    def _single(self, root: Mapping, name: str, kind: Any) -> Any:
        """A mapping that stands in one file only; None: not in this one, or it cannot be read."""
        if (key := root.items.get(name)) is None:
            return None
        first = self._once.setdefault(name, key.place)
        if first != key.place:
            message = f"it stands at {first.short} already; it is one mapping for all files"
            self._shape.wrong(key.place, name, message)
            return None
        written = self._shape.read(kind_of(kind), key.node, name)
        return None if written is MISSING else written

    @property
    def rules(self) -> Rules | None:
        """Of behaviour; None: nobody watches."""
        return None if self.behaviour is None else self.behaviour.rules

    def misled(self, upstreams: Collection[str], policies: Collection[str]) -> Judged:
        """What is wrong with alerts beside what else there is."""
        known = {
            "upstream": frozenset(upstreams),
            "policy": frozenset(policies),
            "slo": frozenset(written.name for written, *_ in self.slos),
        }
        return misalerted(Written(self.alerts, self._alerts_node), known)

    def judged(
        self,
        upstreams: ByName[str, Upstream],
        names: ByName[str, Place],
        policies: list[Policy],
    ) -> Judged:
        """What only the whole set shows. `names`: also of upstreams that could not be read."""
        found = (
            misjudged(self.slos, list(names)),
            misnamed(self.slos, policies),
            misdirected(self.mirrors, upstreams, names),
        )
        errors = [error for each in found for error in each.errors]
        return Judged(errors, [warning for each in found for warning in each.warnings])

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """The SLOs, as they are counted."""
        return tuple(objective_of(written, node) for written, node, _ in self.slos)
