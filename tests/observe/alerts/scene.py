"""A book of alerts at work: with a clock that is owned, a journal, and receivers that remember."""

import json
from collections.abc import Callable
from typing import Any

import msgspec

from proxy.news import AlertChange, Event, News
from proxy.observe.alerts.book import Alerts
from proxy.observe.alerts.condition import Condition, Severity, Source
from proxy.observe.alerts.notice import Notice
from proxy.observe.alerts.rules import Every, Route, Rules, Timing
from proxy.units import in_utc
from tests.fakes import FakeClock

AT_ONCE = Rules(
    routes=(Route(Every(), ("ops",)),),
    receivers=frozenset({"ops", "boss"}),
    timings=(Timing(Every(), 0.0, 10.0),),
)
"""All to `ops`; what is over for ten seconds is resolved."""


def said(
    name: str = "CircuitOpen",
    *,
    holds: bool = True,
    source: Source = "breaker",
    severity: Severity = "ticket",
    group: str = "",
    lasts: float = 0.0,
    summary: str = "",
    told: dict[str, str] | None = None,
    **about: str,
) -> Condition:
    """A condition."""
    return Condition(source, name, severity, about, holds, summary, told or {}, group, lasts)


class Notes:
    """A journal that takes all, and can be read again."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.entries: list[Any] = []
        self.lines: list[dict[str, Any]] = []
        self.takes = True

    def note(self, entry: Any) -> None:
        self.entries.append(entry)
        told = {"type": entry.type, "ts": in_utc(self._clock.wall()), **msgspec.to_builtins(entry)}
        self.lines.append(json.loads(json.dumps(told)))

    async def durable(self) -> bool:
        return self.takes

    @property
    def types(self) -> list[str]:
        return [entry.type for entry in self.entries]


class Hands:
    """Acts that are only remembered."""

    def __init__(self) -> None:
        self.did: list[tuple[str, ...]] = []
        self.alerts: Alerts | None = None
        self.done: list[Callable[[str], None]] = []
        self.cannot = ""

    def notify(self, alert: Any, receiver: str) -> str:
        self.did.append(("notify", receiver))
        assert self.alerts is not None
        return self.alerts.notify(alert, receiver)

    def kill(self, scope: str, why: str, by: str) -> str:
        self.did.append(("kill", scope, why, by))
        return self.cannot

    def call(
        self,
        upstream: str,
        tool: str,
        arguments: dict[str, Any],
        key: str,
        done: Callable[[str], None],
    ) -> str:
        self.did.append(("call", upstream, tool, json.dumps(arguments), key))
        self.done.append(done)
        return self.cannot


class Scene:
    """One process. `again` is the next one, after a crash or an orderly end."""

    def __init__(self, rules: Rules = AT_ONCE, clock: FakeClock | None = None) -> None:
        self.clock = FakeClock(asleep=False) if clock is None else clock
        self.news = News()
        self.events: list[Event] = []
        self.news.listeners.append(self.events.append)
        self.notes = Notes(self.clock)
        self.snapshot: Any = []
        self.sent: list[Notice] = []
        self.hands = Hands()
        self.rules = rules
        self.alerts = self.hands.alerts = Alerts(self.clock, self.news)
        self.alerts.obey(rules)

    def begin(self) -> "Scene":
        self.alerts.begin(self.notes, self.sent.append, self.hands)
        return self

    def obey(self, rules: Rules) -> None:
        self.rules = rules
        self.alerts.obey(rules)

    def tell(self, condition: Condition) -> None:
        self.alerts.tell(condition)

    def wait(self, seconds: float = 1.0) -> None:
        """So much time passes, with a look each second."""
        for _ in range(round(seconds)):
            self.clock.advance(1.0)
            self.alerts.tick()

    def again(self, *, snapshot: bool = False, down: float = 0.0, begin: bool = True) -> "Scene":
        """The same after a restart: of a snapshot that was just made, or of the last one and all
        records since."""
        after = Scene(self.rules, self.clock)
        dumped = msgspec.json.decode(msgspec.json.encode(self.alerts.dump()))
        after.snapshot = dumped if snapshot else self.snapshot
        after.alerts.load(after.snapshot)
        if not snapshot:
            after.notes.lines = list(self.notes.lines)
            for line in self.notes.lines:
                after.alerts.apply(line)
        self.clock.advance(down)
        return after.begin() if begin else after

    @property
    def states(self) -> list[tuple[str, str]]:
        """What was told to people, in its order: the name and the state."""
        told = [event for event in self.events if isinstance(event, AlertChange)]
        return [(event.name, event.state) for event in told]

    def heard(self, receiver: str = "ops") -> list[list[tuple[str, str]]]:
        """What a receiver was told: names and states, notice by notice."""
        return [
            [(told.name, told.status) for told in notice.alerts]
            for notice in self.sent
            if notice.receiver == receiver
        ]

    def firing(self) -> list[str]:
        return [alert.condition.name for alert in self.alerts.firing()]
