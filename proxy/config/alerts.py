"""Who is told when something is wrong, as policy files write it (spec 5.4)."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from proxy.config.matching import Glob, GlobOrGlobs
from proxy.config.receivers import Receiver
from proxy.config.types import Name
from proxy.observe.alerts.rules import RESOLVES_AFTER
from proxy.units import Seconds


class AlertMatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of which alerts. All keys must hold. A leading ! excludes."""

    severity: Annotated[GlobOrGlobs, Meta(description="page, ticket or info.")] = UNSET
    source: Annotated[
        GlobOrGlobs,
        Meta(
            description="What says so: slo, breaker, budget, kill, approval, loop, anomaly, "
            "health, journal, reload, store, upstream or alerts."
        ),
    ] = UNSET
    name: Annotated[GlobOrGlobs, Meta(description="What it is called, such as CircuitOpen.")] = (
        UNSET
    )
    slo: Annotated[GlobOrGlobs, Meta(description="The SLO that it is of.")] = UNSET
    agent: Annotated[GlobOrGlobs, Meta(description="The agent that it is about.")] = UNSET
    upstream: Annotated[GlobOrGlobs, Meta(description="The upstream that it is about.")] = UNSET
    tool: Annotated[GlobOrGlobs, Meta(description="The tool that it is about.")] = UNSET


class Route(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which alerts go to whom."""

    to: Annotated[tuple[Name, ...], Meta(min_length=1, description="Names of receivers.")]
    match: Annotated[AlertMatch | UnsetType, Meta(description="Default: all.")] = UNSET


class Timing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Other times against flapping, for some alerts."""

    match: Annotated[AlertMatch, Meta(description="For which.")]
    hold_for: Annotated[
        Seconds | UnsetType,
        msgspec.Meta(description="So long it must hold before it fires. Default: as alerts.for."),
    ] = msgspec.field(name="for", default=UNSET)
    resolve_after: Annotated[
        Seconds | UnsetType,
        Meta(description="So long it must be over before it is. Default: as alerts.resolve_after."),
    ] = UNSET


class StepCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tool of the gateway that a step calls."""

    upstream: Annotated[Name, Meta(description="The upstream whose tool it is.")]
    tool: Annotated[Glob, Meta(description="Its name, such as create_dispute.")]
    arguments: Annotated[
        dict[str, Any], Meta(description="What it is called with; texts may have {label} in them.")
    ] = {}


Texts = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=256)], ...], Meta(max_length=16)
]


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is done while an alert fires and nobody has acknowledged it."""

    after: Annotated[
        Seconds, Meta(description="So long after it fires; rising from step to step.")
    ] = Seconds(0.0)
    notify: Annotated[
        tuple[Name, ...], Meta(description="Receivers that are told now, whatever routes say.")
    ] = ()
    tighten: Annotated[
        tuple[Name, ...],
        Meta(description="Policies that are in force only from here on, until it is over."),
    ] = ()
    open_breaker: Annotated[
        Texts,
        Meta(
            description="Circuits that are held open until it is over: UPSTREAM/TOOL, or UPSTREAM."
        ),
    ] = ()
    kill: Annotated[
        Texts, Meta(description="Scopes that are killed, such as agent:{agent}. Nothing lifts it.")
    ] = ()
    call: Annotated[
        tuple[StepCall, ...], Meta(description="Tools of the gateway that are called, once.")
    ] = ()

    def __post_init__(self) -> None:
        """Raises ValueError for a step that does nothing."""
        if not (self.notify or self.tighten or self.open_breaker or self.kill or self.call):
            raise ValueError("a step does something: notify, tighten, open_breaker, kill or call")


class Ladder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A ladder that alerts climb, step by step, until somebody acknowledges them."""

    name: Annotated[Name, Meta(description="Once in this list.")]
    steps: Annotated[
        tuple[Step, ...], Meta(min_length=1, max_length=16, description="The first one first.")
    ]
    match: Annotated[
        AlertMatch | UnsetType,
        Meta(description="Which alerts; of several ladders the first counts."),
    ] = UNSET


class Alerts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is told when something is wrong."""

    receivers: Annotated[tuple[Receiver, ...], Meta(description="Who can be told.")] = ()
    routes: Annotated[
        tuple[Route, ...], Meta(description="Who is told of what; each route that matches counts.")
    ] = ()
    repeat: Annotated[
        Seconds, Meta(description="What still fires is told again after so long.")
    ] = Seconds(4 * 3600.0)
    hold_for: Annotated[
        Seconds, Meta(description="So long something must be wrong before its alert fires.")
    ] = msgspec.field(name="for", default=Seconds(0.0))
    resolve_after: Annotated[
        Seconds, Meta(description="So long it must be over before the alert is.")
    ] = Seconds(RESOLVES_AFTER)
    timing: Annotated[
        tuple[Timing, ...], Meta(description="Other such times; the first that matches counts.")
    ] = ()
    escalation: Annotated[
        tuple[Ladder, ...],
        Meta(description="What is done while nobody has acknowledged an alert."),
    ] = ()
    runbook: Annotated[
        str,
        Meta(max_length=1024, description="A URL for people; may have {name} and labels in it."),
    ] = ""
    dashboard: Annotated[str, Meta(max_length=1024, description="Likewise, of a dashboard.")] = ""
