"""docs/clients.md: what stands there works as it stands there, with the clients themselves."""

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from proxy.cli.quickstart import Places
from tests.harness.quickstart import ROOT, Started, quickstart

PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
USUAL = Places("http://127.0.0.1:8700", "http://127.0.0.1:8701", "http://127.0.0.1:8790")


def imports(source: str) -> set[str]:
    """The outermost names of what a program imports."""
    nodes = list(ast.walk(ast.parse(source)))
    plain = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    return {name.partition(".")[0] for name in plain} | {
        (node.module or "").partition(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)
    }


def is_there(source: str) -> bool:
    """Are the clients of this program installed?"""
    return all(importlib.util.find_spec(name) for name in imports(source))


PROGRAMS = """
import contextlib, io, json, os, sys
for line in sys.stdin:
    environ, program = json.loads(line)
    os.environ.update(environ)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(program, "a program of the page", "exec"), {"__name__": "__main__"})
    print(json.dumps(said.getvalue()), flush=True)
"""
"""Runs one program after another: clients take seconds to import, and most are needed twice."""


class Reader:
    """Who follows the page from its top: variables that were set stay set."""

    def __init__(self, started: Started) -> None:
        self.here = started.places
        self.environ = {"HOLDFAST_DATA_DIR": started.data_dir, "NO_COLOR": "1"}
        self.child = subprocess.Popen(
            [sys.executable, "-c", PROGRAMS],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.child.kill()
        self.child.communicate()

    def does(self, kind: str, block: str) -> str:
        """What comes of one block."""
        block = block.replace(USUAL.proxy, self.here.proxy)
        if kind == "python":
            return self._runs(block)
        if block.startswith("export "):
            self.environ |= dict(word.split("=", 1) for word in block.split()[1:])
            return ""
        block = block.replace(".venv/bin/holdfast", f"{sys.executable} -m proxy")
        environ = {**os.environ, **self.environ}
        ran = subprocess.run(
            ["sh", "-ec", block], cwd=ROOT, env=environ, capture_output=True, text=True
        )
        assert ran.returncode == 0, f"{block}\n{ran.stdout}{ran.stderr}"
        return ran.stdout

    def _runs(self, program: str) -> str:
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        self.child.stdin.write(json.dumps([self.environ, program]) + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        assert line, f"it ended early: {program}"
        said: str = json.loads(line)
        return said


def steps() -> Iterator[tuple[str, str, str | None]]:
    """What a reader does, and what the page says that he sees; None: it does not say."""
    shown = [*BLOCKS[1:], ("", "")]
    for (kind, block), (then, answer) in zip(BLOCKS, shown, strict=True):
        if kind in {"sh", "python"}:
            yield kind, block, answer if then == "text" else None


@pytest.mark.timeout(180)  # half a minute: five SDKs, and eight commands
def test_it_works_as_it_says():
    """From its top to its end, but for clients that are not installed: LangChain is in no lock."""
    done = set()
    with quickstart() as started, Reader(started) as reader:
        for kind, block, answer in steps():
            if kind == "python" and not is_there(block):
                assert "langchain" in block
                continue
            got = reader.does(kind, block)
            assert answer is None or got == answer, block
            done |= imports(block) if kind == "python" else set()
    assert {"openai", "anthropic", "mcp", "a2a", "httpx"} <= done


@pytest.mark.skipif(
    importlib.util.find_spec("langchain") is None,
    reason="LangChain is in no lock: it brings forty packages, for what the SDKs below it do",
)
def test_langchain_works_as_it_says():
    """With the variables that the page sets for the SDKs."""
    with quickstart() as started, Reader(started) as reader:
        told = [step for step in steps() if "export" in step[1] or "langchain" in step[1]]
        assert [reader.does(kind, block) for kind, block, _ in told][-1] == told[-1][2]


def test_it_shows_what_each_program_prints():
    """Every program is followed by its answer."""
    kinds = [kind for kind, _ in BLOCKS]
    programs = [at for at, kind in enumerate(kinds) if kind == "python"]

    assert len(programs) >= 10
    assert {kinds[at + 1] for at in programs} == {"text"}


def test_its_files_name_what_runs_here():
    """JSON that clients are given: addresses under which `make run` has something."""
    (block,) = (json.loads(block) for kind, block in BLOCKS if kind == "json")
    urls = [each["url"] for each in block["mcpServers"].values()]

    assert urls == [f"{USUAL.proxy}/mcp"]


def test_what_it_points_to_is_there():
    """Its links, to files and to its own sections."""
    links = [link.partition("#") for link in re.findall(r"\]\(([^):]+)\)", PAGE)]
    sections = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    }

    assert [page for page, _, _ in links if not (ROOT / "docs" / page).exists()] == []
    assert {at for page, _, at in links if not page and at} <= sections
