"""The cells of a limit that all pods of a fleet have in common, and how pods tell of them.

Who draws hears at once of how much there is, so nothing is published. What was drawn and is not
used, and what is owed, is said ten times a second, of those cells of which there is something to
say. When the store may have forgotten all, all that a pod used is told before anything is granted.
"""

import asyncio
from collections.abc import Hashable, Iterable
from typing import Any
from weakref import WeakSet

from proxy.clock import Clock
from proxy.keep import Keep
from proxy.keys import RATES
from proxy.state.cell import Cell
from proxy.state.cells import MOST, Cells
from proxy.state.fleet_cell import FleetCell
from proxy.state.gcra import Pace
from proxy.state.link import Link
from proxy.state.shared.names import digest

_SAYS = 500
"""Cells that say something in one exchange."""
_LASTS = 0.1
"""Seconds after which one exchange says no more."""
_AT_ONCE = 16
"""Messages under way."""


class FleetRates:
    """What a pod has to say of rates. Part of Part."""

    topic = "rates"
    every = 0.1
    idle = False  # never makes room for others in the Keep

    def __init__(self) -> None:
        self._busy: dict[FleetCell, None] = {}
        self._all: WeakSet[FleetCells] = WeakSet()
        self._tells_all = False

    @classmethod
    def of(cls, keep: Keep) -> "FleetRates":
        """That of the process."""
        return keep.of(RATES, cls)

    def add(self, cells: "FleetCells") -> None:
        """There are more."""
        self._all.add(cells)

    def busy(self, cell: FleetCell) -> None:
        """It has something to say, maybe."""
        self._busy[cell] = None

    async def exchange(self, link: Link) -> None:
        """Part of Part."""
        cells = [cell for cell in tuple(self._busy) if self._still(cell) and cell.owing]
        link.leases["rates"] = len(self._busy)
        if self._tells_all:
            await _each(cells)
            self._tells_all = False
        else:
            await self._some(cells[:_SAYS], link.clock)

    async def _some(self, cells: list[FleetCell], clock: Clock) -> None:
        """As many as there is time for, and next time the others: kills and beats wait for this,
        and agents make up names of which each has a cell."""
        until = clock.now() + _LASTS
        for at in range(0, len(cells), _AT_ONCE):
            if clock.now() >= until:
                return
            now = cells[at : at + _AT_ONCE]
            for cell in now:
                del self._busy[cell]
                self._busy[cell] = None
            await _each(now)

    def heard(self, said: bytes) -> None:
        """Part of Part."""

    def anew(self) -> None:
        """Part of Part."""
        self._tells_all = True
        for cell in self._every():
            cell.remembers()

    def lost(self) -> None:
        """Part of Part."""
        for cell in self._every():
            cell.stir()

    async def leave(self, link: Link) -> None:
        """Part of Part."""
        cells = tuple(self._busy)
        for cell in cells:
            cell.close()
        await _each([cell for cell in cells if cell.owing])

    def _still(self, cell: FleetCell) -> bool:
        if not cell.expire():
            del self._busy[cell]
            return False
        return True

    def _every(self) -> list[FleetCell]:
        return [cell for cells in tuple(self._all) for cell in cells.every()]


class FleetCells(Cells):
    """Part of Cells."""

    __slots__ = ("_link", "_names", "_rates")

    def __init__(
        self,
        pace: Pace,
        clock: Clock,
        link: Link,
        rates: FleetRates,
        names: tuple[str, ...],
        most: int = MOST,
    ) -> None:
        """`names`: what sets this limit apart from the fleet's other ones."""
        super().__init__(pace, clock, most)
        self._link = link
        self._rates = rates
        self._names = names
        rates.add(self)

    def every(self) -> list[FleetCell]:
        """All that somebody may hold."""
        crowd = [] if self._crowd is None else [self._crowd]
        return [*self._held.values(), *crowd]  # type: ignore[list-item]  # as _make has made them

    def _make(self, key: Hashable) -> Cell:
        return FleetCell(self.pace, self._clock, self._link, self._name(key), self._rates)

    def _name(self, key: Any) -> str:
        return digest(*self._names, *key)


async def _each(cells: Iterable[FleetCell]) -> None:
    """Let them say what they have to say. Raises Unreachable."""
    waiting = list(cells)
    while waiting:
        now, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
        said = await asyncio.gather(*(cell.tell() for cell in now), return_exceptions=True)
        for problem in said:
            if problem is not None:
                raise problem
