"""`holdfast test`: do the policies do what their owners say?"""

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from proxy.cli.page import folded, paint, say, width
from proxy.cli.problems import loading

if TYPE_CHECKING:
    from proxy.lab.trials.judge import Judged, Miss


@click.command()
@click.argument("folder", default="./policies/tests")
@click.option("--policies", metavar="DIR", help="Folder of policy files; else the settings'.")
@click.option("--json", "as_json", is_flag=True, help="For a CI that annotates.")
def test(folder: str, policies: str | None, as_json: bool) -> int:
    """Play the tests in FOLDER (./policies/tests) against the policies.

    Each says what came before a call, what its upstream answers, and what must come of it. They go
    through the real pipeline, and take no time: docs/policy-tests.md is the manual.

    \b
    Examples:
      holdfast test
      holdfast test deploy/tests --policies deploy/policies --json
    Exit codes: 0 all passed, 1 some failed or a file has errors, 2 cannot read or no tests,
    64 wrong usage.
    """
    from proxy.config.load import load_policies
    from proxy.config.settings import load_settings
    from proxy.lab.trials.judge import judge
    from proxy.lab.trials.written import read_trials
    from proxy.protocols.identity import Identity

    with loading():
        settings = load_settings(flags={"policies": policies})
        loaded = load_policies(settings.policies)
        trials = read_trials(Path(folder))
    identity = Identity(settings.agent.id, settings.agent.fleet, settings.identity)
    judged = [judge(trial, loaded, identity) for trial in trials]
    if as_json:
        print(json.dumps(_report(judged, loaded.version), indent=2))
    else:
        say(_lines(judged, loaded.version))
    return int(not all(each.ok for each in judged))


def _report(judged: "list[Judged]", version: str) -> dict[str, Any]:
    import msgspec

    failed = sum(not each.ok for each in judged)
    return {
        "ok": not failed,
        "policy_version": version,
        "passed": len(judged) - failed,
        "failed": failed,
        "tests": msgspec.to_builtins(judged),
    }


def _lines(judged: "list[Judged]", version: str) -> Iterator[str]:
    for file, group in groupby(judged, key=lambda each: each.file):
        yield paint(file, bold=True)
        for each in group:
            yield f"  {paint('✓', 'green') if each.ok else paint('✗', 'red')} {paint(each.name)}"
            for miss in each.misses:
                yield from _miss(miss)
    failed = sum(not each.ok for each in judged)
    total = f"{len(judged) - failed} passed"
    if failed:
        total += f", {paint(f'{failed} failed', 'red', bold=True)}"
    yield ""
    yield f"{total}; policy version {version}"


def _miss(miss: "Miss") -> Iterator[str]:
    yield f"      {paint(f'{miss.file}:{miss.line}', dim=True)}"
    said = miss.path.removeprefix("expect.")
    told = f"{said}: "
    if miss.expected is not None or miss.found is not None:
        told += f"expected {_shown(miss.expected)}, found {_shown(miss.found)}"
        if miss.at:
            told += f" ({miss.at}{', ' + miss.policy if miss.policy else ''})"
        told += f"; {miss.why}" if miss.why else ""
    else:
        told += miss.why
    first, *rest = folded(told, 8, width())
    yield paint(f"        {first}")
    yield from (paint(line) for line in rest)


def _shown(value: Any) -> str:
    return (
        "nothing"
        if value in ("", None)
        else str(value)
        if isinstance(value, str)
        else json.dumps(value)
    )
