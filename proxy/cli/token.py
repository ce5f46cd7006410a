"""`holdfast token`: makes tokens for people, and what the tokens file holds of agents' credentials.

Nothing here talks to a proxy: it sees that the file has changed.
"""

import hashlib
import json
import os
import secrets
import stat
import sys
import tempfile
from pathlib import Path

import click

from proxy.cli.page import paint, say
from proxy.cli.problems import loading

_ROLES = ("viewer", "approver", "operator")
_BYTES = 32
_FILE = "The tokens file; else the settings'."


@click.group()
def token() -> None:
    """Make and list the tokens of the admin side.

    \b
    Examples:
      holdfast token new alice --role viewer --role approver --write
      holdfast token list
      holdfast token hash < credential
    """


@token.command()
@click.argument("name")
@click.option("--role", "roles", type=click.Choice(_ROLES), multiple=True, required=True)
@click.option("--group", "groups", metavar="NAME", multiple=True, help="Of which it approves.")
@click.option("--write", is_flag=True, help="Add it to the tokens file.")
@click.option("--file", "file", metavar="FILE", help=_FILE)
@click.option("--json", "as_json", is_flag=True)
def new(
    name: str,
    roles: tuple[str, ...],
    groups: tuple[str, ...],
    write: bool,
    file: str | None,
    as_json: bool,
) -> int:
    """Print a new token, once: nobody can tell it again. The file holds its SHA-256 alone.

    Every role may read; an approver decides on approvals, an operator changes the rest.

    \b
    Examples:
      holdfast token new alice --role approver --group finance --write
      holdfast token new ci --role viewer              prints what to add to the file
    Exit codes: 0 made, 1 the file has errors or cannot be written, 64 wrong usage.
    """
    made = secrets.token_urlsafe(_BYTES)
    entry = _entry(name, roles, groups, _digest(made.encode()))
    where = _place(file)
    if write:
        _append(where, entry)
    if as_json:
        print(json.dumps({"token": made, "file": str(where), "written": write, "entry": entry}))
        return 0
    print(made)
    told = f"it is in {where}" if write else f"add to tokens in {where}:\n  {entry}"
    print(told, file=sys.stderr)
    return 0


@token.command("list")
@click.option("--file", "file", metavar="FILE", help=_FILE)
@click.option("--json", "as_json", is_flag=True)
def listed(file: str | None, as_json: bool) -> int:
    """Show who has a token, and which agents are known. Says all that is wrong with the file.

    \b
    Example:
      holdfast token list --json
    Exit codes: 0 shown, 1 the file has errors, 2 cannot read it, 64 wrong usage.
    """
    from proxy.config.tokens import load_tokens

    with loading():
        found = load_tokens(str(_place(file)))
    agents = sorted(set(found.agents.values()))
    for warning in found.warnings:
        print(f"holdfast: {warning}", file=sys.stderr)
    if as_json:
        people = [
            {"name": each.name, "roles": [*each.roles], "groups": [*each.groups]}
            for each in found.tokens
        ]
        print(json.dumps({"tokens": people, "agents": agents}, indent=2))
        return 0
    for each in found.tokens:
        groups = f"  groups {', '.join(each.groups)}" if each.groups else ""
        say([f"{paint(each.name)}  {', '.join(each.roles)}{paint(groups)}"])
    say([f"agents: {paint(', '.join(agents)) or 'none'}"])
    return 0


@token.command("hash")
@click.option("--json", "as_json", is_flag=True)
def hashed(as_json: bool) -> int:
    """Print the SHA-256 of what is on standard input, as the tokens file has it.

    For credentials that agents have already. It is not taken as an argument: those are seen by
    others, and kept by shells. A line break at the end is no part of it.

    \b
    Example:
      holdfast token hash < credential
    Exit codes: 0 printed, 64 wrong usage.
    """
    given = sys.stdin.buffer.read().rstrip(b"\r\n")
    if not given:
        raise click.UsageError("there is nothing on standard input")
    print(json.dumps({"sha256": _digest(given)}) if as_json else _digest(given))
    return 0


def _place(file: str | None) -> Path:
    if file is not None:
        return Path(file)
    from proxy.config.settings import load_settings

    with loading():
        return Path(load_settings().tokens)


def _digest(secret: bytes) -> str:
    return hashlib.sha256(secret).hexdigest()


def _entry(name: str, roles: tuple[str, ...], groups: tuple[str, ...], digest: str) -> str:
    """As YAML, in one line; JSON is YAML."""
    held = {"name": name, "roles": list(dict.fromkeys(roles)), "sha256": digest}
    more = {"groups": list(groups)} if groups else {}
    return "- " + json.dumps(held | more)


def _append(path: Path, entry: str) -> None:
    """Into a copy that is judged, and then takes the file's place: nobody ever reads half of it."""
    from proxy.config.tokens import load_tokens

    before = path.read_text("utf-8") if path.exists() else ""
    with loading():
        known = load_tokens(str(path)) if before else None
    text = _with(before, entry, any_yet=known is not None and bool(known.tokens))
    made, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # it is 0600
    try:
        with os.fdopen(made, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with loading():
            _ = load_tokens(name)
        os.chmod(name, stat.S_IRUSR | stat.S_IWUSR)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _with(before: str, entry: str, *, any_yet: bool) -> str:
    """The text with one more token: people's comments and order stay."""
    lines = before.splitlines()
    begins = next((n for n, line in enumerate(lines) if line.rstrip() == "tokens:"), None)
    if begins is not None:
        lines.insert(begins + 1, _indented(lines[begins + 1 :], entry))
    elif any_yet or any(line.startswith("tokens") for line in lines):
        raise click.ClickException(
            f"tokens are not written one a line below `tokens:` there; add it by hand:\n  {entry}"
        )
    else:
        lines += ["tokens:", f"  {entry}"]
    return "\n".join(lines) + "\n"


def _indented(below: list[str], entry: str) -> str:
    """As those that stand there."""
    for line in below:
        if line.lstrip().startswith("- "):
            return line[: len(line) - len(line.lstrip())] + entry
        if line.strip() and not line.lstrip().startswith("#"):
            break
    return f"  {entry}"
