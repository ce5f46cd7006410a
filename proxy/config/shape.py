"""Reads a node of a file as a type, and says everything that is wrong with it.

`msgspec.convert` would do it, but stops at the first error and knows no lines. The types are the
same ones: their fields, ranges, patterns and defaults are read by `msgspec.inspect`.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from msgspec import inspect as mi

from proxy.config.document import Mapping, Node, Scalar, Sequence, resolve
from proxy.config.later import LATER
from proxy.config.places import Place, Problem
from proxy.config.types import Auth
from proxy.config.wording import advice, bare, expected, found, is_secret, nearest, number_of
from proxy.units import Money

MISSING: Any = object()
"""Stands for what could not be read; why is among the problems."""


class Shape:
    """Reads nodes and collects problems: at most one for a place, the first one found."""

    def __init__(self, problems: Iterable[Problem] = ()) -> None:
        self.problems: list[Problem] = []
        self._places: set[Place] = set()
        for problem in problems:
            self.add(problem)

    def add(self, problem: Problem) -> None:
        """Note one that somebody else found."""
        if problem.place not in self._places or not problem.place.line:
            self._places.add(problem.place)
            self.problems.append(problem)

    def wrong(self, place: Place, path: str, message: str) -> None:
        """Note a problem."""
        self.add(Problem(place, path, message))

    def read(self, kind: mi.Type, node: Node, path: str) -> Any:
        """The node's value in that type, or MISSING."""
        kind = bare(kind)
        if isinstance(kind, mi.StructType):
            return self._struct(kind, node, path)
        if isinstance(kind, mi.VarTupleType):
            return self._list(kind, node, path)
        if isinstance(kind, mi.DictType):
            return self._dict(kind, node, path)
        if isinstance(kind, mi.UnionType):
            return self._union(kind, node, path)
        if isinstance(kind, mi.AnyType):
            return plain(node)
        return self._scalar(kind, node, path)

    def keys(self, owner: str, known: Iterable[str], node: Mapping, path: str) -> None:
        """Note every key that is not known; `owner` is the name of the type that has them."""
        names = list(known)
        for name, key in node.items.items():
            if name in names:
                continue
            # `{bearer:sk-…}`, without the space, is one key: it is not shown.
            inside = path if owner == Auth.__name__ else f"{path}.{name}" if path else name
            if ":" in name:
                self.wrong(key.place, inside, "unknown key; a space must follow the colon of a key")
            elif name in LATER.get(owner, ()):
                self.wrong(key.place, inside, "unknown key; this version does not have it yet")
            else:
                self.wrong(key.place, inside, f"unknown key{nearest(name, names)}")

    def _struct(self, kind: mi.StructType, node: Node, path: str) -> Any:
        if not isinstance(node, Mapping):
            number = number_of(kind) if _is_set(node) else None
            return (
                self._unfit(kind, node, path)
                if number is None
                else self._number(kind, number, node, path)
            )
        self.keys(kind.cls.__name__, (field.encode_name for field in kind.fields), node, path)
        given = self._fields(kind, node, path)
        if any(field.required and field.name not in given for field in kind.fields):
            return MISSING
        try:
            return kind.cls(**given)
        except ValueError as error:
            read = sum(field.encode_name in node.items for field in kind.fields)
            if len(given) == read:  # else it may be the gap that contradicts the rest
                self._contradiction(str(error), node, path)
            return MISSING

    def _number(self, kind: mi.StructType, field: mi.Field, node: Node, path: str) -> Any:
        """A mapping of which only that one field is given, as a number in its place."""
        value = self.read(field.type, node, path)
        return MISSING if value is MISSING else kind.cls(**{field.name: value})

    def _fields(self, kind: mi.StructType, node: Mapping, path: str) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for field in kind.fields:
            name = field.encode_name
            if (key := node.items.get(name)) is not None:
                value = self.read(field.type, key.node, f"{path}.{name}" if path else name)
                if value is not MISSING:
                    given[field.name] = value
            elif field.required:
                self.wrong(node.place, path, f"the key {name} is missing")
        return given

    def _contradiction(self, message: str, node: Mapping, path: str) -> None:
        # By the house's habit such a message begins with the field that it is about.
        name, colon, rest = message.partition(": ")
        if colon and name in node.items:
            self.wrong(node.items[name].node.place, f"{path}.{name}" if path else name, rest)
        else:
            self.wrong(node.place, path, message)

    def _list(self, kind: mi.VarTupleType, node: Node, path: str) -> Any:
        if not isinstance(node, Sequence):
            return self._unfit(kind, node, path)
        if len(node.items) < (kind.min_length or 0):
            self.wrong(node.place, path, f"expected at least {kind.min_length}, found none")
            return MISSING
        values = tuple(
            self.read(kind.item_type, item, f"{path}[{i}]") for i, item in enumerate(node.items)
        )
        return MISSING if any(value is MISSING for value in values) else values

    def _dict(self, kind: mi.DictType, node: Node, path: str) -> Any:
        if not isinstance(node, Mapping):
            return self._unfit(kind, node, path)
        values: dict[Any, Any] = {}
        first: dict[Any, Place] = {}
        for name, held in node.items.items():
            inside, place = f"{path}.{name}", held.place
            key = self.read(kind.key_type, Scalar(place, resolve(name), name, name), inside)
            if key is not MISSING and first.setdefault(key, place) != place:
                line = first[key].line  # of the same number, written otherwise
                self.wrong(place, inside, f"duplicate key; it stands on line {line} already")
            values[key] = self.read(kind.value_type, held.node, inside)
        return MISSING if MISSING in (*values, *values.values()) else values

    def _union(self, kind: mi.UnionType, node: Node, path: str) -> Any:
        members = [bare(member) for member in kind.types]
        secrets = [member for member in members if _is_custom(member) and is_secret(member)]
        if secrets and isinstance(node, Scalar) and node.replaced:
            # An empty variable is an empty secret, and one of digits alone is no number.
            return self.read(secrets[0], node, path)
        fitting = [member for member in members if _fits(member, node)]
        if fitting:
            return self.read(fitting[0], node, path)
        alike = [member for member in members if _is_scalar(member) == isinstance(node, Scalar)]
        alike = [member for member in alike if not isinstance(member, mi.NoneType | mi.BoolType)]
        empty = isinstance(node, Scalar) and node.value is None
        if len(alike) == 1 and _is_scalar(alike[0]) and not empty:
            return self.read(alike[0], node, path)
        return self._unfit(kind, node, path)

    def _scalar(self, kind: mi.Type, node: Node, path: str) -> Any:
        if not isinstance(node, Scalar):
            return self._unfit(kind, node, path)
        if isinstance(kind, mi.CustomType):
            return self._custom(kind, node, path)
        if isinstance(kind, mi.StrType) and node.replaced:
            return node.text if _text_is_valid(kind, node.text) else self._unfit(kind, node, path)
        if not _fits(kind, node):
            return self._unfit(kind, node, path)
        if isinstance(kind, mi.EnumType):
            return kind.cls(node.value)
        return float(node.value) if isinstance(kind, mi.FloatType) else node.value

    def _custom(self, kind: mi.CustomType, node: Scalar, path: str) -> Any:
        written_as: Any = kind.cls  # Seconds, Url, Name …: each has a `parse`
        # Of money every digit counts that is written: a float would have lost some.
        as_text = node.replaced or (kind.cls is Money and isinstance(node.value, float))
        try:
            return written_as.parse(node.text if as_text else node.value)
        except ValueError as error:
            message = str(error)
            if is_secret(kind) or node.hidden or node.value is None:
                message = message.partition(", found")[0]
            if node.hidden or (node.value is None and not is_secret(kind)):
                message += f", found {found(node)}"
            self.wrong(node.place, path, message)
            return MISSING

    def _unfit(self, kind: mi.Type, node: Node, path: str) -> Any:
        message = f"expected {expected(kind)}"
        if not (isinstance(node, Scalar) and is_secret(kind)):
            message += f", found {found(node)}{advice(kind, node)}"
        self.wrong(node.place, path, message)
        return MISSING


