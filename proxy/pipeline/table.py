"""The table: which upstream is mounted where, and the pipeline of each tool. Swapped whole.

A pipeline is compiled when its tool is first called, and found by one lookup from then on. The key
of the lookup holds just those facts of a call that some policy asks for.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import final

import msgspec

from proxy.call import Call
from proxy.config.cascade import cascade
from proxy.config.types import Loaded, Upstream
from proxy.pipeline.compile import Grounds, Pipeline, compile_pipeline
from proxy.protocols.identity import complete
from proxy.protocols.protocol import Protocol, Reads, Rules
from proxy.protocols.recognise import HTTP, PROTOCOLS
from proxy.refusal import Refusal
from proxy.stage import Sender

_NOTHING = Reads.NOTHING  # looking into an enum costs more than the question
_MOST = 4096
"""Pipelines kept. An agent may make up as many names of tools as it likes."""


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
    send: Sender
    minimal: bool
    table: "Table"

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

    def recognise(self, call: Call, content: bytes | None) -> "Pipeline | Refusal":
        """The pipeline for this call; a refusal where it can be read in more than one way."""
        refusal = self.protocol.recognise(call, content, self.rules)
        if refusal is not None:
            return refusal
        if call.workflow or call.head.signs:
            complete(call)
        return self.table.pipeline(call, self)


class Table:
    """Mounts and pipelines of one loaded set of policies."""

    def __init__(
        self, loaded: Loaded, senders: dict[str, Sender], grounds: Grounds, body_buffer: int
    ) -> None:
        """`senders` send to the upstreams, by their names."""
        self.version = loaded.version
        self._policies = loaded.policies
        self._grounds = grounds
        self._recent: dict[object, Pipeline] = {}
        self._before: dict[object, Pipeline] = {}  # those that had no call since `_recent` began
        self._key = _key_of(loaded)
        mounts = [
            self._mount(name, upstream, senders[name], body_buffer)
            for name, upstream in loaded.upstreams.items()
        ]
        self._mounts = sorted(mounts, key=lambda mount: -len(mount.prefix))

    def _mount(self, name: str, upstream: Upstream, send: Sender, body_buffer: int) -> Mount:
        base = upstream.url.origin.base.encode()
        return Mount(
            name=name,
            prefix=str(upstream.path).rstrip("/").encode(),
            protocol=PROTOCOLS[upstream.protocol],
            rules=Rules(upstream.unrecognised == "pass", body_buffer, base),
            send=send,
            minimal=upstream.holdfast.headers == "minimal",
            table=self,
        )

    def mount(self, target: bytes) -> Mount | None:
        """The upstream that is mounted there: the longest prefix wins."""
        for mount in self._mounts:
            prefix = mount.prefix
            if not prefix or (
                target.startswith(prefix) and target[len(prefix) : len(prefix) + 1] in _ENDS
            ):
                return mount
        return None

    def pipeline(self, call: Call, mount: Mount) -> Pipeline:
        """The pipeline for this call."""
        key = self._key(call)
        pipeline = self._recent.get(key)
        return self._fetched(key, call, mount) if pipeline is None else pipeline

    def _fetched(self, key: object, call: Call, mount: Mount) -> Pipeline:
        """In two generations, so that a hit costs one lookup and writes nothing, and names that are
        made up push out only what was not called while half of `_MOST` others were."""
        pipeline = self._before.pop(key, None) or self._compiled(call, mount)
        if len(self._recent) >= _MOST // 2:
            self._before, self._recent = self._recent, {}
        self._recent[key] = pipeline
        return pipeline

    def _compiled(self, call: Call, mount: Mount) -> Pipeline:
        effective = cascade(self._policies, facts(call))
        protocol = mount.protocol if call.protocol != "http" else HTTP
        return compile_pipeline(
            effective,
            call,
            mount.send,
            protocol,
            self._grounds,
            self.version,
            minimal=mount.minimal,
        )


_ENDS = (b"", b"/", b"?")


def facts(call: Call) -> dict[str, str]:
    """What a policy may match of a call."""
    return {
        "upstream": call.upstream,
        "protocol": call.protocol,
        "layer": call.layer,
        "tool": call.tool,
        "agent": call.agent,
        "fleet": call.fleet,
        "workflow": call.workflow,
        "model": call.model,
        "method": call.head.method,
        "path": call.path,
    }


def _key_of(loaded: Loaded) -> Callable[[Call], object]:
    """Reads the facts by which calls are told apart: always these three, others where asked for."""
    asked = {key for policy in loaded.policies for key in policy.match.keys}
    more = sorted(asked - {"upstream", "protocol", "layer", "tool", "fleet"})
    names = [
        "upstream",
        "protocol",
        "tool",
        *("head.method" if key == "method" else key for key in more),
    ]
    return attrgetter(*names)
