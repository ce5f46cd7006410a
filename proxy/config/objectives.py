"""SLOs as they stand in the set: burns that can never fire, windows that nobody remembers."""

from collections.abc import Iterable, Iterator

import msgspec

from proxy.config.document import Mapping, Sequence
from proxy.config.judge import Judged, unknown, unmet
from proxy.config.match import Match
from proxy.config.matching import matched
from proxy.config.places import Place, Problem
from proxy.config.slos import Slo
from proxy.observe.slo.burns import BAD, lowered, most, outage, shown, told, usual
from proxy.observe.slo.objective import FACTS, Objective

MOST = 100
"""SLOs of a set: each takes 44 KiB of memory, and somewhat more of every snapshot."""
LEAST_WINDOW = 60.0
"""Seconds: what is counted is kept by 15 of them."""
_SURE = 1e-9


class Written(msgspec.Struct, frozen=True):
    """An SLO of a file. Part of what `unknown` and `unmet` ask for."""

    slo: Slo
    node: Mapping
    path: str  # slos[2]
    match: Match
    places: dict[str, Place]

    @classmethod
    def of(cls, slo: Slo, node: Mapping, path: str) -> "Written":
        """As it was read."""
        match, places = matched(slo.match, node)
        own = {name: key.node.place for name, key in node.items.items()}
        return cls(slo, node, path, match, own | places)

    @property
    def place(self) -> Place:
        """Of the whole."""
        return self.node.place

    def wrong(self, path: str, message: str, place: Place | None = None) -> Problem:
        """Something is wrong with a key of it."""
        return Problem(place or self.places.get(path, self.place), f"{self.path}.{path}", message)


def misjudged(slos: Iterable[tuple[Slo, Mapping, str]], upstreams: list[str]) -> Judged:
    """What is wrong with SLOs. `upstreams`: all names."""
    errors: list[Problem] = []
    warnings: list[Problem] = []
    for count, each in enumerate(slos, 1):
        written = Written.of(*each)
        if count == MOST + 1:
            errors.append(written.wrong("name", f"at most {MOST} SLOs can be counted"))
        errors += _not_counted(written)
        errors += unknown(written, upstreams)
        errors += _windows(written)
        errors += _burns(written)
        warnings += unmet(written, upstreams)
        warnings += _idle(written)
        warnings += _lowered(written)
    return Judged(errors, warnings)


def _not_counted(written: Written) -> Iterator[Problem]:
    """Records are counted, and they do not have all that a call has."""
    for key in (*sorted(written.match.globs), *(("when",) if written.match.when else ())):
        if key not in FACTS:
            message = f"an SLO cannot ask for it, for no record has it; use {', '.join(FACTS)}"
            yield written.wrong(f"match.{key}", message)


def _windows(written: Written) -> Iterator[Problem]:
    if written.slo.window < LEAST_WINDOW:
        yield written.wrong("window", f"expected at least {told(LEAST_WINDOW)}")
    if written.slo.idle <= 0:
        yield written.wrong("idle", "expected more than 0s")


def _burns(written: Written) -> Iterator[Problem]:
    """Of the alerts that stand there, which cannot fire, and why."""
    slo, found = written.slo, written.node.items.get("alerts")
    if found is None:
        return
    alerts = slo.alerts or ()
    if not isinstance(found.node, Sequence) or len(alerts) != len(found.node.items):
        return  # not all could be read, and that was said
    for i, (alert, node) in enumerate(zip(alerts, found.node.items, strict=True)):
        assert isinstance(node, Mapping)
        places = {name: key.node.place for name, key in node.items.items()}
        at = f"alerts[{i}]"
        if alert.burn * (1 - slo.objective) >= 1 - _SURE:
            yield written.wrong(f"{at}.burn", _never(slo, alert.burn), places["burn"])
        if alert.short < LEAST_WINDOW:
            message = f"expected at least {told(LEAST_WINDOW)}"
            yield written.wrong(f"{at}.short", message, places["short"])
        if alert.long < alert.short:
            message = f"expected at least short, which is {told(alert.short)}"
            yield written.wrong(f"{at}.long", message, places["long"])
        if alert.long > slo.window:
            message = f"expected at most the SLO's own window, {told(slo.window)}"
            yield written.wrong(f"{at}.long", message, places["long"])


def _never(slo: Slo, factor: float) -> str:
    share = factor * (1 - slo.objective)
    nearest = "; ".join(shown(usual(slo.objective, slo.window, slo.min_events)))
    return (
        f"it can never fire: {factor:g} times the budget of {slo.objective:g} are "
        f"{share * 100:.4g} % of all events, and more than all cannot be bad. "
        f"Up to {most(slo.objective):g} can; without alerts these are told: {nearest}"
    )


def _idle(written: Written) -> Iterator[Problem]:
    """What is written and does nothing."""
    slo = written.slo
    for key in ("terminal_tools", "idle"):
        if slo.per == "call" and key in written.node.items:
            yield written.wrong(key, "it does nothing: only tasks have it, and this is per: call")


def _lowered(written: Written) -> Iterator[Problem]:
    """Nobody asked for other alerts than the usual ones."""
    slo = written.slo
    if slo.alerts or not lowered(slo.objective, slo.window):
        return
    burns = usual(slo.objective, slo.window, slo.min_events)
    share = outage(slo.objective, 1).fires_at(slo.objective)
    message = (
        f"the usual alerts could not fire, for more than all events cannot be bad: told are "
        f"{'; '.join(shown(burns))}; each by {BAD:.0%} bad events, and {share:.0%} over 5m at once"
    )
    yield written.wrong("objective", message)


def beyond(slos: Iterable[Objective], retention: float) -> Iterator[Problem]:
    """Those that look back farther than the journal is kept (`audit.retention`)."""
    for each in slos:
        if each.window > retention:
            message = (
                f"its window of {told(each.window)} is longer than the journal is kept "
                f"(audit.retention: {told(retention)}): where its snapshot is lost, so is the rest"
            )
            yield Problem(Place(each.place), f"slos.{each.name}.window", message)
