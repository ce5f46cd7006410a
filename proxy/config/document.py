"""A YAML file as a tree in which every node knows its place.

YAML 1.2 core types: only `true` and `false` are booleans, so `on`, `no` and `yes` are texts; `010`
is ten; `1:30` and dates are texts. Duplicate keys, tabs in indentation, tags, several documents,
more than 10,000 nodes once anchors are expanded, more than 64 levels and more than 1 MiB are
errors. `${…}` is replaced in texts (`variables.py`).
"""

import re
from collections.abc import Iterator
from collections.abc import Mapping as Environ
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import yaml

from proxy.config.disk import LARGEST, content
from proxy.config.places import ConfigError, Place, Problem
from proxy.config.variables import Unset, replace, replaceable

MOST_NODES = 10_000
DEEPEST = 64


class Scalar(msgspec.Struct, frozen=True):
    """A single value."""

    place: Place
    value: Any  # str, int, float, bool or None
    text: str  # as it is written, `${…}` replaced
    written: str  # as it is written, `${…}` and all; empty for what stands in no file

    @property
    def replaced(self) -> bool:
        """Did any of it come from elsewhere? Then its type is what is wanted, if it can be."""
        return self.text != self.written

    @property
    def hidden(self) -> bool:
        """Must it not be shown? Only its name may be, as it is written."""
        return self.replaced and bool(self.written)


class Key(msgspec.Struct, frozen=True):
    """A key of a mapping, and where it stands."""

    place: Place
    node: "Node"


class Mapping(msgspec.Struct, frozen=True):
    """Keys and what they hold, in the order of the file."""

    place: Place
    items: dict[str, Key]


class Sequence(msgspec.Struct, frozen=True):
    """A list."""

    place: Place
    items: list["Node"]


Node: TypeAlias = Scalar | Mapping | Sequence


class Document(msgspec.Struct):
    """A file that was read, as far as it could be."""

    file: str
    root: Node | None  # None: nothing in it, or it is no YAML at all
    problems: list[Problem] = []
    files: list[Path] = []  # that `${file:…}` names


def scalars(node: Node) -> Iterator[Scalar]:
    """All that stand in it."""
    if isinstance(node, Scalar):
        yield node
        return
    inside = [key.node for key in node.items.values()] if isinstance(node, Mapping) else node.items
    for each in inside:
        yield from scalars(each)


def read(path: Path, shown: str, environ: Environ[str, str]) -> Document:
    """Read a file; `shown` is its name in errors. Raises ConfigError where it cannot be read."""
    try:
        raw = content(path)
    except OSError as error:
        problem = Problem(Place(shown), "", f"cannot be read: {error.strerror}")
        raise ConfigError([problem], readable=False) from error
    return parse(raw, shown, environ)


