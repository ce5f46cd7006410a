"""What a file of tests may say. It is read as policies are, and an unknown key is an error."""

import os
from collections.abc import Mapping as Environ
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from proxy.call import Effect
from proxy.config import document
from proxy.config.document import Document, Mapping, Node, Sequence
from proxy.config.load import policy_files
from proxy.config.places import ConfigError, Place, Problem
from proxy.config.shape import MISSING, Shape, kind_of
from proxy.pipeline.asked import Asked
from proxy.units import Seconds

Status = Annotated[int, Meta(ge=200, le=599)]
Word = Literal["connect", "certificate", "disconnect", "timeout", "truncated", "bad_response"]
Count = Annotated[int, Meta(ge=0, le=10_000)]


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answer of the upstream with more to it than its status."""

    status: Status = 200
    after: Seconds = Seconds(0.0)
    headers: dict[str, str] = {}
    body: Any | UnsetType = UNSET


One = Status | Word | Answer
Script = One | Annotated[tuple[One, ...], Meta(min_length=1)]
"""A list is given in its order, and then 200s; a single one every time."""


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came before the call."""

    calls: Count | Annotated[tuple[One, ...], Meta(min_length=1)] = 0
    """The same call, so often; or what the upstream answered to each."""
    circuits: dict[str, Literal["open", "half_open"]] = {}  # `gateway`, or `gateway/deposit`
    throttled: dict[str, Seconds] = {}  # `gateway/deposit` asked to be left alone so long
    in_flight: Count = 0  # the same call, under way so often
    wait: Seconds = Seconds(0.0)  # between all that and the call


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to come of it. Only what is said is looked at."""

    verdict: Literal["allow", "refuse"] | UnsetType = UNSET
    code: str | UnsetType = UNSET  # of the refusal, or why the call failed
    policy: str | UnsetType = UNSET  # that refused
    outcome: str | UnsetType = UNSET  # ok, failed, refused, truncated, fallback, stale
    status: int | UnsetType = UNSET  # what the agent gets
    executed: Literal["no", "yes", "unknown"] | UnsetType = UNSET
    attempts: int | UnsetType = UNSET  # sendings
    took: Seconds | UnsetType = UNSET  # all of it, to the millisecond
    served_by: str | UnsetType = UNSET
    tier: int | UnsetType = UNSET
    effect: Effect | UnsetType = UNSET
    policies: tuple[str, ...] | UnsetType = UNSET  # that match
    shadow: tuple[str, ...] | UnsetType = UNSET  # codes with which shadows would have refused
    values: dict[str, Any] | UnsetType = UNSET  # in force, by path: `retry.attempts: 3`

    def __post_init__(self) -> None:
        """Raises ValueError where nothing is expected: such a test cannot fail."""
        if all(getattr(self, name) is UNSET for name in self.__struct_fields__):
            raise ValueError("expected at least one of " + ", ".join(self.__struct_fields__))


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One test, as it is written."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    call: Asked
    expect: Expected
    state: State = State()
    upstream: Script = 200
    upstreams: dict[str, Script] = {}  # those of which something else is told, by their names


class CaseFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of tests."""

    tests: tuple[Case, ...]


class Trial(msgspec.Struct, frozen=True):
    """A test, and where each part of it stands."""

    case: Case
    place: Place
    places: dict[str, Place]  # by their paths: `expect.values.retry.attempts`


def read_trials(path: Path, environ: Environ[str, str] = os.environ) -> list[Trial]:
    """The tests of a folder's files in the order of their names, or of one file.

    Raises ConfigError with all problems; also where there are no tests at all.
    """
    shape, trials = Shape(), list[Trial]()
    for file in _files(path):
        _read(document.read(file, str(file), environ), shape, trials)
    if not trials and not shape.problems:
        raise ConfigError([Problem(Place(str(path)), "", "holds no tests")], readable=False)
    if shape.problems:
        raise ConfigError(shape.problems)
    return trials


def _files(path: Path) -> list[Path]:
    try:
        return [path] if path.is_file() else policy_files(path)
    except OSError as error:
        problem = Problem(Place(str(path)), "", f"cannot be read: {error.strerror}")
        raise ConfigError([problem], readable=False) from error


def _read(read: Document, shape: Shape, trials: list[Trial]) -> None:
    for problem in read.problems:
        shape.add(problem)
    if read.root is None:
        return
    found = shape.read(kind_of(CaseFile), read.root, "")
    if found is MISSING:
        return
    assert isinstance(read.root, Mapping)  # or it could not have been read
    nodes = read.root.items["tests"].node
    assert isinstance(nodes, Sequence)
    for case, node in zip(found.tests, nodes.items, strict=True):
        places = dict(_places(node, ""))
        trials.append(Trial(case, places["name"], places))


def _places(node: Node, path: str) -> list[tuple[str, Place]]:
    """Where each key's value stands, by the path to it."""
    found = [(path, node.place)] if path else []
    if isinstance(node, Mapping):
        for name, key in node.items.items():
            found += _places(key.node, f"{path}.{name}" if path else name)
    return found
