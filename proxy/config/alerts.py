"""Who is told when something is wrong, as policy files write it (spec 5.4)."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from proxy.config.matching import Glob
from proxy.config.receivers import Receiver
from proxy.config.types import Name
from proxy.units import Seconds

Globs = Glob | Annotated[tuple[Glob, ...], Meta(min_length=1)] | UnsetType


class Matched(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of which alerts. All keys must hold."""

    severity: Globs = UNSET
    source: Globs = UNSET
    name: Globs = UNSET
    slo: Globs = UNSET
    agent: Globs = UNSET
    upstream: Globs = UNSET
    tool: Globs = UNSET


class Route(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which alerts go to whom."""

    to: Annotated[tuple[Name, ...], Meta(min_length=1, description="Names of receivers.")]
    match: Annotated[Matched | UnsetType, Meta(description="Default: all.")] = UNSET


class Alerts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is told when something is wrong."""

    receivers: Annotated[tuple[Receiver, ...], Meta(description="Who can be told.")] = ()
    routes: Annotated[
        tuple[Route, ...], Meta(description="Who is told of what; each route that matches counts.")
    ] = ()
    repeat: Annotated[
        Seconds, Meta(description="What still fires is told again after so long.")
    ] = Seconds(4 * 3600.0)
