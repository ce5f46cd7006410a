"""Settings of one Holdfast: what `holdfast.yaml`, the environment and flags say (spec 1.1).

A flag beats the environment, the environment beats the file, the file beats the defaults. Every
setting has a variable: HOLDFAST_ and its path in capitals, so `agent.id` is HOLDFAST_AGENT_ID.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from msgspec import inspect as mi

from proxy.config import document
from proxy.config.addresses import Url
from proxy.config.document import Document, Node, Scalar, Sequence
from proxy.config.places import ConfigError, Place
from proxy.config.shape import MISSING, Shape, kind_of
from proxy.config.store_url import MEMORY, StoreUrl
from proxy.config.tokens import FILE as FILE_OF_TOKENS
from proxy.config.tracing import Tracing
from proxy.config.types import HEADER_NAME, PRINTABLE, Secret
from proxy.config.wording import bare
from proxy.protocols.protocol import BODY_BUFFER
from proxy.units import Seconds, Size

FILE = "holdfast.yaml"
PREFIX = "HOLDFAST_"
_LEAST_BYTES = 1 << 10
_LEAST_SEGMENT = 64 << 10
_LEAST_KEY = 16
_DAY = 86_400.0
_SIX_MONTHS = 184 * _DAY
_TOO_SHORT = (
    "audit.retention: logs of high-risk AI are kept for six months at least (EU AI Act, 26)"
)
_ANCHORS = "expected stderr, the path of a file, or a URL that it is posted to"
_OF_AN_UPSTREAM = re.compile("an upstream's URL(; use auth)?")
_NO_FOLDER = "no such folder"
_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})
_PORT = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})")


class Address(str):
    """Where to listen: `host:port` (port 0: any that is free) or `unix:/path`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "Address":
        """Raises ValueError, with what is allowed."""
        if isinstance(text, str):
            found = _PORT.fullmatch(text)
            if (found and int(found["port"]) < 65536) or re.fullmatch(r"unix:[^\0]+", text):
                return cls(text)
        raise ValueError(f"expected host:port, or unix:/path, found {text!r}")


class Source(str):
    """Who says who calls: `static`, `key`, or `header:NAME`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "Source":
        """Raises ValueError, with what is allowed."""
        if isinstance(text, str) and re.fullmatch(f"static|key|header:{HEADER_NAME}", text):
            if text.removeprefix("header:").lower() in _CREDENTIALS:  # names are logged
                raise ValueError(f"expected a header that holds no credential, found {text!r}")
            return cls(text)
        raise ValueError(f"expected static, key or header:NAME, found {text!r}")


class Agent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The pod's own agent: who calls where nothing else says so."""

    id: Annotated[str, Meta(pattern=PRINTABLE, description="Its name.")] = "local-agent"
    fleet: Annotated[str, Meta(pattern=PRINTABLE, description="What it belongs to.")] = "default"


class Log(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is logged, to standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="Nothing below it is logged."),
    ] = "info"
    format: Annotated[
        Literal["json", "text"] | None,
        Meta(description="null: text where standard error is a terminal, else json."),
    ] = None
    calls: Annotated[bool, Meta(description="A line for each call as well.")] = False


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much an agent, or all of them, may take."""

    header_bytes: Annotated[Size, Meta(description="The largest head of a request.")] = Size(
        64 << 10
    )
    headers: Annotated[int, Meta(ge=1, le=10_000, description="The most lines of a head.")] = 128
    body_buffer: Annotated[
        Size, Meta(description="The largest body that is read to find its tool.")
    ] = Size(BODY_BUFFER)
    replay_pool: Annotated[Size, Meta(description="All that is kept of all bodies.")] = Size(
        256 << 20
    )
    connections: Annotated[
        int, Meta(ge=1, le=1_000_000, description="The most that agents may have.")
    ] = 10_000
    header_timeout: Annotated[Seconds, Meta(description="So long a head may take to come.")] = (
        Seconds(10.0)
    )
    keepalive: Annotated[Seconds, Meta(description="So long an idle connection is kept.")] = (
        Seconds(75.0)
    )

    def __post_init__(self) -> None:
        """Raises ValueError for limits under which no call at all would come through."""
        for name in ("header_bytes", "body_buffer"):
            if getattr(self, name) < _LEAST_BYTES:
                raise ValueError(f"{name}: must be at least 1KiB")
        if self.header_timeout <= 0:
            raise ValueError("header_timeout: must be longer than 0")


class Elsewhere(str):
    """Who takes checkpoints of the journal as well: `stderr`, the path of a file, or a URL."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "Elsewhere":
        """Raises ValueError, with what is allowed."""
        scheme = re.match("([A-Za-z][A-Za-z0-9+.-]*)://", text) if isinstance(text, str) else None
        if scheme is not None:
            return cls._of_url(text, scheme[1].lower())
        if isinstance(text, str) and re.fullmatch(r"stderr|[^\0]*/[^\0]*[^\0/]", text):
            return cls(text)
        raise ValueError(f"{_ANCHORS}, found {text!r}")

    @classmethod
    def _of_url(cls, text: object, scheme: str) -> "Elsewhere":
        if scheme in {"http", "https"}:
            try:
                return cls(Url.parse(text))
            except ValueError as error:
                raise ValueError(_OF_AN_UPSTREAM.sub("an anchor's URL", str(error))) from None
        later = "; Redis takes none in this version yet" if scheme.startswith("redis") else ""
        raise ValueError(f"{_ANCHORS}, found one that begins with {scheme}://{later}")

    @property
    def url(self) -> Url | None:
        """Where it is posted to; None: it is not."""
        return Url.parse(str(self)) if self.startswith(("http://", "https://")) else None


