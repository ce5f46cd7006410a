"""An upstream, where agents reach it: what its calls are for is found out here."""

from typing import TYPE_CHECKING, final

import msgspec

from proxy.call import Batch, Call
from proxy.memo import Memo
from proxy.pipeline.commit import Commit
from proxy.pipeline.together import Together
from proxy.pipeline.walk import Way
from proxy.protocols.identity import complete
from proxy.protocols.protocol import Protocol, Reads, Rules
from proxy.protocols.recognise import PROTOCOLS
from proxy.refusal import Refusal
from proxy.stage import Handler
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

    def recognise(self, call: Call, content: bytes | None) -> Handler | Refusal:
        """The pipeline for this call; a refusal where it can be read in more than one way."""
        refusal = self.identify(call, content)
        if refusal is not None:
            return refusal
        return self.table.pipeline(call, self) if call.batch is None else self._together(call.batch)

    def _together(self, batch: Batch) -> Handler:
        """What takes the calls of one message through a pipeline each."""
        for call in batch.calls:
            complete(call)
        found = [self.table.together(call, self) for call in batch.calls]
        protocol = PROTOCOLS[batch.calls[0].protocol]
        commit = Commit(protocol, self.table.grounds.enforced.clock, hold=True)
        return Together(batch, found, self.way.send, commit)

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
