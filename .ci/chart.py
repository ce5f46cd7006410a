"""Makes what follows from others in helm/: the table of values in the chart's README.md and its
values.schema.json, of values.yaml and its comments; the shipped policies that it carries.

In values.yaml a comment right above a key says what the key is for. A mapping whose keys have none
is one value, whatever is in it. What a value may be is told by its default, by SHAPES below, and
for settings and policies by their own schemas. `--check` writes nothing. Exit 0: fine, 1: stale or
not complete.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "helm" / "holdfast"
SHIPPED = ROOT / "policies" / "10-defaults.yaml"
REGION = re.compile(r"(<!-- made: values -->\n).*?(<!-- made by make docs -->)", re.DOTALL)

Shape = dict[str, Any]

TEXTS = {"additionalProperties": {"type": "string"}}
"""Labels and annotations."""
ITEMS = {"items": {"type": "object"}}
"""What Kubernetes has a shape for, and checks itself."""
QUANTITY = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$"}
AMOUNTS = {
    "type": "object",
    "additionalProperties": {**QUANTITY, "type": ["string", "number"]},
}
RESOURCES = {
    "properties": {"requests": AMOUNTS, "limits": AMOUNTS, "claims": {"type": "array"}},
    "additionalProperties": False,
}
PORT = {"minimum": 1, "maximum": 65535}
NAME = {"pattern": "^[A-Za-z0-9._-]{1,128}$"}
PULL = {"enum": ["Always", "IfNotPresent", "Never"]}
DIGEST = {"pattern": "^(sha256:[0-9a-f]{64})?$"}
REPOSITORY = {"pattern": "^([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9._/-]+$"}
TAG = {"pattern": "^([A-Za-z0-9_][A-Za-z0-9._-]{0,127})?$"}
"""A tag in the repository would stand before another."""
SECONDS = {"minimum": 0, "maximum": 86400}
DURATION = {"pattern": "^([0-9]+(ms|s|m|h))*$"}
"""As Prometheus writes it; empty: its own."""
SECRET = {"pattern": "^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?$"}
KEY = {"pattern": "^[A-Za-z0-9._-]{1,253}$"}
LABEL = {"pattern": "^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$"}
"""Of a Secret, of a file in it, and of a volume, as Kubernetes takes them; empty: none."""
CONTAINER_SECURITY: Shape = {
    "properties": {
        "runAsNonRoot": {"const": True},
        "runAsUser": {"type": ["integer", "null"], "minimum": 1},
        "runAsGroup": {"type": ["integer", "null"], "minimum": 1},
        "readOnlyRootFilesystem": {"type": "boolean"},
        "allowPrivilegeEscalation": {"const": False},
        "privileged": {"const": False},
        "capabilities": {"type": "object"},
        **{key: {"type": "object"} for key in ("seccompProfile", "seLinuxOptions")},
        "appArmorProfile": {"type": "object"},
        "procMount": {"type": "string"},
    },
    "additionalProperties": False,
}
"""Of the proxy's container. A key that is mistyped would leave it less closed than it looks."""

