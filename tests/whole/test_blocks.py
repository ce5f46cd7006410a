"""Every block of code of every page is what it says it is.

What runs is run elsewhere, page by page (test_readme.py, test_getting_started.py, tests/helm …).
This holds all of them to the least: policies load, settings are read, commands and flags are there.
"""

import json
import re
import shlex
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from proxy.cli import holdfast
from proxy.config.load import load_policies
from proxy.config.settings import load_settings
from tests.harness.quickstart import ROOT

PAGES = (ROOT / "README.md", ROOT / "helm/holdfast/README.md", *sorted(ROOT.glob("docs/*.md")))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
READ_BY = {
    name: set(json.loads((ROOT / "policies" / f"{name}.json").read_text("utf-8"))["properties"])
    for name in ("schema", "settings.schema")
}
"""The keys that begin a file of policies, or of settings."""
ELSEWHERE = {
    "docs/kubernetes.md": "tests/helm/test_page.py draws with them",
    "docs/policy-tests.md": "tests of policies: tests/lab/trials/test_judge.py",
    "docs/prometheus.md": "files of Prometheus and Alertmanager, values of the chart: tests/helm",
    "docs/admin.md": "a tokens file: tests/whole/test_admin_page.py",
    "docs/grafana.md": "values of the chart: tests/helm",
}
"""Pages whose YAML, and Kubernetes' commands, are read by others, and tried there."""
UPSTREAMS = {
    "gateway": {"url": "http://gateway", "protocol": "tools", "path": "/"},
    "files": {"url": "http://files", "protocol": "mcp", "path": "/files"},
}
ENVIRON = {
    "SIEM_SECRET": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "REDIS_PASSWORD": "a password of a test",
    "FLEET_KEY": "a key of a test, and of nothing else",
}


def blocks(*kinds: str, apart: Collection[str] = ()) -> list[Any]:
    """Those of these kinds, with where they stand; without those of some pages."""
    return [
        pytest.param(str(page.relative_to(ROOT)), content, id=f"{page.stem}-{number}")
        for page in PAGES
        if str(page.relative_to(ROOT)) not in apart
        for number, (kind, content) in enumerate(BLOCK.findall(page.read_text("utf-8")))
        if kind in kinds
    ]


@pytest.mark.parametrize(("page", "content"), blocks("yaml", apart=ELSEWHERE))
def test_yaml_is_read(page: str, content: str, tmp_path: Path):
    """By whom it is for: policies, or settings."""
    found = yaml.safe_load(content)
    if set(found) <= READ_BY["schema"]:
        (tmp_path / "10.yaml").write_text(content)
        named = found.get("upstreams") or {}
        taken = {upstream.get("path", "/") for upstream in named.values()}
        others = {name: more for name, more in UPSTREAMS.items() if more["path"] not in taken}
        (tmp_path / "00.yaml").write_text(yaml.safe_dump({"upstreams": others}))
        assert load_policies(tmp_path, environ=ENVIRON).version, page
    else:
        (tmp_path / "holdfast.yaml").write_text(content)
        assert not load_settings(tmp_path / "holdfast.yaml", environ=ENVIRON).warnings, page


@pytest.mark.parametrize(("page", "content"), blocks("json"))
def test_json_is_json(page: str, content: str):
    """One document, or one a line."""
    try:
        json.loads(content)
    except ValueError:
        assert [json.loads(line) for line in content.splitlines()], page


def typed(content: str) -> Iterator[list[str]]:
    """The words of each call of our command."""
    for line in content.replace("\\\n", " ").splitlines():
        for part in re.split(r"\s(?:\||&&|;|>)\s", line):
            if "holdfast" not in part:
                continue
            words = shlex.split(part, comments=True)
            ours = [at for at, word in enumerate(words) if word.split("/")[-1] == "holdfast"]
            if ours and not {"helm", "docker"} & set(words):
                yield words[ours[-1] + 1 :]


@pytest.mark.parametrize(
    ("page", "content"), blocks("sh", "bash", "console", apart=("docs/kubernetes.md",))
)
def test_commands_and_flags_are_there(page: str, content: str):
    """Each that a page tells people to type."""
    for words in typed(content):
        command: click.Command = holdfast
        for word in words:
            if isinstance(command, click.Group) and word in command.commands:
                command = command.commands[word]
            elif word.startswith("--"):
                known = [flag for each in command.params for flag in each.opts]
                assert word.split("=")[0] in {*known, "--help"}, f"{page}: {words}"
        assert command is not holdfast, f"{page}: {words}"
