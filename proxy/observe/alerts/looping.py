"""News of agents that repeat themselves: of each once a second, however often it is stopped."""

from collections.abc import Callable

from proxy.call import Call
from proxy.news import Looped, News

EVERY = 1.0
"""Seconds."""
MOST = 100
"""Different ones that are told of in that time: agents may make up names."""


class LoopNews:
    """`hear` is what `Loops` tells of calls that are stopped."""

    def __init__(self, now: Callable[[], float], news: News) -> None:
        self._now = now
        self._news = news
        self._until = 0.0
        self._told: set[tuple[str, ...]] = set()

    def hear(self, call: Call, rule: str, step: str) -> None:
        """Never waits, never raises."""
        now = self._now()
        if now >= self._until:
            self._until = now + EVERY
            self._told.clear()
        which = (call.agent, call.upstream, call.tool, rule, step)
        if which not in self._told and len(self._told) < MOST:
            self._told.add(which)
            agent, upstream, tool, rule, step = which
            self._news.tell(Looped(rule, step, agent, upstream, tool, call.workflow))
