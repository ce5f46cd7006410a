"""What settings and policies are once they are read: frozen data."""

import enum
import re
import ssl
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from proxy.call import NAME_SIGN, Effect, Risk, Unrecorded
from proxy.config.addresses import MountPath, Url
from proxy.config.disk import content
from proxy.config.health import Health
from proxy.config.match import Globs, Match
from proxy.config.places import Place
from proxy.protocols.recognise import PROTOCOLS
from proxy.units import Seconds

HEADER_NAME = f"{NAME_SIGN}+"
PRINTABLE = "^[ -~]{1,128}$"
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$"


class Secret(str):
    """A text that is used and never shown: only `revealed`, `encode` and comparing tell what it
    is."""

    __slots__ = ()

    @property
    def revealed(self) -> str:
        """What it is: for where it is used."""
        return self.encode().decode()

    @classmethod
    def parse(cls, text: object) -> "Secret":
        """Raises ValueError for what cannot stand in a header line."""
        if not isinstance(text, str):
            raise ValueError("expected text; a number is put in quotes")
        if not (text.isascii() and (text.isprintable() or not text) and text == text.strip()):
            raise ValueError("expected printable ASCII without spaces at its ends")
        return cls(text)

    def __repr__(self) -> str:
        return "'[secret]'"

    def __str__(self) -> str:
        return "[secret]"

    def __format__(self, spec: str) -> str:
        return format("[secret]", spec)


class Name(str):
    """A name of a policy or an upstream: it stands in headers and metric labels."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "Name":
        """Raises ValueError, with what is allowed."""
        if not isinstance(text, str) or not re.fullmatch(NAME_PATTERN, text):
            raise ValueError(
                "expected a name of at most 64 letters, digits, '.', '_', '-' and '/', "
                f"found {text!r}"
            )
        return cls(text)


class HeaderName(str):
    """The name of a header."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "HeaderName":
        """Raises ValueError for what is no name, or one that belongs to the wire."""
        if not isinstance(text, str) or not re.fullmatch(HEADER_NAME, text):
            raise ValueError(f"expected a header's name, found {text!r}")
        if text.lower() in ("host", "connection", "content-length", "transfer-encoding", "via"):
            raise ValueError(
                f"expected a header that does not belong to the connection, found {text!r}"
            )
        return cls(text)


class Auth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an upstream is given instead of the agent's credential: bearer, or header and value."""

    bearer: Annotated[Secret | None, Meta(description="Sent as Authorization: Bearer ….")] = None
    header: Annotated[HeaderName | None, Meta(description="A header of another name.")] = None
    value: Annotated[Secret | None, Meta(description="What that header holds.")] = None

    def __post_init__(self) -> None:
        """Raises ValueError unless it is exactly one of the two."""
        pair = self.header is not None, self.value is not None
        if pair not in ((True, True), (False, False)) or (self.bearer is not None) == any(pair):
            raise ValueError("expected either bearer, or header and value")

    @property
    def field(self) -> tuple[bytes, bytes] | None:
        """Name and value of the header line; None where the credential is empty."""
        if self.bearer is not None:
            return (b"authorization", b"Bearer " + self.bearer.encode()) if self.bearer else None
        assert self.header is not None  # said by __post_init__
        assert self.value is not None
        return (self.header.encode(), self.value.encode()) if self.value else None


class Tls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an https upstream proves who it is."""

    ca: Annotated[str, Meta(description="A PEM file of authorities; empty: the system's.")] = ""
    insecure: Annotated[bool, Meta(description="Believe any certificate: never for real.")] = False

    def __post_init__(self) -> None:
        """Raises ValueError for a file that holds no authorities, or cannot be read."""
        if not self.ca:
            return
        try:
            content(Path(self.ca))
            ssl.create_default_context(cafile=self.ca)
        except ssl.SSLError as error:
            raise ValueError("ca: expected a PEM file of certificates") from error
        except OSError as error:
            raise ValueError(f"ca: cannot be read: {error.strerror}") from error


class Pool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Connections to an upstream."""

    max: Annotated[int, Meta(ge=1, le=100_000, description="At most so many at once.")] = 256
    idle: Annotated[Seconds, Meta(description="Unused ones are closed after it.")] = Seconds(60.0)


