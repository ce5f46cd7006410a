"""`cache`: what was answered to the same call a moment ago is the answer (spec 3.8).

Only for reads, and only where a policy asks for it. What may be kept, whose it is and how old it is
stand in `state/shelf.py`; here is when it is given:

- *Fresh*, younger than `max_age`: instead of a sending. The call goes nowhere: it costs nothing,
  needs no permit, and no circuit is asked.
- *Stale*, at most `stale_if_error` older than that: instead of an error of the upstream, or of a
  refusal because of the upstream's state or ours. What a policy forbids stays forbidden, and what
  was wrong with the call stays wrong: an old answer would hide it. The agent can see that it is
  stale (`holdfast-outcome`, `Age`, a ttl below zero), and why (`holdfast-reason`).

Calls that are the same and come at once are all sent. To let one of them go and the others wait
for it would save sendings where many agents ask the same in the same moment; but who shares a key
shares an agent and a credential, and the wait of all would hang on the luck of one.

What an agent says counts: `no-cache` (or `max-age=0`) wants a new answer and no old one either,
`no-store` leaves nothing here, and a part of an answer or a condition on it is asked of the
upstream alone (RFC 9111 5.2.1, RFC 9110 13, 14).
"""

import re
from typing import Annotated, ClassVar, Literal

from msgspec import Meta
from msgspec.structs import replace

from proxy.call import NAME_SIGN, Call, RequestHead, Whole
from proxy.counts import CACHE
from proxy.keys import SHELF
from proxy.protocols.canonical import counted, paths_of
from proxy.protocols.document import Ambiguous
from proxy.protocols.http import Http
from proxy.protocols.lacking import code_of, lack_of
from proxy.protocols.recognise import PROTOCOLS
from proxy.refusal import Refusal
from proxy.reply import SUCCESS, Reply, refused
from proxy.stage import Said, Section, Site
from proxy.state.shelf import LARGEST, Entry, Key, Shelf, directives, recipe
from proxy.units import Seconds
from proxy.wire.compose import with_length

_HEADER = re.compile(f"{NAME_SIGN}+")


class Cache(Section, frozen=True, kw_only=True):
    """Answers that are given again. Only for calls whose effect is read."""

    holds: ClassVar[bool] = True
    reads_only: ClassVar[bool] = True

    max_age: Annotated[
        Seconds, Meta(description="A younger answer is given instead of sending; 0s: none is.")
    ] = Seconds(0.0)
    stale_if_error: Annotated[
        Seconds, Meta(description="So much longer it may stand in where sending fails; 0s: not.")
    ] = Seconds(0.0)
    vary: Annotated[
        tuple[str, ...],
        Meta(description="Headers of the request that the answer hangs on, beside credentials."),
    ] = ()
    key: Annotated[
        tuple[Literal["input"], ...],
        Meta(
            description="input: of the body only a tool's arguments count, in whatever order and "
            "spelling. Default: all of it, byte for byte."
        ),
    ] = ()
    volatile: Annotated[
        tuple[str, ...],
        Meta(description="Arguments that do not count, such as input.nonce; the others do."),
    ] = ()

    def __post_init__(self) -> None:
        """Raises ValueError for what is no header, or no argument."""
        for name in self.vary:
            if not _HEADER.fullmatch(name):
                raise ValueError(f"vary: expected the name of a header, found {name!r}")
        try:
            paths_of(self.volatile)
        except ValueError as error:
            raise ValueError(f"volatile: {error}") from None

    @property
    def keeps(self) -> bool:
        """Is there any moment at which it would give an answer?"""
        return self.max_age > 0 or self.stale_if_error > 0


