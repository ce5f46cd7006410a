"""What a workflow holds at the gateway, and how it is let go when a budget ends the workflow.

Records have no payloads, and so no ids of escrows: which are of a workflow only the gateway knows,
and it knows if the agent said so, with `workflow_id` in the escrow or in its `metadata`. Those that
are pending and say so are cancelled. Others are left alone, for an escrow of somebody else cannot
be had back; how many the workflow made, as far as records say, is told beside how many were found,
so that people see what is left. Only agents are asked about that made some in this workflow, as
far as records say: any agent may take any workflow's id, and end it, but not with it what others
hold who were never here.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from proxy.mirrors.event import Event
from proxy.mirrors.gateway_calls import GatewayCalls, Result
from proxy.mirrors.gateway_table import NOBODY, Called, published

CREATES, LISTS, CANCELS = "create_escrow", "list_escrows", "cancel_escrow"
RELEASED = "holdfast.workflow.released"
"""The type of the event that tells what was found."""
MOST = 500
"""Workflows that are remembered: the last ones."""
_PAGE = 500
_PAGES = 20
_AGENTS = 20  # of one workflow


class Escrows:
    """Who made some in which workflow, and which workflows were ended."""

    def __init__(self, gateway: GatewayCalls) -> None:
        self._gateway = gateway
        self._made: OrderedDict[str, dict[str, int]] = OrderedDict()
        self._ended: OrderedDict[str, None] = OrderedDict()

    def concerns(self, event: Event, found: Called) -> str:
        """The workflow that is to let go of what it holds, after this; empty: none is."""
        if event.type == "kill.engaged" and found.origin == "budget" and not found.pod:
            kind, _, name = found.scope.partition(":")
            return name if kind == "workflow" else ""
        late = _makes(event, found) and found.workflow in self._ended
        return found.workflow if late else ""

    def saw(self, event: Event, found: Called) -> None:
        """Remember it."""
        if (name := self.concerns(event, found)) and event.type == "kill.engaged":
            _newest(self._ended, name, None)
        if _makes(event, found) and found.workflow:
            agents = _newest(self._made, found.workflow, self._made.get(found.workflow, {}))
            if found.agent in agents or len(agents) < _AGENTS:
                agents[found.agent] = agents.get(found.agent, 0) + 1

    async def release(self, event: Event, found: Called, workflow: str) -> Result | None:
        """Cancel what it holds, and tell of it. None: it is done; else what was not."""
        made = dict(self._made.get(workflow, {}))
        if _makes(event, found):  # it is not remembered yet
            made[found.agent] = made.get(found.agent, 0) + 1
        cancelled: list[str] = []
        left: list[str] = []
        for agent in made:
            failed = await self._of(agent, workflow, event, cancelled, left)
            if failed is not None:
                return failed
        told = {
            "workflow": workflow,
            "cancelled": cancelled,
            "not_cancelled": left,
            "created": sum(made.values()),
        }
        step = published(event, NOBODY, RELEASED, msgspec.json.encode(told))
        result = await self._gateway.call(*step)
        # Refused is what was told before, in other words: by a try that died behind it.
        return None if result.taken or result.blames else result

    async def _of(
        self, agent: str, workflow: str, event: Event, cancelled: list[str], left: list[str]
    ) -> Result | None:
        """Those of one agent. First all are listed: cancelling changes what the pages are."""
        found: list[str] = []
        for page in range(_PAGES):
            given = {
                "agent_id": agent,
                "status": "pending",
                "limit": _PAGE,
                "offset": page * _PAGE,
            }
            result = await self._gateway.call(LISTS, given)
            if not result.taken:
                return result
            rows = result.result.get("escrows")
            rows = rows if isinstance(rows, list) else []
            found += [name for name in _names(rows, workflow) if name not in cancelled]
            if len(rows) < _PAGE:
                break
        for name in found:
            key = f"{event.id}/{CANCELS}/{name}"[:255]
            result = await self._gateway.call(CANCELS, {"escrow_id": name}, key)
            if not (result.taken or result.blames):
                return result
            (cancelled if result.taken else left).append(name)
        return None

    def dump(self) -> Any:
        """As JSON."""
        return {"made": list(self._made.items()), "ended": list(self._ended)}

    def load(self, state: Any) -> None:
        """What `dump` gave."""
        self._made = OrderedDict((name, dict(agents)) for name, agents in state["made"])
        self._ended = OrderedDict.fromkeys(state["ended"])


def _makes(event: Event, found: Called) -> bool:
    return event.type == "call.finished" and found.tool == CREATES and found.executed != "no"


def _names(rows: list[Any], workflow: str) -> Iterator[str]:
    for row in rows:
        if isinstance(row, dict) and isinstance(row.get("escrow_id"), str):
            metadata = row.get("metadata")
            places = (row, metadata if isinstance(metadata, Mapping) else {})
            if any(place.get("workflow_id") == workflow for place in places):
                yield row["escrow_id"]


def _newest(kept: "OrderedDict[str, Any]", name: str, value: Any) -> Any:
    kept[name] = value
    kept.move_to_end(name)
    while len(kept) > MOST:
        kept.popitem(last=False)
    return value
