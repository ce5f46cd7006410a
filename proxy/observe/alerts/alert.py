"""One alert: which it is, how it stands, and what was done about it."""

import hashlib
from typing import Any, Literal, TypeAlias

import msgspec

from proxy.observe.alerts.condition import Condition
from proxy.observe.alerts.notice import Told
from proxy.units import in_utc

Key: TypeAlias = tuple[Any, ...]
"""What makes an alert this one and no other: source, name, severity and labels."""
NEVER = float("inf")

LONGEST = 256
"""Characters of a name or of a label: agents make up some of them."""
LONGEST_TEXT = 1_000
"""Characters of a summary or of an annotation."""
MOST_LABELS = 32
"""Labels, and annotations, of one alert."""


def key_of(condition: Condition) -> Key:
    """Cheap: it is asked each time that a source says something."""
    about = condition.about
    return (
        condition.source,
        condition.name,
        condition.severity,
        *(sorted(about.items()) if len(about) > 1 else about.items()),
    )


def fingerprint(condition: Condition) -> str:
    """32 hex digits of what makes it this alert; the same in each process and on each pod."""
    labels = [
        condition.source,
        condition.name,
        condition.severity,
        *sorted(condition.about.items()),
    ]
    return hashlib.sha256(msgspec.json.encode(labels)).hexdigest()[:32]


def bounded(condition: Condition) -> Condition:
    """The same, or as much of its labels as is taken."""
    about = condition.about
    if len(about) <= MOST_LABELS and all(
        type(text) is str and len(text) <= LONGEST and text.isprintable() for text in about.values()
    ):
        return condition
    return msgspec.structs.replace(condition, about=_cut(about, LONGEST))


def clean(text: str, longest: int = LONGEST_TEXT) -> str:
    """What a terminal, a chat and JSON can show: no controls, no halves of characters."""
    text = str(text)[:longest]
    return text if text.isprintable() else ascii(text)[1:-1]


def _cut(texts: dict[str, str], longest: int) -> dict[str, str]:
    kept = list(texts.items())[:MOST_LABELS]
    return {clean(name, LONGEST): clean(text, longest) for name, text in kept}


def labels_of(condition: Condition) -> dict[str, str]:
    """What routes and ladders look at."""
    return {
        **condition.about,
        "source": condition.source,
        "name": condition.name,
        "severity": condition.severity,
    }


class Act(msgspec.Struct, frozen=True):
    """Something that a step of a ladder did."""

    kind: str  # notify | tighten | open_breaker | kill | call
    what: str  # a receiver, a policy, UPSTREAM or UPSTREAM/TOOL, a scope, UPSTREAM/TOOL


def act_of(text: str) -> Act:
    """What `Alert.shown` and a snapshot say, back."""
    kind, _, what = text.partition(" ")
    return Act(kind, what)


class Alert(msgspec.Struct):
    """Times are seconds on the clock that only goes forward, but for those `_at`: since 1970."""

    fingerprint: str
    condition: Condition
    id: str = ""  # of the episode; empty: it is pending, and nobody was told of it
    starts_at: float = 0.0  # when it fired
    ends_at: float = 0.0  # 0: it fires
    holds: bool = True
    since: float = 0.0  # since when it holds, or does not
    lapses: float = NEVER  # when it is over unless it is said again
    confirmed: bool = True  # its source has said it since the start of this process
    told: dict[str, float] = {}  # to which receivers, and when the last time
    acknowledged_by: str = ""
    acknowledged_at: float = 0.0
    ladder: str = ""  # that it climbs
    steps: int = 0  # of it that were done
    climbed: float = 0.0  # seconds
    acts: tuple[Act, ...] = ()  # what they did

    @property
    def firing(self) -> bool:
        """Does it fire, or is it about to be over?"""
        return bool(self.id) and not self.ends_at

    @property
    def state(self) -> Literal["pending", "firing", "resolved"]:
        """As people see it."""
        if self.ends_at:
            return "resolved"
        return "firing" if self.id else "pending"

    @property
    def group(self) -> str:
        """What it is told together with."""
        return self.condition.group or self.fingerprint

    @property
    def summary(self) -> str:
        """One line for people."""
        return clean(self.condition.summary)

    @property
    def annotations(self) -> dict[str, str]:
        """Figures, and what to do."""
        return _cut(self.condition.told, LONGEST_TEXT)

    @property
    def labels(self) -> dict[str, str]:
        """What routes and ladders look at."""
        return labels_of(self.condition)

    def told_as(self, links: dict[str, str]) -> Told:
        """As receivers are told of it; `links` are annotations more."""
        condition = self.condition
        acknowledged = {"acknowledged_by": self.acknowledged_by} if self.acknowledged_by else {}
        return Told(
            self.fingerprint,
            condition.name,
            condition.severity,
            condition.source,
            self.starts_at,
            self.ends_at,
            self.summary,
            condition.about,
            {**self.annotations, **acknowledged, **links},
        )

    def shown(self, inhibited: bool = False) -> dict[str, Any]:
        """As JSON has it."""
        condition = self.condition
        return {
            "id": self.id or self.fingerprint,
            "fingerprint": self.fingerprint,
            "state": self.state,
            "name": condition.name,
            "severity": condition.severity,
            "source": condition.source,
            "about": condition.about,
            "summary": self.summary,
            "annotations": self.annotations,
            "starts": in_utc(self.starts_at) if self.starts_at else None,
            "ends": in_utc(self.ends_at) if self.ends_at else None,
            "inhibited": inhibited,
            "told": sorted(self.told),
            "acknowledged_by": self.acknowledged_by or None,
            "acknowledged": in_utc(self.acknowledged_at) if self.acknowledged_at else None,
            "steps": self.steps,
            "acts": [f"{act.kind} {act.what}" for act in self.acts],
        }
