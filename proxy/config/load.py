"""A folder of policy files, read, judged and put together; or all that is wrong with it."""

import hashlib
import os
from collections.abc import Iterator
from collections.abc import Mapping as Environ
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from proxy.clock import Clock
from proxy.config import document
from proxy.config.addresses import MountPath
from proxy.config.alert_rules import tightens
from proxy.config.budgets import Books, misjudged
from proxy.config.document import Document, Mapping, Node, Scalar, Sequence, scalars
from proxy.config.files import POLICY, POLICY_FILE, Budget, Domain, Killed
from proxy.config.judge import Judged, empty, idle_kills, judge
from proxy.config.loaded import Loaded
from proxy.config.match import Globs
from proxy.config.matching import matched
from proxy.config.operating import Operating
from proxy.config.places import ConfigError, Place, Problem
from proxy.config.shape import MISSING, Shape, kind_of, plain
from proxy.config.targets import at_root, backup_problems, probe_warnings
from proxy.config.tightening import tightened
from proxy.config.types import Bulkhead, Mode, Name, Part, Policy, Upstream
from proxy.stage import Section
from proxy.stages import SECTIONS
from proxy.state.killed import Kill
from proxy.state.scopes import Scope
from proxy.units import is_measure

BY_FLAG = "default"
"""The name of the upstream that `run --upstream` gives."""
_NO_ROOT = "no upstream is mounted at /; say path: / where agents come in"


def load_policies(
    folder: str | Path = "",
    upstream: tuple[str, str] | None = None,
    environ: Environ[str, str] = os.environ,
    also: tuple[Path, ...] = (),
) -> Loaded:
    """Read every `*.yaml` of a folder, in name order. Raises ConfigError with all problems.

    An empty `folder` means none: calls pass. `upstream` is a URL and a protocol; it takes the
    place of what is mounted at `/`. The files of `also` are read after those of the folder.
    """
    paths, warnings = ([], []) if folder == "" else _paths(Path(folder))
    reading = _Reading()
    documents, unreadable = _documents([*paths, *also], environ)
    for each in documents:
        reading.file(each)
    if upstream is not None:
        reading.flag(*upstream)
    reading.mounts(flagged=upstream is not None)
    # Where a file is missing from the set, what is said of the set would be said of another one.
    whole = not unreadable and all(each.root or not each.problems for each in documents)
    judged = reading.judged() if whole else Judged([], [])
    lost = backup_problems(reading.upstreams, reading.names, reading.nodes, reading.replaced)
    for problem in (*unreadable, *judged.errors, *(lost if whole else ())):
        reading.shape.add(problem)
    if reading.shape.problems:
        raise ConfigError(reading.shape.problems, readable=not unreadable)
    dear = probe_warnings(reading.policies, reading.upstreams, reading.nodes)
    named = [Path(each.tls.ca) for each in reading.upstreams.values() if each.tls.ca]
    named += reading.books.files
    loaded = Loaded(
        version=_version(documents, upstream, named),
        upstreams=reading.upstreams,
        policies=tuple(reading.policies),
        bulkheads=tuple(reading.bulkheads),
        budgets=tuple(reading.books.budgets),
        prices=reading.books.listed,
        kills=tuple(kill for kill, *_ in reading.kills.values()),
        slos=reading.operating.objectives,
        alerts=reading.operating.alerts,
        behaviour=reading.operating.rules,
        mirrors=tuple(written for written, *_ in reading.operating.mirrors),
        warnings=tuple(sorted({*warnings, *judged.warnings, *dear})),
        files=(*(file for each in documents for file in each.files), *named),
        written=tuple(reading.policies),
        climbed=tightens(reading.operating.alerts),
    )
    return tightened(loaded)


def policy_files(folder: Path) -> list[Path]:
    """The policy files of a folder, in the order in which they count. Raises OSError."""
    return sorted(
        (path for path in folder.iterdir() if _is_policy_file(path)), key=lambda path: path.name
    )


def _is_policy_file(path: Path) -> bool:
    return path.suffix == ".yaml" and not path.name.startswith(".") and not path.is_dir()


