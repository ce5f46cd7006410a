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
from tests.helm.drawing import CHART, EXAMPLES, ROOT, agent_chart, containers, helm, pods, text

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


@pytest.mark.parametrize("line", INSTALLS)
def test_secrets_are_made_before_pods_wait_for_them(line):
    """Each that a pod names, with each key that is read, stands above the installation."""
    words = shlex.split(line.replace("$IMAGE", "registry.example/holdfast"))
    drawn = ["template" if word == "install" else word for word in words[1:]]
    ran = helm(*drawn, cwd=agent_chart().parents[2])
    keys = {
        above.split()[4]: set(re.findall(r"--from-(?:literal|file)=([\w.-]+)", above))
        for above in LINES[: LINES.index(line)]
        if above.startswith("kubectl create secret generic")
    }

    for name, wanted in _secrets(list(yaml.safe_load_all(ran.stdout))):
        assert wanted <= keys.get(name, set()), (name, wanted)


def _secrets(objects):
    """What volumes and variables name, with the keys that settings and policies read of them."""
    told = yaml.safe_dump([each.get("data") for each in objects if each])
    for pod in pods([each for each in objects if each]):
        for volume in pod["spec"].get("volumes", ()):
            if "secret" in volume:
                folder = volume["name"].removeprefix("holdfast-").removesuffix("-secret")
                found = re.findall(rf"/run/secrets/holdfast/{folder}/([\w.-]+)", told)
                yield volume["secret"]["secretName"], set(found)
        for variable in (each for one in containers(pod) for each in one.get("env", ())):
            named = variable.get("valueFrom", {}).get("secretKeyRef")
            if named:
                yield named["name"], {named["key"]}


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
