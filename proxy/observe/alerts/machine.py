"""The machine: of what sources say it makes alerts that fire once, and are resolved once.

    ok ──holds──▶ pending ──for `holds_for`──▶ firing ──over for `resolves_after`──▶ resolved

A condition that comes back before its alert is resolved is the same episode: nobody is told of it.
One that is over while its alert is pending was nothing. What is said again changes figures, and no
state; it costs a lookup, however often it is said.

There is a limit to alerts, and a lower one to those of each source, since agents bring about most
of them by names that they make up: what an SLO says has its place whatever agents do. What finds no
place is one alert of its own, which says how much that is.
"""

from collections.abc import Callable, Iterator

from proxy.observe.alerts.alert import NEVER, Alert, Key, bounded, fingerprint, key_of
from proxy.observe.alerts.condition import Condition
from proxy.observe.alerts.rules import Rules

MOST = 1_000
"""Alerts that fire or are pending, of all sources."""
OF_A_SOURCE = 100
"""Those of a source that agents can bring about. Seven of them leave room for the others."""
BY_AGENTS = frozenset({"breaker", "budget", "kill", "approval", "loop", "anomaly", "health"})
GRACE = 120.0
"""Seconds after a start, in which a source says whether what fired before it still is so."""
FULL = "TooManyAlerts"
_FULL_FOR = 300.0
LEAST = 5.0
"""Real seconds that a condition lasts at least: in a drill its own seconds pass faster, and what
says it again looks once a second."""


class Machine:
    """`tell` what is so, `tick` every second. Who is told of changes may tell conditions itself."""

    def __init__(
        self,
        now: Callable[[], float],
        wall: Callable[[], float],
        uuid: Callable[[], str],
        heard: Callable[[Alert], None],
        drill: int = 1,
    ) -> None:
        """`heard`: of each alert that fires or is resolved, at that moment."""
        self._least = LEAST * drill
        self._now = now
        self._wall = wall
        self._uuid = uuid
        self._heard = heard
        self._alerts: dict[Key, Alert] = {}
        self._of: dict[str, int] = {}  # how many of each source
        self._rules = Rules()
        self._begun = False
        self._full_at = 0.0
        self.lost = 0
        """Conditions, or their repetitions, for which there was no place."""

    def __iter__(self) -> Iterator[Alert]:
        return iter(list(self._alerts.values()))

    def __len__(self) -> int:
        return len(self._alerts)

    def obey(self, rules: Rules) -> None:
        """These are the rules from now on."""
        self._rules = rules

    def begin(self) -> None:
        """What was rebuilt is there: from now on alerts fire."""
        self._begun = True
        self.tick()

    # --- what sources say ---

    def tell(self, condition: Condition) -> None:
        """Part of what sources know (`Tell`)."""
        condition = bounded(condition)
        key = key_of(condition)
        alert = self._alerts.get(key)
        if condition.holds:
            if alert is None:
                alert = self._made(key, condition)
            if alert is not None:
                self._holds(key, alert, condition)
        elif alert is not None and alert.holds:
            self._over(key, alert)

    def end(self, alert: Alert) -> None:
        """Nobody is left who could say that it is over."""
        if alert.holds:
            self._over(key_of(alert.condition), alert)

    def _made(self, key: Key, condition: Condition) -> Alert | None:
        source, now = condition.source, self._now()
        if condition.name != FULL and self._is_full(source):
            self.lost += 1
            self._tell_full(source, now)
            return None
        self._of[source] = self._of.get(source, 0) + 1
        alert = self._alerts[key] = Alert(fingerprint(condition), condition, since=now)
        return alert

    def _is_full(self, source: str) -> bool:
        mine = self._of.get(source, 0)
        return len(self._alerts) >= MOST or (source in BY_AGENTS and mine >= OF_A_SOURCE)

    def _tell_full(self, source: str, now: float) -> None:
        if now < self._full_at:  # agents that mint names do so as fast as they can
            return
        self._full_at = now + 1.0
        summary = f"{len(self._alerts)} alerts are there: more of {source} find no place"
        told = {"lost": str(self.lost)}
        self.tell(Condition("alerts", FULL, "ticket", {}, True, summary, told, lasts=_FULL_FOR))

    def _holds(self, key: Key, alert: Alert, condition: Condition) -> None:
        now = self._now()
        alert.condition = condition
        alert.confirmed = True
        alert.lapses = now + max(condition.lasts, self._least) if condition.lasts else NEVER
        if not alert.holds:
            alert.holds, alert.since = True, now
        if not alert.id:
            self._ripe(alert, now)

    def _over(self, key: Key, alert: Alert) -> None:
        now = self._now()
        alert.holds, alert.since = False, now
        alert.confirmed = True
        if not alert.id:
            self._forget(key)
        else:
            self._faded(key, alert, now)

    # --- what time does ---

    def tick(self) -> None:
        """What is due now."""
        if not self._begun:
            return
        now = self._now()
        for key, alert in list(self._alerts.items()):
            if self._alerts.get(key) is not alert:
                continue  # somebody who heard of another ended this one
            if alert.holds and now >= alert.lapses:
                self._over(key, alert)
            elif not alert.holds:
                self._faded(key, alert, now)
            elif not alert.id:
                self._ripe(alert, now)

    def _ripe(self, alert: Alert, now: float) -> None:
        """Does it fire?"""
        if self._begun and now - alert.since >= self._rules.timing(alert.labels).holds_for:
            alert.id, alert.starts_at = self._uuid(), self._moment()
            self._heard(alert)

    def _faded(self, key: Key, alert: Alert, now: float) -> None:
        """Is it resolved?"""
        if self._begun and now - alert.since >= self._rules.timing(alert.labels).resolves_after:
            # Clocks may be set back: nothing ends before it began.
            alert.ends_at = max(self._moment(), alert.starts_at + 0.001)
            self._forget(key)
            self._heard(alert)

    def _moment(self) -> float:
        """To the millisecond, as it is written down: after a restart it is the same."""
        return round(self._wall() * 1000) / 1000

    def _forget(self, key: Key) -> None:
        source = self._alerts.pop(key).condition.source
        self._of[source] -= 1

    # --- over a restart ---

    def restore(self, alert: Alert) -> None:
        """It fired when the process ended. Unless its source says it again it is over soon."""
        key = key_of(alert.condition)
        before = self._alerts.get(key)
        if before is None:
            source = alert.condition.source
            self._of[source] = self._of.get(source, 0) + 1
        now = self._now()
        alert.confirmed, alert.since = False, now
        told = alert.lapses if alert.lapses < NEVER else 0.0
        alert.lapses = max(now + max(GRACE, self._least), told)
        self._alerts[key] = alert
