"""Watches agents: a recorder that counts each call for its agent and its task, and looks around.

All that agents can make up is bounded: agents share `other` beyond a number, tasks end early, tools
and counterparts are counted up to a number only.

Baselines are in the journal's snapshot; tasks under way and how agents fare are not. After a
restart a task is counted from there on, and its sample would be too small: those that began within
`idle` of the start are not learned.
"""

from base64 import b64decode, b64encode
from binascii import Error
from itertools import islice
from typing import Any

from proxy.clock import Clock
from proxy.observe.alerts.condition import Condition, Severity, Tell
from proxy.observe.behaviour.baseline import Baseline
from proxy.observe.behaviour.judge import Unusual, amount, unusual
from proxy.observe.behaviour.rules import Rules
from proxy.observe.behaviour.wellness import CRITICAL, UNKNOWN, Fares, Wellness
from proxy.observe.behaviour.work import SIGNALS, Work
from proxy.observe.labels import OTHER, presentable
from proxy.observe.slo.ends import end_of
from proxy.record import Record
from proxy.units import Money

AGENTS = 200
"""That are told apart: as many as a label has values."""
TASKS = 2_000
"""Under way, of all agents; the one that was idle longest ends early."""
COUNTERPARTS = 256
"""Of one agent, that are told apart."""
JUDGED = 200
"""Tasks in one look, so that nobody waits for it; the others come next."""
LOOKS = 1.0
"""Seconds from look to look."""
STANDS = 3_600.0
"""Seconds for which an anomaly stands after it was seen last."""
_HOUR, _A_DAY = 3_600.0, 24


class Agent:
    """What is known of one."""

    __slots__ = ("_hour", "_met", "baseline", "counterparts", "fares", "name", "wellness", "works")

    def __init__(self, name: str) -> None:
        self.name = name
        self.baseline = Baseline(len(SIGNALS))
        self.wellness = Wellness()
        self.works: dict[str, Work] = {}
        self.fares: Fares | None = None
        """As of the last look."""
        self.counterparts = 0
        """With so many different ones it has spoken in a day."""
        self._met: dict[str, int] = {}  # with whom, and in which hour last
        self._hour = 0

    def met(self, upstream: str, at: float) -> None:
        """It has spoken with somebody."""
        hour = int(at / _HOUR)
        if self._met.get(upstream) == hour:  # nearly always; then older ones are gone, too
            return
        if hour != self._hour:
            self._hour = hour
            self._met = {name: last for name, last in self._met.items() if last > hour - _A_DAY}
        if upstream in self._met or len(self._met) < COUNTERPARTS:
            self._met[upstream] = hour
        self.counterparts = len(self._met)


