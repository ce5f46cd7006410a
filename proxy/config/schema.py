"""JSON Schemas of what people write, for editors; made from the types that read the files.

msgspec makes schemas too, but cannot write the defaults of types that are its own no longer
(durations, sizes, URLs), and knows nothing of `${…}`.
"""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import NODEFAULT, UNSET
from msgspec import inspect as mi

from proxy.config.files import POLICY_FILE
from proxy.config.settings import Settings
from proxy.config.shape import kind_of
from proxy.config.slos import Threshold
from proxy.config.tokens import TokensFile
from proxy.config.types import HEADER_NAME, NAME_PATTERN
from proxy.config.wording import bare, number_of
from proxy.units import (
    DURATION_PATTERN,
    MONEY_PATTERN,
    MOST_MONEY,
    RATE_PATTERN,
    SIZE_PATTERN,
    Delay,
    Money,
    Seconds,
    Size,
)

KINDS: dict[str, type[msgspec.Struct]] = {
    "settings": Settings,
    "policies": POLICY_FILE,
    "tokens": TokensFile,
}

_REFERENCE = r"\$\{.*\}"
_PATTERNS = {
    "Seconds": f"{DURATION_PATTERN}|{_REFERENCE}",
    "Delay": f"^p95$|{DURATION_PATTERN}|{_REFERENCE}",
    "Size": f"{SIZE_PATTERN}|{_REFERENCE}",
    "Rate": f"{RATE_PATTERN}|{_REFERENCE}",
    "Url": f"^https?://|{_REFERENCE}",
    "PostUrl": f"^https?://|{_REFERENCE}",
    "MountPath": f"^/|{_REFERENCE}",
    "KeySource": r"^(header|messageId|input\..+)$|" + _REFERENCE,
    "Source": f"^static$|^key$|^header:|{_REFERENCE}",
    "Digest": "^[0-9a-fA-F]{64}$|" + _REFERENCE,
    "Elsewhere": f"^stderr$|/|{_REFERENCE}",
    "StoreUrl": rf"^memory$|^rediss?(\+sentinel|\+cluster)?://|{_REFERENCE}",
    "Address": f"^.+:[0-9]{{1,5}}$|^unix:.|{_REFERENCE}",
    "Name": f"{NAME_PATTERN}|{_REFERENCE}",
    "Scope": f"^all$|^(fleet|agent|tool|workflow|upstream|bulkhead):.|{_REFERENCE}",
    "Threshold": f"{DURATION_PATTERN}|{MONEY_PATTERN}|{_REFERENCE}",
    "Moment": f"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ].+(Z|[+-][0-9:]+)$|{_REFERENCE}",
    "HeaderName": f"^{HEADER_NAME}$|{_REFERENCE}",
}
_MONEY = {
    "type": ["number", "string"],
    "minimum": 0,
    "maximum": MOST_MONEY,
    "pattern": f"{MONEY_PATTERN}|{_REFERENCE}",
}
_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
_MULTIPLES = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))
_SWITCH = {"type": "boolean", "description": "true: as {}; false: off, whatever came before."}


def schema(kind: str) -> str:
    """The schema of `settings`, `policies` or `tokens`, as JSON text."""
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Holdfast {kind}",
        **_of(kind_of(KINDS[kind])),
    }
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def spelled(value: Any) -> Any:
    """A value as a file would have it: durations and sizes with their unit, money in dollars."""
    if isinstance(value, Delay) and value.measured:
        return "p95"
    if isinstance(value, Seconds):
        return _duration(value)
    if isinstance(value, Size):
        return _size(value)
    if isinstance(value, Money):
        return float(value.dollars)
    if isinstance(value, msgspec.Struct):
        names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        return {written: spelled(getattr(value, name)) for name, written in names}
    if isinstance(value, dict):
        return {str(key): spelled(held) for key, held in value.items()}
    if isinstance(value, tuple | list):
        return [spelled(item) for item in value]
    return str(value) if isinstance(value, str) else value


def veiled(value: Any, hidden: Mapping[str, str]) -> Any:
    """A spelled value as it may be shown: texts that came from elsewhere as they are written."""
    if isinstance(value, dict):
        return {name: veiled(held, hidden) for name, held in value.items()}
    if isinstance(value, list):
        return [veiled(item, hidden) for item in value]
    return hidden.get(value, value) if isinstance(value, str) else value


