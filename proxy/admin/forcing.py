"""`POST /v1/breakers/{key}`: a circuit is kept open or closed by hand, or let go again.

It holds until somebody says `auto`, or the process ends: circuits are not kept over that.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from proxy.admin.answers import NotDone
from proxy.admin.lists import Item
from proxy.admin.routes import Visit
from proxy.admin.sight import Sight
from proxy.keys import CircuitKey
from proxy.state.circuit import Circuit


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of the request."""

    state: Annotated[
        Literal["open", "closed", "auto"],
        Meta(description="open, closed: so it stays; auto: it goes by its rules again."),
    ]
    bulkhead: Annotated[
        str | None, Meta(description="Only that of its agents. null: all that have this key.")
    ] = None


class Forcing:
    """The handler."""

    def __init__(self, sight: Sight) -> None:
        self._keep = sight.keep
        self._clock = sight.clock

    def force(self, visit: Visit) -> Item:
        """Gives how many circuits it is about. Raises NotDone."""
        key, wanted = visit.request.match_info["key"], visit.body
        circuits = self._circuits(key, wanted.bulkhead)
        if not circuits:
            raise NotDone(
                404, "no circuit has this key; a circuit is there once a call has asked for it"
            )
        now, by = self._clock.now(), visit.author.name
        for circuit in circuits:
            if wanted.state == "auto":
                circuit.release(now, by)
            else:
                circuit.force(now, closed=wanted.state == "closed", by=by)
        return {"key": key, "state": wanted.state, "circuits": len(circuits)}

    def _circuits(self, wanted: str, bulkhead: str | None) -> list[Circuit]:
        """Those in force that have this key, as `/v1/breakers` shows it."""
        return [
            circuit
            for key, circuit in self._keep.each(CircuitKey)
            if not key.shadow
            and wanted == (f"{key.upstream}/{key.tool}" if key.tool else key.upstream)
            and bulkhead in (None, key.bulkhead)
        ]
