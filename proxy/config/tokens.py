"""The tokens file: who may ask what on the admin side, and which credential is which agent's.

Neither tokens nor credentials stand in it, only what SHA-256 makes of them: who reads the file can
do nothing with it. They have enough chance in them that nobody guesses one (`holdfast token new`
makes 256 bits), so nothing slower is needed.
"""

import enum
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from proxy.config import document
from proxy.config.document import Node
from proxy.config.places import ConfigError, Place, Problem
from proxy.config.shape import MISSING, Shape, kind_of
from proxy.config.types import PRINTABLE

FILE = "./tokens.yaml"
"""Where it is unless settings say otherwise."""
RESERVED = "admin.sock"
"""The name of whoever comes in by that socket: nobody else may have it."""
_DIGEST = re.compile("[0-9a-f]{64}")


class Role(enum.StrEnum):
    """What a token is good for. Each of them may read; `approver` and `operator` do not hold each
    other: who runs the proxy does not by that approve what it spends."""

    VIEWER = "viewer"
    APPROVER = "approver"
    OPERATOR = "operator"


class Digest(str):
    """The SHA-256 of a token or a credential, in hex."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "Digest":
        """Raises ValueError; what was found is not told, for it may be the token itself."""
        if not isinstance(text, str) or not _DIGEST.fullmatch(text.lower()):
            raise ValueError("expected 64 hex digits, as `holdfast token hash` prints them")
        if text.lower() == NO_DIGEST:
            raise ValueError("expected that of a token; this is the SHA-256 of nothing")
        return cls(text.lower())


NO_DIGEST = hashlib.sha256(b"").hexdigest()


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who may use the admin side."""

    name: Annotated[str, Meta(pattern=PRINTABLE, description="Whose it is: journalled.")]
    roles: Annotated[
        tuple[Role, ...],
        Meta(min_length=1, description="Each may read; approver decides, operator changes."),
    ]
    sha256: Annotated[Digest, Meta(description="Of the token.")]
    groups: Annotated[
        tuple[Annotated[str, Meta(pattern=PRINTABLE)], ...],
        Meta(description="Of which approvers it is one, where an approval asks for a group."),
    ] = ()

    def __post_init__(self) -> None:
        """Raises ValueError for a name that is somebody else's."""
        if self.name == RESERVED:
            raise ValueError(f"name: {RESERVED} is whoever comes in by that socket")


class Credential(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an agent shows of itself. While it changes an agent may have two."""

    id: Annotated[str, Meta(pattern=PRINTABLE, description="The agent that it names.")]
    sha256: Annotated[
        Digest, Meta(description="Of what it presents as Authorization: Bearer, or as x-api-key.")
    ]


class TokensFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may use the admin side, and how agents are known."""

    tokens: Annotated[tuple[Token, ...], Meta(description="People and programs.")] = ()
    agents: Annotated[tuple[Credential, ...], Meta(description="For identity: [key].")] = ()


class Tokens(msgspec.Struct, frozen=True):
    """What a file said. Without one there are no tokens, and other rules hold."""

    there: bool = False
    tokens: tuple[Token, ...] = ()
    agents: dict[bytes, str] = {}  # by the digest of the credential
    files: tuple[Path, ...] = ()  # that it names
    warnings: tuple[Problem, ...] = ()


def load_tokens(shown: str, environ: Mapping[str, str] = os.environ) -> Tokens:
    """Read it, or none where there is none. Raises ConfigError with all that is wrong."""
    path = Path(shown)
    if not os.path.lexists(path):
        missing = Problem(Place(shown), "", "there is no such file: there are no tokens")
        return Tokens(warnings=() if shown == FILE else (missing,))
    read = document.read(path, shown, environ)
    shape = Shape(read.problems)
    written = TokensFile()
    if read.root is not None:
        written = shape.read(kind_of(TokensFile), read.root, "")
        if written is not MISSING:
            _judge(written, read.root, shape)
    if shape.problems:
        raise ConfigError(shape.problems)
    return Tokens(
        there=True,
        tokens=written.tokens,
        agents={bytes.fromhex(each.sha256): each.id for each in written.agents},
        files=tuple(read.files),
        warnings=tuple(_loose(path, shown)),
    )


def _judge(written: TokensFile, root: Node, shape: Shape) -> None:
    """What two entries may not have both."""
    names: dict[str, Place] = {}
    digests: dict[str, Place] = {}
    for kind, key in (("tokens", "name"), ("agents", "id")):
        for number, (entry, places) in enumerate(_entries(written, root, kind)):
            path = f"{kind}[{number}]"
            _once(digests, entry.sha256, places["sha256"], f"{path}.sha256", "this digest", shape)
            if isinstance(entry, Token):
                _once(names, entry.name, places[key], f"{path}.{key}", "this name", shape)


def _entries(
    written: TokensFile, root: Node, kind: str
) -> Iterator[tuple[Token | Credential, dict[str, Place]]]:
    entries: tuple[Token | Credential, ...] = getattr(written, kind)
    if not entries:
        return
    assert isinstance(root, document.Mapping)  # or it could not have been read
    listed = root.items[kind].node
    assert isinstance(listed, document.Sequence)
    for entry, node in zip(entries, listed.items, strict=True):
        assert isinstance(node, document.Mapping)
        yield entry, {name: held.node.place for name, held in node.items.items()}


def _once(
    seen: dict[str, Place], value: str, place: Place, path: str, what: str, shape: Shape
) -> None:
    first = seen.setdefault(value, place)
    if first != place:
        shape.wrong(place, path, f"{what} stands at {first.short} already")


def _loose(path: Path, shown: str) -> Iterator[Problem]:
    if os.stat(path).st_mode & stat.S_IWOTH:
        yield Problem(Place(shown), "", "everybody may write it; do chmod 600")