def _paths(folder: Path) -> tuple[list[Path], list[Problem]]:
    try:
        ignored = sorted(path for path in folder.iterdir() if path.suffix == ".yml")
        paths = policy_files(folder)
    except OSError as error:
        problem = Problem(Place(str(folder)), "", f"cannot be read: {error.strerror}")
        raise ConfigError([problem], readable=False) from error
    message = "not read: names of policy files end in .yaml"
    return paths, [Problem(Place(str(path)), "", message) for path in ignored]


def _documents(
    paths: list[Path], environ: Environ[str, str]
) -> tuple[list[Document], list[Problem]]:
    """The files that can be read, and what is wrong with the others."""
    documents: list[Document] = []
    unreadable: list[Problem] = []
    for path in paths:
        try:
            documents.append(document.read(path, str(path), environ))
        except ConfigError as error:
            unreadable += error.problems
    return documents, unreadable


class _Reading:
    """What the files say, one after the other."""

    def __init__(self) -> None:
        self.shape = Shape()
        self.upstreams: dict[str, Upstream] = {}
        self.policies: list[Policy] = []
        self.names: dict[str, Place] = {}  # of all upstreams, also of those that are wrong
        self.bulkheads: list[Bulkhead] = []
        self.kills: dict[Scope, tuple[Kill, Place, str]] = {}
        self.replaced = ""  # the upstream whose place the command line's takes
        self.nodes: dict[str, Node] = {}  # of the upstreams
        self.books = Books(self.shape)
        self.operating = Operating(self.shape, self._listed)
        self._policy_names: dict[str, Place] = {}

    def file(self, read: Document) -> None:
        """Take in one file."""
        for problem in read.problems:
            self.shape.add(problem)
        if read.root is None:
            return
        if not isinstance(read.root, Mapping):
            self.shape.wrong(read.root.place, "", "expected upstreams and policies, found no keys")
            return
        self.shape.keys("PolicyFile", POLICY_FILE.__struct_fields__, read.root, "")
        self._upstreams(read.root)
        self._policies(read.root)
        self._bulkheads(read.root)
        for each in self._listed(read.root, "budgets", Budget):
            self.books.budget(*each)
        if (prices := read.root.items.get("prices")) is not None:
            self.books.prices(prices.node)
        self._kills(read.root)
        self.operating.file(read.root)

    def judged(self) -> Judged:
        """What only the whole set shows."""
        judged = judge(self.policies, self.upstreams, self.names)
        money = misjudged(self.books.budgets, list(self.names))
        known = {"upstream": self.names, "bulkhead": {each.name for each in self.bulkheads}}
        idle = idle_kills(self.kills.values(), known, Clock.wall())
        told = self.operating.judged(self.upstreams, self.names, self.policies)
        alerts = self.operating.misled(self.names.keys() - {self.replaced}, self._policy_names)
        warnings = [*judged.warnings, *empty(self.bulkheads), *idle, *money.warnings]
        errors = [*judged.errors, *money.errors, *told.errors, *alerts.errors]
        return Judged(errors, [*warnings, *told.warnings, *alerts.warnings])

    def _upstreams(self, root: Mapping) -> None:
        if (key := root.items.get("upstreams")) is None:
            return
        if not isinstance(key.node, Mapping):
            self.shape.wrong(key.node.place, "upstreams", "expected upstreams by name")
            return
        for name, held in key.node.items.items():
            self._upstream(name, held.place, held.node)

    def _upstream(self, name: str, place: Place, node: Node) -> None:
        path = f"upstreams.{name}"
        if name in self.names:
            message = f"an upstream of this name stands at {self.names[name].short} already"
            self.shape.wrong(place, path, message)
            return
        self.names[name] = place
        try:
            Name.parse(name)
        except ValueError as error:
            self.shape.wrong(place, path, str(error))
        upstream = self.shape.read(kind_of(Upstream), node, path)
        if upstream is not MISSING:
            self.upstreams[name] = upstream
            self.nodes[name] = node

    def flag(self, url: str, protocol: str) -> None:
        """The upstream of `run --upstream`: at `/`, whatever the files put there."""
        place = Place("--upstream")
        self.upstreams.pop(BY_FLAG, None)
        items: dict[str, document.Key] = {}
        for name, text, flag in (("url", url, "--upstream"), ("protocol", protocol, "--protocol")):
            at = Place(flag)
            items[name] = document.Key(at, Scalar(at, text, text, text))
        upstream = self.shape.read(kind_of(Upstream), Mapping(place, items), "")
        self.names[BY_FLAG] = place
        if upstream is not MISSING:
            self.upstreams[BY_FLAG] = replace(upstream, path=MountPath("/"))

    def mounts(self, *, flagged: bool) -> None:
        """Exactly one upstream may stand at `/`; where there are any, one must."""
        if self.names.keys() == self.upstreams.keys():  # else one that names others may be missing
            for name in at_root(self.policies, self.upstreams):
                self.upstreams[name] = replace(self.upstreams[name], path=MountPath("/"))
        mounts: dict[str, str] = {}
        for name, upstream in list(self.upstreams.items()):
            if upstream.path is not None:
                self._mount(mounts, name, upstream.path, flagged=flagged)
        if self.names and "/" not in mounts and not self.shape.problems:
            name, place = next(iter(self.names.items()))
            self.shape.wrong(place, f"upstreams.{name}.path", _NO_ROOT)

    def _mount(self, mounts: dict[str, str], name: str, path: str, *, flagged: bool) -> None:
        other = mounts.setdefault(path, name)
        if other == name:
            return
        if flagged and name == BY_FLAG:
            mounts[path], self.replaced = name, other
            del self.upstreams[other]
            return
        message = f"{path} is the mount of {other} already ({self.names[other].short})"
        self.shape.wrong(self.names[name], f"upstreams.{name}.path", message)

    def _policies(self, root: Mapping) -> None:
        for written, node, path in self._listed(root, "policies", POLICY):
            self._policy(written, node, path)

    def _listed(self, root: Mapping, name: str, kind: Any) -> Iterator[tuple[Any, Mapping, str]]:
        """Those entries of a list that can be read: what they say, their node and their path."""
        if (key := root.items.get(name)) is None:
            return
        if not isinstance(key.node, Sequence):
            self.shape.wrong(key.node.place, name, f"expected a list of {name}")
            return
        for i, node in enumerate(key.node.items):
            path = f"{name}[{i}]"
            written = self.shape.read(kind_of(kind), node, path)
            if written is not MISSING:
                assert isinstance(node, Mapping)  # or it could not have been read
                yield written, node, path

    def _policy(self, written: Any, node: Mapping, path: str) -> None:
        place = node.items["name"].node.place
        if (first := self._policy_names.get(written.name)) is not None:
            message = f"a policy of this name stands at {first.short} already"
            self.shape.wrong(place, f"{path}.name", message)
        self._policy_names[written.name] = place
        self.policies.append(policy_of(written, node, path))

    def _bulkheads(self, root: Mapping) -> None:
        for written, node, path in self._listed(root, "bulkheads", Domain):
            place = node.items["name"].node.place
            bulkhead = Bulkhead(
                name=str(written.name),
                place=place,
                path=path,
                agents=Globs.of(written.agents),
                limit=written.limit,
                queue=written.queue,
                max_wait=written.max_wait,
            )
            for first in self.bulkheads:
                if first.name == bulkhead.name:
                    message = f"a bulkhead of this name stands at {first.place.short} already"
                    self.shape.wrong(place, f"{path}.name", message)
            self.bulkheads.append(bulkhead)
            if written.budget is not msgspec.UNSET:
                self.books.shared(written, node, path)

    def _kills(self, root: Mapping) -> None:
        for written, node, path in self._listed(root, "kill", Killed):
            place = node.items["scope"].node.place
            kill = Kill(
                scope=written.scope,
                reason=written.reason,
                by="policies",
                origin="policies",
                until=written.until,
                in_flight=written.in_flight,
                place=place.short,
            )
            first, *_ = self.kills.setdefault(kill.scope, (kill, place, path))
            if first is not kill:
                message = f"this scope is killed at {first.place} already"
                self.shape.wrong(place, f"{path}.scope", message)


