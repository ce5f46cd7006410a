"""What steps of ladders do beside telling: kill, hold circuits open, call a tool of the gateway.

Circuits are held by the hand of this pod alone. One is there once a call has asked for it, so what
is to be held open is looked at again and again: the next tool, and the same one after a restart.
A person who moves a circuit meanwhile is right: it is not taken out of that hand again.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeAlias

from proxy.clock import Clock
from proxy.keep import Keep
from proxy.keys import KILLS, NEWS, CircuitKey
from proxy.news import CircuitChange, Event, News
from proxy.observe.alerts.alert import Alert
from proxy.state.circuit import Circuit
from proxy.state.killed import Kill
from proxy.state.kills import LONGEST, Full, Kills
from proxy.state.scopes import Scope

BY = "alerts"
"""Whose hand it is."""
Wanted: TypeAlias = frozenset[tuple[str, str]]
"""Circuits to be held open, by upstream and tool; no tool: all of it."""
CallTool: TypeAlias = Callable[[str, str, dict[str, Any], str], Coroutine[Any, Any, str]]
"""Of an upstream, a tool of it, its arguments, and an idempotency key: calls it straight, by no
policy. Gives why it was not taken; empty: it was."""


class Notify(Protocol):
    """Who tells one receiver of an alert."""

    def __call__(self, alert: Alert, receiver: str, /) -> str:
        """Gives why that cannot be done."""
        ...


async def no_gateway(upstream: str, tool: str, arguments: dict[str, Any], key: str) -> str:
    """Where nobody can call one."""
    return "no tool can be called here"


class Acts:
    """Part of Acting."""

    def __init__(
        self, clock: Clock, keep: Keep, notify: Notify, call_tool: CallTool = no_gateway
    ) -> None:
        self._clock = clock
        self._keep = keep
        self._call_tool = call_tool
        self._held: dict[CircuitKey, Circuit | None] = {}  # None: another hand moved it since
        self.notify = notify
        keep.of(NEWS, News).listeners.append(self._hear)

    def kill(self, scope: str, why: str, by: str) -> str:
        """Part of Acting."""
        kills: Kills = self._keep.of(KILLS, Kills)
        try:
            kill = Kill(Scope.parse(scope), why[:LONGEST], by[:LONGEST], BY)
            _ = kills.engage(kill)
        except (ValueError, Full) as error:
            return str(error)
        return ""

    def call(
        self,
        upstream: str,
        tool: str,
        arguments: dict[str, Any],
        key: str,
        done: Callable[[str], None],
    ) -> str:
        """Part of Acting."""
        _ = self._clock.spawn(self._called(self._call_tool(upstream, tool, arguments, key), done))
        return ""

    async def _called(self, work: Awaitable[str], done: Callable[[str], None]) -> None:
        done(await work)

    def hold(self, wanted: Wanted) -> None:
        """These are held open from now on, and no others."""
        if not wanted and not self._held:
            return
        now = self._clock.now()
        for key, circuit in self._keep.each(CircuitKey):
            if not key.shadow and key not in self._held and _is_wanted(key, wanted):
                circuit.force(now, closed=False, by=BY)
                self._held[key] = circuit
        for key, circuit in list(self._held.items()):
            if not _is_wanted(key, wanted):
                del self._held[key]
                if circuit is not None:
                    circuit.release(now, BY)

    def _hear(self, event: Event) -> None:
        if type(event) is CircuitChange and event.why == "by_hand" and event.by != BY:
            key = CircuitKey(event.bulkhead, event.upstream, event.tool)
            if key in self._held:
                self._held[key] = None


def _is_wanted(key: CircuitKey, wanted: Wanted) -> bool:
    return (key.upstream, key.tool) in wanted or (key.upstream, "") in wanted
