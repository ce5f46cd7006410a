"""Service level objectives, as policy files write them (spec 5.2)."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from proxy.config.document import Mapping
from proxy.config.matching import Glob, Match, matched
from proxy.config.types import Name
from proxy.observe.slo.burns import outage, usual
from proxy.observe.slo.objective import Burn, Objective
from proxy.units import Money, Seconds

MONTH = 30 * 86_400.0


class Threshold(str):
    """How much is still good: a duration, or US dollars. In memory the text that was written."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "Threshold":
        """Raises ValueError, with what is allowed."""
        try:
            return cls(Seconds.parse(text) and text)
        except ValueError:
            pass
        try:
            return cls(Money.parse(text).dollars)
        except ValueError:
            raise ValueError(
                f"expected a duration such as 5s, or US dollars such as 0.15, found {text!r}"
            ) from None


class BurnAlert(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody is told when the budget burns so fast in both windows."""

    burn: Annotated[
        float,
        Meta(gt=0, le=1000, description="So many times as fast as would use it up in its window."),
    ]
    long: Annotated[Seconds, Meta(description="The window that says that it matters.")]
    short: Annotated[Seconds, Meta(description="The window that says that it goes on.")]
    severity: Annotated[
        Literal["page", "ticket"], Meta(description="page: a person is called now.")
    ] = "page"
    min_events: Annotated[
        int, Meta(ge=1, description="With fewer in the long window nothing is said.")
    ] = 10
    min_bad: Annotated[
        int, Meta(ge=1, description="With fewer bad ones in the long window nothing is said.")
    ] = 2


class Tighten(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A policy that is in force only while a budget is used up."""

    tighten: Annotated[Name, Meta(description="Its name.")]


class Slo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What share of calls or tasks is to be good."""

    name: Annotated[Name, Meta(description="Once in all files.")]
    sli: Annotated[
        Literal["success", "latency", "cost"],
        Meta(description="What makes one good: its end, how long it took, or what it cost."),
    ]
    per: Annotated[
        Literal["call", "task"], Meta(description="What is counted: single calls, or whole tasks.")
    ] = "call"
    objective: Annotated[
        float, Meta(gt=0, lt=1, description="The share that is to be good, such as 0.99.")
    ]
    window: Annotated[Seconds, Meta(description="Over which it is looked at.")] = Seconds(MONTH)
    threshold: Annotated[
        Threshold | UnsetType,
        Meta(description="latency: how long is good. cost: how many US dollars are."),
    ] = UNSET
    match: Annotated[
        Match | UnsetType, Meta(description="For which calls it is. Default: all.")
    ] = UNSET
    terminal_tools: Annotated[
        tuple[Glob, ...], Meta(description="Tools by whose success a task has ended.")
    ] = ()
    idle: Annotated[
        Seconds, Meta(description="A task without a call for so long is abandoned.")
    ] = Seconds(600.0)
    min_events: Annotated[
        int, Meta(ge=1, description="With fewer in its window nothing is said of it.")
    ] = 10
    alerts: Annotated[
        Annotated[tuple[BurnAlert, ...], Meta(min_length=1)] | UnsetType,
        Meta(description="When somebody is told. Default: a set that fits the objective."),
    ] = UNSET
    on_exhausted: Annotated[
        tuple[Literal["freeze_canary", "require_approval", "notify"] | Tighten, ...],
        Meta(description="What follows while its budget is used up."),
    ] = ()

    def __post_init__(self) -> None:
        """Raises ValueError where the threshold is not one of its kind."""
        written = "" if isinstance(self.threshold, UnsetType) else str(self.threshold)
        given = bool(written)
        if given and self.sli == "success":
            raise ValueError("threshold: success has none; only latency and cost do")
        if not given and self.sli != "success":
            raise ValueError(f"{self.sli} needs a threshold: from where on is it bad?")
        timed = given and not written.replace(".", "").isdigit()
        if given and timed != (self.sli == "latency"):
            wanted = "a duration such as 5s" if self.sli == "latency" else "US dollars such as 0.15"
            raise ValueError(f"threshold: of {self.sli} expected {wanted}")


def objective_of(written: Slo, node: Mapping) -> Objective:
    """What it comes to. `node` is the mapping that has it."""
    match, _ = matched(written.match, node)
    acts = written.on_exhausted
    return Objective(
        name=str(written.name),
        sli=written.sli,
        per=written.per,
        objective=written.objective,
        window=float(written.window),
        match=match,
        burns=_burns(written),
        place=node.place.short,
        most_us=int(Seconds.parse(written.threshold) * 1e6) if written.sli == "latency" else 0,
        most_micros=int(Money.parse(written.threshold)) if written.sli == "cost" else 0,
        terminal=written.terminal_tools,
        idle=float(written.idle),
        min_events=written.min_events,
        freeze_canary="freeze_canary" in acts,
        require_approval="require_approval" in acts,
        notify="notify" in acts,
        tighten=tuple(str(act.tighten) for act in acts if isinstance(act, Tighten)),
    )


def _burns(written: Slo) -> tuple[Burn, ...]:
    """Those that are written, or the set that fits; and the rule of all."""
    objective, events = written.objective, written.min_events
    if isinstance(written.alerts, UnsetType):
        burns = usual(objective, float(written.window), events)
    else:
        burns = tuple(
            Burn(
                each.burn,
                float(each.long),
                float(each.short),
                each.severity,
                each.min_events,
                each.min_bad,
            )
            for each in written.alerts
        )
    return (*burns, outage(objective, events))
