"""docs/getting-started.md and docs/security.md: who follows them gets what they show."""

import contextlib
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.quickstart import PATIENCE, ROOT
from tests.servers import free_port
from tests.whole.test_readme import steady, without_numbers

BLOCK = re.compile(r"(?:`([\w/.-]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STAYS = ("holdfast sandbox\n", "holdfast run --policies my-policies\n")
"""What runs in a terminal of its own, until the end."""
MADE = "make venv\n"
"""The block that makes what runs here already."""
UP = ("sandbox gateway on", '"event":"ready"')


class Reader:
    """Somebody in a folder of his own, with the command on his path."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self._ports = {usual: str(free_port()) for usual in ("8700", "8701", "8790")}
        bin_ = folder / "bin"
        bin_.mkdir()
        command = bin_ / "holdfast"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m proxy "$@"\n')
        command.chmod(0o755)
        listen, admin = (f"127.0.0.1:{self._ports[usual]}" for usual in ("8700", "8701"))
        self._environ = {
            **os.environ,
            "PATH": f"{bin_}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOLDFAST_LISTEN": listen,
            "HOLDFAST_ADMIN": admin,
            "NO_COLOR": "1",
        }

    def write(self, name: str, content: str) -> None:
        """A file that the page shows."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(self._here(content))

    def types(self, lines: str) -> str:
        """What they print; they must succeed."""
        ran = subprocess.run(
            ["sh", "-ec", self._here(lines)],
            cwd=self.folder,
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert ran.returncode == 0, f"{lines}\n{ran.stdout}{ran.stderr}"
        return self._there(ran.stdout)

    def opens(self, line: str) -> None:
        """A terminal in which it runs, once it is up."""
        place = f" --listen 127.0.0.1:{self._ports['8790']}" if "sandbox" in line else ""
        child = self._stack.enter_context(
            subprocess.Popen(
                ["sh", "-c", f"exec {line.strip()}{place}"],
                cwd=self.folder,
                env=self._environ,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        self._stack.callback(child.terminate)
        assert child.stdout is not None
        said = iter(child.stdout.readline, "")
        assert any(up in told for told in said for up in UP), line

    def _here(self, text: str) -> str:
        for usual, real in self._ports.items():
            text = text.replace(f"127.0.0.1:{usual}", f"127.0.0.1:{real}")
        return text

    def _there(self, text: str) -> str:
        for usual, real in self._ports.items():
            text = text.replace(f"127.0.0.1:{real}", f"127.0.0.1:{usual}")
        return text


@pytest.fixture
def reader() -> Iterator[Reader]:
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        yield Reader(Path(folder), stack)


def same(text: str) -> str:
    """Of what is shown: what stays so from run to run."""
    text = re.sub(r"policy version [0-9a-f]{12}", "policy version ‹version›", steady(text))
    return without_numbers(re.sub(r'"(balance|created_at)": "[^"]*"', "", text)).strip()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_ten_minutes(reader: Reader):
    """Every block, in order; what stands below a command is what it prints."""
    page = (ROOT / "docs" / "getting-started.md").read_text("utf-8")
    blocks = [*BLOCK.findall(page), ("", "", "")]
    shown = 0
    for (name, kind, content), (_, next_kind, below) in itertools.pairwise(blocks):
        if kind == "yaml":
            reader.write(name, content)
        elif content in STAYS:
            reader.opens(content)
        elif kind == "sh" and not content.startswith(MADE):
            printed = reader.types(content)
            assert next_kind == "text", content
            assert same(printed) == same(below), content
            shown += 1
    assert shown == page.count("```text\n") > 6


def test_what_the_page_of_security_shows(reader: Reader):
    """Its commands succeed."""
    page = (ROOT / "docs" / "security.md").read_text("utf-8")
    lines = [content for _, kind, content in BLOCK.findall(page) if kind == "sh"]
    assert lines
    for line in lines:
        assert reader.types(line)


@pytest.mark.parametrize("name", ["getting-started", "security"])
def test_what_they_point_to_is_there(name: str):
    """Their links, and the headings in these."""
    folder = ROOT / "docs"
    links = re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", (folder / f"{name}.md").read_text("utf-8"))
    assert links
    for path, heading in links:
        text = (folder / path).read_text("utf-8")
        known = {
            re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-")
            for line in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        }
        assert not heading or heading in known, f"{path}#{heading}"
