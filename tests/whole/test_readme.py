"""The README is what people try first: what it shows is what happens, word for word."""

import ast
import itertools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.cli import holdfast
from proxy.cli.quickstart import Places
from tests.harness.quickstart import ANYWHERE, PATIENCE, ROOT, quickstart, shell

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
WITH_A_PROXY = tuple(f".venv/bin/holdfast {name}" for name in ("audit", "kill", "revive"))
"""What is asked of the proxy that `make run` starts."""
USUAL = Places("http://127.0.0.1:8700", "http://127.0.0.1:8701", "http://127.0.0.1:8790")

DIFFERS = {  # from run to run, and from machine to machine
    r"^(Date|Server): .*": r"\1: …",
    r"\b[0-9a-f]{8}-[0-9a-f]+\b": "‹call›",
    r'(@|"version":")[0-9a-f]{12}': r"\1‹version›",
    r"\d{4}-\d\d-\d\dT[\d:.]+(\+00:00|Z)": "‹time›",
}


def steady(text: str) -> str:
    """Without what differs each time."""
    for pattern, instead in DIFFERS.items():
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    return text.replace("\r", "").strip()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_its_calls_are_answered_as_it_says():
    """Every curl line, in order, with the answer that stands below it; and the journal."""
    following = itertools.pairwise(BLOCKS)
    asked = ("curl", *WITH_A_PROXY)
    shown = [(line, then[1]) for (_, line), then in following if line.startswith(asked)]
    assert len(shown) == README.count("\ncurl ") + len(WITH_A_PROXY)
    with quickstart() as started:
        for line, answer in shown:
            here = line
            for usual, real in zip(USUAL, started.places, strict=True):
                here = here.replace(usual, real)
            if not line.startswith("curl"):
                got = shell(f"export HOLDFAST_DATA_DIR='{started.data_dir}'\n{_here(here)}")
                got = got.replace(started.data_dir, ".holdfast")
                assert without_numbers(got) == without_numbers(answer)
                continue
            got = shell(here)
            for usual, real in zip(USUAL, started.places, strict=True):
                got = got.replace(real.removeprefix("http://"), usual.removeprefix("http://"))

            assert steady(got) == steady(answer), line


def without_numbers(page: str) -> str:
    """Of a page that is made for people: what it says of what."""
    return re.sub(r"[\d,.:-]*\d", "‹n›", re.sub(" +", " ", page))


def commands() -> list[str]:
    """The blocks that run the command, as they are run here."""
    lines = [block for kind, block in BLOCKS if kind == "sh" and ".venv/bin/holdfast" in block]
    return [_here(line, "exec ") for line in lines if not line.startswith(WITH_A_PROXY)]


def _here(line: str, how: str = "") -> str:
    return line.replace(".venv/bin/holdfast", f"{how}{sys.executable} -m proxy")


@pytest.mark.parametrize("line", [line for line in commands() if not line.endswith("run\n")])
def test_its_commands_succeed(line):
    """As they stand there, in the repository's folder."""
    assert shell(line)


def test_what_it_shows_of_the_demo_is_what_the_demo_prints():
    """Word for word as in docs/demo.md, which is compared with a run (tests/cli/test_demo.py)."""
    page = (ROOT / "docs" / "demo.md").read_text(encoding="utf-8")
    (shown,) = (block for _, block in BLOCKS if "All went as said" in block)

    assert len(shown.strip().split("\n\n")) == 2
    assert [part for part in shown.strip().split("\n\n") if part not in page] == []


def test_its_proxy_starts(tmp_path):
    """In front of a gateway that it names, and that need not be up."""
    (line,) = (line for line in commands() if line.endswith("run\n"))
    environ = {**os.environ, **ANYWHERE, "HOLDFAST_DATA_DIR": str(tmp_path)}
    with subprocess.Popen(
        ["sh", "-c", line.replace("exec ", "exec env ")],
        cwd=ROOT,
        env=environ,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stderr is not None
        try:
            assert '"event":"ready"' in child.stderr.readline()
            child.terminate()
            assert child.wait(PATIENCE) == 0
        finally:
            child.kill()


def test_it_lists_every_command():
    """Those that `--help` lists, and no other."""
    listed = set(re.findall(r"^\| `holdfast (\w+)`", README, re.MULTILINE))

    assert listed == {name for name, command in holdfast.commands.items() if not command.hidden}


def test_its_targets_are_in_the_makefile():
    """Every `make x` that it names."""
    named = set(re.findall(r"`make (\w+)`|^make (\w+)$", README, re.MULTILINE))
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert {one or other for one, other in named} <= set(targets)


def test_what_it_points_to_is_there():
    """Its links."""
    links = re.findall(r"\]\(([^)#:]+)\)", README)

    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def names_in(path: Path) -> Iterator[str]:
    """Classes, `Class.function` and names of the outermost level."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{part.name}" for part in node.body if hasattr(part, "name"))
        if isinstance(node, ast.AnnAssign):
            yield ast.unparse(node.target)
        elif hasattr(node, "name"):
            yield node.name


def test_the_life_of_a_call_is_that_of_the_code():
    """Every file and every name of the code that it tells of is there."""
    proxy = ROOT / "proxy"
    told = set(re.findall(r"`([^`\s]+)`", (proxy / "README.md").read_text(encoding="utf-8")))
    known = {name for path in proxy.rglob("*.py") for name in names_in(path)}
    files = {name for name in told if name.endswith((".py", "/"))}
    names = {name for name in told if re.fullmatch(r"[A-Z][A-Za-z]+(\.\w+)?|\w+_\w+", name)}

    assert (
        sorted(name for name in files if not any((at / name).exists() for at in (proxy, ROOT)))
        == []
    )
    assert sorted(names - known) == ["on_disconnect"]  # a field of the timeout section
    assert len(names) > 40
