"""`fallback`: who answers where the upstream does not (spec 3.7).

The links of a chain are tried in their order: another upstream or model, by its own policies and
behind its own circuit; what was answered before; what the policy itself says. All of it is one
call: one deadline, one record, and every sending is an attempt of it.

Three rules keep it honest. What was wrong with the call itself (a 4xx, a policy's "no") is no
reason to ask somebody else. A write of which nobody knows whether it ran goes to no other upstream:
there it might run a second time. And the answer says who gave it, and why.

Where every upstream of a chain only asks to be left alone for a while (open circuits, cool-downs),
and nothing else answers, the call waits for the first of them, if that fits its deadline: a chain
of two throttled upstreams would otherwise fail at once, though each alone would be waited for.
"""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from proxy.call import Call, Effect, Whole, latest_start
from proxy.counts import FALLBACKS
from proxy.keys import SHELF
from proxy.protocols.lacking import code_of, lack_of
from proxy.protocols.made import BODILESS, Made, made
from proxy.protocols.protocol import Protocol
from proxy.protocols.recognise import PROTOCOLS
from proxy.reply import KEPT, SUCCESS, Executed, Reply
from proxy.stage import Said, Section, Site
from proxy.state.backoff import spread
from proxy.state.shelf import Entry, Key, Shelf, recipe, whole_key
from proxy.state.stand_ins import Fall, Kept, Other, Own, People, StandIn, Written
from proxy.units import Seconds
from proxy.wire.compose import with_length

PATIENCE = 30.0
"""Seconds that a call waits at most for the first upstream to recover, if it has no deadline."""

_REPLAY = 1 << 20
"""Bytes of a body that are kept for other upstreams, where `retry` does not say how many."""

Reason = Literal["failure", "throttled", "circuit_open", "deadline", "budget"]


