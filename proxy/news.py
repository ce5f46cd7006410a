"""News: what a person should know at once, told to whoever listens (the log, the journal).

Kept in the `Keep` under NEWS, so that listeners outlive a reload.
"""

from collections.abc import Callable
from typing import ClassVar, TypeAlias

import msgspec

_NEARLY = 90  # percent of a budget

MOST = 1_000
"""Events that are remembered as told."""


class CircuitChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """A circuit went from one state to another: closed, open or half_open."""

    word: ClassVar[str] = "circuit"

    upstream: str
    tool: str  # empty: the circuit of the upstream itself
    before: str
    after: str
    why: str  # of CIRCUIT_WHY
    open_for: float  # seconds; 0 unless it opened
    bulkhead: str = ""  # whose circuit; left out where it is that of agents that are in none
    by: str = ""  # whose hand it was

    @property
    def grave(self) -> bool:
        """Should somebody look at it soon?"""
        return self.after == "open"


CIRCUIT_WHY = {
    "consecutive": "failures in a row",
    "rate": "too many failed",
    "slow": "too many were slow",
    "probe_failed": "a probe failed",
    "open_time_over": "its time was over",
    "probes_passed": "probes passed",
    "by_hand": "by hand",
    "fleet": "the fleet agrees",
}
"""Why a circuit changed, to people."""


class TrafficChange(msgspec.Struct, frozen=True):
    """An upstream that has backups lost its calls to them, or gets some or all of them back."""

    word: ClassVar[str] = "traffic"

    upstream: str
    backups: tuple[str, ...]
    percent: int  # of its calls that go to it from now on
    why: str  # probes | circuit | well
    bulkhead: str = ""  # whose calls; empty: those of agents that are in none

    @property
    def grave(self) -> bool:
        """Should somebody look at it soon?"""
        return not self.percent


class Escalation(msgspec.Struct, frozen=True):
    """An upstream forbids a call, and a person is to say whether it may be."""

    word: ClassVar[str] = "escalated"

    upstream: str
    tool: str
    agent: str
    status: int


class ApprovalChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """People are asked about a call, or it was decided, or nobody did in time."""

    word: ClassVar[str] = "approval"

    id: str
    state: str  # requested | review | approved | denied | expired | broken_glass
    agent: str
    upstream: str
    tool: str
    policy: str
    needs: int = 0  # people who must agree
    by: str = ""  # who decided
    why: str = ""  # what was said

    @property
    def grave(self) -> bool:
        """Should somebody look at it soon?"""
        return self.state in {"requested", "broken_glass"}


class JournalChange(msgspec.Struct, frozen=True):
    """The journal can be written again, or cannot, or something is wrong with it."""

    word: ClassVar[str] = "journal"

    state: str  # ok | full | stuck | failed | tampered | trouble
    why: str

    @property
    def grave(self) -> bool:
        """Should somebody look at it soon?"""
        return self.state != "ok"


class PayloadsChange(msgspec.Struct, frozen=True):
    """The side store of payloads can be written again, or cannot. Calls go on either way."""

    word: ClassVar[str] = "payloads"

    state: str  # ok | full | busy | disk | damaged | key | closed
    why: str
    lost: int  # calls whose payload the disk did not take, since the start

    @property
    def grave(self) -> bool:
        """Should somebody look at it soon?"""
        return self.state != "ok"


class KillChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something is killed, or goes on."""

    word: ClassVar[str] = "kill"

    scope: str
    state: str  # engaged | released
    reason: str
    by: str
    origin: str  # admin | file | policies | signal | alerts | budget | loop
    pod: str = ""  # where; left out where it was here

    @property
    def grave(self) -> bool:
        """Should somebody look at it soon?"""
        return self.state == "engaged"


class KillTrouble(msgspec.Struct, frozen=True):
    """Somebody meant to kill something, and it cannot be told what, or it cannot be done."""

    word: ClassVar[str] = "kill"
    grave: ClassVar[bool] = True

    message: str


class Overlap(msgspec.Struct, frozen=True):
    """Policies contradict each other where they overlap; it was made safe."""

    word: ClassVar[str] = "overlap"
    grave: ClassVar[bool] = True

    message: str


class UpstreamTrouble(msgspec.Struct, frozen=True):
    """What an upstream says leads its agents astray."""

    word: ClassVar[str] = "upstream"
    grave: ClassVar[bool] = True

    upstream: str
    message: str


class StoreChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """The store that pods share is there, or is not, or has a say again."""

    word: ClassVar[str] = "store"

    state: str  # up | down | gathering | open | foreign | ended
    why: str = ""

    @property
    def grave(self) -> bool:
        """Should somebody look at it soon?"""
        return self.state in {"down", "gathering", "foreign", "ended"}


class TracesChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """Spans of calls are taken by their collector, or are not."""

    word: ClassVar[str] = "traces"

    state: str  # missing: there is nothing here that could send them | failing | well
    why: str = ""

    @property
    def grave(self) -> bool:
        """Should somebody look at it soon?"""
        return self.state != "well"


class ReloadChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """Policies came into force, or could not be used."""

    word: ClassVar[str] = "reload"

    state: str  # reloaded | failed
    policy_version: str  # of those in force
    problems: tuple[str, ...] = ()

    @property
    def grave(self) -> bool:
        """Should somebody look at it soon?"""
        return self.state == "failed"


class Looped(msgspec.Struct, frozen=True, omit_defaults=True):
    """An agent repeats itself, and it was stopped for it, or people were asked."""

    word: ClassVar[str] = "loop"

    rule: str
    step: str  # refuse | approve | kill
    agent: str
    upstream: str
    tool: str
    workflow: str = ""

    @property
    def grave(self) -> bool:
        """Should somebody look at it soon?"""
        return True


class AlertChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """An alert fires, or is over, or somebody has said that it is seen to."""

    word: ClassVar[str] = "alert"

    id: str
    state: str  # firing | resolved | acknowledged
    name: str
    severity: str  # page | ticket | info
    summary: str
    about: dict[str, str] = {}
    by: str = ""

    @property
    def grave(self) -> bool:
        """Should somebody look at it soon?"""
        return self.state == "firing" and self.severity != "info"


class DeliveryChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """A receiver cannot be told of alerts, or can be again; or what waits to be told is at risk."""

    word: ClassVar[str] = "delivery"

    state: str  # ok | failing | disabled | full | disk | damaged
    why: str = ""
    receiver: str = ""  # left out where it is about all

    @property
    def grave(self) -> bool:
        """Should somebody look at it soon?"""
        return self.state != "ok"


class MirrorChange(msgspec.Struct, frozen=True):
    """A mirror does not get on, or does again, or could not tell something."""

    word: ClassVar[str] = "mirror"

    mirror: str
    state: str  # ok | failing | gone | gap | aside | moved | damaged | budget | failed
    why: str

    @property
    def grave(self) -> bool:
        """Should somebody look at it soon?"""
        return self.state not in {"ok", "moved"}


class BudgetChange(msgspec.Struct, frozen=True):
    """A part of a budget is spent for which somebody wants to be told."""

    word: ClassVar[str] = "budget"

    budget: str
    key: str  # whose
    window: str
    percent: int  # of its limit
    spent: str  # US dollars, in this window
    limit: str
    resets_at: str | None  # None: never

    @property
    def grave(self) -> bool:
        """Should somebody look at it soon?"""
        return self.percent >= _NEARLY


Change: TypeAlias = (
    AlertChange
    | ApprovalChange
    | BudgetChange
    | CircuitChange
    | DeliveryChange
    | TrafficChange
    | JournalChange
    | PayloadsChange
    | KillChange
    | KillTrouble
    | Looped
    | MirrorChange
    | Overlap
    | ReloadChange
    | StoreChange
    | TracesChange
    | UpstreamTrouble
)
Event: TypeAlias = Change | Escalation


class News(msgspec.Struct, weakref=True):
    """Who listens. A listener never waits and never raises."""

    listeners: list[Callable[[Event], None]] = []
    idle: bool = False  # never makes room for others in the Keep
    once: set[Event] = set()  # that were told, and are not to be told again

    def tell(self, event: Event) -> None:
        """Tell every listener."""
        for listener in self.listeners:
            listener(event)

    def tell_once(self, event: Event) -> None:
        """Tell every listener, unless it was told before."""
        if event not in self.once:
            if len(self.once) >= MOST:
                self.once.clear()
            self.once.add(event)
            self.tell(event)
