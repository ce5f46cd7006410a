"""An upstream's standing: what share of its calls it may have. Pure: times and chance come in.

    full ── so many probes failed, or its circuit opened ──▶ none ── well for 60 s ──▶ 5 % ─▶ 25 %
                                                              ▲                                │
    full ◀── 50 % ◀───────────────────────────────────────────┼────────────────────────────────┘
                └───────── a probe failed, or its circuit opened ─┘

It falls at once and rises slowly: an upstream that has just come back has cold caches, and whoever
sends it everything at its first good answer takes it down again. *Well* is: no probe has failed
since, and its circuit is closed. What is not probed has no failed probes, and what has no circuit
has a closed one.

A `Pulse` is felt by probes, once for an upstream. A `Standing` is one for each group of callers
that have a circuit of their own: a circuit that is open for some moves nobody else's calls.
"""

from collections.abc import Callable

import msgspec

from proxy.clock import NEVER

SHARES = (0.05, 0.25, 0.5)
"""The steps on the way back."""

Changed = Callable[[float, str], None]
_ALWAYS = -NEVER


class Pulse:
    """What probes say of an upstream. Times are seconds on `Clock.now`."""

    __slots__ = ("__weakref__", "_failures", "falls", "probed", "since", "well")

    idle = False  # never makes room for others in the Keep

    def __init__(self) -> None:
        self.falls = 0  # how often it was found unwell
        self.probed = False  # somebody feels it
        self.forget()

    def forget(self) -> None:
        """Another upstream stands in its place: nothing is known of that one."""
        self.well = True
        self.since = _ALWAYS  # no probe has failed from here on; NEVER: the last one did
        self._failures = 0  # in a row

    def passed(self, now: float) -> None:
        """A probe found it well."""
        if self._failures:
            self._failures = 0
            self.well = True
            self.since = now

    def failed(self, most: int) -> None:
        """One did not. It is unwell after `most` of them in a row."""
        self._failures += 1
        self.since = NEVER
        if self.well and self._failures >= most:
            self.well = False
            self.falls += 1


class Return(msgspec.Struct, frozen=True):
    """How an upstream comes back; seconds."""

    well_for: float = 60.0
    step: float = 15.0  # how long each share lasts

    def share(self, age: float) -> float:
        """What it may have when it has been well for so long."""
        if age < self.well_for:
            return 0.0
        for number, share in enumerate(SHARES, 1):
            if age < self.well_for + number * self.step:
                return share
        return 1.0


class Orders(msgspec.Struct, frozen=True):
    """What a table has to say of a standing."""

    back: Return
    changed: Changed  # told of each new share, and why: `probes`, `circuit` or `well`


class Standing:
    """See the head of this file."""

    __slots__ = (
        "__weakref__",
        "_closed_since",
        "_orders",
        "_pulse",
        "_share",
        "falls",
        "full",
    )

    def __init__(self, pulse: Pulse, orders: Orders) -> None:
        self._pulse = pulse
        self._orders = orders
        self.full = True  # all of its calls go to it
        self.falls = 0  # those of its pulse that are dealt with
        self._closed_since = _ALWAYS  # its circuit is closed from here on; NEVER: it is not
        self._share = 1.0

    def follow(self, orders: Orders) -> None:
        """Obey what a set of policies says, from now on."""
        self._orders = orders

    @property
    def idle(self) -> bool:
        """May it be forgotten?"""
        return self.full

    def takes(self, now: float, chance: float, *, closed: bool) -> bool:
        """Does this call go to it? `chance` is at least 0 and below 1; `closed`: its circuit is."""
        return chance < self.share(now, closed=closed)

    def share(self, now: float, *, closed: bool) -> float:
        """What it may have now, of 1; a change is told."""
        if not closed:
            self._closed_since = NEVER
        elif self._closed_since == NEVER:
            self._closed_since = now
        share = self.look(now, closed=closed)
        self.falls = self._pulse.falls
        self.full = share == 1.0
        before, self._share = self._share, share
        if share != before:
            fell = "probes" if closed else "circuit"
            self._orders.changed(share, fell if share < before else "well")
        return share

    def look(self, now: float, *, closed: bool) -> float:
        """The same, and nothing changes."""
        if closed and self.full and self.falls == self._pulse.falls:
            return 1.0
        circuit = self._closed_since
        if not closed or circuit == NEVER:
            circuit = now if closed else NEVER
        return self._orders.back.share(now - max(circuit, self._pulse.since))
