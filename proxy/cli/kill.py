"""`holdfast kill` and `holdfast revive`: stop calls at once, and let them go on."""

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from proxy.cli.page import paint, say
from proxy.cli.reaching import PATIENCE, control_of, to_change

_reason = click.option("--reason", metavar="TEXT", required=True, help="Told, and recorded.")


@click.command()
@click.argument("scope")
@click.option("--until", metavar="WHEN", help="2027-01-31T18:00:00Z, or so long: 30m.")
@click.option(
    "--in-flight",
    type=click.Choice(["end", "finish"]),
    default="end",
    show_default=True,
    help="What becomes of calls and streams that run; others are refused in any case.",
)
@_reason
@to_change
def kill(
    scope: str,
    reason: str,
    until: str | None,
    in_flight: str,
    admin: str | None,
    data_dir: str | None,
    as_json: bool,
) -> int:
    """Stop all calls of a SCOPE, now, until somebody revives it.

    SCOPE is all, fleet:NAME, agent:GLOB, tool:GLOB, workflow:ID, upstream:NAME or bulkhead:NAME.
    When the command returns, new calls are refused, those under way were ended, and it is recorded:
    it holds over a restart. Pods that share a store have been told.

    \b
    Examples:
      holdfast kill all --reason "wrong recipients, case 12"
      holdfast kill 'agent:pay-*' --reason "looping" --until 30m --in-flight finish
    Exit codes: 0 killed, 1 refused or not durable, 2 cannot read the settings, 64 wrong usage.
    """
    from proxy.cli.asking import Unanswered, tell

    asked = {"scope": _scope(scope), "reason": reason, "in_flight": in_flight}
    if until is not None:
        asked["until"] = _moment(until)
    address = control_of(admin, data_dir)
    try:
        told = tell(address, "/v1/kills", asked, PATIENCE)
    except Unanswered as error:
        if admin is None and isinstance(error.__cause__, OSError):  # in a hurry: there is another
            file = Path(address.removeprefix("unix:")).with_name("kill")
            raise Unanswered(f"{error.message}; or write {scope} into {file}") from error
        raise
    if as_json:
        print(json.dumps(told, indent=2))
    else:
        say(
            [
                f"{paint('killed', 'red', bold=True)} {paint(told['scope'])}: "
                f"{told['stopped']:,} calls under way were stopped{_on(told, 'killed')}"
            ]
        )
    _warn(told)
    return 0 if told["durable"] else 1


@click.command()
@click.argument("scope")
@_reason
@to_change
def revive(scope: str, reason: str, admin: str | None, data_dir: str | None, as_json: bool) -> int:
    """Let calls of a SCOPE go on that was killed.

    When the command returns it counts, and is recorded; pods that share a store have been told.
    What stands in the policies or in the file kill of the data dir is removed there.

    \b
    Examples:
      holdfast revive all --reason "recipients are right again"
      holdfast revive 'agent:pay-*' --reason "fixed in 1.4"
    Exit codes: 0 revived, 1 refused, 2 cannot read the settings, 64 wrong usage.
    """
    from proxy.cli.asking import delete

    path = f"/v1/kills/{quote(_scope(scope), safe='')}"
    told = delete(control_of(admin, data_dir), path, {"reason": reason}, PATIENCE)
    if as_json:
        print(json.dumps(told, indent=2))
        _warn(told)
        return 0
    left = [paint(f"still killed: {each['scope']}", "red") for each in told["still_killed"]]
    line = f"{paint('revived', 'green', bold=True)} {paint(told['scope'])}{_on(told, 'revived')}"
    say([line, *left])
    _warn(told)
    return 0


def _on(told: dict[str, Any], what: str) -> str:
    """How many pods know."""
    pods = told.get("pods")
    return "" if pods is None else f"; {what} on {pods} {'pod' if pods == 1 else 'pods'}"


def _warn(told: dict[str, Any]) -> None:
    for warning in told.get("warnings", ()):
        print(paint(f"holdfast: {warning}"), file=sys.stderr)


def _scope(text: str) -> str:
    from proxy.state.scopes import Scope

    try:
        return Scope.parse(text)
    except ValueError as error:
        raise click.UsageError(f"SCOPE: {error}") from error


def _moment(text: str) -> str:
    """A moment as RFC 3339 has it; also of how long it is until then."""
    from proxy.clock import Clock
    from proxy.units import Moment, Seconds, in_utc

    try:
        return in_utc(Moment.parse(text))
    except ValueError as error:
        try:
            return in_utc(Clock.wall() + Seconds.parse(text))
        except ValueError:
            raise click.UsageError(f"--until: {error}, or a duration such as 30m") from error
