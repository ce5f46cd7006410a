"""The shelf: what upstreams answered, kept for a while (spec 3.7, 3.8). The essay on caching.

**Whose an answer is.** One is given again only to who may have had it: the key holds the bulkhead,
the agent, its credential, the whole target and the body, so that no agent ever sees what another
one was told. It holds as well where the upstreams are and what they are shown of ours: when a
reload turns a name to another host or account, what the old one said is nobody's answer any more.
Of what the head says, credentials above all, and of what is long, only a digest is kept. The parts
stand apart, so that no end of one can pass for the beginning of the next.

**What is kept.** Good answers that are here whole. Not those that set cookies (they are one
client's), that forbid it (`no-store`, `no-cache`), that are a part (206) or have trailers. An
answer that says `Vary` is found again only by requests in which those headers are the same (RFC
9111 4.1). How old it may be when it is given again is the policy's word alone, not the upstream's:
the gateways that this stands in front of say `max-age=0` of everything, if they say anything.

**How old it is.** Counted from when it was asked for, plus the age that it had on arrival (RFC 9111
4.2.3), on the clock that only goes forward: nobody makes it young again by setting the time.

**How much.** Bounded by entries and by bytes; what was not asked for longest goes first. What is
still coming in is bounded as well: a thousand agents that fetch slowly hold no more than `_COMING`.
An answer that is older never takes the place of a newer one, whichever comes in first.
"""

import functools
import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from proxy.call import Call, RequestHead, Whole
from proxy.memo import remembered
from proxy.reply import KEPT, SUCCESS, Executed, Reply

MOST = 10_000
"""Entries of the process."""
ROOM = 64 << 20
"""Bytes of the process, as `Entry.size` counts them."""
LARGEST = 1 << 20
"""Bytes of one body: of an answer that is kept, and of a request whose answer may be."""
_COMING = 16 << 20
"""Bytes promised to answers that are still coming in."""
_FRAME = 1024
"""Bytes that an entry costs beside its texts: its objects, and its place on the shelf. The head
counts twice, for its fields are its lines once more."""

_PLAIN = frozenset(
    {
        b"accept", b"accept-encoding", b"accept-language", b"baggage", b"cache-control",
        b"connection", b"content-encoding", b"content-length", b"content-type", b"date", b"expect",
        b"host", b"idempotency-key", b"origin", b"pragma", b"referer", b"te", b"traceparent",
        b"tracestate", b"transfer-encoding", b"user-agent", b"via", b"x-request-id",
    }
)  # fmt: skip
"""Headers that surely say nothing of who asks. Most heads have no others."""
_SAYS_WHO = re.compile(
    rb"auth|token|secret|passw|credential|cookie|session|signature|key|cert|user|jwt|bearer|saml"
    rb"|oidc|dpop|assertion|identity|principal"
)
"""Somewhere in the name of a header that may."""
_FOR_WHOM = re.compile(
    rb"tenant|organi[sz]ation|account|behalf|impersonat|project|customer|workspace|subject"
    rb"|version|-beta"
)
"""Likewise of one that says for whom, in whose place, or in which version of its protocol it asks.
Another one is named in `vary`."""
_SHORT = 512
"""Bytes of target and content that a key holds as they are: that costs less than a digest would."""
_MEANING = (b"content-type", b"content-encoding")
"""What the bytes of a body mean."""
_TELLING = frozenset({b"set-cookie", b"cache-control", b"vary", b"age"})
"""Headers by which an answer says that it must not be kept, or how. Most have none."""
_FORBIDS = frozenset({b"no-store", b"no-cache"})
_RECIPES = 16
"""For so many, what they make of a head is kept with it."""
_OK = 200
_BODILESS = 204
_PART = 206

Key: TypeAlias = tuple[str | bytes, ...]
"""By which a call is found; empty: it is not."""