def policy_of(written: Any, node: Mapping, path: str) -> Policy:
    """A policy out of what was read of it, and the node that knows what was given, and where."""
    known = POLICY.__struct_fields__
    given = {name: key.node.place for name, key in node.items.items() if name in known}
    match, places = matched(written.match, node)
    return Policy(
        name=str(written.name),
        place=given["name"],
        path=path,
        match=match,
        mode=written.mode,
        effect=None if written.effect is msgspec.UNSET else written.effect,
        sections={
            name: _part(section, getattr(written, name), node.items[name].node, written.mode)
            for name, section in SECTIONS.items()
            if getattr(written, name) is not msgspec.UNSET
        },
        places=given | places,
        risk=None if written.risk is msgspec.UNSET else written.risk,
        unrecorded=(
            None if written.on_journal_failure is msgspec.UNSET else written.on_journal_failure
        ),
    )


def _part(section: type[Section], written: Any, node: Node, mode: Mode) -> Part:
    hidden = {each.text: each.written for each in scalars(node) if _may_be_secret(each)}
    if isinstance(node, Sequence):
        field = section.written_as_list
        places = dict(_places(field, node))
        return Part(node.place, True, mode, {field: written}, places, hidden)
    if not isinstance(node, Mapping):
        fields = _at_once(section, written)
        return Part(
            node.place, bool(written), mode, dict(fields), dict.fromkeys(fields, node.place)
        )
    known = zip(written.__struct_fields__, written.__struct_encode_fields__, strict=True)
    given = {name: node.items[key].node for name, key in known if key in node.items}
    return Part(
        place=node.place,
        mode=_own_mode(section, written, given) or mode,
        fields={name: getattr(written, name) for name in given},
        places=dict(_each_place(given)),
        hidden=hidden,
    )