def _duration(seconds: float) -> str:
    for unit, length in _UNITS:
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    milliseconds = round(seconds * 1000, 6)
    return f"{milliseconds:g}ms" if seconds < 1 and seconds else f"{seconds:g}s"


def _size(size: int) -> str:
    for unit, length in _MULTIPLES:
        if size and size % length == 0:
            return f"{size // length}{unit}"
    return f"{size}B"


def _of(kind: mi.Type) -> dict[str, Any]:
    if isinstance(kind, mi.Metadata):
        return {**_of(kind.type), **(kind.extra_json_schema or {})}
    if isinstance(kind, mi.StructType):
        number = number_of(kind)
        return _mapping(kind) if number is None else _choice([_mapping(kind), *_set(number)])
    if isinstance(kind, mi.UnionType):
        return _choice([each for member in kind.types for each in _alternatives(member)])
    if isinstance(kind, mi.VarTupleType):
        return _given(type="array", items=_of(kind.item_type), minItems=kind.min_length)
    if isinstance(kind, mi.DictType):
        names = _of(kind.key_type)
        return _given(
            type="object",
            propertyNames=_as_names(names),
            additionalProperties=_of(kind.value_type),
        )
    return _single(kind)


def _set(field: mi.Field) -> list[dict[str, Any]]:
    made = _of(field.type)
    return [each for each in made.get("anyOf", [made]) if each != {"type": "null"}]


def _alternatives(kind: mi.Type) -> list[dict[str, Any]]:
    """What a member of a union may be: a mapping that may be a number is two."""
    made = _of(kind)
    return made["anyOf"] if number_of(bare(kind)) is not None else [made]


def _as_names(schema: dict[str, Any]) -> dict[str, Any] | None:
    """What keys must be: to a schema they are all texts, whatever YAML makes of them."""
    kinds = schema.get("anyOf", [schema])
    patterns = [kind["pattern"] for kind in kinds if "pattern" in kind]
    return {"pattern": "|".join(patterns)} if patterns else None


def _choice(members: list[dict[str, Any]]) -> dict[str, Any]:
    """One of several. What is a mapping says what all of it is for: editors show that first."""
    mappings = [member for member in members if member.get("type") == "object"]
    if mappings:
        members = [_SWITCH if member == {"type": "boolean"} else member for member in members]
    said = mappings[0].get("description") if mappings else None
    return _given(anyOf=members, description=said)


def _mapping(kind: mi.StructType) -> dict[str, Any]:
    properties = {}
    for field in kind.fields:
        default = field.default if field.default_factory is NODEFAULT else field.default_factory()
        shown = {} if default in (NODEFAULT, UNSET) else {"default": spelled(default)}
        properties[field.encode_name] = {**_of(field.type), **shown}
    return _given(
        type="object",
        description=(kind.cls.__doc__ or "").partition("\n")[0],
        properties=properties,
        required=[field.encode_name for field in kind.fields if field.required] or None,
        additionalProperties=False,
    )


def _single(kind: Any) -> dict[str, Any]:
    if isinstance(kind, mi.IntType | mi.FloatType):
        return _given(
            type="integer" if isinstance(kind, mi.IntType) else "number",
            minimum=kind.ge,
            exclusiveMinimum=kind.gt,
            maximum=kind.le,
            exclusiveMaximum=kind.lt,
        )
    if isinstance(kind, mi.LiteralType):
        return {"enum": list(kind.values)}
    if isinstance(kind, mi.EnumType):
        return {"enum": [member.value for member in kind.cls]}
    if isinstance(kind, mi.StrType):
        lengths = {"minLength": kind.min_length, "maxLength": kind.max_length}
        return _given(type="string", pattern=kind.pattern, **lengths)
    if isinstance(kind, mi.CustomType):
        if kind.cls is Money:
            return _MONEY
        if kind.cls is Threshold:
            return _MONEY | {"pattern": _PATTERNS["Threshold"]}
        return _given(type="string", pattern=_PATTERNS.get(kind.cls.__name__))
    if isinstance(kind, mi.AnyType):
        return {}
    return {"type": {mi.BoolType: "boolean", mi.NoneType: "null"}[type(kind)]}


def _given(**keywords: Any) -> dict[str, Any]:
    return {name: value for name, value in keywords.items() if value is not None}
