"""Who wants to know of each call that has ended. They hear of some at a time, and soon.

To count a call takes a few microseconds, and less than half of that where the same is done for many
in a row: then nothing else has pushed it out of the processor's caches. So records wait for each
other, a moment at most, and whoever reads what was counted, or changes who counts, has all of it
counted before (`catch_up`).

The journal does not wait here. What waits at a crash is counted from there at the next start.
"""

from proxy.clock import Clock
from proxy.record import Record, Recorder

AT_ONCE = 64
"""Records that wait, at most."""
WITHIN = 0.01
"""Seconds that one waits, at most."""


class Recorders:
    """A list of them. On the loop."""

    def __init__(self, clock: Clock) -> None:
        self._now = clock.now
        self._all: list[Recorder] = []
        self._waiting: list[Record] = []
        self._alarm = clock.alarm(self.catch_up)

    def __contains__(self, recorder: Recorder) -> bool:
        return recorder in self._all

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, recorder: Recorder) -> None:
        """It hears of the calls that end from now on."""
        self.catch_up()
        self._all.append(recorder)

    def drop(self, recorder: Recorder) -> None:
        """It hears of no more. It may be none of them."""
        self.catch_up()
        if recorder in self._all:
            self._all.remove(recorder)

    def note(self, record: Record) -> None:
        """Part of Recorder."""
        waiting = self._waiting
        waiting.append(record)
        if len(waiting) >= AT_ONCE:
            self.catch_up()
        elif len(waiting) == 1:
            self._alarm.set(self._now() + WITHIN)

    def catch_up(self) -> None:
        """All have heard of all that was noted, when it returns."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        self._alarm.clear()
        for recorder in tuple(self._all):  # one may leave while it hears
            note = recorder.note
            for record in waiting:
                note(record)

    def close(self) -> None:
        """There is nothing more to hear of."""
        self.catch_up()
        self._alarm.close()
