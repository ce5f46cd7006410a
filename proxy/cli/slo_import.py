"""`holdfast slo import`: SLOs of other tools as ours."""

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from proxy.cli.journals import Failed
from proxy.cli.problems import UNREADABLE
from proxy.config.places import ConfigError, visible

if TYPE_CHECKING:
    from proxy.cli.slo_taken import Lost, Taken

_LARGEST = 1 << 20
_KEYS = ("upstream", "protocol", "layer", "tool", "agent", "fleet", "workflow", "model", "method")


@click.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--match",
    "written",
    multiple=True,
    metavar="KEY=GLOB",
    help="For which calls they are, such as upstream=gateway; else it is left to be filled in.",
)
def imported(file: Path, written: tuple[str, ...]) -> int:
    """Print SLOs of OpenSLO (openslo/v1) or sloth (prometheus/v1) as a policy file.

    Objectives, windows and alerts are taken over. Their queries cannot be: they stand there as
    comments, and so does all that is not as it was. It is said on standard error too.

    \b
    Examples:
      holdfast slo import slos.yml > policies/60-slos.yaml
      holdfast slo import slos.yml --match 'tool=pay*' --match upstream=gateway
    Exit codes: 0 all are taken over, 1 some cannot be, 2 cannot read or no SLO in it, 64 wrong
    usage.
    """
    from proxy.cli import slo_taken

    match = _match(written)
    found = [_judged(each) for each in _apart(_found(file))]
    if not found:
        raise Failed(f"{file}: there is no SLO in it", UNREADABLE)
    if not match:
        for each in found:
            if isinstance(each, slo_taken.Taken):
                each.notes.append("say for which calls it is: match has what no call fulfils")
    print(slo_taken.written(found, file.name, match or {"tool": slo_taken.FILL_IN}), end="")
    for line in _said(found):
        print(visible(f"{file}: {line}"), file=sys.stderr)
    return int(any(isinstance(each, slo_taken.Lost) for each in found))


def _found(file: Path) -> "Iterator[Taken | Lost]":
    from proxy.cli import slo_openslo, slo_sloth
    from proxy.cli.slo_taken import Unsayable

    documents = _documents(file)
    of_openslo = [each for each in documents if each.get("apiVersion") == slo_openslo.VERSION]
    of_sloth = [
        each
        for each in documents
        if each.get("version") == slo_sloth.VERSION or each.get("apiVersion") == slo_sloth.RESOURCE
    ]
    if not of_openslo and not of_sloth:
        raise Failed(
            f"{file}: expected apiVersion: {slo_openslo.VERSION} or version: {slo_sloth.VERSION}"
            f"{_instead(documents)}",
            UNREADABLE,
        )
    yield from slo_openslo.Documents(of_openslo).taken()
    for each in of_sloth:
        try:
            yield from slo_sloth.taken(each)
        except Unsayable as why:
            raise Failed(f"{file}: {why}", UNREADABLE) from None


def _documents(file: Path) -> list[dict[str, Any]]:
    import yaml

    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise Failed(f"{file}: is larger than 1 MiB", UNREADABLE)
        read = list(yaml.safe_load_all(content))
    except OSError as error:
        raise Failed(f"{file}: cannot be read: {error.strerror}", UNREADABLE) from error
    except (yaml.YAMLError, UnicodeError, ValueError) as error:
        raise Failed(f"{file}: is no YAML: {' '.join(str(error).split())}", UNREADABLE) from error
    except RecursionError:
        raise Failed(f"{file}: is nested too deep", UNREADABLE) from None
    return [each for each in read if isinstance(each, dict)]


def _instead(documents: list[dict[str, Any]]) -> str:
    found = [each.get("apiVersion") or each.get("version") for each in documents]
    return f", found {', '.join(str(each) for each in found if each)}" if any(found) else ""


def _apart(found: "Iterator[Taken | Lost]") -> "Iterator[Taken | Lost]":
    """Names stand once in all files."""
    from proxy.cli.slo_taken import Lost

    seen: Counter[str] = Counter()
    for each in found:
        seen[each.name] += 1
        if seen[each.name] > 1:
            yield Lost(each.name, "another one of this name stands before it")
        else:
            yield each


def _judged(each: "Taken | Lost") -> "Taken | Lost":
    """What is printed is a policy file that loads, whatever theirs say."""
    from proxy.cli.slo_taken import Lost

    if isinstance(each, Lost):
        return each
    why = _wrong(each)
    if why and each.alerts is not None:
        each.notes.append(f"its alerts are left out, and the usual ones are there: {why}")
        each.alerts = None
        why = _wrong(each)
    return Lost(each.name, why) if why else each


def _wrong(each: "Taken") -> str:
    """Why it would not load; empty: it does."""
    from proxy.cli.slo_taken import written
    from proxy.config.load import load_policies

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "slos.yaml").write_text(written([each], "", {"tool": "any"}), "utf-8")
        try:
            load_policies(folder)
        except ConfigError as error:
            return "; ".join(f"{problem.path}: {problem.message}" for problem in error.problems)
    return ""


def _said(found: "list[Taken | Lost]") -> Iterator[str]:
    from proxy.cli.slo_taken import Lost

    for each in found:
        if isinstance(each, Lost):
            yield f"{each.name}: is not taken over: {each.why}"
        else:
            yield from (f"{each.name}: {note}" for note in each.notes)


def _match(written: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in written:
        key, equals, glob = each.partition("=")
        if not equals or not glob or key not in _KEYS:
            keys = ", ".join(_KEYS)
            raise click.UsageError(f"--match: expected KEY=GLOB with one of {keys}, found {each!r}")
        found[key] = glob
    return found