# Looking into an enum costs more than finding an entry.
_NO = Executed.NO
_encode = msgspec.msgpack.Encoder().encode
_sha256 = hashlib.sha256


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One answer. Who is given it changes nothing of it."""

    status: int
    lines: bytes  # as they went to the agent, without those that are ours
    fields: dict[bytes, bytes]
    body: Whole
    length: int | None
    size: int  # bytes that it costs, about
    born: float  # on Clock.now; older than its arrival by the age that it had then
    served_by: str = ""
    vary: tuple[bytes, ...] = ()  # headers of the request that it hangs on
    varied: bytes = b""  # a digest of what they were

    def age(self, now: float) -> float:
        """Seconds."""
        return now - self.born

    def suits(self, fields: dict[bytes, bytes]) -> bool:
        """Is this request as far as the answer hangs on it the one that it was given to?"""
        return not self.vary or _digest(fields, self.vary) == self.varied

    def reply(self, more: bytes) -> Reply:
        """The same answer once more, with `more` lines in its head. Nothing ran for it."""
        return Reply(
            status=self.status,
            lines=self.lines + more,
            fields=self.fields,
            body=self.body,
            length=self.length,
            result=SUCCESS,
            executed=_NO,
            tier=KEPT,
            served_by=self.served_by,
        )


class Recipe:
    """What tells one call from another, as far as its answers go."""

    __slots__ = ("_names", "_what", "_world")

    def __init__(
        self, vary: Iterable[str] = (), what: Iterable[str] = (), world: bytes = b""
    ) -> None:
        """`vary`: headers that count beside those that always do. `what`: which part of the body
        counts, where it is not all of it; calls of another `what` are others, and so are those of
        another `world` (`Ground.world`)."""
        self._names = (*_MEANING, *(name.lower().encode() for name in vary))
        self._what = tuple(what)
        self._world = world

    def key(self, call: Call, content: bytes) -> Key:
        """What a call is, and what counts of its body."""
        head, target = call.head, call.target
        told = head.worked_out.get(self) or self._told(head)
        if len(content) + len(target) <= _SHORT:
            return told, call.domain, call.agent, call.upstream, call.tool, target, content
        digest = _sha256(_encode((target, content))).digest()
        return told, call.domain, call.agent, call.upstream, call.tool, digest

    def _told(self, head: RequestHead) -> bytes:
        """What its head says; the same head comes again and again."""
        fields = head.fields
        others = fields.keys() - _PLAIN
        who = _credentials(fields, others) if others else None
        values = list(map(fields.get, self._names))
        mine = (self._names, self._what, self._world, head.method, who, values)
        told = _sha256(_encode(mine)).digest()
        if len(head.worked_out) >= _RECIPES:
            head.worked_out.clear()
        head.worked_out[self] = told
        return told


@remembered
def says_who(name: bytes) -> bool:
    """May a header of this name (in lower case) say who asks?"""
    return _SAYS_WHO.search(name) is not None


@remembered
def _counts(name: bytes) -> bool:
    """May an answer hang on what a header of this name says of who asks?"""
    return says_who(name) or _FOR_WHOM.search(name) is not None


def _credentials(fields: dict[bytes, bytes], names: set[bytes]) -> dict[bytes, bytes] | None:
    """Those of the headers that may say who asks and for whom, in one order; None: none does."""
    found = sorted(filter(_counts, names))
    return {name: fields[name] for name in found} or None


@functools.lru_cache(_RECIPES)
def recipe(vary: tuple[str, ...] = (), what: tuple[str, ...] = (), world: bytes = b"") -> Recipe:
    """The one for these: pipelines share it, and with it what was worked out of a head."""
    return Recipe(vary, what, world)


def whole_key(call: Call, of_all: Recipe) -> Key:
    """The key of a call of which all of the body counts that makes it this call (`Call.means`);
    empty where that is not at hand, or too large."""
    content = call.body.whole
    if content is None or len(content) > LARGEST:
        return ()
    return of_all.key(call, content if call.means is None else call.means(content))


class Shelf:
    """Entries by the keys of their calls. One for the process: look it up in the `Keep`."""

    __slots__ = ("__weakref__", "_coming", "_entries", "_most", "_room", "bytes")

    idle = False  # never makes room for others in the Keep

    def __init__(self, most: int = MOST, room: int = ROOM) -> None:
        self._most = most
        self._room = room
        self._entries: OrderedDict[Key, Entry] = OrderedDict()
        self._coming = 0  # bytes promised
        self.bytes = 0

    @property
    def entries(self) -> int:
        """How many there are."""
        return len(self._entries)

    def look(self, key: Key, fields: dict[bytes, bytes]) -> Entry | None:
        """What is there for this request, and nothing changes."""
        entry = self._entries.get(key)
        return entry if entry is not None and (not entry.vary or entry.suits(fields)) else None

    def find(self, key: Key, fields: dict[bytes, bytes]) -> Entry | None:
        """What is there for this request; it is the last that will make room for others."""
        entry = self._entries.get(key)
        if entry is None or (entry.vary and not entry.suits(fields)):
            return None
        self._entries.move_to_end(key)
        return entry

    def keep(self, key: Key, call: Call, reply: Reply, asked: float) -> bool:
        """Keep the answer, if it may be. `asked`: when, on Clock.now. True: it is here now.

        One that is still coming in is kept when it has ended well: it must not be a stream, which
        may never end, and its head may be changed meanwhile.
        """
        body = reply.body
        if body is None or reply.result is not SUCCESS or reply.outcome or reply.pending:
            return False
        status, fields = reply.status, reply.fields
        plain = status == _OK and _TELLING.isdisjoint(fields)  # nearly always
        if not plain and not _may_be_kept(status, fields):
            return False
        content = body.whole
        if content is None:
            self._expect(key, call, reply, asked)
            return False
        count = len(content)
        if count > LARGEST or body.trailers:
            return False
        whole = body if type(body) is Whole else Whole(content)
        lines, length = reply.lines, reply.length
        if not plain or length is None:
            entry = _entry(reply, lines, whole, count, call.head.fields, asked)
        else:
            size = _FRAME + 2 * len(lines) + count
            entry = Entry(status, lines, fields, whole, length, size, asked, reply.served_by)
        self._put(key, entry)
        return True

    def _expect(self, key: Key, call: Call, reply: Reply, asked: float) -> None:
        expected = LARGEST if reply.length is None else reply.length
        if expected > LARGEST or self._coming + expected > _COMING or reply.body is None:
            return
        self._coming += expected
        reply.body.keep(LARGEST)
        coming = _Coming(key, reply.lines, call.head.fields, asked, expected)
        reply.finishers.append((self._arrived, coming))

    def _arrived(self, coming: "_Coming", reply: Reply) -> None:
        """Its body is whole by now, if it ever will be: the last bytes came in before `finish`."""
        self._coming -= coming.expected
        body = reply.body
        if reply.failure is not None or body is None or body.whole is None or body.trailers:
            return
        if reply.result is not SUCCESS or reply.outcome or reply.pending:  # as it said at its end
            return
        whole, count = Whole(body.whole), len(body.whole)
        entry = _entry(reply, coming.lines, whole, count, coming.asked_with, coming.asked)
        self._put(coming.key, entry)

    def _put(self, key: Key, entry: Entry) -> None:
        entries = self._entries
        before = entries.get(key)
        if before is None:
            self.bytes += entry.size
        elif before.born > entry.born:
            return
        else:
            self.bytes += entry.size - before.size
            entries.move_to_end(key)
        entries[key] = entry
        while len(entries) > self._most or self.bytes > self._room:
            self.bytes -= entries.popitem(last=False)[1].size


class _Coming(msgspec.Struct, frozen=True):
    """An answer of which the body is still coming in."""

    key: Key
    lines: bytes
    asked_with: dict[bytes, bytes]  # the fields of its request
    asked: float
    expected: int  # bytes promised to it


def _may_be_kept(status: int, fields: dict[bytes, bytes]) -> bool:
    """Is it a good answer that does not forbid it?"""
    return (
        200 <= status < 300
        and status != _PART
        and b"set-cookie" not in fields
        and b"*" not in _listed(fields.get(b"vary", b""))
        and _FORBIDS.isdisjoint(_listed(fields.get(b"cache-control", b"")))
    )


def _entry(
    reply: Reply,
    lines: bytes,
    body: Whole,
    count: int,
    asked_with: dict[bytes, bytes],
    asked: float,
) -> Entry:
    """What is kept of an answer whose body has `count` bytes."""
    length, fields = reply.length, reply.fields
    if length is None and reply.status != _BODILESS:  # now it is known
        length = count
        lines += b"Content-Length: %d\r\n" % length
    vary: tuple[bytes, ...] = ()
    varied = b""
    if b"age" in fields:
        asked -= _seconds(fields[b"age"])
        lines = _without_age(lines)
    if b"vary" in fields:
        vary = _listed(fields[b"vary"])
        varied = _digest(asked_with, vary)
    size = _FRAME + 2 * len(lines) + count
    served_by = reply.served_by
    return Entry(reply.status, lines, fields, body, length, size, asked, served_by, vary, varied)


@remembered
def _listed(value: bytes) -> tuple[bytes, ...]:
    """The members of a list in lower case, each without what it is set to."""
    members = (member.partition(b"=")[0].strip().lower() for member in value.split(b","))
    return tuple(member for member in members if member)


def directives(fields: dict[bytes, bytes]) -> tuple[bytes, ...]:
    """What Cache-Control says, in lower case, without values."""
    return _listed(fields.get(b"cache-control", b""))


def _seconds(age: bytes) -> int:
    """Of an Age; nothing where it is not a number (RFC 9111 5.1)."""
    first = age.partition(b",")[0].strip()
    return int(first[:10]) if first.isdigit() else 0


def _without_age(lines: bytes) -> bytes:
    kept = [line for line in lines.split(b"\r\n") if not line.lower().startswith(b"age:")]
    return b"\r\n".join(kept)


def _digest(fields: dict[bytes, bytes], names: tuple[bytes, ...]) -> bytes:
    return _sha256(_encode(list(map(fields.get, names)))).digest()