SHAPES: dict[str, Shape] = {
    "fullnameOverride": {"pattern": "^([a-z]([a-z0-9-]{0,44}[a-z0-9])?)?$"},
    "image.repository": REPOSITORY,
    "image.tag": TAG,
    "image.digest": DIGEST,
    "image.pullPolicy": PULL,
    "imagePullSecrets": {"items": {"type": "string", "minLength": 1, **SECRET}},
    "agent.id": {"pattern": "^[ -~]{0,128}$"},
    "agent.fleet": NAME,
    "agent.variables": {
        "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
        "additionalProperties": {"type": "string", "pattern": "^(/.*)?$"},
    },
    "drain": SECONDS,
    **{
        f"{of}.existingSecret": SECRET
        for of in ("credentials", "tokens", "fleetKey", "journal", "store", "redis")
    },
    **{f"{of}.key": KEY for of in ("tokens", "fleetKey", "journal", "store", "redis")},
    "journal.volumeName": LABEL,
    "journal.volume": {"type": "object"},
    "store.url": {"pattern": r"^(memory|rediss?(\+(sentinel|cluster))?://.+)$"},
    "extraEnv": ITEMS,
    "extraVolumes": ITEMS,
    "extraVolumeMounts": ITEMS,
    "ports.listen": PORT,
    "ports.admin": PORT,
    "ports.address": {"pattern": r"^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])$"},
    "securityContext": CONTAINER_SECURITY,
    "sidecar.form": {"enum": ["auto", "native", "classic"]},
    "sidecar.preStop": SECONDS,
    "sidecar.agentGrace": SECONDS,
    "sidecar.resources": RESOURCES,
    "gateway.replicas": {"minimum": 0, "maximum": 1000},
    "gateway.autoscaling.minReplicas": {"minimum": 1, "maximum": 1000},
    "gateway.autoscaling.maxReplicas": {"minimum": 1, "maximum": 1000},
    "gateway.autoscaling.targetCPU": {"minimum": 1, "maximum": 100},
    "gateway.persistence.size": QUANTITY,
    "gateway.service.type": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
    "gateway.service.annotations": TEXTS,
    "gateway.preStop": SECONDS,
    "gateway.topologyKeys": {"items": {"type": "string"}},
    "gateway.resources": RESOURCES,
    "gateway.podAnnotations": TEXTS,
    "gateway.nodeSelector": TEXTS,
    "gateway.tolerations": ITEMS,
    "gateway.affinity": {},
    "redis.image.repository": REPOSITORY,
    "redis.image.tag": TAG,
    "redis.image.digest": DIGEST,
    "redis.image.pullPolicy": PULL,
    "redis.command": {"minLength": 1},
    "redis.user": {"minimum": 1},
    "redis.maxmemory": {"pattern": "^[0-9]+(kb|mb|gb)$"},
    "redis.persistence.size": QUANTITY,
    "redis.resources": RESOURCES,
    "networkPolicy.agents": ITEMS,
    "networkPolicy.admin": ITEMS,
    "networkPolicy.egress": ITEMS,
    "networkPolicy.confined": TEXTS,
    "networkPolicy.dns": ITEMS,
    "networkPolicy.sidecars.ingress": ITEMS,
    "networkPolicy.sidecars.egress": ITEMS,
    "monitoring.labels": TEXTS,
    "monitoring.annotations": TEXTS,
    "monitoring.interval": DURATION,
    "monitoring.scrapeTimeout": DURATION,
    "monitoring.relabelings": ITEMS,
    "monitoring.metricRelabelings": ITEMS,
    "monitoring.podMonitor.namespaces": {"items": {"type": "string"}},
    "monitoring.rules.select": {
        "propertyNames": {"pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"},
        "additionalProperties": {"type": "string"},
    },
    "monitoring.rules.disabled": {"items": {"type": "string"}},
    "monitoring.rules.alertLabels": TEXTS,
    "monitoring.rules.interval": DURATION,
    "monitoring.rules.groups": ITEMS,
    "monitoring.dashboards.labels": TEXTS,
    "monitoring.dashboards.annotations": TEXTS,
}
OURS = ("listen", "admin", "policies", "data_dir", "agent", "store", "fleet_key", "tokens", "drain")
"""Settings that follow from values of their own."""


class Value(NamedTuple):
    """A key of values.yaml."""

    path: str
    meaning: str
    default: Any
    inside: "tuple[Value, ...]"  # empty: it is a value, not a group of such

    def all(self) -> "Iterator[Value]":
        """It, and those inside."""
        yield self
        for value in self.inside:
            yield from value.all()


