"""`holdfast slo rules`: the SLOs of the policy files as rules for Prometheus."""

import re
from typing import Any

import click

from proxy import __version__
from proxy.cli.journals import Failed
from proxy.cli.problems import UNREADABLE, loading

_LABEL = re.compile("[a-zA-Z_][a-zA-Z0-9_]*")
_KEY = re.compile("[a-zA-Z0-9]([a-zA-Z0-9._/-]*[a-zA-Z0-9])?")  # of Kubernetes
_NAME = re.compile("[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_SERVICE = re.compile("[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_HEAD = "# Made by `holdfast slo rules` from policy files. Change those, and make it again.\n"
_COMPONENT = {
    "app.kubernetes.io/component": "SLO",
    "app.kubernetes.io/managed-by": "holdfast",
}


@click.command()
@click.argument("folder", default="./policies")
@click.option("--service", default="holdfast", show_default=True, help="The label sloth_service.")
@click.option(
    "--select",
    "selects",
    multiple=True,
    metavar="LABEL=VALUE",
    help="Count only series with this label, such as job=holdfast. May be repeated.",
)
@click.option("--crd", is_flag=True, help="A PrometheusRule, for the Prometheus Operator.")
@click.option("--name", default="holdfast-slos", show_default=True, help="Its name.")
@click.option("--namespace", metavar="NAME", help="Its namespace; else that which kubectl uses.")
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="LABEL=VALUE",
    help="A label of it, by which its Prometheus selects it. May be repeated.",
)
def rules(
    folder: str,
    service: str,
    selects: tuple[str, ...],
    crd: bool,
    name: str,
    namespace: str | None,
    labels: tuple[str, ...],
) -> int:
    """Print rules for Prometheus, made of the SLOs in the policy files of FOLDER (./policies).

    They record the error ratio of each window and what is left of each budget, and alert where the
    process does. Names and labels are sloth's. The same files always make the same text.

    \b
    Examples:
      holdfast slo rules > slos.rules.yaml && promtool check rules slos.rules.yaml
      holdfast slo rules deploy/policies --service checkout --select job=holdfast
      holdfast slo rules --crd --label release=prometheus | kubectl apply -f -
    Exit codes: 0 printed, 1 the files have errors, 2 cannot read or no SLO in them, 64 wrong usage.
    """
    from proxy.cli.yaml_text import text_of
    from proxy.config.load import load_policies
    from proxy.observe.slo.rules import Origin, groups

    origin = Origin(
        _fitting("--service", service, _SERVICE),
        __version__,
        _pairs("--select", selects, _LABEL),
    )
    metadata = _metadata(name, namespace, labels)
    with loading():
        loaded = load_policies(folder)
    if not loaded.slos:
        raise Failed(f"{folder} has no slos; there is nothing to make rules of", UNREADABLE)
    made = {"groups": groups(loaded.slos, origin)}
    print(_HEAD + text_of(_resource(metadata, made) if crd else made), end="")
    return 0


def _resource(metadata: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": metadata,
        "spec": spec,
    }


def _metadata(name: str, namespace: str | None, labels: tuple[str, ...]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": _fitting("--name", name, _NAME)}
    if namespace is not None:
        metadata["namespace"] = _fitting("--namespace", namespace, _NAME)
    metadata["labels"] = {**_COMPONENT, **_pairs("--label", labels, _KEY)}
    return metadata


def _pairs(option: str, written: tuple[str, ...], names: re.Pattern[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in written:
        name, equals, value = each.partition("=")
        if not equals or not names.fullmatch(name):
            raise click.UsageError(f"{option}: expected LABEL=VALUE, found {each!r}")
        found[name] = value
    return found


def _fitting(option: str, text: str, allowed: re.Pattern[str]) -> str:
    if not allowed.fullmatch(text):
        kind = "lower-case letters" if allowed is _NAME else "letters"
        message = f"{option}: expected {kind}, digits, '.' and '-', found {text!r}"
        raise click.UsageError(message)
    return text
