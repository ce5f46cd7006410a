"""`holdfast explain`: what is in force for a call, and where it was written."""

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from proxy.cli.problems import loading

if TYPE_CHECKING:
    from proxy.call import Call
    from proxy.config.cascade import Effective, Merged
    from proxy.config.types import Loaded, Upstream

DEFAULT = "built in"
_SHADOW = "shadow: computed, never acted upon"
_SHADOWS = {"retry": "shadow: nothing is computed of it but its cool-down"}


@click.command()
@click.option("--upstream", metavar="NAME", help="May be left out where there is only one.")
@click.option("--tool", default="", metavar="NAME", help="A tool; for plain HTTP --method, --path.")
@click.option("--agent", metavar="ID", help="Who calls; else the agent of the settings.")
@click.option("--workflow", default="", metavar="ID")
@click.option("--model", default="", metavar="NAME")
@click.option("--method", default="POST", show_default=True)
@click.option("--path", default="/", metavar="PATH", show_default=True)
@click.option("--policies", metavar="DIR", help="Folder of policy files; else the settings'.")
@click.option("--json", "as_json", is_flag=True)
def explain(
    upstream: str | None,
    agent: str | None,
    policies: str | None,
    as_json: bool,
    **asked: str,
) -> int:
    """Show every value in force for a call, with the file and line that it comes from.

    \b
    Examples:
      holdfast explain --upstream gateway --tool get_balance
      holdfast explain --method GET --path /orders/7 --policies deploy/policies --json
    Exit codes: 0 shown, 1 the files have errors, 2 cannot read, 64 wrong usage.
    """
    from proxy.config.cascade import cascade
    from proxy.config.load import load_policies
    from proxy.config.places import visible
    from proxy.config.settings import load_settings
    from proxy.pipeline.table import facts

    with loading():
        settings = load_settings(flags={"policies": policies, "agent.id": agent})
        loaded = load_policies(settings.policies)
    _check_request(asked["method"], asked["path"])
    name = _named(upstream, loaded.upstreams)
    call = _call(name, loaded.upstreams[name], asked)
    call.agent, call.fleet = settings.agent.id, settings.agent.fleet
    known = facts(call)
    report = _report(known, call, loaded, cascade(loaded.policies, known))
    print(json.dumps(report, indent=2) if as_json else "\n".join(map(visible, _lines(report))))
    return 0


def _named(upstream: str | None, known: "dict[str, Upstream]") -> str:
    if upstream is None and len(known) == 1:
        return next(iter(known))
    if not known:
        raise click.UsageError("there is no upstream; name a folder of policies with --policies")
    if upstream not in known:
        names = ", ".join(known)
        raise click.UsageError(f"--upstream must be one of the policies' upstreams: {names}")
    return upstream


def _check_request(method: str, path: str) -> None:
    if not re.fullmatch("[A-Z-]+", method):
        raise click.UsageError("--method must be written in capitals, such as GET")
    if not path.startswith("/"):
        raise click.UsageError("--path must begin with /")


def _call(name: str, upstream: "Upstream", asked: dict[str, str]) -> "Call":
    """A call as the protocols would recognise it, without a body."""
    from proxy.call import Call, RequestHead
    from proxy.config.match import path_as_sent
    from proxy.protocols.protocol import Rules
    from proxy.protocols.recognise import HTTP

    target = path_as_sent(asked["path"]).encode()
    head = RequestHead(asked["method"], target, 1, [], {})
    call = Call("", head, None, 0.0, upstream=name, target=target)  # type: ignore[arg-type]  # none is read
    HTTP.recognise(call, None, Rules(True, 0))
    if asked["tool"] and upstream.protocol != "http":
        call.protocol, call.layer, call.effect = "tools", "tool", type(call.effect).WRITE
    if asked["tool"]:
        call.tool = asked["tool"]
    call.workflow, call.model = asked["workflow"], asked["model"]
    return call


def _report(
    facts: dict[str, str], call: "Call", loaded: "Loaded", effective: "Effective"
) -> dict[str, Any]:
    place = effective.effect_place
    return {
        "call": {key: value for key, value in facts.items() if value},
        "policy_version": loaded.version,
        "policies": list(effective.policies),
        "effect": {
            "value": str(effective.effect or call.effect),
            "from": DEFAULT if place is None else place.short,
        },
        "sections": _sections(effective.sections),
        "shadow": _sections(effective.shadow),
        "gates": list(_gates(effective.sections)),
        "warnings": [str(problem) for problem in loaded.warnings],
    }


def _sections(sections: "dict[str, Merged]") -> dict[str, Any]:
    from proxy.config.cascade import convert
    from proxy.config.schema import spelled
    from proxy.stages import SECTIONS

    told: dict[str, Any] = {}
    for name in SECTIONS:
        if (merged := sections.get(name)) is None:
            continue
        whole = convert(SECTIONS[name], merged.fields)
        names = zip(whole.__struct_fields__, whole.__struct_encode_fields__, strict=True)
        told[name] = {
            written: {
                "value": spelled(getattr(whole, field)),
                "from": merged.places[field].short if field in merged.places else DEFAULT,
                "policy": merged.policies.get(field),
            }
            for field, written in names
        }
    return told


def _gates(sections: "dict[str, Merged]") -> Iterator[str]:
    """The stages that the call passes, in their order."""
    from proxy.stages import ORDER

    for entry in ORDER:
        if any(name in sections for name in entry.sections):
            yield f"{entry.phase}: {entry.build.__qualname__.partition('.')[0]}"


def _lines(report: dict[str, Any]) -> Iterator[str]:
    from proxy.stages import SECTIONS

    yield "call      " + "  ".join(f"{key}={value}" for key, value in report["call"].items())
    policies = ", ".join(report["policies"]) or "none"
    yield f"policies  {policies}  (version {report['policy_version']})"
    yield f"effect    {report['effect']['value']}  ({report['effect']['from']})"
    for name in SECTIONS:
        yield from _section(name, report["sections"].get(name))
    for name, section in report["shadow"].items():
        yield from _section(f"{name} ({_SHADOWS.get(name, _SHADOW)})", section)
    yield "order     " + " → ".join((*report["gates"], "send"))
    yield from (f"warning   {warning}" for warning in report["warnings"])


def _section(name: str, fields: dict[str, Any] | None) -> Iterator[str]:
    if fields is None:
        yield f"{name}: off"
        return
    yield f"{name}:"
    rows = [(field, _shown(told["value"]), _origin(told)) for field, told in fields.items()]
    yield from _columns(rows)


def _columns(rows: list[tuple[str, str, str]]) -> Iterator[str]:
    first, second = (min(44, max(len(row[i]) for row in rows)) for i in (0, 1))
    for field, value, origin in rows:
        yield f"  {field:<{first}}  {value:<{second}}  {origin}"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_shown(held)}" for name, held in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return "–" if value is None else str(value)


def _origin(told: dict[str, Any]) -> str:
    return f"{told['from']} ({told['policy']})" if told["policy"] else DEFAULT
