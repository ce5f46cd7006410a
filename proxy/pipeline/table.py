"""The table: which upstream is mounted where, and the pipeline of each tool. Swapped whole.

A pipeline is compiled when its tool is first called, and found by one lookup from then on. The key
of the lookup holds just those facts of a call that some policy asks for.
"""

from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Any, TypeVar, final

import msgspec
from msgspec.structs import replace

from proxy.call import Call, Rule
from proxy.config.cascade import Effective, candidates, inside, merge
from proxy.config.clamped import clamped
from proxy.config.types import Loaded, Upstream
from proxy.keys import NEWS
from proxy.memo import Memo
from proxy.news import News, Overlap
from proxy.pipeline.compile import (
    Grounds,
    Pipeline,
    Way,
    compile_link,
    compile_pipeline,
    refused,
    rule_of,
)
from proxy.pipeline.conditional import Conditional, Conditions, Outcomes
from proxy.pipeline.failover import Backups, Failover
from proxy.pipeline.renamed import called_as, sends_as
from proxy.protocols.identity import complete
from proxy.protocols.protocol import Protocol, Reads, Rules
from proxy.protocols.recognise import HTTP, PROTOCOLS
from proxy.refusal import Refusal
from proxy.reply import Reply
from proxy.stage import Ground, Handler, Sender
from proxy.state.standing import Return

Found = TypeVar("Found", bound=Pipeline | Conditional)

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

    def recognise(self, call: Call, content: bytes | None) -> Pipeline | Conditional | Refusal:
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


