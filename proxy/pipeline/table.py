"""The table: which upstream is mounted where, and the pipeline of each tool. Swapped whole.

A pipeline is compiled when its tool is first called, and found by one lookup from then on. The key
of the lookup holds just those facts of a call that some policy asks for. So are links: what sends a
call to another upstream than its own, or as another model.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from hashlib import sha256
from operator import attrgetter
from typing import Any, TypeAlias, TypeVar

from msgspec.structs import asdict, replace

from proxy.call import CONTROL, Call, Rule
from proxy.config.cascade import Effective, Merged, beside, candidates, inside, merge, of_control
from proxy.config.clamped import clamped
from proxy.config.loaded import Loaded
from proxy.config.match import truth
from proxy.config.types import Upstream
from proxy.keys import KILLS, NEWS
from proxy.memo import Memo
from proxy.news import News, Overlap, UpstreamTrouble
from proxy.pipeline.amended import amending
from proxy.pipeline.compile import Pipeline, compile_link, compile_pipeline, compile_together
from proxy.pipeline.conditional import Conditional, Conditions, Outcomes
from proxy.pipeline.hidden import Hidden
from proxy.pipeline.money import charged
from proxy.pipeline.mount import DividedMount, Mount
from proxy.pipeline.recent import Recent
from proxy.pipeline.told import rule_of
from proxy.pipeline.walk import Grounds, Way
from proxy.protocols.protocol import BODY_BUFFER, Rules
from proxy.protocols.recognise import PROTOCOLS
from proxy.refusal import Refusal
from proxy.reply import Reply, refusing
from proxy.stage import Ground, Handler, Sender
from proxy.stages import BACKUPS
from proxy.stages.failover import Backups
from proxy.state.kills import Kills
from proxy.state.standing import Return

Found = TypeVar("Found", bound=Handler)
Build: TypeAlias = Callable[[Effective, Call], Found]

_MOST = 4096
"""Pipelines kept, and links. An agent may make up as many names of tools as it likes."""


class Table:
    """Mounts and pipelines of one loaded set of policies."""

    def __init__(
        self,
        loaded: Loaded,
        senders: dict[str, Sender],
        grounds: Grounds,
        body_buffer: int = BODY_BUFFER,
    ) -> None:
        """`senders` send to the upstreams, by their names."""
        self.loaded = loaded
        self.version = loaded.version
        self.rule = Rule(loaded.version)  # of calls that no pipeline has taken
        generation = grounds.enforced.keep.generation()
        self.grounds = Grounds(
            replace(
                grounds.enforced,
                links=self.link,
                generation=generation,
                places={name: str(one.url) for name, one in loaded.upstreams.items()},
                world=_world(loaded),
                newest=grounds.enforced.newest or self.again,
            ),
            replace(grounds.shadow, generation=generation),
        )
        self._news = grounds.enforced.kept(NEWS, News)
        self._kills = grounds.enforced.kept(KILLS, Kills)
        self._pipelines: Recent[Pipeline | Conditional[Pipeline]] = Recent(_MOST)
        self._links: Recent[Handler] = Recent(_MOST)
        self._key = _key_of(loaded)
        self._hidden = Hidden(loaded.policies)
        self._bulkheads = {bulkhead.name: bulkhead for bulkhead in loaded.bulkheads}
        self._domains: Memo[str, str] = Memo(loaded.domain)
        mounts = [
            self._mount(name, upstream, senders[name], body_buffer)
            for name, upstream in loaded.upstreams.items()
        ]
        self._by_name = {mount.name: mount for mount in mounts}
        reached = [mount for mount in mounts if loaded.upstreams[mount.name].path is not None]
        self._mounts = sorted(reached, key=lambda mount: -len(mount.prefix))

    def _mount(self, name: str, upstream: Upstream, send: Sender, body_buffer: int) -> Mount:
        made = partial(DividedMount, domains=self._domains) if self._bulkheads else Mount
        return made(
            name=name,
            prefix=(upstream.path or "").rstrip("/").encode(),
            protocol=PROTOCOLS[upstream.protocol],
            rules=_rules(name, upstream, body_buffer, self._news.tell_once),
            way=Way(send, PROTOCOLS[upstream.protocol], upstream.holdfast.headers == "minimal"),
            table=self,
            backups=_backups(upstream),
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

    def killed(self, call: Call) -> Refusal | None:
        """Is it stopped before it is known what it is for?"""
        net = self._kills.net
        kill = None if net is None else net.early(call, call.upstream)
        return None if kill is None else kill.refusal()

    def pipeline(self, call: Call, mount: Mount) -> Pipeline | Conditional[Pipeline]:
        """The pipeline for this call, or what finds it by the policies' conditions."""
        key = self._key(call)
        pipeline = self._pipelines.get(key)
        if pipeline is None:
            return self._found(self._pipelines, key, call, partial(self._built, mount))
        return pipeline

    def together(self, call: Call, mount: Mount) -> Pipeline | Conditional[Pipeline]:
        """The pipeline for a call that comes in one message with others."""
        key = ("together", self._key(call))
        return self._found(self._pipelines, key, call, partial(self._built_together, mount))

    def again(self, call: Call) -> Awaitable[Reply]:
        """A call that was held passes once more, from the first gate on: it is counted as on its
        way by this table alone."""
        mount = self._by_name.get(call.upstream)
        if call.flight is not None:
            call.flight.now -= 1
            call.flight = None
        if mount is None:
            return refusing(Refusal("no_route", f"there is no upstream {call.upstream} any more"))
        call.domain = self._domains[call.agent]
        return self.pipeline(call, mount)(call)

    def link(self, call: Call, upstream: str, model: str) -> Handler:
        """Part of Links: what sends a call to another upstream than its own, or as another model.

        Only its own has backups. Raises LookupError for an upstream that there is not.
        """
        mount = self._by_name[upstream or call.upstream]
        own = mount.name == call.upstream
        there = replace(call, upstream=mount.name, model=model or call.model)
        key = (self._key(there), model, own)
        link = self._links.get(key)
        if link is None:
            build = partial(self._linked, mount if own else replace(mount, backups=_ALONE), model)
            link = self._found(self._links, key, there, build)
        if not isinstance(link, Conditional):
            return link
        found = link.of(there)
        return partial(refusing, found) if type(found) is Refusal else found

    def _found(
        self, kept: Recent[Any], key: object, call: Call, build: Build[Found]
    ) -> Found | Conditional[Found]:
        """What is kept for such calls, or what their policies build."""
        found: Found | Conditional[Found] = kept.fetch(
            key, lambda: self._made(kept, key, call, build)
        )
        return found

    def _made(
        self, kept: Recent[Any], key: object, call: Call, build: Build[Found]
    ) -> Found | Conditional[Found]:
        """Where it hangs on conditions what is built: what asks them of each call, and finds it.
        Nothing of it may hold the call that it is made for."""
        policies = candidates(self.loaded.policies, facts(call))
        conditions = Conditions(policies, self.grounds.enforced)
        if not conditions:
            return build(merge(policies), call)

        def find(alike: Call, outcomes: Outcomes) -> Found:
            found: Found | None = kept.get((key, outcomes))
            return fetched(alike, outcomes) if found is None else found

        def fetched(alike: Call, outcomes: Outcomes) -> Found:
            found: Found = kept.fetch(
                (key, outcomes), lambda: build(conditions.effective(outcomes), alike)
            )
            return found

        return Conditional(conditions, find)

    def _built(self, mount: Mount, effective: Effective, call: Call) -> Pipeline:
        if call.kind != CONTROL:
            for message in clamped(effective, effective.effect or call.usual_effect):
                self._news.tell_once(Overlap(message))
        effective = self._in_force(effective, call, mount)
        rule = rule_of(effective, self.version, minimal=mount.way.minimal)
        built = compile_pipeline(effective, call, _way(mount, call), self.grounds, rule)
        if call.kind == CONTROL and self._hidden:
            built.handle = self._hidden.told(facts, built.handle)
        return built

    def _built_together(self, mount: Mount, effective: Effective, call: Call) -> Pipeline:
        effective = self._in_force(effective, call, mount)
        rule = rule_of(effective, self.version, minimal=mount.way.minimal)
        return compile_together(effective, call, self.grounds, rule)

    def _linked(self, mount: Mount, model: str, effective: Effective, call: Call) -> Handler:
        effective = self._in_force(effective, call, mount)
        return compile_link(effective, call, _way(mount, call), self.grounds, model)

    def _in_force(self, effective: Effective, call: Call, mount: Mount) -> Effective:
        """With what no policy says: the bulkhead of the agent, the backups of the upstream."""
        if call.kind == CONTROL:
            effective = of_control(effective)
        else:
            effective = charged(effective, facts(call), call.domain, self.loaded)
            bulkhead = self._bulkheads.get(call.domain)
            if bulkhead is not None:
                effective = inside(effective, bulkhead)
        return backed(effective, mount.backups) if mount.backups.names else effective

    def conditions(self, call: Call, ground: Ground) -> Conditions:
        """Those of the policies that may hold for a call that was recognised."""
        return Conditions(candidates(self.loaded.policies, facts(call)), ground)

    def effective(
        self, call: Call, mount: Mount, conditions: Conditions, outcomes: Outcomes
    ) -> Effective:
        """What is in force for it where they come to this, for those who only ask."""
        return self._in_force(conditions.effective(outcomes), call, mount)

    @property
    def mounts(self) -> dict[str, Mount]:
        """Each upstream by its name."""
        return self._by_name


