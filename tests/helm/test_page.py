"""docs/kubernetes.md: what stands there is what the chart makes, takes, and is called."""

import re
import shlex
import subprocess
import sys
import textwrap

import pytest
import yaml

from tests.harness.quickstart import quickstart
from tests.helm.commands import takes
from tests.helm.drawing import CHART, EXAMPLES, ROOT, agent_chart, helm, text

PAGE = (ROOT / "docs" / "kubernetes.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
YAML = [block for kind, block in BLOCKS if kind == "yaml"]
LINES = [line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines()]
INSTALLS = [line for line in LINES if line.startswith("helm install")]
COMMANDS = [found[0] for line in LINES if (found := re.search(r"(^|(?<=-- ))holdfast .*", line))]
SHOWN = (
    EXAMPLES / "agent.yaml",
    EXAMPLES / "agent" / "values.yaml",
    EXAMPLES / "agent" / "templates" / "agent.yaml",
)


@pytest.mark.parametrize("block", YAML, ids=lambda block: block.split("\n")[0].strip())
def test_what_is_shown_is_in_a_file_or_is_taken_as_values(block, tmp_path):
    """To the byte; or the chart draws with it."""
    if any(block in file.read_text("utf-8") for file in SHOWN):
        return
    assert set(yaml.safe_load(block)) <= set(yaml.safe_load((CHART / "values.yaml").read_text()))
    values = tmp_path / "values.yaml"
    values.write_text(textwrap.dedent(block), encoding="utf-8")

    assert text("--set=gateway.enabled=true", "--values", values)


@pytest.mark.parametrize("line", INSTALLS)
def test_what_is_installed_can_be_drawn(line):
    """The same words, but that nothing reaches a cluster."""
    words = shlex.split(line.replace("$IMAGE", "registry.example/holdfast"))
    drawn = ["template" if word == "install" else word for word in words[1:]]
    folder = agent_chart().parents[2]

    ran = helm(*drawn, cwd=folder)

    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_is_there_and_takes_what_it_is_given(line):
    """`holdfast …`, wherever it is said."""
    takes(shlex.split(line)[1:])


def test_what_the_page_points_to_is_there():
    """Files of the repository, and headings of pages."""
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        name, _, anchor = target.partition("#")
        page = (ROOT / "docs" / name).resolve() if name else ROOT / "docs" / "kubernetes.md"
        assert page.exists(), target
        headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
        slugs = {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}
        assert not anchor or anchor in slugs, target


def test_the_first_call_is_answered():
    """The program that the page has for it, at the sandbox."""
    (program,) = re.findall(r'python3 -c "\n(.*?)"\n', PAGE, re.DOTALL)
    with quickstart() as started:
        ran = subprocess.run(
            [sys.executable, "-c", program.replace("http://holdfast:8700", started.places.proxy)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert ran.stdout.endswith(" ok\n"), ran.stderr