class Every(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When the journal is signed: whatever comes first."""

    records: Annotated[int, Meta(ge=1, le=1_000_000, description="After so many records.")] = 1000
    every: Annotated[Seconds, Meta(description="After so long, if there is anything new.")] = (
        Seconds(60.0)
    )

    def __post_init__(self) -> None:
        """Raises ValueError for one that would be made without end."""
        if self.every < 1:
            raise ValueError("every: must be at least 1s")


class Audit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the journal is kept (docs/journal.md)."""

    sync: Annotated[
        Literal["group", "each", "async"],
        Meta(description="When records are durable: in batches, one by one, or some time later."),
    ] = "group"
    segment: Annotated[Size, Meta(description="A file of it is closed when it is so large.")] = (
        Size(64 << 20)
    )
    retention: Annotated[Seconds, Meta(description="Files older than it are deleted.")] = Seconds(
        200 * _DAY
    )
    checkpoint: Every = Every()
    anchors: Annotated[
        tuple[Elsewhere, ...],
        Meta(description="Who takes its checkpoints as well; a file should be on another volume."),
    ] = (Elsewhere("stderr"),)
    key: Annotated[
        Secret | None,
        Meta(description="The line of the secret key. null: that of `data_dir`, made if missing."),
    ] = None

    def __post_init__(self) -> None:
        """Raises ValueError for what no journal could be kept under."""
        if self.segment < _LEAST_SEGMENT:
            raise ValueError("segment: must be at least 64KiB")
        if self.retention < _DAY:
            raise ValueError("retention: must be at least 1d")
        if self.key is not None:
            from proxy.journal.notes import Signer  # takes a while, and few have one

            try:
                Signer.parse(self.key.revealed)
            except ValueError as error:  # its text never holds the key
                raise ValueError(f"key: {error}") from None


class StoreTls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the store proves who it is, and how we do."""

    ca: Annotated[str, Meta(description="A PEM file of authorities; empty: the system's.")] = ""
    cert: Annotated[str, Meta(description="Our own certificate: a PEM file.")] = ""
    key: Annotated[str, Meta(description="Its key: a PEM file.")] = ""

    def __post_init__(self) -> None:
        """Raises ValueError for half of a pair."""
        if bool(self.cert) != bool(self.key):
            raise ValueError("expected both cert and key, or neither")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of one Holdfast."""

    listen: Annotated[
        Address, Meta(description="Where agents come in: host:port or unix:/path.")
    ] = Address("127.0.0.1:8700")
    admin: Annotated[Address, Meta(description="Health and metrics.")] = Address("127.0.0.1:8701")
    policies: Annotated[
        str, Meta(description="Folder; its *.yaml are read in name order. Empty: no policies.")
    ] = "./policies"
    data_dir: Annotated[str, Meta(min_length=1, description="What is kept; created 0700.")] = (
        "./.holdfast"
    )
    agent: Agent = Agent()
    identity: Annotated[
        tuple[Source, ...],
        Meta(min_length=1, description="Who calls: the first that answers."),
    ] = (Source("static"),)
    store: Annotated[
        StoreUrl,
        Meta(
            description="What pods share: memory (nothing), or a Redis: redis://[user:pass@]host:"
            "port/db, rediss://…, redis+sentinel://host:port,…/service/db, redis+cluster://host:"
            "port,…."
        ),
    ] = StoreUrl(MEMORY)
    store_tls: StoreTls = StoreTls()
    store_timeout: Annotated[
        Seconds, Meta(description="The longest that a call waits for the store.")
    ] = Seconds(0.05)
    on_store_failure: Annotated[
        Literal["local", "deny", "allow"],
        Meta(
            description="Where the store does not answer: go on with what was leased, refuse what "
            "it would have a say in, or let it go unguarded."
        ),
    ] = "local"
    readiness: Annotated[
        tuple[Literal["store"], ...],
        Meta(description="What else must be there for the proxy to be ready."),
    ] = ()
    fleet_key: Annotated[
        Secret,
        Meta(
            description="A secret that the pods of a fleet share; it signs call chains, and "
            "encrypts what approvers see. Empty: each believes its own links only."
        ),
    ] = Secret("")
    tokens: Annotated[
        str,
        Meta(min_length=1, description="Who may use the admin side. No such file: no tokens."),
    ] = FILE_OF_TOKENS
    log: Log = Log()
    limits: Limits = Limits()
    audit: Audit = Audit()
    trace: Tracing = Tracing()
    drain: Annotated[
        Seconds, Meta(description="On SIGTERM, what runs may take so long to finish.")
    ] = Seconds(25.0)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is allowed, and most likely not meant."""
        if self.audit.retention < _SIX_MONTHS:
            return (_TOO_SHORT,)
        return ()

    def __post_init__(self) -> None:
        """Raises ValueError where two settings contradict each other."""
        if self.listen == self.admin and not self.listen.endswith(":0"):
            raise ValueError("admin: must not be the address of listen")
        if not 0.001 <= self.store_timeout <= 5:
            raise ValueError("store_timeout: must be from 1ms to 5s")
        if self.store_tls != StoreTls() and not self.store.endpoint.tls:
            raise ValueError("store_tls: store has no TLS; give a URL that begins with rediss")
        if self.readiness and self.store == MEMORY:
            raise ValueError("readiness: there is no store; set one, or leave this out")
        if 0 < len(self.fleet_key) < _LEAST_KEY:
            raise ValueError(f"fleet_key: must have at least {_LEAST_KEY} characters")


def load_settings(
    path: str | Path | None = None,
    environ: Mapping[str, str] = os.environ,
    flags: Mapping[str, str | None] | None = None,
) -> Settings:
    """Settings from a file, the environment and flags. Raises ConfigError with all problems.

    Without `path`: HOLDFAST_CONFIG, else ./holdfast.yaml if it is there. `flags` holds texts by
    the path of the setting (`agent.id`); None: not given.
    """
    read = _read(path, environ)
    given = _Tree(read.root, read.file)
    for setting, kind in _settings(kind_of(Settings), ""):
        name = PREFIX + setting.replace(".", "_").upper()
        if environ.get(name):
            given.graft(setting, kind, environ[name], name)
        flag = (flags or {}).get(setting)
        if flag is not None:
            given.graft(setting, kind, flag, "--" + setting.replace(".", "-").replace("_", "-"))
    shape = Shape(read.problems)
    settings = shape.read(kind_of(Settings), given.root, "")
    if settings is not MISSING:
        settings = _with_policies(settings, given.root, shape)
    if shape.problems:
        nowhere = settings is not MISSING and [p.message for p in shape.problems] == [_NO_FOLDER]
        raise ConfigError(shape.problems, readable=not nowhere)
    return settings  # type: ignore[no-any-return]  # no problems: it was read


def _read(path: str | Path | None, environ: Mapping[str, str]) -> Document:
    named = path or environ.get(PREFIX + "CONFIG")
    if named:
        return document.read(Path(named), str(named), environ)
    if os.path.lexists(FILE):
        return document.read(Path(FILE), FILE, environ)
    return Document("the defaults", None)


def _settings(kind: mi.Type, path: str) -> Iterator[tuple[str, mi.Type]]:
    """The path and type of every single setting."""
    kind = bare(kind)
    if not isinstance(kind, mi.StructType):
        yield path, kind
        return
    for field in kind.fields:
        yield from _settings(field.type, f"{path}.{field.name}" if path else field.name)


class _Tree:
    """A document that single settings are put into, in the place of what it says."""

    def __init__(self, root: Node | None, file: str) -> None:
        self.root = document.Mapping(Place(file), {}) if root is None else root

    def graft(self, setting: str, kind: mi.Type, text: str, source: str) -> None:
        place = Place(source)
        leaf: Node = _scalar(place, text)
        if isinstance(kind, mi.VarTupleType):
            parts = [_scalar(place, part.strip()) for part in text.split(",")]
            leaf = Sequence(place, list(parts))
        self.root = _grafted(self.root, setting.split("."), leaf)


def _scalar(place: Place, text: str) -> Scalar:
    # Seen as replaced, so that a number may be a text (`--agent-id 7`) as well as a number.
    return Scalar(place, document.resolve(text), text, "")


def _grafted(node: Node, path: list[str], leaf: Node) -> Node:
    if not path:
        return leaf
    if not isinstance(node, document.Mapping):
        return node  # it is an error already, and will be said to be
    key = node.items.get(path[0])
    below = document.Mapping(leaf.place, {}) if key is None else key.node
    held = document.Key(leaf.place, _grafted(below, path[1:], leaf))
    return document.Mapping(node.place, {**node.items, path[0]: held})


def _with_policies(settings: Settings, root: Any, shape: Shape) -> Settings:
    """A folder that somebody named must be there: without it every call would pass unguarded."""
    if not settings.policies or os.path.isdir(settings.policies):
        return settings
    if "policies" in root.items:
        shape.wrong(root.items["policies"].node.place, "policies", _NO_FOLDER)
    return msgspec.structs.replace(settings, policies="")
