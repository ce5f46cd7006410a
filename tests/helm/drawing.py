"""Draws the charts with the real helm, away from the machine's own helm and its network."""

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
CHART = ROOT / "helm" / "holdfast"
EXAMPLES = ROOT / "helm" / "examples"
GATEWAY = EXAMPLES / "gateway.yaml"
NEWEST = "1.37.0"
OLDEST = "1.25.0"
"""What Chart.yaml asks for."""

Drawn = dict[str, Any]
"""An object as Kubernetes would be given it."""


def helm(*words: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """What it says; whoever asks looks at its exit code."""
    with tempfile.TemporaryDirectory() as home:
        homes = {f"HELM_{kind}_HOME": home for kind in ("CACHE", "CONFIG", "DATA")}
        return subprocess.run(
            [Path(sys.executable).parent / "helm", *words],
            cwd=cwd, env={**os.environ, **homes}, capture_output=True, text=True, check=False,
        )  # fmt: skip


@functools.cache
def text(
    *options: str | Path, chart: Path = CHART, kube: str = NEWEST, release: str = "payments"
) -> str:
    """All that a chart makes. Raises AssertionError with what helm said where it refuses."""
    ran = helm(
        "template", release, chart, "--namespace", "agents", "--kube-version", kube, *options
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def drawn(*options: str | Path, chart: Path = CHART, kube: str = NEWEST) -> list[Drawn]:
    """The same as objects."""
    documents = yaml.load_all(text(*options, chart=chart, kube=kube), Loader=yaml.CSafeLoader)
    return [document for document in documents if document]


def refused(*options: str) -> str:
    """Why helm draws nothing."""
    ran = helm("template", "payments", CHART, "--kube-version", NEWEST, *options)
    assert ran.returncode != 0, ran.stdout
    return ran.stderr


@functools.cache
def agent_chart() -> Path:
    """The example of a chart that has Holdfast in it, with what it depends on, in a copy."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-helm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copytree(ROOT / "helm", folder / "helm")
    chart = folder / "helm" / "examples" / "agent"
    built = helm("dependency", "build", chart)
    assert built.returncode == 0, built.stderr
    return chart


def one(objects: list[Drawn], kind: str, name: str = "") -> Drawn:
    """The object of that kind whose name ends so."""
    (found,) = (
        each for each in objects if each["kind"] == kind and each["metadata"]["name"].endswith(name)
    )
    return found


def pods(objects: list[Drawn]) -> Iterator[Drawn]:
    """Each pod, and what pods are made from: with `metadata` and `spec`."""
    for each in objects:
        if each["kind"] == "Pod":
            yield each
        elif "template" in each.get("spec", {}):
            yield each["spec"]["template"]


def containers(pod: Drawn) -> list[Drawn]:
    """All of a pod, in the order in which they start."""
    spec = pod["spec"]
    return [*spec.get("initContainers", ()), *spec["containers"]]
