"""Notices that wait to be taken, by receiver and in their order. Bounded; no I/O.

**What people want to be told.** A receiver that was dead for a while is not to be flooded with what
is over. Who calls people (Slack, PagerDuty), and an Alertmanager, is told of each alert as it was
last: a page that could not be delivered, and is resolved by now, wakes nobody any more. Programs
(webhook, gateway) are told all that happened, in its order, for they may keep a history; only a
notice that says again what the one before it says is left out.

**What is dropped where there is no room.** First what a later notice of the same receiver says
anew, then the oldest that is over, then the oldest; each time of the receiver with the most.
"""

from collections.abc import Callable, Iterator

import msgspec
from msgspec.structs import replace

from proxy.observe.alerts.notice import Notice

MOST = 1_000
MOST_BYTES = 8 << 20
"""What waits at most, of all receivers together."""

_size = msgspec.json.Encoder().encode


class _Queue(msgspec.Struct):
    """Of one receiver."""

    notices: dict[str, Notice] = {}  # by id, the oldest first
    flying: str = ""  # the id of the one that is being sent: it is not touched


class Waiting:
    """All that waits. `dropped(notice, why)` hears of what is not told after all."""

    def __init__(
        self,
        dropped: Callable[[Notice, str], None],
        most: int = MOST,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.bytes = 0
        self._dropped = dropped
        self._most = most
        self._most_bytes = most_bytes
        self._queues: dict[str, _Queue] = {}
        self._sizes: dict[str, int] = {}

    def __contains__(self, notice_id: object) -> bool:
        return notice_id in self._sizes

    def __iter__(self) -> Iterator[Notice]:
        """All, receiver by receiver."""
        for queue in self._queues.values():
            yield from queue.notices.values()

    def __len__(self) -> int:
        return len(self._sizes)

    @property
    def receivers(self) -> list[str]:
        """Whom something waits for."""
        return list(self._queues)

    def of(self, receiver: str) -> int:
        """How many wait for one receiver."""
        queue = self._queues.get(receiver)
        return 0 if queue is None else len(queue.notices)

    def those_of(self, receiver: str) -> list[Notice]:
        """Those that wait for one receiver and are not being sent, the oldest first."""
        queue = self._queues.get(receiver, _Queue())
        return [each for each in queue.notices.values() if each.id != queue.flying]

    def add(self, notice: Notice, *, last_only: bool) -> None:
        """The newest. `last_only`: its receiver wants to know of each alert how it was last."""
        queue = self._queues.setdefault(notice.receiver, _Queue())
        self._hold(queue, notice)
        for earlier in list(queue.notices.values()):
            same = earlier.group == notice.group and earlier.id not in (queue.flying, notice.id)
            if same:
                self._supersede(queue, earlier, notice, last_only=last_only)
        while len(self._sizes) > self._most or self.bytes > self._most_bytes:
            victim = self._victim()
            if victim is None:
                return
            self._drop(victim, "dropped")

    def fly(self, receiver: str) -> Notice | None:
        """The oldest of a receiver, which is sent now. `land` follows."""
        queue = self._queues.get(receiver)
        if queue is None:
            return None
        notice = next(iter(queue.notices.values()))
        queue.flying = notice.id
        return notice

    def land(self, receiver: str) -> None:
        """It is not being sent any more; whether it was taken, `done` says."""
        if (queue := self._queues.get(receiver)) is not None:
            queue.flying = ""

    def done(self, notice: Notice) -> None:
        """It waits no more."""
        queue = self._queues.get(notice.receiver)
        if queue is None or queue.notices.pop(notice.id, None) is None:
            return
        self.bytes -= self._sizes.pop(notice.id)
        if not queue.notices:
            del self._queues[notice.receiver]

    def drop(self, receiver: str, why: str) -> None:
        """All that waits for one receiver."""
        queue = self._queues.get(receiver, _Queue())
        for notice in list(queue.notices.values()):
            self._drop(notice, why)

    def _hold(self, queue: _Queue, notice: Notice) -> None:
        before = self._sizes.get(notice.id, 0)
        queue.notices[notice.id] = notice  # in its place, where it is there already
        self._sizes[notice.id] = len(_size(notice))
        self.bytes += self._sizes[notice.id] - before

    def _drop(self, notice: Notice, why: str) -> None:
        self.done(notice)
        self._dropped(notice, why)

    def _supersede(
        self, queue: _Queue, earlier: Notice, notice: Notice, *, last_only: bool
    ) -> None:
        if not last_only:
            if _facts(earlier) == _facts(notice):
                self._drop(earlier, "superseded")
            return
        anew = _fingerprints(notice)
        left = tuple(alert for alert in earlier.alerts if alert.fingerprint not in anew)
        if not left:
            self._drop(earlier, "superseded")
        elif len(left) < len(earlier.alerts):
            self._hold(queue, replace(earlier, alerts=left))

    def _victim(self) -> Notice | None:
        """Who is dropped; None: all are being sent."""
        for queue in sorted(self._queues.values(), key=lambda each: -len(each.notices)):
            idle = [each for each in queue.notices.values() if each.id != queue.flying]
            if idle:
                over = (each for each in idle if each.status == "resolved")
                return _said_anew(idle) or next(over, idle[0])
        return None


def _said_anew(notices: list[Notice]) -> Notice | None:
    """The oldest of which later ones tell all alerts again."""
    later: set[str] = set()
    found = None
    for notice in reversed(notices):
        mine = _fingerprints(notice)
        if mine <= later:
            found = notice
        later |= mine
    return found


def _fingerprints(notice: Notice) -> set[str]:
    return {alert.fingerprint for alert in notice.alerts}


def _facts(notice: Notice) -> set[tuple[str, float, str]]:
    return {(alert.fingerprint, alert.starts_at, alert.status) for alert in notice.alerts}