class Watch:
    """A recorder, and a room of the journal. Not for other threads than the loop's."""

    name = "behaviour"
    types: frozenset[str] = frozenset()

    def __init__(self, clock: Clock) -> None:
        self.rules: Rules | None = None
        """None: nobody wants to know."""
        self.tell: Tell = lambda condition: None
        self.agents: dict[str, Agent] = {}
        self.anomalies: dict[tuple[str, ...], int] = {}
        """How many tasks were not as usual, by agent and signal."""
        self.emergency = False
        self._clock = clock
        self._began = clock.fast_now()
        self._tasks = 0
        self._fresh: dict[Work, tuple[Agent, str]] = {}  # not judged since they changed
        self._critical: dict[str, str] = {}  # what was told of how agents fare
        self._due = 0.0

    def follow(self, rules: Rules | None) -> None:
        """These are in force. What was learned stays. With none, nobody looks any more: what was
        told of how agents fare is over."""
        self.rules = rules
        if rules is None:
            for agent in self.agents.values():
                agent.works.clear()
                before = self._critical.pop(agent.name, "")
                if before and agent.fares is not None:
                    self.tell(_ill(agent.name, before, agent.fares, holds=False))
                agent.fares = None
            if self.emergency:
                self.emergency = False
                self.tell(_emergency(holds=False))
            self._tasks = 0
            self._fresh.clear()

    # --- calls ---

    def note(self, record: Record) -> None:
        """Part of Recorder."""
        rules = self.rules
        if rules is None:
            return
        at = self._clock.fast_now()
        agent = self.agents.get(record.agent) or self._met(record.agent)
        us = record.duration_us - record.held_us if record.layer in rules.layers else -1
        counts = "good" if record.outcome == "ok" else end_of(record).counts
        if counts != "excluded":  # its own mistakes, and what policies forbid, are no illness
            agent.wellness.note(at, rules, us, bad=counts == "bad")
        if record.upstream:
            agent.met(record.upstream, at)
        if record.task:
            work = agent.works.get(record.task)
            if work is None:
                work = self._begin(agent, record.task)
            work.note(record, at)
            self._fresh[work] = agent, record.task
            if record.task_end:
                self._end(agent, record.task, work, rules)

    def _met(self, name: str) -> Agent:
        if len(self.agents) >= AGENTS - 1 or not presentable(name):
            name = OTHER
        agent = self.agents.get(name)
        if agent is None:
            agent = self.agents[name] = Agent(name)
        return agent

    def _begin(self, agent: Agent, task: str) -> Work:
        if self._tasks >= TASKS:
            self._make_room()
        self._tasks += 1
        work = agent.works[task] = Work()
        return work

    def _make_room(self) -> None:
        """The tasks of an agent are in the order in which they began; one of the oldest goes."""
        crowded = max(self.agents.values(), key=lambda agent: len(agent.works))
        self._fresh.pop(crowded.works.pop(next(iter(crowded.works))), None)
        self._tasks -= 1

    def _end(self, agent: Agent, task: str, work: Work, rules: Rules) -> None:
        """It leaves a sample, if it was as usual and seen from its beginning."""
        del agent.works[task]
        self._tasks -= 1
        self._fresh.pop(work, None)
        self._judge(agent, task, work, rules)
        if not work.told and self._clock.fast_now() - self._began >= rules.idle:
            agent.baseline.learn(self._clock.fast_wall(), work.row(agent.counterparts))

    # --- looking around ---

    def look(self) -> None:
        """To be asked as often as one likes."""
        rules, now = self.rules, self._clock.fast_now()
        if rules is None or self._clock.now() < self._due:
            return
        self._due = self._clock.now() + LOOKS
        for work in list(islice(self._fresh, JUDGED)):
            self._judge(*self._fresh.pop(work), work, rules)
        for agent in self.agents.values():
            for task, work in list(agent.works.items()):
                if now - work.last >= rules.idle:
                    self._end(agent, task, work, rules)
            agent.baseline.forget(self._clock.fast_wall() - rules.baseline)
            agent.fares = agent.wellness.fares(now, rules)
            self._tell_fares(agent, agent.fares)
        self._tell_emergency(rules)

    def _judge(self, agent: Agent, task: str, work: Work, rules: Rules) -> None:
        """Each signal of a task that is not as usual is told, once a task."""
        for one in unusual(work, agent.counterparts, agent.baseline, rules):
            if one.signal in work.told:
                continue
            work.told.add(one.signal)
            key = (agent.name, one.signal)
            self.anomalies[key] = self.anomalies.get(key, 0) + 1
            self.tell(_anomaly(agent.name, task, work, one))

    def _tell_fares(self, agent: Agent, fares: Fares) -> None:
        before = self._critical.get(agent.name, "")
        state = fares.state if fares.state in (CRITICAL, "degraded") else ""
        if state != before and before:
            self.tell(_ill(agent.name, before, fares, holds=False))
        if state:
            self.tell(_ill(agent.name, state, fares, holds=True))
        self._critical[agent.name] = state

    def _tell_emergency(self, rules: Rules) -> None:
        judged = [
            agent.fares
            for agent in self.agents.values()
            if agent.fares is not None and agent.fares.state != "unknown"
        ]
        critical = sum(fares.state == CRITICAL for fares in judged)
        before, self.emergency = (
            self.emergency,
            (len(judged) >= rules.min_agents and critical > rules.emergency * len(judged)),
        )
        if self.emergency or before:
            why = f"{critical} of {len(judged)} agents are critical"
            self.tell(_emergency(why, holds=self.emergency))

    # --- what others read ---

    def state_of(self, name: str) -> str:
        """How one agent fares."""
        agent = self.agents.get(name)
        return UNKNOWN if agent is None or agent.fares is None else agent.fares.state

    def shown(self, name: str) -> dict[str, Any]:
        """Of one agent: how it fares, what is usual of it, and what was not."""
        agent = self.agents.get(name)
        if agent is None or agent.fares is None:
            return {"health": UNKNOWN}
        fares, rules = agent.fares, self.rules or Rules()
        usual = agent.baseline.usual(rules.samples)
        return {
            "health": fares.state,
            "errors": round(fares.errors, 4),
            "p99": fares.p99,
            "tasks": len(agent.works),
            "samples": len(agent.baseline),
            "usual": None
            if usual is None
            else {
                signal: Money(round(each.middle)).dollars
                if signal == "cost"
                else round(each.middle, 3)
                for signal, each in zip(SIGNALS, usual, strict=True)
            },
            "anomalies": {
                signal: number
                for (whose, signal), number in self.anomalies.items()
                if whose == name
            },
        }

    def dump(self) -> Any:
        """Part of Rebuilt."""
        return {
            agent.name: [b64encode(each).decode() for each in agent.baseline.dump()]
            for agent in self.agents.values()
            if len(agent.baseline)
        }

    def load(self, state: Any, /) -> None:
        """Part of Rebuilt. What is of another version is as good as none."""
        for name, (times, values) in state.items() if isinstance(state, dict) else ():
            agent = Agent(name)
            try:
                agent.baseline.load(b64decode(times), b64decode(values))
            except (Error, ValueError, TypeError):
                continue
            self.agents[name] = agent

    def apply(self, record: dict[str, Any], /) -> None:
        """Part of Rebuilt: what came after the snapshot is learned by what comes next."""


