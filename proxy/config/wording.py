"""What a type allows and what a file has instead, in the words of an error."""

import difflib
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import inspect as mi

from proxy.config.document import Node, Scalar, Sequence
from proxy.config.types import PRINTABLE, Secret


def bare(kind: mi.Type) -> mi.Type:
    """Without what only the schema needs."""
    return kind.type if isinstance(kind, mi.Metadata) else kind


def number_of(kind: mi.Type) -> mi.Field | None:
    """The field of a mapping that a number alone may stand for."""
    if not isinstance(kind, mi.StructType):
        return None
    name = getattr(kind.cls, "written_as_number", "")
    return next((field for field in kind.fields if field.name == name), None)


def expected(kind: mi.Type) -> str:
    """What a type allows, in words."""
    kind = bare(kind)
    return _EXPECTED.get(type(kind), _expected_something)(kind)


def _expected_something(kind: mi.Type) -> str:
    if isinstance(kind, mi.CustomType):
        return _CUSTOM.get(kind.cls.__name__, "text")
    if (number := number_of(kind)) is not None:
        return f"a mapping or {expected(number.type)}"
    return "a mapping" if isinstance(kind, mi.StructType | mi.DictType) else "a list"


def _expected_number(kind: Any) -> str:
    low = next((x for x in (kind.ge, kind.gt) if x is not None), None)
    high = next((x for x in (kind.le, kind.lt) if x is not None), None)
    noun = "a whole number" if isinstance(kind, mi.IntType) else "a number"
    over = "over " if kind.gt is not None else ""
    if low is None:
        return noun
    if high is None:
        return f"{noun} from {over}{_number(low)}"
    return f"{noun} of {over}{_number(low)} to {_number(high)}"


def _number(bound: float) -> str:
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"


def _expected_text(kind: mi.StrType) -> str:
    if kind.pattern == PRINTABLE:
        return "1 to 128 printable ASCII characters"
    if kind.pattern and (words := _alternatives(kind.pattern)):
        return words
    if kind.max_length is not None:
        return f"text of {kind.min_length or 0} to {kind.max_length} characters"
    return "text that is not empty" if kind.min_length else "text"


def _alternatives(pattern: str) -> str:
    """`^(a|b|c)$` in words; empty for other patterns."""
    if not (pattern.startswith("^(") and pattern.endswith(")$")):
        return ""
    words = pattern[2:-2].split("|")
    plain = [word for word in words if word.replace("_", "").isalnum()]
    return _or([*plain, "a status"] if len(plain) < len(words) else plain)


def _expected_one_of(kind: mi.UnionType) -> str:
    words = {expected(kind): None for kind in kind.types if not isinstance(kind, mi.NoneType)}
    return _or(list(words))


def _or(words: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


_EXPECTED: dict[type[mi.Type], Callable[[Any], str]] = {
    mi.IntType: _expected_number,
    mi.FloatType: _expected_number,
    mi.StrType: _expected_text,
    mi.BoolType: lambda _: "true or false",
    mi.NoneType: lambda _: "null",
    mi.LiteralType: lambda kind: _or([str(value) for value in kind.values]),
    mi.EnumType: lambda kind: _or([member.value for member in kind.cls]),
    mi.UnionType: _expected_one_of,
}
_CUSTOM = {
    "Seconds": "a duration such as 250ms, 10s, 5m, 1h or 30d",
    "Delay": "p95, or a duration such as 250ms, 10s, 5m, 1h or 30d",
    "Size": "a size such as 64KiB, 1MiB or 2GiB",
    "Rate": "a rate such as 10/s, 600/m, 100/h or 1000/d",
    "Money": "US dollars such as 0.05",
    "Zone": "a time zone such as Europe/Madrid",
    "Url": "a URL such as https://example.org",
    "PostUrl": "a URL such as https://example.org/hook",
    "Expression": "a condition such as double(input.amount) > 100.0",
    "Name": "a name such as gateway",
    "MountPath": "a path such as / or /billing",
    "HeaderName": "a header's name such as x-api-key",
    "Address": "host:port or unix:/path",
    "Scope": "a scope such as all, agent:pay-* or tool:deposit",
    "Moment": "a moment such as 2027-01-31T18:00:00Z",
    "Source": "static, key or header:NAME",
    "Digest": "64 hex digits",
    "StoreUrl": "memory, or the URL of a Redis",
    "Elsewhere": "stderr, the path of a file, or a URL",
}


def is_secret(kind: mi.Type) -> bool:
    kind = bare(kind)
    if isinstance(kind, mi.UnionType):
        return any(is_secret(member) for member in kind.types)
    if isinstance(kind, mi.StructType):
        return any(is_secret(field.type) for field in kind.fields)
    if isinstance(kind, mi.VarTupleType):
        return is_secret(kind.item_type)
    if isinstance(kind, mi.DictType):
        return is_secret(kind.value_type)
    return isinstance(kind, mi.CustomType) and issubclass(kind.cls, Secret)


def found(node: Node) -> str:
    if isinstance(node, Scalar):
        if node.hidden:
            return f"what {node.written!r} stands for"
        if node.value is None:
            return "nothing" if not node.text else "null"
        if isinstance(node.value, str):
            shown = node.text if len(node.text) <= 60 else node.text[:57] + "…"
            return repr(shown)
        return node.text
    return "a list" if isinstance(node, Sequence) else "a mapping"


_BOOLEANS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
"""Booleans of YAML 1.1, which are texts now."""


def advice(kind: mi.Type, node: Node) -> str:
    if not isinstance(node, Scalar):
        return ""
    members = [bare(kind) for kind in kind.types] if isinstance(kind, mi.UnionType) else [kind]
    if node.value is None and any(isinstance(member, mi.StructType) for member in members):
        return "; an empty one is written {}"
    if not isinstance(node.value, str):
        wants_text = all(isinstance(member, mi.StrType | mi.VarTupleType) for member in members)
        return "; put it in quotes" if wants_text and node.value is not None else ""
    if node.text.lower() in _BOOLEANS and any(isinstance(each, mi.BoolType) for each in members):
        return f"; did you mean {_BOOLEANS[node.text.lower()]}?"
    return nearest(node.text, [word for member in members for word in _words(member)])


def _words(kind: mi.Type) -> list[str]:
    if isinstance(kind, mi.LiteralType):
        return [str(value) for value in kind.values]
    if isinstance(kind, mi.EnumType):
        return [member.value for member in kind.cls]
    if isinstance(kind, mi.StrType) and kind.pattern:
        return [word for word in kind.pattern.strip("^()$").split("|") if word.isalpha()]
    return []


def nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), 1, 0.6)
    return f"; did you mean {close[0]}?" if close else ""
