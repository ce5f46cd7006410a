"""What is left of a budget, how fast it burns, and what somebody is told of it.

    budget      = 1 - objective                     the share of events that may be bad
    burn(w)     = (bad(w) / total(w)) / budget      1: it is used up when the window ends
    remaining   = 1 - bad / (budget * total)        over the whole window; may be negative

A burn is told when it is over its factor in both of its windows. There is nothing to remember from
look to look: the short window is what ends it. So a restart changes nothing, and an alert that was
firing goes on by its name (`alerts/condition.py`).

**Few events say little.** A window with fewer than `min_events`, or fewer bad ones than `min_bad`,
tells nothing; and of an objective with few events in its window nobody says that it is met. One bad
event alone uses up no budget, whatever the arithmetic has to say of nine good ones.
"""

from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias, get_args

import msgspec

from proxy.observe.alerts.condition import Condition
from proxy.observe.slo.burns import MIN_BAD, told, windows
from proxy.observe.slo.objective import Burn, Objective, Severity
from proxy.observe.slo.ring import HOUR, Sums

State: TypeAlias = Literal["ok", "burning", "exhausted", "insufficient_data"]
STATES: tuple[State, ...] = get_args(State)
BURN = "SloBurn"
"""How the alert is called; there is one of each objective and severity."""
LASTS = 300.0
"""Seconds after which it is over where nobody says so, for the objective is gone."""
_SURE = 1e-9  # for what floats make of 0.5
Over: TypeAlias = Callable[[float], Sums]
"""What was counted in the last so many seconds."""


class Standing(msgspec.Struct, frozen=True):
    """How an objective stands."""

    state: State
    sums: Sums  # of its window
    remaining: float  # of the budget: 1 all, 0 none, less: so much more was used
    burns: tuple[Burn, ...]  # that hold
    exhausts_in: float | None  # seconds, as it burns now; None: it does not come to that
    windows: dict[float, Sums]  # those of its alerts, and its own


def burn_rate(objective: Objective, sums: Sums) -> float:
    """How many times as fast as the budget allows."""
    return sums.ratio / (1 - objective.objective)


def holds(burn: Burn, objective: Objective, over: Over) -> bool:
    """Does it burn so fast, in both windows?"""
    long = over(burn.long)
    if long.total < burn.min_events or long.bad < burn.min_bad:
        return False
    share = burn.fires_at(objective.objective)
    return _beyond(burn, long, share) and (
        burn.long == burn.short or _beyond(burn, over(burn.short), share)
    )


def _beyond(burn: Burn, sums: Sums, share: float) -> bool:
    enough = share * sums.total
    if burn.outage:
        return sums.bad > 0 and sums.bad >= enough - _SURE
    return sums.bad > enough + _SURE


def look(objective: Objective, over: Over) -> Standing:
    """How it stands now."""
    found = {window: over(window) for window in windows(objective)}
    sums = found[objective.window]
    remaining = 1 - burn_rate(objective, sums)
    burns = tuple(burn for burn in objective.burns if holds(burn, objective, found.__getitem__))
    # Where nothing burns too fast, an hour says how fast it does.
    last = found[burns[0].long] if burns else over(float(HOUR))
    return Standing(
        state=_state(objective, sums, remaining, bool(burns)),
        sums=sums,
        remaining=remaining,
        burns=burns,
        exhausts_in=_exhausts_in(objective, sums, remaining, burn_rate(objective, last)),
        windows=found,
    )


def _state(objective: Objective, sums: Sums, remaining: float, burns: bool) -> State:
    used_up = sums.bad > 0 and remaining <= _SURE
    if used_up and sums.total >= objective.min_events and sums.bad >= MIN_BAD:
        return "exhausted"
    if burns:
        return "burning"
    return "insufficient_data" if used_up or sums.total < objective.min_events else "ok"


def _exhausts_in(objective: Objective, sums: Sums, remaining: float, rate: float) -> float | None:
    """While the window fills, the budget grows with its events; then old ones leave it."""
    if remaining <= _SURE:
        return 0.0 if sums.bad else None
    if rate <= 1:
        return None
    filling = sums.seen * remaining / (rate - 1)
    return min(filling, objective.window * remaining / rate)


class Burning:
    """What is told of one objective: what holds, again and again; and once that it is over."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        """It may change: what holds by another one is the same alert."""
        self._held: dict[Severity, bool] = {}

    def tells(self, standing: Standing) -> Iterator[Condition]:
        """After each look. At the first one also what does not hold: it may have, before."""
        for severity in ("page", "ticket"):
            burns = tuple(burn for burn in standing.burns if burn.severity == severity)
            if burns or self._held.get(severity, True):
                yield self._condition(severity, burns, standing)
            self._held[severity] = bool(burns)

    def ends(self) -> Iterator[Condition]:
        """The objective is counted no more."""
        for severity, held in self._held.items():
            if held:
                yield self._said(severity, holds=False)

    def _condition(
        self, severity: Severity, burns: tuple[Burn, ...], standing: Standing
    ) -> Condition:
        if not burns:
            return self._said(severity, holds=False)
        worst = burns[0]
        long, short = standing.windows[worst.long], standing.windows[worst.short]
        fast = burn_rate(self.objective, long)
        return self._said(
            severity,
            holds=True,
            summary=(
                f"{self.objective.name}: {long.bad} of {long.total} bad in {told(worst.long)}, "
                f"{fast:.3g} times what its budget allows"
            ),
            told={
                **_figures("long", self.objective, long),
                **_figures("short", self.objective, short),
                "rule": "; ".join(map(_rule, burns)),
                **of_budget(self.objective, standing),
            },
        )

    def _said(
        self,
        severity: Severity,
        *,
        holds: bool,
        summary: str = "",
        told: dict[str, str] | None = None,
    ) -> Condition:
        name = self.objective.name
        return Condition(
            source="slo",
            name=BURN,
            severity=severity,
            about={"slo": name, "severity": severity},
            holds=holds,
            summary=summary,
            told=told or {},
            group=f"slo:{name}",
            lasts=LASTS,
        )


def of_budget(objective: Objective, standing: Standing) -> dict[str, str]:
    """What people are told of the whole budget."""
    sums = standing.sums
    return {
        "objective": f"{objective.objective:g}",
        "budget_remaining": f"{standing.remaining:.4f}",
        "events": f"{sums.total} in {told(sums.window)}, {sums.bad} bad",
        "coverage": f"{sums.coverage:.3f}",
        "exhausts_in": _in(standing.exhausts_in),
    }


def _figures(which: str, objective: Objective, sums: Sums) -> dict[str, str]:
    return {
        f"{which}_window": told(sums.window),
        f"{which}_burn": f"{burn_rate(objective, sums):.3f}",
        f"{which}_events": str(sums.total),
        f"{which}_bad": str(sums.bad),
    }


def _rule(burn: Burn) -> str:
    if burn.outage:
        return f"outage over {told(burn.long)}"
    return f"{burn.factor:g} over {told(burn.long)} and {told(burn.short)}"


def _in(seconds: float | None) -> str:
    """As people write it, in two of its units at most; `never`, or `now`."""
    if seconds is None:
        return "never"
    minutes = int(seconds // 60)
    if minutes < 1:
        return "now" if seconds <= 0 else "1m"
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    parts = [f"{n}{unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if n]
    return " ".join(parts[:2])