class Holdfast(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What Holdfast says of itself in answers."""

    headers: Annotated[
        Literal["full", "minimal"],
        Meta(description="minimal: answers get holdfast-call and holdfast-origin alone."),
    ] = "full"


class Upstream(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where calls go."""

    url: Annotated[Url, Meta(description="Scheme, host, port and an optional base path.")]
    protocol: Annotated[
        Literal["auto", "tools", "mcp", "openai", "anthropic", "a2a", "http"],
        Meta(
            description="What its requests mean. auto: the first of mcp, anthropic, openai, "
            "a2a and tools that knows a request, else http."
        ),
    ] = "auto"
    path: Annotated[
        MountPath | None,
        Meta(
            description="Mount on the agent side; the longest that fits wins, and is cut off. "
            "Default: /; none for one that others name (backups, fallback) if another is at /."
        ),
    ] = None
    auth: Annotated[
        Auth | Annotated[tuple[Auth, ...], Meta(min_length=1)] | None,
        Meta(description="A list is tried in its order on a 401, where retry.on_401 is refresh."),
    ] = None
    tls: Tls = Tls()
    pool: Pool = Pool()
    preserve_host: Annotated[bool, Meta(description="Keep the agent's Host header.")] = False
    holdfast: Holdfast = Holdfast()
    forward: Annotated[
        tuple[Literal["call", "attempt", "deadline", "agent", "chain"], ...],
        Meta(
            description="Facts that the upstream is told in holdfast-* headers. chain: who waits "
            "for it, where it is an agent and the loop section is on."
        ),
    ] = ()
    unrecognised: Annotated[
        Literal["refuse", "pass"],
        Meta(description="What happens to JSON that cannot be read as exactly one document."),
    ] = "refuse"
    backups: Annotated[
        tuple[Name, ...],
        Meta(description="Upstreams of the same protocol that take its calls when it is not well."),
    ] = ()
    health: Health | None = None
    trust_annotations: Annotated[
        bool,
        Meta(
            description="What an MCP server says of its tools (readOnlyHint, idempotentHint) "
            "counts where no policy gives their effect."
        ),
    ] = False
    mcp_refusals: Annotated[
        Literal["result", "protocol_error"],
        Meta(
            description="How MCP clients are refused a tool: by a result that says so, which their "
            "model reads, or by an error of the protocol."
        ),
    ] = "result"
    a2a_rewrite_signed: Annotated[
        bool,
        Meta(
            description="Point the URLs of a signed agent card back here too, without its "
            "signatures. Else it is left as it is, and its clients go round this proxy."
        ),
    ] = False
    inject_usage: Annotated[
        bool,
        Meta(
            description="Ask streams of an OpenAI upstream what they used "
            "(stream_options.include_usage), and keep that from agents who did not."
        ),
    ] = False

    def __post_init__(self) -> None:
        """Raises ValueError for a tool of an upstream that has none."""
        asks_a_tool = self.health is not None and self.health.tool is not None
        if asks_a_tool and not PROTOCOLS[self.protocol].names_tools:
            word = self.protocol
            raise ValueError(f"health: an upstream of protocol {word} has no tools; expected path")

    @property
    def credentials(self) -> tuple[tuple[bytes, bytes], ...]:
        """Name and value of the header line of each of its credentials that is not empty."""
        auths = (self.auth,) if isinstance(self.auth, Auth) else self.auth or ()
        return tuple(field for field in (auth.field for auth in auths) if field is not None)


class Mode(enum.StrEnum):
    """Whether what a policy says counts."""

    ENFORCE = "enforce"
    SHADOW = "shadow"  # computed and counted, never acted upon
    OFF = "off"


class Part(msgspec.Struct, frozen=True):
    """What one policy says of one section: the fields it gives, in their final types."""

    place: Place
    on: bool = True  # False: the section was set to false
    mode: Mode = Mode.ENFORCE  # its own, else the policy's
    fields: dict[str, Any] = {}
    places: dict[str, Place] = {}
    hidden: dict[str, str] = {}  # texts that came from elsewhere, and may be secret, as written


_UNRECORDED = "on_journal_failure"
WRITTEN = {"unrecorded": _UNRECORDED}
"""Fields of a policy that a file calls otherwise."""


class Policy(msgspec.Struct, frozen=True):
    """One policy, as it is written."""

    name: str
    place: Place
    path: str  # in its document: policies[2]
    match: Match = Match()
    mode: Mode = Mode.ENFORCE
    effect: Effect | None = None
    sections: dict[str, Part] = {}
    places: dict[str, Place] = {}  # of each key that is no section, and of those of match
    risk: Risk | None = None
    unrecorded: Unrecorded | None = None

    @property
    def says(self) -> list[str]:
        """The keys beside its sections that say something of calls, as they are written."""
        named = ("effect", self.effect), ("risk", self.risk), (_UNRECORDED, self.unrecorded)
        return [name for name, value in named if value is not None]


class Bulkhead(msgspec.Struct, frozen=True):
    """Agents that share permits and the fate of circuits, with nobody else."""

    name: str
    place: Place
    path: str  # in its document: bulkheads[2]
    agents: Globs
    limit: int
    queue: int
    max_wait: Seconds
