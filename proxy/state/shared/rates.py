"""Rates of a fleet: one limit of one key, kept where all pods meet.

It is GCRA, as in `proxy/state/gcra.py`: a cell is when all that was taken of it will have drained.
Pods *draw* units and spend them without asking; some come back. Three things make that safe.

**A unit drains whether it is used or not.** What comes back is free again only as far as it has not
drained, so each draw is told where in the line it stands. When one comes back, those behind it move
up, and nobody tells the pods that hold them. So the cell counts by how much the line has moved in
all (`shift`), and what comes back later is taken to stand that much further ahead: at worst less of
it is free again than could be.

**What comes late is void.** Each time that a cell begins anew, for it had drained, or goes at
another pace, or the server's clock went back, its line has another `mark`; what was drawn of
another line is no part of it.

**What is owed is charged when it is heard**, also twice, if the first answer was lost. Nothing that
is given back is told twice. Whatever gets lost, a fleet so gets less than it may, and never more.
"""

import math
from typing import Any, NamedTuple

import msgspec

from proxy.state.memory import Memory
from proxy.state.store import Argument, Unreachable, Verb

SLACK = 1e-4
"""Of a unit, as the line is written down in fractions of a microsecond."""
LINGERS = 1_000
"""Milliseconds for which a cell is kept when all of it has drained: another line must not begin in
the moment in which all of one came back."""
LONGEST = 10**15
"""Microseconds (31 years): nothing that is owed makes anybody wait longer."""
VOID = 0
"""The mark of no line."""


class Back(msgspec.Struct, frozen=True):
    """Units that were drawn, and not used."""

    units: int
    end: float  # as `Told` has them
    mark: int
    shift: float


class Told(msgspec.Struct, frozen=True):
    """What came of it."""

    given: int
    ahead: float  # microseconds until all has drained that was taken by anybody
    end: float = 0.0  # where in its line the last of what was given has drained, in microseconds
    mark: int = VOID  # which line that is
    shift: float = 0.0  # by how much it had moved up


class _Cell(NamedTuple):
    tat: float  # microseconds after its mark
    interval: float
    mark: int  # microseconds since 1970
    shift: float
    at: int  # when it was last looked at


class DrawUnits(Verb[Told], frozen=True):
    """Give back, pay, and draw, of one cell."""

    script = "rates_draw"

    cell: str
    epoch: int
    """That the pod knows of. A store that begins another one may have forgotten everything: it
    hears and gives nothing (`VOID`) until the pod knows, and has told what it used."""
    interval: float
    """Microseconds in which one unit drains."""
    burst: int
    least: int = 0
    """So many at least, or none."""
    need: int = 0
    """As many of these as there are; `least` is part of them."""
    want: int = 0
    """`need`, and what would be used soon."""
    parts: int = 2
    """Of what nobody needs now only such a part is given."""
    debt: int = 0
    """Was used beyond what was drawn."""
    alone: int = 0
    """Was used without the store; nobody waits for more than a burst of it."""
    back: tuple[Back, ...] = ()

    def on(self, memory: Memory) -> Told:
        """Part of Verb."""
        name, now = f"rate:{self.cell}", memory.now() * 1000
        epoch = memory.seen("epoch")
        if (epoch.number if epoch else 0) != self.epoch:
            return Told(0, 0.0)
        known: _Cell | None = memory.seen(name)
        cell = self._moved_on(known or _Cell(0.0, self.interval, now, 0.0, now), now)
        since = float(now - cell.mark)
        tat, shift = cell.tat, cell.shift
        for back in self.back:
            free = min(back.units * self.interval, back.end - (shift - back.shift) - since)
            if back.mark == cell.mark and free > 0:
                tat, shift = tat - free, shift + free
        tat = self._charged(max(tat, since), since)
        left = math.floor(self.burst - (tat - since) / self.interval + SLACK)
        given = self._given(left)
        tat += given * self.interval
        if known or tat > since:
            memory.put(name, _Cell(tat, self.interval, cell.mark, shift, now))
            memory.ends(name, math.ceil((tat - since) / 1000) + LINGERS)
        return Told(given, tat - since, tat, cell.mark, shift)

    def _moved_on(self, cell: _Cell, now: int) -> _Cell:
        """Where its pace or the clock is another one, another line begins; as much is left in it to
        drain as before, in units."""
        if cell.interval == self.interval and now >= cell.at:
            return cell
        left = max(0.0, cell.tat - max(now, cell.at) + cell.mark)
        mark = max(now, cell.mark + 1)
        return _Cell(
            left * (self.interval / cell.interval) + (now - mark), self.interval, mark, 0.0, now
        )

    def _charged(self, tat: float, since: float) -> float:
        """With what is owed."""
        tat = max(tat, min(tat + self.alone * self.interval, since + self.burst * self.interval))
        return max(tat, min(tat + self.debt * self.interval, since + LONGEST))

    def _given(self, left: int) -> int:
        """Of so many that there are."""
        if not self.want or left < self.least:
            return 0
        needed = max(0, min(self.need, left))
        return needed + max(0, min(self.want - self.need, (left - needed) // self.parts))

    def args(self) -> list[Argument]:
        """Part of Verb."""
        head: list[Argument] = [self.cell, self.epoch, repr(self.interval), self.burst]
        head += [self.least, self.need, self.want, self.parts, self.debt, self.alone]
        head += [repr(SLACK), LINGERS, LONGEST]
        for back in self.back:
            head += [back.units, repr(back.end), back.mark, repr(back.shift)]
        return head

    def answer(self, reply: Any) -> Told:
        """Part of Verb."""
        try:
            given, ahead, end, mark, shift = reply
            told = Told(
                min(int(given), self.want), float(ahead), float(end), int(mark), float(shift)
            )
        except (TypeError, ValueError) as error:
            raise Unreachable("its answer is none") from error
        if not all(map(math.isfinite, (told.ahead, told.end, told.shift))):
            raise Unreachable("its answer is none")
        return told
