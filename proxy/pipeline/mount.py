"""An upstream, where agents reach it: what its calls are for is found out here."""

from typing import TYPE_CHECKING, final

import msgspec

from proxy.call import Call
from proxy.memo import Memo
from proxy.pipeline.compile import Pipeline
from proxy.pipeline.conditional import Conditional
from proxy.pipeline.walk import Way
from proxy.protocols.identity import complete
from proxy.protocols.protocol import Protocol, Reads, Rules
from proxy.refusal import Refusal
from proxy.stages.failover import Backups

if TYPE_CHECKING:
    from proxy.pipeline.table import Table

_NOTHING = Reads.NOTHING  # looking into an enum costs more than the question


@final
class Unread(msgspec.Struct, frozen=True):
    """Said instead of a body that must be read, and is not all here yet."""


_UNREAD = Unread()


class Mount(msgspec.Struct, frozen=True):
    """An upstream, where agents reach it."""

    name: str
    prefix: bytes  # without a slash at its end; empty: everything
    protocol: Protocol
    rules: Rules
    way: Way
    table: "Table"
    backups: Backups

    def enter(self, call: Call) -> None:
        """The call is for this upstream: its target is seen from here on."""
        call.upstream = self.name
        if self.prefix:
            call.target = self.stripped(call.target)

    def stripped(self, target: bytes) -> bytes:
        """The target without the prefix; it still begins with a slash."""
        rest = target[len(self.prefix) :]
        return rest if rest.startswith(b"/") else b"/" + rest

    def at_hand(self, call: Call) -> bytes | Unread | None:
        """What is to be looked at of the body: nothing, all of it, or what must be read first."""
        if self.protocol.reads(call.head) is _NOTHING:
            return None
        content = call.body.whole
        if content is None or len(content) > self.rules.body_buffer:
            return _UNREAD
        return content

    def recognise(
        self, call: Call, content: bytes | None
    ) -> Pipeline | Conditional[Pipeline] | Refusal:
        """The pipeline for this call; a refusal where it can be read in more than one way."""
        refusal = self.identify(call, content)
        return self.table.pipeline(call, self) if refusal is None else refusal

    def identify(self, call: Call, content: bytes | None) -> Refusal | None:
        """Fill in what the call is for, and for what work."""
        refusal = self.protocol.recognise(call, content, self.rules)
        if refusal is None and (call.workflow or call.head.signs):
            complete(call)
        return refusal


class DividedMount(Mount, frozen=True):
    """An upstream, where some agents are in bulkheads."""

    domains: Memo[str, str]  # of agents

    def enter(self, call: Call) -> None:
        """As every mount; the agent's bulkhead is known from here on."""
        call.domain = self.domains[call.agent]
        Mount.enter(self, call)
