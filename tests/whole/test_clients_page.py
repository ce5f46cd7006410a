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
from tests.harness.quickstart import PATIENCE, ROOT, Started, quickstart

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


class Reader:
    """Who follows the page from its top: variables that were set stay set."""

    def __init__(self, started: Started) -> None:
        self.here = started.places
        self.environ = {**os.environ, "HOLDFAST_DATA_DIR": started.data_dir, "NO_COLOR": "1"}

    def real(self, text: str) -> str:
        """With the addresses of the proxy that runs here."""
        return text.replace(USUAL.proxy, self.here.proxy)

    def does(self, kind: str, block: str) -> str:
        """What comes of one block."""
        block = self.real(block)
        if kind == "sh" and block.startswith("export "):
            self.environ |= dict(word.split("=", 1) for word in block.split()[1:])
            return ""
        if kind == "sh":
            block = block.replace(".venv/bin/holdfast", f"{sys.executable} -m proxy")
        command = ["sh", "-ec", block] if kind == "sh" else [sys.executable, "-c", block]
        ran = subprocess.run(
            command, cwd=ROOT, env=self.environ, capture_output=True, text=True, timeout=PATIENCE
        )
        assert ran.returncode == 0, f"{block}\n{ran.stdout}{ran.stderr}"
        return ran.stdout


def steps() -> Iterator[tuple[str, str, str | None]]:
    """What a reader does, and what the page says that he sees; None: it does not say."""
    shown = [*BLOCKS[1:], ("", "")]
    for (kind, block), (then, answer) in zip(BLOCKS, shown, strict=True):
        if kind in {"sh", "python"}:
            yield kind, block, answer if then == "text" else None


def test_it_works_as_it_says():
    """From its top to its end, but for clients that are not installed: LangChain is in no lock."""
    done = set()
    with quickstart() as started:
        reader = Reader(started)
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
    with quickstart() as started:
        reader = Reader(started)
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
    links = re.findall(r"\]\(([^):]+)\)", PAGE)
    sections = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    }

    assert [link for link in links if link[0] != "#" and not (ROOT / "docs" / link).exists()] == []
    assert {link[1:] for link in links if link[0] == "#"} <= sections
