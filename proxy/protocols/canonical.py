"""The arguments of a call in one form, however they were written, so that they can be compared.

The order of keys, white space and escapes in texts mean nothing, and are gone. Numbers stay as they
are written: `1`, `1.0` and `1e0` are three, for there are tools that tell them apart, and a call
that is sent though its answer was known costs less than an answer to another question.
"""

import json
import re
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from proxy.protocols.document import Ambiguous, NotADocument, check_depth

Paths: TypeAlias = tuple[tuple[str, ...], ...]
"""Members of the arguments, by the keys that lead to them. A list is gone through."""
Canonical: TypeAlias = Callable[[bytes, Paths], bytes | None]
"""The arguments in a body, apart from some members; None: there are none to be read."""


_MEMBER = re.compile(r"input(\.[^.]+)+")


def paths_of(written: tuple[str, ...]) -> Paths:
    """Members of the arguments, each written as `input.nonce`. Raises ValueError for what is none,
    with what is allowed."""
    for path in written:
        if not _MEMBER.fullmatch(path):
            raise ValueError(f"expected a path such as input.nonce, found {path!r}")
    return tuple(tuple(path.split(".")[1:]) for path in written)


def counted(
    content: bytes, coding: bytes | None, canonical: Canonical | None, without: Paths
) -> bytes:
    """What counts of a body: its arguments, apart from some members, else every byte.

    `coding`: its Content-Encoding; what is encoded is not read. Raises Ambiguous where a key stands
    twice.
    """
    read = None if canonical is None or coding is not None else canonical(content, without)
    # Told apart by a byte: a body that is no JSON may look like arguments in their one form.
    return b"=" + content if read is None else b":" + read


def of_tool(content: bytes, without: Paths) -> bytes | None:
    """The arguments of a call to a tool, apart from some members; None: it is not JSON.

    `{"tool": …, "input": arguments}`, or all of it where the path names the tool. Two calls with
    the same arguments come out the same, and no others. Raises Ambiguous where a key stands twice.
    """
    try:
        document = arguments = _read(content)
        check_depth(content)
    except NotADocument:
        return None
    if type(document) is dict:
        for name in document:
            if name != "input" and name.casefold() == "input":  # some readers take it for that
                raise Ambiguous("the body names input in another spelling")
        if "tool" in document:
            arguments = document.get("input", _NONE)
    return _one_form(arguments, arguments, without)


def of_body(content: bytes, without: Paths) -> bytes | None:
    """The same where all of a body is arguments."""
    try:
        document = _read(content)
    except NotADocument:
        return None
    return _one_form(document, document, without)


def of_message(content: bytes, without: Paths) -> bytes | None:
    """The same of a call of MCP: all of its params but for those of the protocol, so that what
    answers a question of the server is another call than the one that it asked about."""
    try:
        document = _read(content)
    except NotADocument:
        return None
    params = document.get("params", {}) if isinstance(document, dict) else None
    if not isinstance(params, dict):
        return None
    params.pop("_meta", None)
    return _one_form(params, params.get("arguments", params), without)


def of_request(content: bytes, without: Paths) -> bytes | None:
    """The same of what is sent to an agent (A2A): the method and the params of a JSON-RPC request,
    or all of the body. Neither the id of the request counts nor that of the message in it: each
    sending has others.
    """
    try:
        document = _read(content)
    except NotADocument:
        return None
    method, given = _NONE, document
    if isinstance(document, dict) and "method" in document:
        method, given = document["method"], document.get("params", _NONE)
    return _one_form((method, given), given, (_MESSAGE_ID, *without))


def _read(content: bytes) -> Any:
    """Numbers are `Raw`, as they are written, where Python would write them otherwise. Raises
    Ambiguous where a key stands twice, NotADocument for what is no JSON.

    msgspec is six times as fast, but loses two things: the sign of a zero, and what stands twice.
    With a member its quotes are gone, and all others come out again when it is written, unless they
    were written as a number (`\\u0022`). Where that leaves a doubt, it is read with all care.
    """
    if not (content.find(b"\\") >= 0 and b"\\u" in content) and not (
        content.find(b"-") >= 0 and _MINUS_ZERO.search(content)
    ):
        try:
            document = _read_fast(content)
            if _in_order(document).count(b'"') == content.count(b'"'):
                return document
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass
    return _read_carefully(content)


def _read_carefully(content: bytes) -> Any:
    try:
        return json.loads(
            content.decode(),
            object_pairs_hook=_object,
            parse_float=_as_written,
            parse_int=_as_written,
            parse_constant=_no_number,
        )
    except Ambiguous:
        raise
    except (ValueError, RecursionError):
        raise NotADocument("it is not one JSON document") from None


def _one_form(given: Any, arguments: Any, without: Paths) -> bytes | None:
    """None: it is nested too deep for that."""
    for path in without:
        _drop(arguments, path)
    try:
        return _in_order(given)
    except UnicodeEncodeError:
        pass
    try:
        return _spelled(given).encode()
    except RecursionError:
        return None


def _spelled(value: Any) -> str:
    """One form of what holds half a character, which UTF-8 has not. No other form has an escape of
    one."""
    if isinstance(value, dict):
        return f"{{{','.join(f'{name!r}:{_spelled(value[name])}' for name in sorted(value))}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_spelled, value))}]"
    return bytes(value).decode() if isinstance(value, msgspec.Raw) else repr(value)


def _as_written(number: str) -> msgspec.Raw:
    return msgspec.Raw(number.encode())


_MINUS_ZERO = re.compile(rb"-0(?![.eE0-9])")
_read_fast = msgspec.json.Decoder(float_hook=_as_written).decode
_in_order = msgspec.json.Encoder(order="deterministic").encode
_MESSAGE_ID = ("message", "messageId")
_NONE = _as_written("-")
"""Where there is no input: not the same as null."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise Ambiguous("a key stands twice in the arguments")
    return members


def _no_number(word: str) -> None:
    raise ValueError(word)


def _drop(value: Any, path: tuple[str, ...]) -> None:
    if isinstance(value, list):
        for item in value:
            _drop(item, path)
    elif isinstance(value, dict) and path[0] in value:
        if len(path) == 1:
            del value[path[0]]
        else:
            _drop(value[path[0]], path[1:])