def _rules(
    name: str, upstream: Upstream, body_buffer: int, tell: Callable[[UpstreamTrouble], None]
) -> Rules:
    """What its settings say about recognising its calls; `tell` what is wrong with its answers."""
    origin = upstream.url.origin
    return Rules(
        pass_unrecognised=upstream.unrecognised == "pass",
        body_buffer=body_buffer,
        base=origin.base.encode(),
        upstream=name,
        mount=(upstream.path or "/").encode(),
        origin=f"{'https' if origin.tls else 'http'}://{origin.authority}".encode(),
        trust_annotations=upstream.trust_annotations,
        mcp_refusals=upstream.mcp_refusals,
        a2a_rewrite_signed=upstream.a2a_rewrite_signed,
        inject_usage=upstream.inject_usage,
        warn=lambda said: tell(UpstreamTrouble(name, said)),
    )


def backed(effective: Effective, backups: Backups) -> Effective:
    """What is in force for calls of an upstream that has these backups."""
    breaker = effective.sections.get("breaker")
    state = "disabled" if breaker is None else breaker.fields.get("state", "auto")
    fields = {**asdict(backups), "breaker": state}
    return beside(effective, BACKUPS, Merged("", "", fields))


def _world(loaded: Loaded) -> bytes:
    """What is not the same where an answer of before a reload might be another one's."""
    places = [
        (name, str(upstream.url), upstream.protocol, upstream.credentials)
        for name, upstream in sorted(loaded.upstreams.items())
    ]
    return sha256(repr(places).encode()).digest()


