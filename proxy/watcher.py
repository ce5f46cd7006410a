"""Hears of calls that have ended, and hands each record to all who draw from it."""

from proxy.journal.taking import Parcel
from proxy.observe.logs import Log
from proxy.observe.metrics import Metrics
from proxy.record import Record, Recorder
from proxy.trail import Trail


class Watcher:
    """Hears of calls, and of what is none."""

    def __init__(self, metrics: Metrics, trail: Trail, log: Log, others: list[Recorder]) -> None:
        """`others` may come and go."""
        self._metrics = metrics
        self._trail = trail
        self._log = log
        self._others = others

    def note(self, record: Record) -> None:
        """Part of Watcher."""
        self._metrics.note(record)
        self._trail.note(record)
        if self._others:
            self._tell(record)

    def keep(self, parcel: Parcel) -> None:
        """Part of Watcher."""
        self._metrics.note(parcel.record)
        self._trail.side_store.keep(parcel)
        if self._others:
            self._tell(parcel.record)

    def _tell(self, record: Record) -> None:
        for other in self._others:
            other.note(record)

    def bad_request(self, reason: str) -> None:
        """Part of Watcher."""
        self._metrics.bad_requests.add(reason)
        self._log.limited("bad request", reason)

    def bug(self, error: BaseException, call: str = "") -> None:
        """Part of Watcher."""
        self._log.bug(error, call)