class Cached:
    """Gives what is on the shelf, and puts there what may be given again."""

    def __init__(self, section: Cache, site: Site) -> None:
        target, ground = site.target, site.ground
        self._inner = site.inner
        self._now = ground.clock.now
        self._fresh = float(section.max_age)
        self._life = int(self._fresh)  # as it is told
        self._stale = self._fresh + section.stale_if_error if section.stale_if_error else 0.0
        self._upstream = target.upstream
        self._tool = target.tool
        protocol = PROTOCOLS[target.protocol]
        self._streams = protocol.streams
        same = getattr(protocol.again, "__func__", None) is Http.again
        self._again = None if same else protocol.again
        self._without = paths_of(section.volatile)
        only_input = bool(section.key or section.volatile)
        self._arguments = protocol.canonical() if only_input else None
        what = ("input", *sorted(section.volatile)) if only_input else ()
        vary = tuple(sorted({name.lower() for name in section.vary}))
        self._key = recipe(vary, what, ground.world).key
        self._shelf = ground.kept(SHELF, Shelf)
        self._counts = ground.kept(CACHE.key, CACHE.counts)
        self._missed = (target.upstream, target.tool, "miss")

    @classmethod
    def build(cls, section: Cache, site: Site) -> "Cached | None":
        """For one pipeline. None where there is no moment at which it would give an answer."""
        return cls(section, site) if section.keeps else None

    async def handle(self, call: Call) -> Reply:
        """The call's reply: from the shelf, or from those behind it."""
        head, content = call.head, call.body.whole
        asks = not _ASKING.isdisjoint(head.fields) or head.method in _UNKEPT
        wish = _wish(head) if asks else ""
        if content is None or len(content) > LARGEST or wish in _ALONE:
            return await self._past(call, wish)
        key = self._key_of(call, content)
        if type(key) is Refusal:
            return refused(key)
        entry = None if wish else self._find(call, key)
        now = self._now()
        if entry is not None and now - entry.born < self._fresh:
            self._counts.add(self._upstream, self._tool, "hit")
            return entry.reply(self._told(call, entry, now, b""))
        reply = await self._inner(call)
        if self._stale and reply.result is not SUCCESS and not wish:
            stale = self._instead(call, key, reply)
            if stale is not None:
                return stale
        self._counts.more(self._missed)
        body = reply.body
        # A stream may have no end, and is nobody's but who asked for it.
        streams = body is not None and body.whole is None and self._streams(reply)
        kept = not streams and self._shelf.keep(key, call, reply, now)
        why = wish or ("miss" if entry is None else "stale")
        _tell(call, reply, _STORED[why] if kept else _SENT[why])
        return reply

    async def _past(self, call: Call, wish: str) -> Reply:
        """Nothing of it is looked for here, and nothing kept."""
        self._counts.add(self._upstream, self._tool, "bypass")
        reply = await self._inner(call)
        _tell(call, reply, _SENT[wish or "bypass"])
        return reply

    def _find(self, call: Call, key: Key) -> Entry | None:
        """What is there for it, as the answer to this very call."""
        entry = self._shelf.find(key, call.head.fields)
        if entry is None or self._again is None:
            return entry
        coding = entry.fields.get(b"content-encoding", b"")
        content = self._again(call, entry.body.whole or b"", coding)
        if content is None:
            return None
        length = len(content)
        lines = with_length(entry.lines, length)
        return replace(entry, lines=lines, body=Whole(content), length=length)

    def _key_of(self, call: Call, content: bytes) -> Key | Refusal:
        """What the call is found by; a refusal where its arguments can be read in two ways."""
        if self._arguments is None:
            return self._key(call, content if call.means is None else call.means(content))
        coding = call.head.fields.get(b"content-encoding")
        try:
            return self._key(call, counted(content, coding, self._arguments, self._without))
        except Ambiguous as why:
            return Refusal("ambiguous_call", str(why))

    def _instead(self, call: Call, key: Key, reply: Reply) -> Reply | None:
        """An old answer, if there is one that may stand in for this failure."""
        if call.stopped is not None or lack_of(reply) not in _REPLACED:
            return None
        entry = self._find(call, key)  # another call may have renewed it
        now = self._now()
        if entry is None or entry.age(now) > self._stale:
            return None
        why = code_of(reply)
        stale = entry.reply(self._told(call, entry, now, b"; detail=" + why.encode()))
        stale.instead("stale", why)
        stale.executed = reply.executed
        reply.drop()
        stale.bug = reply.bug
        self._counts.add(self._upstream, self._tool, "stale")
        return stale

    def _told(self, call: Call, entry: Entry, now: float, more: bytes) -> bytes:
        """What the head of a kept answer says besides (RFC 9111 5.1, RFC 9211)."""
        age = int(entry.age(now))
        if call.rule.minimal:
            return b"Age: %d\r\n" % age
        lines = b"Age: %d\r\nCache-Status: holdfast; hit; ttl=%d%b\r\n"
        return lines % (age, self._life - age, more)

    def says(self, call: Call) -> Said:
        """What there is for this call now."""
        head, content = call.head, call.body.whole
        if content is None or len(content) > LARGEST:
            return Said("its body is not at hand, or too large")
        if _wish(head):
            return Said("its headers ask for an answer of the upstream")
        key = self._key_of(call, content)
        if isinstance(key, Refusal):
            return Said(key.detail, key)
        entry = self._shelf.look(key, head.fields)
        return Said("nothing kept" if entry is None else self._how_old(entry.age(self._now())))

    def _how_old(self, age: float) -> str:
        if age < self._fresh:
            return f"fresh for {self._fresh - age:.3g} s"
        if age <= self._stale:
            return f"stale, may stand in for a failure for {self._stale - age:.3g} s"
        return f"too old, by {age - max(self._fresh, self._stale):.3g} s"


_REPLACED = frozenset({"failure", "throttled", "circuit_open", "deadline"})
"""Lacks that say nothing of the call, but of the upstream's state or ours."""


_CONDITIONS = frozenset(
    {
        b"range", b"if-range", b"if-match", b"if-none-match", b"if-modified-since",
        b"if-unmodified-since", b"upgrade",
    }
)  # fmt: skip
_ASKING = _CONDITIONS | {b"cache-control"}
"""Headers by which a request asks for something else than the answer. Most have none."""
_UNKEPT = frozenset({"HEAD", "OPTIONS", "TRACE"})
_ALONE = frozenset({"bypass", "method", "no-store"})
_NO_AGE = re.compile(rb"(?:^|,)\s*max-age\s*=\s*\"?0+\"?\s*(?:,|$)")


def _wish(head: RequestHead) -> str:
    """Why the shelf is not asked, as a key of `_SENT`; empty: it is."""
    fields = head.fields
    if head.method in _UNKEPT:
        return "method"
    if not _CONDITIONS.isdisjoint(fields):
        return "bypass"
    said = directives(fields)
    if b"no-store" in said:
        return "no-store"
    if b"no-cache" in said or _NO_AGE.search(fields.get(b"cache-control", b"").lower()):
        return "request"
    return ""


_SENT = {
    why: f"Cache-Status: holdfast; fwd={said}\r\n".encode()
    for why, said in {
        "miss": "miss",
        "stale": "stale",
        "request": "request",
        "no-store": "request",
        "method": "method",
        "bypass": "bypass",
    }.items()
}
"""What an answer says that was sent for (RFC 9211 2.2)."""
_STORED = {why: line[:-2] + b"; stored\r\n" for why, line in _SENT.items()}


def _tell(call: Call, reply: Reply, line: bytes) -> None:
    if reply.status >= 200 and reply.refusal is None and not call.rule.minimal:
        reply.lines += line
