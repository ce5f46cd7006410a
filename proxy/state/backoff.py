"""How long a call waits before it is sent again. Pure: times come in, nothing is waited for.

What an upstream asks for is a floor, never shortened: to come back too early is worse than not at
all. Chance makes it longer, as far as there is room.
"""

from collections.abc import Callable
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from proxy.stage import Section
from proxy.units import Seconds

Factor = Annotated[float, Meta(ge=1, le=10)]
Wait: TypeAlias = tuple[float, str]
"""Seconds, and what speaks against them: `pushback`, `deadline`; empty: nothing."""

SPREAD = 0.1
"""Who is told to come back in 10 s comes back in 10 to 11: not all at the same moment."""


class Backoff(Section, frozen=True, kw_only=True):
    """Waiting between attempts: `random(0, min(max, base · factor^n))`."""

    base: Annotated[Seconds, Meta(description="The longest first wait.")] = Seconds(0.1)
    factor: Annotated[Factor, Meta(description="By how much each further wait may be longer.")] = (
        2.0
    )
    max: Annotated[
        Seconds, Meta(description="No wait is longer, unless the upstream asks for it.")
    ] = Seconds(5.0)
    jitter: Annotated[
        Literal["full", "none"],
        Meta(description="full: anything from zero; none: exactly the formula."),
    ] = "full"

    def __post_init__(self) -> None:
        """Raises ValueError for a first wait over the longest one."""
        _check_order(self.base, self.max)


class Throttled(Section, frozen=True, kw_only=True):
    """The same after a throttled attempt: a busy upstream needs longer than a broken one."""

    base: Annotated[Seconds, Meta(description="The longest first wait.")] = Seconds(1.0)
    max: Annotated[
        Seconds, Meta(description="No wait is longer, unless the upstream asks for it.")
    ] = Seconds(20.0)

    def __post_init__(self) -> None:
        """As for the usual waits."""
        _check_order(self.base, self.max)


def _check_order(base: Seconds, longest: Seconds) -> None:
    if base > longest:
        raise ValueError(f"base: must not be longer than max ({longest:g}s), found {base:g}s")


class Waits:
    """The waits of one policy."""

    def __init__(
        self, usual: Backoff, throttled: Throttled, cap: float, chance: Callable[[], float]
    ) -> None:
        """An upstream that asks for more than `cap` seconds is not waited for."""
        self._usual = (float(usual.base), float(usual.max))
        self._throttled = (float(throttled.base), float(throttled.max))
        self._factor = usual.factor
        self._cap = cap
        self._chance = chance if usual.jitter == "full" else None

    def after(self, made: int, room: float, asked: float | None, *, throttled: bool) -> Wait:
        """After so many attempts, where `room` seconds may be waited and so many are `asked`."""
        base, longest = self._throttled if throttled else self._usual
        wait = self._drawn(min(longest, base * self._factor ** (made - 1)))
        if asked is not None:
            floor, objection = self.asked(asked, room)
            if objection:
                return 0.0, objection
            wait = max(wait, floor)
        return (wait, "") if wait <= room else (0.0, "deadline")

    def asked(self, asked: float, room: float) -> Wait:
        """What the upstream asks for alone."""
        if asked > min(self._cap, room):
            return 0.0, "pushback"
        return (asked if self._chance is None else spread(asked, room, self._chance())), ""

    @property
    def told(self) -> str:
        """The first wait and the longest, in words."""
        base, longest = self._usual
        upto = "" if self._chance is None else "up to "
        return f"{upto}{base:g} s, then longer, at most {longest:g} s"

    def _drawn(self, most: float) -> float:
        return most if self._chance is None else self._chance() * most


def spread(wait: float, room: float, chance: float) -> float:
    """A wait that somebody asked for, longer by chance (0 to 1) if there is room for that."""
    longer = wait * (1 + SPREAD * chance)
    return longer if longer <= room else wait
