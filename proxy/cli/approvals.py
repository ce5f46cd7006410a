"""`holdfast approvals`: what waits for people, the exact call, and what you say to it."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import click

from proxy.cli.page import cut, folded, paint, say, table, width
from proxy.cli.reaching import PATIENCE, control_of, to_change

_COLOURS = {"pending": "yellow", "approved": "green", "denied": "red", "review": "cyan"}
_SHORTEST = 4
_LONGEST = 4_000
"""Characters of a body on the screen; --json has all."""


@click.group(invoke_without_command=True)
@to_change
@click.pass_context
def approvals(
    context: click.Context, admin: str | None, data_dir: str | None, as_json: bool
) -> int:
    """Show what waits for people, and decide about it. Alone it is the same as list.

    \b
    Examples:
      holdfast approvals
      holdfast approvals show 4f1c
      holdfast approvals approve 4f1c --reason "invoice 17 is right"
    An ID may be shortened to its first four characters or more.
    """
    name = context.invoked_subcommand
    if name is None:
        return int(context.invoke(listed, admin=admin, data_dir=data_dir, as_json=as_json))
    if admin or data_dir or as_json:  # else another proxy's call would be decided about
        raise click.UsageError(f"options stand behind the command: holdfast approvals {name} …")
    return 0


@approvals.command("list")
@to_change
def listed(admin: str | None, data_dir: str | None, as_json: bool) -> int:
    """List what waits for people, or was decided and is not over; the oldest first.

    \b
    Examples:
      holdfast approvals list
      holdfast approvals list --json | jq -r '.items[].id'
    Exit codes: 0 shown, 1 no proxy answers, 2 cannot read the settings, 64 wrong usage.
    """
    where = control_of(admin, data_dir)
    items = [item for item in _every(where) if item["state"] != "review"]
    return _show(items, as_json, "nothing waits for people")


@approvals.command()
@to_change
def review(admin: str | None, data_dir: str | None, as_json: bool) -> int:
    """List calls of medium risk that passed, to be looked at within 24 hours.

    Say `approve ID` where one is fine, and `deny ID --reason …` where it is not: either is
    recorded, and takes it off the list. The call has run.

    \b
    Examples:
      holdfast approvals review
      holdfast approvals approve 9be2
    Exit codes: 0 shown, 1 no proxy answers, 2 cannot read the settings, 64 wrong usage.
    """
    where = control_of(admin, data_dir)
    items = [item for item in _every(where) if item["state"] == "review"]
    return _show(items, as_json, "no call is listed for review")


@approvals.command()
@click.argument("name", metavar="ID")
@to_change
def show(name: str, admin: str | None, data_dir: str | None, as_json: bool) -> int:
    """Show one request: the exact call, to the byte, without its credentials.

    \b
    Examples:
      holdfast approvals show 4f1c
      holdfast approvals show 4f1c --json | jq -r .request.body
    Exit codes: 0 shown, 1 there is none, 2 cannot read the settings, 64 wrong usage.
    """
    from proxy.cli.asking import ask, understood

    where = control_of(admin, data_dir)
    path = f"/v1/approvals/{quote(_full(where, name), safe='')}"
    told = ask(where, path)
    if as_json:
        print(json.dumps(told, indent=2))
        return 0
    with understood(where):
        lines = list(_one(told))
    say(lines)
    return 0


@approvals.command()
@click.argument("name", metavar="ID")
@click.option("--reason", metavar="TEXT", default="", help="Is recorded.")
@click.option(
    "--break-glass", is_flag=True, help="Stand for all who would have to agree. Needs a reason."
)
@to_change
def approve(
    name: str,
    reason: str,
    break_glass: bool,
    admin: str | None,
    data_dir: str | None,
    as_json: bool,
) -> int:
    """Say yes. The call is sent once: now, if its agent waits, else when it asks again.

    \b
    Examples:
      holdfast approvals approve 4f1c
      holdfast approvals approve 4f1c --break-glass --reason "nobody else is awake"
    Exit codes: 0 approved, 1 refused, 2 cannot read the settings, 64 wrong usage.
    """
    said = {"decision": "approve", "reason": reason, "break_glass": break_glass}
    return _decide(control_of(admin, data_dir), name, said, as_json)


@approvals.command()
@click.argument("name", metavar="ID")
@click.option("--reason", metavar="TEXT", required=True, help="Told to the agent, and recorded.")
@to_change
def deny(
    name: str,
    reason: str,
    admin: str | None,
    data_dir: str | None,
    as_json: bool,
) -> int:
    """Say no. That is final, whoever agreed before.

    \b
    Examples:
      holdfast approvals deny 4f1c --reason "the amount is wrong"
    Exit codes: 0 denied, 1 refused, 2 cannot read the settings, 64 wrong usage.
    """
    said = {"decision": "deny", "reason": reason}
    return _decide(control_of(admin, data_dir), name, said, as_json)


def _every(where: str) -> list[dict[str, Any]]:
    """Says as well why some may be missing."""
    from proxy.cli.asking import pages

    items: list[dict[str, Any]] = []
    unseen: str | None = None
    for page in pages(where, "/v1/approvals"):
        items += page["items"]
        unseen = page.get("unseen")
    if unseen:
        click.echo(click.unstyle(f"holdfast: {paint(unseen)}"), err=True)
    return items


def _full(where: str, name: str) -> str:
    """The id that begins like this. Raises ClickException where that is not one."""
    if len(name) < _SHORTEST:  # a script whose variable is empty must not decide about anything
        raise click.UsageError(f"ID: expected at least its first {_SHORTEST} characters")
    found = [item["id"] for item in _every(where) if item["id"].startswith(name)]
    if len(found) > 1 and name not in found:
        raise click.ClickException(f"{len(found)} requests begin with {name}: write more of it")
    return name if name in found or not found else found[0]


def _decide(where: str, name: str, said: dict[str, Any], as_json: bool) -> int:
    from proxy.cli.asking import tell

    path = f"/v1/approvals/{quote(_full(where, name), safe='')}/decision"
    told = tell(where, path, said, PATIENCE)
    if as_json:
        print(json.dumps(told, indent=2))
        return 0
    agreed = sum(each["decision"] == "approve" for each in told["decided"])
    more = ""
    if told["state"] == "pending":
        more = f": {agreed} of {told['needs']} agreed, another person must"
    what = f"{paint(told['upstream'])}/{paint(told['tool'])} of {paint(told['agent'])}"
    say([f"{_state(told['state'])} {paint(told['id'][:8], bold=True)} {what}{more}"])
    return 0


def _show(items: list[dict[str, Any]], as_json: bool, nothing: str) -> int:
    if as_json:
        print(json.dumps({"items": items, "next": None}, indent=2))
        return 0
    fleet = any(item.get("pod") for item in items)
    rows = [
        [
            paint(item["id"][:8], bold=True),
            _state(item["state"]),
            paint(cut(item["agent"], 20)),
            paint(cut(f"{item['upstream']}/{item['tool']}", 34)),
            paint(_agreed(item)),
            paint(_span(item["expires_in"])),
            *([paint(cut(_pod(item), 24))] if fleet else []),
            paint(cut(item["detail"] or item["policy"], 28), dim=True),
        ]
        for item in items
    ]
    pod = ("POD",) if fleet else ()
    head = ("ID", "STATE", "AGENT", "TOOL", "AGREED", "LEFT", *pod, "WHY")
    say(table(head, rows, "llllrr" + "l" * (len(pod) + 1)) if rows else [nothing])
    return 0


def _pod(item: dict[str, Any]) -> str:
    """Where it waits, if that is another pod: its machine, and the beginning of its id."""
    return f"{item['host']} ({item['pod'][:4]})" if item.get("pod") else ""


def _agreed(item: dict[str, Any]) -> str:
    agreed = sum(each["decision"] == "approve" for each in item["decided"])
    return f"{agreed}/{item['needs']}" if item["needs"] else "–"


def _one(told: dict[str, Any]) -> Iterator[str]:
    columns = width()
    facts = {
        "state": told["state"],
        "agent": told["agent"],
        "tool": f"{told['upstream']}/{told['tool']}",
        "workflow": told["workflow"],
        "policy": told["policy"],
        "why": told["detail"] or told["why"],
        "needs": f"{told['needs']}{_of(told['groups'])}",
        "asked": told["asked"],
        "pod": _pod(told),
        "left": _span(told["expires_in"]),
    }
    yield f"{paint('approval', bold=True)} {paint(told['id'])}"
    for name, value in facts.items():
        if value:
            yield f"  {paint(name.ljust(9), dim=True)} {paint(value)}"
    for each in told["decided"]:
        glass = " (broken glass)" if each["break_glass"] else ""
        reason = f": {each['reason']}" if each["reason"] else ""
        yield from folded(f"  {each['by']} said {each['decision']}{glass}{reason}", 4, columns)
    yield ""
    yield from _call(told["request"])


def _call(request: dict[str, Any] | None) -> Iterator[str]:
    if request is None:
        yield "The call cannot be shown: it is over, or this needs an approver's token."
        return
    yield f"{paint(request['method'], bold=True)} {paint(request['path'])}"
    for name, value in request["headers"]:
        yield f"{paint(name, dim=True)}: {paint(value)}"
    yield ""
    body: str = request["body"]
    for line in body[:_LONGEST].split("\n"):  # indented: no line of an agent's looks like ours
        yield f"  {paint(line)}".rstrip()
    if len(body) > _LONGEST:
        yield paint(
            f"… and {len(body) - _LONGEST:,} characters more: --json has them all", dim=True
        )
    if request["decoded"]:
        yield paint(f"(without its coding, {request['decoded']})", dim=True)
    if request["base64"]:
        yield paint("(the body is no text: this is its Base64)", dim=True)


def _of(groups: list[str]) -> str:
    return f" of {' or '.join(groups)}" if groups else ""


def _state(state: str) -> str:
    return paint(state, _COLOURS.get(state, ""))


def _span(seconds: float | None) -> str:
    """None: as long as it runs."""
    if seconds is None:
        return "–"
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"