def values(text: str) -> tuple[Value, ...]:
    """Those at the top of a values.yaml."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(node, yaml.MappingNode)
    return _values_of(node, text.splitlines(), "", yaml.safe_load(text))


def _values_of(
    node: yaml.MappingNode, lines: list[str], path: str, defaults: dict[str, Any]
) -> tuple[Value, ...]:
    return tuple(_value(key, held, lines, path, defaults) for key, held in node.value)


def _value(
    key: yaml.ScalarNode, held: yaml.Node, lines: list[str], path: str, defaults: dict[str, Any]
) -> Value:
    here = f"{path}.{key.value}" if path else key.value
    inside: tuple[Value, ...] = ()
    if isinstance(held, yaml.MappingNode):
        inside = _values_of(held, lines, here, defaults[key.value])
        if here in SHAPES or not any(value.meaning or value.inside for value in inside):
            inside = ()
    return Value(here, _above(lines, key.start_mark), defaults[key.value], inside)


def _above(lines: list[str], mark: yaml.Mark) -> str:
    """The comment that stands right above a key, as one text; one within `{…}` has none."""
    number = mark.line
    if lines[number][: mark.column].strip():
        return ""
    found = []
    while number and lines[number - 1].lstrip().startswith("#"):
        number -= 1
        found.append(lines[number].strip().removeprefix("#").strip())
    return " ".join(reversed(found))


def table(tops: tuple[Value, ...]) -> str:
    """Of Markdown: every value, and before those of a group what the group is."""
    rows = "".join(
        f"| `{value.path}` | {value.meaning.replace('|', chr(92) + '|')} | {_default(value)} |\n"
        for top in tops
        for value in top.all()
        if value.meaning or not value.inside
    )
    return f"| value | what it is | default |\n| - | - | - |\n{rows}"


def _default(value: Value) -> str:
    if value.inside:
        return ""
    return f"`{json.dumps(value.default, ensure_ascii=False)}`".replace("|", r"\|")


def schema(tops: tuple[Value, ...]) -> str:
    """values.schema.json: what is not in values.yaml is refused."""
    made = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart holdfast",
        **_group(tops),
    }
    # Parents hand `global` to all charts in them, and switch one off by such a condition.
    made["properties"] |= {"global": {"type": "object"}, "enabled": {"type": "boolean"}}
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def _group(group: tuple[Value, ...]) -> Shape:
    shapes = {value.path.rpartition(".")[2]: _shape(value) for value in group}
    made = {"type": "object", "additionalProperties": False, "properties": shapes}
    # Whoever says null would have templates look into nothing.
    needed = [name for name, shape in shapes.items() if "properties" in shape or name in BORROWED]
    return made | {"required": needed} if needed else made


def _shape(value: Value) -> Shape:
    said = {"description": value.meaning} if value.meaning else {}
    if value.path in BORROWED:
        return said | BORROWED[value.path]()
    if value.inside:
        return said | _group(value.inside)
    kinds = {str: "string", bool: "boolean", int: "integer", list: "array", dict: "object"}
    return said | {"type": kinds[type(value.default)]} | SHAPES.get(value.path, {})


def _lent(kind: str) -> Shape:
    name = {"policies": "schema.json", "settings": "settings.schema.json"}[kind]
    lent: Shape = json.loads((ROOT / "policies" / name).read_text(encoding="utf-8"))
    return {key: held for key, held in lent.items() if key not in {"$schema", "title"}}


def _settings() -> Shape:
    lent = _lent("settings")
    lent["properties"] = {
        name: shape for name, shape in lent["properties"].items() if name not in OURS
    }
    return lent


def _upstreams() -> Shape:
    upstreams: Shape = _lent("policies")["properties"]["upstreams"]
    return upstreams


def _policies() -> Shape:
    # A file as text is held against the schema by the proxy; as YAML by helm as well.
    held = {"type": ["object", "string"], "if": {"type": "object"}, "then": _lent("policies")}
    names = {"pattern": r"^[0-9A-Za-z][0-9A-Za-z._-]*\.yaml$"}
    return {"type": "object", "propertyNames": names, "additionalProperties": held}


BORROWED = {"settings": _settings, "upstreams": _upstreams, "policies": _policies}


def made() -> dict[Path, str]:
    """Every file that is made, or has a made part, as it should be."""
    tops = values((CHART / "values.yaml").read_text(encoding="utf-8"))
    page = (CHART / "README.md").read_text(encoding="utf-8")
    return {
        CHART / "README.md": REGION.sub(
            lambda found: f"{found[1]}\n{table(tops)}\n{found[2]}", page
        ),
        CHART / "values.schema.json": schema(tops),
        CHART / "files" / "policies" / SHIPPED.name: SHIPPED.read_text(encoding="utf-8"),
    }


def complaints() -> list[str]:
    """What only people can mend."""
    tops = values((CHART / "values.yaml").read_text(encoding="utf-8"))
    every = [value for top in tops for value in top.all()]
    known = {value.path for value in every}
    return [
        *(f"values.yaml: {value.path} says not what it is for" for value in every if _mute(value)),
        *(f".ci/chart.py: there is no {path}" for path in SHAPES if path not in known),
    ]


def _mute(value: Value) -> bool:
    return not value.inside and not value.meaning.endswith(".")


def main() -> int:
    """Write what is stale, or only say so."""
    found = complaints()
    for path, text in made().items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if "--check" in sys.argv:
            found.append(f"{path.relative_to(ROOT).as_posix()} is stale: run make docs")
        else:
            path.write_text(text, encoding="utf-8")
    print("\n".join(found), end="\n" if found else "", file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
