"""`holdfast check`: are the policy files right?"""

import json
import sys
from typing import Any

import click

from proxy.cli.problems import UNREADABLE, counted
from proxy.config.places import ConfigError, Problem


@click.command()
@click.argument("folder", default="./policies")
@click.option("--json", "as_json", is_flag=True, help="For a CI that annotates.")
@click.option("--strict", is_flag=True, help="Warnings are errors.")
def check(folder: str, as_json: bool, strict: bool) -> int:
    """Read the policy files of FOLDER (./policies) and show every error, with its place.

    \b
    Examples:
      holdfast check
      holdfast check deploy/policies --strict --json
    Exit codes: 0 fine, 1 errors, 2 cannot read, 64 wrong usage.
    """
    from proxy.config.load import load_policies

    version, readable = "", True
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    try:
        loaded = load_policies(folder)
        version, warnings = loaded.version, loaded.warnings
    except ConfigError as error:
        errors, readable = error.problems, error.readable
    if strict:
        errors, warnings = (*errors, *warnings), ()
    if as_json:
        print(json.dumps(_report(version, errors, warnings), indent=2))
    else:
        _show(folder, version, errors, warnings)
    return UNREADABLE if not readable else int(bool(errors))


def _show(
    folder: str, version: str, errors: tuple[Problem, ...], warnings: tuple[Problem, ...]
) -> None:
    for problem in errors:
        print(problem, file=sys.stderr)
    for problem in warnings:
        print(f"{problem} (warning)", file=sys.stderr)
    if errors:
        print(f"holdfast: {counted(len(errors))} in {folder}", file=sys.stderr)
    else:
        print(f"{folder}: fine, policy version {version}")


def _report(
    version: str, errors: tuple[Problem, ...], warnings: tuple[Problem, ...]
) -> dict[str, Any]:
    return {
        "ok": not errors,
        "policy_version": version or None,
        "errors": [_entry(problem) for problem in errors],
        "warnings": [_entry(problem) for problem in warnings],
    }


def _entry(problem: Problem) -> dict[str, Any]:
    place = problem.place
    return {
        "file": place.file,
        "line": place.line or None,
        "column": place.column or None,
        "path": problem.path,
        "message": problem.message,
    }
