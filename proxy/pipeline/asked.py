"""A call that nobody made, as somebody asks about it: `explain`, and tests of policies."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from proxy.call import NAME_SIGN, SIGNS, Call, RequestHead, Whole
from proxy.config.match import path_as_sent
from proxy.pipeline.mount import Mount, Unread
from proxy.pipeline.table import Table
from proxy.protocols.identity import Identity
from proxy.refusal import Refusal

_METHOD = re.compile("[A-Z-]+")
_NAME = re.compile(f"{NAME_SIGN}+")
_JSON = "application/json"


class Unaskable(ValueError):
    """No agent can make such a call. Its text says what is wrong: a key, and why."""


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is said of the call; what is not said is as usual."""

    upstream: str = ""  # may be left out where there is only one
    tool: str = ""  # of plain HTTP: a method and a path
    agent: str = ""  # who the settings say
    workflow: str = ""
    model: str = ""
    stream: bool = False  # also where its input does not say so
    method: str = ""  # of A2A: the operation
    path: str = ""  # below the upstream's mount; a query may follow
    headers: dict[str, str] = {}
    input: Any | UnsetType = UNSET  # the tool's arguments; of plain HTTP the body, as JSON

    def mount(self, table: Table) -> Mount:
        """Where the call goes in. Raises Unaskable."""
        mounts = table.mounts
        if not self.upstream and len(mounts) == 1:
            return next(iter(mounts.values()))
        if not mounts:
            raise Unaskable("upstream: the policies have none")
        if self.upstream not in mounts:
            raise Unaskable(
                f"upstream: must be one of the policies' upstreams: {', '.join(mounts)}"
            )
        return mounts[self.upstream]

    def call(self, mount: Mount, identity: Identity, now: float) -> tuple[Call, Refusal | None]:
        """The call as its protocol recognises it, or why it does not. Raises Unaskable."""
        self._check()
        given = b"" if self.input is UNSET else msgspec.json.encode(self.input)
        target = path_as_sent(self.path).encode()
        try:
            spelled = mount.protocol.spell(self.tool, self.method, target, given)
        except ValueError as error:
            raise Unaskable(f"tool: {error}") from error
        if not _METHOD.fullmatch(spelled.method):
            raise Unaskable("method: must be written in capitals, such as GET")
        head = self._head(spelled.method, mount.prefix + spelled.target, len(spelled.body))
        call = Call("", head, Whole(spelled.body), now, head.target)
        identity.name(call)
        call.agent = self.agent or call.agent
        call.workflow = self.workflow or call.workflow
        mount.enter(call)
        content = mount.at_hand(call)
        refusal = mount.identify(call, spelled.body if isinstance(content, Unread) else content)
        call.model = self.model or call.model
        call.stream = self.stream or call.stream
        return call, refusal if call.agent else identity.nobody

    def _head(self, method: str, target: bytes, length: int) -> RequestHead:
        named = {name.lower().encode(): value.encode() for name, value in self.headers.items()}
        fields = {b"content-type": _JSON.encode(), **named} if length else named
        lines = [(name, name, value) for name, value in fields.items()]
        signs = not SIGNS.isdisjoint(fields)
        return RequestHead(method, target, 1, lines, fields, length=length, signs=signs)

    def _check(self) -> None:
        if self.path and not self.path.startswith("/"):
            raise Unaskable("path: must begin with /")
        for name, value in self.headers.items():
            if not _NAME.fullmatch(name) or not (value.isprintable() and value.isascii()):
                raise Unaskable("headers: must be names of headers and values of printable ASCII")


def to_query(asked: Asked) -> dict[str, str]:
    """The question in the parameters of a URL. What is no text is in JSON."""
    said: dict[str, Any] = {
        name: value for name in Asked.__struct_fields__ if (value := getattr(asked, name))
    }
    return {
        name: value if isinstance(value, str) and name in _TEXTS else _encoded(value)
        for name, value in said.items()
        if value is not UNSET
    }


def from_query(given: Mapping[str, str]) -> Asked:
    """The reverse. Raises Unaskable."""
    said: dict[str, Any] = {}
    for name, value in given.items():
        if name not in Asked.__struct_fields__:
            raise Unaskable(f"{name}: is no part of a call{_HINT}")
        if name in _TEXTS:
            said[name] = value
            continue
        kind = _KINDS.get(name, Any)
        try:
            said[name] = msgspec.json.decode(value.encode(), type=kind)
        except msgspec.DecodeError as error:
            raise Unaskable(f"{name}: is not JSON: {error}") from error
        except RecursionError:
            raise Unaskable(f"{name}: is nested too deep") from None
    return Asked(**said)


def _encoded(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_TEXTS = frozenset({"upstream", "tool", "agent", "workflow", "model", "method", "path"})
_KINDS: dict[str, Any] = {"headers": dict[str, str], "stream": bool}
_HINT = "; known are " + ", ".join(Asked.__struct_fields__)
