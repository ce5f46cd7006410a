"""`holdfast alerts`: what fires, that you see to it, and whether you would be told."""

import json
from typing import Any
from urllib.parse import quote

import click

from proxy.cli.page import cut, paint, say, table
from proxy.cli.reaching import PATIENCE, control_of, to_change

_COLOURS = {"firing": "red", "pending": "yellow", "resolved": "green", "page": "red"}
_SHORTEST = 4


@click.group(invoke_without_command=True)
@to_change
@click.pass_context
def alerts(context: click.Context, admin: str | None, data_dir: str | None, as_json: bool) -> int:
    """Show what people are called for, and say that you see to it. Alone it is the same as list.

    \b
    Examples:
      holdfast alerts
      holdfast alerts ack 4f1c --reason "rolling back"
      holdfast alerts test --severity page
    An ID may be shortened to its first four characters or more.
    """
    name = context.invoked_subcommand
    if name is None:
        return int(context.invoke(listed, admin=admin, data_dir=data_dir, as_json=as_json))
    if admin or data_dir or as_json:  # else another proxy's alert would be acknowledged
        raise click.UsageError(f"options stand behind the command: holdfast alerts {name} …")
    return 0


@alerts.command("list")
@to_change
@click.option("--all", "every", is_flag=True, help="Also what is over, and what is pending.")
def listed(admin: str | None, data_dir: str | None, as_json: bool, every: bool = False) -> int:
    """List what fires at this pod, the oldest first.

    \b
    Examples:
      holdfast alerts list --all
      holdfast alerts list --json | jq -r '.items[].id'
    Exit codes: 0 shown, 1 no proxy answers, 2 cannot read the settings, 64 wrong usage.
    """
    items = _items(control_of(admin, data_dir), "" if every else "firing")
    if as_json:
        print(json.dumps({"items": items, "next": None}, indent=2))
        return 0
    rows = [
        [
            paint(item["id"][:8], bold=True),
            paint(item["state"], _COLOURS.get(item["state"], "")),
            paint(item["severity"], _COLOURS.get(item["severity"], "")),
            paint(cut(item["name"], 24)),
            paint((item["starts"] or "–")[:19]),
            paint(cut(_seen(item), 20)),
            paint(cut(item["summary"], 60), dim=True),
        ]
        for item in items
    ]
    head = ("ID", "STATE", "SEVERITY", "ALERT", "SINCE (UTC)", "SEEN TO", "WHY")
    say(table(head, rows, "lllllll") if rows else ["nothing fires"])
    return 0


@alerts.command()
@click.argument("name", metavar="ID")
@click.option("--reason", metavar="TEXT", default="", help="Is recorded.")
@to_change
def ack(name: str, reason: str, admin: str | None, data_dir: str | None, as_json: bool) -> int:
    """Say that you see to it: its ladder is climbed no further. What was done of it stays.

    \b
    Examples:
      holdfast alerts ack 4f1c --reason "the provider is down, case 12"
    Exit codes: 0 recorded, 1 refused or not durable, 2 cannot read the settings, 64 wrong usage.
    """
    from proxy.cli.asking import tell

    where = control_of(admin, data_dir)
    path = f"/v1/alerts/{quote(_full(where, name), safe='')}/ack"
    told = tell(where, path, {"reason": reason}, PATIENCE)
    if as_json:
        print(json.dumps(told, indent=2))
    else:
        by = paint(told["acknowledged_by"])
        say([f"{paint(told['id'][:8], bold=True)} {paint(told['name'])}: {by} sees to it"])
    _warn(told)
    return 0 if told["durable"] else 1


@alerts.command()
@click.option(
    "--severity",
    type=click.Choice(["page", "ticket", "info"]),
    default="info",
    show_default=True,
    help="Of the alert, as routes tell them apart.",
)
@to_change
def test(severity: str, admin: str | None, data_dir: str | None, as_json: bool) -> int:
    """Have an alert fire for a minute, to see who is told. No ladder is climbed for it.

    \b
    Examples:
      holdfast alerts test --severity page
    Exit codes: 0 it fires, 1 refused or nobody is told, 2 cannot read the settings, 64 wrong usage.
    """
    from proxy.cli.asking import tell

    told = tell(control_of(admin, data_dir), "/v1/alerts/test", {"severity": severity}, PATIENCE)
    if as_json:
        print(json.dumps(told, indent=2))
    elif told["to"]:
        say([f"a {severity} fires for a minute; told: {paint(', '.join(told['to']))}"])
    _warn(told)
    return 0 if told["to"] else 1


def _items(where: str, state: str) -> list[dict[str, Any]]:
    from proxy.cli.asking import every

    return every(where, "/v1/alerts", {"state": state} if state else None)


def _full(where: str, name: str) -> str:
    """The id that begins like this. Raises ClickException where that is not one."""
    if len(name) < _SHORTEST:  # a script whose variable is empty must not acknowledge anything
        raise click.UsageError(f"ID: expected at least its first {_SHORTEST} characters")
    found = [item["id"] for item in _items(where, "firing") if item["id"].startswith(name)]
    if len(found) > 1 and name not in found:
        raise click.ClickException(f"{len(found)} alerts begin with {name}: write more of it")
    return name if name in found or not found else found[0]


def _seen(item: dict[str, Any]) -> str:
    if item["acknowledged_by"]:
        return str(item["acknowledged_by"])
    if item["inhibited"]:
        return "(under a page)"
    return f"(step {item['steps']})" if item["steps"] else "–"


def _warn(told: dict[str, Any]) -> None:
    for warning in told["warnings"]:
        click.echo(click.unstyle(f"holdfast: {paint(warning)}"), err=True)