def plain(node: Node | None) -> Any:
    """What a node holds, whatever it is, in plain types."""
    if isinstance(node, Mapping):
        return {name: plain(key.node) for name, key in node.items.items()}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return None if node is None else node.value


@cache
def kind_of(written: Any) -> mi.Type:
    """What msgspec knows of a type."""
    return mi.type_info(written)


def _is_custom(kind: mi.Type) -> bool:
    return isinstance(kind, mi.CustomType)


def _is_scalar(kind: mi.Type) -> bool:
    return not isinstance(kind, mi.StructType | mi.VarTupleType | mi.DictType)


def _is_set(node: Node) -> bool:
    """Is it a single value, and no switch?"""
    return isinstance(node, Scalar) and not isinstance(node.value, bool | None)


def _fits(kind: mi.Type, node: Node) -> bool:
    """Is this kind of node meant for this kind of type?"""
    if isinstance(kind, mi.StructType | mi.DictType):
        return isinstance(node, Mapping) or (_is_set(node) and number_of(kind) is not None)
    if isinstance(kind, mi.VarTupleType):
        return isinstance(node, Sequence)
    return isinstance(node, Scalar) and _FITS[type(kind)](kind, node.value)


def _number_fits(kind: Any, value: Any) -> bool:
    numbers = int if isinstance(kind, mi.IntType) else (int, float)
    if isinstance(value, bool) or not isinstance(value, numbers):
        return False
    return not (
        (kind.ge is not None and value < kind.ge)
        or (kind.gt is not None and value <= kind.gt)
        or (kind.le is not None and value > kind.le)
        or (kind.lt is not None and value >= kind.lt)
    )


def _text_is_valid(kind: mi.StrType, text: str) -> bool:
    long_enough = len(text) >= (kind.min_length or 0)
    short_enough = kind.max_length is None or len(text) <= kind.max_length
    # All of it: `$` alone is content with a line break at the end.
    return (
        long_enough and short_enough and bool(re.fullmatch(kind.pattern or ".*", text, re.DOTALL))
    )


_FITS: dict[type[mi.Type], Callable[[Any, Any], bool]] = {
    mi.IntType: _number_fits,
    mi.FloatType: _number_fits,
    mi.BoolType: lambda _, value: isinstance(value, bool),
    mi.NoneType: lambda _, value: value is None,
    mi.StrType: lambda kind, value: isinstance(value, str) and _text_is_valid(kind, value),
    mi.LiteralType: lambda kind, value: value in kind.values,
    mi.EnumType: lambda kind, value: value in [member.value for member in kind.cls],
    mi.CustomType: lambda _, value: isinstance(value, str),
}
