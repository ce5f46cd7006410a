"""`holdfast explain`: what is in force for a call, where it was written, and what comes of it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from proxy.cli.page import say
from proxy.cli.problems import loading
from proxy.cli.showing import with_token

if TYPE_CHECKING:
    from proxy.pipeline.asked import Asked


@click.command()
@click.option("--upstream", metavar="NAME", help="May be left out where there is only one.")
@click.option("--tool", metavar="NAME", help="Of plain HTTP: method and path, 'GET /orders/7'.")
@click.option("--agent", metavar="ID", help="Who calls; else the agent of the settings.")
@click.option("--workflow", metavar="ID")
@click.option("--model", metavar="NAME")
@click.option("--stream", is_flag=True, default=None, help="Its agent asks for a stream.")
@click.option("--method", help="In capitals; else POST, or GET for plain HTTP without input.")
@click.option("--path", metavar="PATH", help="Below the upstream's mount; else /.")
@click.option("--input", "given", metavar="JSON|@FILE", help="The tool's arguments.")
@click.option("--call", "whole", metavar="JSON|@FILE", help="All of the above, and headers.")
@click.option("--policies", metavar="DIR", help="Folder of policy files; else the settings'.")
@click.option("--admin", metavar="URL", help="Ask a running proxy, with its state as it is now.")
@with_token
@click.option("--json", "as_json", is_flag=True)
def explain(
    given: str | None,
    whole: str | None,
    policies: str | None,
    admin: str | None,
    as_json: bool,
    **flags: str | bool | None,
) -> int:
    """Show every value in force for a call, with the file and line that it comes from, and what
    each stage would say to the call now.

    Without --admin nothing has happened yet: circuits are closed, budgets full.

    \b
    Examples:
      holdfast explain --upstream gateway --tool get_balance
      holdfast explain --upstream openai --tool gpt-4o --stream
      holdfast explain --tool deposit --input '{"amount": "5.00"}' --admin 127.0.0.1:8701
      holdfast explain --method GET --path /orders/7 --policies deploy/policies --json
      holdfast explain --call @call.json
    Exit codes: 0 shown, 1 the files have errors or no proxy answers, 2 cannot read, 64 wrong usage.
    """
    from proxy.cli.explained import lines

    if admin is not None and policies is not None:
        raise click.UsageError("--policies and --admin exclude each other: a proxy has its own")
    asked = _asked(whole, given, flags)
    report = _here(asked, policies) if admin is None else _there(asked, admin)
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        say(lines(report))
    return 0


def _here(asked: "Asked", policies: str | None) -> dict[str, Any]:
    """Of the files, before anything has happened."""
    import msgspec

    from proxy.clock import Clock
    from proxy.config.load import load_policies
    from proxy.config.settings import load_settings
    from proxy.pipeline.asked import Unaskable
    from proxy.pipeline.explain import explain as explained
    from proxy.pipeline.explain import fresh
    from proxy.protocols.identity import Identity

    with loading():
        settings = load_settings(flags={"policies": policies})
        loaded = load_policies(settings.policies)
    if not loaded.upstreams:
        raise click.UsageError("there is no upstream; name a folder of policies with --policies")
    identity = Identity(settings.agent.id, settings.agent.fleet, settings.identity)
    try:
        told = explained(fresh(loaded, Clock()), asked, identity)
    except Unaskable as error:
        raise click.UsageError(f"--{str(error).replace(': ', ' ', 1)}") from error
    report: dict[str, Any] = msgspec.to_builtins(told)
    return report


def _there(asked: "Asked", admin: str) -> dict[str, Any]:
    """Of a running proxy."""
    from proxy.cli.asking import ask
    from proxy.pipeline.asked import to_query

    report: dict[str, Any] = ask(admin, "/v1/policies/explain", to_query(asked))
    return report


def _asked(whole: str | None, given: str | None, flags: dict[str, str | bool | None]) -> "Asked":
    import msgspec

    from proxy.pipeline.asked import Asked

    said: dict[str, Any] = {}
    if whole is not None:
        try:
            said = msgspec.to_builtins(msgspec.json.decode(_text("--call", whole), type=Asked))
        except msgspec.DecodeError as error:
            raise click.UsageError(f"--call is not such a call: {error}") from error
        except RecursionError:
            raise click.UsageError("--call is nested too deep") from None
    said |= {name: value for name, value in flags.items() if value is not None}
    if given is not None:
        try:
            said["input"] = msgspec.Raw(_text("--input", given))
            msgspec.json.decode(said["input"])
        except msgspec.DecodeError as error:
            raise click.UsageError(f"--input is not JSON: {error}") from error
        except RecursionError:
            raise click.UsageError("--input is nested too deep") from None
    return Asked(**said)


def _text(flag: str, given: str) -> bytes:
    """What was given, or the content of the file that it names."""
    if not given.startswith("@"):
        return given.encode(errors="surrogateescape")
    try:
        return Path(given[1:]).read_bytes()
    except OSError as error:
        raise click.UsageError(f"{flag}: {given[1:]} cannot be read: {error.strerror}") from error
