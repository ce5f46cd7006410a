"""From what policies say to what runs: the pipeline of one tool."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from proxy.call import Call, Effect, InFlight, Rule
from proxy.config.cascade import Effective
from proxy.keys import InFlightKey
from proxy.pipeline.renamed import called_as, sends_as
from proxy.pipeline.together import goes_on, was_decided
from proxy.pipeline.walk import Grounds, Plan, Walk, Way, plan_of, walk, walk_together
from proxy.reply import Reply, refusing
from proxy.stage import Handler

_WRITE = Effect.WRITE  # looking into an enum costs more than a gate


class Pipeline(msgspec.Struct):
    """A tool's stages, ready to run.

    `checks` are the first gates of the call, as far as they take nothing and answer at once: they
    are asked here. A `Guard` would do as well, but it is one more coroutine on the way of every
    call, and in front stands often nothing but a deadline (1.2 of 23 µs, 2026-11).
    """

    handle: Handler
    effect: Effect
    policies: tuple[str, ...]
    rule: Rule
    flight: InFlight
    checks: tuple[Callable[[Call], Any], ...] = ()

    def __call__(self, call: Call) -> Awaitable[Reply]:
        """The call's reply, at its commit."""
        call.rule = self.rule
        call.flight = self.flight
        self.flight.now += 1  # until the call's record is made
        call.effect = self.effect
        call.finishes_alone = self.effect is _WRITE  # unless a timeout section says otherwise
        for admit in self.checks:
            verdict = admit(call)
            if verdict is not None:
                return refusing(verdict)
        return self.handle(call)


def compile_pipeline(
    effective: Effective, call: Call, way: Way, grounds: Grounds, rule: Rule
) -> Pipeline:
    """The pipeline for calls like this one. They go this way, where no stage says otherwise."""
    plan = plan_of(effective, call, grounds)
    return _pipeline(plan, walk(plan, way), effective, call, rule)


def compile_together(effective: Effective, call: Call, grounds: Grounds, rule: Rule) -> Pipeline:
    """The same for calls that come in one message with others: what stands behind them is whatever
    their batch has them go on to."""
    plan = plan_of(effective, call, grounds)
    at = walk_together(plan, goes_on, was_decided)
    return _pipeline(plan, at, effective, call, rule)


def _pipeline(plan: Plan, at: Walk, effective: Effective, call: Call, rule: Rule) -> Pipeline:
    checks, handler = at.front()
    ground = plan.enforced.ground
    flight = ground.kept(InFlightKey(call.domain, call.upstream, call.tool), InFlight)
    return Pipeline(
        handler,
        plan.enforced.target.effect,
        effective.policies,
        rule,
        flight,
        checks,
    )


def compile_link(
    effective: Effective, call: Call, way: Way, grounds: Grounds, model: str = ""
) -> Handler:
    """What sends such calls to one upstream, as this model if one is given, for who may ask another
    upstream as well."""
    if model:
        way = msgspec.structs.replace(way, send=sends_as(model, way.send))
    link = walk(plan_of(effective, call, grounds, model), way, "link", others=True).handler()
    return called_as(model, link) if model else link