def parse(raw: bytes, file: str, environ: Environ[str, str]) -> Document:
    """Never raises: what is wrong stands in the document's problems."""
    if len(raw) > LARGEST:
        return _broken(Place(file), "larger than 1 MiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _broken(_place_of(raw, error.start, file), "not UTF-8")
    for pattern, message in _UNWANTED:
        if found := pattern.search(text):
            before = len(text[: found.end() - 1].encode())
            return _broken(_place_of(text.encode(), before, file), message)
    builder = _Builder(file, environ, text)
    try:
        root = builder.read()
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark or error.context_mark  # one of them is always there
        return _broken(Place(file, mark.line + 1, mark.column + 1), _said(error))
    except _TooMuch as much:
        return _broken(*much.args)
    return Document(file, root, builder.problems, builder.files)


_UNWANTED = (
    (re.compile(r"^ *\t", re.MULTILINE), "a tab in the indentation; use spaces"),
    (re.compile(yaml.reader.Reader.NON_PRINTABLE.pattern), "a control character"),
    # In a comment they would begin a line that no editor shows as one.
    (re.compile("[\x85\u2028\u2029]"), "a character that ends lines in YAML 1.1 and not in 1.2"),
)


def _broken(place: Place, message: str) -> Document:
    return Document(place.file, None, [Problem(place, "", message)])


def _place_of(raw: bytes, offset: int, file: str) -> Place:
    before = raw[:offset]
    line = before.rpartition(b"\n")[2].decode(errors="replace")
    return Place(file, before.count(b"\n") + 1, len(line) + 1)


_QUOTES = {
    "alias": "a value that begins with * must stand in quotes",
    "tag": "a value that begins with ! must stand in quotes",
}


def _said(error: yaml.MarkedYAMLError) -> str:
    said = " ".join(part for part in (error.problem, error.context) if part)
    hint = next((_QUOTES[word] for word in said.split() if word in _QUOTES), "")
    return "; ".join(filter(None, (f"not YAML: {said}", hint)))


_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LONGEST_INT = 64
"""Digits. Python refuses to read longer ones than 4,300; nothing here needs a tenth of this."""


def resolve(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar (YAML 1.2.2, 10.3.2), without infinities and not-a-number."""
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if len(text) <= _LONGEST_INT and _INT.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if len(text) <= _LONGEST_INT and _FLOAT.fullmatch(text):
        return float(text)
    return text


class _TooMuch(Exception):
    """The tree is too deep or too large to go on. Its arguments: where, and what."""


class _Builder:
    """Makes the tree out of the parser's events.

    Not out of what PyYAML composes: its C code recurses without a limit, and 100 kB of `[` end
    the process.
    """

    def __init__(self, file: str, environ: Environ[str, str], text: str) -> None:
        self._file = file
        self._environ = environ
        self._events: Iterator[Any] = iter(yaml.parse(text, Loader=yaml.CSafeLoader))
        self._anchors: dict[str, tuple[Node, int]] = {}  # and how many nodes it is
        self._count = 0
        self.problems: list[Problem] = []
        self.files: list[Path] = []

    def read(self) -> Node | None:
        """The root; None where the file is empty."""
        next(self._events)  # the stream starts
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return None
        root = self._node(next(self._events), "", 0)
        next(self._events)  # the document ends
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise _TooMuch(self._place(after), "a second document; a file holds one")
        return None if isinstance(root, Scalar) and not root.text else root  # `---` alone

    def _node(self, event: Any, path: str, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        before = self._count
        self._grow(1, event)
        if depth > DEEPEST:
            raise _TooMuch(self._place(event), f"nested deeper than {DEEPEST} levels")
        if event.tag is not None:
            self._wrong(self._place(event), path, f"a tag; {_QUOTES['tag']}")
        node = self._inside(event, path, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node, self._count - before
        return node

    def _inside(self, event: Any, path: str, depth: int) -> Node:
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(event, path, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, path, depth)
        return self._scalar(event, path)

    def _alias(self, event: Any) -> Node:
        if event.anchor not in self._anchors:
            # Its name is not told: it may be the beginning of a secret that wanted quotes.
            message = f"an alias without its anchor before it; {_QUOTES['alias']}"
            raise _TooMuch(self._place(event), message)
        node, count = self._anchors[event.anchor]
        self._grow(count, event)
        return node

    def _grow(self, count: int, event: Any) -> None:
        self._count += count
        if self._count > MOST_NODES:
            message = f"more than {MOST_NODES} nodes, anchors expanded"
            raise _TooMuch(self._place(event), message)

    def _sequence(self, event: Any, path: str, depth: int) -> Sequence:
        items: list[Node] = []
        while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(item, f"{path}[{len(items)}]", depth + 1))
        return Sequence(self._place(event), items)

    def _mapping(self, event: Any, path: str, depth: int) -> Mapping:
        items: dict[str, Key] = {}
        while not isinstance(found := next(self._events), yaml.MappingEndEvent):
            key = self._node(found, path, depth + 1)
            name = key.written if isinstance(key, Scalar) else ""
            inside = f"{path}.{name}" if path else name
            held = self._node(next(self._events), inside, depth + 1)
            if not isinstance(key, Scalar):
                self._wrong(key.place, path, "a key must be text")
            elif name in items:
                first = items[name].place.line
                self._wrong(key.place, inside, f"duplicate key; it stands on line {first} already")
            else:
                items[name] = Key(key.place, held)
        return Mapping(self._place(event), items)

    def _scalar(self, event: Any, path: str) -> Scalar:
        place, written = self._place(event), event.value
        plain, text = not event.style, event.value
        if replaceable(written):
            try:
                text = replace(written, self._environ, self.files)
            except Unset as unset:
                self._wrong(place, path, str(unset))
        # What was replaced may be a number for all its quotes: in `{…}` they cannot be left out.
        value = resolve(text) if plain or text != written else text
        return Scalar(place, value, text, written)

    def _place(self, event: Any) -> Place:
        return Place(self._file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _wrong(self, place: Place, path: str, message: str) -> None:
        self.problems.append(Problem(place, path, message))
