"""Cool-down: a throttled upstream is left alone until it said that it may be asked again (spec
3.2).

It has no section of its own; it is on where `retry`, `breaker` or `hedge` is. What one call learned
holds for all calls to that tool: each of them finding out for itself is what makes throttling
worse. A call that can wait for the end of it does; the others are told how long it takes.
"""

from collections.abc import Awaitable

from proxy.attempt import Attempt
from proxy.call import Call, latest_start
from proxy.clock import NEVER
from proxy.keys import QuietKey
from proxy.protocols.pushback import pushback
from proxy.refusal import Refusal
from proxy.reply import Reply, Result
from proxy.stage import NothingTaken, Said, Section, Site, Verdict
from proxy.state.backoff import spread
from proxy.state.quiet import Quiet

QUOTA = 300.0
"""Seconds between two askings where a quota is used up, if the upstream does not say when."""
PATIENCE = 30.0
"""Seconds that a call waits at most if it has no deadline."""

_THROTTLED = Result.THROTTLED  # looking into an enum costs more than the rest of a good call


class CoolDown(NothingTaken):
    """The gate of one tool."""

    __slots__ = ("_clock", "_policy", "_quiet", "_shadow", "_tool")

    def __init__(self, section: Section, site: Site) -> None:
        """For one pipeline, whichever section switched it on."""
        target, ground = site.target, site.ground
        self._clock = ground.clock
        self._shadow = ground.shadow
        self._quiet = ground.kept(
            QuietKey(target.domain, target.upstream, target.tool),
            lambda: Quiet(ground.clock.now),
        )
        self._tool = target.tool
        self._policy = site.policy

    def admit(self, attempt: Attempt) -> Verdict | Awaitable[Verdict]:
        """Waits for the end where that fits. Refuses `rate_limited`, with what is left."""
        if self._quiet.until <= attempt.started:
            return None
        left = self._quiet.until - self._clock.now()
        if left <= 0:
            return None
        if attempt.hedge or self._quiet.quota or left > self._room(attempt.call):
            return self._refusal(left)
        return None if self._shadow else self._wait(attempt, left)

    def says(self, call: Call) -> Said:
        """How long it is left alone, and whether the call would wait for that."""
        left = self._quiet.until - self._clock.now()
        if left <= 0:
            return Said("the upstream does not ask to be left alone")
        if self._quiet.quota or left > self._room(call):
            return Said(f"left alone for another {left:.1f} s", self._refusal(left))
        return Said(f"left alone for another {left:.1f} s: the call would wait for that")

    def committed(self, attempt: Attempt, reply: Reply) -> None:
        """A throttled answer sets it."""
        if reply.result is not _THROTTLED:
            return
        asked = pushback(reply.fields, self._clock.wall())
        if asked is None and reply.quota_exhausted:
            asked = QUOTA
        if asked:
            self._quiet.extend(self._clock.now() + asked, reply.quota_exhausted)

    def _room(self, call: Call) -> float:
        if call.deadline == NEVER:
            return PATIENCE
        return latest_start(call) - self._clock.now()

    async def _wait(self, attempt: Attempt, left: float) -> Verdict:
        room, chance = self._room(attempt.call), self._clock.chance.random()
        await self._clock.sleep(spread(left, room, chance))
        verdict = self.admit(attempt)  # it may have been extended meanwhile
        return verdict if verdict is None or isinstance(verdict, Refusal) else await verdict

    def _refusal(self, left: float) -> Refusal:
        quota = self._quiet.quota
        why = "has no quota left" if quota else "asked to be left alone"
        return Refusal(
            code="rate_limited",
            detail=f"The upstream of {self._tool} {why} for another {left:.1f} s",
            policy=self._policy,
            retry_after=left,
            scope="tool",
            final=quota,
            next_step="ask_owner" if quota else "",
        )
