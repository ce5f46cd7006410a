"""The agent card of A2A: what a peer agent says of itself, and at which URLs it is called.

A client reads the card and goes where it says, so a card that passes through unchanged leads its
client past this proxy and past every policy. Hence each URL of an interface that is the upstream's
own is written anew, as the place where agents reach it here. Nothing else of a card is touched.

A signed card (JWS, A2A 1.0 section 8.4) does not survive that. Its signatures are taken out only
where the operator says so, who then vouches for the card; else it is left as it is.
"""

import json
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import msgspec

from proxy.protocols.spans import Change, Member, changed, items, members

PATHS = ("/.well-known/agent-card.json", "/.well-known/agent.json")
"""Where it is (1.0 and later 0.x; earlier ones)."""

SIGNED = (
    "its agent card is signed, and was left as it is: agents that go where it leads go past "
    "Holdfast; a2a_rewrite_signed: true changes its URLs and takes the signatures out"
)
ELSEWHERE = (
    "its agent card names a URL that is not the upstream's own: agents that go there go past "
    "Holdfast; give the peer agent the upstream's URL as the address that it tells"
)
NOWHERE = (
    "its agent card was asked for without a Host header, and was left as it is: agents that go "
    "where it leads go past Holdfast"
)
CODED = (
    "its agent card came in a Content-Encoding that is not identity, gzip or deflate, and was left "
    "as it is: agents that go where it leads go past Holdfast"
)
"""What an operator must be told, of one upstream."""

_INTERFACES = frozenset(
    {
        "supportedInterfaces", "additionalInterfaces",  # of 1.0, of 0.3
        "supported_interfaces", "additional_interfaces",  # readers of Protobuf's JSON take both
    }
)  # fmt: skip
_ITSELF = frozenset({"localhost", "0.0.0.0", "::", "::1"})  # noqa: S104 -- nothing is bound to it
_PORTS = {"http": 80, "https": 443}


class Place(msgspec.Struct, frozen=True):
    """Where an upstream is, and where agents reach it."""

    host: str  # in lower case, IPv6 without its brackets
    port: int
    base: str  # the path before all of its own; empty, or without a slash at its end
    here: str = ""  # http://localhost:8080/peer; empty: nobody knows

    def led_back(self, url: str) -> str | None:
        """The same URL by way of here; None: it is not this upstream's."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme)
        except ValueError:  # a port, or an address, that is none
            return None
        if parts.scheme not in _PORTS or port != self.port or not self._is_own(host):
            return None
        path = parts.path
        if path != self.base and not path.startswith(f"{self.base}/"):
            return None
        rest = urlunsplit(("", "", path[len(self.base) :], parts.query, parts.fragment))
        user = parts.netloc.rpartition("@")[0]
        return (self.here.replace("://", f"://{user}@", 1) if user else self.here) + rest

    def _is_own(self, host: str) -> bool:
        """Its host as we know it, or as it calls itself."""
        own = host.rstrip(".")
        return own == self.host.rstrip(".") or own in _ITSELF or own.startswith("127.")


class Card(msgspec.Struct, frozen=True):
    """What became of one."""

    content: bytes | None = None  # None: it stays as it is
    warning: str = ""


def rewritten(content: bytes, place: Place, *, within: str = "", drop_signatures: bool) -> Card:
    """The card with its URLs led back to here.

    `within`: the member that holds it, as `result` of a JSON-RPC response; else it is all of it.
    What is no card passes as it came.
    """
    try:
        text = content.decode()
        found = list(_card(text, within))
        named = [(url, begin, end) for url, begin, end in _urls(text, found) if url]
    except (ValueError, RecursionError):  # no UTF-8, no JSON, too deep, no object
        return Card()
    if named and not place.here:
        return Card(warning=NOWHERE)
    ways = [(place.led_back(url), begin, end) for url, begin, end in named]
    warning = ELSEWHERE if any(way is None for way, _, _ in ways) else ""
    changes: list[Change] = [(at, end, json.dumps(way)) for way, at, end in ways if way is not None]
    signatures = [
        (at, end, "[]") for name, value, at, end in found if name == "signatures" and value
    ]
    if signatures and changes and not drop_signatures:
        return Card(warning=SIGNED)
    return Card(changed(text, changes + signatures) if changes else None, warning)


def _card(text: str, within: str) -> Iterator[Member]:
    """The members of the card."""
    if not within:
        yield from members(text)
        return
    for name, value, begin, _ in members(text):
        if name == within and isinstance(value, dict):
            yield from members(text, begin)


def _urls(text: str, card: list[Member]) -> Iterator[tuple[str, int, int]]:
    """Where clients are sent, and where in the text that stands."""
    for name, value, begin, end in card:
        if name == "url" and isinstance(value, str):
            yield value, begin, end
        elif name in _INTERFACES and isinstance(value, list):
            for interface, at in items(text, begin):
                if isinstance(interface, dict):
                    yield from _urls(text, [each for each in members(text, at) if each[0] == "url"])