class CacheLink(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last good answer to the same call."""

    max_age: Annotated[Seconds, Meta(description="Not if it is older.")] = Seconds(300.0)


class Static(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answer that the policy gives: a result, where JSON-RPC is spoken, else status and body."""

    status: Annotated[int, Meta(ge=200, le=599, description="Of the answer.")] = 200
    body: Annotated[
        Any,
        Meta(
            description="Text goes out as it is, anything else as JSON; null: no body. Good "
            "answers are not for who asked for a stream."
        ),
    ] = None
    result: Annotated[
        dict[str, Any] | None,
        Meta(
            description="Of MCP and A2A instead of a body: what the protocol calls the result. It "
            "has the id of the request; who asked an agent for a stream gets one of it alone."
        ),
    ] = None

    def __post_init__(self) -> None:
        """Raises ValueError for a body where there can be none."""
        if self.status in BODILESS and self.body is not None:
            raise ValueError(f"body: an answer with status {self.status} has none")
        if self.result is None:
            return
        if self.body is not None:
            raise ValueError("result: it takes the place of a body; expected one of the two")
        if self.status != 200:
            raise ValueError("result: its status is 200; what fails is no result")


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of a chain: upstream or model or both, cache, static, or human."""

    upstream: Annotated[str | None, Meta(description="Another upstream of the policies.")] = None
    model: Annotated[str | None, Meta(description="The body's model is replaced by it.")] = None
    cache: CacheLink | None = None
    static: Static | None = None
    human: Annotated[
        str | None, Meta(description="A queue of people: the agent is told that they must decide.")
    ] = None

    def __post_init__(self) -> None:
        """Raises ValueError unless it is exactly one kind."""
        kinds = (self.upstream or self.model, self.cache, self.static, self.human)
        if sum(kind is not None for kind in kinds) != 1:
            raise ValueError("expected one of upstream (and model), model, cache, static or human")

    @property
    def name(self) -> str:
        """As metrics and answers have it."""
        if self.upstream is not None or self.model is not None:
            return self.model or self.upstream or ""
        return "cache" if self.cache is not None else "static" if self.static else "human"


class Fallback(Section, frozen=True, kw_only=True):
    """Who answers where the upstream does not: a list of links, or `on` and `chain`."""

    written_as_list: ClassVar[str] = "chain"
    holds: ClassVar[bool] = True

    on: Annotated[
        tuple[Reason, ...], Meta(min_length=1, description="What makes the chain begin.")
    ] = ("failure", "throttled", "circuit_open", "deadline", "budget")
    chain: Annotated[
        tuple[Link, ...],
        Meta(description="Tried in this order; empty: the backups of the upstream."),
    ] = ()


class Chain:
    """The stage."""

    def __init__(self, section: Fallback, site: Site) -> None:
        target, ground = site.target, site.ground
        self._inner = site.inner
        self._on = frozenset(section.on)
        self._own = Own(target.upstream, site.inner, ground.clock.now)
        chain = section.chain or tuple(Link(upstream=name) for name in target.backups)
        self._links = [_stand_in(link, site) for link in chain]
        keeps = target.effect is Effect.READ and any(link.cache is not None for link in chain)
        self._shelf = ground.kept(SHELF, Shelf) if keeps else None
        self._of_all = recipe(world=ground.world)
        # The place of the last upstream that is asked when another took too long: for writes, of
        # which nobody knows then whether they ran, there is none.
        waits = "failure" in self._on and target.effect is not Effect.WRITE
        others = [at for at, stands in enumerate(self._links, 1) if isinstance(stands, Other)]
        self._elsewhere = others[-1] if others and waits else 0
        self._clock = ground.clock
        self._streams = PROTOCOLS[target.protocol].streams
        self._counts = ground.kept(FALLBACKS.key, FALLBACKS.counts)

    def says(self, call: Call) -> Said:
        """Who is asked then, in which order, and on what."""
        links = " → ".join(stands.name for stands in self._links) or "nobody"
        return Said(f"{links}, on {', '.join(sorted(self._on))}")

    async def handle(self, call: Call) -> Reply:
        """The upstream's answer, or that of the first in the chain who has one."""
        if call.body.whole is None:
            call.body.keep(_REPLAY)
        asked = self._clock.now()
        call.others = self._elsewhere > 0
        reply = await self._inner(call)
        if reply.result is SUCCESS or not self._falls(call, reply):
            if self._shelf is not None:
                self._keep(self._shelf, call, reply, asked)
            return reply
        return await self._fall(call, reply)

    def _keep(self, shelf: Shelf, call: Call, reply: Reply, asked: float) -> None:
        """For the day on which there is no answer."""
        key, body = whole_key(call, self._of_all), reply.body
        comes = body is not None and body.whole is None
        if key and not (comes and self._streams(reply)):
            _ = shelf.keep(key, call, reply, asked)

    def _falls(self, call: Call, reply: Reply) -> bool:
        """Is it something that another may do better?"""
        return call.stopped is None and lack_of(reply) in self._on

    async def _fall(self, call: Call, reply: Reply) -> Reply:
        key: Key = () if self._shelf is None else whole_key(call, self._of_all)
        fall = Fall(call, code_of(reply), first=_aside(reply), key=key)
        fall.note(self._own, reply, self._clock.now())
        try:
            for at, stands in enumerate(self._links, 1):
                call.others = at < self._elsewhere
                answer = await self._try(stands, fall)
                if answer is not None:
                    return answer
            answer = await self._first_to_recover(fall)
        except BaseException:  # cancelled, or a bug: nothing may leak
            fall.first.drop()
            raise
        return answer or fall.first

    async def _try(self, stands: StandIn, fall: Fall) -> Reply | None:
        """Its answer; None if it has none."""
        if stands.objection(fall):
            self._counts.add(self._own.name, stands.name, "skipped")
            return None
        reply = await stands.answer(fall)
        if reply.result is not SUCCESS and self._falls(fall.call, reply):
            self._counts.add(self._own.name, stands.name, "failed")
            fall.note(stands, reply, self._clock.now())
            self._weigh(fall, stands, reply)
            return None
        self._counts.add(self._own.name, stands.name, "ok" if reply.result else "refused")
        reply.bug = reply.bug or fall.first.bug
        fall.first.drop()
        if stands.tier:
            reply.by(stands.tier, stands.served_by)
            reply.instead("stale" if stands.tier == KEPT else "fallback", fall.reason)
        return reply

    def _weigh(self, fall: Fall, stands: StandIn, reply: Reply) -> None:
        """Of two failures the one that is told if nobody answers: that which may have run, for the
        other would say that the call did not."""
        told, other = fall.first, reply
        if told.executed is Executed.NO and reply.executed is not Executed.NO:
            told, other = _aside(reply), told
            told.by(stands.tier, stands.served_by)
        told.bug = told.bug or other.bug
        other.drop()
        fall.first = told

    async def _first_to_recover(self, fall: Fall) -> Reply | None:
        """Where all of them only cool down: the answer of the one that is done first."""
        if not fall.cooling or fall.earliest is None:
            return None
        at, stands = fall.earliest
        began = self._clock.now()
        room = min(latest_start(fall.call) - began, PATIENCE)
        wait = at - began
        if wait > room:
            return None
        await self._clock.sleep(spread(wait, room, self._clock.chance.random()))
        fall.call.waited += self._clock.now() - began
        return await self._try(stands, fall)


def _stand_in(link: Link, site: Site) -> StandIn:
    if link.static is not None:
        return Written(_written(link.static, PROTOCOLS[site.target.protocol]))
    if link.human is not None:
        return People(link.human, site.policy, site.ground)
    if link.cache is not None:
        again = _as_answer_to(PROTOCOLS[site.target.protocol])
        return Kept(float(link.cache.max_age), site.ground, again)
    return Other(link.name, link.upstream or "", link.model or "", site.ground)


def _as_answer_to(protocol: Protocol) -> Callable[[Call, Entry], Entry | None]:
    """What was kept, as the answer to this call; None: it cannot be."""

    def again(call: Call, entry: Entry) -> Entry | None:
        kept = entry.body.whole or b""
        content = protocol.again(call, kept, entry.fields.get(b"content-encoding", b""))
        if content is None or content is kept:
            return None if content is None else entry
        length = len(content)
        lines = with_length(entry.lines, length)
        return replace(entry, lines=lines, body=Whole(content), length=length)

    return again


def _written(static: Static, protocol: Protocol) -> Callable[[Call], Made | None]:
    """What is said to a call; None: its client would not understand it."""
    result, status = static.result, static.status
    if result is not None:
        return lambda call: protocol.result(call, result)
    said = made(status, static.body)
    return lambda call: said if protocol.reads_body(call, status) else None


def _aside(reply: Reply) -> Reply:
    """What can be handed back later. One whose body is still coming keeps its connection."""
    return reply.set_aside() or reply if reply.body is None or reply.whole else reply
