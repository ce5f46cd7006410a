"""What a request asks for: the tool and its input, from the path and the body."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import NoReturn

from proxy.lab.sandbox.errors import GatewayError

LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class Asked:
    """One call as it was understood; `key` is its idempotency key, if it has one."""

    tool: str
    given: Mapping[str, object]
    key: str | None

    def fingerprint(self) -> str:
        """Equal for requests that ask for the same, however their JSON was written."""
        given = {name: value for name, value in self.given.items() if name != "idempotency_key"}
        text = json.dumps([self.tool, _alike(given)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _alike(value: object) -> object:
    """The value with its numbers in one form: `1`, `1.0` and `10e-1` are the same."""
    if isinstance(value, dict):
        return {name: _alike(held) for name, held in value.items()}
    if isinstance(value, list):
        return [_alike(held) for held in value]
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return value
    sign, digits, exponent = Decimal(value).as_tuple()
    figures = "".join(map(str, digits))
    significant = figures.rstrip("0")
    if not (significant and isinstance(exponent, int)):
        return {"number": 0}
    return {"number": [sign, significant, exponent + len(figures) - len(significant)]}


def read(path: str, body: bytes, key_header: str | None, tools: Collection[str]) -> Asked:
    """Both forms: `{"tool", "input"}` on any path, and the input itself on `…/v1/{tool}`.

    A path that ends like the second form but names no tool is taken for any path. Raises
    GatewayError 400 for a body that says nothing clear, 404 for a tool that is not there.
    """
    document = parse(body)
    named = _tool_in(path)
    if named is not None and named in tools:
        given = _input_for(named, document)
        return Asked(named, given, key_of(key_header, given))
    tool = document.get("tool", named)
    if not isinstance(tool, str) or not tool:
        raise GatewayError(
            400, "invalid_request", 'the body needs "tool" (a string) and "input" (an object)'
        )
    if tool not in tools:
        raise GatewayError(404, "unknown_tool", f"there is no tool {tool[:64]!r}")
    given = _object(document.get("input", {}))
    return Asked(tool, given, key_of(key_header, given))


def _tool_in(path: str) -> str | None:
    segments = path.rsplit("/", 2)
    return segments[2] if len(segments) == 3 and segments[1] == "v1" and segments[2] else None


def _input_for(named: str, document: Mapping[str, object]) -> Mapping[str, object]:
    """The input of a call whose path names the tool; it may still come in an envelope."""
    if "input" not in document:
        return document
    if document.get("tool", named) != named:
        raise GatewayError(400, "ambiguous_call", "path and body name different tools")
    return _object(document["input"])


def _object(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise GatewayError(400, "invalid_request", '"input" must be an object')
    return value


def parse(body: bytes) -> Mapping[str, object]:
    """The JSON object that a body is, its fractions exact; raises GatewayError 400."""
    document = parse_any(body)
    if not isinstance(document, dict):
        raise GatewayError(400, "invalid_request", "the body must be a JSON object")
    return document


def parse_any(body: bytes) -> object:
    """The JSON document that a body is, its fractions exact; raises GatewayError 400."""
    try:
        return json.loads(body.decode(), parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise GatewayError(400, "invalid_json", "the body is not a JSON document") from None
    except InvalidOperation:
        raise GatewayError(400, "invalid_json", "a number of the body is out of range") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)  # Python's reader would take NaN and Infinity; JSON has neither


def key_of(header: str | None, given: Mapping[str, object]) -> str | None:
    """The idempotency key of a call, or None; raises GatewayError 400.

    The header's key before the input's; quotes around it (a structured field) are dropped.
    """
    key = header.strip().strip('"') if header is not None else given.get("idempotency_key")
    if key is None:
        return None
    if not isinstance(key, str) or not 0 < len(key) <= LONGEST_KEY:
        raise GatewayError(
            400, "invalid_idempotency_key", f"must be a string of 1 to {LONGEST_KEY} characters"
        )
    return key
