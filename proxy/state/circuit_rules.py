"""What policies say of circuits: the parts of a breaker section, and their sum."""

from typing import Annotated

import msgspec
from msgspec import Meta

from proxy.stage import Section
from proxy.units import Seconds

Share = Annotated[float, Meta(gt=0, le=1)]


class Slow(Section, frozen=True, kw_only=True):
    """Slow answers open a circuit too."""

    over: Annotated[Seconds, Meta(description="To the first byte of the answer.")] = Seconds(20.0)
    rate: Annotated[
        Share, Meta(description="Open when so many of the window's calls were slow.")
    ] = 0.8

    def __post_init__(self) -> None:
        """Raises ValueError for zero: every call would be slow."""
        if not self.over:
            raise ValueError("over: must be longer than 0")


class Open(Section, frozen=True, kw_only=True):
    """How long a circuit stays open: `min(max, base · factor^n) ± jitter`."""

    base: Annotated[Seconds, Meta(description="The first time.")] = Seconds(5.0)
    factor: Annotated[
        float, Meta(ge=1, le=10, description="Longer each time that probes fail.")
    ] = 2.0
    max: Annotated[Seconds, Meta(description="Never longer, unless the upstream asks for it.")] = (
        Seconds(120.0)
    )
    jitter: Annotated[float, Meta(ge=0, le=0.5, description="So much more or less, by chance.")] = (
        0.25
    )

    def __post_init__(self) -> None:
        """Raises ValueError for a base of zero: such a circuit never opens."""
        if not self.base:
            raise ValueError("base: must be longer than 0")
        if self.base > self.max:
            message = f"base: must not be longer than max ({self.max:g}s), found {self.base:g}s"
            raise ValueError(message)


class CircuitRules(msgspec.Struct, frozen=True):
    """What a policy says of circuits; durations in seconds."""

    consecutive: int = 5
    rate: float = 0.5
    min_calls: int = 5
    window: float = 60.0
    slow_rate: float = 2.0  # of all calls; over 1: never
    open_base: float = 5.0
    open_factor: float = 2.0
    open_max: float = 120.0
    jitter: float = 0.25
    probes: int = 2
    quorum: int = 0  # pods that open it for all of them; 0: by how many live