def _emergency(why: str = "", *, holds: bool) -> Condition:
    return Condition("health", "FleetEmergency", "page", {}, holds, why, group="fleet")


def _about(agent: str) -> dict[str, str]:
    """Those that are not told apart are no agent: a step of a ladder must not kill one that is
    called so."""
    return {"agents": OTHER} if agent == OTHER else {"agent": agent}


def _anomaly(agent: str, task: str, work: Work, one: Unusual) -> Condition:
    return Condition(
        "anomaly",
        "AgentAnomaly",
        "ticket",
        {**_about(agent), "signal": one.signal},
        holds=True,
        summary=f"{agent}: {one.why}",
        told={
            "task": task,
            "calls": str(work.calls),
            "value": amount(one.signal, one.value),
            "usual": "" if one.usual < 0 else amount(one.signal, one.usual),
            "score": f"{one.score:.1f}" if one.score else "",
            "do": "look at what it does (holdfast audit query --task), and stop it if need be",
        },
        group=f"agent {agent}",
        lasts=STANDS,
    )


def _ill(agent: str, state: str, fares: Fares, *, holds: bool) -> Condition:
    severity: Severity = "page" if state == CRITICAL else "ticket"
    p99 = "" if fares.p99 is None else f", p99 {fares.p99:g} s"
    return Condition(
        "health",
        "AgentCritical" if state == CRITICAL else "AgentDegraded",
        severity,
        _about(agent),
        holds,
        f"{agent} is {state}: {fares.errors:.0%} of {fares.calls} calls failed{p99}",
        {"calls": str(fares.calls), "failed": str(fares.bad)},
        group=f"agent {agent}",
    )
