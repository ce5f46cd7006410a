"""JSON-RPC 2.0, which MCP and A2A speak: a message or a batch read so that nobody can read it as
another (spec 2.2), and results and errors as bytes.

What is read of a message is its outermost object (`members.py`). A library that takes the first of
two `method`s, or `Params` for `params`, would be asked for something else than what a policy has
seen, so such a message is refused.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from proxy.protocols.document import Ambiguous, NotADocument
from proxy.protocols.members import Members, check_all, members, text

LARGEST_BATCH = 100
"""Messages of one body: each is a call, with all that this costs."""
LONGEST_ID = 1024
"""Bytes of an id: a refusal repeats it."""

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603

_NAMES = ("jsonrpc", "method", "id", "params", "result", "error")
_object = msgspec.json.Decoder(Members)
_array = msgspec.json.Decoder(list[msgspec.Raw])
_BEGINS_LIKE_AN_ID = b'"-0123456789n'


class Message(msgspec.Struct, frozen=True, gc=False):
    """A request, a notification, or an answer to a request of the other side."""

    method: str = ""  # empty: it is an answer
    id: bytes = b""  # as it is written; empty: nobody waits for an answer
    params: bytes = b""  # as they are written, likewise; empty: there are none
    raw: bytes = b""  # all of it, without white space around its members
    version: bytes = b""  # of JSON-RPC, as it is written: some leave it out, and are understood

    @property
    def awaits(self) -> bool:
        """Does who sent it wait for an answer?"""
        return bool(self.method and self.id)


class Document(msgspec.Struct, frozen=True):
    """What one body holds."""

    messages: tuple[Message, ...]
    batch: bool = False  # they stand in an array, even a single one

    @property
    def ids(self) -> tuple[bytes, ...]:
        """Of the requests in it."""
        return tuple(message.id for message in self.messages if message.awaits)


def read(content: bytes) -> Document | None:
    """The messages in a body, which is not empty; None: it is JSON, but no JSON-RPC.

    Raises NotADocument for what is not one JSON document, Ambiguous for what has two readings.
    """
    check_all(content)
    try:
        if b" " in content or b"\n" in content:
            content = msgspec.json.format(content, indent=-1)  # once, and not for each member
        return _batch(content) if content.lstrip().startswith(b"[") else _single(content)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise NotADocument("the body is not one JSON document") from None


def _batch(content: bytes) -> Document | None:
    items = _array.decode(content)
    if len(items) > LARGEST_BATCH and any(bytes(item)[:1] == b"{" for item in items):
        raise Ambiguous(f"the batch holds more than {LARGEST_BATCH} messages")
    read_as = [_message(bytes(item)) for item in items]
    messages = tuple(message for message in read_as if message is not None)
    if not messages:
        return None
    if len(messages) < len(items):
        raise Ambiguous("the batch holds something that is no JSON-RPC message")
    return Document(messages, batch=True)


def _single(content: bytes) -> Document | None:
    message = _message(content)
    return None if message is None else Document((message,))


def _message(content: bytes) -> Message | None:
    found = members(content, *_NAMES)
    if found is None:
        return None
    method = found.get("method")
    if method is None and not ("jsonrpc" in found and ("result" in found or "error" in found)):
        return None
    return Message(
        "" if method is None else _method(method),
        _id(found.get("id", b"")),
        bytes(found.get("params", b"")),
        content,
        bytes(found.get("jsonrpc", b"")),
    )


def _method(raw: msgspec.Raw) -> str:
    name = text(raw)
    if not name:
        raise Ambiguous("method is not a string with something in it")
    return name


def _id(raw: msgspec.Raw | bytes) -> bytes:
    written = bytes(raw)
    if len(written) > LONGEST_ID:
        raise Ambiguous(f"the id is longer than {LONGEST_ID} bytes")
    if written and written[0] not in _BEGINS_LIKE_AN_ID:
        raise Ambiguous("the id is neither a string nor a number")
    return written


def meaning(raw_id: bytes) -> str | int | float | bytes | None:
    """What an id says, however it is written: equal for those that mean the same."""
    try:
        said: str | int | float | None = msgspec.json.decode(raw_id)
    except (msgspec.DecodeError, UnicodeError):
        return raw_id  # a number or a text that Python cannot hold
    return said


def result(raw_id: bytes, said: Any) -> bytes:
    """A good answer to the request of this id."""
    return msgspec.json.encode(
        {"jsonrpc": "2.0", "id": msgspec.Raw(raw_id or b"null"), "result": said}
    )


def error(raw_id: bytes, code: int, message: str, about: Mapping[str, Any] | None = None) -> bytes:
    """An error as the answer to the request of this id; without one, to nobody in particular."""
    said: dict[str, Any] = {"code": code, "message": message}
    if about is not None:
        said["data"] = about
    return msgspec.json.encode(
        {"jsonrpc": "2.0", "id": msgspec.Raw(raw_id or b"null"), "error": said}
    )


def unaddressed(content: bytes) -> bytes:
    """A request without its id, which its client makes anew when it asks for the same again. What
    is no request is as it is."""
    try:
        found = members(content)
    except (Ambiguous, msgspec.DecodeError, UnicodeError, RecursionError):
        return content
    if found is None:
        return content
    return msgspec.json.encode({name: found[name] for name in found if name != "id"})


def readdressed(content: bytes, raw_id: bytes) -> bytes | None:
    """A response as the answer to the request of another id; None: it is none."""
    try:
        found = _object.decode(content)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    if "id" not in found or not ("result" in found or "error" in found):
        return None
    return msgspec.json.encode({**found, "id": msgspec.Raw(raw_id)})


def batch(parts: list[bytes]) -> bytes:
    """Several messages as one body."""
    return b"[" + b",".join(parts) + b"]"