def _at_once(section: type[Section], written: Any) -> Environ[str, Any]:
    """The fields that a switch gives, or a number."""
    if isinstance(written, bool):
        return section.by_true if written else {}
    return {
        **section.by_number,
        section.written_as_number: getattr(written, section.written_as_number),
    }


def _own_mode(section: type[Section], written: Any, given: dict[str, Node]) -> Mode | None:
    """The mode that it says for itself, which is no field of it; None: it says none."""
    name = "way" if section.ways else "mode"
    own = getattr(written, name)
    if own is msgspec.UNSET or own in section.ways:
        return None
    del given[name]
    return Mode(own)


def _may_be_secret(scalar: Scalar) -> bool:
    """Is it a text out of a variable or a file? A duration or a number is none."""
    return scalar.hidden and isinstance(scalar.value, str) and not is_measure(scalar.text)


def _each_place(given: dict[str, Node]) -> Iterator[tuple[str, Place]]:
    for name, held in given.items():
        yield from _places(name, held)


def _places(path: str, node: Node) -> Iterator[tuple[str, Place]]:
    """Of a field and, where it is a list of mappings, of what is in them: `choices[1].model`."""
    yield path, node.place
    for i, item in enumerate(node.items if isinstance(node, Sequence) else ()):
        for name, key in item.items.items() if isinstance(item, Mapping) else ():
            yield f"{path}[{i}].{name}", key.node.place


def _version(documents: list[Document], upstream: tuple[str, str] | None, named: list[Path]) -> str:
    """12 hex digits of what is in force: comments and layout change nothing, secrets do.

    So does what the files hold that are `named`: authorities, and a table of prices.
    """
    told = [[each.file.rpartition("/")[2], plain(each.root)] for each in documents]
    held = [hashlib.sha256(path.read_bytes()).hexdigest() for path in named]
    raw = msgspec.json.encode([told, upstream, *held], order="deterministic")
    return hashlib.sha256(raw).hexdigest()[:12]
