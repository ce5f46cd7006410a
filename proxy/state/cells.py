"""The cells of one limit, by their keys. Agents make keys up; there is only so much room.

A cell in which something is left to drain is never pushed out: whoever makes up names would be
given its burst anew. So, when all room is taken by such cells, those who find none share one cell,
and owe what is left in it when they find room later. They get less than they should, and nobody
gets more.
"""

from collections import OrderedDict
from collections.abc import Hashable
from weakref import WeakValueDictionary

from proxy.clock import Clock
from proxy.state.cell import Cell
from proxy.state.gcra import Pace

MOST = 10_000
"""Cells of one limit that are kept."""
_LOOKS = 8
"""Cells that are looked at to make room. All of them would take longer than a call may."""
_CROWD = ("", "all others")
"""The key of those who find no room. No other one is of two."""


class Cells:
    """What is kept for one limit, over all reloads."""

    __slots__ = ("__weakref__", "_clock", "_crowd", "_held", "_kept", "_most", "pace")

    idle = False  # never makes room for others in the Keep

    def __init__(self, pace: Pace, clock: Clock, most: int = MOST) -> None:
        self._clock = clock
        self._most = most
        self.pace = pace  # of all; a cell of another pace is to follow before it is asked
        self._kept: OrderedDict[Hashable, Cell] = OrderedDict()  # the one asked for last is last
        self._held: WeakValueDictionary[Hashable, Cell] = WeakValueDictionary()  # these, and more
        self._crowd: Cell | None = None

    def follow(self, pace: Pace) -> None:
        """All go at another pace from now on: where somebody waits at once, for perhaps nobody
        else ever comes there; the others when they are asked for next."""
        if self.pace != pace:  # the same object for the same pace: one look shows that it is
            self.pace = pace
            for cell in list(self._held.values()):
                if cell.waiting:
                    cell.follow(pace)

    def of(self, key: Hashable) -> Cell:
        """The cell of a key; made if there is none. Who holds one asks again if it is not `kept`:
        what is taken of it might be forgotten."""
        cell = self._kept.get(key)
        if cell is None:
            return self._new(key)
        self._kept.move_to_end(key)
        return cell

    def peek(self, key: Hashable) -> Cell:
        """The cell of a key, to look at: what is not there is as good as new."""
        return self._held.get(key) or self._make(key)

    def _make(self, key: Hashable) -> Cell:
        """A new one."""
        return Cell(self.pace, self._clock)

    def _new(self, key: Hashable) -> Cell:
        """One that is not kept. Somebody may still hold it: then no other is made beside it."""
        cell = self._held.get(key)
        if len(self._kept) >= self._most and not self._make_room():
            return self._shared() if cell is None else cell
        if cell is None:
            cell = self._held[key] = self._make(key)
            if self._crowd is not None:
                cell.owe(self._shared())  # perhaps it was he who used it
        self._kept[key] = cell
        cell.kept = True
        return cell

    def _shared(self) -> Cell:
        if self._crowd is None:
            self._crowd = self._make(_CROWD)
        self._crowd.follow(self.pace)
        return self._crowd

    def _make_room(self) -> bool:
        """Of those asked for longest ago, drop one that is idle; the others are young again."""
        for _ in range(min(_LOOKS, len(self._kept))):
            key, cell = self._kept.popitem(last=False)
            if cell.idle:
                cell.kept = False
                return True
            self._kept[key] = cell
        return False
