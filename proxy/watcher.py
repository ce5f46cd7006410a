"""Hears of calls that have ended, and hands each record to the trail and to who counts."""

from proxy.counts import Counts
from proxy.journal.taking import Parcel
from proxy.observe.logs import Log
from proxy.record import Record
from proxy.recorders import Recorders
from proxy.trail import Trail


class Watcher:
    """Hears of calls, and of what is none."""

    def __init__(self, trail: Trail, log: Log, recorders: Recorders, bad_requests: Counts) -> None:
        self._trail = trail
        self._log = log
        self._hear = recorders.note
        self._bad_requests = bad_requests

    def note(self, record: Record) -> None:
        """Part of Watcher."""
        self._trail.note(record)
        self._hear(record)

    def keep(self, parcel: Parcel) -> None:
        """Part of Watcher."""
        self._trail.side_store.keep(parcel)
        self._hear(parcel.record)

    def bad_request(self, reason: str) -> None:
        """Part of Watcher."""
        self._bad_requests.add(reason)
        self._log.limited("bad request", reason)

    def bug(self, error: BaseException, call: str = "") -> None:
        """Part of Watcher."""
        self._log.bug(error, call)
