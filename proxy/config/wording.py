"""What a type allows and what a file has instead, in the words of an error."""

import difflib
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import inspect as mi

from proxy.config.document import Node, Scalar, Sequence
from proxy.config.later import LATER_WORDS
from proxy.config.types import Secret


def bare(kind: mi.Type) -> mi.Type:
    """Without what only the schema needs."""
    return kind.type if isinstance(kind, mi.Metadata) else kind


def expected(kind: mi.Type) -> str:
    """What a type allows, in words."""
    kind = bare(kind)
    return _EXPECTED.get(type(kind), _expected_something)(kind)


def _expected_something(kind: mi.Type) -> str:
    if isinstance(kind, mi.CustomType):
        return _CUSTOM.get(kind.cls.__name__, "text")
    return "a mapping" if isinstance(kind, mi.StructType) else "a list"


def _expected_number(kind: Any) -> str:
    low = next((x for x in (kind.ge, kind.gt) if x is not None), None)
    high = next((x for x in (kind.le, kind.lt) if x is not None), None)
    noun = "a whole number" if isinstance(kind, mi.IntType) else "a number"
    over = "over " if kind.gt is not None else ""
    if low is None:
        return noun
    return (
        f"{noun} of {over}{low:g} to {high:g}" if high is not None else f"{noun} from {over}{low:g}"
    )


def _expected_text(kind: mi.StrType) -> str:
    if kind.pattern and (words := _alternatives(kind.pattern)):
        return words
    return "text"


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
    "Size": "a size such as 64KiB, 1MiB or 2GiB",
    "Url": "a URL such as https://example.org",
}


def is_secret(kind: mi.Type) -> bool:
    kind = bare(kind)
    if isinstance(kind, mi.UnionType):
        return any(is_secret(member) for member in kind.types)
    if isinstance(kind, mi.StructType):
        return any(is_secret(field.type) for field in kind.fields)
    return isinstance(kind, mi.CustomType) and kind.cls is Secret


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


def advice(kind: mi.Type, node: Node) -> str:
    if not isinstance(node, Scalar):
        return ""
    members = [bare(kind) for kind in kind.types] if isinstance(kind, mi.UnionType) else [kind]
    if node.value is None and any(isinstance(member, mi.StructType) for member in members):
        return "; an empty one is written {}"
    if not isinstance(node.value, str):
        wants_text = all(isinstance(member, mi.StrType | mi.VarTupleType) for member in members)
        return "; put it in quotes" if wants_text and node.text else ""
    if node.text in LATER_WORDS and isinstance(kind, mi.LiteralType | mi.EnumType):
        return "; this version does not have it yet"
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
