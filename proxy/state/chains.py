"""Call chains: which agents wait for each other, as far as this process knows (spec 4.6).

An agent that calls another one waits until it answers. The call carries a chain
(`holdfast-chain`), to which each proxy on the way adds a link: the id of its call, who calls, for
which work, and when. The agent that is called hands it on with its own calls. So it is seen how
deep a call is, and whether somebody on the way to it is already waiting for its end.

**What is believed.** A link is signed (HMAC-SHA-256) over itself and all that stands before it:
with the fleet's key, else with one that this process made for itself, so that without a fleet's key
only its own links count. Others are handed on, for their own proxy will know them.

**What a link is good for.** It says that this call, of this agent, for this work, is under way. A
link of ours counts only while that is so: as long as the call is open here. It counts only for
calls of the same workflow and task. So one that was picked up elsewhere, or kept, says nothing: an
agent can shorten a chain, or leave it out, and then its own calls go unguarded; it cannot make one
in which somebody waits who does not, nor have it count for other work. What it can do with a chain
that was handed to it, it does to calls for its own work.

Links of other pods cannot be looked up. They count for the depth until they are `OLDEST` seconds
old, and for no deadlock: who waits there, only they know. Where pods share a store they tell each
other, and a ring that goes through several of them is found beyond the chains (`state/waits.py`).
"""

import base64
import hmac
import re
import secrets
from hashlib import sha256
from typing import NamedTuple, Protocol, TypeAlias

from proxy.call import Call

LARGEST = 4096
"""Bytes of a chain."""
MOST = 24
"""Links of a chain."""
OLDEST = 3600.0
"""Seconds for which a link of another pod counts."""
_SKEW = 60.0
"""Seconds by which the clock of another pod may be ahead."""
_NAME = 48
"""Bytes of an agent's name; of those of calls that are open here all is known."""
_LINK = re.compile(
    rb"(?P<call>[0-9A-Za-z_-]{1,40})\.(?P<agent>(?:[0-9a-f]{2}){0,48})\.(?P<work>[0-9A-Za-z_-]{16})"
    rb"\.(?P<at>[0-9a-f]{1,10})\.(?P<seal>[0-9A-Za-z_-]{22})"
)


Work: TypeAlias = tuple[str, str]
"""What a call is for: its workflow, and its task."""


class Link(NamedTuple):
    """One call that waits, as far as it can be believed."""

    call: str
    agent: str
    own: bool  # it is open here


class Chain(NamedTuple):
    """What a call came with."""

    text: bytes = b""  # to be handed on
    links: tuple[Link, ...] = ()  # those that count, the outermost first
    ignored: str = ""  # why something in it does not, as a word for people

    @property
    def caller(self) -> str:
        """The agent that waits for who makes this call; empty: nobody knows one."""
        return self.links[-1].agent if self.links else ""

    def ring(self, agent: str, called: str) -> tuple[str, ...]:
        """The agents that would wait for each other, if this one called that one: from the one that
        waits already on, until it is met again. Empty: none waits in a ring."""
        for at, link in enumerate(self.links):
            if link.own and link.agent in (agent, called):
                ring = (*(each.agent for each in self.links[at:]), agent)
                return ring if link.agent == agent else (*ring, called)
        return ()


NONE = Chain()


def _digest(work: Work) -> bytes:
    """What ties a link to its work. It tells nobody what that is called."""
    parts = (part.encode() for part in work)
    told = b"".join(b"%d:%b" % (len(part), part) for part in parts)
    return _text(sha256(told).digest()[:12])


class Beyond(Protocol):
    """Who finds rings that go through other pods (`state/waits.py`)."""

    def begin(self, call: Call, policy: str, /) -> None:
        """A call to an agent waits, and is stopped if it closes a ring. Its policy says so."""

    def end(self, call_id: str, /) -> None:
        """It waits no more, if it did."""


class Chains:
    """The calls that wait. One for the process: look it up in the `Keep`."""

    idle = False  # never makes room for others in the Keep

    def __init__(self, instance: str = "", key: bytes = b"") -> None:
        """`instance` is what the ids of this process's calls begin with; `key` the fleet's."""
        self._own = f"{instance}-"
        self._shared = bool(key)
        self._key = key or secrets.token_bytes(32)
        self._open: dict[str, str] = {}  # who makes them
        self.beyond: Beyond | None = None  # where pods share a store

    @property
    def open(self) -> int:
        """How many there are."""
        return len(self._open)

    def read(self, value: bytes, work: Work, wall: float) -> Chain:
        """What an agent sent, for a call of this work. `wall`: seconds since 1970."""
        if len(value) > LARGEST:
            return Chain(ignored="too_long")
        texts = [text.strip() for text in value.split(b",")]
        if len(texts) > MOST:
            return Chain(ignored="too_long")
        links: list[Link] = []
        ignored, before, digest = "", b"", _digest(work)
        for text in texts:
            found = _LINK.fullmatch(text)
            if found is None:
                return Chain(ignored="malformed")
            read = self._link(found, before, digest, wall)
            if isinstance(read, Link):
                links.append(read)
            else:
                ignored = ignored or read
            before = b"%b,%b" % (before, text) if before else text
        return Chain(before, tuple(links), ignored)

    def _link(
        self, found: re.Match[bytes], before: bytes, digest: bytes, wall: float
    ) -> Link | str:
        """The link, or why it does not count."""
        text, seal = found[0].rpartition(b".")[0], found["seal"]
        if not hmac.compare_digest(seal, self._seal(before, text)):
            return "unknown"  # forged, or of a pod whose key we do not have
        if found["work"] != digest:
            return "other_work"
        call = found["call"].decode()
        agent = self._open.get(call)
        if agent is not None:
            return Link(call, agent, own=True)
        if not self._shared or call.startswith(self._own):
            return "ended"
        age = wall - int(found["at"], 16)
        return Link(call, _name(found["agent"]), own=False) if -_SKEW <= age < OLDEST else "stale"

    def begin(self, call: str, agent: str) -> None:
        """From here on it waits, if it is for an agent: else nobody has a link of it."""
        self._open[call] = agent

    def onward(self, chain: Chain, call: str, agent: str, work: Work, wall: float) -> bytes:
        """The header line that goes with a call to an agent, as often as it is sent."""
        before = chain.text
        name = agent.encode()[:_NAME].hex().encode()
        text = b"%b.%b.%b.%x" % (call.encode(), name, _digest(work), int(wall))
        if before.count(b",") + 2 > MOST or len(before) + len(text) + 24 > LARGEST:
            before = b""  # a chain that nobody would read is worth less than one link
        link = b"%b.%b" % (text, self._seal(before, text))
        return b"holdfast-chain: %b\r\n" % (b"%b,%b" % (before, link) if before else link)

    def end(self, call: str) -> None:
        """It waits no more, if it did."""
        self._open.pop(call, None)
        if self.beyond is not None:
            self.beyond.end(call)

    def _seal(self, before: bytes, text: bytes) -> bytes:
        return _text(hmac.digest(self._key, b"%b,%b" % (before, text), "sha256")[:16])


def _text(value: bytes) -> bytes:
    return base64.urlsafe_b64encode(value).rstrip(b"=")


def _name(text: bytes) -> str:
    """As it was told; a name that was cut may end in half a letter."""
    return bytes.fromhex(text.decode()).decode(errors="replace")
