"""The book of alerts: what fires, who was told, who sees to it; kept over a restart by the journal.

Everything is said once a second (`tick`): what fired or is over since then, group by group. A
record is noted in the step of the loop in which the state changes, so a start knows what fired,
who was told of it and what was done. Nothing of it is told or done again; an alert whose source
does not say within `GRACE` that it still is so is over, and that is told with its first id.

A notice is given to the delivery before the record of it is noted. Where a crash comes in between
it is made again, with the same id, by which receivers know it.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from proxy.clock import Clock
from proxy.news import AlertChange, News
from proxy.observe.alerts import kept
from proxy.observe.alerts.alert import Act, Alert, bounded, key_of, labels_of
from proxy.observe.alerts.condition import Condition, Severity
from proxy.observe.alerts.entries import TYPES, Acknowledged, Escalated, Notified
from proxy.observe.alerts.ladder import UNDONE, Acting, Climbing, held_open, tightened
from proxy.observe.alerts.machine import Machine
from proxy.observe.alerts.notice import Notice
from proxy.observe.alerts.rules import Rules
from proxy.observe.alerts.telling import NOTHING, Group, Telling, grouped
from proxy.record import Noted
from proxy.units import in_utc

RECENT = 100
"""Alerts that were resolved and are still shown."""
AT_A_TIME = 10
"""Groups that are told of at each look, pages first: no storm of alerts keeps calls waiting."""
SWEEP = 30.0
"""Seconds from look to look at whether somebody is to be told again."""
AT_ONCE = 5.0
"""Seconds that a ladder is climbed between two looks at most: who stood still climbed nothing."""


TEST = "Test"
TEST_LASTS = 60.0


class Unknown(Exception):
    """No such alert fires."""


class Alerts:
    """`begin` when the journal takes records; `obey` for each set of policies; `tick`. Part of
    Rebuilt."""

    name = "alerts"
    types = TYPES
    idle = False  # never makes room for others in the Keep

    def __init__(self, clock: Clock, news: News) -> None:
        self._now: Callable[[], float] = clock.fast_now
        self._wall: Callable[[], float] = clock.wall  # what people are told is the real time
        self._at_once = AT_ONCE * clock.drill
        self._news = news
        self._rules = Rules()
        self._found = kept.Found()
        self._noted: Noted | None = None
        self._machine = Machine(self._now, self._wall, clock.uuid, self._changed, clock.drill)
        self.tell = self._machine.tell
        """Part of what sources know (`Tell`)."""
        self._telling = Telling(self._now, self._wall)
        self._climbing: Climbing | None = None
        self._send: Callable[[Notice], None] = _to_nobody
        self.trouble: Callable[[str], str] = _well
        """Why a receiver is not told at once; empty: it is."""
        self._over: list[Alert] = []  # since the last look
        self._stirred: dict[str, None] = {}  # groups in which something changed, in that order
        self._sweep_at = self._looked_at = 0.0
        self.recent: deque[Alert] = deque(maxlen=RECENT)
        """Those that were resolved last, in this process."""
        self.fired: dict[tuple[str, str], int] = {}
        """How many, by source and severity."""
        self.escalated: dict[tuple[str, str], int] = {}
        """How many acts of ladders, and with what result."""

    # --- over a restart: part of Rebuilt ---

    def dump(self) -> Any:
        """Part of Rebuilt."""
        if self._noted is None:
            return self._found.dump()
        # Of what is over the record is noted when that is told; until then it fires.
        return kept.dumped([*self._machine, *self._over], self._times())

    def load(self, state: Any, /) -> None:
        """Part of Rebuilt."""
        self._found.load(state)

    def apply(self, record: dict[str, Any], /) -> None:
        """Part of Rebuilt."""
        self._found.apply(record)

    def begin(self, noted: Noted, send: Callable[[Notice], None], acting: Acting) -> None:
        """It was rebuilt, and what it does from now on is noted."""
        self._noted = noted
        self._send = send
        self._climbing = Climbing(acting, self._escalated, self._rules)
        times = self._times()
        for saved in self._found.alerts.values():
            self._machine.restore(kept.restored(saved, times))
        self._found = kept.Found()
        self._looked_at = self._now()
        self._machine.begin()

    def obey(self, rules: Rules) -> None:
        """These are the rules. Who is told now and was not, hears of what fires; who is gone is
        forgotten."""
        self._rules = rules
        self._machine.obey(rules)
        self._telling.obey(rules)
        if self._climbing is not None:
            self._climbing.obey(rules)
        for alert in self._machine:
            alert.told = {who: at for who, at in alert.told.items() if who in rules.receivers}
        self._sweep_at = 0.0

    # --- what time does ---

    def tick(self) -> None:
        """What changed since the last time is told, and ladders are climbed."""
        if self._climbing is None:
            return
        self._machine.tick()
        now = self._now()
        climbed, self._looked_at = now - self._looked_at, now
        if self._rules.ladders:
            self._climbing.climb(min(climbed, self._at_once), list(self.firing()))
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP
            self._stirred |= dict.fromkeys(alert.group for alert in self.firing())
        if self._stirred:
            self._look()

    def _groups(self) -> dict[str, Group]:
        return grouped(self.firing(), self._over)

    def _look(self) -> None:
        groups = dict.fromkeys(self._stirred, NOTHING) | self._groups()
        pages_first = sorted(self._stirred, key=lambda name: not groups[name].pages)
        for name in pages_first[:AT_A_TIME]:
            del self._stirred[name]
            for notice, firing, over in self._telling.look(name, groups[name]):
                self._tell_of(notice, firing, over)
            for alert in groups[name].over:
                self._undo(alert)
                self._note(kept.resolved(alert))
        self._over = [alert for alert in self._over if alert.group in self._stirred]

    def _tell_of(self, notice: Notice, firing: list[Alert], over: list[Alert]) -> None:
        self._send(notice)
        self._note(
            Notified(
                notice.id,
                notice.receiver,
                tuple(alert.id for alert in firing),
                tuple(alert.id for alert in over),
            )
        )

    def _changed(self, alert: Alert) -> None:
        """Part of Machine: it fires, or is over."""
        self._stirred[alert.group] = None
        if not alert.ends_at:
            condition = alert.condition
            key = condition.source, condition.severity
            self.fired[key] = self.fired.get(key, 0) + 1
            self._note(kept.fired(alert, self._times()))
        else:
            self._over.append(alert)
            self.recent.append(alert)
        self._say(alert, alert.state)

    def _say(self, alert: Alert, state: str) -> None:
        condition = alert.condition
        self._news.tell(
            AlertChange(
                alert.id,
                state,
                condition.name,
                condition.severity,
                alert.summary,
                condition.about,
                alert.acknowledged_by if state == "acknowledged" else "",
            )
        )

    # --- what people and ladders do ---

    def firing(self) -> Iterator[Alert]:
        """Those that fire."""
        return (alert for alert in self._machine if alert.firing)

    def listed(self) -> Iterator[tuple[Alert, bool]]:
        """Those that there are, then those that were resolved of late; and is it left untold,
        because a page of its group fires?"""
        groups = self._groups()
        for alert in self._machine:
            yield alert, alert.firing and groups[alert.group].inhibits(alert)
        for alert in self.recent:
            yield alert, False

    def said_again(self, receiver: str) -> Iterator[Notice]:
        """What fires and was told to it, for receivers that forget."""
        return self._telling.firing(receiver, self._groups())

    def acknowledge(self, name: str, by: str, reason: str = "") -> Alert:
        """Somebody sees to it: its ladder is climbed no further. Who said so first is remembered.
        Raises Unknown."""
        for alert in self.firing():
            if alert.id == name:
                if not alert.acknowledged_by:
                    alert.acknowledged_by, alert.acknowledged_at = by, self._wall()
                    self._note(Acknowledged(alert.id, by, in_utc(alert.acknowledged_at), reason))
                    self._say(alert, "acknowledged")
                return alert
        raise Unknown(f"no alert of this id fires: {name}")

    def test(self, severity: Severity, by: str) -> list[str]:
        """One fires for a while, so that people can see who is told of such. Gives who is."""
        summary = f"{by} tries who is told of a {severity}"
        condition = Condition("alerts", TEST, severity, {}, True, summary, lasts=TEST_LASTS)
        self.tell(condition)
        return sorted(self._rules.to(labels_of(condition)))

    def durable(self) -> Awaitable[bool]:
        """Will what was said still be there after a restart?"""
        assert self._noted is not None  # else nobody is served yet
        return self._noted.durable()

    def notify(self, alert: Alert, receiver: str) -> str:
        """Part of Acting: tell it to one receiver, now. Gives why that cannot be done."""
        if receiver not in self._rules.receivers:
            return "there is no such receiver"
        notice = self._telling.now(receiver, alert)
        self._tell_of(notice, [alert], [])
        return ""

    @property
    def tightened(self) -> frozenset[str]:
        """Policies that are in force for what fires."""
        return tightened(self.firing())

    @property
    def held_open(self) -> frozenset[tuple[str, str]]:
        """Circuits that are held open for it, by upstream and tool; no tool: all of it."""
        return held_open(self.firing())

    def _escalated(
        self, alert: Alert, step: int, after: float, act: Act | None, result: str
    ) -> None:
        """Part of Climbing."""
        if act is not None:
            key = act.kind, result if result in {"done", "begun"} else "failed"
            self.escalated[key] = self.escalated.get(key, 0) + 1
        kind, what = ("", "") if act is None else (act.kind, act.what)
        millis = round(after * 1000)
        self._note(Escalated(alert.id, alert.ladder, step, millis, kind, what, result))

    def _undo(self, alert: Alert) -> None:
        millis = round(alert.climbed * 1000)
        for act in alert.acts:
            if act.kind in UNDONE:
                told = (alert.id, alert.ladder, alert.steps, millis, act.kind, act.what)
                self._note(Escalated(*told, undone=True))

    # --- sources that say all that holds ---

    def stands(self, names: frozenset[str], conditions: list[Condition]) -> None:
        """Of alerts with these names, these conditions hold and no others."""
        there = {key_of(bounded(each)) for each in conditions if each.holds}
        for alert in self._machine:
            if alert.condition.name in names and key_of(alert.condition) not in there:
                self._machine.end(alert)
        for each in conditions:
            self.tell(each)

    def end_those(self, is_over: Callable[[Condition], bool]) -> None:
        """Alerts whose source would not say so any more are over."""
        for alert in self._machine:
            if is_over(alert.condition):
                self._machine.end(alert)

    def only(self, label: str, source: str, known: frozenset[str]) -> None:
        """What a source says of something that is in no policy any more is over."""
        for alert in self._machine:
            condition = alert.condition
            if condition.source == source and condition.about.get(label, "") not in known:
                self._machine.end(alert)

    @property
    def lost(self) -> int:
        """How often something found no place."""
        return self._machine.lost

    def _times(self) -> kept.Times:
        return kept.Times(self._now(), self._wall())

    def _note(self, entry: Any) -> None:
        if self._noted is not None:
            self._noted.note(entry)


def _to_nobody(notice: Notice) -> None:
    """Before the start."""


def _well(receiver: str) -> str:
    """Where nobody knows of receivers."""
    return ""