_ALONE = Backups()
_ENDS = (b"", b"/", b"?")


def _way(mount: Mount, call: Call) -> Way:
    """By the protocol that knew the call: an upstream may speak several."""
    protocol, send = PROTOCOLS[call.protocol], mount.way.send
    if mount.rules.inject_usage:
        send = amending(protocol, send)
    return replace(mount.way, protocol=protocol, send=send)


def _backups(upstream: Upstream) -> Backups:
    health = upstream.health
    back = Return() if health is None else Return(float(health.well_for), float(health.step))
    return Backups(names=tuple(map(str, upstream.backups)), back=back)


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
        "method": call.method,
        "path": call.path,
        "stream": truth(call.stream),
    }


def _key_of(loaded: Loaded) -> Callable[[Call], object]:
    """Reads the facts by which calls are told apart: always these three, others where asked for.

    The layer is that of the protocol, and the fleet the same for all calls of a process. What a
    tool does is known by its name and protocol, and what is no call by its path, but where an
    upstream's protocol `has_kinds`: in MCP a tool may be called like traffic that sets up sessions,
    and its server say what it does.
    """
    kinds = any(PROTOCOLS[each.protocol].has_kinds for each in loaded.upstreams.values())
    matches = [
        *(policy.match for policy in loaded.policies),
        *(one.match for one in loaded.budgets),
    ]
    asked = {key for match in matches for key in match.keys}
    more = sorted(asked - {"upstream", "protocol", "layer", "tool", "fleet"})
    names = [
        "upstream",
        "protocol",
        "tool",
        *(["domain"] if loaded.bulkheads else []),
        *(["kind", "usual_effect"] if kinds else []),
        *more,
    ]
    return attrgetter(*names)