class Table:
    """Mounts and pipelines of one loaded set of policies."""

    def __init__(
        self, loaded: Loaded, senders: dict[str, Sender], grounds: Grounds, body_buffer: int
    ) -> None:
        """`senders` send to the upstreams, by their names."""
        self.loaded = loaded
        self.version = loaded.version
        self.rule = Rule(loaded.version)  # of calls that no pipeline has taken
        generation = grounds.enforced.keep.generation()
        self.grounds = Grounds(
            replace(grounds.enforced, links=self.link, generation=generation),
            replace(grounds.shadow, generation=generation),
        )
        self._news = grounds.enforced.kept(NEWS, News)
        self._links: dict[object, Handler | Conditions] = {}
        self._recent: dict[object, Pipeline | Conditional] = {}
        # Those that had no call since `_recent` began.
        self._before: dict[object, Pipeline | Conditional] = {}
        self._key = _key_of(loaded)
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
        base = upstream.url.origin.base.encode()
        made = partial(DividedMount, domains=self._domains) if self._bulkheads else Mount
        return made(
            name=name,
            prefix=(upstream.path or "").rstrip("/").encode(),
            protocol=PROTOCOLS[upstream.protocol],
            rules=Rules(upstream.unrecognised == "pass", body_buffer, base),
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

    def pipeline(self, call: Call, mount: Mount) -> Pipeline | Conditional:
        """The pipeline for this call, or what finds it by the policies' conditions."""
        key = self._key(call)
        pipeline = self._recent.get(key)
        if pipeline is None:
            return self._fetched(key, partial(self._compiled, key, call, mount))
        return pipeline

    def _fetched(self, key: object, compiled: Callable[[], Found]) -> Found:
        """In two generations, so that a hit costs one lookup and writes nothing, and names that are
        made up push out only what was not called while half of `_MOST` others were."""
        found: Any = self._before.pop(key, None) or compiled()
        if len(self._recent) >= _MOST // 2:
            self._before, self._recent = self._recent, {}
        self._recent[key] = found
        return found  # type: ignore[no-any-return]  # it is what `compiled` made under this key

    def _compiled(self, key: object, call: Call, mount: Mount) -> Pipeline | Conditional:
        policies = candidates(self.loaded.policies, facts(call))
        conditions = Conditions(policies, self.grounds.enforced)
        if not conditions:
            return self._built(merge(policies), call, mount)

        def find(alike: Call, outcomes: Outcomes) -> Pipeline:
            known: Any = self._recent.get((key, outcomes))
            return known or self._fetched(
                (key, outcomes), lambda: self._built(conditions.effective(outcomes), alike, mount)
            )

        return Conditional(conditions, find)

    def _built(self, effective: Effective, call: Call, mount: Mount) -> Pipeline:
        link = self._linked(effective, call, mount, "", others=False)
        for message in clamped(effective, effective.effect or call.usual_effect):
            self._news.tell_once(Overlap(message))
        effective = self._inside(effective, call)
        rule = rule_of(effective, self.version, minimal=mount.way.minimal)
        names = mount.backups.names
        return compile_pipeline(effective, call, link, self.grounds, rule, names)

    def _inside(self, effective: Effective, call: Call) -> Effective:
        bulkhead = self._bulkheads.get(call.domain)
        return effective if bulkhead is None else inside(effective, bulkhead)

    def conditions(self, call: Call, ground: Ground) -> Conditions:
        """Those of the policies that may hold for a call that was recognised."""
        return Conditions(candidates(self.loaded.policies, facts(call)), ground)

    def effective(self, call: Call, conditions: Conditions, outcomes: Outcomes) -> Effective:
        """What is in force for it where they come to this, for those who only ask."""
        return self._inside(conditions.effective(outcomes), call)

    @property
    def mounts(self) -> dict[str, Mount]:
        """Each upstream by its name."""
        return self._by_name

    def link(self, call: Call, upstream: str, model: str) -> Handler:
        """Part of Links: what sends a call to another upstream than its own, or as another model.

        Only its own has backups. Raises LookupError for an upstream that there is not.
        """
        mount = self._by_name[upstream or call.upstream]
        own = mount.name == call.upstream
        if not own:
            mount = replace(mount, backups=_ALONE)
        there = replace(call, upstream=mount.name, model=model or call.model)
        key: object = (self._key(there), model, own)
        link = self._links.get(key)
        if link is None:
            policies = candidates(self.loaded.policies, facts(there))
            conditions = Conditions(policies, self.grounds.enforced)
            link = conditions or self._linked(merge(policies), there, mount, model, others=True)
            self._keep_link(key, link)
        if not isinstance(link, Conditions):
            return link
        outcomes = link.outcomes(there)
        if isinstance(outcomes, Refusal):
            return partial(_refuse, outcomes)
        key = (key, outcomes)
        known: Any = self._links.get(key)
        if known is None:
            known = self._linked(link.effective(outcomes), there, mount, model, others=True)
            self._keep_link(key, known)
        return known  # type: ignore[no-any-return]  # only what has no conditions has such a key

    def _linked(
        self, effective: Effective, call: Call, mount: Mount, model: str, *, others: bool
    ) -> Handler:
        way = _way(mount, call)
        effective = self._inside(effective, call)
        if model:
            way = replace(way, send=sends_as(model, way.send), model=model)
        link = compile_link(effective, call, way, self.grounds, others=others)
        if model:
            link = called_as(model, link)
        return failing_over(link, mount, effective, call, self.grounds.enforced, model)

    def _keep_link(self, key: object, link: Handler | Conditions) -> None:
        if len(self._links) >= _MOST:
            self._links.clear()
        self._links[key] = link


async def _refuse(refusal: Refusal, call: Call) -> Reply:
    return await refused(refusal)


def failing_over(
    link: Handler, mount: Mount, effective: Effective, call: Call, ground: Ground, model: str = ""
) -> Handler:
    """The way of such calls to an upstream, or past it where it has backups."""
    if not mount.backups.names:
        return link
    return Failover(link, mount.backups, call, ground, model, effective.sections.get("breaker"))


_ALONE = Backups()
_ENDS = (b"", b"/", b"?")


def _way(mount: Mount, call: Call) -> Way:
    """A call that the upstream's protocol did not know is plain HTTP."""
    return mount.way if call.protocol != "http" else replace(mount.way, protocol=HTTP)


def _backups(upstream: Upstream) -> Backups:
    health = upstream.health
    back = Return() if health is None else Return(float(health.well_for), float(health.step))
    return Backups(tuple(map(str, upstream.backups)), back)


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
        *(["domain"] if loaded.bulkheads else []),
        *("head.method" if key == "method" else key for key in more),
    ]
    return attrgetter(*names)
