"""`idempotency`: one key for all sendings of a call, so that its upstream runs it once (spec 3.2).

To have this section is to say that the upstream honours such keys: then a write that carries one is
repeated as a read would be. The key is the agent's own where there is one, so that the repetitions
that an agent makes by itself are known as such too; else it is made by chance. It is never made of
the arguments: the same payment may be meant twice. The body is never changed.

What an agent's header holds is passed on as it came, whatever it is; what could not be a key, or
may be read as another one, is not counted on. What stands in the arguments must be put into a
header by us: where that cannot be done the call is refused, for to go on with another key would
undo what the agent wanted, and nobody would see it.
"""

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from proxy.call import NAME_SIGN, Call
from proxy.protocols.a2a import MessageId
from proxy.protocols.document import Ambiguous
from proxy.protocols.tools import Argument
from proxy.refusal import Refusal
from proxy.stage import Check, Ground, Said, Section, Site
from proxy.wire.compose import NOT_OURS, dropped_names

_HEADER = re.compile(NAME_SIGN + "{1,64}")
_SOURCE = re.compile(r"header|messageId|input(\.[A-Za-z0-9_-]{1,64}){1,8}")
_KEY = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?")
"""1 to 255 characters (Stripe's limit) that any header can hold, and nobody trims."""


class KeyHeader(str):
    """The header that holds the key."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "KeyHeader":
        """Raises ValueError for what is no name, or one that has a meaning of its own."""
        if not isinstance(text, str) or not _HEADER.fullmatch(text):
            raise ValueError(f"expected a header's name, found {text!r}")
        if text.lower().encode() in NOT_OURS or text.lower().startswith("holdfast-"):
            raise ValueError(f"expected a header without another meaning, found {text!r}")
        return cls(text)


class KeySource(str):
    """Where a key may be given: `header`, `input.…`, or `messageId`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "KeySource":
        """Raises ValueError, with what is allowed."""
        if not isinstance(text, str) or not _SOURCE.fullmatch(text):
            raise ValueError(
                "expected header, messageId or a path such as input.idempotency_key, "
                f"found {text!r}"
            )
        return cls(text)


class Idempotency(Section, frozen=True, kw_only=True):
    """The key by which an upstream knows a call that comes again; to have it says that it does."""

    header: Annotated[KeyHeader, Meta(description="It goes upstream in this one.")] = KeyHeader(
        "Idempotency-Key"
    )
    sources: Annotated[
        tuple[KeySource, ...],
        Meta(
            description="Where the agent may give it: header, a path in the tool's arguments "
            "(input.…), messageId (of A2A). The first that is there counts; a header goes first."
        ),
    ] = msgspec.field(
        default=(
            KeySource("header"),
            KeySource("input.idempotency_key"),
            KeySource("messageId"),
        ),
        name="from",
    )
    quoted: Annotated[
        bool, Meta(description="As a string of RFC 9651, as the IETF's draft has it.")
    ] = False
    inject: Annotated[bool, Meta(description="Make one where the agent gives none.")] = True


class IdempotencyKey(Check):
    """Gives each call its key."""

    __slots__ = (
        "_arguments", "_believes", "_inject", "_made", "_name", "_policy", "_start", "_written",
    )  # fmt: skip

    def __init__(self, section: Idempotency, ground: Ground, policy: str) -> None:
        self._name = section.header.lower().encode()
        self._start = section.header.encode() + b": "
        self._believes = "header" in section.sources
        self._arguments = [
            (source, _reader(source)) for source in section.sources if source != "header"
        ]
        self._written = self._as_string if section.quoted else str.encode
        self._inject = section.inject
        self._made = ground.clock.uuid
        self._policy = policy

    @classmethod
    def build(cls, section: Idempotency, site: Site) -> "IdempotencyKey":
        """For one pipeline."""
        made = ShadowKey if site.ground.shadow else cls
        return made(section, site.ground, site.policy)

    def admit(self, call: Call) -> Refusal | None:
        """Refuses `ambiguous_call` and `bad_request`, for what the agent gave and is no key.

        A call that passes once more, for people have approved it, has its key.
        """
        if call.idempotency_key:
            return None
        if self._name in call.head.fields and self._in_head(call):
            call.idempotency_key = self._of_head(call)
            return None
        key = self._given(call)
        if type(key) is Refusal:
            return key
        if not key and self._inject:
            key = self._made()
        if key:
            call.idempotency_key = key
            call.extra += b"%b%b\r\n" % (self._start, self._written(key))
        return None

    def says(self, call: Call) -> Said:
        """Whose key it would be."""
        if self._in_head(call):
            own = "the agent's own key" if self._of_head(call) else "a header that is no key"
            return Said(own)
        given = self._given(call)
        if isinstance(given, Refusal):
            return Said(given.detail, given)
        made = "a key made for this call" if self._inject else "no key"
        return Said("the agent's own key, of its arguments" if given else made)

    def _in_head(self, call: Call) -> bool:
        """Does the agent send the header itself, and does it go on from here?"""
        fields = call.head.fields
        return self._name in fields and self._name not in dropped_names(fields)

    def _of_head(self, call: Call) -> str:
        """The agent's key; empty where it can not be counted on."""
        values = [value for name, _, value in call.head.headers if name == self._name]
        if not self._believes or len(values) > 1:
            return ""
        text = values[0].decode("latin-1")
        if len(text) > 1 and text[0] == text[-1] == '"':
            text = text[1:-1]
        return text if _KEY.fullmatch(text) else ""

    def _given(self, call: Call) -> str | Refusal:
        """The key in the arguments; empty: none is given."""
        for source, argument in self._arguments:
            try:
                found = argument.of(call)
            except Ambiguous as why:
                return self._refusal("ambiguous_call", str(why))
            if found is None or found == "":
                continue
            if type(found) is str and _KEY.fullmatch(found):
                return found
            return self._refusal(
                "bad_request", f"{source} must be a text of 1 to 255 printable ASCII characters"
            )
        return ""

    def _refusal(self, code: str, detail: str) -> Refusal:
        return Refusal(code, detail, policy=self._policy, scope="call")

    @staticmethod
    def _as_string(key: str) -> bytes:
        """As RFC 9651 3.3.3 has it."""
        escaped = key.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'.encode()


def _reader(source: str) -> Argument | MessageId:
    return MessageId() if source == "messageId" else Argument(tuple(source.split(".")[1:]))


class ShadowKey(IdempotencyKey):
    """Says which calls would be refused, and gives no key."""

    __slots__ = ()

    def admit(self, call: Call) -> Refusal | None:
        """Leaves the call as it is."""
        return self.says(call).refusal
