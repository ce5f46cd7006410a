"""What a line of the journal may be about, and the entries that are of no call.

An entry is a msgspec Struct that says its `type`, and whose first field is its `id`; its other
fields follow on the line in their order. No floats, and nothing that is null: what is not known is
absent (`omit_defaults`). A call's are in `proxy/record.py`, erasures' in `erasures.py`; those here
are in docs/journal.md.
"""

from typing import ClassVar, Protocol

import msgspec

VERSION = 1
"""Of the format: `v` of every line. A reader reads those before it as well."""

TYPES = (
    "alert.acknowledged", "alert.escalated", "alert.firing", "alert.notified", "alert.resolved",
    "call.intent", "call.finished", "policy.loaded", "kill.engaged", "kill.released",
    "approval.requested", "approval.decided", "approval.consumed", "approval.expired",
    "breaker.changed", "budget.accepted", "budget.alert", "budget.lease", "slo.alert",
    "slo.resolved", "canary.step", "canary.rollback", "config.rejected", "erasure", "prune",
    "recovery", "checkpoint", "start", "stop", "task.ended",
)  # fmt: skip
"""Every type of a line."""

INTENT, FINISHED = "call.intent", "call.finished"


class Entry(Protocol):
    """What can be noted: a msgspec Struct with these."""

    __struct_fields__: ClassVar[tuple[str, ...]]
    type: ClassVar[str]

    @property
    def id(self) -> str:
        """A call's id, or one of its own. The first field of the struct."""
        ...


class Start(msgspec.Struct, frozen=True, omit_defaults=True):
    """The process begins to write."""

    id: str
    version: str = ""  # of Holdfast
    pid: int = 0
    sync: str = ""  # group | each | async
    type: ClassVar[str] = "start"


class Stop(msgspec.Struct, frozen=True, omit_defaults=True):
    """The process ends as it was asked to; nothing is lost."""

    id: str
    reason: str = ""
    type: ClassVar[str] = "stop"


class PolicyLoaded(msgspec.Struct, frozen=True, omit_defaults=True):
    """Policies came into force."""

    id: str
    policy_version: str
    policies: int  # how many
    upstreams: tuple[str, ...]
    before: str = ""  # the version that was in force
    by: str = ""  # who asked for it; absent: the files changed
    type: ClassVar[str] = "policy.loaded"


class ConfigRejected(msgspec.Struct, frozen=True, omit_defaults=True):
    """Policies that were to come into force could not be used."""

    id: str
    problems: tuple[str, ...]  # the first ones
    more: int = 0  # how many are not told
    policy_version: str = ""  # what stays in force
    by: str = ""  # who asked for it; absent: the files changed
    type: ClassVar[str] = "config.rejected"


class BreakerChanged(msgspec.Struct, frozen=True, omit_defaults=True):
    """A circuit went from one state to another."""

    id: str
    upstream: str
    before: str
    after: str
    why: str
    tool: str = ""  # empty: the upstream's own circuit
    bulkhead: str = ""
    open_ms: int = 0  # for so long, where it opened by itself
    by: str = ""  # whose hand it was
    type: ClassVar[str] = "breaker.changed"


class Accepted(msgspec.Struct, frozen=True, omit_defaults=True):
    """A person says that a pod will not come back: what it held counts as spent."""

    id: str
    pod: str
    by: str
    reason: str
    life: int = 0  # absent: nobody knows it
    name: str = ""  # of its machine
    seen: str = ""  # RFC 3339: when it was heard of last
    type: ClassVar[str] = "budget.accepted"


class Before(msgspec.Struct, frozen=True, omit_defaults=True):
    """The segment before this one, as this one's first line names it."""

    segment: int  # 0: there is none
    records: int
    hash: str  # of its last record
    abandoned: str = ""  # why nothing of it counts that stands behind those records


class Head(msgspec.Struct, frozen=True, omit_defaults=True):
    """The first line of every segment: where it stands in the chain and in the tree.

    With `frontier` the segment can be checked without those before it, which may be gone.
    """

    id: str
    origin: str  # of the checkpoints: holdfast/FLEET/WRITER
    segment: int
    before: Before
    size: int  # of the tree, before this line
    root: str
    frontier: tuple[str, ...]  # the tops of its full subtrees, the largest first
    every: tuple[int, int]  # a checkpoint after so many records, or so many seconds
    lost: int = 0  # leaves, up to here, of which not even the hash is known: zeros stand for them
    note: str = ""  # the checkpoint of that size
    type: ClassVar[str] = "checkpoint"


class Recovery(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something was not as it should be, and the journal went on."""

    id: str
    what: str  # torn | tampered | dropped | fsync | key
    file: str = ""
    line: int = 0
    offset: int = 0  # bytes before what was torn off
    bytes: int = 0
    sha256: str = ""  # of what was torn off
    records: int = 0  # dropped
    first: str = ""  # id of the first that was dropped
    last: str = ""
    since: str = ""  # RFC 3339
    detail: str = ""
    type: ClassVar[str] = "recovery"


class Pruned(msgspec.Struct, frozen=True):
    """A segment that was deleted because it was old enough."""

    segment: int
    first: int  # seq
    last: int
    hash: str  # of its last record
    root: str  # of the tree that ends with it


class Prune(msgspec.Struct, frozen=True, omit_defaults=True):
    """What retention deleted. `note` is signed, so that nobody else can explain a gap away."""

    id: str
    segments: tuple[Pruned, ...]
    days: int  # of retention
    note: str
    type: ClassVar[str] = "prune"
