"""Budgets at the gateway that are nothing while their agents are killed (spec 4.4).

Kills here stop what comes through this proxy. An agent may have a key of the gateway and go round
it; with a budget of zero it cannot spend there either.

It follows what is killed *now*, and not what happened: an agent whose scope is killed twice is held
until both are revived, and a restart finds what was left. Before a budget is set to zero, what it
was is written down, durably (`data_dir/mirrors/NAME.budgets`). One that is zero already is not
ours: another pod has set it, or people have, and whoever did gives it back. So is one that is not
zero any more when the agent is revived: people have changed it meanwhile, and it stays.
"""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from proxy.clock import Clock
from proxy.globs import holds
from proxy.journal.disk import Disk, write_whole
from proxy.mirrors.gateway_calls import GatewayCalls, Result
from proxy.mirrors.gateway_seen import Seen
from proxy.mirrors.retries import Retries
from proxy.state.scopes import ALL, Scope

LOOKS = 0.5
"""Seconds from look to look at what is killed."""
LONGEST = 60.0
"""Seconds until it is tried again at most."""
_GET, _SET = "get_balance", "set_budget"


class Held(msgspec.Struct):
    """An agent that is killed."""

    name: str  # of this holding: its calls have keys of their own
    ours: bool = False  # was it we who set it to zero?
    limit: str | None = None  # what it was, in US dollars; None: it had no budget
    done: bool = False


_decode = msgspec.json.Decoder(dict[str, Held]).decode


class GatewayBudgets:
    """`run`, until cancelled."""

    def __init__(
        self,
        gateway: GatewayCalls,
        path: Path,
        clock: Clock,
        disk: Disk,
        killed: Callable[[], Iterable[Scope]],
        domain: Callable[[str], str],
        seen: Seen,
        heard: Callable[[str, str], None],
    ) -> None:
        """`killed`: the scopes of now. `domain`: the bulkhead of an agent."""
        self._gateway = gateway
        self._path = path
        self._clock = clock
        self._disk = disk
        self._killed = killed
        self._domain = domain
        self._seen = seen
        self._heard = heard
        self.held: dict[str, Held] = {}
        self.failed = 0
        self._retries = Retries(clock, LONGEST)
        self._trouble = ""

    async def run(self) -> None:
        """Hold the budgets of those who are killed, and give back those of the others."""
        await self._patiently(self._read)
        while True:
            failed = await self.look()
            if failed is None:
                self._well()
                await self._clock.sleep(LOOKS)
            else:
                await self._refused(failed.why)

    async def look(self) -> Result | None:
        """Once. None: all is as it should be; else what the gateway did not do."""
        wanted = self.wanted()
        for agent in wanted:
            if agent not in self.held or not self.held[agent].done:
                failed = await self._hold(agent)
                if failed is not None:
                    return failed
        for agent in [each for each in self.held if each not in wanted]:
            failed = await self._give_back(agent)
            if failed is not None:
                return failed
        return None

    def wanted(self) -> set[str]:
        """The agents whose scope is killed: those that it names, and of those that were seen the
        ones that it is for. Scopes of tools, workflows and upstreams are no agent's."""
        scopes = list(self._killed())
        named = {scope.name for scope in scopes if scope.kind == "agent" and "*" not in scope.name}
        seen = self._seen.agents.items() if scopes else ()
        return named | {
            agent for agent, fleet in seen if any(self._meets(s, agent, fleet) for s in scopes)
        }

    def _meets(self, scope: Scope, agent: str, fleet: str) -> bool:
        if scope.kind == "agent":
            return holds(scope.name, agent)
        if scope.kind == "fleet":
            return scope.name == fleet
        if scope.kind == "bulkhead":
            return scope.name == self._domain(agent)
        return scope.kind == ALL

    async def _hold(self, agent: str) -> Result | None:
        if agent not in self.held:
            asked = await self._gateway.call(_GET, {"agent_id": agent})
            if not asked.taken and not asked.blames:
                return asked
            limit = _limit(asked)
            # One that has no wallet has nothing to be set to zero.
            ours = asked.taken and not _is_zero(limit)
            self.held[agent] = Held(self._clock.uuid(), ours, limit, done=not ours)
            await self._patiently(self._write)
        held = self.held[agent]
        return None if held.done else await self._set_to_zero(agent, held)

    async def _set_to_zero(self, agent: str, held: Held) -> Result | None:
        given = {"agent_id": agent, "limit": "0.00"}
        answer = await self._gateway.call(_SET, given, f"{held.name}/zero")
        if not answer.taken and not answer.blames:
            return answer
        if not answer.taken:
            self._heard("budget", f"the budget of {agent} cannot be set to zero: {answer.why}")
            held.ours = False
        held.done = True
        await self._patiently(self._write)
        return None

    async def _give_back(self, agent: str) -> Result | None:
        held = self.held[agent]
        if held.ours:
            asked = await self._gateway.call(_GET, {"agent_id": agent})
            if not asked.taken and not asked.blames:
                return asked
            if asked.taken and _is_zero(_limit(asked)):
                given = {"agent_id": agent, "limit": held.limit}
                answer = await self._gateway.call(_SET, given, f"{held.name}/back")
                if not answer.taken and not answer.blames:
                    return answer
                if not answer.taken:
                    was = "none" if held.limit is None else held.limit
                    why = f"the budget of {agent} was {was}, and cannot be given back: {answer.why}"
                    self._heard("budget", why)
        del self.held[agent]
        await self._patiently(self._write)
        return None

    # --- what is kept ---

    def _read(self) -> None:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return
        try:
            self.held = _decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            aside = self._path.with_name(self._path.name + ".damaged")
            self._disk.rename(self._path, aside)
            self._heard("damaged", f"{self._path} makes no sense, and was renamed to {aside.name}")

    def _write(self) -> None:
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        write_whole(self._disk, self._path, msgspec.json.encode(self.held))

    async def _patiently(self, work: Callable[[], None]) -> None:
        """In a thread; again and again while the disk does not do it."""
        while True:
            try:
                await asyncio.to_thread(work)
            except OSError as error:
                await self._refused(f"the disk: {error.strerror or error}")
            else:
                return

    async def _refused(self, why: str) -> None:
        self.failed += 1
        if why != self._trouble:
            self._heard("failing", f"budgets of killed agents: {why}")
        self._trouble = why
        await self._clock.sleep(self._retries.failed())

    def _well(self) -> None:
        if self._trouble:
            self._heard("ok", "budgets of killed agents are as they should be")
        self._trouble = ""
        self._retries.well()


def _limit(asked: Result) -> str | None:
    budget: Any = asked.result.get("budget")
    limit = budget.get("limit") if isinstance(budget, dict) else budget
    return None if limit is None else str(limit)


def _is_zero(limit: str | None) -> bool:
    return limit is not None and not limit.strip("0.")
