"""What follows while a budget is used up (`on_exhausted`), and until when.

It begins at once. It ends when the budget was not used up for `HELD` in a row: at the edge events
come and go, and what is in force must not with each of them. So an objective changes what is in
force twice in `HELD` at most. A restart looks anew: what is used up then is in force before anybody
is served, and what only waited for its time is over.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from proxy.observe.alerts.condition import Condition
from proxy.observe.slo.objective import Objective

HELD = 600.0
"""Seconds, on the time of windows."""
EXHAUSTED = "SloExhausted"
"""How the alert is called."""
_LASTS = 300.0


class OnExhausted:
    """`obey` for each set of policies, `look` every second or so."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now`: seconds that only grow."""
        self._now = now
        self._objectives: dict[str, Objective] = {}
        self._last: dict[str, float] = {}  # when its budget was seen to be used up last
        self._over: list[Objective] = []  # of which nobody is to be told any more
        self.in_force: frozenset[str] = frozenset()
        """Objectives whose acts are."""

    def obey(self, objectives: Iterable[Objective]) -> None:
        """These are counted. What followed from others is over."""
        before = self._objectives.values()
        self._objectives = {each.name: each for each in objectives if does(each)}
        told = {each.name for each in self._objectives.values() if each.notify}
        self._over += [each for each in before if each.notify and each.name not in told]
        self._last = {name: at for name, at in self._last.items() if name in self._objectives}
        self.in_force = frozenset(self._last)

    def look(self, exhausted: Iterable[str]) -> bool:
        """These are used up now. Is other in force by that than before?"""
        now = self._now()
        for name in exhausted:
            if name in self._objectives:
                self._last[name] = now
        self._last = {name: at for name, at in self._last.items() if now - at < HELD}
        before, self.in_force = self.in_force, frozenset(self._last)
        return before != self.in_force

    def told(self, exhausted: Mapping[str, Mapping[str, str]]) -> Iterator[Condition]:
        """What people are told, where they want to be. `exhausted`: what is used up now, with
        figures of it."""
        over, self._over = self._over, []
        for objective in over:
            yield _condition(objective, None)
        for name, objective in self._objectives.items():
            if objective.notify:
                yield _condition(objective, exhausted.get(name))


def does(objective: Objective) -> tuple[str, ...]:
    """What follows, in the words of the file."""
    given = (
        ("freeze_canary", objective.freeze_canary),
        ("require_approval", objective.require_approval),
        ("notify", objective.notify),
    )
    tightens = (f"tighten: {policy}" for policy in objective.tighten)
    return (*(word for word, so in given if so), *tightens)


def _condition(objective: Objective, figures: Mapping[str, str] | None) -> Condition:
    name, holds = objective.name, figures is not None
    return Condition(
        source="slo",
        name=EXHAUSTED,
        severity="page",
        about={"slo": name, "severity": "page"},
        holds=holds,
        summary=f"{name}: its error budget is used up" if holds else "",
        told={"follows": ", ".join(does(objective)), **figures} if figures is not None else {},
        group=f"slo:{name}",
        lasts=_LASTS,
    )
