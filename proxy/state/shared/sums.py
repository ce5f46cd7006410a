"""Sums of a fleet: what all pods counted, minute by minute.

Ratios of pods cannot be added up, nor can their quantiles: counts can, and so can the buckets of a
histogram. So a pod tells how much it has counted in a minute, and whoever asks gets the sums of
some minutes, and makes ratios of those.

**Totals, not differences.** A process says how far it has come in a minute. The store remembers
that beside the sum, and adds only what is more than what it said before. So what is told twice, or
late, or after an answer that was lost, counts once; and all may be told again to a store that has
forgotten something. Totals are of a process: a pod that was restarted counts from zero, as another
one, and what it counted before stays in the sum.

**Minutes are the store's**, since 1970. What is told of one that is over for `KEPT`, or has not
come yet, is not taken: nobody asks for it.
"""

from typing import Any

import msgspec

from proxy.state.memory import Memory
from proxy.state.shared.fleet import Pod
from proxy.state.shared.names import digest, text_of
from proxy.state.store import Answer, Argument, Verb

KEPT = 60
"""Minutes of which the store knows something, that which runs among them."""
MOST = 4_096
"""What is kept of a minute: a place for each process, and for each name. No process is added
beyond."""
MOST_NAMES = 64
"""Of one process in one minute, and of one question; others are passed over."""
_MS = 60_000

Totals = dict[str, int]
"""How many, by a name that has no space in it."""


class Minute(msgspec.Struct, frozen=True):
    """What a process has counted in it, so far."""

    minute: int
    counts: Totals


class Summed(msgspec.Struct, frozen=True):
    """What all pods counted."""

    at: int  # milliseconds, on the store's clock
    counts: Totals  # of each name that was asked for, also if nobody knows it
    pods: tuple[str, ...]  # that told of these minutes


class _Kept(msgspec.Struct):
    """Of one minute."""

    sums: Totals = {}
    said: dict[str, Totals] = {}  # by process


class TellSums(Verb[None], frozen=True):
    """So much this process has counted. `of`: what was counted; counts of other things do not
    meet."""

    script = "sums_tell"

    pod: Pod
    of: str
    minutes: tuple[Minute, ...]

    @property
    def _who(self) -> str:
        return f"{self.pod.id} {self.pod.life} {self.pod.mark}"

    def on(self, memory: Memory) -> None:
        """Part of Verb."""
        now = memory.now() // _MS
        tellers: dict[str, int] = memory.of(_tellers(self.of), dict)
        for each in self.minutes:
            if now - KEPT < each.minute <= now + 1 and self._told(memory, each):
                tellers[self.pod.id] = max(tellers.get(self.pod.id, 0), each.minute)
        for pod in [pod for pod, newest in tellers.items() if newest <= now - KEPT]:
            del tellers[pod]
        memory.ends(_tellers(self.of), KEPT * _MS)

    def _told(self, memory: Memory, each: Minute) -> bool:
        name = _name(self.of, each.minute)
        kept: _Kept = memory.of(name, _Kept)
        if self._who not in kept.said and len(kept.said) + len(kept.sums) >= MOST:
            return False
        said = kept.said.setdefault(self._who, {})
        for count, number in each.counts.items():
            more = number - said.get(count, 0)
            if more > 0 and (count in said or len(said) < MOST_NAMES):
                said[count] = number
                kept.sums[count] = kept.sums.get(count, 0) + more
        memory.ends(name, KEPT * _MS)
        return True

    def args(self) -> list[Argument]:
        """Part of Verb."""
        args: list[Argument] = [self._who, self.pod.id, digest(self.of), KEPT, MOST, MOST_NAMES]
        for each in self.minutes:
            args += [each.minute, len(each.counts)]
            for count, number in each.counts.items():
                args += [count, number]
        return args

    def answer(self, reply: Any) -> None:
        """Part of Verb."""


class _OfLate(Verb[Answer], frozen=True):
    """Asks what was counted of something in the last minutes: that which runs, and those before."""

    of: str
    minutes: int
    names: tuple[str, ...]

    @property
    def _minutes(self) -> int:
        return min(self.minutes, KEPT)

    @property
    def _names(self) -> tuple[str, ...]:
        return self.names[:MOST_NAMES]

    def args(self) -> list[Argument]:
        """Part of Verb."""
        return [digest(self.of), self._minutes, *self._names]


class Sums(_OfLate[Summed], frozen=True):
    """The sums of the last minutes: of that which runs, and those before it."""

    script = "sums"

    def on(self, memory: Memory) -> Summed:
        """Part of Verb."""
        now, counts = memory.now(), dict.fromkeys(self._names, 0)
        first = now // _MS - self._minutes + 1
        for minute in range(first, now // _MS + 1):
            kept = memory.seen(_name(self.of, minute))
            for name in self._names if kept is not None else ():
                counts[name] += kept.sums.get(name, 0)
        tellers: dict[str, int] = memory.seen(_tellers(self.of)) or {}
        pods = sorted(pod for pod, newest in tellers.items() if newest >= first)
        return Summed(now, counts, tuple(pods))

    def answer(self, reply: Any) -> Summed:
        """Part of Verb."""
        at, sums, pods = msgspec.convert(reply, tuple[int, list[bytes], list[bytes]])
        counts = dict(zip(self._names, map(int, sums), strict=True))
        return Summed(at, counts, tuple(sorted(map(text_of, pods))))


class ByMinute(msgspec.Struct, frozen=True):
    """What all pods counted, each minute by itself."""

    at: int  # milliseconds, on the store's clock
    minutes: tuple[Minute, ...]  # of which anything was told; each with all names that were asked


class SumsByMinute(_OfLate[ByMinute], frozen=True):
    """The sums of each of the last minutes. A minute of which nothing was told is not there; one in
    which nobody counted anything is."""

    script = "sums_by_minute"

    def on(self, memory: Memory) -> ByMinute:
        """Part of Verb."""
        now, minutes = memory.now(), []
        for minute in range(now // _MS - self._minutes + 1, now // _MS + 1):
            kept = memory.seen(_name(self.of, minute))
            if kept is not None:
                counts = {name: kept.sums.get(name, 0) for name in self._names}
                minutes.append(Minute(minute, counts))
        return ByMinute(now, tuple(minutes))

    def answer(self, reply: Any) -> ByMinute:
        """Part of Verb."""
        at, rows = msgspec.convert(reply, tuple[int, list[list[bytes]]], strict=False)
        found = ((int(minute), map(int, numbers)) for minute, *numbers in rows)
        return ByMinute(
            at,
            tuple(
                Minute(minute, dict(zip(self._names, numbers, strict=True)))
                for minute, numbers in found
            ),
        )


def _tellers(of: str) -> str:
    return f"sums:{digest(of)}"


def _name(of: str, minute: int) -> str:
    return f"sums:{digest(of)}:{minute}"
