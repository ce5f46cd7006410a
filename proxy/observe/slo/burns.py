"""When somebody is told that a budget burns: the sets of burns that fit an objective.

A burn of 14.4 over an hour is 2 % of the budget of 30 days. The share is what it stands for: where
an objective looks at another window, the share stays and the factor follows
(`factor = share * window / long`, as sloth has it). The shares are those of the SRE Workbook,
chapter 5; those for low objectives are sloth's.

**A burn may never fire.** Bad events are all of them at most, so a burn is `1 / (1 - objective)` at
most: 10 where the objective is 0.9, and 14.4 is never reached, however bad it is. So low objectives
have shorter windows, and no factor of a set is higher than what 90 % bad events give. Nor is one
lower than `LEAST`: a budget that burns slower than that outlasts its window, and somebody would be
told for as long as nothing is wrong.

**An outage is an outage.** Whatever the set is, half of all events bad over five minutes is told.
"""

from collections.abc import Iterator

from proxy.observe.slo.objective import Burn, Objective, Severity

LOW = 0.97
"""Under this an objective has the set for low ones."""
BAD = 0.9
"""With such a share of bad events every burn of a set fires."""
LEAST = 0.9
"""Factors of a set are not lower: 28 days give 0.933 for the slowest one."""
OUTAGE = 0.5
"""The share of bad events over `OUTAGE_WINDOW` that is an outage."""
OUTAGE_WINDOW = 300.0
MIN_BAD = 2
"""With one bad event of few nobody is called."""

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0
_Share = tuple[float, float, float, Severity]  # of the budget; long, short, how urgent
_TICKETS: tuple[_Share, ...] = (
    (0.10, _DAY, 2 * _HOUR, "ticket"),
    (0.10, 3 * _DAY, 6 * _HOUR, "ticket"),
)
USUAL: tuple[_Share, ...] = (
    (0.02, _HOUR, 5 * _MINUTE, "page"),
    (0.05, 6 * _HOUR, 30 * _MINUTE, "page"),
    *_TICKETS,
)
FOR_LOW: tuple[_Share, ...] = (
    (0.01, 30 * _MINUTE, 2 * _MINUTE, "page"),
    (0.02, 3 * _HOUR, 15 * _MINUTE, "page"),
    *_TICKETS,
)


def usual(objective: float, window: float, min_events: int) -> tuple[Burn, ...]:
    """The set of an objective that says nothing of alerts. Windows longer than its own are not in
    it."""
    return tuple(
        Burn(
            _reachable(share * window / long, objective), long, short, severity, min_events, MIN_BAD
        )
        for share, long, short, severity in _shares(objective)
        if long <= window
    )


def outage(objective: float, min_events: int) -> Burn:
    """The rule that always is. An objective that allows more bad events than that has its own
    share of them."""
    share = max(OUTAGE, 1 - objective)
    factor = _plain(share / (1 - objective))
    return Burn(factor, OUTAGE_WINDOW, OUTAGE_WINDOW, "page", min_events, MIN_BAD, outage=True)


def lowered(objective: float, window: float) -> bool:
    """Is there a burn of the usual set that could not fire?"""
    return any(
        share * window / long * (1 - objective) >= 1 for share, long, *_ in USUAL if long <= window
    )


def most(objective: float) -> float:
    """The highest factor that is worth having, to be written in a file."""
    return int(BAD / (1 - objective) * 100 + 1e-6) / 100


def windows(objective: Objective) -> tuple[float, ...]:
    """Those that its burns look at, and its own; the shortest first."""
    asked = {window for burn in objective.burns for window in (burn.short, burn.long)}
    asked.add(objective.window)
    return tuple(sorted(asked))


def told(window: float) -> str:
    """A window as it is written: 5m, 1h, 3d."""
    for unit, seconds in (("d", _DAY), ("h", _HOUR), ("m", _MINUTE)):
        if window >= seconds and window % seconds == 0:
            return f"{int(window // seconds)}{unit}"
    return f"{window:g}s"


def shown(burns: tuple[Burn, ...]) -> Iterator[str]:
    """Each as a file would write it, for people."""
    for burn in burns:
        yield f"{burn.factor:.4g} over {told(burn.long)} and {told(burn.short)} ({burn.severity})"


def _shares(objective: float) -> tuple[_Share, ...]:
    return FOR_LOW if objective < LOW else USUAL


def _reachable(factor: float, objective: float) -> float:
    highest = BAD / (1 - objective)
    return _plain(min(max(factor, LEAST), highest))


def _plain(factor: float) -> float:
    """14.4, and not 14.399999999999999."""
    return round(factor, 6)
