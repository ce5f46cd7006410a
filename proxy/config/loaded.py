"""A whole set of policies, read and judged. Frozen data."""

from pathlib import Path

import msgspec

from proxy.config.alerts import Alerts
from proxy.config.mirrors import Mirror
from proxy.config.money import Budget, Prices
from proxy.config.places import Problem
from proxy.config.types import Bulkhead, Policy, Upstream
from proxy.observe.behaviour.rules import Rules
from proxy.observe.slo.objective import Objective
from proxy.state.killed import Kill


class Loaded(msgspec.Struct, frozen=True):
    """A whole set of policies, ready to be compiled."""

    version: str  # 12 hex digits
    upstreams: dict[str, Upstream] = {}
    policies: tuple[Policy, ...] = ()  # in force
    written: tuple[Policy, ...] = ()  # all; some are in force only at times (tightening.py)
    climbed: frozenset[str] = frozenset()  # those of them that ladders of alerts name
    bulkheads: tuple[Bulkhead, ...] = ()
    budgets: tuple[Budget, ...] = ()  # in their order; those of bulkheads where these stand
    prices: Prices = Prices()
    kills: tuple[Kill, ...] = ()
    slos: tuple[Objective, ...] = ()
    alerts: Alerts = Alerts()
    mirrors: tuple[Mirror, ...] = ()
    behaviour: Rules | None = None
    warnings: tuple[Problem, ...] = ()
    files: tuple[
        Path, ...
    ] = ()  # named by `${file:…}`, `ca` or `table`: a change in them is one too

    def domain(self, agent: str) -> str:
        """The bulkhead that an agent is in: the first that has it; empty: none."""
        having = (each.name for each in self.bulkheads if each.agents.hold(agent))
        return next(having, "")

    @property
    def tools(self) -> frozenset[str]:
        """Tools that a policy names in full: they may be metric labels."""
        return frozenset(
            glob
            for policy in self.written or self.policies
            if "tool" in policy.match.globs
            for glob in policy.match.globs["tool"].wanted
            if "*" not in glob
        )
