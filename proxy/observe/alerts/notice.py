"""A notice: what one receiver is told of a group of alerts; and who sees to it that it is told."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple, Protocol, TypeAlias

import msgspec

from proxy.observe.alerts.condition import Severity, Source
from proxy.observe.alerts.receiver import Receiver
from proxy.observe.family import Family

Status: TypeAlias = Literal["firing", "resolved"]


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """One alert, as it stood when the notice was made."""

    fingerprint: str  # of its labels, the same for each episode: lower-case hex, 64 digits at most
    name: str  # CircuitOpen, SloBurn
    severity: Severity
    source: Source
    starts_at: float  # seconds since 1970 (`Clock.wall`); the same for a whole episode
    ends_at: float = 0.0  # 0: it fires
    summary: str = ""  # one line for people
    labels: dict[str, str] = {}  # what makes it this alert; without name, severity and source
    annotations: dict[str, str] = {}  # figures; `runbook_url` and `dashboard_url` become links

    @property
    def status(self) -> Status:
        """Of this one."""
        return "resolved" if self.ends_at else "firing"

    @property
    def all_labels(self) -> dict[str, str]:
        """As Prometheus would have them."""
        return {
            "alertname": self.name,
            "severity": self.severity,
            "source": self.source,
            **self.labels,
        }


class Whence(NamedTuple):
    """Who tells: it stands in what people and programs read."""

    agent: str
    url: str = ""  # of the admin side; empty: nobody elsewhere could open it


class Notice(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one receiver is told, once: it goes out again with the same id until it is taken."""

    id: str  # `webhook-id`: letters, digits, `-`, `_`; the same for all tries, also after a crash
    receiver: str  # its name
    group: str  # what its alerts have in common, say `slo/task-completion`; not empty
    alerts: tuple[Told, ...]  # at least one; those that fire first
    made_at: float  # seconds since 1970
    left_out: int = 0  # alerts that it had no room for

    @property
    def status(self) -> Status:
        """Of the group: it is resolved when all of its alerts are."""
        return "firing" if any(not one.ends_at for one in self.alerts) else "resolved"


Firing: TypeAlias = Callable[[str], Iterable[Notice]]
"""What fires now and was told to this receiver: for those who forget what is not said again (an
Alertmanager does after five minutes). On the loop; with the alerts as they are now."""


class Delivery(Protocol):
    """Who tells. It outlives the process: what was sent is told, if not now then later."""

    firing: Firing
    """Asked every minute, for receivers that forget. To be set before `run`."""

    def send(self, notice: Notice, /) -> None:
        """Never waits, never raises. For each receiver in the order of sending. One whose id was
        sent before is nothing new: after a crash, what may not have been sent is sent again. A name
        that no receiver has is counted."""

    def obey(self, receivers: Sequence[Receiver], /) -> None:
        """These are the receivers now. What waits for one that is gone is dropped, and counted."""

    def disabled(self, receiver: str, /) -> str:
        """Why it is told nothing (it answered 410); empty: it is told."""

    def trouble(self, receiver: str, /) -> str:
        """Why it most likely is not told at once: it is told nothing, or took nothing the last
        time; empty: it is well."""

    def waiting(self, receiver: str, /) -> int:
        """Notices that it has not taken yet."""

    def families(self) -> Iterator[Family]:
        """What metrics say of it."""

    async def run(self) -> None:
        """Tell, until cancelled."""

    async def stop(self) -> None:
        """What waits stays on disk."""
